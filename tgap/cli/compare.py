"""``tgap compare``: one table of all runs so far."""

import click

from tgap.cli.overrides import chosen_by
from tgap.core.files import home_folder


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
@click.option("--experiment", default="tgap", metavar="NAME", help="MLflow experiment")
@click.option("--markdown", is_flag=True, help="print it in Markdown")
def compare(
    chosen: tuple[str, ...],
    reference: str | None,
    of: tuple[str, ...],
    across: tuple[str, ...],
    metric: tuple[str, ...],
    experiment: str,
    markdown: bool,
) -> int:
    """Print one table of all runs so far.

    It has those of all commands, chosen by their parameters in MLflow (size=100,500
    dataset=digits); what was begun and not finished is shown as missing.
    """
    from rich.console import Console

    from tgap.analysis import comparison
    from tgap.report import table
    from tgap.sweep.history import recorded

    parameters = chosen_by(chosen)
    asked = comparison.Asked(reference, of, across, metric)
    found = comparison.compare(*recorded(home_folder(), experiment, parameters), asked)
    if markdown:
        print(table.markdown(found), end="")
    else:
        table.render(found, Console(highlight=False, soft_wrap=True))
    return 0
