"""``tgap label``."""

import argparse
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tgap.cli.terminal import log_to_terminal
from tgap.composition.config import Run
from tgap.core.errors import ConfigError, TgapError
from tgap.core.files import home_folder
from tgap.core.words import word, words_of
from tgap.labelling.folder import TABLE
from tgap.labelling.labeller import label_folder
from tgap.store import Store

SIZE = "SIZE"
"""Stands for a size that only the run's generator knows."""


def label(words: Sequence[str]) -> int:
    """Label the images of a folder by the run's classifier, trained outside real_test.

    Images of which it is not sure are left out; a folder per label is not needed.
    """
    parser = argparse.ArgumentParser(
        prog="tgap label",
        description=label.__doc__,
        usage="tgap label --images DIR --out DIR "
        "dataset=... [--floor F] [--fit crop|squash|pad] [classifier=...] [key=value ...]",
    )
    parser.add_argument("--images", type=Path, required=True, help="images without labels")
    parser.add_argument("--out", type=Path, required=True, help="folder to make")
    parser.add_argument("--floor", type=float, default=0.8, help="score that a label must reach")
    parser.add_argument("--fit", choices=("crop", "squash", "pad"), default="crop")
    parser.add_argument("--config-dir")
    args, overrides = parser.parse_known_intermixed_args(words)
    _check_label_words(overrides)
    from tgap.composition.compose import compose_run, hydra_ready
    from tgap.labelling.folder import summary

    log_to_terminal()
    with hydra_ready(args.config_dir) as hydra:
        run = compose_run(hydra, overrides)
    store = Store(home_folder() / "store")
    about = label_folder(run, store, args.images, args.out, args.floor, args.fit)
    print(summary(about), end="")
    following, unsized = next_words(about, args.out, run, overrides)
    if args.config_dir is not None:
        following = ["--config-dir", args.config_dir, *following]
    print(f"look at {args.out / 'doubtful.png'}, then: tgap run {shlex.join(following)}")
    if unsized:
        print(
            f"with the height and width that the run's generator draws for {SIZE} (generator= "
            "among the words above fills it in); the labeller read "
            f"{about['read_as']['size']}"
        )
    return 0


def _check_label_words(overrides: Sequence[str]) -> None:
    from tgap.core.errors import nearest

    flags = ["--images", "--out", "--floor", "--fit", "--config-dir"]
    unknown = [text.partition("=")[0] for text in overrides if text.startswith("-")]
    if unknown:
        raise ConfigError(*(f"unknown flag {flag}{nearest(flag, flags)}" for flag in unknown))
    if not any(text.startswith(("dataset=", "profile=")) for text in overrides):
        raise ConfigError(
            "dataset= must name the real images that the labeller learns from, such as "
            "dataset=nih_chestxray14 dataset.path=DIR dataset.size=224 (or profile=, which "
            "chooses one)"
        )


def next_words(
    about: Mapping[str, Any], out: Path, run: Run, overrides: Sequence[str]
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
    size = _drawn_size(run, overrides)
    if not hasattr(run.dataset, "size"):  # its images have the size that they have
        size = about["read_as"]["size"]
    asked = SIZE if size is None else size
    tuning = {"path": str(out / "images"), "table": TABLE, **about["read_as"], "size": asked}
    words = [
        "dataset=textbook",
        "dataset/tuning=image_folder",
        *(f"dataset.tuning.{key}={word(value)}" for key, value in tuning.items()),
        *words_of(run.dataset, "dataset.real", ["size"]),
        *([f"dataset.real.size={asked}"] if hasattr(run.dataset, "size") else []),
        *(text for text in overrides if not text.startswith(("dataset=", "dataset."))),
    ]
    if not any(text.startswith("selector=") for text in overrides):
        words.append("selector=whole")
    return words, size is None


def _drawn_size(run: Run, overrides: Sequence[str]) -> int | None:
    """Height of the images that the generator draws, if the words choose one and it is known."""
    if not any(text.startswith(("generator=", "profile=")) for text in overrides):
        return None
    try:
        shape = run.generator.image_shape()
    except TgapError:  # its weights are elsewhere
        return None
    return None if shape is None else shape[0]
