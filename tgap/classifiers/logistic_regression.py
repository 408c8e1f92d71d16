"""Logistic regression on vectors of the images: a linear probe."""

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from tgap.classifiers.base import Classifier
from tgap.core import Bools, Checkpoint, Doubles, Floats, Images, ImageSet, Log, Weights, option
from tgap.embedders.base import Embedder


@dataclass(kw_only=True)
class LogisticRegression(Classifier):
    """One logistic regression per label on standardised vectors, by scikit-learn.

    The L2 penalty's inverse strength C, shared by the labels, is the one of ``c_grid`` with the
    least validation loss (the least C of equal ones, if the grid rises). Each C is logged as an
    epoch.

    ``adapt`` moves the fitted coefficients w0 and intercepts to those that minimise the summed
    cross-entropy of the new images plus ||w - w0||^2 / (2 C), with the smallest C of ``c_grid``
    (L2-SP: Li et al., Explicit inductive bias for transfer learning, ICML 2018, arXiv 1802.01483,
    section 3; here without its separate penalty of new layers). Vectors are standardised as in the
    first training.

    Args:
        embedder: Makes the vectors; null takes the pixels themselves, scaled to [0, 1].
        c_grid: Values of C that are tried.
        max_iter: Most iterations of the solver (L-BFGS).
    """

    has_features: ClassVar[bool] = True
    adapts: ClassVar[bool] = True

    embedder: Embedder | None = field(
        default=None, metadata={"help": "makes the vectors; null = the pixels"}
    )
    c_grid: list[float] = option([1e-4, 1e-3, 0.01, 0.1, 1.0], "values of C to try")
    max_iter: int = option(1000, "most iterations of the solver", low=1, high=1_000_000)

    def problems(self) -> list[str]:
        """An unusable grid, or an embedder that would need a classifier first."""
        problems = []
        if not self.c_grid or not all(math.isfinite(c) and c > 0 for c in self.c_grid):
            problems.append(f"c_grid must be numbers above 0, at least one, got {self.c_grid}")
        if self.embedder is not None and self.embedder.uses_classifier:
            problems.append(
                f"embedder '{self.embedder.title()}' needs a trained classifier, so none can be "
                "trained on its vectors; choose another embedder"
            )
        return problems

    def stored_bytes(self, shape: tuple[int, ...], labels: int) -> int:
        """A weight per label and number of the vectors that it works on."""
        width = math.prod(shape) if self.embedder is None else self.embedder.width(shape)
        return 4 * width * (labels + 2)

    def _fit(
        self,
        train: ImageSet,
        validation: ImageSet,
        rng: np.random.Generator,
        log: Log,
        checkpoint: Checkpoint,
    ) -> Weights:
        vectors = self._vectors(train.images)
        std = vectors.std(axis=0, dtype=np.float64)
        scaling: Weights = {
            "mean": vectors.mean(axis=0, dtype=np.float64).astype(np.float32),
            "std": np.where(std > 0, std, 1.0).astype(np.float32),  # constant vectors have none
        }
        fitted, held_back = (
            (standardised(part, scaling), labels)
            for part, labels in (
                (vectors, train.labels),
                (self._vectors(validation.images), validation.labels),
            )
        )
        best, weights = math.inf, scaling
        for epoch, c in enumerate(self.c_grid, start=1):
            lines = self._lines(*fitted, c)
            losses = {
                "loss": cross_entropy(logits(fitted[0], lines), fitted[1]),
                "validation_loss": cross_entropy(logits(held_back[0], lines), held_back[1]),
            }
            log(epoch, {"c": c, **losses})
            if losses["validation_loss"] < best:
                best, weights = losses["validation_loss"], {**scaling, **lines}
        return weights

    def _adapt(
        self,
        weights: Weights,
        few: ImageSet,
        rng: np.random.Generator,
        log: Log,
        checkpoint: Checkpoint,
    ) -> Weights:
        vectors, c = self._features(weights, few.images), min(self.c_grid)
        start = np.column_stack([weights["coef"], weights["intercept"]]).astype(np.float64)
        moved = np.stack(
            [
                moved_line(line, vectors, truth, c, self.max_iter)
                for line, truth in zip(start, few.labels.T, strict=True)
            ]
        ).astype(np.float32)
        adapted = {**weights, "coef": moved[:, :-1].copy(), "intercept": moved[:, -1].copy()}
        log(1, {"c": c, "loss": cross_entropy(logits(vectors, adapted), few.labels)})
        return adapted

    def _lines(self, vectors: Floats, labels: Bools, c: float) -> Weights:
        """``coef`` ``(L, d)`` and ``intercept`` ``(L,)`` of the regressions, float32."""
        from sklearn import linear_model

        fitted = [
            linear_model.LogisticRegression(C=c, max_iter=self.max_iter).fit(vectors, truth)
            for truth in labels.T
        ]
        return {
            "coef": np.concatenate([one.coef_ for one in fitted]).astype(np.float32),
            "intercept": np.concatenate([one.intercept_ for one in fitted]).astype(np.float32),
        }

    def _score(self, weights: Weights, images: Images) -> Floats:
        return logits(self._features(weights, images), weights).astype(np.float32)

    def _features(self, weights: Weights, images: Images) -> Floats:
        return standardised(self._vectors(images), weights)

    def _vectors(self, images: Images) -> Floats:
        if self.embedder is not None:
            return self.embedder.embed(images)
        flat = images.reshape(len(images), math.prod(images.shape[1:]))
        return flat.astype(np.float32) / np.float32(255)


def moved_line(start: Doubles, vectors: Floats, truth: Bools, c: float, max_iter: int) -> Doubles:
    """Of one label, the coefficients and the intercept ``(d + 1,)`` that a few vectors ask for.

    Minimises sum_i log(1 + exp(-s_i w.x_i)) + ||w - start||^2 / (2 c), where s_i = 1 for images
    with the label and -1 for others, and the last entry of x_i is 1. The intercept is held as the
    coefficients are: a few images may all be of one kind.
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    x = np.column_stack([vectors.astype(np.float64), np.ones(len(vectors))])
    signed = np.where(truth, 1.0, -1.0)[:, None] * x

    def loss(w: Doubles) -> tuple[float, Doubles]:
        margin, step = signed @ w, w - start
        value = np.logaddexp(0, -margin).sum() + step @ step / (2 * c)
        return float(value), step / c - expit(-margin) @ signed

    fit = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": max_iter})
    return np.asarray(fit.x, dtype=np.float64)


def standardised(vectors: Floats, scaling: Weights) -> Floats:
    """Vectors with the training part's mean 0 and standard deviation 1 in each dimension."""
    return np.asarray((vectors - scaling["mean"]) / scaling["std"], dtype=np.float32)


def logits(vectors: Floats, lines: Weights) -> Doubles:
    """``(N, L)`` logits."""
    return np.asarray(vectors.astype(np.float64) @ lines["coef"].T + lines["intercept"])


def cross_entropy(logits: Doubles, labels: Bools) -> float:
    """Mean binary cross-entropy: log(1 + exp(-z)) where the label holds, else log(1 + exp(z))."""
    return float(np.logaddexp(0, np.where(labels, -logits, logits)).mean())
