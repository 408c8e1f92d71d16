"""The thesis's own draws, leaks and all."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tgap.protocols.base import Protocol, require_images
from tgap.settings import Splitting
from tgap.types import Bools, ImageSet, Indices, Split

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
    has more, and all other images are real_train or real_test.

    Departure: the three sets never share an image, which the thesis does not say of its own.
    """

    size_unit: ClassVar[str] = "total"

    def _split(self, dataset: ImageSet, splitting: Splitting) -> Split:
        rng = np.random.default_rng(splitting.split_seed)
        if dataset.official_pool is not None:
            return _beside(dataset.official_pool, splitting, rng)
        n = len(dataset)
        fifth = max(1, round(0.2 * n))
        large = n >= POOL + 2 * TEST
        test = splitting.test_size or (TEST if large else fifth)
        pool = splitting.pool_size or (POOL if large else max(1, n - 2 * fifth))
        train = splitting.train_size or (max(1, n - test - pool) if large else fifth)
        require_images(n, (("pool_size", pool), ("train_size", train), ("test_size", test)))
        order = rng.permutation(n)
        ends = np.cumsum([test, pool, train])

        def part(begin: int, end: int) -> Indices:
            return np.sort(order[begin:end]).astype(np.int64)

        return Split(
            real_test=part(0, ends[0]),
            pool=part(ends[0], ends[1]),
            real_train=part(ends[1], ends[2]),
        )


def _beside(own_pool: Bools, splitting: Splitting, rng: np.random.Generator) -> Split:
    """Test and training images among those that are not in the pool's own source."""
    others, given = rng.permutation(np.flatnonzero(~own_pool)), np.flatnonzero(own_pool)
    n = len(others)
    test = splitting.test_size or (TEST if n >= 2 * TEST else max(1, round(0.2 * n)))
    train = splitting.train_size or max(1, n - test)
    require_images(n, (("train_size", train), ("test_size", test)))
    return Split(
        pool=np.sort(rng.permutation(given)[: splitting.pool_size]),
        real_train=np.sort(others[test : test + train]),
        real_test=np.sort(others[:test]),
    )
