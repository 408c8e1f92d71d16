"""``tgap evaluate``: a run that scores a synthetic set made elsewhere, put into a run's words."""

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tgap.cli.overrides import PATH, multirun_flag, takes_overrides
from tgap.cli.run import run_overrides
from tgap.cli.terminal import log_to_terminal
from tgap.core import ConfigError
from tgap.core.words import quoted
from tgap.datasets.base import of_node
from tgap.datasets.reading import tables

if TYPE_CHECKING:
    from hydra._internal.hydra import Hydra

    from tgap.composition.config import Run
    from tgap.core import ImageSet

log = logging.getLogger(__name__)
TRAIN_SHARE = 2 / 3
"""At most so many of the synthetic images are trained on, the others are tested on."""
POOL, TUNING_POOL = 0.2, 0.1
"""Shares of the real images that are the pool."""
MIN_REAL = 20
"""Fewer real images cannot be divided into three sets that have all labels."""
TUNED_ON = "generator.tuned_on"
FINDINGS = "findings"
"""The column of findings that a table may have."""


def evaluation_overrides(
    real: Path | None,
    synthetic: Path,
    tuning: Path | None,
    size: int,
    color: str,
    overrides: Sequence[str],
    config_dir: str | None = None,
) -> list[str]:
    """The words of a run that evaluates a synthetic set.

    A folder has a sub-folder per label, or, given as a CSV or JSONL file beside its images, a
    table with the columns ``file``, ``label``, ``patient`` and ``findings``, of which the file only
    is needed. Where labels of either side are not known, they are not used.

    A fifth of the real images is the pool, in which copies are looked for (a tenth with
    ``tuning``, which takes its place); half of the rest trains the real classifier, half is tested
    on. As many synthetic images of a label train as real ones do, two thirds at most; all others
    are tested on.

    Args:
        real: Real images; ``None`` if the overrides choose a dataset.
        synthetic: The synthetic set.
        tuning: The images that its generator was tuned on, if they are known.
        size: Height and width that all images are brought to.
        color: ``grey`` or ``rgb``.
        overrides: Further words; they win.
        config_dir: Folder of further configs.

    Raises:
        ConfigError: If a folder is not such a folder.
    """
    from tgap.composition.compose import compose_run, hydra_ready
    from tgap.composition.sweeps import expand

    folders = {"generator.images": synthetic}
    if real is not None:
        folders["dataset"] = real
    if tuning is not None:
        folders[TUNED_ON] = tuning
    words = ["generator=ready_made", f"generator.name={quoted(synthetic.stem)}"]
    for node, path in folders.items():
        words.append(f"{node.replace('.', '/')}=image_folder")
        settings = {"size": size, "color": color, "path": quoted(str(path))}
        settings |= {key: quoted(value) for key, value in _columns(path).items()}
        words += [f"{node}.{key}={value}" for key, value in settings.items()]
    words += [] if tuning is None else [f"{TUNED_ON}.labelled=false"]
    if real is not None:
        words.append("dataset.domain=image")
    with hydra_ready(config_dir) as hydra:
        sides = [node for node in folders if node != TUNED_ON]
        words += _labelled(hydra, words, sides, overrides)
        run = compose_run(hydra, expand(hydra, [*words, *overrides])[0])  # of a sweep, its first
    words += _sizes(run, POOL if tuning is None else TUNING_POOL, divide=real is not None)
    if tuning is None:
        log.warning(
            "it is not known what the synthetic images' generator was tuned on (--tuning): copies "
            "are looked for in the pool, a fifth of the real images, and may be of others"
        )
    return [*words, *overrides]


def _columns(path: Path) -> dict[str, str]:
    """A table's column of findings, by the setting that names it; patients' is found anyway."""
    if path.suffix.lower() not in tables.SUFFIXES:
        return {}
    return {"findings_column": FINDINGS} if FINDINGS in tables.read_table(path).columns else {}


def _labelled(
    hydra: "Hydra", words: Sequence[str], nodes: Sequence[str], overrides: Sequence[str]
) -> list[str]:
    """Whether labels are used: where the datasets, as they are composed, know those of all."""
    from tgap.composition.compose import compose_run
    from tgap.composition.sweeps import expand

    asking = [f"{node}.labelled=null" for node in nodes]
    run = compose_run(hydra, expand(hydra, [*words, *asking, *overrides])[0])
    sides = (run.dataset, run.generator.ready_made()["images"])
    labelled = all(side.is_labelled() for side in sides)
    if not labelled:
        log.warning(
            "labels are not known of all images, so only fidelity, diversity and memorisation are "
            "evaluated; for the rest, put images into a folder per label, or give a table with a "
            "column 'label' (dataset.label_column=, generator.images.label_column= name others)"
        )
    return [f"{node}.labelled={str(labelled).lower()}" for node in nodes]


def _sizes(run: "Run", pool_share: float, divide: bool) -> list[str]:
    """How the real images are divided, if they are to be, and how many of the synthetic train."""
    words: list[str] = []
    real_train: float = math.inf
    real = run.dataset.listed() if divide else None
    if real is not None:
        words += _split_sizes(len(real), pool_share)
        real_train = _most(real) * (1 - pool_share) / 2
    images = run.generator.ready_made()["images"]
    with of_node("generator.images", images):
        synthetic = images.listed()
    if synthetic is not None:
        words += _budget(_most(synthetic), real_train)
    return words


def _split_sizes(images: int, pool_share: float) -> list[str]:
    if images < MIN_REAL:
        raise ConfigError(
            f"--real holds {images} images; pool, train and test set need at least {MIN_REAL}"
        )
    pool = round(images * pool_share)
    side = (images - pool) // 2
    return [f"pool_size={pool}", f"train_size={side}", f"test_size={side}"]


def _most(images: "ImageSet") -> int:
    """Images of the label that has most."""
    return max(images.label_counts().values(), default=0)


def _budget(most: int, real_train: float) -> list[str]:
    """All synthetic images, divided so that as many train as real ones do."""
    train = max(2, int(min(most * TRAIN_SHARE, real_train)))
    return [f"budget.train_per_label={train}", f"budget.test_per_label={max(1, most - train)}"]


@click.command
@takes_overrides
@click.option("--synthetic", type=PATH, required=True, metavar="DIR", help="the synthetic set")
@click.option(
    "--real", type=PATH, metavar="DIR", help="real images of the same labels; or choose a dataset="
)
@click.option(
    "--tuning", type=PATH, metavar="DIR", help="what its generator was tuned on, for the audit"
)
@click.option("--size", type=int, default=64, help="height and width of all images")
@click.option("--color", type=click.Choice(["grey", "rgb"]), default="grey")
@multirun_flag
def evaluate(
    overrides: tuple[str, ...],
    config_dir: str | None,
    multirun: bool,
    real: Path | None,
    **settings: Any,
) -> int:
    """Score a synthetic set made elsewhere.

    Nothing is tuned and nothing is drawn. DIR holds a folder of images per label; or name a CSV or
    JSONL file beside the images, with the columns file, label, patient and findings, as far as
    they are known.
    """
    if real is None and not any(word.startswith("dataset=") for word in overrides):
        raise ConfigError("--real must name a folder of real images, or dataset= a dataset")
    log_to_terminal()
    words = evaluation_overrides(real, overrides=overrides, config_dir=config_dir, **settings)
    return run_overrides(words, multirun, config_dir)
