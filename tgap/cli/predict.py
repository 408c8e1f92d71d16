"""``tgap predict``: what methods would reach with more images."""

from pathlib import Path
from typing import cast

import click

from tgap.cli.overrides import PATH
from tgap.cli.texts import printed, put
from tgap.core import ConfigError
from tgap.core.files import home_folder

OVER = ("size", "synthetic", "real")
OF = ("tstr", "utility_lost")


def _sizes(context: click.Context, option: click.Parameter, text: str | None) -> tuple[int, ...]:
    words = [word.strip() for word in (text or "").split(",") if word.strip()]
    if wrong := [word for word in words if not word.isdecimal() or int(word) == 0]:
        raise ConfigError(
            *(f"--at must be numbers of images, e.g. 2000,5000; got {w}" for w in wrong)
        )
    return tuple(sorted({int(word) for word in words}))


@click.command
@click.argument("chosen", nargs=-1, type=click.UNPROCESSED, metavar="[name=value,... ...]")
@click.option(
    "--over",
    type=click.Choice(OVER),
    default="size",
    help="which number of images grows: tuning, synthetic training or real ones beside these",
)
@click.option(
    "--at", callback=_sizes, metavar="NUMBERS", help="predict at these; else 2 and 4 x the largest"
)
@click.option(
    "--of", type=click.Choice(OF), default="tstr", help="predict TSTR, or how far it is below TRTR"
)
@click.option("--experiment", default="tgap", metavar="NAME", help="MLflow experiment")
@click.option("--markdown", is_flag=True, help="print it in Markdown")
@click.option("--csv", type=PATH, metavar="FILE", help="write the table; - is standard output")
@click.option("--json", type=PATH, metavar="FILE", help="write all numbers, as losses; the same")
def predict(
    chosen: tuple[str, ...],
    over: str,
    at: tuple[int, ...],
    of: str,
    experiment: str,
    markdown: bool,
    **texts: Path | None,
) -> int:
    """Predict what methods would reach with more images.

    A power law is fitted to each method's runs over one number of images, all else being equal,
    and predicts with an interval, or says why it cannot. The largest size is also predicted from
    the others. Runs are chosen by their parameters, as by tgap compare.
    """
    asked_for = {flag: path for flag, path in texts.items() if path is not None}
    alone = printed(asked_for, markdown)
    from tgap.analysis.predictions import Of, Over, outlooks
    from tgap.report import predicted, tables
    from tgap.sweeps.history import parameters_of, recorded

    runs, missing = recorded(home_folder(), experiment, parameters_of(chosen))
    found = outlooks(runs, missing, cast(Over, over), cast(Of, of), at)
    table = predicted.table_of(found)
    for flag, path in asked_for.items():
        text = predicted.as_json(found) if flag == "json" else tables.as_csv(table)
        put(text, path)
    if markdown:
        print(tables.as_markdown(table), end="")
    elif not alone:
        print(predicted.plain(found), end="")
    return 0
