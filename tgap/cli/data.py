"""``tgap data``: what a dataset and its split hold."""

import logging
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tgap.cli.overrides import PATH, takes_overrides
from tgap.cli.terminal import log_to_terminal, shown
from tgap.core import DataError
from tgap.core.files import home_folder, write_json

if TYPE_CHECKING:
    from rich.console import Console

    from tgap.composition.config import Run
    from tgap.pipeline.preparation import Data
    from tgap.report.dataset.describing import Description
    from tgap.store import Store

log = logging.getLogger(__name__)
DESCRIPTION = 7
"""To be raised when more is described."""


@click.command
@takes_overrides
@click.option("--html", type=PATH, metavar="FILE", help="write a page with pictures and charts too")
def data(overrides: tuple[str, ...], config_dir: str | None, html: Path | None) -> int:
    """Tell what a dataset and its split hold, doubtful things first.

    It is read into the store, where runs find it.
    """
    from tgap.composition.compose import compose_run, hydra_ready
    from tgap.pipeline.preflight.data import advice_of
    from tgap.report.dataset.doubts import Doubt, doubts
    from tgap.report.dataset.page import write_dataset_page
    from tgap.report.dataset.prompts import prompt_doubts, prompts_told, read_prompts
    from tgap.report.dataset.showing import show_description, show_lines
    from tgap.store import Store
    from tgap.store.artifact import content_digest

    log_to_terminal()
    if html is not None:
        _check_page(html)
    with hydra_ready(config_dir) as hydra:
        run = compose_run(hydra, overrides)
        for text in run.generator.fetch():  # whose size and tokens are asked
            log.warning("%s", text)
        run = run.fitted()
    counts, data, sheet = described(run, Store(home_folder() / "store"))
    prompts = read_prompts(
        run.prompts, run.generator, run.dataset.domain, list(counts.labels), distances=bool(html)
    )
    advice = [Doubt(text[0].upper() + text[1:]) for text in advice_of(run, data.images())]
    found = [*doubts(counts), *advice, *prompt_doubts(prompts)]
    size = sum(file["size"] for file in data.dataset.manifest["files"].values())
    digest = content_digest(data.dataset)
    lines = [
        *prompts_told(prompts),
        f"on disk: {size / 2**20:,.1f} MB; digest: {digest}",
        f"contact sheet: {shown(sheet)}",
    ]
    if html is not None:
        heading = {
            "title": f"Dataset {run.dataset.title()}",
            "command": _command(overrides, config_dir, html),
            "digest": digest,
        }
        write_dataset_page(html, counts, found, data.images(), prompts, heading)
        lines.append(f"page: {html}")
    console = _console()
    show_description(counts, found, console)
    show_lines(lines, console)
    return 0


def _check_page(html: Path) -> None:
    """Before anything is read, which may take long."""
    if html.is_dir() or not html.absolute().parent.is_dir():
        wrong = "that is a folder" if html.is_dir() else f"there is no folder {html.parent}"
        raise DataError(f"--html must name a file to write, got {html}: {wrong}")


def _command(overrides: Sequence[str], config_dir: str | None, html: Path) -> str:
    flags = ["--config-dir", config_dir] if config_dir else []
    return shlex.join(["tgap", "data", *overrides, *flags, "--html", str(html)])


def _console() -> "Console":
    """As wide as the terminal; elsewhere a sentence is a line, whatever its length."""
    from rich.console import Console

    if sys.stdout.isatty():
        return Console(highlight=False, markup=False)
    return Console(highlight=False, markup=False, soft_wrap=True, width=110)


def described(run: "Run", store: "Store") -> "tuple[Description, Data, Path]":
    """A run's dataset: its description, what was read, and its contact sheet."""
    from tgap.pipeline.plan import plan_data
    from tgap.pipeline.preparation import check_listing, prepared
    from tgap.report.dataset.describing import Description, describe
    from tgap.report.dataset.sheet import contact_sheet
    from tgap.store import Spec

    plan = plan_data(run)
    check_listing(plan, store)
    data = prepared(plan, store)

    def make(folder: Path) -> None:
        images = data.images()
        counts = describe(run.dataset, images, data.sides())
        write_json(folder / "description.json", counts.as_json())
        contact_sheet(images, folder / "contact_sheet.png")

    upstream = {"dataset": data.dataset.key, "split": data.split.key}
    artifact = store.get_or_make(Spec("description", {"version": DESCRIPTION}, upstream), make)
    description = Description.from_json(artifact.read_json("description.json"))
    return description, data, artifact.path("contact_sheet.png")
