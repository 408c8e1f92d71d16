"""Active data selection: which of the tuning images that come next are worth a gradient step."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tgap.core import Bools, Component, Doubles, Images, Indices, Sampler, isolated, option
from tgap.core.randomised import passes_per_image
from tgap.embedders.base import Embedder
from tgap.finetuners.base import PromptedImages
from tgap.generators.latent.base import Conditioning, LatentModel

if TYPE_CHECKING:
    import torch

UNITS = ("sample", "batch")

Memory = dict[str, NDArray[Any]]
"""Arrays by name."""


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
        memories: What judges remember from batch to batch: all of it, so that an interrupted
            tuning run goes on with it; see ``new_memory``.
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
    memories: list[Memory] = field(default_factory=list)

    def new_memory(self) -> Memory:
        """For a judge that begins, or a part of one: where it keeps what it remembers."""
        self.memories.append({})
        return self.memories[-1]

    def latents(self, rows: Indices) -> "torch.Tensor":
        """Means of tuning images' latents, ``(n, c, h, w)``."""
        import torch

        return self.moments[torch.from_numpy(rows).to(self.moments.device), 0]

    def draw(self, prompts: Sequence[str], seeds: Sequence[int], sampler: Sampler) -> Images:
        """Draw from the model as it is now, one image per prompt.

        The random states are left as they are, whatever the scheduler does.
        """
        self.passes += round(len(prompts) * passes_per_image(sampler))
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
"""Judges tuning images by their positions in the tuning set; what it remembers of those that it saw
lies in a ``tuning.new_memory()``."""


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
    label_floor: float = option(
        0.25, "least kept share, over that of the label kept most", low=0, high=1
    )
    patience: int = option(
        2000, "images of a label skipped in a row before it stops", low=1, high=1_000_000
    )

    def schedulers(self) -> dict[str, str]:
        """Schedulers that it draws with, by the paths of its settings."""
        return {}

    def problems(self) -> list[str]:
        """A unit that it cannot judge."""
        if self.unit in self.units or self.unit not in UNITS:
            return []
        return [f"unit must be {' or '.join(self.units)} with {self.stem()}, got '{self.unit}'"]

    @abstractmethod
    def judge(self, tuning: Tuning, rng: np.random.Generator) -> Judge:
        """Begin with a tuning run.

        Args:
            tuning: Its ``step`` and its model change while the judge is in use.
            rng: The only source of randomness, itself and no stream spawned from it.

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
