"""What a command says at its end: the table, where the pictures are, how to open MLflow."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from rich.console import Console

from tgap.analysis.comparison import Comparison
from tgap.core.errors import TgapError
from tgap.report.summary import summary
from tgap.report.table import render

SHOWN = 6
"""Folders of pictures that are named."""
USAGE = """\
tgap: can a model be trained on what my fine-tuned generator makes?

  tgap run [group=option ...] [key=value ...] [-m]   one run, or with -m a sweep over commas
  tgap evaluate --synthetic DIR --real DIR           score a synthetic set made elsewhere
  tgap compare [--experiment NAME] [name=value ...]  one table of all runs recorded so far
  tgap data [group=option ...] [key=value ...]       what a dataset and its split hold
  tgap phantom --images N --size S --out DIR         draw X-ray phantoms in the layout of NIH's
  tgap label --images DIR --out DIR dataset=...      label a folder (a textbook's) by a classifier
  tgap ui [--port 5000]                              MLflow's pages on this machine
  tgap sync                                          log to MLflow what could not be logged
  tgap completion bash|zsh|fish                      tab completion: eval "$(tgap completion bash)"
  tgap run --help                                    groups, options and settings
"""


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


def log_to_terminal() -> None:
    """Show progress lines and warnings where Hydra has not set logging up."""
    import logging

    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S"
    )


def guarded(action: Callable[[], int]) -> int:
    """Call, and tell a TgapError without its traceback (unless ``HYDRA_FULL_ERROR=1``)."""
    try:
        return action()
    except TgapError as error:
        if os.environ.get("HYDRA_FULL_ERROR") == "1":
            raise
        print(f"tgap: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("tgap: interrupted; what is finished is kept, run again to go on", file=sys.stderr)
        return 130


def terminated(number: int, frame: object) -> NoReturn:
    """SIGTERM ends like Ctrl-C: locks are freed and the run is recorded as killed."""
    raise KeyboardInterrupt
