"""A synthetic set that was made elsewhere."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from tgap.core import option
from tgap.datasets.base import Dataset
from tgap.generators.base import Generator


@dataclass(kw_only=True)
class ReadyMade(Generator):
    """Images that somebody else's generator drew: nothing is tuned, nothing is drawn.

    All its images are used, each with its own labels: of each label two thirds at most, and no more
    than ``budget.train_per_label``, are trained on, all others are tested on. Which these are is
    drawn once, by ``split_seed``; images that are equal, or of one patient, stay on one side.
    Labels must be named as the dataset's are.

    What is said of a generator rests on several draws of it: ``further`` sets, or disjoint
    ``draws`` of one. The run's seed chooses among them. With one set, seeds train anew on the same
    images, so that an interval over them is that of this set, and of no other that its generator
    draws.

    Args:
        images: The synthetic set (``generator/images=image_folder generator.images.path=DIR``).
        further: Paths of further sets of the same generator, each read as ``images`` is.
        draws: Disjoint parts of equal size that ``images`` are divided into.
        draw: Which of the sets, or parts, is taken, counted from 0 and around.
        tuned_on: The real images that the generator was tuned on, if they are to be had; without
            them, the pool is taken for it in the audit of copies.
    """

    version: ClassVar[int] = 2
    tunable: ClassVar[bool] = False
    implies: ClassVar[Mapping[str, str]] = {"finetuner": "none"}

    images: Dataset = field(metadata={"help": "the synthetic set"})
    further: list[str] = option(
        [], "further sets of the same generator, read as images is", in_key=False
    )
    draws: int = option(1, "disjoint draws that images are divided into", low=1, high=1_000_000)
    draw: int = option(0, "which set or draw is taken", low=0, in_key=False, shared="seed")
    tuned_on: Dataset | None = field(
        default=None,
        metadata={"help": "real images that its generator was tuned on, null = unknown"},
    )

    def problems(self) -> list[str]:
        """Folders that are to be divided once more, or cannot be read as the first one is."""
        if not self.further:
            return []
        if self.draws > 1:
            return ["further sets are draws already; leave draws out, or name one set"]
        if "path" not in vars(self.images):
            return [f"further sets need a path, which '{self.images.title()}' has not"]
        return []

    def identity(self) -> dict[str, Any]:
        """With the further sets, which count by their content: one method, whatever is drawn."""
        identity = super().identity()
        if self.further:
            identity["further"] = [made.identity() for made in self.sets()[1:]]
        return identity

    def fitted(self, shape: tuple[int, int, int]) -> Self:
        """Its images at the size and colour of the real ones, unless theirs are set."""
        tuned_on = None if self.tuned_on is None else self.tuned_on.fitted(shape)
        return dataclasses.replace(self, images=self.images.fitted(shape), tuned_on=tuned_on)

    def sets(self) -> list[Dataset]:
        """All its sets, one at least."""
        sets = [self.images]
        for path in self.further:
            # A table belongs to one folder; a path that is one brings its own.
            settings: dict[str, Any] = {"table": None} if "table" in vars(self.images) else {}
            sets.append(dataclasses.replace(self.images, **settings | {"path": path}))
        return sets

    def part(self) -> tuple[int, int]:
        """Which of the disjoint ``draws`` is taken."""
        return self.draw % self.draws, self.draws

    def ready_made(self) -> dict[str, Dataset]:
        """The images, and what their generator was tuned on where that is known."""
        known = {} if self.tuned_on is None else {"tuned_on": self.tuned_on}
        sets = self.sets()
        return {"images": sets[self.draw % len(sets)], **known}
