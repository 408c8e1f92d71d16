"""Pool -> tuning set: which images of each label the generator is tuned on."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tgap.core import (
    Bools,
    Component,
    ContractError,
    Doubles,
    Floats,
    ImageSet,
    Indices,
    Selection,
    option,
)
from tgap.core.arrays import require_indices
from tgap.embedders.base import Embedder


@dataclass(frozen=True)
class Candidates:
    """The pool's images of one label, as a selector sees them.

    Args:
        vectors: ``(n, d)`` float32 embeddings; ``None`` if the selector has no embedder.
        findings: ``(n, F)`` bool.
        patients: ``(n,)`` int64.
        finding_names: F names, or none.
        metadata: Whatever else the dataset knows of each image, by name (``view``, ``age``, a
            table's other columns): ``(n,)`` text, or float64 with NaN where unknown.
    """

    vectors: Floats | None
    findings: Bools
    patients: Indices
    finding_names: tuple[str, ...] = ()
    metadata: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.patients)

    def take(self, positions: Indices) -> "Candidates":
        """The candidates at ``positions``, in that order."""
        return replace(
            self,
            vectors=None if self.vectors is None else self.vectors[positions],
            findings=self.findings[positions],
            patients=self.patients[positions],
            metadata={name: column[positions] for name, column in self.metadata.items()},
        )


@dataclass(frozen=True)
class Picks:
    """A selector's ordered answer for one label.

    Args:
        positions: ``(size,)`` int64 into the candidates, in the order of picking.
        weights: ``(size,)`` float64 > 0, or ``None`` for all ones.
        notes: What should be reported, e.g. cluster sizes; JSON types only.
    """

    positions: Indices
    weights: Doubles | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(kw_only=True)
class Selector(Component):
    """Chooses images of each label from the pool.

    A subclass implements ``_select`` for the candidates of one label; the base walks over the
    labels, gives each its own random stream, and checks the request and the answer.

    Args:
        max_per_patient: Of a patient with more images of a label, that many stay candidates, drawn
            at random before ``_select``. It bounds different images; how often one of them may be
            repeated is ``capacity``'s matter.
    """

    nested: ClassVar[bool] = False
    """Whether a smaller selection is a prefix of a larger one at the same seed."""
    sized: ClassVar[bool] = True
    """Whether as many images are taken as asked for; if not, the size changes nothing."""

    max_per_patient: int | None = option(
        None, "most different images of one patient per label, null = all", low=1, high=1_000_000
    )

    def embedder_used(self) -> Embedder | None:
        """The embedder whose vectors ``select`` wants, if any."""
        return None

    def capacity(self, images: int) -> int | None:
        """The most picks that ``images`` candidates of a label can give; ``None`` = any number."""
        return images

    def check_candidates(self, images: int) -> list[str]:
        """What stands in the way of selecting among that many candidates of a label, as sentences.

        Apart from ``capacity``, and without looking at their vectors.
        """
        return []

    def candidate_counts(self, labels: Bools, patients: Indices) -> list[int]:
        """How many candidates each label has, once ``max_per_patient`` has thinned them.

        Args:
            labels: ``(N, L)`` bool, of the pool.
            patients: ``(N,)`` int64.

        Returns:
            L counts.
        """
        counts = []
        for carried in labels.T:
            images = np.unique(patients[carried], return_counts=True)[1]
            counts.append(int(np.minimum(images, self.max_per_patient or len(patients)).sum()))
        return counts

    def select(
        self, pool: ImageSet, vectors: Floats | None, sizes: Sequence[int], rng: np.random.Generator
    ) -> Selection:
        """Pick images for every label.

        Args:
            pool: The pool's images; its labels, findings, patients and metadata are looked at.
            vectors: ``(len(pool), d)`` float32 from ``embedder_used``, or ``None``.
            sizes: Picks of each label, in the order of ``pool.label_names``, at least 0 each and 1
                together; a label with 0 gets none. Not looked at unless ``sized``.
            rng: The only source of randomness.

        Returns:
            The picks, ordered within each label.

        Raises:
            ContractError: If sizes or vectors do not fit the pool, a label has too few candidates,
                or the subclass breaks its contract.
            DataError: If the images cannot be selected from as asked.
        """
        self._check_request(pool, vectors, sizes)
        # Streams of its own for each label, so that its picks do not depend on the labels before
        # it; thinning has others than picking, so that it changes nothing where it drops nothing.
        streams = rng.spawn(2 * len(pool.label_names))
        picking, thinning = streams[: len(streams) // 2], streams[len(streams) // 2 :]
        everyone = Candidates(
            vectors, pool.findings, pool.patients, pool.finding_names, pool.metadata
        )
        indices, labels, weights = [], [], []
        notes: dict[str, dict[str, Any]] = {name: {} for name in pool.label_names}
        for label, name in enumerate(pool.label_names):
            if self.sized and sizes[label] == 0:
                continue
            members = self._members(pool, label, thinning[label])
            size = sizes[label] if self.sized else len(members)
            picks = self._checked_picks(everyone.take(members), size, picking[label], name)
            indices.append(members[picks.positions])
            labels.append(np.full(len(picks.positions), label, dtype=np.int64))
            weights.append(np.ones(len(labels[-1])) if picks.weights is None else picks.weights)
            notes[name] = {"candidates": len(members), **picks.notes}
        return Selection(
            np.concatenate(indices), np.concatenate(labels), np.concatenate(weights), notes
        )

    def _check_request(self, pool: ImageSet, vectors: Floats | None, sizes: Sequence[int]) -> None:
        names = pool.label_names
        if self.sized and (len(sizes) != len(names) or min(sizes) < 0 or max(sizes) == 0):
            raise ContractError(
                f"sizes must be a number of images, at least 0, for each label "
                f"({', '.join(names)}), and not 0 for all, got {list(sizes)}"
            )
        if vectors is not None and (
            vectors.ndim != 2 or len(vectors) != len(pool) or vectors.dtype != np.float32
        ):
            raise ContractError(
                f"vectors must be ({len(pool)}, d) float32, a row for each image of the pool, "
                f"got {vectors.shape} {vectors.dtype}"
            )

    def _members(self, pool: ImageSet, label: int, rng: np.random.Generator) -> Indices:
        """The label's images, ascending; at most ``max_per_patient`` random ones of a patient."""
        carriers = np.flatnonzero(pool.labels[:, label]).astype(np.int64)
        if self.max_per_patient is None:
            return carriers
        patients = pool.patients[carriers]
        order = np.lexsort((rng.permutation(len(carriers)), patients))
        _, first, patient = np.unique(patients[order], return_index=True, return_inverse=True)
        place = np.arange(len(order)) - first[patient]
        return carriers[np.sort(order[place < self.max_per_patient])]

    def _checked_picks(
        self, candidates: Candidates, size: int, rng: np.random.Generator, label: str
    ) -> Picks:
        available, most = len(candidates), self.capacity(len(candidates))
        if available == 0:
            raise ContractError(f"the pool has no image of label '{label}'; raise pool_size")
        if self.sized and most is not None and size > most:
            raise ContractError(
                f"size must be at most {most}, got {size}: that is what selector "
                f"'{self.title()}' can pick from the pool's {available} candidates of label "
                f"'{label}'; choose a smaller size, a larger pool_size, or a selector that repeats"
            )
        picks = self._select(candidates, size, rng)
        positions = picks.positions
        expected = (size,) if self.sized else (max(1, positions.size),)
        require_indices(self.stem(), "positions", positions, expected, available)
        often = int(np.bincount(positions).max())
        if most is not None and often > -(-most // available):
            raise ContractError(
                f"{self.stem()} picked an image {often} times, but its capacity of {most} picks "
                f"from {available} images allows {-(-most // available)}"
            )
        return picks

    @abstractmethod
    def _select(self, candidates: Candidates, size: int, rng: np.random.Generator) -> Picks: ...
