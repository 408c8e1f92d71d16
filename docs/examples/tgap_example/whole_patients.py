"""A protocol: whole patients at random, whatever their labels."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tgap.core import ImageSet, Split
from tgap.core.settings import Splitting
from tgap.protocols.base import Protocol, require_images


@dataclass(kw_only=True)
class WholePatients(Protocol):
    """Patients in random order: the first ones test, the next train, the rest are the pool.

    Unlike ``clean`` it does not balance labels between the sides, and an official test set is
    ignored. A side ends with the patient by whom it reaches its size. A fifth of the images tests
    and a fifth trains unless sizes are set.
    """

    def _split(self, dataset: ImageSet, splitting: Splitting) -> Split:
        n = len(dataset)
        fifth = max(1, round(0.2 * n))
        test, train = splitting.test_size or fifth, splitting.train_size or fifth
        pool = splitting.pool_size or max(1, n - test - train)
        require_images(n, pool_size=pool, train_size=train, test_size=test)
        _, patients = np.unique(dataset.patients, return_inverse=True)
        rng = np.random.default_rng(splitting.split_seed)
        turns = rng.permutation(patients.max() + 1)[patients]
        order = np.argsort(turns, kind="stable")
        ends = [0]
        for size in (test, train, pool):
            last = turns[order[min(ends[-1] + size, n) - 1]]
            ends.append(int(np.searchsorted(turns[order], last, side="right")))
        sides = (np.sort(order[a:b]) for a, b in pairwise(ends))
        real_test, real_train, pool_rows = (side.astype(np.int64) for side in sides)
        return Split(pool=pool_rows, real_train=real_train, real_test=real_test)
