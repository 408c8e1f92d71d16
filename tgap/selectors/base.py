"""Pool -> tuning set: which images of each label the generator is tuned on."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tgap.component import Component
from tgap.embedders.base import Embedder
from tgap.errors import ContractError
from tgap.types import Bools, Floats, ImageSet, Indices, Selection


@dataclass(frozen=True)
class Candidates:
    """The pool's images of one label, as a selector sees them.

    Args:
        vectors: ``(n, d)`` float32 embeddings; ``None`` if the selector has no embedder.
        findings: ``(n, F)`` bool.
        patients: ``(n,)`` int64.
    """

    vectors: Floats | None
    findings: Bools
    patients: Indices

    def __len__(self) -> int:
        return len(self.patients)


@dataclass(frozen=True)
class Picks:
    """A selector's ordered answer for one label.

    Args:
        positions: ``(size,)`` int64 into the candidates, in the order of picking.
        weights: ``(size,)`` float64 > 0, or ``None`` for all ones.
        notes: What should be reported, e.g. cluster sizes; JSON types only.
    """

    positions: Indices
    weights: NDArray[np.float64] | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(kw_only=True)
class Selector(Component):
    """Chooses ``size`` images of each label from the pool.

    A subclass implements ``_select`` for the candidates of one label; the base walks over the
    labels, gives each its own random stream, and checks the answer.
    """

    repeats: ClassVar[bool] = False
    """Whether an image may be picked more than once; if not, size is limited by the pool."""
    nested: ClassVar[bool] = False
    """Whether a smaller selection is a prefix of a larger one at the same seed."""

    def embedder_used(self) -> Embedder | None:
        """The embedder whose vectors ``select`` wants, if any."""
        return None

    def select(
        self, pool: ImageSet, vectors: Floats | None, size: int, rng: np.random.Generator
    ) -> Selection:
        """Pick ``size`` images for every label.

        Args:
            pool: The pool's images; only labels, findings and patients are looked at.
            vectors: ``(len(pool), d)`` float32 from ``embedder_used``, or ``None``.
            size: Picks per label, at least 1.
            rng: The only source of randomness.

        Returns:
            ``size`` picks for each label, ordered.

        Raises:
            ContractError: If a label has too few candidates or the subclass breaks its contract.
        """
        if size < 1:
            raise ContractError(f"size must be at least 1, got {size}")
        # One stream per label, so that a label's picks do not depend on the labels before it.
        streams = rng.spawn(len(pool.label_names))
        indices, weights, notes = [], [], {}
        for label, name in enumerate(pool.label_names):
            members = np.flatnonzero(pool.labels[:, label]).astype(np.int64)
            picks = self._checked_picks(
                Candidates(
                    vectors=None if vectors is None else vectors[members],
                    findings=pool.findings[members],
                    patients=pool.patients[members],
                ),
                size,
                streams[label],
                name,
            )
            indices.append(members[picks.positions])
            weights.append(np.ones(size) if picks.weights is None else picks.weights)
            notes[name] = dict(picks.notes)
        return Selection(
            indices=np.concatenate(indices),
            labels=np.repeat(np.arange(len(pool.label_names), dtype=np.int64), size),
            weights=np.concatenate(weights),
            notes=notes,
        )

    def _checked_picks(
        self, candidates: Candidates, size: int, rng: np.random.Generator, label: str
    ) -> Picks:
        available = len(candidates)
        if available == 0 or (size > available and not self.repeats):
            raise ContractError(
                f"size must be at most {available}, the pool's images of label '{label}', "
                f"got {size}: selector '{self.title()}' does not repeat images; "
                "choose a smaller size, a larger pool_size, or a selector that repeats"
            )
        picks = self._select(candidates, size, rng)
        positions = picks.positions
        if positions.shape != (size,) or positions.dtype != np.int64:
            raise ContractError(
                f"{self.stem()} must return ({size},) int64 positions, "
                f"got {positions.shape} {positions.dtype}"
            )
        if positions.min() < 0 or positions.max() >= available:
            raise ContractError(
                f"{self.stem()} must return positions in [0, {available}), "
                f"got {positions.min()}..{positions.max()}"
            )
        if not self.repeats and len(np.unique(positions)) < size:
            raise ContractError(f"{self.stem()} repeated an image but declares repeats = False")
        return picks

    @abstractmethod
    def _select(self, candidates: Candidates, size: int, rng: np.random.Generator) -> Picks: ...
