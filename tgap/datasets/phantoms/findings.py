"""The 14 findings as changes of shape and as densities; each grows with its severity."""

import dataclasses
from collections.abc import Callable

import numpy as np

from tgap.core import Floats
from tgap.datasets.phantoms.anatomy import SIDES, Chest, Row, Shape
from tgap.datasets.phantoms.factors import FINDINGS, severity_of
from tgap.datasets.phantoms.noise import smooth_noise

_FLOOR = 0.4
"""Strength of the mildest finding that a reader would still name."""


def strength(row: Row, finding: str) -> float:
    """0 where absent, else from ``_FLOOR`` to 1."""
    severity = float(row[severity_of(finding)])
    return _FLOOR + (1 - _FLOOR) * severity if severity > 0 else 0.0


def deform(row: Row, shape: Shape) -> Shape:
    """The shape as heart size, overinflation and lost volume leave it."""
    base, drop, air = dict(shape.base), dict(shape.drop), dict(shape.air)
    heart = shape.heart_width * (1 + 0.55 * strength(row, "Cardiomegaly"))
    vessels = shape.vessels * (1 + 0.5 * strength(row, "Edema"))
    inflated = strength(row, "Emphysema")
    for side in SIDES:
        base[side] += 0.15 * inflated
        drop[side] *= 1 - 0.75 * inflated
        air[side] -= 0.10 * inflated
    base[int(row["atelectasis_side"])] -= 0.20 * strength(row, "Atelectasis")
    heart *= 1 - 0.15 * inflated
    return dataclasses.replace(
        shape,
        base=base,
        drop=drop,
        air=air,
        heart_width=heart,
        vessels=vessels * (1 - 0.4 * inflated),
    )


def vessel_mask(row: Row, chest: Chest) -> Floats:
    """Where vessels are seen: in aerated lung, not beside a collapsed one."""
    seen = _lungs(chest)
    if strength(row, "Pneumothorax"):
        seen = seen - chest.lung[_side(row, "Pneumothorax")] * _rim(row, chest)
    return seen


def add_findings(row: Row, chest: Chest, rng: Callable[[str], np.random.Generator]) -> None:
    """Add every finding that is present to the film.

    Args:
        row: Factors.
        chest: Drawn so far; its film changes.
        rng: A fresh generator of the patient for each finding, so that none disturbs another.
    """
    for finding in FINDINGS:
        drawn = _DRAWN.get(finding)
        amount = strength(row, finding)
        if drawn is not None and amount > 0:
            chest.add(drawn(row, chest, amount, rng(finding)))


def _side(row: Row, finding: str) -> int:
    return int(row[f"{finding.lower()}_side"])


def _place(row: Row, finding: str) -> float:
    return float(row[f"{finding.lower()}_place"])


def _spot(row: Row, chest: Chest, finding: str) -> tuple[float, float]:
    """A point well inside a lung, running down it with the finding's place."""
    side, place = _side(row, finding), _place(row, finding)
    top, bottom = chest.shape.apex + 0.25, chest.shape.base[side] - 0.10
    y = top + (bottom - top) * place
    return side * (0.36 + 0.12 * np.sin(40 * place)), y


def _air(chest: Chest, side: int) -> Floats:
    """What a density replaces: a lung, less where the heart lies before it."""
    return chest.lung[side] * (1 - np.float32(0.7) * chest.heart)


def _lungs(chest: Chest) -> Floats:
    return (chest.lung[-1] + chest.lung[1]) * (1 - np.float32(0.7) * chest.heart)


def _texture(chest: Chest, rng: np.random.Generator, cells: int) -> Floats:
    return smooth_noise(rng, len(chest.film), cells)


def _atelectasis(row: Row, chest: Chest, amount: float, rng: np.random.Generator) -> Floats:
    """Plates: thin bands across the lower lung; the dome is raised by ``deform``."""
    side = _side(row, "Atelectasis")
    away = chest.column * np.float32(side)
    plates = np.zeros_like(chest.film)
    for number in range(3):
        slope, drop = rng.uniform(-0.35, 0.25), 0.07 + 0.09 * number
        middle = chest.shape.base[side] - drop + slope * (away - 0.35)
        distance = np.float32(0.016) - np.abs(chest.y - middle.astype(np.float32))
        reach = chest.step(np.float32(0.60) - away, 0.1) * chest.step(away - np.float32(0.14), 0.1)
        plates += chest.step(distance, 0.02) * reach
    plates += 0.5 * chest.blob(side * 0.33, chest.shape.base[side] - 0.03, 0.20, 0.09)
    return np.float32(0.10 + 0.20 * amount) * plates * _air(chest, side)


def _consolidation(row: Row, chest: Chest, amount: float, rng: np.random.Generator) -> Floats:
    """A dense, well marked patch that spares the air in the bronchi's stipple."""
    x, y = _spot(row, chest, "Consolidation")
    patch = chest.blob(x, y, 0.12 + 0.10 * amount, 0.14 + 0.12 * amount)
    patch += np.float32(0.16) * _texture(chest, rng, 24)
    dense = chest.step(patch - np.float32(0.45), 0.35)
    return np.float32(0.16 + 0.18 * amount) * dense * _air(chest, _side(row, "Consolidation"))


def _edema(row: Row, chest: Chest, amount: float, rng: np.random.Generator) -> Floats:
    """Bat wings around both hila, and Kerley's short lines at the base."""
    wings = sum((chest.blob(side * 0.26, -0.02, 0.15, 0.24) for side in SIDES), np.float32(0)) * (
        1 + np.float32(0.25) * _texture(chest, rng, 20)
    )
    edge = np.abs(chest.x) - np.float32(0.46)
    lines = chest.step(np.cos(chest.y * np.float32(2 * np.pi / 0.055)) - np.float32(0.6), 0.5)
    kerley = lines * chest.step(edge, 0.05) * chest.step(chest.y - np.float32(0.05), 0.15)
    density = np.float32(0.30 * amount) * wings + np.float32(0.07 * amount) * kerley
    return density * _lungs(chest)


def _effusion(row: Row, chest: Chest, amount: float, rng: np.random.Generator) -> Floats:
    """Fluid up to a meniscus that climbs the wall; the other side may have a little."""
    side = _side(row, "Effusion")
    fluid = _fluid(chest, side, 0.02 + 0.42 * amount**1.5)
    if _place(row, "Effusion") < 0.35:
        fluid += _fluid(chest, -side, 0.16 * amount)
    return fluid


def _fluid(chest: Chest, side: int, height: float) -> Floats:
    lowest = chest.shape.base[side] + chest.shape.drop[side]
    out = np.clip(chest.column * np.float32(side) / np.float32(chest.shape.width[side]), 0, 1)
    surface = np.float32(lowest - height) - np.float32(0.16) * out**3 + chest.tilt
    fluid = chest.step(chest.y - surface, 0.06)
    return np.float32(-chest.shape.air[side] * 0.95) * fluid * _air(chest, side)


def _fibrosis(row: Row, chest: Chest, amount: float, rng: np.random.Generator) -> Floats:
    """A net of lines, thickest at the bases and edges."""
    net = np.zeros_like(chest.film)
    for cells in (26, 38):
        net += chest.step(np.float32(0.22) - np.abs(_texture(chest, rng, cells)), 0.25)
    low = chest.step(chest.y - np.float32(0.22 - 0.5 * amount), 0.5)
    far = np.float32(0.5) + np.float32(0.5) * chest.step(np.abs(chest.x) - np.float32(0.35), 0.3)
    return np.float32(0.05 + 0.09 * amount) * net * low * far * _lungs(chest)


def _hernia(row: Row, chest: Chest, amount: float, rng: np.random.Generator) -> Floats:
    """A stomach behind the heart: a round soft shadow with air over a level."""
    size, y = 0.13 + 0.09 * amount, chest.shape.base[1] - 0.06
    x = 0.06 + 0.10 * _place(row, "Hernia")
    sac = chest.ellipse(x, y, size * 1.15, size, 0.02)
    air = chest.ellipse(x, y - 0.02, size * 0.92, size * 0.76, 0.02)
    air *= chest.step(np.float32(y + 0.02) - chest.y, 0.02)
    return np.float32(0.12) * sac - np.float32(0.30) * air


def _infiltration(row: Row, chest: Chest, amount: float, rng: np.random.Generator) -> Floats:
    """Faint patchy haze over much of both lungs, more on one side and low down."""
    side, middle = _side(row, "Infiltration"), 0.10 - 0.35 * _place(row, "Infiltration")
    coarse, fine = _texture(chest, rng, 10), _texture(chest, rng, 28)
    patchy = chest.step(coarse + np.float32(0.6) * fine, 1.6)
    where = chest.blob(side * 0.36, middle, 0.24, 0.34)
    where += np.float32(0.6) * chest.blob(-side * 0.36, middle + 0.1, 0.22, 0.30)
    return np.float32(0.08 + 0.19 * amount) * patchy * where * _lungs(chest)


def _mass(row: Row, chest: Chest, amount: float, rng: np.random.Generator) -> Floats:
    """A lump of 3 to 7 cm with a slightly lobed border."""
    x, y = _spot(row, chest, "Mass")
    radius = 0.085 + 0.075 * amount
    dx, dy = chest.x - np.float32(x), chest.y - np.float32(y)
    distance = np.sqrt(dx * dx + dy * dy) + np.float32(0.012) * _texture(chest, rng, 16)
    lump = chest.step(np.float32(radius) - distance, 0.03)
    return np.float32(0.20 + 0.12 * amount) * lump * _lungs(chest)


def _nodule(row: Row, chest: Chest, amount: float, rng: np.random.Generator) -> Floats:
    """One to three round spots below 3 cm."""
    spots = np.zeros_like(chest.film)
    for number in range(1 + int(3 * (_place(row, "Nodule") * 7 % 1))):
        x, y = _spot(row, chest, "Nodule")
        if number:
            x, y = rng.choice(SIDES) * rng.uniform(0.22, 0.50), rng.uniform(-0.45, 0.25)
        radius = 0.045 + 0.025 * amount
        np.maximum(spots, chest.ellipse(x, y, radius, radius, 0.02), out=spots)
    return np.float32(0.22 + 0.12 * amount) * spots * _lungs(chest)


def _pleural_thickening(row: Row, chest: Chest, amount: float, rng: np.random.Generator) -> Floats:
    """A bright rim along the chest wall and over the apex."""
    side = _side(row, "Pleural_Thickening")
    away = chest.x * np.float32(side)
    depth = 0.03 + 0.05 * amount
    uneven = np.float32(0.02) * np.sin(chest.y * 9 + np.float32(6 * rng.random()))
    rim = chest.step(away - chest.outer[side] + np.float32(depth) + uneven, 0.02)
    cap = chest.step(np.float32(chest.shape.apex + 1.8 * depth) - chest.y, 0.03)
    return np.float32(0.16 + 0.14 * amount) * np.maximum(rim, cap) * _air(chest, side)


def _pneumonia(row: Row, chest: Chest, amount: float, rng: np.random.Generator) -> Floats:
    """A soft haze that fills a lobe."""
    side = _side(row, "Pneumonia")
    lower = _place(row, "Pneumonia") < 0.65
    y = chest.shape.base[side] - 0.16 if lower else chest.shape.apex + 0.34
    lobe = chest.blob(side * 0.36, y, 0.20, 0.16 + 0.06 * amount)
    lobe *= 1 + np.float32(0.25) * _texture(chest, rng, 14)
    return np.float32(0.16 + 0.20 * amount) * lobe * _air(chest, side)


def _rim(row: Row, chest: Chest) -> Floats:
    """1 where a pneumothorax' air is, outside of the collapsed lung."""
    side, amount = _side(row, "Pneumothorax"), strength(row, "Pneumothorax")
    return chest.step(_beyond(row, chest, side, amount), 0.01)


def _beyond(row: Row, chest: Chest, side: int, amount: float) -> Floats:
    """Distance outwards from the collapsed lung's edge, which is furthest in at the apex."""
    down = np.clip((chest.y - np.float32(chest.shape.apex)) / np.float32(1.1), 0, 1)
    depth = np.float32(0.04 + 0.26 * amount) * (np.float32(1.1) - np.float32(0.75) * down)
    lowered = np.float32(chest.shape.apex + 0.03 + 0.30 * amount) - chest.y
    away = chest.x * np.float32(side)
    beyond: Floats = np.maximum(away - chest.outer[side] + depth, lowered)
    return beyond


def _pneumothorax(row: Row, chest: Chest, amount: float, rng: np.random.Generator) -> Floats:
    """Black air without vessels, the lung's thin white edge, and the lung a little denser."""
    side = _side(row, "Pneumothorax")
    beyond = _beyond(row, chest, side, amount)
    line = chest.step(np.float32(0.007) - np.abs(beyond), 0.008)
    rim = chest.step(beyond, 0.01)
    density = np.float32(0.16) * line + np.float32(0.05 * amount) - np.float32(0.15) * rim
    return density * _air(chest, side)


_DRAWN: dict[str, Callable[[Row, Chest, float, np.random.Generator], Floats]] = {
    "Atelectasis": _atelectasis,
    "Consolidation": _consolidation,
    "Edema": _edema,
    "Effusion": _effusion,
    "Fibrosis": _fibrosis,
    "Hernia": _hernia,
    "Infiltration": _infiltration,
    "Mass": _mass,
    "Nodule": _nodule,
    "Pleural_Thickening": _pleural_thickening,
    "Pneumonia": _pneumonia,
    "Pneumothorax": _pneumothorax,
}
"""Densities; Cardiomegaly and Emphysema are changes of shape alone."""
