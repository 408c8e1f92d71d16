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
    from tgap.composition.config import Run
    from tgap.report.dataset import Description
    from tgap.store import Artifact, Store

log = logging.getLogger(__name__)


@click.command
@takes_overrides
def data(overrides: tuple[str, ...], config_dir: str | None) -> int:
    """Tell what a dataset and its split hold.

    It is read into the store, where runs find it.
    """
    from rich.console import Console

    from tgap.composition.compose import compose_run, hydra_ready
    from tgap.report.dataset import show_description
    from tgap.store import Store
    from tgap.store.store import content_digest

    log_to_terminal()
    with hydra_ready(config_dir) as hydra:
        run = compose_run(hydra, overrides).fitted()
    description, dataset, sheet = described(run, Store(home_folder() / "store"))
    width = None if sys.stdout.isatty() else 110
    console = Console(highlight=False, soft_wrap=True, width=width)
    show_description(description, console)
    size = sum(file["size"] for file in dataset.manifest["files"].values())
    console.print(
        f"on disk: {size / 2**20:,.1f} MB; digest: {content_digest(dataset)}", markup=False
    )
    console.print(f"contact sheet: {shown(sheet)}", markup=False)
    return 0


def described(run: "Run", store: "Store") -> "tuple[Description, Artifact, Path]":
    """A run's dataset: its description, its artifact, and its contact sheet."""
    from tgap.pipeline.plan import plan_data
    from tgap.pipeline.preflight.data import advice_of
    from tgap.pipeline.preparation import prepared
    from tgap.report.dataset import Description, contact_sheet, describe
    from tgap.store import Spec

    data = prepared(plan_data(run), store)
    for text in advice_of(run, data.images()):
        log.warning("%s", text)

    def make(folder: Path) -> None:
        images = data.images()
        write_json(folder / "description.json", describe(images, data.sides()).as_json())
        contact_sheet(images, folder / "contact_sheet.png")

    upstream = {"dataset": data.dataset.key, "split": data.split.key}
    artifact = store.get_or_make(Spec("description", {}, upstream), make)
    description = Description(**artifact.read_json("description.json"))
    return description, data.dataset, artifact.path("contact_sheet.png")
