"""``tgap evaluate``: a synthetic set made elsewhere, scored through the line of any run."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tgap import compose
from tgap.analysis.comparison import compare
from tgap.cli.evaluate import evaluation_overrides
from tgap.cli.main import command
from tgap.core import DataError
from tgap.core.digest import image_digests
from tgap.core.words import quoted
from tgap.datasets.digits import Digits
from tgap.datasets.image_folder import ImageFolder
from tgap.generators.ready_made import ReadyMade
from tgap.metrics.significance import LEVEL
from tgap.pipeline.artifacts import read_images
from tgap.pipeline.plan import Identities, plan
from tgap.pipeline.preflight.training import few_to_train
from tgap.pipeline.stages import execute
from tgap.report.table import plain
from tgap.store import Store
from tgap.sweeps.identity import planned, row_of

FAST = ("classifier.epochs=2", "evaluators.two_way.resamples=100", "tracking.pictures=false")


@pytest.fixture(scope="module")
def digits():
    return Digits().load()


def write(folder: Path, digits, rows, labelled: bool = True) -> Path:
    for row in rows:
        name = digits.label_names[int(digits.labels[row].argmax())] if labelled else ""
        (folder / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(digits.images[row, :, :, 0]).save(folder / name / f"{row}.png")
    return folder


@pytest.fixture(scope="module")
def folders(digits, tmp_path_factory):
    """Real images, a synthetic set (real images too), and what it was tuned on."""
    root = tmp_path_factory.mktemp("evaluate")
    rows = np.random.default_rng(0).permutation(len(digits))
    real = write(root / "it's real, a=b", digits, rows[:630])
    synthetic = write(root / "synthetic", digits, rows[630:830])
    tuning = write(root / "tuning", digits, rows[830:950], labelled=False)
    return real, synthetic, tuning


def evaluate(*words: object) -> int:
    return command(["evaluate", *map(str, words), *FAST])


def recorded(home: Path) -> dict:
    (journal,) = (home / "journal").glob("single/*/journal.jsonl")
    metrics = {}
    for line in journal.read_text().splitlines():
        event = json.loads(line)
        for kind in ("values", "numbers"):
            metrics |= {name: float(value) for name, value in event.get(kind, {}).items()}
    return metrics


def test_two_folders_give_the_whole_evaluation(folders, home, capsys):
    real, synthetic, tuning = folders
    code = evaluate("--real", real, "--synthetic", synthetic, "--tuning", tuning, "--size", 32)
    assert code == 0
    assert "synthetic " in capsys.readouterr().out
    metrics = recorded(home)
    for name in (
        "fter",
        "fter/lo",
        "fter/hi",
        "t_gap/utility_lost",
        "tstr/auroc",
        "trtr/auroc",
        "fidelity/frechet",
        "fidelity/coverage",
        "diversity/vendi",
        "memorization/copied_fraction",
        "baseline/metadata_auroc",
    ):
        assert name in metrics
    assert metrics["images/all"] == 630
    # All are real digits, so nothing is copied and all are as good as real ones.
    assert metrics["memorization/copied_fraction"] < 0.1
    assert metrics["memorization/tuning_images"] == 120


def test_without_labels_fidelity_and_memorisation_are_left(folders, home, capsys, caplog):
    real, _, unlabelled = folders
    assert evaluate("--real", real, "--synthetic", unlabelled, "--size", 32) == 0
    assert "labels are not known of all images" in caplog.text
    metrics = recorded(home)
    assert np.isfinite(metrics["fidelity/frechet"])
    assert np.isfinite(metrics["memorization/copied_fraction"])
    assert not any(name.startswith(("tstr", "fter", "baseline")) for name in metrics)


def test_a_table_brings_patients_and_findings(folders, tmp_path):
    real, synthetic, _ = folders
    files = sorted(str(p.relative_to(synthetic)) for p in synthetic.rglob("*.png"))
    with (synthetic / "table.csv").open("w", newline="") as file:
        rows = [(f, Path(f).parent, i % 50, "x") for i, f in enumerate(files)]
        csv.writer(file).writerows([("file", "label", "patient", "findings"), *rows])
    words = evaluation_overrides(real, synthetic / "table.csv", None, 32, "grey", [])
    images = compose(*words).generator.images
    assert len(set(images.listed().patients.tolist())) == 50
    (synthetic / "table.csv").unlink()
    assert (images.path, images.table, images.labelled) == (str(synthetic), "table.csv", True)
    generator_words = [word for word in words if word.startswith("generator.images")]
    assert "generator.images.findings_column='findings'" in generator_words


def test_labels_are_known_by_the_words_that_were_typed(folders, tmp_path, caplog):
    """A column of another name counts as it does in ``tgap data``; a mistyped one is an error."""
    real, synthetic, _ = folders
    files = sorted(p.relative_to(real) for p in real.rglob("*.png"))
    table = real / "kinds.csv"
    table.write_text("file,kind\n" + "".join(f"{f},{f.parent.name}\n" for f in files))
    try:
        words = evaluation_overrides(
            table, synthetic, None, 32, "grey", ["dataset.label_column=kind"]
        )
        run = compose(*words)
        listed = run.dataset.listed()
        assert listed.label_names[listed.labels[0].argmax()] == files[0].parent.name
        assert run.generator.images.labelled
        assert not caplog.records[:-1], "but that the tuning set is not known"
        with pytest.raises(DataError, match=r"no column 'knd'; did you mean 'kind'"):
            evaluation_overrides(table, synthetic, None, 32, "grey", ["dataset.label_column=knd"])
        words = evaluation_overrides(table, synthetic, None, 32, "grey", [])
        assert "a table with a column 'label' (dataset.label_column=" in caplog.text
        run = compose(*words)
        assert not run.dataset.labelled
        assert not run.generator.images.labelled
    finally:
        table.unlink()


def test_the_words_use_all_images(folders):
    real, synthetic, tuning = folders
    run = compose(*evaluation_overrides(real, synthetic, None, 32, "grey", []))
    assert isinstance(run.dataset, ImageFolder)
    assert run.dataset.path == str(real)
    assert isinstance(run.generator, ReadyMade)
    assert run.generator.tuned_on is None
    assert run.finetuner.stem() == "none"
    assert run.method == "synthetic"
    real_most = max(len(list(folder.iterdir())) for folder in real.iterdir())
    assert run.budget.train_per_label == int(real_most * 0.4)
    assert (run.pool_size, run.train_size, run.test_size) == (126, 252, 252)
    run = compose(*evaluation_overrides(real, synthetic, tuning, 32, "grey", ["train_size=50"]))
    assert (run.pool_size, run.train_size, run.test_size) == (63, 50, 283)
    assert run.generator.tuned_on.path == str(tuning)


def test_the_real_side_may_be_any_dataset(folders):
    words = evaluation_overrides(None, folders[1], None, 32, "grey", ["dataset=digits"])
    run = compose(*words)
    assert run.dataset.stem() == "digits"
    assert run.pool_size is None


@pytest.mark.parametrize("text", ["plain", "it's", "a=b,c", "back\\slash", "end\\", "x y {z} [w]"])
def test_any_path_can_be_said(text):
    from hydra.core.override_parser.overrides_parser import OverridesParser

    (override,) = OverridesParser.create().parse_overrides([f"key={quoted(text)}"])
    assert override.value() == text


def test_wrong_words_are_told(folders, home, tmp_path, capsys):
    real, synthetic, _ = folders
    assert evaluate("--synthetic", synthetic) == 2
    assert "--real must name a folder of real images, or dataset=" in capsys.readouterr().err
    assert evaluate("--real", tmp_path / "nowhere", "--synthetic", synthetic) == 2
    assert "path must name an existing folder" in capsys.readouterr().err
    other = tmp_path / "other" / "cat"
    other.mkdir(parents=True)
    (tmp_path / "other" / "dog").mkdir()
    for name in ("cat", "dog"):
        Image.new("L", (32, 32)).save(tmp_path / "other" / name / "1.png")
        Image.new("L", (32, 32), 99).save(tmp_path / "other" / name / "2.png")
    assert evaluate("--real", real, "--synthetic", tmp_path / "other", "--size", 32) == 2
    err = capsys.readouterr().err
    assert "generator.images must have the dataset's labels by name (even, odd)" in err
    assert "got cat, dog; rename cat, dog as even, odd, whichever is meant" in err


def test_copies_of_the_real_test_set_are_told(folders, tmp_path, home, capsys):
    real, _, _ = folders
    copied = shutil.copytree(real, tmp_path / "copied")
    assert evaluate("--real", real, "--synthetic", copied, "--size", 32) == 0
    out = capsys.readouterr().out
    assert "are images of the real test set" in out
    assert "TSTR cannot be trusted" in out
    metrics = recorded(home)
    assert 0.3 < metrics["memorization/in_real_test"] < 0.5
    assert "memorization/mia_auroc" not in metrics  # the tuning set is not known
    assert metrics["train_images/synthetic"] <= metrics["train_images/real"]


def test_tuning_images_among_the_real_ones_are_refused(folders, home, capsys):
    real, synthetic, _ = folders
    assert evaluate("--real", real, "--synthetic", synthetic, "--tuning", real, "--size", 32) == 2
    err = capsys.readouterr().err
    assert "images of generator.tuned_on (--tuning) are among the" in err
    assert "leave them out of the dataset" in err


def test_patients_and_near_copies_of_the_tuning_set_are_told(
    digits, tmp_path, home, caplog, capsys
):
    rows = np.random.default_rng(1).permutation(len(digits))
    real = write(tmp_path / "real", digits, rows[:300])
    synthetic = write(tmp_path / "synthetic", digits, rows[300:400])
    tuning = tmp_path / "tuning"
    tuning.mkdir()
    for row in rows[:60]:  # of real images, brighter: no pixel is the same
        picture = Image.fromarray(digits.images[row, :, :, 0])
        picture.point(lambda level: level // 2 + 60).save(tuning / f"{row}.png")
    for folder in (real, tuning):
        files = sorted(folder.rglob("*.png"))
        lines = [(f.relative_to(folder), f.parent.name, f"p{int(f.stem) % 900}") for f in files]
        with (folder / "table.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("file", "label", "patient"), *lines])
    paths = ("--real", real / "table.csv", "--tuning", tuning / "table.csv")
    assert evaluate(*paths, "--synthetic", synthetic, "--size", 32) == 0
    assert "are of patients whose images the generator was tuned on (--tuning)" in caplog.text
    assert "nearly equal a tuning image (--tuning)" in caplog.text
    assert "Test images are of patients who stand on another side too" in capsys.readouterr().out
    metrics = recorded(home)
    assert metrics["leaks/pool"] == metrics["leaks/real_train"] == 0
    assert 0.1 < metrics["leaks/tuned_on"] < 0.5


def test_labels_of_two_images_are_told_before_any_is_read(tmp_path, folders, home, capsys):
    for label, count in {"a": 30, "b": 2}.items():
        (tmp_path / "real" / label).mkdir(parents=True)
        for number in range(count):
            (tmp_path / "real" / label / f"{number}.png").write_bytes(b"no image")
    assert evaluate("--real", tmp_path / "real", "--synthetic", folders[1]) == 2
    assert "label 'b' is on 2 of 32 images, but" in capsys.readouterr().err


def test_too_few_real_images_are_told(tmp_path, folders, home, capsys):
    few = tmp_path / "few"
    for name in ("even", "odd"):
        (few / name).mkdir(parents=True)
        for i in range(4):
            Image.new("L", (32, 32), i).save(few / name / f"{i}.png")
    assert evaluate("--real", few, "--synthetic", folders[1], "--size", 32) == 2
    assert "--real holds 8 images; pool, train and test set need" in capsys.readouterr().err


# Sets that are broken: what can be evaluated is, and what is wrong is said


@pytest.fixture(scope="module")
def stripes(tmp_path_factory):
    """Real images of two labels that any classifier tells apart, 30 and 12 of each."""
    root = tmp_path_factory.mktemp("stripes")
    rng = np.random.default_rng(0)
    for folder, count in (("real", 30), ("few", 12)):
        for label, rows in (("across", slice(0, 8)), ("along", slice(8, 16))):
            (root / folder / label).mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 60, (16, 16), dtype=np.uint8)
                pixels[rows] += 120
                Image.fromarray(pixels).save(root / folder / label / f"{number}.png")
    return root


def said(home, capsys, real, synthetic) -> tuple[str, dict]:
    words = "--size 16 classifier=logistic_regression evaluators.baselines.shuffled=false".split()
    words += [word for word in FAST if not word.startswith("classifier.")]
    assert command(["evaluate", "--real", str(real), "--synthetic", str(synthetic), *words]) == 0
    return "".join(capsys.readouterr()), recorded(home)


def painted(folder: Path, source: Path, pixels: dict) -> Path:
    """As many images of each label as of the source, all of them with the label's pixels."""
    for label, one in pixels.items():
        (folder / label).mkdir(parents=True)
        for file in (source / label).iterdir():
            if one is None:
                (folder / label / file.name).write_bytes(file.read_bytes())
            else:
                Image.fromarray(one).save(folder / label / file.name)
    return folder


BLACK = np.zeros((16, 16), np.uint8)
ONE = np.random.default_rng(7).integers(0, 60, (16, 16), dtype=np.uint8)


@pytest.mark.parametrize(
    ("pixels", "told", "verdict"),
    [
        (
            {"across": BLACK, "along": BLACK},
            "All 30 synthetic images of each of the labels 'across', 'along' are the same picture,"
            " and blank",
            "The labels cannot be read from the synthetic images",
        ),
        (
            {"across": ONE, "along": None},
            "All 30 synthetic images of label 'across' are the same picture: look",
            "",
        ),
    ],
    ids=["black", "one picture"],
)
def test_images_that_are_all_the_same_are_evaluated(
    stripes, home, capsys, tmp_path, pixels, told, verdict
):
    synthetic = painted(tmp_path / "painted", stripes / "real", pixels)
    out, metrics = said(home, capsys, stripes / "real", synthetic)
    assert told in out
    assert verdict in out
    assert f"WARNING a{told[1:60]}" in out  # at once, before anything is trained
    for name in ("tstr/auroc", "trts/auroc", "fidelity/frechet", "diversity/vendi"):
        assert np.isfinite(metrics[name])
    assert "trts/auroc/lo" not in metrics or np.isnan(
        metrics["trts/auroc/lo"]
    )  # one image, in truth
    assert metrics["trtr/auroc"] == 1


def test_real_images_of_one_colour_are_evaluated(stripes, home, capsys, tmp_path):
    grey = {"across": np.full((16, 16), 90, np.uint8), "along": np.full((16, 16), 150, np.uint8)}
    real = painted(tmp_path / "grey", stripes / "real", grey)
    _, metrics = said(home, capsys, real, stripes / "few")
    for name in ("tstr/auroc", "trtr/auroc", "fidelity/frechet", "fidelity/coverage_floor"):
        assert np.isfinite(metrics[name])


def test_swapped_labels_are_told(stripes, home, capsys, tmp_path):
    swapped = tmp_path / "swapped"
    for label, other in (("across", "along"), ("along", "across")):
        shutil.copytree(stripes / "real" / other, swapped / label)
    out, metrics = said(home, capsys, stripes / "real", swapped)
    assert metrics["tstr/auroc"] == metrics["trts/auroc"] == 0
    assert 0 < metrics["tstr/auroc/hi"] < 0.5
    assert "is worse than chance on real ones (TSTR 0.000 [0.000, " in out
    assert "labels may be swapped between the synthetic and the real set" in out


def test_twelve_images_of_a_label_are_too_few_to_say_anything(stripes, home, capsys):
    out, metrics = said(home, capsys, stripes / "few", stripes / "real")
    assert metrics["tstr/auroc"] == metrics["trtr/auroc"] == 1
    assert 0.4 < metrics["tstr/auroc/lo"] < 0.7
    assert "The test images are too few to say what the synthetic ones are good for: with 4" in out
    assert "as good as training on real ones" not in out


# Draws: what is said of a generator rests on several of them


def results_of(home, real, synthetic, *words, **draws):
    """Results and rows of a sweep, without what only people look at."""
    from tgap.composition.compose import compose_run, hydra_ready
    from tgap.composition.sweeps import expand

    unread = ("baselines", "fidelity", "memorization", "occlusion")
    only = [f"~evaluator@evaluators.{name}" for name in unread]
    words = [*words, *only, "classifier=logistic_regression", "evaluators.two_way.resamples=200"]
    words = [*evaluation_overrides(real, synthetic, None, 16, "grey", words, **draws)]
    found, identities = [], Identities()
    with hydra_ready(None) as hydra:
        for job in expand(hydra, words):
            its = plan(compose_run(hydra, job), identities)
            result = execute(its, Store(home / "store"))
            found.append((result, row_of(result, planned(its, job))))
    return found


def rows_of(*words, **draws):
    return [row for _, row in results_of(*words, **draws)]


@pytest.fixture(scope="module")
def sources(digits, tmp_path_factory):
    """Real images; two disjoint sets of one source, and one with wrong labels, two of five."""
    root = tmp_path_factory.mktemp("draws")
    rows = np.random.default_rng(1).permutation(len(digits))
    for name, start in (("real", 0), ("one", 480), ("other", 960), ("worse", 1440)):
        write(root / name, digits, rows[start : start + 480])
    for label in digits.label_names:
        other = digits.label_names[1 - digits.label_names.index(label)]
        files = sorted((root / "worse" / label).glob("[0-9]*.png"))
        for file in files[::5] + files[1::5]:
            file.rename(root / "worse" / other / f"wrong{file.name}")
    return root


def test_sets_of_one_source_do_not_differ_and_a_worse_one_does(sources, home):
    found = compare(
        [
            row
            for name in ("one", "other", "worse")
            for row in rows_of(home, sources / "real", sources / name, draws=6)
        ]
    )
    assert [group.seeds for group in found.groups] == [tuple(range(6))] * 3
    one, *worse = found.pairs
    assert (one.first.method, one.second.method) == ("other", "one")
    assert one.p_value > 0.2
    assert one.difference.lo < 0 < one.difference.hi
    assert all(pair.p_value <= LEVEL and pair.difference.hi < -0.05 for pair in worse)
    assert plain(found).count("no difference shown") == 1
    assert "a draw of the synthetic set each" in plain(found)


def test_trainings_on_one_set_are_not_compared(sources, home):
    rows = [
        row
        for name in ("one", "other")
        for row in rows_of(home, sources / "real", sources / name, "seed=0,1,2")
    ]
    found = compare(rows)
    assert [(group.one_set, group.seeds) for group in found.groups] == [(True, (0, 1, 2))] * 2
    assert np.isnan(found.pairs[0].p_value)
    text = " ".join(plain(found).split())
    assert "Seeds of one, other are trainings on one synthetic set: the 95 % interval is" in text
    assert "other - one: not compared: the seeds of other and one train on one synthetic" in text
    assert "evaluate several of them (--synthetic A B C, or --draws)" in text


def test_seeds_beyond_the_draws_train_anew_and_are_averaged(sources, home):
    rows = rows_of(home, sources / "real", sources / "one", "seed=0,1,2,3", draws=2)
    (group,) = compare(rows).groups
    assert (group.seeds, group.averaged, group.missing) == ((0, 1), (2, 3), ())
    mean = (rows[0].metrics["tstr/auroc"] + rows[2].metrics["tstr/auroc"]) / 2
    assert group.by_seed[0][""]["tstr/auroc"].value == pytest.approx(mean)


def test_several_folders_are_draws_of_one_method(sources, home, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "tgap.cli.evaluate.run_overrides", lambda words, sweep, folder: asked.append((words, sweep))
    )
    others = (sources / "one", sources / "other")
    command(
        ["evaluate", "--synthetic", *map(str, others), "--real", str(sources / "real"), "size=3"]
    )
    ((words, sweep),) = asked
    assert sweep
    assert "seed=0,1" in words
    rows = rows_of(home, sources / "real", others[0], further=others[1:])
    assert [row.seed for row in rows] == [0, 1]
    assert len({row.synthetic for row in rows}) == 2
    assert len({row.method_key for row in rows}) == 1
    assert rows[0].method == "one+other"
    assert command(["evaluate", "--synthetic", *map(str, others), "--draws", "2"]) == 2


# Equal numbers, and images that are there more than once


def counts_of(result) -> tuple[dict, dict]:
    """Images that train, by label: real ones, synthetic ones."""
    real = result.dataset().without_images().take(result.real_train())
    return real.label_counts(), result.synthetic()[0].label_counts()


def told_of(result, **made) -> str:
    data = result.dataset().without_images()
    return " ".join(few_to_train(result.run, data, result.split(), **made))


def test_both_sides_train_on_equal_numbers_of_each_label(sources, home, tmp_path):
    for label, keep in (("even", 90), ("odd", 30)):
        (tmp_path / "set" / label).mkdir(parents=True)
        for file in sorted((sources / "one" / label).iterdir())[:keep]:
            shutil.copy(file, tmp_path / "set" / label)
    ((result, _),) = results_of(home, sources / "real", tmp_path / "set")
    real, synthetic = counts_of(result)
    assert real == synthetic
    assert synthetic["odd"] == 20
    assert synthetic["even"] in range(45, 61)
    assert sum(map(len, result.synthetic())) == 120, "what does not train is tested on"
    made = read_images(result.artifacts.data.ready_made["images"]).without_images()
    assert "real_train trains on no more images of a label than the synthetic set has" in (
        told_of(result, made=made)
    )
    ((result, _),) = results_of(home, sources / "real", tmp_path / "set", "budget.equal=false")
    real, synthetic = counts_of(result)
    assert synthetic == {"even": 60, "odd": 20}
    assert real["odd"] > 45
    assert "trains on no more" not in told_of(result, made=made)


def test_equal_sets_are_told_of_nothing(sources, home):
    ((result, _),) = results_of(home, sources / "real", sources / "one")
    made = read_images(result.artifacts.data.ready_made["images"]).without_images()
    assert counts_of(result)[0] == counts_of(result)[1]
    assert told_of(result, made=made) == ""


def test_a_drawn_set_trains_on_no_more_than_real_train_has(home):
    words = "generator=noise size=20 train_size=120 budget.train_per_label=100".split()
    words += ["budget.test_per_label=20", "classifier=logistic_regression"]
    words += [f"~evaluator@evaluators.{n}" for n in ("baselines", "fidelity", "memorization")]
    run = compose(*words, "evaluators.two_way.resamples=100", "tracking.pictures=false")
    result = execute(plan(run), Store(home / "store"))
    real, synthetic = counts_of(result)
    assert real == synthetic
    assert sum(real.values()) == 120
    train, test = result.synthetic()
    assert len(train) + len(test) == 240
    assert "the synthetic set trains on no more images of a label than real_train" in told_of(
        result
    )


def test_repeats_stay_on_one_side(sources, home, tmp_path, caplog):
    for label in ("even", "odd"):
        (tmp_path / "set" / label).mkdir(parents=True)
        for file in sorted((sources / "one" / label).iterdir())[:30]:
            for number in range(5):
                shutil.copy(file, tmp_path / "set" / label / f"{file.stem}{'x' * number}.png")
    ((result, row),) = results_of(home, sources / "real", tmp_path / "set")
    assert "240 of the 300 synthetic images repeat another of them in every pixel" in caplog.text
    train, test = result.synthetic()
    assert not set(image_digests(train.images)) & set(image_digests(test.images))
    assert len(train) + len(test) == 300
    assert row.metrics["images/effective_synthetic_test"] <= 15
    caplog.clear()
    results_of(home, sources / "real", sources / "one")
    assert "repeat another" not in caplog.text
