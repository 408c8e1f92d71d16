"""Which images stand for many, and what images are called."""

import numpy as np

from tgap.core import ImageSet, Indices
from tgap.core.arrays import spread


def rows_by_name(data: ImageSet, most: int) -> dict[str, Indices]:
    """Up to ``most`` rows that stand for each label and finding which any image has."""
    holds = np.concatenate([data.labels, data.findings], axis=1)
    names = [f"label {name}" for name in data.label_names]
    names += [f"finding {name}" for name in data.finding_names]
    return {
        name: rows[spread(len(rows), most)]
        for number, name in enumerate(names)
        if len(rows := np.flatnonzero(holds[:, number]))
    }


def called(data: ImageSet, row: int) -> str:
    """An image's file, or its number where there is none."""
    files = data.metadata.get("file")
    return f"image {row}" if files is None or not files[row] else str(files[row])


def labels_of(data: ImageSet, row: int) -> str:
    """An image's labels."""
    held = [n for n, holds in zip(data.label_names, data.labels[row], strict=True) if holds]
    return " and ".join(held) or "no label"
