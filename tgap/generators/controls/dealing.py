"""Which real image a control shows next."""

import numpy as np

from tgap.core import DataError, ImageSet, Indices
from tgap.generators.controls.base import Examples


def cycled(examples: Examples, rng: np.random.Generator) -> dict[int, Indices]:
    """``per_label`` tuning images of each label: all of them in random order, again and again.

    An image that was picked twice comes twice in each round.

    Args:
        examples: What the control draws from.
        rng: Of the order.

    Returns:
        ``(per_label,)`` positions in ``examples.tuning`` by label.
    """
    count = examples.per_label
    dealt = {}
    for label, has in enumerate(examples.tuning.labels.T):
        rows = np.flatnonzero(has)
        rounds = [rng.permutation(rows) for _ in range(-(-count // len(rows)))]
        dealt[label] = np.concatenate(rounds)[:count].astype(np.int64)
    return dealt


def too_few(title: str, label: str, there: int, count: int) -> list[str]:
    """A sentence if fewer held-out images are there than will be drawn."""
    if there >= count:
        return []
    return [
        f"generator '{title}' needs {count} held-out images of label '{label}' "
        f"(budget.train_per_label + budget.test_per_label), but the pool has {there} whose "
        "patients are not in the tuning set; lower budget.train_per_label, budget.test_per_label "
        "or size, or raise pool_size"
    ]


def by_patient(examples: Examples, title: str, rng: np.random.Generator) -> dict[int, Indices]:
    """``per_label`` different held-out images of each label, patient by patient.

    The patients' random order is the same for all labels, so that the first images, which train,
    share few patients with the last ones, which test. Labels take turns, and an image that is dealt
    for one is dealt for another only where no other is left. Patients with k labels an image come
    k times as early, since each of their labels may be the one that takes them: images of a label
    are then a fair draw of those that have it.

    Args:
        examples: What the control draws from.
        title: The control's name in messages.
        rng: Of the patients' order.

    Returns:
        ``(per_label,)`` positions in ``examples.held_out`` by label.

    Raises:
        DataError: If there are too few images.
    """
    held_out, count = examples.held_out, examples.per_label
    order = _order(held_out, rng)
    queues = [order[has[order]].tolist() for has in held_out.labels.T]
    for name, queue in zip(held_out.label_names, queues, strict=True):
        if problems := too_few(title, name, len(queue), count):
            raise DataError(*problems)
    dealt: list[list[int]] = [[] for _ in queues]
    taken: set[int] = set()
    fresh = [iter(queue) for queue in queues]
    for _ in range(count):
        for rows, own, queue in zip(dealt, fresh, queues, strict=True):
            row = next((row for row in own if row not in taken), None)
            if row is None:  # all are another label's too
                row = next(row for row in queue if row not in set(rows))
            rows.append(row)
            taken.add(row)
    return {label: np.array(rows, dtype=np.int64) for label, rows in enumerate(dealt)}


def _order(held_out: ImageSet, rng: np.random.Generator) -> Indices:
    """Positions by patient, in a random order weighted by labels per image.

    Efraimidis and Spirakis, Weighted random sampling with a reservoir, 2006.
    """
    _, patient = np.unique(held_out.patients, return_inverse=True)
    turn = rng.permutation(len(held_out))[: patient.max() + 1]
    images = np.bincount(patient)
    labels = np.bincount(patient, held_out.labels.sum(axis=1)) / images
    key = -np.log1p(-(turn + 0.5) / len(held_out)) / np.maximum(labels, 1)
    return np.argsort(key[patient], kind="stable").astype(np.int64)
