"""A small dataset, its split and its source."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tgap.core import Images, ImageSet, NewImages, Split
from tgap.datasets.base import Dataset, Original
from tgap.report.dataset.describing import Description, describe


def dataset(n: int = 60) -> ImageSet:
    rng = np.random.default_rng(0)
    return ImageSet(
        images=rng.integers(0, 256, (n, 8, 8, 1), dtype=np.uint8),
        labels=np.eye(2, dtype=bool)[np.arange(n) % 2],
        label_names=("even", "odd"),
        findings=(np.arange(n) % 3 == 0)[:, None],
        finding_names=("third",),
        patients=np.arange(n, dtype=np.int64) // 3,
        metadata={
            "file": np.array([f"{i}.png" for i in range(n)]),
            "view": np.where(np.arange(n) < 20, "AP", "PA"),
            "age": np.where(np.arange(n) == 5, np.nan, np.arange(n, dtype=np.float64)),
            "site": np.array([f"site {i}" for i in range(n)]),
            "bold": (np.arange(n) % 2).astype(np.float64),
        },
        notes={"excluded": {"unreadable": ["a.png", "b.png"]}, "unlisted": 3},
    )


def parts(pool: range, train: range, test: range) -> Split:
    return Split(*(np.array(part, dtype=np.int64) for part in (pool, train, test)))


SPLIT = parts(range(30), range(30, 45), range(45, 57))


class Source(Dataset):
    """Whose files are told, or not known."""

    def __init__(self, originals: Sequence[Original] | None = None) -> None:
        super().__init__()
        self._originals = originals

    def originals(self, data: ImageSet) -> Sequence[Original] | None:
        return self._originals

    def _load(self, new_images: NewImages) -> ImageSet:
        raise NotImplementedError


def described(
    images: Images | None = None, split: Split = SPLIT, originals: Sequence[Original] | None = None
) -> Description:
    """What is told of the dataset, perhaps with other pixels."""
    data = dataset()
    data = data if images is None else dataclasses.replace(data, images=images)
    return describe(Source(originals), data, split)


def in_order() -> Description:
    """Of a dataset that nothing is doubtful of."""
    split = parts(range(60), range(60, 120), range(120, 180))
    return describe(Source(), dataset(180), split)
