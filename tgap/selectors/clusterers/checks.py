"""Whether vectors can be divided into a given number of clusters, and whether they were."""

import numpy as np

from tgap.errors import DataError
from tgap.types import Floats, Indices

_ROUNDING = 1e-6
"""Vectors that differ in length alone are this close once they have been scaled to length 1."""


def check_count(images: int, n_clusters: int) -> list[str]:
    """A sentence if there are fewer images than clusters."""
    if n_clusters <= images:
        return []
    return [
        f"selector.cluster.n_clusters must be at most {images}, the number of candidates, "
        f"got {n_clusters}"
    ]


def check_distinct(vectors: Floats, n_clusters: int) -> None:
    """Refuse ``(n, d)`` unit vectors with fewer than ``n_clusters`` distinct ones.

    Raises:
        DataError: If there are fewer.
    """
    constant = np.ptp(vectors, axis=0).max() < _ROUNDING
    distinct = 1 if constant else len(np.unique(vectors, axis=0))
    if distinct < n_clusters:
        raise DataError(
            f"n_clusters must be at most {distinct}, the number of images with different "
            f"vectors among the {len(vectors)} of a label, got {n_clusters}; "
            "lower n_clusters or take a larger pool"
        )


def check_found(labels: Indices, n_clusters: int) -> None:
    """Refuse ``(n,)`` labels in which fewer than ``n_clusters`` clusters occur.

    Raises:
        DataError: If there are fewer.
    """
    found = len(np.unique(labels))
    if found < n_clusters:
        raise DataError(
            f"k-means found {found} clusters instead of n_clusters={n_clusters} among "
            f"{len(labels)} images: too many of them are alike; lower n_clusters"
        )
