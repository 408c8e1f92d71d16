"""Keeps a share of the images: those between the labels."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from tgap.core import Bools, DataError, Doubles, Floats, Indices, option
from tgap.embedders.base import Embedder
from tgap.finetuners.oracles.base import Judge, Judgement, Oracle, Tuning, embedder_problems


@dataclass(kw_only=True)
class Boundary(Oracle):
    """Keeps the share ``keep`` of each label's images that are nearest to another label's.

    With d_own and d_other an image's Euclidean distances to the centroid of its own label and to
    the nearest other one, an image's score is its distance from the boundary between the two,

        |d_other - d_own| / (d_other + d_own)    in [0, 1].

    The tuning set's vectors and centroids do not change with the model, so neither does what is
    kept: it is the smaller tuning set of images that are hard to tell apart, and costs no pass of
    the denoiser. The thesis cites Bashar and Nayak (ACM TIST 12(2), 2021) for such a class-distance
    rule, without results. Theirs chooses which texts are labelled to tune a language model; this
    one knows the labels, and so has centroids. An image beyond the boundary counts by its distance
    all the same: one that lies far on the other side is more likely mislabelled than informative.

    Args:
        embedder: Makes the vectors.
        keep: Share of each label's images that is kept, at least one.
    """

    units: ClassVar[tuple[str, ...]] = ("sample",)

    embedder: Embedder = field(metadata={"help": "makes the vectors", "choice": "clip"})
    keep: float = option(0.7, "share of each label's images that is kept", above=0, high=1)

    def problems(self) -> list[str]:
        """A unit that it cannot judge, and an embedder that needs the run's classifier."""
        return super().problems() + embedder_problems(self.embedder)

    def judge(self, tuning: Tuning, rng: np.random.Generator) -> Judge:
        """Judges every image once, before the first batch.

        Raises:
            DataError: If the tuning images are all of one label.
        """
        labels = tuning.images.labels
        if len(np.unique(labels)) < 2:
            raise DataError(
                f"oracle '{self.title()}' needs tuning images of two labels at least, got one "
                "label; use another oracle"
            )
        distances = boundary_distances(self.embedder.embed(tuning.images.images), labels)
        kept = nearest_share(distances, labels, self.keep)
        return lambda rows: Judgement(kept[rows], distances[rows])


def boundary_distances(vectors: Floats, labels: Indices) -> Doubles:
    """Distance of each image from the boundary between its label and the nearest other one.

    Args:
        vectors: ``(N, d)``.
        labels: ``(N,)``, two different ones at least.

    Returns:
        ``(N,)`` in [0, 1]; 0 where all centroids coincide with the image.

    >>> vectors = np.array([[0.0], [2.0], [6.0]], np.float32)
    >>> boundary_distances(vectors, np.array([0, 0, 1])).round(2).tolist()
    [0.71, 0.6, 1.0]
    """
    names, own = np.unique(labels, return_inverse=True)
    centroids = [vectors[own == i].mean(axis=0, dtype=np.float64) for i in range(len(names))]
    distances = np.stack([np.linalg.norm(vectors - c, axis=1) for c in centroids], axis=1)
    images = np.arange(len(labels))
    to_own = distances[images, own]
    distances[images, own] = np.inf
    to_other = distances.min(axis=1)
    total = to_own + to_other
    relative: Doubles = np.abs(to_other - to_own) / np.where(total > 0, total, 1)
    return relative


def nearest_share(distances: Doubles, labels: Indices, share: float) -> Bools:
    """The share of each label's images with the smallest distances, at least one of each."""
    kept = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        ranked = own[np.argsort(distances[own], kind="stable")]
        kept[ranked[: max(1, round(share * len(own)))]] = True
    return kept
