"""``tgap label``, and what becomes of its folder: phantoms of a textbook, labelled and tuned on."""

import csv
import dataclasses
import functools
import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.special import expit
from sklearn.metrics import accuracy_score, balanced_accuracy_score, roc_auc_score

import tgap
from tgap.classifiers.base import Classifier
from tgap.classifiers.logistic_regression import LogisticRegression
from tgap.cli.label import next_words
from tgap.cli.main import command
from tgap.core import ConfigError, DataError, ImageSet, Split, rng_for
from tgap.core.digest import image_digests
from tgap.datasets.image_folder import ImageFolder
from tgap.datasets.phantoms.writing import write_textbook
from tgap.labelling import labeller as module
from tgap.labelling.folder import labels_given
from tgap.labelling.labeller import label_folder, learnable
from tgap.pipeline.evidence import RunEvidence
from tgap.pipeline.plan import plan
from tgap.pipeline.preflight.runs import check_runs
from tgap.pipeline.preparation import prepared as read_and_split
from tgap.pipeline.result import Result
from tgap.report.figures import draw_doubtful
from tgap.store import Store

FIGURES, SIZE = 160, 32
WORDS = (
    "dataset=phantom_xray",
    "dataset.images=400",
    f"dataset.size={SIZE}",
    "classifier=logistic_regression",
    "classifier.c_grid=[0.001]",
)
compose = functools.cache(tgap.compose)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def store_of(home: Path) -> Store:
    return Store(home / "store")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home folder, beside which a textbook lies."""
    folder = tmp_path_factory.mktemp("label")
    write_textbook(folder / "book", FIGURES, SIZE)
    return folder


class Seen:
    """What a classifier was shown."""

    def __init__(self) -> None:
        self.patients: set[int] = set()
        self.pixels: set[bytes] = set()

    def watch(self, patch: pytest.MonkeyPatch) -> None:
        fit, score = Classifier.fit, Classifier.score

        def seen_fit(classifier: Classifier, train: ImageSet, *args: Any, **more: Any) -> Any:
            self.patients |= set(train.patients.tolist())
            self.pixels |= set(image_digests(train.images))
            return fit(classifier, train, *args, **more)

        def seen_score(classifier: Classifier, weights: Any, images: np.ndarray) -> Any:
            self.pixels |= set(image_digests(images))
            return score(classifier, weights, images)

        patch.setattr(Classifier, "fit", seen_fit)
        patch.setattr(Classifier, "score", seen_score)


def prepared(home: Path, *words: str) -> tuple[ImageSet, Split]:
    data = read_and_split(plan(compose(*words)), store_of(home))
    return data.images(), data.sides()


@pytest.fixture(scope="module")
def labelled(home: Path) -> tuple[Path, dict, Seen]:
    seen = Seen()
    with pytest.MonkeyPatch.context() as patch:
        seen.watch(patch)
        about = label_folder(
            compose(*WORDS), store_of(home), home / "book" / "images", home / "out"
        )
    return home / "out", about, seen


def test_the_labeller_sees_no_image_and_no_patient_of_real_test(
    home: Path, labelled: tuple[Path, dict, Seen]
) -> None:
    data, split = prepared(home, *WORDS)
    seen = labelled[2]
    test_patients = set(data.patients[split.real_test].tolist())
    assert not seen.patients & test_patients
    others = np.flatnonzero(~data.official_test)
    assert len(others) == len(split.pool) + len(split.real_train)
    assert not seen.pixels & set(image_digests(data.images[split.real_test]))
    assert seen.pixels >= set(image_digests(data.images[others]))  # all others train or measure
    counts = labelled[1]["measured"]
    assert counts["trained_on"] + counts["measured_on"] == len(others)
    measured = set(data.patients[others].tolist()) - seen.patients
    assert counts["measured_on"] == np.isin(data.patients[others], list(measured)).sum()
    assert 0.1 * len(others) <= counts["measured_on"] < 0.35 * len(others)  # of whole patients


def test_patients_on_two_sides_are_not_learnt_from_with_the_thesis_s_protocol(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (*WORDS, "protocol=thesis", "split_seed=1", "seed=1")
    data, split = prepared(home, *words)
    test_patients = set(data.patients[split.real_test].tolist())
    assert set(data.patients[split.pool].tolist()) & test_patients
    seen = Seen()
    seen.watch(monkeypatch)
    out = home / "thesis"
    label_folder(compose(*words), store_of(home), home / "book" / "images", out, 0.5)
    assert seen.patients
    assert not seen.patients & test_patients
    assert not seen.pixels & set(image_digests(data.images[split.real_test]))


def test_the_tables_say_label_and_score_of_each_and_why_others_are_left_out(
    labelled: tuple[Path, dict, Seen],
) -> None:
    out, about, _ = labelled
    kept, left = rows_of(out / "images" / "labels.csv"), rows_of(out / "left_out.csv")
    assert len(kept) + len(left) == about["images"] == FIGURES
    assert len(left) == about["left_out"]["unsure"] > 0
    for row in kept + left:
        scores = {n: float(row[f"score_{n}"]) for n in ("no_finding", "unhealthy")}
        likeliest = max(scores, key=scores.__getitem__)
        assert float(row["confidence"]) == scores[likeliest]
        if "reason" in row:
            assert row["likeliest"] == likeliest
            assert scores[likeliest] < 0.8
        else:
            assert row["label"] == likeliest
            assert scores[likeliest] >= 0.8
    assert {row["reason"] for row in left} == {"no label reaches the threshold alone"}
    labels = [row["label"] for row in kept]
    assert about["kept"] == {name: labels.count(name) for name in ("no_finding", "unhealthy")}


def test_labels_are_mostly_true(home: Path, labelled: tuple[Path, dict, Seen]) -> None:
    truth = {row["file"]: row["label"] for row in rows_of(home / "book" / "truth.csv")}
    kept = rows_of(labelled[0] / "images" / "labels.csv")
    right = [truth[row["file"]] == row["label"] for row in kept]
    assert np.mean(right) > 0.7


def test_the_folder_holds_the_originals_and_is_read_as_it_is(
    home: Path, labelled: tuple[Path, dict, Seen], caplog: pytest.LogCaptureFixture
) -> None:
    out = labelled[0]
    assert {path.name for path in out.iterdir()} == {
        "images",
        "left_out.csv",
        "doubtful.png",
        "label.json",
        "README.txt",
    }
    folder = ImageFolder(path=str(out / "images"), table="labels.csv", size=SIZE)
    data = folder.load()
    assert not caplog.records
    assert data.notes == {"own_patients": True}
    assert data.label_names == ("no_finding", "unhealthy")
    rows = rows_of(out / "images" / "labels.csv")
    assert data.metadata["file"].tolist() == [row["file"] for row in rows]
    assert np.allclose(data.metadata["confidence"], [float(row["confidence"]) for row in rows])
    for row in rows:
        copy, original = (f / row["file"] for f in (out / "images", home / "book" / "images"))
        assert copy.read_bytes() == original.read_bytes()
        assert copy.stat().st_mtime_ns == original.stat().st_mtime_ns


def test_the_measured_numbers_are_scikit_learn_s(
    home: Path, labelled: tuple[Path, dict, Seen]
) -> None:
    (folder,) = [
        path.parent
        for path in (home / "store" / "labeller").glob("*/images.json")
        if json.loads(path.read_text())["trained_on"] == labelled[1]["measured"]["trained_on"]
    ]
    scores, truth = expit(np.load(folder / "logits.npy")), np.load(folder / "labels.npy")
    measured = labelled[1]["measured"]
    assert len(scores) == measured["measured_on"]
    said, real = scores.argmax(axis=1), truth.argmax(axis=1)
    assert measured["accuracy"] == pytest.approx(accuracy_score(real, said))
    assert measured["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(real, said))
    assert measured["auroc"] == pytest.approx(roc_auc_score(truth, scores, average="macro"))
    assert [row["threshold"] for row in measured["thresholds"]] == [0.5, 0.8, 0.9, 0.95]
    for row in measured["thresholds"]:
        sure = scores.max(axis=1) >= row["threshold"]
        assert row["reached"] == pytest.approx(sure.mean())
        right = (said == real)[sure].mean() if sure.any() else None
        assert row["right"] == (None if right is None else pytest.approx(right))


def test_where_it_came_from_is_told(home: Path, labelled: tuple[Path, dict, Seen]) -> None:
    told = json.loads((labelled[0] / "label.json").read_text())
    assert told == labelled[1]
    assert (told["threshold"], told["seed"], told["splitting"]["split_seed"]) == (0.8, 0, 0)
    assert told["classifier"]["name"] == "logistic_regression"
    assert len(told["dataset"]["digest"]) == 16
    text = (labelled[0] / "README.txt").read_text()
    assert "dataset=image_folder dataset.path=<this folder>/images dataset.table=labels.csv" in text
    assert "Labels were given by a classifier: some are wrong." in text


def test_the_picture_shows_the_doubtful_ones(
    labelled: tuple[Path, dict, Seen], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Image.open(labelled[0] / "doubtful.png") as picture:
        assert picture.size == (1280, 800)
        assert len(picture.convert("L").getcolors()) > 100
    from matplotlib.axes import Axes

    drawn: list[str] = []
    monkeypatch.setattr(Axes, "set_title", lambda self, text, **more: drawn.append(text))
    confidence = np.array([0.95, 0.6, 0.85, 0.79, 0.5], np.float32)
    images = np.zeros((5, 4, 4, 3), np.uint8)
    kept = confidence >= 0.8
    draw_doubtful(images, list("abcde"), confidence, kept, 0.8, tmp_path / "x.png")
    assert drawn == ["c", "a", "d", "b", "e"]


def test_another_threshold_trains_nothing_and_the_same_again_is_the_same(
    home: Path, labelled: tuple[Path, dict, Seen], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Classifier, "fit", None)
        run = compose(*WORDS)
        lower = label_folder(
            run, store_of(home), home / "book" / "images", home / "lower", threshold=0.5
        )
    assert sum(lower["kept"].values()) > sum(labelled[1]["kept"].values())
    shutil.rmtree(home / "store" / "labeller")
    np.random.seed(1)
    state = np.random.get_state()[1].copy()
    label_folder(compose(*WORDS), store_of(home), home / "book" / "images", home / "again")
    assert np.array_equal(np.random.get_state()[1], state)
    for name in ("images/labels.csv", "left_out.csv", "label.json", "doubtful.png"):
        assert (home / "again" / name).read_bytes() == (labelled[0] / name).read_bytes(), name


# Through the command line, and on to a tuning set


def test_from_a_textbook_s_figures_to_a_tuning_set(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TGAP_HOME", str(home))
    out = home / "it's a book"
    words = [
        "label",
        "--images",
        str(home / "book" / "images"),
        "--out",
        str(out),
        "--threshold=.7",
    ]
    assert command([*words, *WORDS]) == 0
    printed = capsys.readouterr().out
    assert "real_test is not looked at" in printed
    assert " <- this threshold" in printed
    line, note = printed.partition("then: tgap ")[2].splitlines()
    assert note.startswith("with the height and width that the run's generator draws for SIZE")
    following = shlex.split(line.replace("SIZE", str(SIZE)))
    assert command(["data", *following[1:]]) == 0
    assert "on two sides" not in capsys.readouterr().out
    run = compose(*following[1:], "finetuner=dreambooth")
    (its,) = check_runs([run], home)
    made = read_and_split(its, store_of(home))
    data, split = made.images(), made.sides()
    rows = rows_of(out / "images" / "labels.csv")
    assert data.metadata["file"][split.pool].tolist() == [row["file"] for row in rows]
    told = [data.label_names[i] for i in data.labels[split.pool].argmax(axis=1)]
    assert told == [row["label"] for row in rows]
    alone, sides = prepared(home, *WORDS)
    assert np.array_equal(data.images[split.real_test], alone.images[sides.real_test])
    assert np.array_equal(split.real_train, sides.real_train)
    selection = run.selector.select(
        data.take(split.pool), None, run.sizes(data.labels[split.pool]), rng_for("select", 0)
    )
    assert sorted(selection.indices) == list(range(len(rows)))
    result = Result(its)
    result.artifacts.data = made
    assert len(RunEvidence(result).held_out()) > 0


def test_the_next_words_make_the_dataset_the_real_part(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    real = ImageFolder(path=str(tmp_path), labels=["x y", "z"], domain="hand", size=9)
    about = {"read_as": {"size": 9, "color": "grey", "fit": "pad"}}
    run = dataclasses.replace(compose(*WORDS), dataset=real)
    told = ["dataset=preset", "dataset.size=9", "seed=3"]
    words, unsized = next_words(about, Path("a/b c"), run, told)
    assert unsized
    assert words == [
        "dataset=textbook",
        "dataset/tuning=image_folder",
        "dataset.tuning.path='a/b c/images'",
        "dataset.tuning.table=labels.csv",
        "dataset.tuning.size=SIZE",
        "dataset.tuning.color=grey",
        "dataset.tuning.fit=pad",
        "dataset/real=image_folder",
        "dataset.real.domain=hand",
        f"dataset.real.path={tmp_path}",
        "dataset.real.labels=['x y',z]",
        "dataset.real.size=SIZE",
        "seed=3",
        "selector=whole",
    ]


def test_the_next_words_take_the_size_that_the_generator_draws() -> None:
    about = {"read_as": {"size": 16, "color": "grey", "fit": "pad"}}
    words, unsized = next_words(about, Path("x"), compose(*WORDS), ["generator=tiny_ldm"])
    assert not unsized
    assert {"dataset.tuning.size=32", "dataset.real.size=32"} <= set(words)
    of_digits, unsized = next_words(about, Path("x"), compose("dataset=digits"), ["selector=a"])
    assert not unsized  # digits have one size
    assert "dataset.tuning.size=16" in of_digits
    assert not any(text.startswith("dataset.real.size") for text in of_digits)
    assert "selector=whole" not in of_digits


# Runs whose test set the labeller knows

BOOK = (
    "dataset=textbook",
    "dataset/tuning=image_folder",
    "dataset.tuning.table=labels.csv",
    "dataset/real=phantom_xray",
    "dataset.real.images=400",
    "selector=whole",
    "generator=noise",
)


def problems_of(home: Path, out: Path, *words: str, size: int = SIZE) -> list[str]:
    sizes = (f"dataset.tuning.size={size}", f"dataset.real.size={size}")
    path = f"dataset.tuning.path={out / 'images'}"
    try:
        check_runs([compose(*BOOK, *sizes, path, *words)], home)
    except ConfigError as error:
        return list(error.problems)
    return []


@pytest.fixture(scope="module")
def by_thesis(home: Path) -> Path:
    """Labelled by a labeller that left out a random real_test."""
    words = (*WORDS, "protocol=thesis", "split_seed=1")
    label_folder(compose(*words), store_of(home), home / "book" / "images", home / "by_thesis", 0.5)
    return home / "by_thesis"


def known_images(home: Path, *words: str) -> tuple[int, int]:
    """Of real_test and of its patients' other images, how many ``by_thesis``'s labeller knows."""
    data, told = prepared(home, *WORDS, "protocol=thesis", "split_seed=1")
    rows = set(learnable(data, told).tolist())
    split = prepared(home, *WORDS, *words)[1]
    tested = set(split.real_test.tolist())
    theirs = np.flatnonzero(np.isin(data.patients, data.patients[split.real_test])).tolist()
    return len(rows & tested), len(rows & set(theirs) - tested)


@pytest.mark.parametrize("size", [SIZE, 16])
@pytest.mark.parametrize(
    "words",
    [
        ("protocol=thesis", "split_seed=1"),
        ("protocol=thesis", "split_seed=1", "pool_size=60"),
        ("protocol=clean", "split_seed=2"),  # the official test set is never learned from
    ],
)
def test_a_run_whose_real_test_the_labeller_does_not_know_is_accepted(
    home: Path, by_thesis: Path, size: int, words: tuple[str, ...]
) -> None:
    assert problems_of(home, by_thesis, *words, size=size) == []


@pytest.mark.parametrize("size", [SIZE, 16])
@pytest.mark.parametrize(
    "words",
    [
        ("protocol=thesis", "split_seed=2"),
        ("protocol=thesis", "split_seed=1", "test_size=150", "pool_size=100"),
    ],
)
def test_a_run_whose_real_test_the_labeller_knows_is_refused(
    home: Path, by_thesis: Path, words: tuple[str, ...], size: int
) -> None:
    tested, others = known_images(home, *words)
    assert tested > 0
    (told,) = problems_of(home, by_thesis, *words, size=size)
    assert f"knows {tested} of the" in told
    assert f"images of real_test and {others} others of their patients" in told
    assert "as their pixels show" in told if size == SIZE else "by the names of their" in told
    assert f"dataset=phantom_xray dataset.size={size} dataset.images=400" in told
    again = told.partition("--out DIR ")[2]
    assert all(word in again.split() for word in words if "pool_size" not in word)


def test_labels_from_the_official_training_images_are_accepted_by_every_clean_run(
    home: Path, labelled: tuple[Path, dict, Seen]
) -> None:
    for words in (("split_seed=5", "test_size=50"), ("pool_size=40", "train_size=150")):
        assert problems_of(home, labelled[0], *words) == []
    (told,) = problems_of(home, labelled[0], "protocol=thesis")
    assert "label again with the run's own overrides" in told


def test_pixels_decide_over_names(
    home: Path, by_thesis: Path, caplog: pytest.LogCaptureFixture
) -> None:
    words = ("protocol=thesis", "split_seed=2", "dataset.real.seed=9")  # others, of the same names
    assert problems_of(home, by_thesis, *words) == []
    assert "have file names of images that the labeller" in caplog.text
    (told,) = problems_of(home, by_thesis, *words, size=16)
    assert "if others have the same names, label at this size: then pixels decide" in told


def test_what_cannot_be_compared_is_said(
    home: Path, by_thesis: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    shutil.copytree(by_thesis, tmp_path / "copy")
    file = tmp_path / "copy" / "images" / "labeller.json"
    words = ("protocol=thesis", "split_seed=2")
    file.write_text(json.dumps(json.loads(file.read_text()) | {"files": None}))
    assert problems_of(home, tmp_path / "copy", *words, size=16) == []
    assert "learned from real_test cannot be told" in caplog.text
    assert len(problems_of(home, tmp_path / "copy", *words)) == 1  # pixels are known
    file.write_text('{"files": []')
    (told,) = problems_of(home, tmp_path / "copy", *words)
    assert "labeller.json, which says what the labeller learned from: " in told
    file.unlink()
    assert problems_of(home, tmp_path / "copy", *words) == []
    assert "nothing is known of who labelled dataset.tuning" in caplog.text


def test_sizes_of_pool_and_train_do_not_limit_what_is_learned_from(
    home: Path, labelled: tuple[Path, dict, Seen], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Classifier, "fit", None)  # the very same labeller: nothing is trained
    run = compose(*WORDS, "pool_size=30", "train_size=30", "test_size=20")
    about = label_folder(run, store_of(home), home / "book" / "images", home / "small")
    counts = about["measured"]
    assert counts == labelled[1]["measured"]
    data, split = prepared(home, *WORDS, "pool_size=30", "train_size=30", "test_size=20")
    assert counts["trained_on"] + counts["measured_on"] == len(learnable(data, split)) > 200


# Several labels at once, odd files, and what is refused


def halves(left: int, right: int, rng: np.random.Generator) -> np.ndarray:
    """A picture with a bright left or right half, or both."""
    image = rng.integers(0, 40, (8, 8), np.uint8)
    image[:, :4] += np.uint8(150 * left)
    image[:, 4:] += np.uint8(150 * right)
    return image


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labelled images, of which some have two labels, and unlabelled ones of all kinds."""
    folder, rng = tmp_path_factory.mktemp("several"), np.random.default_rng(0)
    kinds = {"left": (1, 0), "right": (0, 1), "left|right": (1, 1)}
    (folder / "real").mkdir()
    lines = ["file,label"]
    for i in range(120):
        label = list(kinds)[i % 3]
        Image.fromarray(halves(*kinds[label], rng)).save(folder / "real" / f"{i}.png")
        lines.append(f"{i}.png,{label}")
    (folder / "real" / "labels.csv").write_text("\n".join(lines))
    (folder / "new" / "deep").mkdir(parents=True)
    for name, kind in {**kinds, "none": (0, 0)}.items():
        picture = Image.fromarray(halves(*kind, rng)).resize((31, 31)).convert("RGB")
        picture.save(folder / "new" / "deep" / f"{name.replace('|', '_and_')}.jpg")
    (folder / "new" / "broken.png").write_bytes(b"no image")
    (folder / "new" / "notes.txt").write_text("page 3")
    return folder


def run_on(folder: Path, *words: str) -> Any:
    return compose(
        "dataset=image_folder",
        f"dataset.path={folder}",
        "dataset.domain=thing",
        "dataset.size=8",
        "classifier=logistic_regression",
        *words,
    )


def test_images_may_get_several_labels_and_bad_files_are_told(
    several: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = run_on(several / "real", "dataset.table=labels.csv")
    out = several / "out"
    about = label_folder(run, store_of(several), several / "new", out, 0.5)
    assert not about["exclusive"]
    assert about["measured"]["accuracy"] is None
    kept = {row["file"]: row["label"] for row in rows_of(out / "images" / "labels.csv")}
    assert kept == {
        "deep/left.jpg": "left",
        "deep/right.jpg": "right",
        "deep/left_and_right.jpg": "left|right",
    }
    reasons = {row["file"]: row["reason"] for row in rows_of(out / "left_out.csv")}
    assert reasons == {
        "deep/none.jpg": "no label reaches the threshold alone",
        "broken.png": "its content is none of PNG, JPEG, BMP, TIFF, WEBP, PPM, DICOM",
    }
    assert about["left_out"] == {"unsure": 1, "unreadable": 1}
    assert "1 of 5 image files cannot be used" in caplog.text
    assert "they are left out, see left_out.csv" in caplog.text
    assert "bad_files" not in caplog.text
    data = ImageFolder(path=str(out / "images"), table="labels.csv", size=8, color="rgb").load()
    assert data.labels.sum() == 4


def test_images_are_read_with_the_dataset_s_window(several: Path, tmp_path: Path) -> None:
    for file in (several / "new" / "deep").iterdir():
        deep = np.asarray(Image.open(file).convert("L")).astype(np.uint16) * 16
        (tmp_path / "new").mkdir(exist_ok=True)
        Image.fromarray(deep).save(tmp_path / "new" / f"{file.stem}.png")
    plain = run_on(several / "real", "dataset.table=labels.csv")
    with pytest.raises(DataError, match=r"4 of 4 images are nearly black.*dataset.window=0:4095"):
        label_folder(plain, store_of(several), tmp_path / "new", tmp_path / "out", 0.5)
    run = run_on(several / "real", "dataset.table=labels.csv", "dataset.window=0:4095")
    about = label_folder(run, store_of(several), tmp_path / "new", tmp_path / "out", 0.5)
    assert about["kept"] == {"left": 2, "right": 2}
    assert about["read_as"]["window"] == "0:4095"


def test_scores_that_tie_decide_nothing() -> None:
    scores = np.array([[0.9, 0.9], [0.9, 0.8], [0.8, 0.1]], np.float32)
    assert labels_given(scores, 0.8, True).astype(int).tolist() == [[0, 0], [1, 0], [1, 0]]
    assert labels_given(scores, 0.8, False).astype(int).tolist() == [[1, 1], [1, 1], [1, 0]]


class Blind(LogisticRegression):
    """A classifier that lacks something."""

    def check(self) -> list[str]:
        return [*super().check(), "needs a lens"]


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert command(["label", *words]) == 2
    return capsys.readouterr().err


def test_the_real_images_must_be_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--images", str(tmp_path), "--out", str(tmp_path / "x"), "classifier=chexnet"]
    told = refused(words, capsys)
    assert "dataset= must name the real images that the labeller learns from" in told


def test_unknown_flags_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--images", str(tmp_path), "--out", str(tmp_path / "x"), "dataset=digits"]
    assert "'--treshold'. Did you mean '--threshold'?" in refused(
        [*words, "--treshold", "0.5"], capsys
    )
    assert "'--treshold'. Did you mean '--threshold'?" in refused(
        [*words, "--treshold=0.5"], capsys
    )


def test_what_is_missing_is_told_before_anything_is_decoded(
    several: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "prepared", None)
    monkeypatch.setattr(module, "free_bytes", lambda folder: 10)
    run = run_on(several / "real", "dataset.table=labels.csv", "classifier=small_cnn")
    run = dataclasses.replace(run, classifier=Blind(device="mps"))
    with pytest.raises(ConfigError) as caught:
        label_folder(run, store_of(tmp_path), several / "new", tmp_path / "out")
    told = str(caught.value)
    assert "needs a lens" in told
    assert "mps" in told
    assert "--out gets a copy of the images that are labelled" in told
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="file cannot be written"):
        label_folder(run, store_of(tmp_path), several / "new", tmp_path / "file" / "out")


def test_wrong_words_are_told_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--images", str(tmp_path), "--out", str(tmp_path / "x"), "--threshold=1.5"]
    told = refused([*words, "dataset=digits"], capsys)
    assert "--threshold must be above 0 and at most 1, got 1.5" in told
    assert "--out must not lie in --images" in told


@pytest.mark.parametrize("threshold", [0.0, float("nan")])
def test_a_threshold_out_of_range(threshold: float, several: Path, tmp_path: Path) -> None:
    run = run_on(several / "real", "dataset.table=labels.csv")
    with pytest.raises(ConfigError, match="--threshold must be above 0 and at most 1"):
        label_folder(run, store_of(several), several / "new", tmp_path / "out", threshold)


def test_folders_that_cannot_be_used(several: Path, tmp_path: Path) -> None:
    empty, full = tmp_path / "empty", tmp_path / "full"
    empty.mkdir()
    full.mkdir()
    (full / "mine.txt").write_text("precious")
    run, store = run_on(several / "real", "dataset.table=labels.csv"), store_of(tmp_path)
    with pytest.raises(DataError, match=r"holds no image files; they must end with \.png"):
        label_folder(run, store, empty, tmp_path / "out")
    with pytest.raises(DataError, match="full is not an empty folder; give the name of a new one"):
        label_folder(run, store, several / "new", full)
    with pytest.raises(DataError, match="nowhere does not exist"):
        label_folder(run, store, tmp_path / "nowhere", empty)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "full"]


def test_datasets_that_cannot_be_learnt_from(several: Path, tmp_path: Path) -> None:
    new, out, store = several / "new" / "deep", tmp_path / "out", store_of(several)
    with pytest.raises(ConfigError, match="dataset must have labels to learn them fro"):
        label_folder(run_on(several / "real", "dataset.labelled=false"), store, new, out)
    book = compose(
        "dataset=textbook",
        "dataset/tuning=phantom_xray",
        "dataset/real=phantom_xray",
        "dataset.tuning.images=50",
        "dataset.real.images=100",
        "dataset.tuning.size=16",
        "dataset.real.size=16",
        "dataset.tuning.seed=1",
    )
    with pytest.raises(ConfigError, match="a textbook's own labels may be a labeller"):
        label_folder(book, store, new, out)
    (tmp_path / "bad").mkdir()
    shutil.copy(several / "new" / "broken.png", tmp_path / "bad")
    run = run_on(several / "real", "dataset.table=labels.csv")
    with pytest.raises(DataError, match="1 of 1 image files cannot be used"):
        label_folder(run, store, tmp_path / "bad", out)
    assert not out.exists()


def test_too_few_images_to_learn_from(several: Path, tmp_path: Path) -> None:
    rng, lines = np.random.default_rng(0), ["file,label,patient"]
    for i in range(40):
        Image.fromarray(halves(1, 0, rng)).save(tmp_path / f"{i}.png")
        lines.append(f"{i}.png,{'b,one' if i < 15 else f'a,{i}'}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    run = run_on(  # draws images of one patient on all sides
        tmp_path, "dataset.table=labels.csv", "dataset.patient_column=patient", "protocol=thesis"
    )
    told = r"label 'a' holds for (\d+) of the \1 images that train the labeller.*: lower test_size"
    with pytest.raises(DataError, match=told):
        label_folder(run, store_of(tmp_path), several / "new", tmp_path / "out")


def test_a_label_without_images_is_told_with_counts(several: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    shutil.copy(several / "new" / "deep" / "left.jpg", tmp_path / "new")
    run = run_on(several / "real", "dataset.table=labels.csv")
    told = r"threshold 0\.5 the 1 images get: left 1 \(largest score .*\), right 0 \(.*lower --thr"
    with pytest.raises(DataError, match=told):
        label_folder(run, store_of(several), tmp_path / "new", tmp_path / "out", 0.5)
    assert not (tmp_path / "out").exists()


def test_a_failure_leaves_nothing(
    several: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tgap.labelling.folder.draw_doubtful", full)
    run = run_on(several / "real", "dataset.table=labels.csv")
    with pytest.raises(DataError, match=r"cannot write labelled images to .*No space"):
        label_folder(run, store_of(several), several / "new", tmp_path / "out", 0.5)
    assert list(tmp_path.iterdir()) == []
