"""How good a classifier is on images without labels, guessed in several ways.

Scores for choosing among models where the target domain has no labels, as compared by SKADA-Bench
(Lalou et al. 2024, arXiv 2407.11676). Source is what the classifier was trained for and has labels,
here synthetic images; target is real images without any. None of them is a bound or an estimate of
an error, but the first two, and those only where the domains overlap.

**What fools them.** A classifier that says one thing of every image has the lowest entropy, the
highest ``mano`` and the highest ``soft_neighbourhood_density`` there are; one whose labels are
swapped has all the scores of the right one. So look beside them at how many classes are predicted,
and at some labelled images. Those of predicted classes (``mixval``, ``circular_validation``) do not
see where a threshold is wrong and the order right, which AUROC forgives.

Probabilities are ``(N, C)``, rows adding up to 1; of a label that is present or not,
``of_one_label`` makes them. Every number is NaN where it is not defined.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tgap.core import Bools, ContractError, Doubles, Indices

Reals = NDArray[Any]
"""Of any real dtype; computed with in float64."""
TEMPERATURE = 0.05
"""Of ``soft_neighbourhood_density``, as in its paper."""
ALPHA = 0.55
"""Share of the first image in a mix of ``mixval``, as in its paper."""
ORDER = 4
"""Of the norm of ``mano``, as in its paper."""
FOLDS = 5
"""By which ``density_ratio`` chooses among several penalties."""


def of_one_label(logits: Reals) -> Doubles:
    """``(N, 2)``: probabilities that a label is absent and present, of its logits ``(N,)``.

    >>> of_one_label(np.array([0.0])).tolist()
    [[0.5, 0.5]]
    """
    from scipy.special import expit

    exact = logits.astype(np.float64)
    return np.stack([expit(-exact), expit(exact)], axis=1)


def log_losses(logits: Reals, labels: Bools) -> Doubles:
    """``(N,)``: cross-entropy of each image, mean over labels, in nats.

    ``log(1 + e^z) - y z`` of logit z and truth y, which no sure classifier makes infinite.

    Args:
        logits: ``(N, L)`` real.
        labels: ``(N, L)`` bool.

    >>> log_losses(np.array([[0.0]]), np.array([[True]])).round(4).tolist()
    [0.6931]
    """
    if logits.shape != labels.shape:
        raise ContractError(f"logits {logits.shape} and labels {labels.shape} must be alike")
    exact = logits.astype(np.float64)
    losses: Doubles = (np.logaddexp(0.0, exact) - labels * exact).mean(axis=1)
    return losses


def density_ratio(
    source: Reals, target: Reals, at: Reals, strengths: Sequence[float] = (1.0,)
) -> Doubles:
    """How much denser target images are than source images, at given features.

    ``w(x) = (N_s / N_t) P(target | x) / P(source | x)``, P by a logistic regression that tells the
    domains (scikit-learn's, C = 1; Bickel et al., JMLR 2009). A kernel density estimate, as skada
    takes it for importance weights, says nothing in more than a few dimensions. The mean of the
    true ratio over the source is 1. Where it is far below, most target images are where no source
    image is, and where ``effective_share`` is near 0, a few images stand for all: what is weighted
    by them says nothing then.

    Args:
        source: ``(N_s, d)`` features that the regression learns from; standardise them.
        target: ``(N_t, d)``, of the other domain.
        at: ``(M, d)``, where the ratio is wanted: other source images, lest those that it learnt
            from seem more like the source than they are.
        strengths: C of the regression, the inverse of its penalty. Of several, that of the lowest
            cross-entropy on held-out folds: where domains are alike, C = 1 tells them apart by
            chance in many dimensions, and weights that ought to be 1 go from 0 to hundreds.

    Returns:
        ``(M,)`` float64, at least 0; NaN if a side is empty, or has too few images for folds.
    """
    several = len(strengths) > 1
    if min(len(source), len(target)) < (FOLDS if several else 1):
        return np.full(len(at), np.nan)
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score

    x = np.concatenate([source, target]).astype(np.float64)
    is_source = np.arange(len(x)) < len(source)

    def of(strength: float) -> Any:
        return LogisticRegression(C=strength, max_iter=1000)

    def held_out(strength: float) -> float:
        scores = cross_val_score(of(strength), x, is_source, cv=FOLDS, scoring="neg_log_loss")
        return float(scores.mean())

    model = of(max(strengths, key=held_out) if several else strengths[0]).fit(x, is_source)
    odds_of_target = np.exp(-model.decision_function(at.astype(np.float64)))
    return np.asarray(len(source) / len(target) * odds_of_target, np.float64)


def effective_share(weights: Reals) -> float:
    """``(sum w)^2 / (N sum w^2)``: share of the images that a weighted mean is really over.

    Kish's effective sample size, over the number of images.

    >>> effective_share(np.array([1.0, 1.0, 0.0, 0.0]))
    0.5
    """
    exact = weights.astype(np.float64)
    if len(exact) == 0 or not exact.max() > 0:
        return float("nan")
    exact = exact / exact.max()  # squares of large ratios would overflow
    return float(exact.sum() ** 2 / (len(exact) * (exact**2).sum()))


def importance_weighted_risk(losses: Reals, weights: Reals) -> float:
    """``sum w l / sum w``: the source's mean loss, each image counting as the target has it.

    Sugiyama et al., JMLR 2007, with weights that add up to 1, as skada has them. Departure: NaN
    where all weights are 0, where skada takes equal ones.

    Args:
        losses: ``(N,)`` of source images that were not trained on.
        weights: ``(N,)``, of ``density_ratio``.

    >>> importance_weighted_risk(np.array([0.0, 1.0]), np.array([1.0, 3.0]))
    0.75
    """
    if len(losses) == 0 or not weights.sum() > 0:
        return float("nan")
    return float(np.average(losses.astype(np.float64), weights=weights.astype(np.float64)))


def dev(losses: Reals, weights: Reals) -> float:
    """Deep embedded validation: the weighted risk, its variance lessened by a control variate.

    ``mean(w l) + eta mean(w) - eta`` with ``eta = -cov(w l, w) / var(w)``, since weights are 1 on
    average where they are right (You et al., ICML 2019); w of features make it "deep embedded". May
    be below 0. As skada has it for losses given as a column: its own default loss is a row, and
    skada 0.6 then multiplies every weight with every loss.

    Args:
        losses: ``(N,)`` of source images that were not trained on.
        weights: ``(N,)``, of ``density_ratio``.

    Returns:
        NaN with fewer than 2 images.
    """
    if len(losses) < 2:
        return float("nan")
    exact = weights.astype(np.float64)
    weighted = exact * losses.astype(np.float64)
    covariance = np.cov(weighted, exact, ddof=1)
    eta = -covariance[0, 1] / covariance[1, 1] if covariance[1, 1] > 0 else 0.0
    return float(weighted.mean() + eta * exact.mean() - eta)


def prediction_entropy(probabilities: Reals) -> float:
    """Mean over images of ``-sum_c p_c log p_c``, in nats; lower is surer.

    Morerio et al., ICLR 2018. Departure: skada means over classes too, and so is C times lower. A
    classifier that is surely wrong has 0.

    >>> round(prediction_entropy(np.array([[0.5, 0.5], [1.0, 0.0]])), 4)
    0.3466
    """
    if len(probabilities) == 0:
        return float("nan")
    from scipy.special import entr

    return float(entr(probabilities.astype(np.float64)).sum(axis=1).mean())


def soft_neighbourhood_density(probabilities: Reals, temperature: float = TEMPERATURE) -> float:
    """Entropy of each image's similarities to the others, mean over images; higher is better.

    ``P_ij`` is the softmax over j other than i of ``cos(p_i, p_j) / T``; the number is the mean of
    ``-sum_j P_ij log P_ij`` (Saito et al., ICCV 2021, arXiv 2108.10860): images
    of a class should lie densely. At most ``log(N - 1)``, which a classifier reaches that says the
    same of all images. Memory grows with N^2. Numbers of different N do not compare. skada leaves
    the image itself among its neighbours at a similarity of -1, which adds e^-40 of one of a like
    prediction.

    Returns:
        NaN with fewer than 3 images.
    """
    if len(probabilities) < 3:
        return float("nan")
    from scipy.special import entr, softmax

    exact = probabilities.astype(np.float64)
    unit = exact / np.linalg.norm(exact, axis=1, keepdims=True)
    similarity = unit @ unit.T / temperature
    np.fill_diagonal(similarity, -np.inf)
    return float(entr(softmax(similarity, axis=1)).sum(axis=1).mean())


def mano(probabilities: Reals, order: int = ORDER) -> float:
    """``(mean p^order)^(1 / order)`` over images and classes: how far from the borders they are.

    Matrix norm (Xie et al., NeurIPS 2024, arXiv 2405.18979, equation 2); higher is better, at most
    ``C^(-1 / order)``. The paper's other normalisation of logits, by a Taylor series less its
    smallest term as skada has it, is left out: with two classes it is 0 and 1 whatever the logits.

    >>> mano(np.array([[1.0, 0.0]]), order=1)
    0.5
    """
    if len(probabilities) == 0:
        return float("nan")
    return float((probabilities.astype(np.float64) ** order).mean() ** (1 / order))


def mixval(predicted: Indices, partner: Indices, mixed: Indices) -> float:
    """Share of mixed images that are taken for what the larger part of the mix is taken for.

    Image i is mixed with image ``partner[i]``, pixel by pixel: ``a x_i + (1 - a) x_partner`` with a
    just above one half (``ALPHA``). The mean of two shares, over mixes within a predicted class and
    over those between two (Hu et al., NeurIPS 2023), of those that there are.

    Args:
        predicted: ``(N,)`` class of each image, by the classifier.
        partner: ``(N,)`` positions, a permutation.
        mixed: ``(N,)`` class of each mix.

    Returns:
        In [0, 1], higher is better. Departure: NaN where one class alone is predicted. skada has 1
        there, the best score of all, for a classifier that says one thing of every image.

    >>> mixval(np.array([0, 0, 1]), np.array([1, 2, 0]), np.array([0, 1, 1]))
    0.75
    """
    if len(predicted) != len(partner) or len(predicted) != len(mixed):
        raise ContractError(
            "predictions, partners and predictions of mixes must be of as many images, got "
            f"{len(predicted)}, {len(partner)} and {len(mixed)}"
        )
    if len(np.unique(predicted)) < 2:
        return float("nan")
    kept, within = mixed == predicted, predicted[partner] == predicted
    shares = [kept[part].mean() for part in (within, ~within) if part.any()]
    return float(np.mean(shares))


def circular_validation(
    predicted: Indices, truth: Indices, train_back: Callable[[Indices], Indices]
) -> float:
    """Whether a classifier trained on target images by predicted labels knows the source's labels.

    Balanced accuracy (mean over true classes of the share that is right) of the way back (Bruzzone
    & Marconcini, TPAMI 2010; as skada has it). Hard labels are handed on, so a
    classifier whose order is right and whose threshold is not scores badly; one whose labels are
    swapped is trained back to swapped labels, and scores 0 where the way back works.

    Args:
        predicted: ``(N,)`` classes of target images, by the classifier.
        truth: ``(M,)`` classes of source images.
        train_back: Trains another classifier on the target images with these classes, and returns
            the ``(M,)`` classes that it predicts of the source images. Not called where one class
            alone is predicted: then that is what it would say of all.

    Returns:
        In [0, 1]; NaN without source images.
    """
    if len(truth) == 0 or len(predicted) == 0:
        return float("nan")
    one = len(np.unique(predicted)) == 1
    back = np.full(len(truth), predicted[0]) if one else train_back(predicted)
    return float(np.mean([(back[truth == kind] == kind).mean() for kind in np.unique(truth)]))
