"""Compares ways of drawing with the plain one, and writes ``table.csv`` and ``twins.csv``.

Usage: ``python -m experiments.beyond_drawing.table [EXPERIMENT [FOLDER]]``, with ``TGAP_HOME`` as
for the runs. Prints the tables in Markdown. Lines of what is not recorded there stay in the files,
and p-values are adjusted by Holm over all lines of a file in a world, whoever recorded them.
"""

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from experiments.beyond_drawing.ways import (
    COPIED,
    COVERAGE,
    FTER,
    GAP,
    LABELS,
    LOOKS,
    PASSES,
    TRTS,
    TSTR,
    Way,
    beside_plain,
    beside_twins,
    ways,
)
from experiments.thesis.runs import lines_of, written
from experiments.thesis.worlds import by_world
from tgap.analysis.contrasts import Contrast
from tgap.core.files import home_folder, write_whole
from tgap.metrics.intervals import Interval
from tgap.metrics.significance import LEVEL, holm, p_of_interval
from tgap.sweeps.history import recorded

METRICS = {"tstr": TSTR, "trts": TRTS, "fter": FTER, "t_gap": GAP, "coverage": COVERAGE}
HEADER = (
    *("world", "way", "size", "guidance", "seeds"),
    *(f"{name}{end}" for name in METRICS for end in ("", "_lo", "_hi")),
    *(
        "copied",
        "passes",
        "draw_passes",
        "judge_passes",
        "labelled_real",
        "more",
        "more_lo",
        "more_hi",
        "p_alone",
        "p",
    ),
)
TWINS = (
    *("world", "way", "size", "guidance", "seeds", "twin", "twin_size", "twin_guidance"),
    *("more", "more_lo", "more_hi", "p_alone", "p"),
)
COLUMNS = (("way", "size", "guidance"), ("twin", "twin_size", "twin_guidance"))
ABOUT = (
    *("world", "way", "size", "guidance", "twin", "twin_size", "twin_guidance"),
    *("classifier", "looked_at"),
)
"""Columns that say what a line is about."""
Line = Mapping[str, object]


def lines(world: str, found: Sequence[Way]) -> list[Line]:
    """A line per way and size."""
    return [
        {
            **_head(world, way),
            **{
                column: text
                for name, metric in METRICS.items()
                for column, text in number_of(name, way.group.numbers[metric]).items()
            },
            "copied": _text(way.mean(COPIED)),
            "passes": _text(way.passes),
            "draw_passes": _text(way.mean(PASSES)),
            "judge_passes": _text(way.mean(LOOKS)),
            "labelled_real": _text(way.mean(LABELS)),
            **difference_of(contrast),
        }
        for way, contrast in zip(found, beside_plain(found), strict=True)
    ]


def twin_lines(world: str, found: Sequence[Way]) -> list[Line]:
    """A line per way and twin."""
    return [
        {
            **_head(world, way),
            "twin": twin.name or "plain",
            "twin_size": twin.size,
            "twin_guidance": twin.guidance,
            **difference_of(contrast),
        }
        for way, twin, contrast in beside_twins(found)
    ]


def _head(world: str, way: Way) -> dict[str, object]:
    return {
        "world": world,
        "way": way.name or "plain",
        "size": way.size,
        "guidance": way.guidance,
        "seeds": len(way.group.seeds),
    }


def number_of(name: str, number: Interval) -> dict[str, str]:
    """A number and its ends, by column."""
    return {
        name: _text(number.estimate),
        f"{name}_lo": _text(number.lo),
        f"{name}_hi": _text(number.hi),
    }


def difference_of(contrast: Contrast | None) -> dict[str, str]:
    """A difference, its ends and its p-value alone, by column; empty if there is none."""
    if contrast is None or math.isnan(contrast.p_value):
        return dict.fromkeys(("more", "more_lo", "more_hi", "p_alone", "p"), "")
    alone = _text(p_of_interval(contrast.difference))
    return {**number_of("more", contrast.difference), "p_alone": alone, "p": ""}


def _text(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}"


def markdown_of(
    head: Sequence[str],
    table: Sequence[Mapping[str, str]],
    cells_of: Callable[[Mapping[str, str]], Mapping[str, str]],
) -> str:
    """A table in Markdown: some columns as they are, and cells made of the others."""
    rows = [[*(one[name] for name in head), *cells_of(one).values()] for one in table]
    names = [*head, *(cells_of(table[0]) if table else ())]
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def _cells(one: Mapping[str, str]) -> dict[str, str]:
    return {
        "TSTR": _ranged(one, "tstr"),
        "minus plain": more(one),
        "TRTS": _ranged(one, "trts"),
        "FTER": _ranged(one, "fter"),
        "Coverage": _ranged(one, "coverage"),
        "Copied": short(one["copied"]),
        "passes": f"{float(one['passes']):.1f}" if one["passes"] else "-",
        "labels": one["labelled_real"] or "0",
    }


def more(one: Mapping[str, str]) -> str:
    """A difference with its interval, in bold where it is shown."""
    if not one["more"]:
        return "-"
    text = f"{float(one['more']):+.3f}".replace("0.", ".")
    if one["more_lo"]:
        text += f" ({short(one['more_lo'])} to {short(one['more_hi'])})"
    return f"**{text}**" if one["p"] and float(one["p"]) <= LEVEL else text


def _ranged(one: Mapping[str, str], name: str) -> str:
    ends = [one[f"{name}_lo"], one[f"{name}_hi"]]
    return short(one[name]) + (f" {short(ends[0])}-{short(ends[1])}" if all(ends) else "")


def short(text: str) -> str:
    """``.541`` for ``0.5413``; ``-`` for nothing."""
    return f"{float(text):.3f}".replace("0.", ".", 1) if text else "-"


def with_others(file: Path, header: Sequence[str], new: Sequence[Line]) -> str:
    """A file's lines with new ones in place of those about the same, as text; ``p`` is of all."""

    def about(line: Mapping[str, object]) -> tuple[str, ...]:
        return tuple(str(line[name]) for name in header if name in ABOUT)

    there = {about(line) for line in new}
    old = [line for line in lines_of(file, header) if about(line) not in there]
    return written(header, adjusted([*old, *new]))


def adjusted(lines: Sequence[Line]) -> list[Line]:
    """The same with ``p``: ``p_alone`` by Holm over all lines of a world."""
    found = [dict(line) for line in lines]
    for world in {line["world"] for line in found}:
        family = [line for line in found if line["world"] == world and line["p_alone"]]
        alone = np.array([float(str(line["p_alone"])) for line in family], np.float64)
        for line, p_value in zip(family, holm(alone), strict=True):
            line["p"] = _text(float(p_value))
    return list(found)


def main(experiment: str, folder: Path) -> None:
    """Write and print the tables of all recorded worlds."""
    rows, missing = recorded(home_folder(), experiment, {})
    worlds = {world: ways(own) for world, own in by_world(rows).items()}
    for name, header, of in (("table", HEADER, lines), ("twins", TWINS, twin_lines)):
        file = folder / f"{name}.csv"
        new = [line for world, found in worlds.items() for line in of(world, found)]
        write_whole(file, with_others(file, header, new), "the table of ways")
    print(markdown_of(HEADER[1:4], lines_of(folder / "table.csv", HEADER), _cells))
    for one in lines_of(folder / "twins.csv", TWINS):
        both = [f"{one[way]} ({one[size]}, {one[scale]})" for way, size, scale in COLUMNS]
        print(f"- {one['world']}: {' minus '.join(both)}: {more(one)}")
    print(f"{len(rows)} runs; {len(missing)} are not finished")


if __name__ == "__main__":
    main(
        sys.argv[1] if len(sys.argv) > 1 else "beyond_drawing",
        Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parent,
    )
