"""``tgap evaluate``: a run that scores a synthetic set made elsewhere, put into a run's words."""

import logging
from collections.abc import Sequence
from pathlib import Path

from tgap.composition import compose_run, expand, hydra_ready
from tgap.datasets import tables
from tgap.datasets.image_folder import ImageFolder
from tgap.generators.ready_made import ReadyMade

log = logging.getLogger(__name__)

TRAIN_PARTS, ALL_PARTS = 2, 3
"""Two of three synthetic images are trained on, the third is tested on."""
OPTIONAL = {"patient_column": "patient", "findings_column": "findings"}
"""Columns that a table may have, by the setting that names them."""


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

    A third of the real images is the pool, a third trains the real classifier and a third is
    tested on; with ``tuning``, the pool is only a tenth. Of the synthetic images two thirds train.

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
    folders = {"generator.images": synthetic}
    if real is not None:
        folders["dataset"] = real
    if tuning is not None:
        folders["generator.tuned_on"] = tuning
    labelled = all(_is_labelled(path) for node, path in folders.items() if node in _WITH_LABELS)
    if not labelled:
        log.warning(
            "labels are not known of all images, so only fidelity, diversity and memorisation are "
            "evaluated; for the rest, put images into a folder per label, or give a table"
        )
    words = ["generator=ready_made", f"generator.name={quoted(synthetic.stem)}"]
    for node, path in folders.items():
        words.append(f"{node.replace('.', '/')}=image_folder")
        known = labelled and node in _WITH_LABELS
        settings = {"size": size, "color": color, "labelled": str(known).lower()}
        settings |= {key: quoted(value) for key, value in _place(path).items()}
        words += [f"{node}.{key}={value}" for key, value in settings.items()]
    if real is not None:
        words.append("dataset.domain=image")
    with hydra_ready(config_dir) as hydra:
        run = compose_run(hydra, expand(hydra, [*words, *overrides])[0])  # of a sweep, its first
    if real is not None and isinstance(run.dataset, ImageFolder):
        words += _split_sizes(len(run.dataset.annotations().files), tuning is not None)
    if isinstance(run.generator, ReadyMade) and isinstance(run.generator.images, ImageFolder):
        words += _budget(run.generator.images)
    return [*words, *overrides]


_WITH_LABELS = ("dataset", "generator.images")


def quoted(text: str) -> str:
    r"""A value as Hydra reads it back, whatever characters it has.

    >>> print(quoted("it's a=b, c"))
    'it\'s a=b, c'
    """
    escaped = text.replace("\\", "\\\\") if text.endswith("\\") else text
    return "'" + escaped.replace("'", "\\'") + "'"


def _place(path: Path) -> dict[str, str]:
    """Where images lie and what names their columns."""
    if path.suffix.lower() not in tables.SUFFIXES:
        return {"path": str(path)}
    columns = tables.read_table(path).columns
    named = {setting: name for setting, name in OPTIONAL.items() if name in columns}
    return {"path": str(path.parent), "table": path.name, **named}


def _is_labelled(path: Path) -> bool:
    if path.suffix.lower() in tables.SUFFIXES:
        return "label" in tables.read_table(path).columns
    visible = [entry for entry in path.iterdir() if entry.name[0] != "."] if path.is_dir() else []
    return not visible or any(entry.is_dir() for entry in visible)


def _split_sizes(images: int, tuning_is_known: bool) -> list[str]:
    pool = images // 10 if tuning_is_known else images // 3
    side = (images - pool) // 2
    return [f"pool_size={pool}", f"train_size={side}", f"test_size={side}"]


def _budget(synthetic: ImageFolder) -> list[str]:
    """All synthetic images of the label that has most."""
    rows = synthetic.annotations().labels
    most = max(sum(name in row for row in rows) for name in {name for row in rows for name in row})
    train = max(2, most * TRAIN_PARTS // ALL_PARTS)
    return [f"budget.train_per_label={train}", f"budget.test_per_label={max(1, most - train)}"]
