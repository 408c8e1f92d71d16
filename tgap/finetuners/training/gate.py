"""Which images an oracle lets into a batch, and when it has to be overruled."""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tgap.core import Bools, ContractError, Doubles, Indices, TgapError
from tgap.finetuners.oracles.base import Judgement, Oracle, Tuning
from tgap.generators.latent.base import LatentModel

ENOUGH = 16
"""So many images of a label are judged before it can count as starved."""

LEAST_KEPT = 0.01
"""An oracle that keeps a smaller share, over ``patience`` images per label, would never be done."""


COUNTS = ("seen", "kept", "judged", "passed", "in_a_row")
"""By label."""


class Gate:
    """An oracle at work, with its guards and its counts.

    Args:
        oracle: Whose judgement counts.
        tuning: What it judges.
        rng: Its only source of randomness.
    """

    def __init__(self, oracle: Oracle, tuning: Tuning, rng: np.random.Generator) -> None:
        self.oracle, self.tuning = oracle, tuning
        start = time.perf_counter()
        self.judge = oracle.judge(tuning, rng)
        self.seconds = time.perf_counter() - start if oracle.selects else 0.0
        labels = int(tuning.images.labels.max()) + 1 if len(tuning.images) else 0
        self.seen, self.kept = (np.zeros(labels, np.int64) for _ in range(2))
        self.judged, self.passed, self.in_a_row = (np.zeros(labels, np.int64) for _ in range(3))
        self.forced = 0
        self.scores: Doubles | None = None

    def keep(self, rows: Indices) -> Indices:
        """Those of the next tuning images that are to be trained on, in their order.

        Raises:
            TgapError: If all images of a label were skipped for too long.
        """
        labels = self.tuning.images.labels[rows]
        kept = np.ones(len(rows), bool)
        if self.oracle.selects and self.tuning.progress >= self.oracle.warmup:
            _wait_for(self.tuning.model)  # else the training's time would count as the oracle's
            start = time.perf_counter()
            judgement = self.judge(rows)
            self.seconds += time.perf_counter() - start
            self._check(judgement, len(rows))
            self.scores = judgement.scores
            kept = self._guarded(judgement.keep, labels)
        np.add.at(self.seen, labels, 1)
        np.add.at(self.kept, labels[kept], 1)
        return rows[kept]

    def counts(self) -> dict[str, float]:
        """Totals so far, by name, for the log."""
        totals = {
            "images_seen": float(self.seen.sum()),
            "images_kept": float(self.kept.sum()),
            "images_forced": float(self.forced),
            "kept_rate": float(self.passed.sum() / max(1, self.judged.sum())),
            "oracle_passes": float(self.tuning.passes),
            "oracle_seconds": self.seconds,
        }
        if self.scores is not None and len(self.scores):
            quantiles = np.quantile(self.scores, (0.1, 0.5, 0.9))
            names = ("score_low", "score", "score_high")
            totals |= dict(zip(names, quantiles.tolist(), strict=True))
        return totals

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """What it has seen so far, as arrays and numbers; what the judge remembers is not its."""
        arrays = {name: getattr(self, name) for name in COUNTS}
        if self.scores is not None:
            arrays["scores"] = self.scores
        return arrays, {"forced": self.forced, "seconds": self.seconds}

    def restore(self, arrays: Mapping[str, NDArray[Any]], numbers: Mapping[str, Any]) -> None:
        """Go on from a state of another gate of the same oracle and images."""
        for name in COUNTS:
            getattr(self, name)[:] = arrays[name]
        self.scores = arrays.get("scores")
        self.forced, self.seconds = numbers["forced"], numbers["seconds"]

    def _guarded(self, keep: Bools, labels: Indices) -> Bools:
        """What is kept after the guards, image by image in the order that they come."""
        keep, whole = keep.copy(), self.oracle.unit == "batch"
        # A batch that is judged as a whole stays whole: one starved label lets all of it in.
        if whole and not keep.all() and any(self._starved(label) for label in np.unique(labels)):
            keep[:] = True
            self.forced += len(keep)
        for i, label in enumerate(labels.tolist()):
            if not whole and not keep[i] and self._starved(label):
                keep[i] = True
                self.forced += 1
            # Counted image by image, so that a floor that is reached within a batch stops forcing.
            self.judged[label] += 1
            self.passed[label] += keep[i]
            self.in_a_row[label] = 0 if keep[i] else self.in_a_row[label] + 1
            if self.in_a_row[label] >= self.oracle.patience:
                raise self._stopped(label, labels)
        # A label's patience sees droughts only. An oracle that lets one image in a thousand through
        # never exhausts it, and the run would take a thousand times as long.
        judged, enough = self.judged.sum(), self.oracle.patience * len(self.judged)
        if judged >= enough and self.passed.sum() < LEAST_KEPT * judged:
            raise self._stopped(int(labels[-1]), labels)
        return keep

    def _starved(self, label: int) -> bool:
        """Whether a label is kept much more rarely than the one kept most."""
        if self.judged[label] < ENOUGH:
            return False
        shares = self.passed / np.maximum(self.judged, 1)
        return bool(shares[label] < self.oracle.label_floor * shares.max())

    def _stopped(self, label: int, labels: Indices) -> TgapError:
        images, scores = self.tuning.images, self.scores
        prompt = images.prompts[int(np.flatnonzero(images.labels == label)[0])]
        last = ""
        if scores is not None:
            scores = scores if self.oracle.unit == "batch" else scores[labels == label]
            low, mean, high = scores.min(), scores.mean(), scores.max()
            last = f" (its last scores were {low:.2f} to {high:.2f}, {mean:.2f} in the mean)"
        return TgapError(
            f"active data selection stopped: oracle '{self.oracle.title()}' skipped the last "
            f"{self.in_a_row[label]} images of '{prompt}', and kept {int(self.passed.sum())} of "
            f"{int(self.judged.sum())} in all, at step {self.tuning.step} of "
            f"{self.tuning.steps}{last}; {self.oracle.advice(scores)}"
        )

    def _check(self, judgement: Judgement, count: int) -> None:
        keep, scores = judgement.keep, judgement.scores
        if keep.shape != (count,) or keep.dtype != np.bool_:
            raise ContractError(
                f"oracle {self.oracle.stem()} must judge {count} images, got {keep.shape} "
                f"{keep.dtype}"
            )
        if scores is not None and (scores.shape != (count,) or not np.isfinite(scores).all()):
            raise TgapError(
                f"oracle '{self.oracle.title()}' got scores that are not finite at step "
                f"{self.tuning.step}: the model has diverged; lower budget.learning_rate"
            )
        if self.oracle.unit == "batch" and keep.any() != keep.all():
            raise ContractError(f"oracle {self.oracle.stem()} must keep a whole batch or none")


def _wait_for(model: LatentModel) -> None:
    """Wait until a GPU has done what it was told."""
    if model.device.type == "cuda":
        import torch

        torch.cuda.synchronize(model.device)
