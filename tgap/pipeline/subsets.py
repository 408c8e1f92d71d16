"""Random draws of images that look at labels and patients."""

import numpy as np

from tgap.core import Bools, Images, ImageSet, Indices
from tgap.core.digest import image_digests


def draw_per_label(labels: Bools, count: int, rng: np.random.Generator) -> Indices:
    """Positions of ``count`` random images of each label, or of all there are; sorted.

    The rarest label comes first; an image that stands for one label stands for another only where
    no other is left, so that labels that occur together have as many images as if each had its own.

    Args:
        labels: ``(N, L)`` bool.
        count: Images per label.
        rng: Of the draw.
    """
    orders = [rng.permutation(np.flatnonzero(column)) for column in labels.T]
    chosen = np.zeros(len(labels), bool)
    for label in np.argsort(labels.sum(axis=0), kind="stable"):
        own = orders[label]
        chosen[own[np.argsort(chosen[own], kind="stable")][:count]] = True
    return np.flatnonzero(chosen).astype(np.int64)


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
    """Whole patients drawn at random until each label has so many images, or all there are, or
    there are four times as many images as that takes.

    Args:
        data: The dataset.
        rows: Positions in it, sorted.
        per_label: Images that each label shall have.
        rng: Of the draw.
    """
    if len(rows) == 0:
        return rows
    _, patient = np.unique(data.patients[rows], return_inverse=True)
    # Patients are shuffled, and all images of one keep their place beside each other.
    turn = rng.permutation(patient.max() + 1)[patient]
    order = np.argsort(turn, kind="stable")
    lacking = (data.labels[rows[order]].cumsum(axis=0) < per_label).any(axis=1)
    # A rare label must not bring all images of a large dataset into memory.
    lacking &= np.arange(len(rows)) < 4 * per_label * data.labels.shape[1]
    last = turn[order[min(int(lacking.sum()), len(rows) - 1)]]
    chosen: Indices = rows[turn <= last]
    return chosen


def source_patients(images: Images, originals: ImageSet | None = None) -> Indices:
    """Which images stem from one patient, so that they do not pass for independent ones.

    Args:
        images: ``(N, H, W, C)`` uint8.
        originals: Real images that some of them may be, pixel by pixel.

    Returns:
        ``(N,)`` int64: equal images have equal numbers, and so have those that equal images of one
        patient among the originals.
    """
    numbers_of: dict[bytes, int] = {}
    if originals is not None:
        _, patient = np.unique(originals.patients, return_inverse=True)
        numbers_of = dict(zip(image_digests(originals.images), patient.tolist(), strict=True))
    # Above all patients' numbers, so that no drawn image passes for one of theirs by chance.
    next_number = len(numbers_of)
    numbers = []
    for digest in image_digests(images):
        if digest not in numbers_of:
            numbers_of[digest] = next_number
            next_number += 1
        numbers.append(numbers_of[digest])
    return np.array(numbers, dtype=np.int64)
