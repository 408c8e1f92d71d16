"""The thesis's own draws, leaks and all."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tgap.core import ImageSet, Split
from tgap.core.settings import Splitting
from tgap.protocols.base import Protocol, require_images

POOL = TEST = 10_000


@dataclass(kw_only=True)
class Thesis(Protocol):
    """Random images, whoever's they are, whatever their labels.

    Zhang 2024, sections 4.4 and 4.5: 10,000 random images are the test set and 10,000 the pool;
    here, real_train is all the others. A patient's images may lie on two sides (with ChestX-ray14,
    84 % of the test images share their patient with others), an official test set is ignored, and
    sizes count all tuning images together, as in the thesis's experiments 1 and 2
    (``size_unit=label`` for the later ones). A dataset below 30,000 images is shared out 60 / 20 /
    20 % instead.

    An official pool (the textbooks of section 4.7) is the pool, or ``pool_size`` images of it if it
    has more; real_test is the one that would be drawn of the other images alone, and all that are
    left are real_train.

    Departure: the three sets never share an image, which the thesis does not say of its own.
    """

    size_unit: ClassVar[str] = "total"

    def sources(self, dataset: ImageSet) -> dict[str, int]:
        """The official pool is drawn from by itself."""
        own = 0 if dataset.official_pool is None else int(dataset.official_pool.sum())
        rest = len(dataset) - own
        return {"pool": own or rest, "real_train": rest, "real_test": rest}

    def _split(self, dataset: ImageSet, splitting: Splitting) -> Split:
        rng = np.random.default_rng(splitting.split_seed)
        own_pool = dataset.official_pool
        others = np.arange(len(dataset)) if own_pool is None else np.flatnonzero(~own_pool)
        test, pool, train = _sizes(len(others), splitting, own_pool is not None)
        order = rng.permutation(others)
        sides = np.split(order, np.cumsum([test, pool, train]))
        if own_pool is not None:
            sides[1] = rng.permutation(np.flatnonzero(own_pool))[: splitting.pool_size]
        real_test, pool_rows, real_train = (np.sort(side).astype(np.int64) for side in sides[:3])
        return Split(pool=pool_rows, real_train=real_train, real_test=real_test)


def _sizes(n: int, splitting: Splitting, own_pool: bool) -> tuple[int, int, int]:
    """Images of test, pool and train among n; none for the pool, if that is a source of its own."""
    fifth = max(1, round(0.2 * n))
    large = n >= POOL + 2 * TEST
    test = splitting.test_size or (TEST if large else fifth)
    pool = 0 if own_pool else splitting.pool_size or (POOL if large else max(1, n - 2 * fifth))
    rest = max(1, n - test - pool)
    train = splitting.train_size or (rest if large or own_pool else fifth)
    require_images(n, pool_size=pool, train_size=train, test_size=test)
    return test, pool, train
