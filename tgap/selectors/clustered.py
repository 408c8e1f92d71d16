"""Cluster x allocate x pick: clusters of a label, picks shared out among them."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from tgap.core import Component
from tgap.embedders.base import Embedder
from tgap.selectors.allocations.base import Allocation
from tgap.selectors.allocations.equal import Equal
from tgap.selectors.base import Candidates, Picks, Selector
from tgap.selectors.clusterers.base import Clusterer
from tgap.selectors.clusterers.spectral import Spectral
from tgap.selectors.picks.base import Pick
from tgap.selectors.picks.random import Random


@dataclass(kw_only=True)
class Clustered(Selector):
    """Clusters the images of a label, shares ``size`` out among clusters, picks within each.

    The thesis is spectral(10) x equal x random on CLIP vectors. The allocation says whose turn it
    is, pick after pick; a smaller size stops earlier, so its selection is a prefix. Each cluster
    has a random stream of its own, so that one cluster's picks do not depend on another's quota.

    Args:
        cluster: Images of a label -> clusters.
        allocate: Cluster sizes -> whose turn it is.
        pick: Images of a cluster -> picks; repeats images once a cluster is used up.
        embedder: Makes the vectors for ``cluster`` and ``pick``; ``None`` if neither wants any.
    """

    nested: ClassVar[bool] = True

    cluster: Clusterer = field(default_factory=Spectral, metadata={"help": "how to cluster"})
    allocate: Allocation = field(default_factory=Equal, metadata={"help": "picks per cluster"})
    pick: Pick = field(default_factory=Random, metadata={"help": "which images of a cluster"})
    embedder: Embedder | None = field(default=None, metadata={"help": "makes the vectors"})

    def problems(self) -> list[str]:
        """A part that wants vectors, without an embedder to make them."""
        wanting = self._wanting()
        verb = "work" if len(wanting) > 1 else "works"
        if wanting and self.embedder is None:
            return [f"embedder must be set, because {' and '.join(wanting)} {verb} on vectors"]
        return []

    def check_candidates(self, images: int) -> list[str]:
        """Whether they can be clustered."""
        return self.cluster.check_candidates(images)

    def parts(self) -> dict[str, Component]:
        """Without an embedder whose vectors nobody wants."""
        parts = super().parts()
        return parts if self._wanting() else {n: p for n, p in parts.items() if n != "embedder"}

    def embedder_used(self) -> Embedder | None:
        """The embedder, if a part works on vectors."""
        return self.embedder if self._wanting() else None

    def capacity(self, images: int) -> int | None:
        """The allocation's."""
        return self.allocate.capacity(images)

    def _wanting(self) -> list[str]:
        return [part.stem() for part in (self.cluster, self.pick) if part.uses_vectors]

    def _select(self, candidates: Candidates, size: int, rng: np.random.Generator) -> Picks:
        cluster_rng, pick_rng = rng.spawn(2)
        clusters = self.cluster.cluster(candidates, cluster_rng)
        sizes = np.bincount(clusters.labels)
        turns = self.allocate.allocate(sizes, size)
        quotas = np.bincount(turns, minlength=len(sizes))
        positions = np.empty(size, dtype=np.int64)
        for number, stream in enumerate(pick_rng.spawn(len(sizes))):
            if quotas[number] == 0:
                continue
            members = np.flatnonzero(clusters.labels == number).astype(np.int64)
            picks = self.pick.pick(candidates.take(members), int(quotas[number]), stream)
            positions[turns == number] = members[picks]
        return Picks(
            positions,
            notes={
                **clusters.notes,
                "cluster_sizes": sizes.tolist(),
                "quotas": quotas.tolist(),
                "repeats": size - len(np.unique(positions)),
            },
        )
