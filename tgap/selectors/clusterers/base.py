"""Images of one label -> clusters."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from tgap.component import Component
from tgap.errors import ContractError
from tgap.selectors.base import Candidates
from tgap.types import Indices


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

    def check(self, images: int) -> list[str]:
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
        if labels.shape != (len(candidates),) or labels.dtype != np.int64:
            raise ContractError(
                f"{self.stem()} must return ({len(candidates)},) int64 labels, "
                f"got {labels.shape} {labels.dtype}"
            )
        if labels.min() < 0 or not np.bincount(labels).all():
            raise ContractError(
                f"{self.stem()} must number its clusters from 0 on and leave none empty, "
                f"got the numbers {np.unique(labels).tolist()}"
            )
        return clusters

    @abstractmethod
    def _cluster(self, candidates: Candidates, rng: np.random.Generator) -> Clusters: ...
