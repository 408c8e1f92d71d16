"""Generators with known truth instead of a model, to see what the evaluation makes of them."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from tgap.core import ContractError, DataError, Images, ImageSet, Sampler
from tgap.generators.base import Generator, Model

Draw = Callable[[int, Sequence[int]], Images]
"""Images of a label, one for each of up to ``per_label`` noise seeds, in their order."""


@dataclass(frozen=True)
class Examples:
    """Real images that a control draws from, and what it will be asked for.

    Args:
        tuning: The tuning images in the order of picking, repeats kept.
        held_out: Real images of patients that are not in ``tuning``.
        label_of: Position of the label of every prompt that will be asked for.
        per_label: How many images of each label will be asked for in all, at most.

    Raises:
        ContractError: If the parts do not fit together.
    """

    tuning: ImageSet
    held_out: ImageSet
    label_of: Mapping[str, int]
    per_label: int

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
        names = tuning.label_names
        for prompt, label in self.label_of.items():
            if not 0 <= label < len(names):
                raise ContractError(f"prompt '{prompt}' has label {label} of {len(names)}")
        if self.per_label < 1:
            raise ContractError(f"per_label must be at least 1, got {self.per_label}")

    def labels(self) -> list[int]:
        """Positions of the labels that will be asked for, sorted."""
        return sorted(set(self.label_of.values()))


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

    def given(self, examples: Examples, rng: np.random.Generator) -> Model:
        """Make it ready to draw.

        Args:
            examples: What it draws from; left as they are.
            rng: Deals the real images out.

        Returns:
            A model that draws by the label of each prompt; all images of a run must be asked for
            in one call, because every call begins anew.

        Raises:
            DataError: If there are too few real images of a label.
        """
        source: ImageSet = getattr(examples, self.draws_from)
        for label in examples.labels():
            if not source.labels[:, label].any():
                where = self.draws_from.replace("_", "-")
                raise DataError(self._none_of(source.label_names[label], where))
        return _ControlModel(self.title(), examples, self._given(examples, rng))

    @abstractmethod
    def _given(self, examples: Examples, rng: np.random.Generator) -> Draw: ...


@dataclass(frozen=True)
class _ControlModel(Model):
    """Asks a control for the images of one label after another."""

    title: str
    examples: Examples
    draw: Draw

    def sample(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        sampler: Sampler,
        on_images: Callable[[int], None] = lambda done: None,
    ) -> Images:
        """Draw one image per prompt; the sampler plays no part.

        Raises:
            ContractError: If there are not as many seeds as prompts, a prompt was not announced, or
                more images of a label are asked for than were announced.
        """
        if len(prompts) != len(seeds):
            raise ContractError(f"{len(prompts)} prompts and {len(seeds)} seeds must be as many")
        unknown = [prompt for prompt in prompts if prompt not in self.examples.label_of]
        if unknown:
            raise ContractError(f"generator '{self.title}' does not know prompt '{unknown[0]}'")
        labels = np.array([self.examples.label_of[prompt] for prompt in prompts], dtype=np.int64)
        shape = self.examples.tuning.images.shape[1:]
        images = np.empty((len(prompts), *shape), dtype=np.uint8)
        done = 0
        for label in np.unique(labels).tolist():
            rows = np.flatnonzero(labels == label).tolist()
            if len(rows) > self.examples.per_label:
                raise ContractError(
                    f"generator '{self.title}' was to draw {self.examples.per_label} images per "
                    f"label, asked for {len(rows)}"
                )
            drawn = self.draw(label, [seeds[row] for row in rows])
            if drawn.shape != (len(rows), *shape) or drawn.dtype != np.uint8:
                raise ContractError(
                    f"generator '{self.title}' must draw {(len(rows), *shape)} uint8, "
                    f"got {drawn.shape} {drawn.dtype}"
                )
            images[rows] = drawn
            done += len(rows)
            on_images(done)
        return images

    def save(self, folder: Path) -> None:
        """Refuse: a control has no weights.

        Raises:
            ContractError: Always.
        """
        raise ContractError(f"generator '{self.title}' is a control: it has nothing to save")
