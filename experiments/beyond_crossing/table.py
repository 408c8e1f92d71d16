"""Compares classifiers and what they look at, and writes ``classifiers.csv`` and ``adapted.csv``.

Usage: ``python -m experiments.beyond_crossing.table [EXPERIMENT [FOLDER]]``, with ``TGAP_HOME`` as
for the runs. Of the first, TSTR minus that of the usual classifier on the same sets; of the second,
what a classifier reaches that has looked at real images, minus its TSTR, with intervals over seeds
on these test images. p adjusted by Holm over all of a file's differences in a world, whoever
recorded them.
"""

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments.beyond_drawing.table import (
    difference_of,
    markdown_of,
    more,
    number_of,
    short,
    with_others,
)
from experiments.beyond_drawing.ways import TSTR, Way, beside_plain, ways
from experiments.thesis.runs import lines_of
from experiments.thesis.worlds import by_world
from tgap.analysis.contrasts import ON_THESE
from tgap.analysis.rows import RunRow
from tgap.analysis.splits import Sampled, mean_interval
from tgap.core.files import home_folder, write_whole
from tgap.metrics.intervals import Interval
from tgap.metrics.significance import FEWEST_SEEDS, p_of_interval
from tgap.sweeps.history import recorded

TRTR = "trtr/auroc"
NONE = "adapted/none"
CLASSIFIERS = (
    *("world", "classifier", "size", "guidance", "seeds"),
    *("tstr", "tstr_lo", "tstr_hi", "trtr", "more", "more_lo", "more_hi", "p_alone", "p"),
)
ADAPTED = (
    *("world", "looked_at", "size", "guidance", "seeds"),
    *("auroc", "more", "more_lo", "more_hi", "p_alone", "p"),
)
Line = Mapping[str, object]


def adapted_names(rows: Sequence[RunRow]) -> list[str]:
    """Metrics of classifiers that have looked at real images."""
    names = {name for row in rows for name in row.metrics if name.startswith("adapted/")}
    left_out = ("/lo", "/hi", "self_trained_on")
    return sorted(name for name in names if name != NONE and not name.endswith(left_out))


def classifier_lines(world: str, found: Sequence[Way]) -> list[Line]:
    """A line per classifier, size and guidance."""
    return [
        {
            **_head(world, way),
            "classifier": way.name or "usual",
            **number_of("tstr", way.group.numbers[TSTR]),
            "trtr": f"{way.mean(TRTR):.6g}",
            **difference_of(contrast),
        }
        for way, contrast in zip(found, beside_plain(found), strict=True)
    ]


def adapted_lines(world: str, found: Sequence[Way], names: Sequence[str]) -> list[Line]:
    """A line per way to look at real images, of the usual classifier."""
    plain = [(way, name) for way in found if not way.name for name in names]
    gains = [_gain(way, name) for way, name in plain]
    enough = [len(way.group.seeds) >= FEWEST_SEEDS for way, _ in plain]
    alone = [
        p_of_interval(one) if many else math.nan for one, many in zip(gains, enough, strict=True)
    ]
    return [
        {
            **_head(world, way),
            "looked_at": name.removeprefix("adapted/"),
            "auroc": f"{way.mean(name):.6g}",
            **number_of("more", gain),
            "p_alone": "" if math.isnan(p_value) else f"{p_value:.6g}",
            "p": "",
        }
        for (way, name), gain, p_value in zip(plain, gains, alone, strict=True)
    ]


def _gain(way: Way, name: str) -> Interval:
    before, after = way.group.values(NONE), way.group.values(name)
    return mean_interval([Sampled(after[seed] - before[seed], ON_THESE) for seed in after])


def _head(world: str, way: Way) -> dict[str, object]:
    seeds = len(way.group.seeds)
    return {"world": world, "size": way.size, "guidance": way.guidance, "seeds": seeds}


def main(experiment: str, folder: Path) -> None:
    """Write and print the tables of all recorded worlds."""
    rows, missing = recorded(home_folder(), experiment, {})
    names = adapted_names(rows)
    worlds = {world: ways(own, (TRTR, NONE, *names)) for world, own in by_world(rows).items()}
    files = {
        "classifiers": (CLASSIFIERS, [classifier_lines(w, f) for w, f in worlds.items()]),
        "adapted": (ADAPTED, [adapted_lines(w, f, names) for w, f in worlds.items()]),
    }
    for name, (header, of_worlds) in files.items():
        file = folder / f"{name}.csv"
        new = [line for lines in of_worlds for line in lines]
        write_whole(file, with_others(file, header, new), "a table")
        print(markdown_of(header[1:4], lines_of(file, header), _cells))
    print(f"{len(rows)} runs; {len(missing)} are not finished")


def _cells(one: Mapping[str, str]) -> dict[str, str]:
    shown = {"TSTR": "tstr", "TRTR": "trtr", "AUROC": "auroc"}
    values = {title: short(one[name]) for title, name in shown.items() if name in one}
    return values | {"more": more(one)}


if __name__ == "__main__":
    main(
        sys.argv[1] if len(sys.argv) > 1 else "beyond_crossing",
        Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parent,
    )
