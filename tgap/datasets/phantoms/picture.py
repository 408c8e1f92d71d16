"""A row of factors -> a picture: chest, findings, vessels, and the film they are taken on."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np

from tgap.core import Floats, Images, rng_for
from tgap.core.progress import progress
from tgap.datasets.phantoms.anatomy import Chest, Row, draw_chest, shape_of
from tgap.datasets.phantoms.bones import draw_bones
from tgap.datasets.phantoms.factors import Factors
from tgap.datasets.phantoms.findings import add_findings, deform, vessel_mask
from tgap.datasets.phantoms.vessels import draw_vessels

_FONT_SIZE = 64
_BLOCK = 32
"""Images that a thread draws at a time."""


def draw(row: Row, size: int) -> Images:
    """Draw one phantom.

    The picture follows from these arguments alone, so batches, threads and order do not matter.
    Textures belong to the patient, grain to the image.

    Args:
        row: ``Factors.row(i)``.
        size: Height and width.

    Returns:
        ``(size, size, 1)`` uint8.
    """
    seed, patient = int(row["seed"]), int(row["patient"])
    chest = draw_chest(row, deform(row, shape_of(row)), size)
    draw_bones(row, chest)
    vessels = draw_vessels(chest, row, rng_for("phantom", seed, "vessels", patient))
    vessels *= vessel_mask(row, chest)
    vessels *= np.float32(chest.shape.vessels)
    chest.add(vessels)
    add_findings(row, chest, lambda name: rng_for("phantom", seed, name, patient))
    grain = rng_for("phantom", seed, "grain", int(row["image"]))
    return _exposed(row, chest, grain)


def draw_all(
    factors: Factors, size: int, put: Callable[[int, Images], None], workers: int | None = None
) -> None:
    """Draw every row, in threads, as numpy frees Python's lock in the work on larger arrays.

    Args:
        factors: N rows.
        size: Height and width.
        put: Told the row's number and its picture, from any thread and in any order.
        workers: Threads; all cores by default.
    """

    def draw_block(start: int) -> None:
        for index in range(start, min(start + _BLOCK, len(factors))):
            put(index, draw(factors.row(index), size))

    starts = range(0, len(factors), _BLOCK)
    pool = ThreadPoolExecutor(workers or os.cpu_count() or 1)
    with pool, progress("drawing phantoms", len(factors)) as advance:
        blocks = [pool.submit(draw_block, start) for start in starts]
        try:
            for start, block in zip(starts, blocks, strict=True):
                block.result()
                advance(min(start + _BLOCK, len(factors)))
        finally:
            pool.shutdown(cancel_futures=True)


def _exposed(row: Row, chest: Chest, rng: np.random.Generator) -> Images:
    """Grain (more where few quanta pass), the film's S-shaped curve, borders and marks."""
    film = _blurred(chest.film)
    size = len(film)
    grain = rng.standard_normal((size, size), dtype=np.float32)
    grain[1:] = np.float32(0.75) * grain[1:] + np.float32(0.5) * grain[:-1]
    grain *= np.float32(row["noise"] * (1.3 if row["view"] == "AP" else 1.0))
    grain *= np.float32(0.5) + film
    film += grain
    film -= np.float32(0.46 - row["exposure"])
    film *= np.float32(2.3 * row["contrast"])
    np.tanh(film, out=film)
    film *= np.float32(0.5)
    film += np.float32(0.5)
    film *= _border(row, size)
    if row["text"]:
        _mark(film, row["text"], row["text_x"], row["text_y"])
    return (film * np.float32(255) + np.float32(0.5)).clip(0, 255).astype(np.uint8)[..., None]


def _blurred(film: Floats) -> Floats:
    """The detector's point spread: a pixel and its neighbours, 1 : 2 : 1 each way."""
    padded = np.pad(film, 1, mode="edge")
    rows = padded[:-2] + padded[2:]
    rows += 2 * padded[1:-1]
    blurred: Floats = rows[:, :-2] + rows[:, 2:]
    blurred += 2 * rows[:, 1:-1]
    blurred *= np.float32(1 / 16)
    return blurred


def _border(row: Row, size: int) -> Floats:
    """Black outside of the collimated field."""
    at = np.arange(0.5, size, dtype=np.float32) / size
    sides = []
    for low, high in (("top", "bottom"), ("left", "right")):
        first, last = row[f"collimation_{low}"], row[f"collimation_{high}"]
        inside = np.minimum(at - first, 1 - last - at) * size
        sides.append(np.clip(inside, 0, 1).astype(np.float32))
    return np.outer(sides[0], sides[1])


def _mark(film: Floats, text: str, x: float, y: float) -> None:
    """Put lead letters on the film, centred at a place but never beyond the edge."""
    size = len(film)
    letters = _letters(text, size)
    height, width = letters.shape
    top = int(np.clip((y + 1) / 2 * size - height / 2, 0, size - height))
    left = int(np.clip((x + 1) / 2 * size - width / 2, 0, size - width))
    behind = film[top : top + height, left : left + width]
    behind += (1 - behind) * letters


@lru_cache(maxsize=64)
def _letters(text: str, size: int) -> Floats:
    """Drawn large and averaged, so that marks keep their share of a picture of any size."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(_FONT_SIZE)
    left, top, right, bottom = (round(edge) for edge in font.getbbox(text))
    canvas = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(canvas).text((-left, -top), text, fill=255, font=font)
    scale = size * (0.07 if len(text) < 3 else 0.045) / _FONT_SIZE
    extent = (max(1, round(canvas.width * scale)), max(1, round(canvas.height * scale)))
    small = canvas.resize(extent, Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float32) / np.float32(255)
