"""Patient-disjoint splits, stratified by label."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tgap.errors import DataError
from tgap.protocols.base import Protocol, require_images
from tgap.settings import Splitting
from tgap.types import Bools, ImageSet, Indices, Split


@dataclass(kw_only=True)
class Clean(Protocol):
    """Whole patients are drawn, stratified by label, and sizes count per label.

    Where the dataset names an official test set, real_test is drawn from it alone (all of it
    unless ``test_size`` is set), and pool and real_train from the rest.

    Images are put into strata by their row of labels; a patient with several images belongs to
    the rarest of their strata, so that rare rows are spread evenly. Within a stratum, patients
    come in random order, and a patient goes to the side in whose share the middle of their images
    falls. What a stratum gave too much or too little, the next one makes up for.

    With one image per patient, the sizes are exact, and so are the shares of every stratum up to
    the rounding of largest remainders (below three images). With several, whole patients move, so
    sizes and shares are off by about the images of one patient.
    """

    def _split(self, dataset: ImageSet, splitting: Splitting) -> Split:
        rng = np.random.default_rng(splitting.split_seed)
        if dataset.official_test is None:
            sizes = _sizes(len(dataset), splitting)
            everything = np.arange(len(dataset), dtype=np.int64)
            test, train, pool = _drawn(dataset, everything, sizes, rng)
        else:
            _check_official(dataset, dataset.official_test)
            official = np.flatnonzero(dataset.official_test).astype(np.int64)
            rest = np.flatnonzero(~dataset.official_test).astype(np.int64)
            test_size, *others = _official_sizes(len(official), len(rest), splitting)
            (test,) = _drawn(dataset, official, [test_size], rng)
            train, pool = _drawn(dataset, rest, others, rng)
        for name, indices in (("test", test), ("train", train), ("pool", pool)):
            if len(indices) == 0:
                raise DataError(
                    f"no whole patient fits into {name}_size: the dataset has "
                    f"{len(np.unique(dataset.patients))} patients with {len(dataset)} images; "
                    f"raise {name}_size"
                )
        return Split(pool=pool, real_train=train, real_test=test)


def _drawn(
    dataset: ImageSet, among: Indices, sizes: Sequence[int], rng: np.random.Generator
) -> list[Indices]:
    """Sets of about ``sizes`` images, patient-disjoint and stratified, out of those in ``among``.

    Side after side is filled, so another size of a later one leaves the earlier ones as they are.
    """
    labels = dataset.labels[among]
    patients, patient_of = np.unique(dataset.patients[among], return_inverse=True)
    counts = np.bincount(patient_of)
    stratum = _rarest_stratum(labels, patient_of)
    in_stratum = np.bincount(stratum, weights=counts).astype(np.int64)
    order = rng.permutation(len(patients))
    order = order[np.argsort(stratum[order], kind="stable")]
    side_of = np.empty(len(patients), dtype=np.int64)
    carried = np.zeros(len(sizes) + 1)
    start = 0
    for row, length in zip(_targets(in_stratum, sizes), np.bincount(stratum), strict=True):
        members = order[start : start + length]
        start += length
        wanted = row + carried
        middles = np.cumsum(counts[members]) - counts[members] / 2
        edges = np.cumsum(np.maximum(wanted[:-1], 0))
        side_of[members] = np.searchsorted(edges, middles, side="right")
        given = np.bincount(side_of[members], weights=counts[members], minlength=len(wanted))
        carried = wanted - given
    sides = side_of[patient_of]
    return [among[sides == side] for side in range(len(sizes))]


def _sizes(n: int, splitting: Splitting) -> list[int]:
    """Images of test, train and pool; test first, so that it does not change with the others."""
    fifth = max(1, round(0.2 * n))
    pool = splitting.pool_size or max(1, n - 2 * fifth)
    train, test = splitting.train_size or fifth, splitting.test_size or fifth
    require_images(n, (("pool_size", pool), ("train_size", train), ("test_size", test)))
    return [test, train, pool]


def _official_sizes(official: int, rest: int, splitting: Splitting) -> list[int]:
    """The same with an official test set; of the rest, a quarter trains unless set."""
    quarter = max(1, round(0.25 * rest))
    pool = splitting.pool_size or max(1, rest - (splitting.train_size or quarter))
    train = splitting.train_size or min(quarter, max(1, rest - pool))
    require_images(rest, (("pool_size", pool), ("train_size", train)))
    test = splitting.test_size or official
    require_images(official, (("test_size", test),))
    return [test, train, pool]


def _check_official(dataset: ImageSet, official: Bools) -> None:
    if not official.any() or official.all():
        raise DataError(
            f"the official test set has {int(official.sum())} of the dataset's {len(dataset)} "
            "images; it must leave some on both sides"
        )
    shared = np.intersect1d(dataset.patients[official], dataset.patients[~official])
    if len(shared):
        raise DataError(
            f"{len(shared)} patients are both in the official test set and outside it; mend the "
            "dataset's lists, so that nobody is tested on patients trained on"
        )


def _rarest_stratum(labels: Bools, patient_of: Indices) -> Indices:
    """For each patient, the rarest of the label rows that their images have."""
    _, row, frequency = np.unique(labels, axis=0, return_inverse=True, return_counts=True)
    # Strata are numbered from the rarest on, so the smallest number of a patient is the rarest.
    rank = np.empty(len(frequency), dtype=np.int64)
    rank[np.argsort(frequency, kind="stable")] = np.arange(len(frequency))
    rarest = np.full(patient_of.max() + 1, len(frequency), dtype=np.int64)
    np.minimum.at(rarest, patient_of, rank[row])
    _, compact = np.unique(rarest, return_inverse=True)
    return compact.astype(np.int64)


def _targets(in_stratum: Indices, sizes: Sequence[int]) -> NDArray[np.int64]:
    """Images of each stratum for each side and, last, for none: ``(strata, sides + 1)``.

    Side after side takes its largest-remainder share of what is left, so that rows and columns
    sum up exactly.
    """
    left, columns = in_stratum.copy(), []
    for size in sizes:
        share = size * left / left.sum()
        column = np.floor(share).astype(np.int64)
        most = np.argsort(column - share, kind="stable")
        column[most[: size - column.sum()]] += 1
        columns.append(column)
        left = left - column
    return np.stack([*columns, left], axis=1)
