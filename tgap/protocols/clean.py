"""Patient-disjoint splits, stratified by label."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tgap.core import Bools, DataError, ImageSet, Indices, Split
from tgap.core.settings import Splitting
from tgap.protocols.base import Protocol, require_images


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

    def _split(self, dataset: ImageSet, splitting: Splitting) -> Split:
        rng = np.random.default_rng(splitting.split_seed)
        own_pool = dataset.official_pool
        others = np.ones(len(dataset), bool)
        if own_pool is not None:
            _check_official(dataset, own_pool, "pool")
            others = ~own_pool
        if dataset.official_test is None:
            sizes = _sizes(int(others.sum()), splitting, own_pool is not None)
            test, train, pool = _drawn(dataset, _rows(others), sizes, rng)
        else:
            _check_official(dataset, dataset.official_test, "test set")
            official = _rows(others & dataset.official_test)
            rest = _rows(others & ~dataset.official_test)
            sizes = _official_sizes(len(official), len(rest), splitting, own_pool is not None)
            (test,) = _drawn(dataset, official, sizes[:1], rng)
            train, pool = _drawn(dataset, rest, sizes[1:], rng)
        if own_pool is not None:
            pool = _drawn_pool(dataset, own_pool, splitting.pool_size, rng)
        for name, indices in (("test", test), ("train", train), ("pool", pool)):
            if len(indices) == 0:
                raise DataError(
                    f"no whole patient fits into {name}_size: the dataset has "
                    f"{len(np.unique(dataset.patients))} patients with {len(dataset)} images; "
                    f"raise {name}_size"
                )
        return Split(pool=pool, real_train=train, real_test=test)


def _rows(chosen: Bools) -> Indices:
    return np.flatnonzero(chosen).astype(np.int64)


def _drawn_pool(
    dataset: ImageSet, own_pool: Bools, size: int | None, rng: np.random.Generator
) -> Indices:
    """The pool where it is a source of its own: all of it, or ``size`` images if it has more."""
    rows = _rows(own_pool)
    return _drawn(dataset, rows, [min(size or len(rows), len(rows))], rng)[0]


def _drawn(
    dataset: ImageSet, among: Indices, sizes: Sequence[int], rng: np.random.Generator
) -> list[Indices]:
    """Sets of about ``sizes`` images, patient-disjoint and stratified, out of those in ``among``.

    Side after side is filled, so another size of a later one leaves the earlier ones as they are.
    """
    _, stratum_of, in_stratum = np.unique(
        dataset.labels[among], axis=0, return_inverse=True, return_counts=True
    )
    # Strata are numbered from the rarest on: what one gives too much, a more frequent one saves.
    stratum_of = np.argsort(np.argsort(in_stratum, kind="stable"), kind="stable")[stratum_of]
    in_stratum = np.sort(in_stratum, kind="stable")
    patients, patient_of = np.unique(dataset.patients[among], return_inverse=True)
    order = rng.permutation(len(patients))
    targets = _targets(in_stratum, sizes)
    side_of = np.full(len(patients), -1)
    for side, chosen in enumerate(_dealt(patient_of, stratum_of, order, targets)):
        side_of[chosen] = side
    dealt = side_of[patient_of] >= 0
    given = np.zeros_like(targets)
    np.add.at(given, (stratum_of[dealt], side_of[patient_of[dealt]]), 1)
    single = np.flatnonzero(np.bincount(patient_of) == 1)
    stratum = np.zeros(len(patients), dtype=np.int64)
    stratum[patient_of] = stratum_of
    order = order[np.isin(order, single)]
    order = order[np.argsort(stratum[order], kind="stable")]
    side_of[order] = _filled(stratum[order], targets - given)
    if sum(sizes) == len(among):  # nobody was to be left out
        side_of = np.minimum(side_of, len(sizes) - 1)
    return [among[side_of[patient_of] == side] for side in range(len(sizes))]


def _dealt(
    patient_of: Indices, stratum_of: Indices, order: Indices, targets: NDArray[np.int64]
) -> list[list[int]]:
    """The patients with several images on each side and, last, on none."""
    held: dict[int, Counter[int]] = {}
    for patient, stratum in zip(patient_of.tolist(), stratum_of.tolist(), strict=True):
        held.setdefault(patient, Counter())[stratum] += 1
    left = [patient for patient in order.tolist() if held[patient].total() > 1]
    left.sort(key=lambda patient: -held[patient].total())
    sides = []
    for side in range(targets.shape[1] - 1):
        rest = targets[:, side + 1 :].sum(axis=1)
        chosen = _one_side([held[patient] for patient in left], targets[:, side], rest)
        sides.append([patient for patient, here in zip(left, chosen, strict=True) if here])
        left = [patient for patient, here in zip(left, chosen, strict=True) if not here]
    return [*sides, left]


def _one_side(
    patients: Sequence[Counter[int]], target: NDArray[np.int64], rest: NDArray[np.int64]
) -> list[bool]:
    """Which patients come to one side, the others being left to the rest.

    Each goes where the squared distance to the targets (images in all, and of each stratum),
    relative to the two sides' sizes, falls most.
    """
    wanted = [[float(side.sum()), *side.tolist()] for side in (target, rest)]
    sizes = [max(side[0], 1e-9) for side in wanted]
    total = [sum(both) for both in zip(*wanted, strict=True)]
    chosen = []
    for held in patients:
        amounts = [(0, held.total()), *((stratum + 1, n) for stratum, n in held.items())]
        gains = [
            sum(n * (2 * side[i] - n) / total[i] for i, n in amounts if total[i]) / size
            for side, size in zip(wanted, sizes, strict=True)
        ]
        chosen.append(gains[0] > gains[1])
        side = wanted[0 if chosen[-1] else 1]
        for i, n in amounts:
            side[i] -= n
    return chosen


def _filled(stratum: Indices, wanted: NDArray[np.int64]) -> Indices:
    """The side of each patient with one image, stratum by stratum, the last number being none."""
    sides, carried = [np.empty(0, dtype=np.int64)], np.zeros(wanted.shape[1], dtype=np.int64)
    for row, length in zip(wanted, np.bincount(stratum, minlength=len(wanted)), strict=True):
        missing = row + carried
        edges = np.cumsum(np.maximum(missing[:-1], 0))
        sides.append(np.searchsorted(edges, np.arange(length), side="right"))
        carried = missing - np.bincount(sides[-1], minlength=len(missing))
    return np.concatenate(sides)


def _sizes(n: int, splitting: Splitting, own_pool: bool) -> list[int]:
    """Images of test, train and pool; test first, so that it does not change with the others.

    None for the pool, if that is a source of its own.
    """
    fifth = max(1, round(0.2 * n))
    pool = 0 if own_pool else splitting.pool_size or max(1, n - 2 * fifth)
    train, test = splitting.train_size or fifth, splitting.test_size or fifth
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


def _targets(in_stratum: Indices, sizes: Sequence[int]) -> NDArray[np.int64]:
    """Images of each stratum for each side and, last, for none: ``(strata, sides + 1)``.

    Side after side takes its largest-remainder share of what is left, so that rows and columns
    sum up exactly.
    """
    left, columns = in_stratum.copy(), []
    for size in sizes:
        share = size * left / max(1, left.sum())
        column = np.floor(share).astype(np.int64)
        most = np.argsort(column - share, kind="stable")
        column[most[: size - column.sum()]] += 1
        columns.append(column)
        left = left - column
    return np.stack([*columns, left], axis=1)
