"""Images that can be decoded but show no chest: near-empty and inverted ones."""

from collections.abc import Iterator

import numpy as np

from tgap.core import DataError, Floats, Images
from tgap.core.arrays import spread
from tgap.core.progress import progress

MOST_INVERTED = 0.25
"""A larger share of inverted images than this is not believed."""
_SAMPLE = 1024
"""Images that the mean image is taken over, evenly spaced."""
_BLOCK_VALUES = 4_000_000
"""Pixels that are held as float32 at a time."""


def doubtful(images: Images, near_empty: float, inverted: float) -> dict[str, dict[int, str]]:
    """Find images that should not be trained on.

    An image is near-empty if the standard deviation of its grey levels is below a limit, and
    inverted (bright air, dark bones) if its Pearson correlation with the mean image is: the
    X-rays of a chest resemble their mean, and an inverted one resembles its negative. The mean is
    taken over images brought to zero mean and unit deviation, near-empty ones aside, so that a
    few inverted ones do not turn it.

    Args:
        images: ``(N, H, W, 1)`` uint8.
        near_empty: Lowest allowed standard deviation, in grey levels; 0 = any.
        inverted: Lowest allowed correlation; -1 = any.

    Raises:
        DataError: If so many are inverted that the mean image cannot tell which.

    Returns:
        The reason by row, under ``near_empty`` and ``inverted``; without kinds that do not occur.
    """
    suspects: dict[str, dict[int, str]] = {"near_empty": {}, "inverted": {}}
    mean = _mean_image(images, near_empty)
    with progress("checking images", len(images)) as advance:
        for rows in _blocks(np.arange(len(images)), images):
            unit, deviation = _unit(images[rows], near_empty)
            correlation = unit @ mean
            for row, s, r in zip(rows.tolist(), deviation, correlation, strict=True):
                if s < near_empty:
                    suspects["near_empty"][row] = (
                        f"it is near-empty: its grey levels have a standard deviation of {s:.2f}, "
                        f"below near_empty={near_empty:g}"
                    )
                elif r < inverted:
                    suspects["inverted"][row] = (
                        f"it looks inverted: its correlation with the mean image is {r:.2f}, "
                        f"below inverted={inverted:g}"
                    )
            advance(int(rows[-1]) + 1)
    if len(suspects["inverted"]) > MOST_INVERTED * len(images):
        raise DataError(
            f"{len(suspects['inverted'])} of {len(images)} images are unlike the mean image as "
            "only inverted ones should be: which are the right way round cannot be told from so "
            "many; mend the folder, or switch the check off with dataset.inverted=-1"
        )
    return {kind: reasons for kind, reasons in suspects.items() if reasons}


def _mean_image(images: Images, near_empty: float) -> Floats:
    """``(H W,)``, of length 1 unless it is nought."""
    total = np.zeros(images[0].size)
    for rows in _blocks(spread(len(images), _SAMPLE), images):
        unit, _ = _unit(images[rows], near_empty)
        total += unit.sum(axis=0)
    length = np.linalg.norm(total)
    return (total / length if length > 0 else total).astype(np.float32)


def _unit(images: Images, near_empty: float) -> tuple[Floats, Floats]:
    """Images of zero mean and length 1, near-empty ones nought; and their standard deviations."""
    flat = images.reshape(len(images), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1)
    deviation = length / np.sqrt(flat.shape[1])
    usable = (deviation >= near_empty) & (length > 0)
    scale = np.divide(1, length, out=np.zeros_like(length), where=usable)
    return flat * scale[:, None], deviation


def _blocks(rows: np.ndarray, images: Images) -> Iterator[np.ndarray]:
    step = max(1, _BLOCK_VALUES // images[0].size)
    for start in range(0, len(rows), step):
        yield rows[start : start + step]
