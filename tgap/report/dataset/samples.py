"""Which images stand for many, and what images are called."""

import numpy as np

from tgap.core import ImageSet, Indices


def spread(rows: Indices, most: int) -> Indices:
    """``most`` of some rows, evenly spaced, or all there are."""
    return rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(np.int64)]


def rows_by_name(data: ImageSet, most: int) -> dict[str, Indices]:
    """Up to ``most`` rows that stand for each label and finding which any image has."""
    holds = np.concatenate([data.labels, data.findings], axis=1)
    names = [f"label {name}" for name in data.label_names]
    names += [f"finding {name}" for name in data.finding_names]
    return {
        name: spread(np.flatnonzero(holds[:, number]), most)
        for number, name in enumerate(names)
        if holds[:, number].any()
    }


def called(data: ImageSet, row: int) -> str:
    """An image's file, or its number where there is none."""
    files = data.metadata.get("file")
    return f"image {row}" if files is None or not files[row] else str(files[row])


def labels_of(data: ImageSet, row: int) -> str:
    """An image's labels."""
    held = [n for n, holds in zip(data.label_names, data.labels[row], strict=True) if holds]
    return " and ".join(held) or "no label"
