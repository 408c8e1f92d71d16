"""``tgap rank``: recorded methods in an order that needs no labels of real test images."""

from pathlib import Path

import click

from tgap.cli.overrides import PATH
from tgap.cli.texts import put
from tgap.core.files import home_folder


@click.command
@click.argument("chosen", nargs=-1, type=click.UNPROCESSED, metavar="[name=value,... ...]")
@click.option("--experiment", default="tgap", metavar="NAME", help="MLflow experiment")
@click.option("--csv", type=PATH, metavar="FILE", help="write the order as CSV; - prints it alone")
def rank(chosen: tuple[str, ...], experiment: str, csv: Path | None) -> int:
    """Order methods without labels of real images.

    Of runs with +evaluator@evaluators.unlabelled=unlabelled, chosen as tgap compare does. Where
    TSTR is known it has no part in the order; how well the order agrees with it is told.
    """
    from tgap.analysis.groups import group_runs
    from tgap.analysis.ranking import NAMES
    from tgap.analysis.ranking import rank as ordered
    from tgap.report import ranked, tables
    from tgap.sweeps.history import parameters_of, recorded

    runs, missing = recorded(home_folder(), experiment, parameters_of(chosen))
    ranking = ordered(group_runs(runs, missing, NAMES))
    if csv is not None:
        put(tables.as_csv(ranked.as_table(ranking)), csv)
    if str(csv) != "-":
        print(ranked.text_of(ranking), end="")
    return 0
