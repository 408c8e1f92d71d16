"""As many images of each label from every set, so that neither n nor the mix of labels differs."""

from collections.abc import Sequence

import numpy as np

from tgap.core import Bools, Floats, Images, ImageSet, Indices
from tgap.embedders.base import Embedder
from tgap.evaluators.base import Evidence


def common_count(*labels: Bools) -> int:
    """The largest number of images per label that every set has of every label.

    Args:
        labels: Each set's, ``(N, L)`` bool.

    >>> common_count(np.eye(2, dtype=bool), np.ones((3, 2), dtype=bool))
    1
    """
    return min(int(of_set.sum(axis=0).min()) for of_set in labels)


def draw_images(parts: Sequence[ImageSet], count: int, rng: np.random.Generator) -> Images:
    """The pixels of ``draw``, ``(L * count, H, W, C)`` uint8."""
    rows = draw_rows([part.labels for part in parts], count, rng)
    return np.concatenate([parts[part].images[chosen] for part, chosen in rows])


def draw(parts: Sequence[ImageSet], count: int, rng: np.random.Generator) -> tuple[ImageSet, Bools]:
    """``count`` random images of each label.

    An image with two labels may stand for each of them, so each label's images are a fair draw of
    all its images.

    Args:
        parts: Of a set, alike but for their images; a part's images of a label are used up before
            the next part's.
        count: Images per label, at most as many as there are.
        rng: Of the draw.

    Returns:
        L * count images, labels one after another; and which of them were not drawn before.
    """
    rows = draw_rows([part.labels for part in parts], count, rng)
    drawn = [parts[part].take(chosen) for part, chosen in rows]
    places = np.concatenate([part * 2**32 + chosen for part, chosen in rows])
    fresh = np.zeros(len(places), bool)
    fresh[np.unique(places, return_index=True)[1]] = True
    first = drawn[0]
    together = ImageSet(
        images=np.concatenate([one.images for one in drawn]),
        labels=np.concatenate([one.labels for one in drawn]),
        label_names=first.label_names,
        findings=np.concatenate([one.findings for one in drawn]),
        finding_names=first.finding_names,
        patients=np.concatenate([one.patients for one in drawn]),
        metadata={
            name: np.concatenate([one.metadata[name] for one in drawn]) for name in first.metadata
        },
    )
    return together, fresh


def draw_rows(
    parts: Sequence[Bools], count: int, rng: np.random.Generator
) -> list[tuple[int, Indices]]:
    """Which images ``draw`` draws: a part and positions in it, again and again.

    Args:
        parts: Their labels.
        count: As there.
        rng: As there.
    """
    drawn = []
    for label in range(parts[0].shape[1]):
        lacking = count
        for part, labels in enumerate(parts):
            rows = rng.permutation(np.flatnonzero(labels[:, label]))[:lacking]
            drawn.append((part, rows))
            lacking -= len(rows)
    return drawn


def embedded(embedder: Embedder, evidence: Evidence, images: Images) -> Floats:
    """``(N, d)`` vectors; an embedder that takes a classifier gets the real one."""
    return embedder.embed(images, evidence.real_features if embedder.uses_classifier else None)
