"""What a labeller knows of real images: kept beside those it labelled, compared with a test set."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tgap.core import Bools, DataError, ImageSet, Indices, Split
from tgap.core.digest import image_digests
from tgap.core.files import write_json
from tgap.core.foreign import json_in
from tgap.core.words import words_of
from tgap.datasets.base import Dataset

FILE = "labeller.json"
_DIGITS = 16
"""Of an image's SHA-256: two of 100,000 images share them once in some 10^9 datasets."""
_BLOCK = 1024

log = logging.getLogger(__name__)


def write_learned(
    folder: Path, dataset: Dataset, data: ImageSet, rows: Indices, about: Mapping[str, Any]
) -> None:
    """Write down the real images that a labeller was trained or measured on.

    Args:
        folder: Of the images that it labelled.
        dataset: What the real images are.
        data: The same, read.
        rows: Those that it was trained or measured on.
        about: What else is worth knowing, in JSON types.
    """
    files = data.metadata.get("file")
    write_json(
        folder / FILE,
        {
            **about,
            "shape": list(data.images.shape[1:]),
            "fit": getattr(dataset, "fit", None),
            "files": None if files is None else files[rows].tolist(),
            "pixels": _digests(data, rows),
        },
    )


def problems_with_labeller(
    folder: Path, real: Dataset, data: ImageSet, split: Split, words: Sequence[str]
) -> list[str]:
    """Whether whoever labelled a folder's images knows images of real_test.

    It must know neither these nor other images of their patients. Where it read the real images as
    they are read here, their pixels decide. Otherwise the names of their files do. What cannot be
    told is a warning.

    Args:
        folder: Of the labelled images.
        real: The dataset that real_test is drawn from.
        data: The run's images; those of ``real`` come first.
        split: Its sets.
        words: The run's words that choose real_test, for the remedy.

    Raises:
        DataError: If what the labeller left beside the images cannot be read.
    """
    file = folder / FILE
    if not file.is_file():
        log.info(
            "there is no %s, so nothing is known of who labelled dataset.tuning; if it was a "
            "classifier, it must not have learned from real_test",
            file,
        )
        return []
    tested = np.isin(data.patients, data.patients[split.real_test])
    rows = np.flatnonzero(tested).astype(np.int64)
    known, how = _known(_read(file), real, data, rows)
    if not known.any():
        return []
    count = int(np.isin(rows[known], split.real_test).sum())
    again = " ".join([*words_of(real, "dataset"), *words])
    return [
        f"the classifier that labelled dataset.tuning ({file}) knows {count:,} of the "
        f"{len(split.real_test):,} images of real_test and {int(known.sum()) - count:,} others of "
        f"their patients, {how}; label again with the run's own overrides, so that it does not: "
        f"tgap label --images DIR --out DIR {again} classifier=..."
    ]


def _read(file: Path) -> dict[str, Any]:
    try:
        learned = json_in(file)
        if {"shape", "fit", "files", "pixels"} <= learned.keys():
            return dict(learned)
        reason = "it lacks some of shape, fit, files, pixels"
    except (OSError, ValueError, AttributeError) as error:
        reason = str(error)
    raise DataError(
        f"cannot read {file}, which says what the labeller learned from: {reason}; label again"
    )


def _known(
    learned: Mapping[str, Any], real: Dataset, data: ImageSet, rows: Indices
) -> tuple[Bools, str]:
    """Which rows the labeller knows, and how that is told."""
    files = data.metadata.get("file")
    named = np.zeros(len(rows), bool)
    if files is not None and learned["files"] is not None:
        named = np.isin(files[rows], learned["files"])
    alike = [list(data.images.shape[1:]), getattr(real, "fit", None)]
    if alike == [learned["shape"], learned["fit"]]:
        same = np.isin(_digests(data, rows), learned["pixels"])
        if named.any() and not same.any():
            log.warning(
                "%d images of real_test and of its patients have file names of images that the "
                "labeller of dataset.tuning learned from, but other pixels: if they are the same "
                "images, the labels know the test set",
                int(named.sum()),
            )
        return same, "as their pixels show"
    if files is None or learned["files"] is None:
        log.warning(
            "whether the labeller of dataset.tuning learned from real_test cannot be told: it read "
            "the real images at %s, here they are %s, and they have no file names; label at the "
            "run's dataset.real.size to have it checked",
            learned["shape"],
            alike[0],
        )
    return named, (
        f"by the names of their files (it read them as {learned['shape']}, here they are "
        f"{alike[0]}; if others have the same names, label at this size: then pixels decide)"
    )


def _digests(data: ImageSet, rows: Indices) -> list[str]:
    """Of some images' pixels, in blocks: they may be larger than memory."""
    return [
        digest.hex()[:_DIGITS]
        for start in range(0, len(rows), _BLOCK)
        for digest in image_digests(data.images[rows[start : start + _BLOCK]])
    ]
