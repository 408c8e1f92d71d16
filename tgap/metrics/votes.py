"""Labels of images by those of their neighbours: AdaNPC's two classifiers."""

import numpy as np

from tgap.core import Bools, ContractError, Doubles, Floats


def votes(
    memory: Floats, labels: Bools, queries: Floats, k: int = 100, temperature: float = 0.1
) -> Doubles:
    """For each label the share of the k nearest neighbours' votes, weighted by their cosines.

    sum over the k nearest i of softmax_i(cos(x, x_i) / T) [i has the label]: Zhang et al. 2023
    (AdaNPC, arXiv 2302.12566), section 3, whose defaults k and T are. Departure: labels may occur
    together; each is voted on by itself.

    Args:
        memory: ``(M, d)`` features, M at least 1.
        labels: ``(M, L)`` bool, theirs.
        queries: ``(N, d)``.
        k: Neighbours, all if there are fewer.
        temperature: T, above 0.

    Returns:
        ``(N, L)`` in [0, 1].

    Raises:
        ContractError: If the memory is empty, or k or T is out of range.

    >>> memory, labels = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[True], [False]])
    >>> votes(memory, labels, np.array([[1.0, 1.0], [1.0, 0.0]]), k=2, temperature=1.0).round(2)
    array([[0.5 ],
           [0.73]])
    """
    _check(memory, k, temperature)
    known, asked = directions(memory), directions(queries)
    return np.concatenate(
        [
            np.empty((0, labels.shape[1])),
            *(_of(known @ query, labels, k, temperature)[None] for query in asked),
        ]
    )


def adaptive_votes(
    memory: Floats,
    labels: Bools,
    queries: Floats,
    k: int = 100,
    temperature: float = 0.1,
    sure: float = 0.9,
) -> Doubles:
    """The same, one query after another: one whose labels are all voted clearly joins the memory.

    Clearly is a share of at least ``sure``, or of at most 1 - ``sure``. Departures from the
    authors' code: the memory holds nothing at first but the training images (there one random
    vector stays in it), and the threshold is one of shares (there of a softmax of them, which .75
    of two classes never reaches).

    Args:
        memory: As of ``votes``.
        labels: As of ``votes``.
        queries: ``(N, d)`` in the order in which they come, which matters.
        k: As of ``votes``.
        temperature: As of ``votes``.
        sure: In (.5, 1].

    Returns:
        ``(N, L)`` in [0, 1].

    Raises:
        ContractError: As ``votes``, or if ``sure`` is out of range.
    """
    _check(memory, k, temperature)
    if not 0.5 < sure <= 1:
        raise ContractError(f"sure must be in (.5, 1], got {sure}")
    asked, filled = directions(queries), len(memory)
    known = np.concatenate([directions(memory), np.empty_like(asked)])
    said = np.concatenate([labels, np.zeros((len(asked), labels.shape[1]), bool)])
    shares = np.empty((len(asked), labels.shape[1]))
    for row, query in enumerate(asked):
        shares[row] = _of(known[:filled] @ query, said[:filled], k, temperature)
        if (np.maximum(shares[row], 1 - shares[row]) >= sure).all():
            known[filled], said[filled] = query, shares[row] > 0.5
            filled += 1
    return shares


def directions(vectors: Floats) -> Doubles:
    """Of length 1; zeros stay, which are as near to everything."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    made: Doubles = vectors.astype(np.float64) / np.where(lengths > 0, lengths, 1.0)
    return made


def _of(cosines: Doubles, labels: Bools, k: int, temperature: float) -> Doubles:
    nearest = np.argsort(-cosines, kind="stable")[:k]
    weights = np.exp((cosines[nearest] - cosines[nearest[0]]) / temperature)
    shares: Doubles = weights @ labels[nearest] / weights.sum()
    return shares


def _check(memory: Floats, k: int, temperature: float) -> None:
    if len(memory) == 0:
        raise ContractError("there is nobody to vote: the memory is empty")
    if k < 1 or not temperature > 0:
        raise ContractError(
            f"k must be at least 1 and temperature above 0, got {k} and {temperature}"
        )
