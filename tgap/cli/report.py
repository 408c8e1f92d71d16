"""``tgap report``: a page about finished runs, to keep and to send."""

import shlex
from dataclasses import replace
from pathlib import Path

import click

from tgap.cli.overrides import PATH
from tgap.cli.terminal import shown
from tgap.core.files import home_folder


@click.command
@click.argument("chosen", nargs=-1, type=click.UNPROCESSED, metavar="[name=value,... ...]")
@click.option("--out", type=PATH, required=True, metavar="DIR", help="folder to write")
@click.option("--reference", metavar="METHOD", help="compare each method with this one only")
@click.option("--experiment", default="tgap", metavar="NAME", help="MLflow experiment")
@click.option("--thesis", is_flag=True, help="draw the thesis's points beside TSTR against TRTS")
def report(
    chosen: tuple[str, ...], out: Path, reference: str | None, experiment: str, thesis: bool
) -> int:
    """Write a page about finished runs, with figures, images and a verdict in words.

    DIR/index.html needs no network and no other file. Its tables lie beside it as Markdown, CSV
    and LaTeX. Runs are chosen by their parameters, as by tgap compare; an earlier report in DIR is
    replaced.
    """
    from tgap.report.runs.folder import PAGE, check_folder, write_folder

    check_folder(out)
    from tgap.report.runs.page import report_files
    from tgap.sweeps.history import parameters_of
    from tgap.sweeps.reporting import chosen_content

    parameters = parameters_of(chosen)

    flags = [] if experiment == "tgap" else ["--experiment", experiment]
    flags += [] if reference is None else ["--reference", reference]
    flags += ["--thesis"] if thesis else []
    command = shlex.join(["tgap", "report", *chosen, *flags, "--out", str(out)])
    content = chosen_content(home_folder(), experiment, parameters, reference, command)
    write_folder(out, report_files(replace(content, thesis=thesis)))
    print(f"report: {shown(out / PAGE)} ({len(content.runs)} finished runs)")
    if content.unfinished:
        print(f"{content.unfinished} that were asked for are not finished, and shown as missing")
    return 0
