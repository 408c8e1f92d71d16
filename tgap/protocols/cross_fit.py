"""Every image tests once, and tunes and trains in other runs: for few images."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from tgap.core import DataError, ImageSet, Indices, Split, option
from tgap.core.settings import Splitting
from tgap.protocols.base import Protocol
from tgap.protocols.dealing.patients import drawn


@dataclass(kw_only=True)
class CrossFit(Protocol):
    """Patients are dealt into ``folds``; one of these is real_test, and the others are halved.

    For 12 to 100 images of a label: a split in three would leave a handful to test on. With
    ``selector=whole``, a sweep over ``protocol.fold=0,1,2,3,4`` tests every image once, and tunes
    on and trains with every image in two of five runs, never on two sides of one run. The runs of
    a seed count as one, its numbers being means over the folds (``docs/few_images.md``): AUROCs
    within a fold, as of LeDell, Petersen & van der Laan, Electronic Journal of Statistics 2015,
    because scores of different classifiers are not to be ranked together.

    Of the folds that do not test, the next half are real_train and the other half are the pool.
    Equally many, because a few more images teach much where there are few: simulated with 12 of a
    label, a generator that copies its tuning images has a TSTR of .90 from a pool of three folds
    beside a TRTR of .82 from one, and seems to teach better than real images do; halves give .87
    and .87. And apart, rather than the pool for both: a real classifier that knows the tuning
    images recognises their copies (TRTS is 1), so that TRTS, FTER and the audits of copies would
    praise a generator that has learnt its few images by heart.

    Folds are as large as whole patients allow, and alike in their labels, dealt as sets are by
    ``clean``. All images are dealt, also those of an official test set; how many come to a side
    follows from ``folds`` alone.

    Args:
        folds: Odd, so that pool and real_train get equally many. More folds tune on more images
            (40 % of 5, nearly half of 9) and make narrower intervals, at a run each; three are too
            few for an interval.
        fold: Which one is real_test.
    """

    sized: ClassVar[bool] = False

    folds: int = option(
        5, "parts that patients are dealt into, an odd number", low=3, high=1_000_000
    )
    fold: int = option(
        0, "the part that is real_test, from 0; sweep over all of them", low=0, high=1_000_000
    )

    def problems(self) -> list[str]:
        """Folds that cannot be halved, or a fold that is not there."""
        problems = super().problems()
        if self.folds % 2 == 0:
            problems.append(
                f"folds must be odd, so that pool and real_train get equally many, got {self.folds}"
            )
        if self.fold >= self.folds:
            problems.append(
                f"fold must be at most {self.folds - 1}, since protocol.folds is "
                f"{self.folds} and they are counted from 0, got {self.fold}"
            )
        return problems

    def averaged(self) -> list["Protocol"]:
        """One for each fold."""
        return [replace(self, fold=fold) for fold in range(self.folds)]

    def _split(self, dataset: ImageSet, splitting: Splitting) -> Split:
        if dataset.official_pool is not None:
            raise DataError(
                "protocol=cross_fit lets every image tune, but here the dataset names the images "
                "to tune on; choose protocol=clean"
            )
        test, *others = self._turned(dataset, splitting)
        half = len(others) // 2
        train, pool = (np.sort(np.concatenate(side)) for side in (others[:half], others[half:]))
        return Split(pool=pool, real_train=train, real_test=test)

    def _turned(self, dataset: ImageSet, splitting: Splitting) -> list[Indices]:
        """All folds, from the one that tests on."""
        parts = self._dealt(dataset, splitting.split_seed)
        return [*parts[self.fold :], *parts[: self.fold]]

    def _dealt(self, dataset: ImageSet, seed: int) -> list[Indices]:
        """All folds, each with images that have a label, and images that lack it."""
        rows = np.arange(len(dataset), dtype=np.int64)
        sizes = [len(part) for part in np.array_split(rows, self.folds)]
        parts = drawn(dataset, rows, sizes, np.random.default_rng(seed))
        kinds = {"of": dataset.labels.T, "without": ~dataset.labels.T}
        needed = [
            (len(np.unique(dataset.patients[those])), f"{kind} label '{name}'", those)
            for kind, columns in kinds.items()
            for name, those in zip(dataset.label_names, columns, strict=True)
            if those.any()
        ]
        for patients, what, those in sorted(needed, key=lambda one: one[0]):
            if not all(those[part].any() for part in parts):
                raise DataError(_too_few(what, int(those.sum()), patients, self.folds))
        return parts


def _too_few(what: str, images: int, patients: int, folds: int) -> str:
    most = min(folds - 1, patients)
    most -= 1 - most % 2  # odd
    remedies = [f"set protocol.folds={most}"] if most >= 3 else []
    remedies += ["choose another split_seed"] if patients >= folds else []
    return (
        f"no image {what} would be in one of the {folds} folds: there are {images}, of "
        f"{patients} patients; {' or '.join(remedies) or 'take more of these'}"
    )
