"""What can be told of labels from a few columns of a table, without looking at an image."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tgap.core import Bools, Floats

BINS = 10
"""Bins of a column of numbers, as far as its values fill so many."""

CATEGORIES = 50
"""Most categories of a column that count by themselves; rarer ones are one."""
Metadata = Mapping[str, NDArray[Any]]
"""``(N,)`` text or float, by name."""


def scores_from_columns(train: Metadata, labels: Bools, test: Metadata) -> Floats:
    """Logistic regression of each label on the columns, each cut into categories.

    Numbers are cut at the training column's deciles, so a curve of any shape can be followed, and
    those that are missing are a category of their own, as is missing text. The regression is
    additive in the columns, with scikit-learn's L2 penalty (C = 1), which leaves categories of few
    images near the mean. A category that was not seen in training counts as the rare ones do, or as
    the mean where none was rare.

    Args:
        train: Columns of the training rows, ``(N,)`` text or float, NaN where missing.
        labels: ``(N, L)`` bool of the training rows; each label with images that have it and
            images that lack it.
        test: The same columns of ``(M,)`` other rows.

    Returns:
        ``(M, L)`` float32 logits.

    >>> age = np.arange(100.0)
    >>> scores_from_columns({"age": age}, age[:, None] > 50, {"age": np.array([8.0, 90])}) > 0
    array([[False],
           [ True]])
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import OneHotEncoder

    cut = [_categories(column, test[name]) for name, column in train.items()]
    encoder = OneHotEncoder(max_categories=CATEGORIES, handle_unknown="infrequent_if_exist")
    fitted = encoder.fit_transform(np.stack([ours for ours, _ in cut], axis=1))
    tested = encoder.transform(np.stack([theirs for _, theirs in cut], axis=1))
    scores = [
        LogisticRegression(max_iter=1000).fit(fitted, truth).decision_function(tested)
        for truth in labels.T
    ]
    return np.stack(scores, axis=1).astype(np.float32)


def _categories(
    train: NDArray[Any], test: NDArray[Any]
) -> tuple[NDArray[np.str_], NDArray[np.str_]]:
    """Two parts of a column as text; numbers by the training part's deciles."""
    if train.dtype.kind == "U":
        return train, test
    known = train[np.isfinite(train)]
    # An edge belongs to the bin below it: a value that most rows share has a bin for itself.
    edges = np.unique(np.quantile(known, np.arange(1, BINS) / BINS)) if len(known) else known
    ours, theirs = (
        np.where(np.isfinite(part), np.searchsorted(edges, part), -1).astype(np.str_)
        for part in (train, test)
    )
    return ours, theirs
