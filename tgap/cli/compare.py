"""``tgap compare``: one table of all runs so far."""

import click

from tgap.core import ConfigError
from tgap.core.files import home_folder


@click.command
@click.argument("chosen", nargs=-1, type=click.UNPROCESSED, metavar="[name=value ...]")
@click.option("--experiment", default="tgap", metavar="NAME", help="MLflow experiment")
@click.option("--markdown", is_flag=True, help="print it in Markdown")
def compare(chosen: tuple[str, ...], experiment: str, markdown: bool) -> int:
    """Print one table of all runs so far.

    It has those of all commands, chosen by their parameters in MLflow (size=500 dataset=digits);
    what was begun and not finished is shown as missing.
    """
    wrong = [word for word in chosen if "=" not in word]
    if wrong:
        raise ConfigError(*(f"'{word}' must be name=value, e.g. size=500" for word in wrong))
    from rich.console import Console

    from tgap.analysis import comparison
    from tgap.report import table
    from tgap.sweep.history import recorded

    parameters = dict(word.split("=", 1) for word in chosen)
    groups = comparison.compare(*recorded(home_folder(), experiment, parameters))
    if markdown:
        print(table.markdown(groups), end="")
    else:
        table.render(groups, Console(highlight=False, soft_wrap=True))
    return 0
