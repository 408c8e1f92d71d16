"""Random draws of images that look at labels and patients."""

import numpy as np

from tgap.core import Bools, Doubles, Images, ImageSet, Indices
from tgap.core.digest import image_digests


def draw_per_label(
    labels: Bools, count: int, rng: np.random.Generator, sources: Indices | None = None
) -> Indices:
    """Positions of ``count`` random images of each label, or of all there are; sorted.

    The rarest label comes first; an image that stands for one label stands for another only where
    no other is left, so that labels that occur together have as many images as if each had its own.

    Args:
        labels: ``(N, L)`` bool.
        count: Images per label.
        rng: Of the draw.
        sources: ``(N,)``, as of ``sources_of``: images of one are drawn together, ``count`` at
            most unless all have more.
    """
    orders = [rng.permutation(np.flatnonzero(column)) for column in labels.T]
    chosen = np.zeros(len(labels), bool)
    for label in np.argsort(labels.sum(axis=0), kind="stable"):
        own = orders[label]
        own = own[np.argsort(chosen[own], kind="stable")]
        if sources is None:
            chosen[own[:count]] = True
        else:
            chosen |= np.isin(sources, _whole(sources[own], count))
    return np.flatnonzero(chosen).astype(np.int64)


def _whole(sources: Indices, count: int) -> list[int]:
    """Sources, the first ones first, of so many images at most; the smallest if all have more."""
    names, first, sizes = np.unique(sources, return_index=True, return_counts=True)
    drawn: list[int] = []
    left = count
    for one in np.argsort(first):
        if sizes[one] <= left:
            drawn.append(int(names[one]))
            left -= int(sizes[one])
    return drawn or [int(name) for name in names[sizes == sizes.min(initial=count)][:1]]


def at_most(labels: Bools, limits: Doubles, sources: Indices, rng: np.random.Generator) -> Bools:
    """Draw images until one more source would bring a label above its limit.

    A label of which no source is small enough has its smallest one.

    Args:
        labels: ``(N, L)`` bool.
        limits: ``(L,)``, most images of each label; infinite where there is none.
        sources: ``(N,)``, as of ``sources_of``: images of one are drawn together.
        rng: Of the draw.

    Returns:
        ``(N,)`` bool.
    """
    if (labels.sum(axis=0) <= limits).all():
        return np.ones(len(labels), bool)
    _, source = np.unique(sources, return_inverse=True)
    counts = np.zeros((source.max(initial=-1) + 1, labels.shape[1]), np.int64)
    np.add.at(counts, source, labels)
    chosen, drawn = np.zeros(len(counts), bool), np.zeros(labels.shape[1], np.int64)
    for one in rng.permutation(len(counts)):
        if (drawn + counts[one] <= limits).all():
            chosen[one] = True
            drawn += counts[one]
    for label in np.flatnonzero((drawn == 0) & (counts.sum(axis=0) > 0)):
        chosen[np.argmin(np.where(counts[:, label] > 0, counts[:, label], len(labels) + 1))] = True
    return chosen[source]


def share_per_label(
    labels: Bools, share: float, sources: Indices, rng: np.random.Generator
) -> Bools:
    """Draw a share of the images, alike for each combination of labels.

    Args:
        labels: ``(N, L)`` bool.
        share: Between 0 and 1.
        sources: ``(N,)``, as of ``sources_of``: images of one are drawn together.
        rng: Of the draw.

    Returns:
        ``(N,)`` bool: the share at most, and of single images as near to it as can be.
    """
    source, sizes, alike = _by_labels(labels, sources, rng)
    chosen = np.zeros(len(sizes), bool)
    for members in alike:
        left = round(share * int(sizes[members].sum()))
        for one in members:
            if sizes[one] <= left:
                chosen[one] = True
                left -= sizes[one]
    return chosen[source]


def deal_per_label(
    labels: Bools, parts: int, sources: Indices, rng: np.random.Generator
) -> Indices:
    """Divide images into parts of equal size, alike in each combination of labels.

    Args:
        labels: ``(N, L)`` bool.
        parts: How many.
        sources: ``(N,)``, as of ``sources_of``: images of one stay together.
        rng: Of the division.

    Returns:
        ``(N,)`` int64, the part of each image, from 0.
    """
    source, sizes, alike = _by_labels(labels, sources, rng)
    part_of = np.zeros(len(sizes), np.int64)
    total = np.zeros(parts, np.int64)
    for members in alike:
        own = np.zeros(parts, np.int64)
        for one in members[np.argsort(-sizes[members], kind="stable")]:
            part = np.lexsort((total, own))[0]
            part_of[one] = part
            own[part] += sizes[one]
            total[part] += sizes[one]
    return part_of[source]


def _by_labels(
    labels: Bools, sources: Indices, rng: np.random.Generator
) -> tuple[Indices, Indices, list[Indices]]:
    """The source of each image from 0, their sizes, and those of equal labels, in random order."""
    _, source = np.unique(sources, return_inverse=True)
    sizes = np.bincount(source)
    of_source = np.zeros((len(sizes), labels.shape[1]), bool)
    np.logical_or.at(of_source, source, labels)
    _, combination = np.unique(of_source, axis=0, return_inverse=True)
    numbers = range(combination.max(initial=-1) + 1)
    return source, sizes, [rng.permutation(np.flatnonzero(combination == n)) for n in numbers]


def sources_of(made: ImageSet) -> Indices:
    """What tells images of a synthetic set from those that are no others of it: their sources.

    Returns:
        ``(N,)`` int64, equal for images of one patient, for equal images, and so on from each of
        these.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    _, patient = np.unique(made.patients, return_inverse=True)
    _, picture = np.unique(image_digests(made.images), return_inverse=True)
    size = len(made)  # at least as many nodes of either kind as there are
    edges = (np.ones(size, bool), (patient, size + picture))
    _, component = connected_components(coo_array(edges, shape=(2 * size, 2 * size)), False)
    numbers: Indices = component[patient].astype(np.int64)
    return numbers


def divisible(sources: Indices, labels: Bools) -> Indices:
    """The same, but of a label that has one source only each image is its own.

    Otherwise a label whose images are all the same would be lacking on one side of a division.
    """
    numbers = sources.copy()
    for column in labels.T:
        if column.sum() > 1 and len(np.unique(numbers[column])) == 1:
            numbers[column] = numbers.max() + 1 + np.arange(column.sum())
    return numbers


def patients_of(
    data: ImageSet, rows: Indices, per_label: int, rng: np.random.Generator, least: int = 0
) -> Indices:
    """Whole patients drawn at random until each label has so many images, or all there are, or
    there are four times as many images as that takes.

    Args:
        data: The dataset.
        rows: Positions in it, sorted.
        per_label: Images that each label shall have.
        rng: Of the draw.
        least: Images that each label must have if there are so many, however many others that
            brings.
    """
    if len(rows) == 0:
        return rows
    _, patient = np.unique(data.patients[rows], return_inverse=True)
    # Patients are shuffled, and all images of one keep their place beside each other.
    turn = rng.permutation(patient.max() + 1)[patient]
    order = np.argsort(turn, kind="stable")
    counts = data.labels[rows[order]].cumsum(axis=0)
    lacking = (counts < per_label).any(axis=1)
    # A rare label must not bring all images of a large dataset into memory.
    lacking &= np.arange(len(rows)) < 4 * per_label * data.labels.shape[1]
    lacking |= (counts < least).any(axis=1)
    last = turn[order[min(int(lacking.sum()), len(rows) - 1)]]
    chosen: Indices = rows[turn <= last]
    return chosen


def reserved(
    data: ImageSet, pool: Indices, used: Indices, rng: np.random.Generator
) -> tuple[Indices, Indices]:
    """The pool's images of patients that have no image elsewhere, as two halves by patient.

    The halves are dealt before the others' patients are taken out: on which half a patient is
    does not depend on what was used, nor on the order of the rows.

    Args:
        data: The dataset.
        pool: Positions of the pool in it.
        used: Positions of images whose patients are left out.
        rng: Of the division.

    Returns:
        Positions in the dataset of each half, sorted; no patient is in both.
    """
    patients = data.patients[pool]
    half = deal_per_label(data.labels[pool], 2, patients, rng)
    free = ~np.isin(patients, data.patients[used])
    return np.sort(pool[free & (half == 0)]), np.sort(pool[free & (half == 1)])


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
