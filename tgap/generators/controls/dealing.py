"""Which real image a control shows next."""

import numpy as np

from tgap.core import Bools, DataError, ImageSet, Indices
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
    """``per_label`` different held-out images of each label; no patient trains and tests.

    Patients are divided in two, the same for all labels, as images that train are to those that
    test; of each side a label's images are a random draw, as real ones of ``real_train`` are.
    (Patient after patient, 40 images would be of some ten patients, and teach less than real ones
    of 40.) A rare label, of which one side has too few, moves its border to the patient nearest by
    that leaves enough on both sides; only where there is none are a patient's images divided.

    Labels take turns, and an image that is dealt for one is dealt for another only where no other
    is left. Images with k labels come k times as early, since each of their labels may be the one
    that takes them: images of a label are then a fair draw of those that have it.

    Args:
        examples: What the control draws from.
        title: The control's name in messages.
        rng: Of the patients' and the images' order.

    Returns:
        ``(per_label,)`` positions in ``examples.held_out`` by label, those that train first.

    Raises:
        DataError: If there are too few images.
    """
    held_out, count, train = examples.held_out, examples.per_label, examples.training
    _, patient = np.unique(held_out.patients, return_inverse=True)
    turn = rng.permutation(patient.max(initial=-1) + 1)[patient]
    order = _order(held_out, rng)
    border = (patient.max(initial=-1) + 1) * train / count
    queues = []
    for name, has in zip(held_out.label_names, held_out.labels.T, strict=True):
        own = order[has[order]]
        if problems := too_few(title, name, len(own), count):
            raise DataError(*problems)
        before = _before(turn[own], border, train, count - train)
        queues.append((own[before].tolist(), own[~before].tolist()))
    dealt: list[list[int]] = [[] for _ in queues]
    taken: set[int] = set()
    fresh = [tuple(map(iter, sides)) for sides in queues]
    for position in range(count):
        side = int(position >= train)
        for rows, own, queue in zip(dealt, fresh, queues, strict=True):
            row = next((row for row in own[side] if row not in taken), None)
            if row is None:  # all are another label's too
                row = next(row for row in queue[side] if row not in set(rows))
            rows.append(row)
            taken.add(row)
    return {label: np.array(rows, dtype=np.int64) for label, rows in enumerate(dealt)}


def _before(turn: Indices, border: float, least: int, least_behind: int) -> Bools:
    """Which of a label's images stand before the border: so many at least, and behind it, too.

    Args:
        turn: ``(N,)``, the place of each image's patient.
        border: A place.
        least: Images before it.
        least_behind: Images behind it, N together at most.
    """
    ordered = np.sort(turn, kind="stable")
    places = np.append(np.flatnonzero(np.diff(ordered, prepend=-1)), len(turn))
    fitting = places[(places >= least) & (places <= len(turn) - least_behind)]
    edge = int(np.searchsorted(ordered, border))
    if len(fitting):
        edge = int(fitting[np.abs(fitting - edge).argmin()])
    else:
        edge = min(max(edge, least), len(turn) - least_behind)
    before = np.zeros(len(turn), bool)
    before[np.argsort(turn, kind="stable")[:edge]] = True
    return before


def _order(held_out: ImageSet, rng: np.random.Generator) -> Indices:
    """Positions in a random order weighted by the number of labels.

    Efraimidis and Spirakis, Weighted random sampling with a reservoir, 2006.
    """
    key = rng.exponential(size=len(held_out)) / np.maximum(held_out.labels.sum(axis=1), 1)
    return np.argsort(key, kind="stable").astype(np.int64)
