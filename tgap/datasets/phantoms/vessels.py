"""Lung vessels: trees that branch from the hila, drawn with Pillow's lines."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tgap.core import Floats
from tgap.datasets.phantoms.anatomy import SIDES, Chest, Row

_TRUNKS = 8
_GENERATIONS = 5
_WIDTH = 0.024
"""Of a trunk, in half image sides."""
_SHRINK = 0.72
_SCALE = 2
"""Pillow's lines are not smoothed, so they are drawn larger and averaged."""
_THINNEST = 0.3
"""In pixels; what is thinner is not seen."""

Points = NDArray[np.complex128]
"""``x + iy``, in half image sides from the middle of the chest."""


def draw_vessels(chest: Chest, row: Row, rng: np.random.Generator) -> Floats:
    """Draw both lungs' trees.

    Args:
        chest: Gives the size; it is left as it is.
        row: Factors, for the place.
        rng: The patient's own, so that all of their images show the same trees.

    Returns:
        ``(S, S)`` in [0, 1]: how much vessel is seen at each pixel.
    """
    from PIL import Image, ImageDraw

    side = len(chest.film) * _SCALE
    canvas = Image.new("L", (side, side))
    pen = ImageDraw.Draw(canvas)
    for generation, lines in enumerate(_tree(rng)):
        width = _WIDTH * _SHRINK**generation
        thick = width / chest.pixel * _SCALE
        if thick < _THINNEST * _SCALE:
            break
        ink = round(255 * (0.25 + 0.75 * width / _WIDTH) * min(1.0, thick))
        for line in _placed(lines, row, side):
            pen.line(line, fill=ink, width=max(1, round(thick)))
    seen = np.asarray(canvas.reduce(_SCALE), dtype=np.float32) / np.float32(255)
    # they taper into the haze of those too small to be seen
    return seen * chest.step(np.float32(0.62) - np.abs(chest.x), 0.5)


def _tree(rng: np.random.Generator) -> Iterator[Points]:
    """Lines ``(M, P)`` by generation: trunks, then at each end a fork's two arms as one line."""
    fan = np.linspace(-1.45, 1.35, _TRUNKS)
    angle = np.concatenate([np.pi - fan, fan]) + rng.normal(0, 0.12, 2 * _TRUNKS)
    roots = np.repeat([side * 0.14 - 0.08j for side in SIDES], _TRUNKS)
    length = rng.uniform(0.10, 0.16, 2 * _TRUNKS)
    ends = roots + length * np.exp(1j * angle)
    yield np.stack([roots, ends], axis=1)
    for _ in range(1, _GENERATIONS):
        spread = rng.uniform(0.18, 0.5, len(angle))
        bend = rng.normal(0, 0.15, (2, len(angle)))
        length = length * rng.uniform(0.75, 1.0, len(angle))
        angles = np.stack([angle - spread, angle + spread]) + bend
        arms = ends + length * np.exp(1j * angles)
        yield np.stack([arms[0], ends, arms[1]], axis=1)
        angle, length, ends = angles.ravel(), np.tile(length, 2), arms.ravel()


def _placed(lines: Points, row: Row, side: int) -> list[list[float]]:
    """Pixels of the enlarged picture, as Pillow takes them: x, y, x, y, ..."""
    x, y = lines.real, lines.imag
    across = (x + row["rotation"] * y) * row["zoom"] + row["shift_x"]
    down = (y + row["rotation"] * x) * row["zoom"] + row["shift_y"]
    pixels = (np.stack([across, down], axis=-1) + 1) * (side / 2)
    flat: list[list[float]] = pixels.reshape(len(lines), -1).tolist()
    return flat
