"""Whole patients shared out over sets, alike in the labels that their images have."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tgap.core import ImageSet, Indices


def drawn(
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
