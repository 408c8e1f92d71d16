"""Classifiers that an evaluation trains beside the run's two, so that it goes on where it was."""

import shutil
from collections.abc import Callable
from pathlib import Path

from tgap.core import Checkpoint, Floats, Weights
from tgap.core.checkpoint import Pieces, Saved
from tgap.core.memory import memory_told
from tgap.pipeline.checkpoints import checkpoint_of, checkpoint_of_part
from tgap.store import Spec, beside


class Trainings:
    """Keeps what trained classifiers say, and how far the one is that is being trained.

    The classifiers themselves are not kept: an evaluation may train dozens of them.

    Args:
        folder: Where the evaluation's artifact is made.
        spec: The evaluation.
        what: It in words, e.g. ``augmentation``.
    """

    def __init__(self, folder: Path, spec: Spec, what: str) -> None:
        self._folder, self._spec, self._what = folder, spec, what
        self._done = checkpoint_of(Pieces, folder, spec, what)
        self._scores: dict[str, Floats] = {}
        for piece in self._done.pieces("training"):
            self._scores |= piece.arrays
        self._unsaved: dict[str, Floats] = {}

    @property
    def earlier(self) -> float:
        """Seconds that the evaluation took before it was interrupted."""
        return self._done.earlier

    def scores(
        self, name: str, fit: Callable[[Checkpoint], Weights], score: Callable[[Weights], Floats]
    ) -> Floats:
        """What a training's classifier says, from where an interrupted process left it.

        Args:
            name: Of the training, the same each time; a folder's name too.
            fit: Trains.
            score: What is asked of the fitted classifier.
        """
        if name not in self._scores:
            what = f"training {name} of {self._what}"
            checkpoint = checkpoint_of_part(self._folder, name, self._spec, what)
            with memory_told(what, "a smaller classifier.batch_size"):
                self._scores[name] = self._unsaved[name] = score(fit(checkpoint))
            # Short trainings are saved together, by a later one.
            self._done.offer(len(self._scores), self._state)
            if self._done.done == len(self._scores):
                self._unsaved = {}
            shutil.rmtree(beside(self._folder) / name, ignore_errors=True)
        return self._scores[name]

    def _state(self) -> Saved:
        return Saved(len(self._scores), self._unsaved, {})
