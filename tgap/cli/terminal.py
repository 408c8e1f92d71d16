"""What the terminal shows: logs, errors, and a command's results."""

import codecs
import io
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tgap.core import TgapError
from tgap.core.secrets import masked

if TYPE_CHECKING:
    from rich.console import Console

    from tgap.analysis.comparison import Comparison

SHOWN = 6
"""Folders of pictures that are named."""


def show_results(
    comparison: "Comparison",
    metrics: Mapping[str, float] | None,
    failures: Sequence[str],
    pictures: Mapping[str, Path],
    home: Path,
    report: Path | None,
) -> None:
    """Print a command's results to standard output.

    Args:
        comparison: Of the runs.
        metrics: Of the run, if it is one only.
        failures: What went wrong in runs that failed.
        pictures: Folders of pictures by the names of their runs.
        home: ``TGAP_HOME``, absolute.
        report: The page about the runs, if one was written.
    """
    from rich.console import Console

    from tgap.report.summary import summary
    from tgap.report.table import render

    console = Console(highlight=False, soft_wrap=True)
    finished = any(group.seeds for group in comparison.groups)
    if finished:
        render(comparison, console)
    if metrics is not None:
        console.print("\n" + summary(metrics), markup=False, end="")
    for name, folder in list(pictures.items())[:SHOWN]:
        files = ", ".join(sorted((path.name for path in folder.glob("*.png")), reverse=True))
        console.print(f"pictures of {name}: {shown(folder)}/{files}", markup=False)
    if len(pictures) > SHOWN:
        more = len(pictures) - SHOWN
        console.print(f"and those of {more} more runs, in the folders beside", markup=False)
    if finished:
        # Only another folder than the one that `tgap ui` looks at by itself has to be named.
        variable = "" if home == Path(".tgap").absolute() else f"TGAP_HOME={home} "
        console.print(f"open MLflow: {variable}tgap ui", markup=False)
        _name_report(console, home / "report.html", report)
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    for failure in failures:
        errors.print(f"FAILED: {failure}", style="bold red", markup=False)


def _name_report(console: "Console", latest: Path, report: Path | None) -> None:
    """Say which page to open: this command's, or the latest one where nothing new was made."""
    if report is not None:
        also = f" (also {shown(latest)})"
        console.print(f"report: {shown(report.absolute())}{also}", markup=False)
    elif latest.exists():
        console.print(f"latest report: {shown(latest)}", markup=False)


LINES = str.maketrans("─━│┃", "--||")
"""Of rich's tables, for consoles that have no such characters."""


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    """Characters that a stream's encoding lacks: lines as lines, others escaped."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end].translate(LINES)
    return lacking.encode("ascii", "backslashreplace").decode(), error.end


def show_anything() -> None:
    """Let standard output and error take any character, whatever their encoding.

    Consoles and files behind ``>`` may be cp1252 or ASCII, and labels have any letters; a result
    that was computed for hours is not lost for one of them.
    """
    codecs.register_error("tgap", _in_ascii)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="tgap")


def shown(path: Path) -> str:
    """A path as a person would type it: relative to the current folder if it lies below it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def log_to_terminal(verbose: bool = False) -> None:
    """Show progress lines and warnings where Hydra has not set logging up.

    Args:
        verbose: Whether to tell of each artifact that is made.
    """
    import logging

    from tgap.core.progress import LogLines
    from tgap.core.secrets import MaskedFormatter

    handler = LogLines()
    handler.setFormatter(MaskedFormatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("tgap").setLevel(logging.DEBUG if verbose else logging.INFO)


def guarded(action: Callable[[], int]) -> int:
    """Call, and tell people's mistakes without a traceback (unless ``HYDRA_FULL_ERROR=1``)."""
    try:
        return action()
    except click.exceptions.Exit as end:  # of --help and --version
        return end.exit_code
    except click.UsageError as error:
        hint = f" (see {error.ctx.command_path} --help)" if error.ctx else ""
        print(f"tgap: {error.format_message()}{hint}", file=sys.stderr)
        return 2
    except TgapError as error:
        if os.environ.get("HYDRA_FULL_ERROR") == "1":
            raise
        print(f"tgap: {masked(str(error))}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # `tgap runs | head`: who reads has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("tgap: interrupted; what is finished is kept, run again to go on", file=sys.stderr)
        return 130
