"""How near synthetic images are to real ones within labels, findings and groups."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tgap.core import Bools, Floats, ImageSet
from tgap.evaluators.parts.groups import Group, group_names, groups_of
from tgap.metrics.jackknife import coverage_with_ends, grouped, kid_with_ends
from tgap.metrics.naming import metric_names

FEWEST = 30
"""Images that each side of a part needs: kernel distance and coverage of fewer are noise."""


@dataclass(frozen=True)
class Side:
    """One set that is compared.

    Args:
        images: N of them; pixels are not looked at.
        vectors: ``(N, d)`` float32.
    """

    images: ImageSet
    vectors: Floats

    def where(self, rows: Bools) -> "Side":
        """These rows, ``(N,)`` bool, without pixels."""
        images = self.images.without_images().take(np.flatnonzero(rows).astype(np.int64))
        return Side(images, self.vectors[rows[: len(self.vectors)]])

    def some(self, rows: Bools, count: int, rng: np.random.Generator) -> "Side":
        """So many of these rows, at random."""
        chosen = np.sort(rng.permutation(np.flatnonzero(rows))[:count]).astype(np.int64)
        return Side(self.images.take(chosen), self.vectors[chosen])


@dataclass(frozen=True)
class Compared:
    """What is compared with its like.

    Args:
        kind: ``label``, ``finding``, or a column of the table.
        value: Its name, or the value in the column.
        name: In a metric's name.
        real: ``(N,)`` bool, images of real_test that are of it.
        others: The same of real_train.
        drawn: The same of the synthetic images.
    """

    kind: str
    value: str
    name: str
    real: Bools
    others: Bools
    drawn: Bools


def parts_of(
    real: Side, others: Side, drawn: Side, columns: Sequence[str], bands: dict[str, list[float]]
) -> Iterator[Compared]:
    """Labels, and those findings and groups that synthetic images were asked to show.

    Args:
        real: Of real_test.
        others: Of real_train.
        drawn: Synthetic.
        columns: Of the table.
        bands: Borders of columns of numbers.
    """
    sides = [side.images for side in (real, others, drawn)]
    for kind in ("label", "finding"):
        names = [getattr(side, f"{kind}_names") for side in sides]
        if kind == "finding" and names[0] == sides[0].label_names:
            continue
        of_sides = [getattr(side, f"{kind}s") for side in sides]
        for position, plain in enumerate(metric_names(names[0])):
            value = names[0][position]
            if all(value in own for own in names):
                has = [held[:, own.index(value)] for held, own in zip(of_sides, names, strict=True)]
                yield Compared(kind, value, f"{kind}/{plain}", *has)
    yield from _groups(sides, columns, bands)


def _groups(
    sides: Sequence[ImageSet], columns: Sequence[str], bands: dict[str, list[float]]
) -> Iterator[Compared]:
    real, others, drawn = (side.metadata for side in sides)
    of_drawn = list(groups_of(real, columns, bands, drawn))
    of_others = list(groups_of(real, columns, bands, others))
    known: list[tuple[Group, Group]] = list(zip(of_drawn, of_others, strict=True))
    for name, (one, other) in zip(group_names(of_drawn), known, strict=True):
        if one.drawn is not None and other.drawn is not None:
            yield Compared(one.column, one.value, name, one.rows, other.drawn, one.drawn)


def within(
    parts: Sequence[Compared],
    real: Side,
    others: Side,
    drawn: Side,
    k: int,
    rng: np.random.Generator,
) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Kernel distance and coverage of each part, at equal numbers of images on the three sides.

    Args:
        parts: Of the sides.
        real: Of real_test.
        others: Of real_train, in place of the synthetic images for ``..._floor``.
        drawn: Synthetic.
        k: Which neighbour a ball reaches to.
        rng: Draws the images, and deals patients out.

    Returns:
        Metrics, and a row for each part with images enough, that of the least coverage beside
        real images' first.
    """
    metrics, rows = dict[str, float](), []
    for part, stream in zip(parts, rng.spawn(len(parts)), strict=True):
        count = int(min(of.sum() for of in (part.real, part.others, part.drawn)))
        if count < max(FEWEST, k + 1):
            continue
        own = real.some(part.real, count, stream)
        numbers = {
            **_numbers(own, drawn.some(part.drawn, count, stream), k, "", stream),
            **_numbers(own, others.some(part.others, count, stream), k, "_floor", stream),
        }
        metrics |= {f"fidelity/within/{part.name}/{name}": v for name, v in numbers.items()}
        rows.append({"kind": part.kind, "part": part.value, "images": count, **numbers})
    rows.sort(key=_least_covered)
    return metrics, rows


def _numbers(
    real: Side, other: Side, k: int, suffix: str, rng: np.random.Generator
) -> dict[str, float]:
    one, two = (grouped(side.images.patients, rng) for side in (real, other))
    return {
        **kid_with_ends(real.vectors, other.vectors, one, two).named(f"kid{suffix}"),
        **coverage_with_ends(real.vectors, other.vectors, one, two, k).named(f"coverage{suffix}"),
    }


def _least_covered(row: dict[str, Any]) -> float:
    return float(row["coverage"] - row["coverage_floor"])
