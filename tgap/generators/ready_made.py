"""A synthetic set that was made elsewhere."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Self

from tgap.datasets.base import Dataset
from tgap.generators.base import Generator


@dataclass(kw_only=True)
class ReadyMade(Generator):
    """Images that somebody else's generator drew: nothing is tuned, nothing is drawn.

    All its images are used, each with its own labels, up to ``budget.train_per_label`` and
    ``budget.test_per_label`` of each label. Which of them are trained on is drawn once, by
    ``split_seed``, in the ratio of these two numbers: seeds train anew on the same images, so that
    an interval over them is that of this synthetic set, and of no other that its generator draws.
    Labels must be named as the dataset's are.

    Args:
        images: The synthetic set (``generator/images=image_folder generator.images.path=DIR``).
        tuned_on: The real images that the generator was tuned on, if they are to be had; without
            them, the pool is taken for it in the audit of copies.
    """

    tunable: ClassVar[bool] = False
    implies: ClassVar[Mapping[str, str]] = {"finetuner": "none"}

    images: Dataset = field(metadata={"help": "the synthetic set"})
    tuned_on: Dataset | None = field(
        default=None,
        metadata={"help": "real images that its generator was tuned on, null = unknown"},
    )

    def fitted(self, shape: tuple[int, int, int]) -> Self:
        """Its images at the size and colour of the real ones, unless theirs are set."""
        tuned_on = None if self.tuned_on is None else self.tuned_on.fitted(shape)
        return dataclasses.replace(self, images=self.images.fitted(shape), tuned_on=tuned_on)

    def ready_made(self) -> dict[str, Dataset]:
        """The images, and what their generator was tuned on where that is known."""
        known = {} if self.tuned_on is None else {"tuned_on": self.tuned_on}
        return {"images": self.images, **known}
