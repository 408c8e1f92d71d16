"""What a command says at its end: the table, where the pictures are, how to open MLflow."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from tgap.comparison import Comparison
from tgap.report.summary import summary
from tgap.report.table import render

SHOWN = 6
"""Folders of pictures that are named."""


def show_results(
    comparison: Comparison,
    metrics: Mapping[str, float] | None,
    failures: Sequence[str],
    pictures: Sequence[Path],
    home: Path,
) -> None:
    """Print a command's results to standard output.

    Args:
        comparison: Of the runs.
        metrics: Of the run, if it is one only.
        failures: What went wrong in runs that failed.
        pictures: Folders of pictures, one per result.
        home: ``TGAP_HOME``, absolute.
    """
    console = Console(highlight=False, soft_wrap=True)
    finished = any(group.seeds for group in comparison.groups)
    if finished:
        render(comparison, console)
    if metrics is not None:
        console.print("\n" + summary(metrics), markup=False, end="")
    folders = list(dict.fromkeys(pictures))
    for folder in folders[:SHOWN]:
        names = ", ".join(sorted((path.name for path in folder.glob("*.png")), reverse=True))
        console.print(f"pictures: {shown(folder)}/{names}", markup=False)
    if len(folders) > SHOWN:
        console.print(f"and those of {len(folders) - SHOWN} more results, in MLflow", markup=False)
    if finished:
        # Only another folder than the one that `tgap ui` looks at by itself has to be named.
        variable = "" if home == Path(".tgap").absolute() else f"TGAP_HOME={home} "
        console.print(f"open MLflow: {variable}tgap ui", markup=False)
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    for failure in failures:
        errors.print(f"FAILED: {failure}", style="bold red", markup=False)


def shown(path: Path) -> str:
    """A path as a person would type it: relative to the current folder if it lies below it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
