"""One line per finished run: ``runs.csv``, from which everything is recomputed without running.

Usage: ``python -m experiments.thesis.runs [FILE]``, with ``TGAP_HOME`` as for the runs. Lines of
the worlds that are recorded there take the place of the file's; those of other worlds stay.
"""

import csv
import io
import math
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from experiments.thesis.worlds import GUIDANCE, PROTOCOL, STEPS, world_of
from tgap.analysis.rows import RunRow
from tgap.core import DataError
from tgap.core.files import home_folder, write_whole
from tgap.sweeps.history import recorded

FILE = Path(__file__).parent / "runs.csv"
SETTINGS: Mapping[str, str] = {"protocol": PROTOCOL, "steps": STEPS, "guidance": GUIDANCE}
METRICS: Mapping[str, str] = {
    "tstr": "tstr/auroc",
    "trts": "trts/auroc",
    "trtr": "trtr/auroc",
    "tsts": "tsts/auroc",
    "t_gap": "t_gap",
    "fter": "fter",
    "tstr_accuracy": "tstr/accuracy",
    "trts_accuracy": "trts/accuracy",
    "coverage": "fidelity/coverage",
    "recall": "fidelity/recall",
    "precision": "fidelity/precision",
    "frechet": "fidelity/frechet",
    "vendi": "diversity/vendi",
    "vendi_real": "diversity/vendi_real",
    "copied": "memorization/copied_fraction",
    "pool": "images/pool",
}
"""Columns and tgap's names of what they hold."""
HEADER = ("world", "method", "size", "seed", "control", *SETTINGS, *METRICS)


def as_csv(rows: Sequence[RunRow], kept: Sequence[Mapping[str, str]] = ()) -> str:
    """The table.

    Args:
        rows: Finished runs.
        kept: Lines that stay as they are.
    """
    lines = [
        {
            "world": world_of(row),
            "method": row.method,
            "size": "" if row.size is None else row.size,
            "seed": row.seed,
            "control": "yes" if row.is_control else "no",
            **{column: row.settings.get(name, "") for column, name in SETTINGS.items()},
            **{column: _text(row.metrics.get(name)) for column, name in METRICS.items()},
        }
        for row in rows
    ]
    return written(HEADER, [*kept, *lines])


def read(file: Path = FILE) -> list[RunRow]:
    """Its runs, as far as the table knows them: no settings but those it has, no resamples.

    Raises:
        DataError: If it lacks a column.
    """
    return [
        RunRow(
            method=line["method"],
            method_key=line["method"],
            size=int(line["size"]) if line["size"] else None,
            seed=int(line["seed"]),
            settings={
                "dataset.class": line["world"],
                **{name: line[column] for column, name in SETTINGS.items() if line[column]},
            },
            is_control=line["control"] == "yes",
            evaluation_key=str(number),
            metrics={name: float(line[c]) for c, name in METRICS.items() if line[c]},
        )
        for number, line in enumerate(lines_of(file, HEADER))
    ]


def lines_of(file: Path, header: Sequence[str]) -> list[dict[str, str]]:
    """The lines of a table of ours; none if there is no such file."""
    if not file.exists():
        return []
    lines = csv.DictReader(io.StringIO(file.read_text("utf-8")))
    if missing := [column for column in header if column not in (lines.fieldnames or ())]:
        raise DataError(f"{file} has no column {', '.join(missing)}; write it anew")
    return list(lines)


def of_others(file: Path, header: Sequence[str], worlds: Collection[str]) -> list[dict[str, str]]:
    """Those of its lines that are of none of these worlds."""
    return [line for line in lines_of(file, header) if line["world"] not in worlds]


def written(header: Sequence[str], lines: Sequence[Mapping[str, object]]) -> str:
    """A table as text."""
    file = io.StringIO()
    writer = csv.DictWriter(file, header, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return file.getvalue()


def _text(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.8g}"


def main(file: Path) -> None:
    """Write the table of all recorded runs of the experiment ``thesis``."""
    rows, missing = recorded(home_folder(), "thesis", {})
    kept = of_others(file, HEADER, {world_of(row) for row in rows})
    write_whole(file, as_csv(rows, kept), "the table of runs")
    print(f"{len(rows)} runs, and {len(kept)} of other worlds; {len(missing)} are not finished")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FILE)
