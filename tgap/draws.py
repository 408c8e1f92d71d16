"""Random draws of images that look at labels and patients."""

import numpy as np

from tgap.types import Bools, ImageSet, Indices


def draw_per_label(labels: Bools, count: int, rng: np.random.Generator) -> Indices:
    """Positions of ``count`` random images of each label, or of all there are; sorted.

    Args:
        labels: ``(N, L)`` bool.
        count: Images per label.
        rng: Of the draw.
    """
    chosen = [rng.permutation(np.flatnonzero(column))[:count] for column in labels.T]
    return np.unique(np.concatenate(chosen)).astype(np.int64)


def share_per_label(labels: Bools, share: float, rng: np.random.Generator) -> Bools:
    """Draw a share of the images, alike for each combination of labels.

    Args:
        labels: ``(N, L)`` bool.
        share: Between 0 and 1.
        rng: Of the draw.

    Returns:
        ``(N,)`` bool.
    """
    chosen = np.zeros(len(labels), bool)
    _, combination = np.unique(labels, axis=0, return_inverse=True)
    for which in range(combination.max(initial=-1) + 1):
        members = rng.permutation(np.flatnonzero(combination == which))
        chosen[members[: round(share * len(members))]] = True
    return chosen


def patients_of(data: ImageSet, rows: Indices, per_label: int, rng: np.random.Generator) -> Indices:
    """Whole patients drawn at random until each label has so many images, or all there are.

    Args:
        data: The dataset.
        rows: Positions in it, sorted.
        per_label: Images that each label shall have.
        rng: Of the draw.
    """
    if len(rows) == 0:
        return rows
    _, patient = np.unique(data.patients[rows], return_inverse=True)
    turn = rng.permutation(patient.max() + 1)[patient]
    order = np.argsort(turn, kind="stable")
    lacking = (data.labels[rows[order]].cumsum(axis=0) < per_label).any(axis=1)
    last = turn[order[min(int(lacking.sum()), len(rows) - 1)]]
    chosen: Indices = rows[turn <= last]
    return chosen
