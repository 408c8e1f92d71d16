"""Generators with known truth instead of a model, to see what the evaluation makes of them."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tgap.core import Bools, ContractError, DataError, Images, ImageSet, Indices
from tgap.generators.base import TRAIN_SHARE, Generator


@dataclass(frozen=True)
class Drawn:
    """Images of a control, and what they show.

    Args:
        images: ``(N, H, W, C)`` uint8.
        labels: ``(N, L)`` bool, all labels of the real images that they are or stem from; ``None``
            where they stem from none, and have the labels that they are asked for.
    """

    images: Images
    labels: Bools | None = None

    @classmethod
    def of(cls, source: ImageSet, rows: Indices) -> "Drawn":
        """Real images with their labels."""
        return cls(source.images[rows], source.labels[rows])


Draw = Callable[[int, Sequence[int]], Drawn]
"""Images of a label, one for each of up to ``per_label`` noise seeds, in their order."""


@dataclass(frozen=True)
class Examples:
    """Real images that a control draws from, and what it will be asked for.

    Args:
        tuning: The tuning images in the order of picking, repeats kept.
        held_out: Real images of patients that are not in ``tuning``.
        per_label: How many images of each label will be asked for in all, at most.
        train_per_label: How many of these, the first ones, train; ``None`` = two thirds.

    Raises:
        ContractError: If the parts do not fit together.
    """

    tuning: ImageSet
    held_out: ImageSet
    per_label: int
    train_per_label: int | None = None

    @property
    def training(self) -> int:
        """How many of a label's images train."""
        if self.train_per_label is None:
            return round(self.per_label * TRAIN_SHARE)
        return self.train_per_label

    def __post_init__(self) -> None:
        tuning, held_out = self.tuning, self.held_out
        if tuning.label_names != held_out.label_names:
            raise ContractError(
                "tuning and held-out images must have the same labels, got "
                f"{', '.join(tuning.label_names)} and {', '.join(held_out.label_names)}"
            )
        if tuning.images.shape[1:] != held_out.images.shape[1:]:
            raise ContractError(
                "tuning and held-out images must have one shape, got "
                f"{tuning.images.shape[1:]} and {held_out.images.shape[1:]}"
            )
        if np.isin(held_out.patients, tuning.patients).any():
            raise ContractError("held-out images must be of patients that have no tuning image")
        if self.per_label < 1:
            raise ContractError(f"per_label must be at least 1, got {self.per_label}")
        if not 0 <= self.training <= self.per_label:
            raise ContractError(
                f"train_per_label must be between 0 and per_label ({self.per_label}), got "
                f"{self.training}"
            )


@dataclass(kw_only=True)
class Control(Generator):
    """Images with known truth instead of a model's, to see what the evaluation makes of them.

    Which real image comes next follows from the random generator that ``given`` gets, all else
    about an image from its noise seed. Sampler settings mean nothing here.
    """

    tunable: ClassVar[bool] = False
    implies: ClassVar[Mapping[str, str]] = {"finetuner": "none"}

    expected: ClassVar[tuple[str, ...]] = ()
    """Codes of the verdicts (``tgap.analysis.verdicts``) that an evaluation should reach."""

    draws_from: ClassVar[str] = "tuning"
    """The images that must have some of every label: ``tuning`` or ``held_out``."""

    def check_counts(self, label: str, tuning: int, held_out: int, drawn: int) -> list[str]:
        """What stands in the way of drawing images of a label, as far as numbers of images tell.

        Args:
            label: Its name.
            tuning: Tuning images of it.
            held_out: Pool images of it beside these, at most.
            drawn: Images of it to be drawn.
        """
        return [] if tuning else [self._none_of(label, "tuning")]

    def _none_of(self, label: str, source: str) -> str:
        return (
            f"generator '{self.title()}' needs {source} images of every label, got none of "
            f"'{label}'; change size, the selector or the pool's size"
        )

    def draw(
        self,
        examples: Examples,
        seeds: Sequence[Sequence[int]],
        rng: np.random.Generator,
        on_label: Callable[[int], None] = lambda done: None,
    ) -> Drawn:
        """Draw images of every label, one label after another.

        Args:
            examples: What it draws from; left as they are.
            seeds: Of each label, a noise seed for each image, up to ``examples.per_label``.
            rng: Deals the real images out.
            on_label: Told how many labels are done.

        Returns:
            The images of the first label, those of the second, ...

        Raises:
            DataError: If there are too few real images of a label.
            ContractError: If seeds are not as ``examples`` says, or the subclass gives other
                images than it must.
        """
        source: ImageSet = getattr(examples, self.draws_from)
        for label, name in enumerate(source.label_names):
            if not source.labels[:, label].any():
                raise DataError(self._none_of(name, self.draws_from.replace("_", "-")))
        counts = [len(of_label) for of_label in seeds]
        if len(counts) != len(source.label_names) or max(counts) > examples.per_label:
            raise ContractError(
                f"generator '{self.title()}' draws up to {examples.per_label} images of each of "
                f"{len(source.label_names)} labels, got seeds for {counts}"
            )
        draw, drawn = self._given(examples, rng), []
        for label, of_label in enumerate(seeds):
            drawn.append(draw(label, of_label))
            self._require(drawn[-1], examples, len(of_label), label)
            on_label(label + 1)
        labels = [one.labels for one in drawn if one.labels is not None]
        return Drawn(
            np.concatenate([one.images for one in drawn]),
            np.concatenate(labels) if len(labels) == len(drawn) else None,
        )

    def _require(self, drawn: Drawn, examples: Examples, count: int, label: int) -> None:
        shape = (count, *examples.tuning.images.shape[1:])
        if drawn.images.shape != shape or drawn.images.dtype != np.uint8:
            raise ContractError(
                f"generator '{self.title()}' must draw {shape} uint8, got {drawn.images.shape} "
                f"{drawn.images.dtype}"
            )
        has = drawn.labels
        expected = (count, len(examples.tuning.label_names))
        if has is not None and (has.shape != expected or not has[:, label].all()):
            raise ContractError(
                f"generator '{self.title()}' must give each image its labels, that which it is "
                f"drawn for among them, as {expected} bool"
            )

    @abstractmethod
    def _given(self, examples: Examples, rng: np.random.Generator) -> Draw: ...
