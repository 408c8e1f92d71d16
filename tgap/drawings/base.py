"""How a synthetic set is drawn from a tuned model."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from tgap.core import Bools, Component, ContractError, Doubles, Images, ImageSet, Indices, Sampler
from tgap.core.randomised import passes_per_image
from tgap.drawings.judges.base import Judge
from tgap.drawings.rewards.base import Reward


@dataclass(frozen=True)
class Wanted:
    """The N images of a synthetic set, and what they are drawn and judged by.

    Args:
        asked: What each is to show, without its pixels; those of one label together.
        blocks: ``(N,)`` int64, the label that each is drawn for, whose images the budget counts.
        seed: The noise seed of an image's trial, by its position and the trial's number; trial 0
            is what ``drawing=plain`` draws.
        draw: Draws an image for each position and seed, as it will be kept.
        judge: Says of images, drawn for positions, which of them show what was asked for; ``None``
            for a drawing without a judge.
        value: The values of images, drawn for positions, by the reward; ``None`` without one.
    """

    asked: ImageSet
    blocks: Indices
    seed: Callable[[int, int], int]
    draw: Callable[[Sequence[int], Sequence[int]], Images]
    judge: Callable[[Images, Indices], Bools] | None = None
    value: Callable[[Images, Indices], Doubles] | None = None

    def __len__(self) -> int:
        return len(self.blocks)


@dataclass(frozen=True)
class DrawnSet:
    """What was drawn.

    Args:
        images: ``(N, H, W, C)`` uint8.
        rows: ``(N,)`` int64, the position of what each shows among what was asked for.
        seeds: The noise seed of each.
        trials: How many images were drawn for them.
        judged: How many of these a judge looked at.
        metrics: What else is reported, by MLflow name, e.g. ``draw/pass_rate``.
    """

    images: Images
    rows: Indices
    seeds: Sequence[int]
    trials: int
    judged: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Alternatives:
    """Among what each step of an image chooses.

    Args:
        count: How many latents that the step may lead to.
        alpha: One of value v is kept with chance in proportion to exp(v / alpha).
        share: Of the steps that choose, the last ones.
    """

    count: int
    alpha: float
    share: float


@dataclass(kw_only=True)
class Drawing(Component):
    """Draws the images of a synthetic set, as many of each label as are wanted."""

    as_asked: ClassVar[bool] = False
    """True if each image is drawn once and kept, so that nothing else need be known of it."""

    from_tuning: ClassVar[bool] = False
    """Whether its images begin with tuning images."""

    schedulers: ClassVar[Sequence[str]] = ()
    """Those that it can draw by; any, if none is named."""

    def starting_share(self) -> float:
        """Share of the schedule that is drawn, from images noised as much; 1 is all of it."""
        return 1.0

    def passes(self, sampler: Sampler) -> float:
        """Passes of the denoiser that an image takes, on average."""
        return passes_per_image(sampler)

    def sampler_problems(self, sampler: Sampler) -> list[str]:
        """Settings of the sampler that it cannot draw by, as sentences."""
        others = [name for name in sampler.every_scheduler() if name not in self.schedulers]
        if not self.schedulers or not others:
            return []
        return [
            f"drawing '{self.title()}' needs a scheduler that adds noise at each step: "
            f"sampler.scheduler must be {' or '.join(self.schedulers)}, got {' or '.join(others)}"
        ]

    def drawn_each(self) -> tuple[int, int]:
        """Images drawn for each that is kept, at least and at most."""
        return 1, 1

    def looks(self, sampler: Sampler) -> float:
        """Images that are decoded and valued while one is drawn, besides it."""
        return 0.0

    def judge_used(self) -> Judge | None:
        """The judge that it rejects or chooses by, if any."""
        return None

    def reward_used(self) -> Reward | None:
        """The reward that it chooses by, if any."""
        return None

    def at_each_step(self) -> Alternatives | None:
        """What each step of an image chooses among by the reward's values, if it does."""
        return None

    def needs_prompts(self) -> str:
        """The setting that needs several prompts for a label, if one does; else empty."""
        return ""

    def draw(self, wanted: Wanted, rng: np.random.Generator) -> DrawnSet:
        """Draw.

        Args:
            wanted: The images.
            rng: The only source of randomness beside the noise seeds, so that an interrupted
                drawing, which asks for the same images again, goes on as if it had not been.

        Returns:
            As many images for each label as are wanted, those of one label together.

        Raises:
            ContractError: If the subclass breaks this.
            DataError: If they cannot be drawn as asked.
        """
        drawn = self._draw(wanted, rng)
        counts = [len(part) for part in (drawn.images, drawn.rows, drawn.seeds)]
        if counts != [len(wanted)] * 3:
            raise ContractError(f"{self.stem()} must draw {len(wanted)} images, got {counts}")
        if (wanted.blocks[drawn.rows] != wanted.blocks).any():
            raise ContractError(f"{self.stem()} drew images of another label than was asked for")
        return drawn

    @abstractmethod
    def _draw(self, wanted: Wanted, rng: np.random.Generator) -> DrawnSet: ...
