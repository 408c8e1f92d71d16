"""Images of a report: real ones, and of each method tuning and synthetic ones."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tgap.analysis.rows import RunRow
from tgap.core import Images
from tgap.report.runs.content import Sample
from tgap.report.runs.pictures import Strip, above_each_other, strip

ROOM = 2_400_000
"""Characters that all images may take together."""
SIDES = (64, 48, 32, 24)
"""Pixels of an image, the first with which all have room."""


@dataclass(frozen=True)
class Gallery:
    """Images of one method.

    Args:
        title: The method, and which run it was.
        strips: By what they are, one per label.
        missing: What could not be read.
    """

    title: str
    strips: Mapping[str, Sequence[Strip]]
    missing: Sequence[str]


def named(row: RunRow) -> str:
    """Which run it is."""
    size = f" at {row.size}" if row.size is not None else ""
    return f"{row.method}{size}, seed {row.seed}"


def side_of(samples: Sequence[Sample]) -> int:
    """The most pixels of an image with which all have room."""
    for side in SIDES:
        room = 0.0
        for sample in samples:
            sets = (sample.real, sample.tuning, sample.synthetic, sample.nearest, sample.nearest)
            for images in (block for one in sets for block in one):
                pixels = min(side, images.shape[1]) * min(side, images.shape[2])
                room += len(images) * pixels * 0.5 * images.shape[3]
        if room <= ROOM:
            return side
    return SIDES[-1]


def galleries_of(samples: Sequence[Sample], side: int) -> Iterator[Gallery]:
    """Real images once, then those of each method."""
    first = next((one for one in samples if any(map(len, one.real))), None)
    if first is not None:
        images = _strips(first, first.real, "real images", side)
        yield Gallery("Real images, of real_train", {"": images}, [])
    for sample in samples:
        made = {
            "Tuning set": _strips(sample, sample.tuning, "tuning images", side),
            "Synthetic": _strips(sample, sample.synthetic, "synthetic images", side),
            "Synthetic, and below each its nearest tuning image": [
                _pairs(sample, at, images, near, side)
                for at, (images, near) in enumerate(
                    zip(sample.synthetic, sample.nearest, strict=False)
                )
                if len(images)
            ],
        }
        there = {kind: strips for kind, strips in made.items() if strips}
        yield Gallery(named(sample.run), there, sample.missing)


def _strips(sample: Sample, blocks: Sequence[Images], what: str, side: int) -> list[Strip]:
    return [
        strip(list(images), f"{len(images)} {what} of {label}, {named(sample.run)}", side, label)
        for label, images in zip(sample.label_names, blocks, strict=False)
        if len(images)
    ]


def _pairs(sample: Sample, at: int, images: Images, near: Images, side: int) -> Strip:
    label, most = sample.label_names[at], max(sample.similarity[at])
    alt = (
        f"{len(images)} synthetic images of {label}, each above the tuning image that it resembles "
        f"most; highest similarity {most:.2f}, where 1 is an equal image"
    )
    both = [above_each_other(one, other) for one, other in zip(images, near, strict=True)]
    return strip(both, alt, 2 * side, f"{label}, similarity up to {most:.2f}")
