"""All figures of a comparison on one sheet, as a file."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tgap.analysis.comparison import Comparison
from tgap.core import DataError
from tgap.report.headings import heading_of
from tgap.report.runs import panels
from tgap.report.runs.charts import OVER_SIZES, ceiling_of, drawn_pairs
from tgap.report.runs.parts import parts_of
from tgap.report.runs.styles import looks_of
from tgap.report.runs.svg import STYLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure

KINDS = ("svg", "png", "pdf")
"""Of files, by their ending."""
KEY_LINES = 16
"""Lines that a panel's height has room for."""
UNDATED: dict[str, dict[str, Any]] = {
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
"""So that the same numbers make the same bytes."""


def check_plot(path: Path) -> None:
    """See that a file may be drawn, before anything is computed.

    Raises:
        DataError: If its ending is none of ``KINDS``, or it cannot stand there.
    """
    ending = path.suffix.removeprefix(".").lower()
    if ending not in KINDS:
        raise DataError(f"--plot must name a file that ends in {', '.join(KINDS)}; got {path}")
    if path.is_dir() or not path.absolute().parent.is_dir():
        wrong = "that is a folder" if path.is_dir() else f"there is no folder {path.parent}"
        raise DataError(f"--plot must name a file to write, got {path}: {wrong}")


def write_plot(comparison: Comparison, path: Path) -> None:
    """Draw TSTR against TRTS, curves over size and paired differences, a row for each part.

    Args:
        comparison: With at least one row.
        path: Of one of ``KINDS``; a file that is there is replaced, as a whole.

    Raises:
        DataError: If it cannot be written.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    check_plot(path)
    parts = parts_of(comparison)
    ending = path.suffix.removeprefix(".").lower()
    beside = path.with_name(f".{path.name}.part")
    with rc_context(STYLE):
        figure = Figure(figsize=(13, 8 * len(parts)), layout="constrained")
        places = figure.subfigures(len(parts), 1, squeeze=False)[:, 0]
        for part, place in zip(parts, places, strict=True):
            if part.name:
                place.suptitle(part.name)
            _draw(place, part.comparison)
        try:
            figure.savefig(beside, format=ending, metadata=UNDATED[ending])
            beside.replace(path)
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise DataError(f"cannot write {path}: {error.strerror or error}") from error


def _draw(place: "SubFigure", comparison: Comparison) -> None:
    groups, looks = comparison.groups, looks_of(comparison.groups)
    sized = len({one.size for one in groups if one.size is not None}) > 1
    pairs = drawn_pairs(comparison)
    names = ["key", "legs", *(OVER_SIZES if sized else ()), *(["pairs"] if pairs else [])]
    rows = [names[:3], names[3:]] if len(names) > 3 else [names]
    width = max(map(len, rows))
    mosaic = [[*row, *["."] * (width - len(row))] for row in rows]
    axes: dict[str, Axes] = place.subplot_mosaic(mosaic)
    panels.draw_key(axes["key"], list(looks.values()))
    axes["key"].set_ylim(max(KEY_LINES, len(looks)) - 0.5, -0.5)
    panels.draw_legs(axes["legs"], groups, looks)
    if sized:
        for metric in OVER_SIZES:
            panels.draw_sizes(axes[metric], groups, looks, metric, ceiling_of(groups, metric))
            axes[metric].set_ylabel(heading_of(metric))
    if pairs:
        panels.draw_differences(axes["pairs"], pairs, groups)
