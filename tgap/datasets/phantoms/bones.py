"""Bones: each is a band around a curve, so it costs a soft step or two."""

import numpy as np

from tgap.core import Floats
from tgap.datasets.phantoms.anatomy import Chest, Row, step


def draw_bones(row: Row, chest: Chest) -> None:
    """Add spine, ribs, clavicles and shoulder blades to the film."""
    vertebrae = np.float32(0.05) + np.float32(0.03) * np.cos(chest.y * np.float32(2 * np.pi / 0.13))
    chest.add(vertebrae * chest.step(np.float32(0.07) - chest.away, 0.03))
    _ribs(row, chest)
    _clavicles(row, chest)
    _scapulae(row, chest)


def _ribs(row: Row, chest: Chest) -> None:
    """All ribs at once: bands where a number that counts ribs downwards is near an integer."""
    out = np.abs(chest.column)
    spacing = row["rib_spacing"]
    below = chest.y - np.float32(chest.shape.apex + 0.02)
    number = below * (np.float32(1.25) - np.float32(0.25) * below)
    number *= np.float32(1 / spacing)
    back = row["rib_slope"] * (out - 0.2) ** 2 + 2.2 * np.clip(out - 0.5, 0, 1) ** 2 + chest.tilt
    front = -0.75 * (out - 0.68) + 0.08 + chest.tilt
    ribs = _bands(number - (back / spacing).astype(np.float32), 0.27, chest)
    ribs *= chest.step(out - np.float32(0.07), 0.03)
    anterior = _bands(number - (front / spacing).astype(np.float32), 0.24, chest)
    anterior *= np.float32(0.5) * chest.step(out - np.float32(0.34), 0.12)
    ribs += anterior
    ribs *= _cage(number, chest)
    ribs *= np.float32(row["rib_contrast"])
    chest.add(ribs)


def _cage(number: Floats, chest: Chest) -> Floats:
    """Where ribs are seen: inside the walls, fading downwards, best against air."""
    walls = np.minimum(chest.outer[-1], chest.outer[1]) + np.float32(0.035)
    cage = chest.step(walls - chest.away, 0.04)
    cage *= chest.step(np.float32(10.5) - number, 3.0) * chest.step(number, 0.4)
    air = chest.lung[-1] + chest.lung[1]
    air *= np.float32(0.65)
    air += np.float32(0.35)
    cage *= air
    return cage


def _bands(number: Floats, half: float, chest: Chest) -> Floats:
    """Bands around integers, brighter at their two borders, as tubes of bone are."""
    number -= np.rint(number)
    away = np.abs(number, out=number)
    band = step(np.float32(half) - away, max(0.12, 6 * chest.pixel))
    away *= np.float32(0.45 / half)
    away += np.float32(0.6)
    band *= away
    return band


def _clavicles(row: Row, chest: Chest) -> None:
    out = np.abs(chest.column)
    raised = row["clavicle_height"] - (0.05 if row["view"] == "AP" else 0.0)
    middle = raised - 0.28 * (out - 0.05) + 0.07 * np.sin(out * 7) + chest.tilt
    length = chest.step(np.float32(0.62) - out, 0.05) * chest.step(out - np.float32(0.07), 0.03)
    rows = chest.rows(raised - 0.4, raised + 0.2)
    inside = np.float32(0.032) - np.abs(chest.y[rows] - middle.astype(np.float32))
    chest.film[rows] += chest.step(inside, 0.02) * (np.float32(0.16) * length)


def _scapulae(row: Row, chest: Chest) -> None:
    """Their inner border: beside the lungs where arms are rolled forward (PA), over them in AP."""
    border = 0.60 if row["view"] == "AP" else 0.70
    rows = chest.rows(-0.68, 0.22)
    y = chest.y[rows]
    beyond = chest.away[rows] - (np.float32(border) + np.float32(0.18) * (y + np.float32(0.3)))
    reach = chest.step(y + np.float32(0.62), 0.1) * chest.step(np.float32(0.08) - y, 0.25)
    blade = chest.step(beyond, 0.02) * chest.step(np.float32(0.22) - beyond, 0.15)
    chest.film[rows] += blade * (np.float32(0.07) * reach)
