"""Images of one label -> clusters."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from tgap.core import Component, ContractError, DataError, Floats, Indices
from tgap.core.arrays import require_indices
from tgap.selectors.base import Candidates

ROUNDING = 1e-6
"""Vectors that differ in length alone are this close once they have been scaled to length 1."""


@dataclass(frozen=True)
class Clusters:
    """A partition of the candidates.

    Args:
        labels: ``(n,)`` int64, the cluster of each candidate, 0 to k - 1, none of them empty.
        notes: What should be reported; JSON types only.
    """

    labels: Indices
    notes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(kw_only=True)
class Clusterer(Component):
    """Divides the candidates of one label into clusters."""

    uses_vectors: ClassVar[bool] = True
    """Whether ``Candidates.vectors`` must be there."""

    def check_candidates(self, images: int) -> list[str]:
        """What stands in the way of clustering that many images, as sentences."""
        return []

    def cluster(self, candidates: Candidates, rng: np.random.Generator) -> Clusters:
        """Cluster.

        Args:
            candidates: At least one image.
            rng: The only source of randomness.

        Returns:
            The cluster of each candidate.

        Raises:
            ContractError: If vectors are missing or the subclass breaks its contract.
            DataError: If the images cannot be clustered as asked.
        """
        if self.uses_vectors and candidates.vectors is None:
            raise ContractError(f"{self.stem()} works on vectors: give the selector an embedder")
        clusters = self._cluster(candidates, rng)
        labels = clusters.labels
        n = len(candidates)
        require_indices(self.stem(), "labels", labels, (n,), n)
        if not np.bincount(labels).all():
            raise ContractError(
                f"{self.stem()} must number its clusters from 0 on and leave none empty, "
                f"got the numbers {np.unique(labels).tolist()}"
            )
        return clusters

    @abstractmethod
    def _cluster(self, candidates: Candidates, rng: np.random.Generator) -> Clusters: ...


def check_count(images: int, n_clusters: int) -> list[str]:
    """A sentence if there are fewer images than clusters."""
    if n_clusters <= images:
        return []
    return [
        f"selector.cluster.n_clusters must be at most {images}, the number of candidates, "
        f"got {n_clusters}"
    ]


def require_distinct(vectors: Floats, n_clusters: int) -> None:
    """See that ``(n, d)`` unit vectors hold at least ``n_clusters`` distinct ones.

    Raises:
        DataError: If not.
    """
    constant = np.ptp(vectors, axis=0).max() < ROUNDING
    distinct = 1 if constant else len(np.unique(vectors, axis=0))
    if distinct == 1 < n_clusters:
        raise DataError(
            f"all {len(vectors)} images of a label have the same vector, so there is nothing to "
            "cluster: if they are the same picture, see to the files (tgap data shows them); if "
            "not, choose another embedder (selector/embedder=...) or selector=random"
        )
    if distinct < n_clusters:
        raise DataError(
            f"n_clusters must be at most {distinct}, the number of images with different "
            f"vectors among the {len(vectors)} of a label, got {n_clusters}; "
            "lower n_clusters or take a larger pool"
        )


def require_all(labels: Indices, n_clusters: int) -> None:
    """See that all of ``n_clusters`` clusters occur in ``(n,)`` labels.

    Raises:
        DataError: If not.
    """
    occurring = len(np.unique(labels))
    if occurring < n_clusters:
        raise DataError(
            f"k-means found {occurring} clusters instead of n_clusters={n_clusters} among "
            f"{len(labels)} images: too many of them are alike; lower n_clusters"
        )
