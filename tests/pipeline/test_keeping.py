"""What stages leave is the same each time: no seconds, no trace of an interruption."""

import json
import logging
from pathlib import Path

import numpy as np
import pytest

import tgap
from tests.generators.conftest import base, folder, model
from tests.pipeline.conftest import CUT, tune
from tgap.core import Sampler, checkpoint, random_states
from tgap.core.checkpoint import Checkpoint, Pieces, Saved
from tgap.core.digest import file_digest
from tgap.core.progress import progress
from tgap.pipeline import stages
from tgap.pipeline.checkpoints import checkpoint_of
from tgap.pipeline.generation import draw
from tgap.pipeline.plan import plan
from tgap.pipeline.result import Result
from tgap.store import EARLIER, Spec, Store, beside

__all__ = ["base", "folder", "model"]  # fixtures

SPEC = Spec("generator", {"a": 1})
PROMPTS = ["odd", "even"] * 35


def drawn(model, batch_size: int, kept: Pieces | None = None) -> np.ndarray:
    sampler = Sampler(steps=2, batch_size=batch_size)

    def sample(batches):
        for prompts, seeds in batches:
            yield model.sample(prompts, seeds, sampler)

    return draw(sample, PROMPTS, range(len(PROMPTS)), batch_size, "images", kept)


def test_pictures_do_not_depend_on_where_drawing_was_cut(model, tmp_path, caplog):
    class Stops(Pieces):
        def offer(self, done, state):
            self._saved_at = float("-inf")
            super().offer(done, state)
            if done == self.at:
                raise KeyboardInterrupt

    caplog.set_level(logging.INFO)
    for at in (14, 49):
        stops = Stops(tmp_path, {}, "drawing")
        stops.at = at
        with pytest.raises(KeyboardInterrupt):
            drawn(model, 7, stops)
    last = Pieces(tmp_path, {}, "drawing")
    assert (drawn(model, 7, last) == drawn(model, 7)).all()
    assert "going on with drawing at image 49 of 70" in caplog.text
    assert len(list(tmp_path.iterdir())) == 49 // 7


def test_pictures_do_not_depend_on_the_batch_size(model):
    """Beyond a grey level of 255, by which rounding may differ."""
    one, seven, many = (drawn(model, size).astype(int) for size in (1, 7, 64))
    assert np.abs(one - seven).max() <= 1
    assert np.abs(one - many).max() <= 1
    assert (one != many).mean() < 0.001
    assert len(np.unique(one.reshape(len(one), -1), axis=0)) == len(one)  # each has its noise


def test_what_was_left_half_made_is_made_again_from_the_checkpoint(tmp_path):
    store = Store(tmp_path)

    def make(folder: Path) -> dict[str, float]:
        kept = checkpoint_of(Checkpoint, folder, SPEC, "work")
        saved = kept.load("step", 4)
        assert [*folder.iterdir()] == []
        (folder / "model").mkdir()
        (folder / "model" / "half").write_text("half")
        if saved is None:
            kept._saved_at = float("-inf")
            kept._begun -= 100
            kept.offer(2, lambda: checkpoint.Saved(2, {}, {}))
            raise KeyboardInterrupt
        return {EARLIER: kept.earlier, "oracle_seconds": 7.0}

    with pytest.raises(KeyboardInterrupt):
        store.get_or_make(SPEC, make, resumable=True)
    (left,) = (tmp_path / "partial").glob("*.checkpoint")
    assert left == beside(left.with_name(left.name.removesuffix(".checkpoint")))
    made = store.get_or_make(SPEC, make, resumable=True)
    assert set(made.manifest["files"]) == {"model/half"}
    assert 100 <= made.seconds < 110
    assert made.times == {"oracle_seconds": 7.0}
    assert [*(tmp_path / "partial").iterdir()] == []
    again = store.find(SPEC)
    assert again is not None
    assert again.times == made.times


def test_a_checkpoint_whose_artifact_stands_is_swept_away(tmp_path):
    store = Store(tmp_path)

    def fails(folder: Path) -> None:
        beside(folder).mkdir()
        (beside(folder) / "checkpoint.1.safetensors").write_text("1")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.get_or_make(SPEC, fails, resumable=True)
    folder, kept = sorted((tmp_path / "partial").iterdir())
    Store(tmp_path)
    assert kept.is_dir()
    folder.rmdir()  # as when it was killed just after its renaming
    Store(tmp_path)
    assert not kept.exists()


def test_another_host_goes_on_where_the_first_one_was_interrupted(tmp_path, monkeypatch):
    def make(folder: Path) -> None:
        if (beside(folder) / "at").exists():
            (folder / "whole").write_text("whole")
            return
        beside(folder).mkdir()
        (beside(folder) / "at").write_text("2")
        raise KeyboardInterrupt

    monkeypatch.setattr("tgap.store.store._host", lambda: "node-1")
    with pytest.raises(KeyboardInterrupt):
        Store(tmp_path).get_or_make(SPEC, make, resumable=True)
    monkeypatch.setattr("tgap.store.store._host", lambda: "node-2")
    made = Store(tmp_path).get_or_make(SPEC, make, resumable=True)
    assert (made.folder / "whole").read_text() == "whole"
    assert [*(tmp_path / "partial").iterdir()] == []


def saved_and_read_where(other: dict[str, object], tmp_path, monkeypatch) -> Checkpoint:
    """A checkpoint of 3 steps, read where torch answers some questions in another way."""
    folder = tmp_path / "made"
    folder.mkdir()
    kept = checkpoint_of(Checkpoint, folder, SPEC, "tuning")
    kept._saved_at = float("-inf")
    kept.offer(3, lambda: Saved(3, random_states.of_globals(), {}))
    for name, answer in other.items():
        monkeypatch.setattr(f"torch.{name}", lambda answer=answer: answer)
    return checkpoint_of(Checkpoint, folder, SPEC, "tuning")


def test_a_node_with_another_number_of_gpus_goes_on(tmp_path, monkeypatch, caplog):
    found = saved_and_read_where({"cuda.device_count": 4}, tmp_path, monkeypatch)
    assert found.done == 3
    random_states.set_globals(found.load("step", 8).arrays)
    assert "another" not in caplog.text


def test_another_number_of_threads_or_gpu_goes_on_and_is_told(tmp_path, monkeypatch, caplog):
    others = {"get_num_threads": 97}
    assert saved_and_read_where(others, tmp_path, monkeypatch).done == 3
    assert "tuning was begun with another number of threads (" in caplog.text
    assert "may differ by rounding" in caplog.text


def test_another_kind_of_device_begins_anew_and_that_is_told(tmp_path, monkeypatch, caplog):
    others = {"cuda.is_available": True, "cuda.get_device_name": "a GPU"}
    assert saved_and_read_where(others, tmp_path, monkeypatch).done == 0
    assert "tuning cannot go on from what an interrupted process left in" in caplog.text
    assert "it is of another kind of device" in caplog.text


def test_an_error_that_may_pass_leaves_the_checkpoint_and_nothing_half_made(tmp_path):
    def fails(folder: Path) -> None:
        (folder / "half").write_text("half")
        beside(folder).mkdir()
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        Store(tmp_path).get_or_make(SPEC, fails, resumable=True)
    folder, kept = sorted((tmp_path / "partial").iterdir())
    assert kept == beside(folder)
    assert [*folder.iterdir()] == []


def test_seconds_stand_in_manifests_and_not_in_files(store: Store):
    oracle = ["finetuner/oracle=random_skip", "finetuner.oracle.warmup=0"]
    made = tune(store, *oracle)
    losses = made.read_json("losses.json")
    assert not [name for line in losses for name in line if name.endswith("seconds")]
    assert made.times["oracle_seconds"] > 0
    result = Result(plan(tgap.compose(*CUT, "finetuner.prior_weight=0", *oracle)))
    result.artifacts.generator = made
    cost = result.tuning_cost()
    assert cost["oracle_seconds"] == made.times["oracle_seconds"]
    # as they were kept before
    text = json.dumps([{**line, "oracle_seconds": 3.5} for line in losses])
    file = store.root / "generator" / made.key / "losses.json"
    file.write_text(text)
    recorded = {"size": len(text), "sha256": file_digest(file)}
    files = {**made.manifest["files"], "losses.json": recorded}
    object.__setattr__(made, "manifest", {**made.manifest, "times": {}, "files": files})
    assert result.tuning_cost() == {**cost, "oracle_seconds": 3.5}
    stages.prepare(result, store)
    stages._fit_real(result, store)
    made = result.artifacts.real_classifier  # its epochs too
    (epoch,) = made.read_json("epochs.json")
    assert set(epoch) == {"epoch", "loss", "learning_rate", "validation_loss"}
    assert 0 < made.times["data_seconds"] <= made.times["seconds"]


def test_progress_goes_on_where_it_was(monkeypatch, caplog):
    monkeypatch.setattr("tgap.core.progress._has_display", lambda: False)
    monkeypatch.setattr("tgap.core.progress.INTERVAL", 0.0)
    clock = iter([0.0, 5.0, 10.0, 20.0])
    monkeypatch.setattr("tgap.core.progress.time.monotonic", lambda: next(clock))
    caplog.set_level(logging.INFO)
    with progress("fine-tuning", 100, before=60) as advance:
        for done in (10, 60, 70):  # told again, as losses are
            advance(done)
    assert "fine-tuning 70/100, 20 s, 60 s left" in caplog.text
    assert "10/100" not in caplog.text
