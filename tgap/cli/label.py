"""``tgap label``: a folder of images without labels, labelled by a run's classifier."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tgap.cli.overrides import PATH, takes_overrides
from tgap.cli.terminal import log_to_terminal
from tgap.core import ConfigError, TgapError
from tgap.core.files import home_folder
from tgap.core.words import word, words_of

if TYPE_CHECKING:
    from tgap.composition.config import Run

SIZE = "SIZE"
"""Stands for a size that only the run's generator knows."""


@click.command
@takes_overrides
@click.option("--images", type=PATH, required=True, metavar="DIR", help="images without labels")
@click.option("--out", type=PATH, required=True, metavar="DIR", help="folder to make")
@click.option("--threshold", type=float, default=0.8, help="score that a label must reach")
@click.option(
    "--fit",
    type=click.Choice(["crop", "squash", "pad"]),
    default="crop",
    help="how images become square",
)
def label(
    overrides: tuple[str, ...],
    config_dir: str | None,
    images: Path,
    out: Path,
    threshold: float,
    fit: str,
) -> int:
    """Label a folder of images by a classifier.

    It is the run's, trained outside real_test. Images of which it is not sure are left out; a
    folder per label is not needed.
    """
    if not any(text.startswith(("dataset=", "profile=")) for text in overrides):
        raise ConfigError(
            "dataset= must name the real images that the labeller learns from, such as "
            "dataset=nih_chestxray14 dataset.path=DIR dataset.size=224 (or profile=, which "
            "chooses one)"
        )
    from tgap.composition.compose import compose_run, hydra_ready
    from tgap.labelling.folder import summary
    from tgap.labelling.labeller import label_folder
    from tgap.store import Store

    log_to_terminal()
    with hydra_ready(config_dir) as hydra:
        run = compose_run(hydra, overrides)
    about = label_folder(run, Store(home_folder() / "store"), images, out, threshold, fit)
    print(summary(about), end="")
    words, unsized = next_words(about, out, run, overrides)
    if config_dir is not None:
        words = ["--config-dir", config_dir, *words]
    print(f"look at {out / 'doubtful.png'}, then: tgap run {shlex.join(words)}")
    if unsized:
        print(
            f"with the height and width that the run's generator draws for {SIZE} (generator= "
            "among the overrides above fills it in); the labeller read "
            f"{about['read_as']['size']}"
        )
    return 0


def next_words(
    about: Mapping[str, Any], out: Path, run: "Run", overrides: Sequence[str]
) -> tuple[list[str], bool]:
    """The words of a run whose tuning images are the labelled ones.

    Both sources are read at the size that the run's generator draws, which may be another one than
    the labeller's.

    Args:
        about: What ``label_folder`` returned.
        out: The folder that it wrote.
        run: That the labeller learned from.
        overrides: The words that chose it; those of groups other than the dataset are kept.

    Returns:
        The words, and whether the size is still to be put in place of ``SIZE``.
    """
    from tgap.labelling.folder import TABLE

    size = _drawn_size(run, overrides)
    if not hasattr(run.dataset, "size"):  # its images have the size that they have
        size = about["read_as"]["size"]
    written = SIZE if size is None else size
    tuning = {"path": str(out / "images"), "table": TABLE, **about["read_as"], "size": written}
    words = [
        "dataset=textbook",
        "dataset/tuning=image_folder",
        *(f"dataset.tuning.{key}={word(value)}" for key, value in tuning.items()),
        *words_of(run.dataset, "dataset.real", ["size"]),
        *([f"dataset.real.size={written}"] if hasattr(run.dataset, "size") else []),
        *(text for text in overrides if not text.startswith(("dataset=", "dataset."))),
    ]
    if not any(text.startswith("selector=") for text in overrides):
        words.append("selector=whole")
    return words, size is None


def _drawn_size(run: "Run", overrides: Sequence[str]) -> int | None:
    """Height of the images that the generator draws, if the words choose one and it is known."""
    if not any(text.startswith(("generator=", "profile=")) for text in overrides):
        return None
    try:
        shape = run.generator.image_shape()
    except TgapError:  # its weights are elsewhere
        return None
    return None if shape is None else shape[0]
