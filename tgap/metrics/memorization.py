"""Whether synthetic images lie nearer to the tuning images than real images do.

All numbers are of vectors of any embedder. Images that the generator has not seen, of other
patients and of the same distribution (held-out), say what a generator that copies nothing is like.
"""

import numpy as np

from tgap.core import Bools, ContractError, Doubles, Floats, Indices
from tgap.metrics.classification import auroc

LEAST_NEGATIVES = 100
"""Below so many negatives a false positive rate of 1 % cannot be told from 0."""
LEAST_IN_CELL = 20
"""Images of either kind that a cell needs for its z to be normal (Meehan et al. 2020)."""
MOST_CELLS = 10
IMAGES_PER_CELL = 50
_BLOCK = 1024


def nearest(x: Floats, y: Floats, among_itself: bool = False) -> tuple[Doubles, Indices]:
    """Euclidean distance of each vector to its nearest one in another set, exactly.

    The nearest is found by dot products in blocks of 1,024 rows; its distance is then taken by
    differences, so equal vectors are at distance 0.

    Args:
        x: ``(N, d)`` real.
        y: ``(M, d)`` real, M >= 1.
        among_itself: Whether y is x, and no vector counts as its own neighbour; then M >= 2.

    Returns:
        ``(N,)`` float64 distances and ``(N,)`` int64 rows of y.

    Raises:
        ContractError: If widths differ, or there is no neighbour.

    >>> nearest(np.float32([[0], [5]]), np.float32([[3], [-1]]))[0].tolist()
    [1.0, 2.0]
    """
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise ContractError(f"vectors must be (N, d) and (M, d), got {x.shape} and {y.shape}")
    if len(y) < 1 + among_itself:
        raise ContractError(f"neighbours are looked for among {len(y)} vectors; there is none")
    mean = y.mean(axis=0, dtype=np.float64)  # rounding would drown what large vectors differ by
    centred = (y - mean).astype(np.float32)
    lengths = (centred**2).sum(axis=1)
    distances, rows = np.empty(len(x)), np.empty(len(x), np.int64)
    for begin in range(0, len(x), _BLOCK):
        block = slice(begin, begin + _BLOCK)
        farness = lengths - 2 * ((x[block] - mean).astype(np.float32) @ centred.T)
        if among_itself:
            farness[np.arange(len(farness)), begin + np.arange(len(farness))] = np.inf
        rows[block] = farness.argmin(axis=1)
        difference = x[block].astype(np.float64) - y[rows[block]]
        distances[block] = np.sqrt((difference**2).sum(axis=1))
    return distances, rows


def closer_than_held_out(synthetic: Doubles, held_out: Doubles) -> float:
    """``P(synthetic < held_out) + P(equal) / 2`` of distances to the nearest tuning image.

    0.5 copies nothing, 1: each synthetic image is nearer to the tuning set than any held-out one
    is. The Mann-Whitney statistic, over the number of pairs. NaN if a set is empty.

    >>> closer_than_held_out(np.array([0.0, 2.0]), np.array([2.0, 3.0]))
    0.875
    """
    both = np.concatenate([synthetic, held_out])
    return auroc(-both, np.arange(len(both)) < len(synthetic))


def c_t(
    synthetic: Floats, held_out: Floats, tuning: Floats, rng: np.random.Generator
) -> tuple[float, int]:
    """Data-copying test: a z-score, clearly negative (below about -3) if tuning images are copied.

    Space is cut into cells by k-means of the tuning vectors. In each cell distances to the nearest
    tuning vector of that cell are compared between synthetic and held-out images, by Mann-Whitney:
    z > 0 if synthetic images are farther away, < 0 if they are nearer. ``c_t`` is the mean of z
    over cells, weighted by their number of held-out images.

    Meehan, Chaudhuri & Dasgupta, A non-parametric test to detect data-copying in generative
    models, AISTATS 2020, arXiv 2004.05675. Here the variance is corrected for ties, which verbatim
    copies are (all at distance 0), and a cell also needs held-out images: cells with fewer than 20
    of either kind are left out; if none is left, the whole space is one cell.

    Args:
        synthetic: ``(S, d)`` real.
        held_out: ``(N, d)`` real.
        tuning: ``(T, d)`` real, T >= 1; one cell for every 50 of them, 10 at most.
        rng: Draws the seed of k-means.

    Returns:
        The z-score, and in how many cells. NaN, 0 below 20 synthetic or held-out images; 0.0 where
        all distances are equal.
    """
    if min(len(synthetic), len(held_out)) < LEAST_IN_CELL:
        return float("nan"), 0
    sets = (synthetic, held_out, tuning)
    cells = [np.zeros(len(one), np.int64) for one in sets]
    count = min(MOST_CELLS, len(np.unique(tuning, axis=0)) // IMAGES_PER_CELL)
    if count > 1:
        cells = _cells(sets, count, rng)
    z, weights = _z_of_cells(sets, cells)
    if not z:
        z, weights = _z_of_cells(sets, [np.zeros_like(one) for one in cells])
    return float(np.average(z, weights=weights)), len(z)


def _cells(sets: tuple[Floats, ...], count: int, rng: np.random.Generator) -> list[Indices]:
    """Cell of each vector; the last set's make the cells."""
    from sklearn.cluster import KMeans

    seed = int(rng.integers(2**31))
    means = KMeans(count, n_init=3, random_state=seed).fit(sets[-1].astype(np.float64))
    return [means.predict(one.astype(np.float64)).astype(np.int64) for one in sets]


def _z_of_cells(sets: tuple[Floats, ...], cells: list[Indices]) -> tuple[list[float], list[int]]:
    z, weights = [], []
    for cell in np.unique(cells[-1]):
        synthetic, held_out, tuning = (
            one[of_set == cell] for one, of_set in zip(sets, cells, strict=True)
        )
        if min(len(synthetic), len(held_out)) >= LEAST_IN_CELL:
            z.append(_z(nearest(synthetic, tuning)[0], nearest(held_out, tuning)[0]))
            weights.append(len(held_out))
    return z, weights


def _z(synthetic: Doubles, held_out: Doubles) -> float:
    """z-score of Mann-Whitney's U, negative if synthetic distances are smaller."""
    m, n = len(synthetic), len(held_out)
    _, ties = np.unique(np.concatenate([synthetic, held_out]), return_counts=True)
    total = m + n
    variance = m * n / 12 * (total + 1 - (ties**3 - ties).sum() / (total * (total - 1)))
    if variance <= 0:
        return 0.0
    u = (1 - closer_than_held_out(synthetic, held_out)) * m * n
    return float((u - m * n / 2) / np.sqrt(variance))


def authenticity(distances: Doubles, rows: Indices, among_tuning: Doubles) -> float:
    """Share of images farther from their nearest tuning image than that one is from the others.

    Alaa et al., How faithful is your synthetic data?, ICML 2022, arXiv 2102.08921. About the same
    for synthetic and for held-out images if nothing is copied; 0 for verbatim copies.

    Args:
        distances: ``(N,)`` of each image to its nearest tuning image.
        rows: ``(N,)`` which that is.
        among_tuning: ``(T,)`` of each tuning image to its nearest other tuning image.

    Returns:
        A value in [0, 1]; NaN without images.
    """
    return float((distances > among_tuning[rows]).mean()) if len(distances) else float("nan")


def blind_scores(
    vectors: Floats, members: Bools, patients: Indices, rng: np.random.Generator
) -> Doubles | None:
    """How likely each image is a member, as far as can be seen without any synthetic image.

    If that is better than chance, members and non-members differ in themselves (a selector that
    takes cluster centres, another scanner), and an attack's success says nothing of the generator:
    Zhang et al. 2024, arXiv 2409.19798, "membership inference attacks cannot prove"; Das et al.
    2024, arXiv 2406.16201, blind baselines.

    Args:
        vectors: ``(N, d)`` real.
        members: ``(N,)`` bool.
        patients: ``(N,)``; no patient is both learnt from and scored.
        rng: Deals the patients into five folds.

    Returns:
        ``(N,)`` log odds by logistic regression on standardised vectors, each image scored by a
        model that has not seen its patient; ``None`` if a side has fewer than five patients.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    folds = 5
    if min(len(np.unique(patients[side])) for side in (members, ~members)) < folds:
        return None
    dealt = StratifiedGroupKFold(folds, shuffle=True, random_state=int(rng.integers(2**31)))
    scores = np.empty(len(members))
    for learnt, scored in dealt.split(vectors, members, patients):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=200))
        model.fit(vectors[learnt].astype(np.float64), members[learnt])
        scores[scored] = model.decision_function(vectors[scored].astype(np.float64))
    return scores


def chance_band(members: int, others: int) -> float:
    """Three standard errors of the AUROC of scores that say nothing (Hanley & McNeil 1982).

    >>> round(chance_band(100, 100), 3)
    0.123
    """
    return float(3 * np.sqrt((members + others + 1) / (12 * members * others)))
