"""One sweep through everything, on a tiny budget, as a user types it."""

import base64
import json
import os
import shutil
import zlib
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tests.closed import Children, closed
from tgap.cli.main import command, run_command
from tgap.sweeps import isolation
from tgap.sweeps.records import records
from tgap.sweeps.shown import AT_MOST
from tgap.tracking import resolve_uri
from tgap.tracking.pages import page_of

TINY = (
    "pool_size=200 train_size=100 test_size=100 sampler.steps=4 budget.steps=3 "
    "budget.batch_size=4 budget.train_per_label=24 budget.test_per_label=12 "
    "finetuner=none,dreambooth size=12,24 seed=0,1 -m"
).split()


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home folder after the sweep; its worker stays for the other sweeps of this module."""
    folder = tmp_path_factory.mktemp("sweep")
    with isolation.kept(), pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        asked, children = closed(patch), Children(patch, tmp_path_factory.mktemp("guard"))
        assert run_command(TINY) == 0
        assert (asked, children.asked) == ([], [])
        assert children.guarded  # the workers: they did the runs
        assert "TGAP_HOME" not in os.environ
        yield folder / ".tgap"


def client_of(home: Path):
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=f"sqlite:///{home / 'mlflow.db'}")


def runs_of(home: Path) -> list:
    client = client_of(home)
    experiment = client.get_experiment_by_name("tgap")
    return client.search_runs([experiment.experiment_id], max_results=100)


def is_curve(run) -> bool:
    return run.data.tags.get("tgap.kind") == "curve"


def children_of(home: Path) -> list:
    runs = runs_of(home)
    return [r for r in runs if "mlflow.parentRunId" in r.data.tags and not is_curve(r)]


def manifests(home: Path) -> list[Path]:
    return sorted((home / "store").glob("*/*/manifest.json"))


def test_mlflow_has_a_parent_and_its_children(swept: Path) -> None:
    runs = runs_of(swept)
    children = children_of(swept)
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    assert len(children) == 6  # of two seeds: two sizes each, and one that is not tuned
    for run in children:
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert run.info.status == "FINISHED"
        for name in ("method", "finetuner", "generator", "classifier", "dataset"):
            assert run.data.params[name]
        assert len(run.data.params["dataset.digest"]) == 16
        assert run.data.metrics["images/excluded"] == 0
        assert run.data.metrics["images/pool"] == 200
        for name in ("tstr/auroc", "trts/auroc", "trtr/auroc", "tsts/auroc", "fter", "t_gap"):
            assert name in run.data.metrics
        tuned = ("select", "finetune") if run.data.params["finetuner"] == "dreambooth" else ()
        for stage in ("prepare", *tuned, "generate", "classify", "evaluate"):
            assert run.data.metrics[f"seconds/{stage}"] >= 0
        assert len(run.data.metrics) <= AT_MOST
        # Where nothing is tuned, size and selector mean nothing, and MLflow shows a dash.
        assert ("size" in run.data.params) == ("selector" in run.data.params) == bool(tuned)
    tuned_runs = [r.data.params for r in children if "size" in r.data.params]
    sizes = sorted((params["size"], params["seed"]) for params in tuned_runs)
    assert sizes == [(s, k) for s in ("12", "24") for k in ("0", "1")]


def test_a_sweep_has_a_curve_of_each_method_with_its_interval(swept: Path) -> None:
    runs, client = runs_of(swept), client_of(swept)
    curves = {r.data.params["method"]: r for r in runs if is_curve(r)}
    assert set(curves) == {"none", "random+dreambooth"}
    for run in curves.values():
        for end in ("", "_lo", "_hi"):
            history = client.get_metric_history(run.info.run_id, f"by_size/fter{end}")
            assert sorted(metric.step for metric in history) == [12, 24]
        assert run.data.metrics["by_size/seeds"] == 2
    (parent,) = [r for r in runs if "mlflow.parentRunId" not in r.data.tags]
    assert parent.info.run_name == "digits: finetuner=none,dreambooth size=12,24 seed=0,1"
    assert parent.data.metrics == {}
    page = swept / "mlartifacts" / parent.info.run_id / "artifacts" / "report.html"
    assert "TSTR against TRTS" in page.read_text("utf-8")
    assert "| random+dreambooth | 12 |" in parent.data.tags["mlflow.note.content"]
    assert "tgap run" in parent.data.tags["mlflow.note.content"]


def test_mlflow_has_a_view_of_the_sweep(swept: Path) -> None:
    (parent,) = [r for r in runs_of(swept) if "mlflow.parentRunId" not in r.data.tags]
    experiment = client_of(swept).get_experiment(parent.info.experiment_id)
    key = parent.data.tags["tgap.sweep_key"]
    view = json.loads(experiment.tags[f"mlflow.sharedViewState.tgap-{key[:12]}"])
    state = json.loads(zlib.decompress(base64.b64decode(view["state"].removeprefix("deflate;"))))
    assert f"tags.`tgap.sweeps` LIKE '%{key[:12]}%'" in state["searchFilter"]
    assert "metrics.`fter`" in state["selectedColumns"]
    assert page_of(swept, resolve_uri(swept)).endswith(f"viewStateShareKey=tgap-{key[:12]}")
    found = client_of(swept).search_runs([experiment.experiment_id], state["searchFilter"])
    assert len(found) == 6 + 2


def test_samples_of_all_runs_have_the_same_key(swept: Path) -> None:
    for run in children_of(swept):
        folder = swept / "mlartifacts" / run.info.run_id / "artifacts" / "images"
        assert [p.name.partition("+")[0] for p in folder.glob("*.png")] == ["samples"]


def test_a_run_is_described_with_what_it_found(swept: Path) -> None:
    for run in children_of(swept):
        note = run.data.tags["mlflow.note.content"]
        assert note.startswith("**TSTR ")
        assert "tgap run" in note
        table = swept / "mlartifacts" / run.info.run_id / "artifacts" / "tables" / "metrics.json"
        content = json.loads(table.read_text())
        assert content["columns"] == ["metric", "value"]
        assert len(content["data"]) > 100


def test_a_run_s_verdicts_numbers_and_suspected_copies_are_in_mlflow(swept: Path) -> None:
    children = children_of(swept)
    tuned = [r for r in children if r.data.params["finetuner"] == "dreambooth"]
    for run in tuned:
        assert "tgap.verdicts" in run.data.tags
        for name in (
            "fter/lo",
            "fter/hi",
            "t_gap/easier_than_reality",
            "t_gap/utility_lost",
            "fidelity/frechet",
            "fidelity/kid",
            "fidelity/precision",
            "fidelity/recall",
            "fidelity/density",
            "fidelity/coverage",
            "diversity/vendi",
            "memorization/copied_fraction",
            "memorization/mia_calibrated_auroc",
        ):
            assert name in run.data.metrics, name
        files = swept / "mlartifacts" / run.info.run_id / "artifacts"
        for name in (
            "summary.txt",
            "resampled.npy",
            "row.json",
            "pictures/memorization_copies.png",
            "tables/memorization_copies.json",
        ):
            assert (files / name).exists(), name


def test_work_is_shared(swept: Path) -> None:
    found = {path.parent.parent.name: 0 for path in manifests(swept)}
    for path in manifests(swept):
        found[path.parent.parent.name] += 1
    assert found["dataset"] == found["split"] == found["prior"] == 1
    assert found["selection"] == found["generator"] == 4  # dreambooth at 2 sizes and 2 seeds
    assert found["synthetic"] == 4 + 2  # and the untuned one at 2 seeds
    assert found["classifier"] == 6 + 2  # one per synthetic set, the real one per seed


def test_a_tuned_generator_is_a_diffusers_folder(swept: Path) -> None:
    from diffusers import StableDiffusionPipeline

    folder = next((swept / "store" / "generator").glob("*/model"))
    pipeline = StableDiffusionPipeline.from_pretrained(folder, use_safetensors=True)
    assert pipeline.unet.config.in_channels == 4


def test_the_synthetic_set_has_an_image_per_noise_seed(swept: Path) -> None:
    images = np.load(next((swept / "store" / "synthetic").glob("*/images.npy")))
    assert images.shape == (2 * (24 + 12), 32, 32, 1)
    assert len(np.unique(images.reshape(len(images), -1), axis=0)) == len(images)


def test_the_same_sweep_again_computes_and_logs_nothing(
    swept: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(swept.parent)
    before = {path: path.stat().st_mtime_ns for path in manifests(swept)}
    logged = {run.info.run_id: (run.info.end_time, run.data.metrics) for run in runs_of(swept)}
    assert run_command(TINY) == 0
    assert {path: path.stat().st_mtime_ns for path in manifests(swept)} == before
    again = {run.info.run_id: (run.info.end_time, run.data.metrics) for run in runs_of(swept)}
    assert json.dumps(again, sort_keys=True) == json.dumps(logged, sort_keys=True)
    table = capsys.readouterr().out
    assert "random+dreambooth" in table
    assert "tgap ui" in table


def test_no_manifest_names_a_path_of_this_machine(swept: Path) -> None:
    for path in manifests(swept):
        assert str(swept.parent) not in path.read_text()


def test_a_lost_database_is_filled_again_from_the_journal(
    swept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / ".tgap"
    shutil.copytree(swept / "journal", home / "journal")
    monkeypatch.chdir(tmp_path)
    assert command(["sync"]) == 0
    assert len(runs_of(home)) == len(runs_of(swept))


def test_a_failing_run_is_told_and_the_others_go_on(
    swept: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(swept.parent)
    words = [word for word in TINY if not word.startswith(("finetuner", "size", "seed"))]
    words += ["size=12", "finetuner.warmup=0", "budget.learning_rate=0.001,1"]
    assert run_command(words) == 1
    out = capsys.readouterr()
    assert "random+dreambooth" in out.out
    assert "missing 0" in out.out  # not left out of the table
    assert "diverged" in out.err
    assert "Traceback" not in out.err
    (parent, *_) = [r for r in runs_of(swept) if "mlflow.parentRunId" not in r.data.tags]
    assert parent.info.status == "FAILED"


def test_clip_spectral_goes_through(
    swept: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(swept.parent)
    words = [word for word in TINY if not word.startswith(("finetuner", "size", "seed", "-m"))]
    assert run_command([*words, "selector=clip_spectral", "size=30"]) == 0
    assert "clip_spectral+dreambooth" in capsys.readouterr().out
    notes = json.loads(
        max((swept / "store" / "selection").glob("*/notes.json"), key=os.path.getmtime).read_text()
    )
    assert notes["even"]["quotas"] == [3] * 10


def test_flags_and_overrides_come_in_any_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["size=0", "-m", "seed=0,1"]) == 2
    assert "size must be at least 1" in capsys.readouterr().err


def other_digits(folder: Path) -> Path:
    """Images with a table; the labels come in another order, and some are not ours."""
    from PIL import Image

    rng, rows = np.random.default_rng(0), ["file,label"]
    folder.mkdir()
    for number in range(60):
        picture = Image.fromarray(rng.integers(0, 256, (32, 32), dtype=np.uint8))
        picture.save(folder / f"{number:02}.png")
        rows.append(f"{number:02}.png,{('odd', 'letter', 'even')[number % 3]}")
    (folder / "table.csv").write_text("\n".join(rows))
    return folder


def test_further_test_sets_are_reported_beside_the_main_ones(
    swept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = other_digits(tmp_path / "other")
    monkeypatch.chdir(swept.parent)
    words = [word for word in TINY if not word.startswith(("finetuner", "size", "seed", "-m"))]
    words += ["finetuner=none", "size=12", "+dataset@external.b=image_folder"]
    words += [f"external.b.path={folder}", "external.b.table=table.csv", "external.b.size=32"]
    assert run_command([*words, "external.b.labels=[letter,odd,even]"]) == 0
    assert "TSTR b" in capsys.readouterr().out
    run = max(runs_of(swept), key=lambda run: run.info.start_time)
    assert run.data.params["external.b"] == "image_folder"
    scores = np.load(next((swept / "store" / "external_scores").glob("*/tstr_scores.npy")))
    labels = np.load(next((swept / "store" / "external_scores").glob("*/tstr_labels.npy")))
    kind = np.arange(60) % 3
    assert (labels == np.stack([kind == 2, kind == 0], axis=1)).all()  # even, odd, as ours are
    expected = [roc_auc_score(labels[:, i], scores[:, i]) for i in (0, 1)]
    (metrics,) = (r.metrics for r in records(swept) if "external.b" in r.params)
    assert run.data.metrics["external/b/tstr/auroc"] == pytest.approx(np.mean(expected))
    for i, name in enumerate(("even", "odd")):
        assert metrics[f"external/b/tstr/auroc_{name}"] == pytest.approx(expected[i])


def test_the_dataset_itself_is_no_further_test_set(
    swept: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(swept.parent)
    assert run_command(["+dataset@external.same=digits"]) == 2
    assert "external.same is the run's own dataset" in capsys.readouterr().err


def test_further_test_sets_that_do_not_fit_are_told(
    swept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    for label in ("cat", "dog"):
        (tmp_path / label).mkdir()
        Image.new("L", (9, 9)).save(tmp_path / label / "1.png")
    monkeypatch.chdir(swept.parent)
    words = [
        "+dataset@external.b=image_folder",
        f"external.b.path={tmp_path}",
        "external.b.size=64",
    ]
    assert run_command(words) == 2
    told = capsys.readouterr().err
    assert "images of external.b must be (32, 32, 1)" in told
    assert "external.b must share labels by name with the dataset (even, odd), got cat, dog" in told


def test_settings_of_a_swept_group_go_with_each_of_its_options(
    swept: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(swept.parent)
    words = [word for word in TINY if not word.startswith(("finetuner", "size", "seed"))]
    words += ["selector=clip_kmeans,subclass", "selector/allocate=water_filling", "size=12"]
    words += [f"~evaluators.{name}" for name in ("baselines", "fidelity", "memorization")]
    words += ["~evaluators.occlusion", "tracking.pictures=false", "tracking.report=false"]
    assert run_command(words) == 0
    allocated = {run.data.tags.get("tgap.overrides", "") for run in runs_of(swept)}
    for selector in ("clip_kmeans", "subclass"):
        assert any(
            f"selector={selector} selector/allocate=water_filling" in words for words in allocated
        )


def test_sizes_in_total_are_said_to_be(
    swept: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(swept.parent)
    words = [word for word in TINY if not word.startswith(("finetuner", "size", "seed", "-m"))]
    assert run_command([*words, "protocol=thesis", "size=1"]) == 0
    told = capsys.readouterr()
    assert "1 in total" in told.out
    assert "protocol thesis" in told.out
    assert "gets no tuning image: chance gave it none of size=1 in total" in told.err + told.out
