"""A dataset's description as a page: all that the terminal shows, and pictures."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tgap.core import ImageSet, Indices
from tgap.core.arrays import spread
from tgap.report.dataset.describing import SIDES, Description
from tgap.report.dataset.doubts import Doubt
from tgap.report.dataset.files import Files
from tgap.report.dataset.prompts import PromptsRead
from tgap.report.dataset.samples import called, rows_by_name
from tgap.report.dataset.showing import (
    NOTHING,
    centre,
    column_told,
    count_rows,
    metadata_rows,
    notes_told,
    size_told,
)
from tgap.report.page import LogAxis, bars_path, picture, write_page

TILES = 16
"""Pictures of each label and finding, at most."""
ROOM = 1_300_000
"""Characters that all pictures may take together."""
BINS = 64
MATRIX = 16
"""Labels whose distances are shown in full, at most."""


@dataclass(frozen=True)
class Tile:
    """A picture on the page.

    Args:
        source: A data URI.
        name: What it is called.
    """

    source: str
    name: str


def write_dataset_page(
    path: Path,
    counts: Description,
    doubts: Sequence[Doubt],
    data: ImageSet,
    prompts: PromptsRead,
    heading: Mapping[str, str],
) -> None:
    """Write the page.

    Args:
        path: The HTML file.
        counts: What is described.
        doubts: What looks wrong.
        data: The images.
        prompts: How the labels' prompts are read.
        heading: ``title``, ``command`` and ``digest``.
    """
    write_page(
        path,
        "dataset.html",
        **heading,
        size=size_told(counts),
        doubts=doubts,
        nothing=f"{NOTHING[0].upper()}{NOTHING[1:]}.",
        counts=counts,
        sides=["all", *SIDES],
        rows=list(count_rows(counts)),
        columns=list(_columns(counts)),
        values=list(metadata_rows(counts)),
        pairs=[(one, [other]) for one, other in counts.copies.pairs],
        disputed=[(one, others) for one, *others in counts.copies.disputed_pairs],
        pictures=_pictures(data),
        levels=list(_levels(counts)),
        bins=BINS,
        notes=dict(notes_told(counts.notes)),
        prompts=prompts,
        nearest={} if prompts.distances is None else {n: prompts.nearest(n) for n in prompts.texts},
        matrix=_matrix(prompts),
        **_files(counts.files),
    )


def _pictures(data: ImageSet) -> dict[str, list[Tile]]:
    """Of each label and finding, as many as there is room for."""
    rows, drawn = rows_by_name(data, TILES), {}
    for row in np.unique(np.concatenate(list(rows.values()))).tolist():
        drawn[row] = Tile(picture(data.images[row]), called(data, row))
    most = TILES
    while most > 1 and sum(_room(drawn, part) for part in rows.values()) > ROOM:
        most //= 2
        rows = {name: part[spread(len(part), most)] for name, part in rows.items()}
    return {name: [drawn[row] for row in part.tolist()] for name, part in rows.items()}


def _room(drawn: Mapping[int, Tile], rows: Indices) -> int:
    return sum(len(drawn[row].source) for row in rows.tolist())


def _levels(counts: Description) -> Iterator[tuple[str, str, str]]:
    """Name, what is told, and the outline of each histogram."""
    for name, of_levels in counts.levels.counts.items():
        mean, median = centre(of_levels)
        yield name, f"mean {mean:.0f}, median {median}", bars_path(of_levels, BINS)


def _files(files: Files | None) -> dict[str, Any]:
    if files is None:
        return {"files": None}
    misfit = "Lose much to the square in the middle" if files.cropped else "Stretched much"
    return {
        "files": files,
        "kinds": [(kind, [f"{count:,}"]) for kind, count in files.kinds.items()],
        "spans": [
            (name, [f"{value:.4g}" for value in span])
            for name, span in (
                ("width", files.widths),
                ("height", files.heights),
                ("width / height", files.ratios),
            )
        ],
        "sizes": _sizes(files),
        "shorter": [(label, [f"{side:g}"]) for label, side in files.sides.items()],
        "named": [
            ("Enlarged", files.enlarged_named, files.enlarged),
            (misfit, files.misfits_named, files.misfits),
        ],
    }


def _matrix(prompts: PromptsRead) -> list[tuple[str, list[tuple[str, float]]]]:
    """Rows of distances, each as text and as a share of the greatest."""
    if prompts.distances is None or len(prompts.texts) > MATRIX:
        return []
    shares = 0.4 * prompts.distances / max(prompts.distances.max(), 1e-9)
    return [
        (label, [(f"{d:.3f}", round(float(s), 3)) for d, s in zip(*rows, strict=True)])
        for label, *rows in zip(prompts.texts, prompts.distances, shares, strict=True)
    ]


def _sizes(files: Files) -> dict[str, Any]:
    """Points and ticks of a picture of widths and heights."""
    axis = LogAxis.over([*files.widths, *files.heights])
    most = max(count for *_, count in files.sizes)
    points = [
        (
            axis.place(width),
            axis.place(height),
            3 + 6 * (count / most) ** 0.5,
            f"{width} x {height}: {count:,} files",
        )
        for width, height, count in files.sizes
    ]
    return {"points": points, "ticks": [(axis.place(tick), tick) for tick in axis.ticks()]}


def _columns(counts: Description) -> Iterator[tuple[str, list[str]]]:
    """Metadata that are not in the table of counts."""
    for name, column in counts.metadata.items():
        if "median" in column:
            yield name, [column_told(column)]
        elif "different" in column and name != "file":
            yield name, [f"{column['different']:,} different texts"]
