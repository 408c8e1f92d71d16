"""Patient-disjoint splits, stratified by label."""

from dataclasses import dataclass

import numpy as np

from tgap.core import Bools, DataError, ImageSet, Indices, Split
from tgap.core.settings import Splitting
from tgap.protocols.base import Protocol, require_images
from tgap.protocols.dealing.patients import drawn

FEW = 100
"""Images of a label at most where cross-fitting is told of: a fifth of them would test."""


@dataclass(kw_only=True)
class Clean(Protocol):
    """Whole patients are drawn, stratified by label, and sizes count per label.

    Where the dataset names an official test set, real_test is drawn from it alone (all of it
    unless ``test_size`` is set), and pool and real_train from the rest.

    Where it names an official pool (a textbook), the pool is all of it, or ``pool_size`` images if
    it has more, and nothing else. real_train and real_test are then those that would be drawn of
    the other images alone, so runs with and without a textbook are tested alike; what would be the
    pool there is in no set, unless ``train_size`` takes it.

    Strata are the rows of labels that images have. Patients with several images, perhaps of
    several strata, are dealt first, those with most images before the others: for each side in
    turn, a patient goes there or to the rest, whichever lacks their images more. Patients with one
    image then fill every stratum up in random order.

    With one image per patient, the sizes are exact, and so are the shares of every stratum up to
    the rounding of largest remainders (below three images). With several, whole patients move, so
    sizes and shares may be off by some images of one patient.
    """

    def advice(self, dataset: ImageSet) -> list[str]:
        """That few images had better be cross-fitted, or else averaged over splits."""
        counts = dataset.label_counts()
        fewest = min(counts, key=lambda name: counts[name])
        if counts[fewest] > FEW or dataset.official_pool is not None:
            return []
        return [
            f"label '{fewest}' has {counts[fewest]} images only, of which protocol=clean tests "
            "some few: with `profile=few protocol.fold=0,1,2,3,4 -m` each tests once and tunes in "
            "other runs (docs/few_images.md); `split_seed=0,1,2,3,4 -m` averages clean over splits "
            "instead (docs/statistics.md)"
        ]

    def sources(self, dataset: ImageSet) -> dict[str, int]:
        """The official pool and test set are drawn from by themselves."""
        own_pool, test = dataset.official_pool, dataset.official_test
        others = np.ones(len(dataset), bool) if own_pool is None else ~own_pool
        tests = others if test is None else others & test
        rest = others if test is None else others & ~test
        pool = rest if own_pool is None else own_pool
        sides = {"pool": pool, "real_train": rest, "real_test": tests}
        return {side: int(rows.sum()) for side, rows in sides.items()}

    def _split(self, dataset: ImageSet, splitting: Splitting) -> Split:
        rng = np.random.default_rng(splitting.split_seed)
        own_pool = dataset.official_pool
        others = np.ones(len(dataset), bool)
        if own_pool is not None:
            _check_official(dataset, own_pool, "pool")
            others = ~own_pool
        if dataset.official_test is None:
            sizes = _sizes(int(others.sum()), splitting, own_pool is not None, _labels(dataset))
            test, train, pool = drawn(dataset, _rows(others), sizes, rng)
        else:
            _check_official(dataset, dataset.official_test, "test set")
            official = _rows(others & dataset.official_test)
            rest = _rows(others & ~dataset.official_test)
            sizes = _official_sizes(len(official), len(rest), splitting, own_pool is not None)
            (test,) = drawn(dataset, official, sizes[:1], rng)
            train, pool = drawn(dataset, rest, sizes[1:], rng)
        if own_pool is not None:
            pool = _drawn_pool(dataset, own_pool, splitting.pool_size, rng)
        for name, indices in (("test", test), ("train", train), ("pool", pool)):
            if len(indices) == 0:
                patients = len(np.unique(dataset.patients))
                remedy = f"raise {name}_size"
                if patients < 3:
                    remedy = "three sides need three; is dataset.patient_column the right one?"
                raise DataError(
                    f"no whole patient fits into {name}_size: the dataset has {patients} patients "
                    f"with {len(dataset)} images; {remedy}"
                )
        return Split(pool=pool, real_train=train, real_test=test)


def _rows(chosen: Bools) -> Indices:
    return np.flatnonzero(chosen).astype(np.int64)


def _drawn_pool(
    dataset: ImageSet, own_pool: Bools, size: int | None, rng: np.random.Generator
) -> Indices:
    """The pool where it is a source of its own: all of it, or ``size`` images if it has more."""
    rows = _rows(own_pool)
    return drawn(dataset, rows, [min(size or len(rows), len(rows))], rng)[0]


def _labels(dataset: ImageSet) -> int:
    """How many images a side needs at least: one of each label, if none has several."""
    one = (dataset.labels.sum(axis=1) <= 1).all()
    return len(dataset.label_names) if one else 1


def _sizes(n: int, splitting: Splitting, own_pool: bool, least: int) -> list[int]:
    """Images of test, train and pool; test first, so that it does not change with the others.

    None for the pool, if that is a source of its own. A fifth is at least ``least`` images, and
    the pool leaves room for what is asked for.
    """
    fifth = max(1, round(0.2 * n), least)
    train, test = splitting.train_size or fifth, splitting.test_size or fifth
    rest = min(n - 2 * fifth, n - train - test)
    pool = 0 if own_pool else splitting.pool_size or max(1, rest)
    require_images(n, pool_size=pool, train_size=train, test_size=test)
    return [test, train, pool]


def _official_sizes(official: int, rest: int, splitting: Splitting, own_pool: bool) -> list[int]:
    """The same with an official test set; of the rest, a quarter trains unless set."""
    quarter = max(1, round(0.25 * rest))
    left = max(1, rest - (splitting.train_size or quarter))
    pool = 0 if own_pool else splitting.pool_size or left
    train = splitting.train_size or min(quarter, max(1, rest - pool))
    require_images(rest, pool_size=pool, train_size=train)
    test = splitting.test_size or official
    require_images(official, test_size=test)
    return [test, train, pool]


def _check_official(dataset: ImageSet, official: Bools, what: str) -> None:
    if not official.any() or official.all():
        raise DataError(
            f"the official {what} has {int(official.sum())} of the dataset's {len(dataset)} "
            "images; it must leave some on both sides"
        )
    shared = np.intersect1d(dataset.patients[official], dataset.patients[~official])
    if len(shared):
        raise DataError(
            f"{len(shared)} patients are both in the official {what} and outside it; mend the "
            "dataset's lists, so that nobody is tested on patients trained on"
        )
