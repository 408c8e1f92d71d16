"""How unlike the images that a classifier was trained on others are, in its own eyes.

Each of the first four functions gives a number to every image, higher where it is less like those
trained on. Their scales differ between classifiers, so that numbers of two classifiers are compared
by the AUROC with which they tell images of two sets apart.
"""

import numpy as np

from tgap.core import Bools, ContractError, Doubles
from tgap.metrics.classification import auroc
from tgap.metrics.distances import Vectors, as_pair
from tgap.metrics.unlabelled import Reals

NEIGHBOUR = 5
"""Which nearest neighbour ``neighbour_distance`` is to."""
FOLDS = 5
"""Of ``domain_auroc``."""


def mahalanobis(reference: Vectors, labels: Bools, x: Vectors) -> Doubles:
    """``(M,)``: squared distance to the nearest mean of a kind, by the covariance within kinds.

    ``min_c (x - m_c)^T S^-1 (x - m_c)``, a kind being the images with the same labels (Lee et al.
    2018, arXiv 1807.03888, equation 2). Departure: S is Ledoit and Wolf's shrunk covariance, so
    that more dimensions than images are no harm.

    Args:
        reference: ``(N, d)`` features of training images.
        labels: ``(N, L)`` bool, theirs.
        x: ``(M, d)`` features of others.

    Returns:
        NaN if there are fewer than 2 training images.

    Raises:
        ContractError: If shapes disagree or a value is not finite.
    """
    reference, x = as_pair(reference, x)
    if len(labels) != len(reference):
        raise ContractError(f"{len(reference)} images have labels of {len(labels)}")
    if len(reference) < 2:
        return np.full(len(x), np.nan)
    from scipy.spatial.distance import cdist
    from sklearn.covariance import ledoit_wolf

    _, kind = np.unique(labels, axis=0, return_inverse=True)
    means = np.stack([reference[kind == c].mean(axis=0) for c in range(kind.max() + 1)])
    covariance, _ = ledoit_wolf(reference - means[kind], assume_centered=True)
    variances, axes = np.linalg.eigh(covariance)
    varies = variances > variances.max() * len(variances) * np.finfo(np.float64).eps
    whitened = axes[:, varies] / np.sqrt(variances[varies])
    squares = cdist(x @ whitened, means @ whitened, "sqeuclidean")
    return np.asarray(squares.min(axis=1), np.float64)


def neighbour_distance(reference: Vectors, x: Vectors, k: int = NEIGHBOUR) -> Doubles:
    """``(M,)``: distance to the k-th nearest training image, features at length 1.

    Sun et al. 2022, arXiv 2204.06507. Features of length 0 stay there.

    Args:
        reference: ``(N, d)`` features of training images.
        x: ``(M, d)`` features of others.
        k: Which neighbour, at least 1.

    Returns:
        In [0, 2]; NaN if there are fewer than k training images.

    Raises:
        ContractError: If shapes disagree, a value is not finite, or k is below 1.

    >>> neighbour_distance(np.array([[2.0, 0.0]]), np.array([[-1.0, 0.0]]), k=1).tolist()
    [2.0]
    """
    if k < 1:
        raise ContractError(f"k must be at least 1, got {k}")
    reference, x = as_pair(reference, x)
    if len(reference) < k or len(x) == 0:
        return np.full(len(x), np.nan)
    from scipy.spatial.distance import cdist

    reference, x = (side / _lengths(side) for side in (reference, x))
    return np.asarray(np.partition(cdist(x, reference), k - 1, axis=1)[:, k - 1], np.float64)


def _lengths(x: Doubles) -> Doubles:
    lengths: Doubles = np.linalg.norm(x, axis=1, keepdims=True)
    return np.where(lengths > 0, lengths, 1.0)


def energy(logits: Reals) -> Doubles:
    """``(N,)``: ``-sum_l log(1 + e^z_l)`` of ``(N, L)`` logits: high where no label is sure.

    The energy of Liu et al. 2020 (arXiv 2010.03759) for labels that do not exclude each other: the
    negative JointEnergy of Wang et al. 2021 (arXiv 2109.14162). An image that surely has no label
    is taken for a strange one.

    >>> energy(np.array([[0.0, 0.0]])).round(4).tolist()
    [-1.3863]
    """
    sums: Doubles = np.logaddexp(0.0, logits.astype(np.float64)).sum(axis=1)
    return -sums


def entropy(logits: Reals) -> Doubles:
    """``(N,)``: sum over labels of the entropy of present or absent, in nats.

    >>> entropy(np.array([[0.0, 90.0]])).round(4).tolist()
    [0.6931]
    """
    from scipy.special import entr, expit

    exact = logits.astype(np.float64)
    sums: Doubles = (entr(expit(exact)) + entr(expit(-exact))).sum(axis=1)
    return sums


def told_apart(inside: Doubles, outside: Doubles) -> float:
    """AUROC with which a score of strangeness tells a set from another; .5 if they are alike.

    Args:
        inside: ``(N,)`` of images like those trained on, that were not trained on.
        outside: ``(M,)`` of others.

    Returns:
        In [0, 1]; NaN if a set is empty or a score is not known.
    """
    both = np.concatenate([inside, outside])
    if np.isnan(both).any():
        return float("nan")
    return auroc(both, np.arange(len(both)) >= len(inside))


def domain_auroc(source: Reals, target: Reals, rng: np.random.Generator) -> float:
    """AUROC with which a logistic regression tells two domains apart, on images new to it.

    Cross-validated (``FOLDS``); .5 where they cannot be told apart, and a little below by chance.

    Args:
        source: ``(N, d)`` features; standardise them.
        target: ``(M, d)``, of the other domain.
        rng: Deals the folds.

    Returns:
        NaN if a side has fewer images than there are folds.
    """
    if min(len(source), len(target)) < FOLDS:
        return float("nan")
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    x = np.concatenate([source, target]).astype(np.float64)
    is_target = np.arange(len(x)) >= len(source)
    dealt = StratifiedKFold(FOLDS, shuffle=True, random_state=int(rng.integers(2**31)))
    model = LogisticRegression(max_iter=1000)
    scores = cross_val_predict(model, x, is_target, cv=dealt, method="decision_function")
    return auroc(scores, is_target)
