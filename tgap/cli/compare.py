"""``tgap compare``: one table of all runs so far."""

from pathlib import Path

import click

from tgap.cli.overrides import PATH
from tgap.core import ConfigError
from tgap.core.files import home_folder, write_whole


def _words(context: click.Context, option: click.Parameter, text: str | None) -> tuple[str, ...]:
    return tuple(word.strip() for word in (text or "").split(",") if word.strip())


@click.command
@click.argument("chosen", nargs=-1, type=click.UNPROCESSED, metavar="[name=value,... ...]")
@click.option("--reference", metavar="METHOD", help="compare each method with this one only")
@click.option(
    "--of", callback=_words, metavar="METRICS", help="compare by these, e.g. trts,fter; else TSTR"
)
@click.option(
    "--across",
    callback=_words,
    metavar="SETTINGS",
    help="compare rows that differ in these, e.g. pool_size",
)
@click.option(
    "--metric",
    callback=_words,
    metavar="METRICS",
    help="further columns, any metric of any evaluator, e.g. tstr/accuracy",
)
@click.option(
    "--with",
    "beside",
    type=click.Choice(["thesis"]),
    help="set the numbers of the thesis beside ours, with differences",
)
@click.option("--experiment", default="tgap", metavar="NAME", help="MLflow experiment")
@click.option("--markdown", is_flag=True, help="print it in Markdown")
@click.option("--csv", type=PATH, metavar="FILE", help="write it as CSV; - is standard output")
@click.option("--latex", type=PATH, metavar="FILE", help="write it for LaTeX; the same")
@click.option("--json", type=PATH, metavar="FILE", help="write all numbers as JSON; the same")
@click.option("--plot", type=PATH, metavar="FILE", help="draw its figures: .svg, .png or .pdf")
def compare(
    chosen: tuple[str, ...],
    reference: str | None,
    of: tuple[str, ...],
    across: tuple[str, ...],
    metric: tuple[str, ...],
    beside: str | None,
    experiment: str,
    markdown: bool,
    plot: Path | None,
    **texts: Path | None,
) -> int:
    """Print one table of all runs so far.

    It has those of all commands, chosen by their parameters in MLflow (size=100,500
    dataset=digits); what was begun and not finished is shown as missing. With --with, a table of
    ours beside published numbers comes after it; --markdown, --csv and --latex are of that one.
    """
    asked_for = {flag: path for flag, path in texts.items() if path is not None}
    printed = sorted(flag for flag, path in asked_for.items() if str(path) == "-")
    if len(printed) + markdown > 1:
        flags = [f"--{flag}" for flag in printed] + ["--markdown"] * markdown
        raise ConfigError(f"{' and '.join(flags)} both print; give one of them a file")
    if beside is not None and "json" in asked_for:
        raise ConfigError(
            f"--json holds no published numbers: take --csv, or leave out --with {beside}"
        )
    from tgap.analysis.comparison import Asked
    from tgap.analysis.comparison import compare as compared
    from tgap.report import exports, table, tables
    from tgap.report.beside import tables_beside
    from tgap.report.runs.overview import check_plot, write_plot
    from tgap.sweeps.history import parameters_of, recorded

    if plot is not None:
        check_plot(plot)
    asked = Asked(reference, of, across, metric)
    runs, missing = recorded(home_folder(), experiment, parameters_of(chosen))
    found = compared(runs, missing, asked)
    published = None if beside is None else tables_beside(runs, missing)
    for flag, path in asked_for.items():
        if flag == "json":
            text = exports.as_json(found)
        else:
            write = tables.as_csv if flag == "csv" else tables.as_latex
            text = write(tables.leaderboard(found) if published is None else published.in_one())
        put(text, path)
    if plot is not None:
        write_plot(found, plot)
    if markdown:
        print(table.markdown(found) if published is None else published.markdown(), end="")
    elif not printed:
        from rich.console import Console

        console = Console(highlight=False, soft_wrap=True)
        table.render(found, console)
        if published is not None:
            console.print(published.markdown(), end="", markup=False)
    return 0


def put(text: str, path: Path) -> None:
    """Print a text, or write it."""
    if str(path) == "-":
        print(text, end="")
    else:
        write_whole(path, text, "the table")
