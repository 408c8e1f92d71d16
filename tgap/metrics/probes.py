"""Linear probes: what an image's vector says of its metadata."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tgap.core import Bools, Doubles, Floats

_MOST_CLASSES = 10
"""Text with more values names things (files, patients) rather than classes."""

_PENALTIES = 10.0 ** np.arange(-1, 6)
"""Of the ridge regressions, on standardised vectors."""


@dataclass(frozen=True)
class LinearProbe:
    """A linear reading of one metadata column.

    Args:
        classes: The values of text; empty for numbers.
        weights: ``(d, c)`` float64; c = 1 for numbers, the number of classes for text.
        bias: ``(c,)`` float64.
        r2: Share of the variance that it explains in images that it has not seen; NaN if there is
            none to explain.
    """

    classes: tuple[str, ...]
    weights: Doubles
    bias: Doubles
    r2: float

    def read(self, vectors: Floats) -> Doubles:
        """``(N,)``: the number, or the position of the likeliest class."""
        outputs = vectors @ self.weights + self.bias
        return outputs.argmax(axis=1).astype(np.float64) if self.classes else outputs[:, 0]

    def distances(self, real: Sequence[Floats], other: Sequence[Floats]) -> list[float]:
        """Between the readings of two sets, for each label.

        Numbers: Wasserstein-1 distance in standard deviations of the real readings of all labels;
        NaN if that is 0. Text: total variation distance, half the sum of absolute differences
        between the classes' shares.

        Args:
            real: ``(N, d)`` float32 of each label, none of them empty.
            other: Likewise.
        """
        ours, theirs = ([self.read(vectors) for vectors in one] for one in (real, other))
        if self.classes:
            return [self._total_variation(x, y) for x, y in zip(ours, theirs, strict=True)]
        from scipy.stats import wasserstein_distance

        unit = float(np.concatenate(ours).std()) or float("nan")
        return [float(wasserstein_distance(x, y)) / unit for x, y in zip(ours, theirs, strict=True)]

    def _total_variation(self, x: Doubles, y: Doubles) -> float:
        shares = [
            np.bincount(part.astype(np.int64), minlength=len(self.classes)) / len(part)
            for part in (x, y)
        ]
        return float(np.abs(shares[0] - shares[1]).sum() / 2)


def fit_probes(
    vectors: Floats, metadata: Mapping[str, NDArray[Any]], fitted: Bools
) -> tuple[dict[str, LinearProbe], dict[str, str]]:
    """Fit a probe to each metadata column that can have one.

    Ridge regression on standardised vectors, the penalty of each output by leave-one-out
    (scikit-learn's RidgeCV). Text is read as one output per class, 1 for the class and 0 for the
    others, so that one R^2 serves both kinds: for text it is the Brier skill score of the linear
    outputs.

    Args:
        vectors: ``(N, d)`` float32.
        metadata: ``(N,)`` text or float64 by name; rows with NaN are left out.
        fitted: ``(N,)`` bool, images to fit on; the others measure R^2.

    Returns:
        Probes by name, and why each of the other columns has none.
    """
    targets, classes, left_out = _targets(metadata, fitted)
    # Columns with the same images share one decomposition, which is nearly all the work.
    by_known: dict[bytes, list[str]] = {}
    for name, target in targets.items():
        by_known.setdefault(np.isfinite(target[:, 0]).tobytes(), []).append(name)
    probes = {}
    for names in by_known.values():
        known = np.isfinite(targets[names[0]][:, 0])
        together = np.concatenate([targets[name] for name in names], axis=1)
        weights, bias = _ridge(vectors[fitted & known], together[fitted & known])
        begin = 0
        for name in names:
            columns = slice(begin, begin + targets[name].shape[1])
            begin = columns.stop
            r2 = _r2(
                vectors[~fitted & known] @ weights[:, columns] + bias[columns],
                targets[name][~fitted & known],
            )
            probes[name] = LinearProbe(classes[name], weights[:, columns], bias[columns], r2)
    return {name: probes[name] for name in targets}, left_out


def _targets(
    metadata: Mapping[str, NDArray[Any]], fitted: Bools
) -> tuple[dict[str, Doubles], dict[str, tuple[str, ...]], dict[str, str]]:
    """``(N, c)`` to be read and their classes by name, and why other columns are left out."""
    targets: dict[str, Doubles] = {}
    classes: dict[str, tuple[str, ...]] = {}
    left_out: dict[str, str] = {}
    for name, column in metadata.items():
        is_text = column.dtype.kind == "U"
        values = np.unique(column[fitted] if is_text else column[fitted & np.isfinite(column)])
        if len(values) < 2:
            left_out[name] = "constant"
        elif is_text and len(values) > _MOST_CLASSES:
            left_out[name] = "too many values"
        else:
            targets[name] = (column[:, None] == values) * 1.0 if is_text else column[:, None]
            classes[name] = tuple(values.tolist()) if is_text else ()
    return targets, classes, left_out


def _ridge(vectors: Floats, targets: Doubles) -> tuple[Doubles, Doubles]:
    """``(d, c)`` weights and ``(c,)`` bias on vectors as they are."""
    from sklearn.linear_model import RidgeCV

    exact = vectors.astype(np.float64)
    mean, std = exact.mean(axis=0), exact.std(axis=0)
    std[std == 0] = 1  # constant dimensions say nothing at any scale
    model = RidgeCV(alphas=_PENALTIES, alpha_per_target=True).fit((exact - mean) / std, targets)
    weights: Doubles = model.coef_.reshape(targets.shape[1], -1).T / std[:, None]
    return weights, model.intercept_ - mean @ weights


def _r2(predicted: Doubles, truth: Doubles) -> float:
    """Share of the variance explained, all columns together."""
    if len(truth) == 0 or (total := ((truth - truth.mean(axis=0)) ** 2).sum()) == 0:
        return float("nan")
    return float(1 - ((predicted - truth) ** 2).sum() / total)
