"""Which real image a control shows next."""

import numpy as np

from tgap.core import DataError, Indices
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
    share few patients with the last ones, which test. The rarest label comes first, and an image
    that is dealt for one label is dealt for another only where no other is left.

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
    _, patient = np.unique(held_out.patients, return_inverse=True)
    turn = rng.permutation(len(held_out))[patient]
    order = np.argsort(turn, kind="stable")
    dealt, taken = {}, np.zeros(len(held_out), bool)
    for label in np.argsort(held_out.labels.sum(axis=0), kind="stable").tolist():
        rows = order[held_out.labels[order, label]]
        if problems := too_few(title, held_out.label_names[label], len(rows), count):
            raise DataError(*problems)
        rows = rows[np.argsort(taken[rows], kind="stable")][:count]
        taken[rows] = True
        dealt[label] = rows.astype(np.int64)
    return dict(sorted(dealt.items()))
