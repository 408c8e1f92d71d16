"""What a command says at its end: the table, where the pictures are, how to open MLflow."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from tgap.report.table import RunRow, render


def show_results(
    rows: Sequence[RunRow], failures: Sequence[str], pictures: Sequence[Path], home: Path
) -> None:
    """Print a command's results to standard output.

    Args:
        rows: Of the runs that succeeded.
        failures: What went wrong in the others.
        pictures: Folders of pictures, one per result.
        home: ``TGAP_HOME``, absolute.
    """
    console = Console(highlight=False, soft_wrap=True)
    if rows:
        render(rows, console)
    for folder in dict.fromkeys(pictures):
        console.print(f"pictures: {shown(folder)}/samples.png, roc.png", markup=False)
    if rows:
        # Only another folder than the one that `tgap ui` looks at by itself has to be named.
        variable = "" if home == Path(".tgap").absolute() else f"TGAP_HOME={home} "
        console.print(f"open MLflow: {variable}tgap ui", markup=False)
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    for failure in failures:
        errors.print(f"FAILED: {failure}", style="bold red", markup=False)


def shown(path: Path) -> str:
    """A path as a person would type it: relative to the current folder if it lies below it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
