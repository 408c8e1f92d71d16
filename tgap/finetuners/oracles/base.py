"""Active data selection: which of the tuning images that come next are worth a gradient step."""

import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tgap.component import Component, option
from tgap.embedders.base import Embedder
from tgap.errors import ContractError, TgapError
from tgap.finetuners.base import PromptedImages
from tgap.generators.latent.base import Conditioning, LatentModel
from tgap.seeding import isolated
from tgap.settings import Sampler
from tgap.types import Bools, Doubles, Images, Indices

if TYPE_CHECKING:
    import torch

UNITS = ("sample", "batch")
ENOUGH = 16
"""So many images of a label are judged before it can count as starved."""
LEAST_KEPT = 0.01
"""An oracle that keeps a smaller share, over ``patience`` images per label, would never be done."""


@dataclass
class Tuning:
    """What an oracle can look at: the model in its present state, and the tuning images.

    Args:
        model: The model that is being tuned; it changes from step to step.
        images: The tuning set.
        moments: ``(N, 2, c, h, w)``, the tuning images' latents: mean and standard deviation.
        steps: How many optimizer steps are planned.
        step: How many were made.
        progress: How much of the budget is spent, in [0, 1]: of its steps, or of their work.
        passes: Denoiser passes of single images that the oracle asked for so far.
        autocast: Enters the training's mixed precision, in which ``predict`` is too; drawing has
            the generator's own.
        encode: What the text encoders make of prompts, if that is known already.
    """

    model: LatentModel
    images: PromptedImages
    moments: "torch.Tensor"
    steps: int
    step: int = 0
    progress: float = 0.0
    passes: int = 0
    autocast: Callable[[], AbstractContextManager[Any]] = nullcontext
    encode: Callable[[Sequence[str]], Conditioning] | None = None

    def latents(self, rows: Indices) -> "torch.Tensor":
        """Means of tuning images' latents, ``(n, c, h, w)``."""
        import torch

        return self.moments[torch.from_numpy(rows).to(self.moments.device), 0]

    def draw(self, prompts: Sequence[str], seeds: Sequence[int], sampler: Sampler) -> Images:
        """Draw from the model as it is now, one image per prompt.

        The random states are left as they are, whatever the scheduler does.
        """
        self.passes += len(prompts) * sampler.steps * (2 if sampler.guidance > 1 else 1)
        with isolated(0), self._as_it_draws():
            return self.model.sample(prompts, seeds, sampler)

    def predict(
        self, rows: Indices, noisy: "torch.Tensor", timesteps: "torch.Tensor"
    ) -> "torch.Tensor":
        """One pass of the denoiser, as it is now, over noisy latents of tuning images.

        Args:
            rows: Positions in the tuning set, ``(n,)``.
            noisy: ``(n, c, h, w)``.
            timesteps: ``(n,)``.
        """
        import torch

        self.passes += len(rows)
        with torch.no_grad(), self._as_it_draws(), self.autocast():
            prompts = [self.images.prompts[row] for row in rows]
            conditioning = (self.encode or self.model.condition)(prompts)
            return self.model.predict(noisy, timesteps, conditioning).float()

    @contextmanager
    def _as_it_draws(self) -> Iterator[None]:
        """Without dropout, which would judge another model and move torch's random state."""
        parts = (self.model.denoiser, *self.model.text_encoders)
        modes = [part.training for part in parts]
        for part in parts:
            part.eval()
        try:
            yield
        finally:
            for part, mode in zip(parts, modes, strict=True):
                part.train(mode)


@dataclass(frozen=True)
class Judgement:
    """What an oracle says of some tuning images.

    Args:
        keep: ``(n,)`` bool, which of them to train on.
        scores: ``(n,)`` float64, each image's own, by which that was decided; ``None`` if by none.
    """

    keep: Bools
    scores: Doubles | None = None


Judge = Callable[[Indices], Judgement]
"""Judges tuning images by their positions in the tuning set; may remember what it saw."""


@dataclass(kw_only=True)
class Oracle(Component):
    """Looks at each batch of tuning images before it is trained on, and leaves some out.

    What is kept is gathered until it fills a batch, so that every optimizer step has equally many
    images whatever the oracle. While it warms up everything is kept. Two guards: a label that is
    kept much more rarely than the one kept most gets images all the same (``label_floor``), and
    tuning stops, with advice, when an oracle has skipped everything for long (``patience``), or
    nearly everything from the start.

    Args:
        unit: Judge each ``sample``, or the ``batch`` as a whole (as the thesis does).
        warmup: Share of the budget that is spent before anything is skipped.
        label_floor: A label's share of kept images is held above this share of the largest
            label's; 0 is off.
        patience: Images of one label that may be skipped one after another.
    """

    selects: ClassVar[bool] = True
    """False if it keeps everything and need not be asked."""

    units: ClassVar[tuple[str, ...]] = UNITS
    """What it can judge."""

    unit: str = option("sample", "what is judged: each sample, or the batch", choices=UNITS)
    warmup: float = option(0.1, "share of the budget before anything is skipped", low=0, high=1)
    label_floor: float = option(0.25, "least kept share, over that of the label kept most", low=0,
                                high=1)  # fmt: skip
    patience: int = option(2000, "images of a label skipped in a row before it stops", low=1)

    def problems(self) -> list[str]:
        """A unit that it cannot judge."""
        if self.unit in self.units or self.unit not in UNITS:
            return []
        return [f"unit must be {' or '.join(self.units)} with {self.stem()}, got '{self.unit}'"]

    def check(self) -> list[str]:
        """What can be known to go wrong before it judges, as sentences."""
        return []

    @abstractmethod
    def judge(self, tuning: Tuning, rng: np.random.Generator) -> Judge:
        """Begin with a tuning run.

        Args:
            tuning: Its ``step`` and its model change while the judge is in use.
            rng: The only source of randomness.

        Returns:
            Judges positions in the tuning set, a batch at a time. With ``unit=batch`` it keeps all
            of them or none.
        """

    def advice(self, scores: Doubles | None) -> str:
        """What to do if it skips everything, seeing the scores that it skipped last."""
        return "use another oracle"


def embedder_problems(embedder: Embedder | None) -> list[str]:
    """An embedder that oracles cannot use, as sentences."""
    if embedder is None or not embedder.uses_classifier:
        return []
    return [
        f"embedder '{embedder.title()}' takes the features of the run's classifier, which is "
        "trained after fine-tuning; use another embedder"
    ]


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
            said = self.judge(rows)
            self.seconds += time.perf_counter() - start
            self._check(said, len(rows))
            self.scores = said.scores
            kept = self._guarded(said.keep, labels)
        np.add.at(self.seen, labels, 1)
        np.add.at(self.kept, labels[kept], 1)
        return rows[kept]

    def counts(self) -> dict[str, float]:
        """Totals so far, by name, for the log."""
        found = {
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
            found |= dict(zip(names, quantiles.tolist(), strict=True))
        return found

    def _guarded(self, keep: Bools, labels: Indices) -> Bools:
        """What is kept after the guards, image by image in the order that they come."""
        keep, whole = keep.copy(), self.oracle.unit == "batch"
        if whole and not keep.all() and any(self._starved(label) for label in np.unique(labels)):
            keep[:] = True
            self.forced += len(keep)
        for i, label in enumerate(labels.tolist()):
            if not whole and not keep[i] and self._starved(label):
                keep[i] = True
                self.forced += 1
            self.judged[label] += 1
            self.passed[label] += keep[i]
            self.in_a_row[label] = 0 if keep[i] else self.in_a_row[label] + 1
            if self.in_a_row[label] >= self.oracle.patience:
                raise self._stopped(label, labels)
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
        said = ""
        if scores is not None:
            scores = scores if self.oracle.unit == "batch" else scores[labels == label]
            low, mean, high = scores.min(), scores.mean(), scores.max()
            said = f" (its last scores were {low:.2f} to {high:.2f}, {mean:.2f} in the mean)"
        return TgapError(
            f"active data selection stopped: oracle '{self.oracle.title()}' skipped the last "
            f"{self.in_a_row[label]} images of '{prompt}', and kept {int(self.passed.sum())} of "
            f"{int(self.judged.sum())} in all, at step {self.tuning.step} of "
            f"{self.tuning.steps}{said}; "
            f"{self.oracle.advice(scores)}"
        )

    def _check(self, said: Judgement, count: int) -> None:
        if said.keep.shape != (count,) or said.keep.dtype != np.bool_:
            raise ContractError(
                f"oracle {self.oracle.stem()} must judge {count} images, got {said.keep.shape} "
                f"{said.keep.dtype}"
            )
        if said.scores is not None and (
            said.scores.shape != (count,) or not np.isfinite(said.scores).all()
        ):
            raise TgapError(
                f"oracle '{self.oracle.title()}' got scores that are not finite at step "
                f"{self.tuning.step}: the model has diverged; lower budget.learning_rate"
            )
        if self.oracle.unit == "batch" and said.keep.any() != said.keep.all():
            raise ContractError(f"oracle {self.oracle.stem()} must keep a whole batch or none")


def _wait_for(model: LatentModel) -> None:
    """Wait until a GPU has done what it was told."""
    if model.device.type == "cuda":
        import torch

        torch.cuda.synchronize(model.device)
