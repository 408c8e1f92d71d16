"""Divides a dataset by patient into pool, real_train and real_test."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tgap.component import Checked, option
from tgap.errors import DataError
from tgap.types import ImageSet, Indices, Split

_SIDES = ("test", "train", "pool")
"""Test first: another pool or training size leaves the test set as it is."""


@dataclass(kw_only=True)
class Splitting(Checked):
    """How large the three sets are, in images, and which draw they are.

    Sizes that are not set take 60 % (pool), 20 % (train) and 20 % (test) of the dataset.
    """

    pool_size: int | None = option(None, "images in the pool, null = 60 %", low=1)
    train_size: int | None = option(None, "images in real_train, null = 20 %", low=1)
    test_size: int | None = option(None, "images in real_test, null = 20 %", low=1)
    split_seed: int = option(0, "draw of the split, apart from the run's seed", low=0)


def split(dataset: ImageSet, splitting: Splitting) -> Split:
    """Draw a patient-disjoint split, stratified by label.

    Images are put into strata by their row of labels; a patient with several images belongs to
    the rarest of their strata, so that rare rows are spread evenly. Within a stratum, patients
    come in random order, and a patient goes to the side in whose share the middle of their images
    falls. What a stratum gave too much or too little, the next one makes up for.

    With one image per patient, the sizes are exact, and so are the shares of every stratum up to
    the rounding of largest remainders (below three images). With several, whole patients move, so
    sizes and shares are off by about the images of one patient.

    Args:
        dataset: Only labels and patients are looked at.
        splitting: Sizes and seed.

    Returns:
        Sorted indices into the dataset; images beyond the sizes asked for are in no set.

    Raises:
        DataError: If the dataset has too few images or patients for the sizes, or a set would
            lack one of the labels.
    """
    sizes = _sizes(len(dataset), splitting)
    patients, patient_of = np.unique(dataset.patients, return_inverse=True)
    counts = np.bincount(patient_of)
    stratum = _rarest_stratum(dataset, patient_of)
    in_stratum = np.bincount(stratum, weights=counts).astype(np.int64)
    targets = _targets(in_stratum, [sizes[side] for side in _SIDES])
    rng = np.random.default_rng(splitting.split_seed)
    order = rng.permutation(len(patients))
    order = order[np.argsort(stratum[order], kind="stable")]
    side_of = np.empty(len(patients), dtype=np.int64)
    carried = np.zeros(len(_SIDES) + 1)
    start = 0
    for row, length in zip(targets, np.bincount(stratum), strict=True):
        members = order[start : start + length]
        start += length
        wanted = row + carried
        middles = np.cumsum(counts[members]) - counts[members] / 2
        edges = np.cumsum(np.maximum(wanted[:-1], 0))
        side_of[members] = np.searchsorted(edges, middles, side="right")
        given = np.bincount(side_of[members], weights=counts[members], minlength=len(wanted))
        carried = wanted - given
    sides = side_of[patient_of]
    found = {side: np.flatnonzero(sides == i).astype(np.int64) for i, side in enumerate(_SIDES)}
    _check_labels(dataset, found)
    return Split(pool=found["pool"], real_train=found["train"], real_test=found["test"])


def _sizes(n: int, splitting: Splitting) -> dict[str, int]:
    """Images asked for on each side."""
    fifth = max(1, round(0.2 * n))
    test, train = splitting.test_size or fifth, splitting.train_size or fifth
    pool = splitting.pool_size or max(1, n - 2 * fifth)
    if pool + train + test > n:
        raise DataError(
            f"the split asks for pool {pool} + train {train} + test {test} = "
            f"{pool + train + test} images, but the dataset has {n}; "
            "lower pool_size, train_size or test_size (those not set take 60 %, 20 % and 20 %)"
        )
    return {"pool": pool, "train": train, "test": test}


def _rarest_stratum(dataset: ImageSet, patient_of: Indices) -> Indices:
    """For each patient, the rarest of the label rows that their images have."""
    _, row, frequency = np.unique(dataset.labels, axis=0, return_inverse=True, return_counts=True)
    # Strata are numbered from the rarest on, so the smallest number of a patient is the rarest.
    rank = np.empty(len(frequency), dtype=np.int64)
    rank[np.argsort(frequency, kind="stable")] = np.arange(len(frequency))
    rarest = np.full(patient_of.max() + 1, len(frequency), dtype=np.int64)
    np.minimum.at(rarest, patient_of, rank[row])
    _, compact = np.unique(rarest, return_inverse=True)
    return compact.astype(np.int64)


def _targets(in_stratum: Indices, sizes: list[int]) -> NDArray[np.int64]:
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


def _check_labels(dataset: ImageSet, found: dict[str, Indices]) -> None:
    available = dataset.labels.any(axis=0)
    for side, indices in found.items():
        if len(indices) == 0:
            raise DataError(
                f"no whole patient fits into {side}_size: the dataset has "
                f"{len(np.unique(dataset.patients))} patients with {len(dataset)} images; "
                f"raise {side}_size"
            )
        lacking = available & ~dataset.labels[indices].any(axis=0)
        if lacking.any():
            names = [dataset.label_names[label] for label in np.flatnonzero(lacking)]
            raise DataError(
                f"no image of label {', '.join(map(repr, names))} would be in the "
                f"{len(indices)} images of the side '{side}' (the dataset's counts: "
                f"{dataset.label_counts()}); raise {side}_size or choose another split_seed"
            )
