"""Classifiers that an evaluation trains are trained once, however often it is interrupted."""

import numpy as np
import pytest

from tgap.core import Checkpoint, checkpoint
from tgap.core.checkpoint import Saved
from tgap.pipeline.trainings import Trainings
from tgap.store import Spec, Store, beside

SPEC = Spec("evaluation", {"evaluator": "augmentation"})
NAMES = ("real_10", "mixed_1", "mixed_3", "synthetic_10")


@pytest.fixture(autouse=True)
def at_every_step(monkeypatch):
    monkeypatch.setattr(checkpoint, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(checkpoint, "MOST", float("inf"))
    monkeypatch.setattr(checkpoint, "CHEAP", float("inf"))


class Evaluation:
    """Trains four classifiers of three steps each, and is interrupted at one of these steps."""

    def __init__(self, store):
        self.store, self.steps, self.stops = store, [], None

    def fit(self, name, checkpoint: Checkpoint):
        saved = checkpoint.load("step", 3)
        first = saved.done if saved else 0
        for step in range(first + 1, 4):
            if (name, step) == self.stops:
                raise KeyboardInterrupt
            self.steps.append((name, step))
            checkpoint.offer(step, lambda step=step: Saved(step, {"w": np.ones(step)}, {}))
        return {"w": np.full(3, NAMES.index(name), np.float32)}

    def make(self, folder):
        trainings = Trainings(folder, SPEC, "augmentation")
        for name in NAMES:
            scores = trainings.scores(
                name,
                lambda checkpoint, name=name: self.fit(name, checkpoint),
                lambda weights: weights["w"] + 1,
            )
            np.save(folder / f"{name}.npy", scores)

    def evaluate(self, stops=None):
        self.stops = stops
        return self.store.get_or_make(SPEC, self.make, resumable=True)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("step", [1, 2, 3])
def test_each_step_is_done_once_wherever_it_is_interrupted(name, step, tmp_path):
    evaluation = Evaluation(Store(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        evaluation.evaluate(stops=(name, step))
    made = evaluation.evaluate()
    assert evaluation.steps == [(name, step) for name in NAMES for step in (1, 2, 3)]
    for place, of in enumerate(NAMES):
        assert np.load(made.path(f"{of}.npy")).tolist() == [place + 1.0] * 3
    assert not [*(tmp_path / "partial").iterdir()]


def test_scores_that_could_not_be_saved_are_saved_with_the_next(tmp_path, monkeypatch):
    folder = tmp_path / "made"
    folder.mkdir()
    trainings = Trainings(folder, SPEC, "augmentation")

    def full(*anything):
        raise OSError(28, "No space left on device")

    def scores(of, value):
        return of.scores(f"real_{value}", lambda _: {}, lambda _: np.full(2, value, np.float32))

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "write_sealed", full)
        scores(trainings, 1)
    scores(trainings, 2)
    again = Trainings(folder, SPEC, "augmentation")
    for value in (1, 2):
        found = again.scores(f"real_{value}", lambda _: pytest.fail("trained again"), lambda _: {})
        assert found.tolist() == [value, value]
    assert not [path for path in beside(folder).iterdir() if path.is_dir()]
