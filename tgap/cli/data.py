"""``tgap data``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tgap.cli.terminal import USAGE, log_to_terminal
from tgap.composition.config import Run
from tgap.core.files import home_folder, write_json
from tgap.pipeline.plan import plan_data
from tgap.pipeline.preparation import prepared
from tgap.report.dataset import Description, contact_sheet, describe
from tgap.store import Artifact, Spec, Store


def data_command(words: Sequence[str]) -> int:
    """Read a run's dataset into the store, split it, and tell what it holds."""
    parser = argparse.ArgumentParser(prog="tgap data", usage=USAGE)
    parser.add_argument("--config-dir")
    args, overrides = parser.parse_known_intermixed_args(words)
    from rich.console import Console

    from tgap.cli.terminal import shown
    from tgap.composition.compose import compose_run, hydra_ready
    from tgap.report.dataset import show_description
    from tgap.store import Store
    from tgap.store.store import content_digest

    log_to_terminal()
    with hydra_ready(args.config_dir) as hydra:
        run = compose_run(hydra, overrides)
    found, dataset, sheet = described(run, Store(home_folder() / "store"))
    width = None if sys.stdout.isatty() else 110
    console = Console(highlight=False, soft_wrap=True, width=width)
    show_description(found, console)
    size = sum(file["size"] for file in dataset.manifest["files"].values())
    console.print(
        f"on disk: {size / 2**20:,.1f} MB; digest: {content_digest(dataset)}", markup=False
    )
    console.print(f"contact sheet: {shown(sheet)}", markup=False)
    return 0


def described(run: Run, store: Store) -> tuple[Description, Artifact, Path]:
    """A run's dataset: its description, its artifact, and its contact sheet."""
    data = prepared(plan_data(run), store)

    def make(folder: Path) -> None:
        images = data.images()
        write_json(folder / "description.json", describe(images, data.sides()).as_json())
        contact_sheet(images, folder / "contact_sheet.png")

    upstream = {"dataset": data.dataset.key, "split": data.split.key}
    artifact = store.get_or_make(Spec("description", {}, upstream), make)
    found = Description(**artifact.read_json("description.json"))
    return found, data.dataset, artifact.path("contact_sheet.png")
