"""The healthy chest: outlines that follow from factors, and the film densities they add up to.

The image spans [-1, 1] in x and y, y downwards, the patient's left at x > 0. Outlines are functions
of one coordinate (a side's walls of y, domes and ribs of x), so they cost next to nothing; what is
drawn are soft steps between them. Brightness is log-attenuation, so structures add. A rotation
leans the midline and tilts the horizontals, which is its first order.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from tgap.core import Floats

Row = Mapping[str, Any]
SIDES = (-1, 1)
"""The patient's right (left in the picture) and left."""

LUNG = -0.36
HEART = 0.40
MEDIASTINUM = 0.16


@dataclass(frozen=True)
class Shape:
    """Numbers that outlines follow from; findings change some of them.

    Args:
        base: y of the domes, by side.
        drop: Height of a dome over its angle, by side.
        air: Brightness that a lung adds (negative), by side.
    """

    apex: float
    base: Mapping[int, float]
    drop: Mapping[int, float]
    width: Mapping[int, float]
    air: Mapping[int, float]
    heart_width: float
    vessels: float


@dataclass(frozen=True)
class Chest:
    """A half-drawn picture; ``film`` is added to in place.

    Args:
        film: ``(S, S)`` brightness, about 0 (air) to 1 (bone and liver).
        x: ``(S, S)`` position across, from the patient's midline.
        away: ``(S, S)`` distance from it.
        y: ``(S, 1)``.
        column: ``(1, S)`` the same x without the midline's lean, for functions of a column.
        tilt: ``(1, S)``, how much lower horizontals are.
        outer: ``(S, 1)`` distance of the lungs' walls from the midline, by side.
        base: ``(1, S)`` y of the diaphragm, by side.
        lung: ``(S, S)`` in [0, 1], by side.
        heart: ``(S, S)`` in [0, 1], heart and great vessels.
        pixel: Width of a pixel.
    """

    shape: Shape
    film: Floats
    x: Floats
    away: Floats
    y: Floats
    column: Floats
    tilt: Floats
    outer: Mapping[int, Floats]
    base: Mapping[int, Floats]
    lung: Mapping[int, Floats]
    heart: Floats
    pixel: float

    def add(self, density: Floats) -> None:
        """Add a structure's density to the film."""
        np.add(self.film, density, out=self.film)

    def step(self, distance: Floats, width: float) -> Floats:
        """0 to 1 where ``distance`` rises through 0, over ``width`` or at least a pixel."""
        return step(distance, max(width, self.pixel))

    def ellipse(
        self, x: float, y: float, a: float, b: float, edge: float, lean: float = 0.0
    ) -> Floats:
        """1 inside an ellipse, falling to 0 over ``edge`` at its border.

        ``lean`` shears it: the centre line moves by ``lean`` per unit of y.
        """
        # the squared radius rises by about 2 / a per unit at the border
        soft = 2 * max(edge, self.pixel) / min(a, b)
        ellipse = np.zeros_like(self.film)
        rows = self.rows(y - b * (1 + soft), y + b * (1 + soft))
        below = self.y[rows] - np.float32(y)
        squared = self.x[rows] - (below * np.float32(lean) + np.float32(x))
        squared *= np.float32(1 / a)
        squared *= squared
        squared += (below / np.float32(b)) ** 2
        ellipse[rows] = step(np.subtract(1, squared, out=squared), soft)
        return ellipse

    def rows(self, top: float, bottom: float) -> slice:
        """The rows with y in that range, to draw on them alone."""
        first, last = np.searchsorted(self.y[:, 0], (top, bottom))
        return slice(int(first), int(last))

    def blob(self, x: float, y: float, a: float, b: float) -> Floats:
        """A Gaussian bump of standard deviations ``a`` and ``b``."""
        dx, dy = (self.x - np.float32(x)) / np.float32(a), (self.y - np.float32(y)) / np.float32(b)
        bump: Floats = np.exp(-0.5 * (dx * dx + dy * dy))
        return bump


def step(distance: Floats, width: float) -> Floats:
    """A linear ramp from 0 to 1, ``width`` wide, centred where ``distance`` is 0."""
    ramp = distance * np.float32(1 / width)
    ramp += np.float32(0.5)
    np.maximum(ramp, np.float32(0), out=ramp)
    np.minimum(ramp, np.float32(1), out=ramp)
    return ramp


def shape_of(row: Row) -> Shape:
    """The healthy shape of a row of factors."""
    portable = row["view"] == "AP"
    low = row["lung_base"] + row["inspiration"] - 0.05 * portable
    wide, uneven = row["lung_width"], row["lung_asymmetry"]
    return Shape(
        apex=row["lung_apex"],
        base={-1: low, 1: low + 0.05 + uneven},
        drop=dict.fromkeys(SIDES, float(row["dome_drop"])),
        width={-1: wide - uneven, 1: wide + uneven},
        air=dict.fromkeys(SIDES, LUNG - 0.015 * row["build"]),
        heart_width=row["heart_width"] * (1.08 if portable else 1.0),
        vessels=row["vessel_contrast"],
    )


def draw_chest(row: Row, shape: Shape, size: int) -> Chest:
    """Draw the soft parts: trunk, lungs, belly, heart and great vessels, windpipe, breasts."""
    grid = _grid(size)
    column = (grid - np.float32(row["shift_x"])) / np.float32(row["zoom"])
    y = ((grid - np.float32(row["shift_y"])) / np.float32(row["zoom"])).reshape(-1, 1)
    lean = np.float32(row["rotation"])
    x, tilt = column - lean * y, lean * column
    pixel = 2 / size / row["zoom"]
    outer = {side: _wall(y, shape, side) for side in SIDES}
    base = {side: _dome(column, shape, side) + tilt for side in SIDES}
    lung = {}
    for side in SIDES:
        inner = _inner(y, shape, row["mediastinum_width"])
        sideways = x if side == 1 else -x
        between = np.minimum(outer[side] - sideways, sideways - inner)
        lung[side] = step(between, max(0.02, pixel))
        lung[side] *= step(base[side] - y, max(0.025, pixel))
    away = np.abs(x)
    film = _body(row, away, y, pixel)
    heart = np.zeros_like(film)
    chest = Chest(shape, film, x, away, y, column, tilt, outer, base, lung, heart, pixel)
    _soft_parts(row, chest)
    return chest


@lru_cache(maxsize=8)
def _grid(size: int) -> Floats:
    """Centres of pixels, ``(1, size)``."""
    return ((np.arange(size, dtype=np.float32) + 0.5) * (2 / size) - 1).reshape(1, -1)


def _height(y: Floats, shape: Shape, side: int) -> Floats:
    """0 at the apex, 1 at the dome."""
    return (y - np.float32(shape.apex)) / np.float32(shape.base[side] - shape.apex)


def _wall(y: Floats, shape: Shape, side: int) -> Floats:
    t = np.clip(_height(y, shape, side), 0, 1)
    start, width = np.float32(0.30), np.float32(shape.width[side])
    wall: Floats = start + (width - start) * np.sqrt(1 - (1 - t) ** 2.0)
    return np.where(y < shape.apex, np.float32(-1), wall).astype(np.float32)


def _inner(y: Floats, shape: Shape, mediastinum: float) -> Floats:
    t = np.clip((y - np.float32(shape.apex)) / np.float32(0.16), 0, 1)
    start = np.float32(0.30)
    inner: Floats = start - (start - np.float32(mediastinum)) * np.sqrt(1 - (1 - t) ** 2)
    return inner


def _dome(column: Floats, shape: Shape, side: int) -> Floats:
    """Highest a third of the way out, and falling to the costophrenic angle."""
    across = np.float32(side) * column - np.float32(0.27)
    scale = np.where(across > 0, shape.width[side] - 0.27, 0.42).astype(np.float32)
    dome: Floats = (
        np.float32(shape.base[side])
        + np.float32(shape.drop[side]) * np.clip(across / scale, -1, 1.2) ** 2
    )
    return dome.astype(np.float32)


def _body(row: Row, away: Floats, y: Floats, pixel: float) -> Floats:
    """Soft tissue: neck, shoulders and trunk against air."""
    shoulder = np.clip((y + 0.90) / 0.42, 0, 1)
    half = 0.30 + (0.62 + 0.05 * row["build"]) * np.sqrt(1 - (1 - shoulder) ** 2)
    half -= 0.04 * np.clip(y + 0.35, 0, 1)
    distance = half.astype(np.float32) - away
    film: Floats = away * away
    film *= np.float32(-0.16)
    film += np.float32(0.60 + 0.03 * row["build"])
    film *= step(distance, max(0.05, pixel))
    film -= (0.10 * np.clip(-0.5 - y, 0, 1)).astype(np.float32)
    film += np.float32(0.10) * step(distance - np.float32(0.05), 0.25)
    return film


def _soft_parts(row: Row, chest: Chest) -> None:
    film, y, shape = chest.film, chest.y, chest.shape
    for side in SIDES:
        film += np.float32(shape.air[side]) * chest.lung[side]
    # the belly under the domes
    dome = np.where(chest.column < 0, chest.base[-1], chest.base[1])
    film += np.float32(0.09) * chest.step(y - dome, 0.03)
    middle = chest.step(np.float32(1.05 * row["mediastinum_width"]) - chest.away, 0.09)
    film += middle * (np.float32(MEDIASTINUM) * chest.step(y + np.float32(0.95), 0.3))
    _heart(row, chest)
    # the windpipe, and the stomach's air under the left dome
    upper = chest.rows(-2, -0.15)
    windpipe = chest.step(np.float32(0.037) - chest.away[upper], 0.03)
    film[upper] -= windpipe * (np.float32(0.15) * chest.step(np.float32(-0.22) - y[upper], 0.08))
    film -= np.float32(0.16) * chest.ellipse(0.30, shape.base[1] + 0.12, 0.13, 0.07, 0.05)
    if row["sex"] == "F":
        _breasts(row, chest)


def _heart(row: Row, chest: Chest) -> None:
    half, base = chest.shape.heart_width, (chest.shape.base[-1] + chest.shape.base[1]) / 2
    # a wider heart leans less and grows to the left
    lean, grown = row["heart_tilt"] * 0.3 / half, half - 0.3
    left = chest.ellipse(0.10 + 0.5 * grown, base - 0.16, half, 0.30 + 0.3 * grown, 0.035, lean)
    right = chest.ellipse(-0.04, base - 0.14, half * 0.5 + 0.05, 0.255, 0.035)
    # the great vessels' stem, up to the aortic knob
    stem = chest.ellipse(0.03, -0.18, 0.145, 0.30, 0.05)
    stem *= np.float32(0.8)
    knob = chest.ellipse(0.105, -0.30, row["aortic_knob"], row["aortic_knob"] * 1.1, 0.03)
    knob *= np.float32(0.85)
    np.maximum(np.maximum(left, right), np.maximum(stem, knob), out=chest.heart)
    # beside the lungs the mediastinum is dense already
    inside = chest.lung[-1] + chest.lung[1]
    inside *= np.float32(0.32)
    inside += np.float32(HEART - 0.32)
    chest.add(chest.heart * inside)
    _hila(chest)


def _hila(chest: Chest) -> None:
    rows = chest.rows(-0.45, 0.25)
    across = (chest.away[rows] - np.float32(0.165)) / np.float32(0.05)
    down = (chest.y[rows] + np.float32(0.10)) / np.float32(0.10)
    root = np.exp(np.float32(-0.5) * (across * across + down * down))
    chest.film[rows] += np.float32(0.11) * root


def _breasts(row: Row, chest: Chest) -> None:
    """Denser downwards, to a sharp lower border."""
    middle = row["breast_height"] - 0.12
    rows = chest.rows(middle - 0.4, middle + 0.4)
    y = chest.y[rows] - np.float32(middle)
    squared = ((chest.away[rows] - np.float32(0.42)) / np.float32(0.3)) ** 2
    shadow = step(1 - squared - (y / np.float32(0.3)) ** 2, 0.4)
    chest.film[rows] += shadow * (np.float32(row["breast_contrast"]) * chest.step(y, 0.5))
