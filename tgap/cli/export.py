"""``tgap export``: what a run made, taken out of the store for others."""

from pathlib import Path

import click

from tgap.cli.overrides import PATH, takes_run
from tgap.cli.terminal import log_to_terminal, shown
from tgap.core import ConfigError, nearest
from tgap.core.files import home_folder


def _parts(context: click.Context, option: click.Parameter, text: str | None) -> tuple[str, ...]:
    parts = tuple(word.strip() for word in (text or "").split(",") if word.strip())
    if parts:
        from tgap.pipeline.export.exporting import PARTS
    for part in parts:
        if part not in PARTS:
            raise ConfigError(f"--what: no part is named '{part}'{nearest(part, PARTS)}")
    return parts


@click.command
@takes_run
@click.option("--out", type=PATH, required=True, metavar="DIR", help="folder to make")
@click.option(
    "--what",
    callback=_parts,
    metavar="PARTS",
    help="synthetic, generator, classifier, with commas; else all that there are",
)
@click.option(
    "--with-copies",
    is_flag=True,
    help="go on where copies of tuning images are in it; the cards warn of them",
)
def export(
    words: tuple[str, ...],
    config_dir: str | None,
    out: Path,
    what: tuple[str, ...],
    with_copies: bool,
) -> int:
    """Write what a run made into a folder, for others.

    The synthetic set (PNG and tables), the tuned generator (as diffusers loads it) and the
    classifiers (safetensors), each with a card that says how it was made, how good it is and
    whether tuning images are copied in it.

    RUN is the start of a run's key or its MLflow id (tgap runs shows them), or the words of its
    command (selector=random size=100), whose run must be in the store: nothing is computed.
    """
    from tgap.sweeps.finding import result_of

    log_to_terminal()
    result = result_of(home_folder(), words, config_dir)
    for folder in result.export(out, what, with_copies=with_copies):
        print(f"written: {shown(folder.absolute())} (see README.md in it)")
    return 0
