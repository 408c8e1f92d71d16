"""``tgap data``: what a dataset and its split hold."""

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tgap.cli.overrides import takes_overrides
from tgap.cli.terminal import log_to_terminal, shown
from tgap.core.files import home_folder, write_json

if TYPE_CHECKING:
    from rich.console import Console

    from tgap.composition.config import Run
    from tgap.report.dataset.describing import Description
    from tgap.store import Artifact, Store

log = logging.getLogger(__name__)


DESCRIPTION = 1
"""To be raised when more is described."""


@click.command
@takes_overrides
def data(overrides: tuple[str, ...], config_dir: str | None) -> int:
    """Tell what a dataset and its split hold.

    It is read into the store, where runs find it.
    """
    from tgap.composition.compose import compose_run, hydra_ready
    from tgap.report.dataset.doubts import doubts
    from tgap.report.dataset.showing import show_description
    from tgap.store import Store
    from tgap.store.store import content_digest

    log_to_terminal()
    with hydra_ready(config_dir) as hydra:
        run = compose_run(hydra, overrides).fitted()
    description, dataset, sheet = described(run, Store(home_folder() / "store"))
    console = _console()
    show_description(description, doubts(description), console)
    size = sum(file["size"] for file in dataset.manifest["files"].values())
    console.print(f"on disk: {size / 2**20:,.1f} MB; digest: {content_digest(dataset)}")
    console.print(f"contact sheet: {shown(sheet)}")
    return 0


def _console() -> "Console":
    """As wide as the terminal; elsewhere a sentence is a line, whatever its length."""
    from rich.console import Console

    if sys.stdout.isatty():
        return Console(highlight=False, markup=False)
    return Console(highlight=False, markup=False, soft_wrap=True, width=110)


def described(run: "Run", store: "Store") -> "tuple[Description, Artifact, Path]":
    """A run's dataset: its description, its artifact, and its contact sheet."""
    from tgap.pipeline.plan import plan_data
    from tgap.pipeline.preflight.data import advice_of
    from tgap.pipeline.preparation import prepared
    from tgap.report.dataset.describing import Description, describe
    from tgap.report.dataset.sheet import contact_sheet
    from tgap.store import Spec

    data = prepared(plan_data(run), store)
    for text in advice_of(run, data.images()):
        log.warning("%s", text)

    def make(folder: Path) -> None:
        images = data.images()
        counts = describe(run.dataset, images, data.sides())
        write_json(folder / "description.json", counts.as_json())
        contact_sheet(images, folder / "contact_sheet.png")

    upstream = {"dataset": data.dataset.key, "split": data.split.key}
    artifact = store.get_or_make(Spec("description", {"version": DESCRIPTION}, upstream), make)
    description = Description.from_json(artifact.read_json("description.json"))
    return description, data.dataset, artifact.path("contact_sheet.png")
