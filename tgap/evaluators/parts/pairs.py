"""Images side by side, to be looked at."""

from collections.abc import Sequence

import numpy as np

from tgap.core import Images

TILE = 64
"""Longer side that images are shown at."""

FRAME = 2

GAP = 8

COLUMNS = 4

GREY = 128


def picture_of_pairs(pairs: Sequence[tuple[Images, Images]]) -> Images:
    """``(H, W, 3)`` uint8: four pairs a row, a thin grey line between the two of a pair.

    Args:
        pairs: Two ``(h, w, c)`` uint8 images each, at least one pair; small images are enlarged
            pixel by pixel.
    """
    tiles = [(_tile(left), _tile(right)) for left, right in pairs]
    height = max(one.shape[0] for pair in tiles for one in pair)
    width = max(one.shape[1] for pair in tiles for one in pair)
    columns = min(COLUMNS, len(pairs))
    rows = -(-len(pairs) // columns)
    pair_width = 2 * width + FRAME
    shape = (rows * (height + GAP) + GAP, columns * (pair_width + GAP) + GAP, 3)
    canvas = np.full(shape, 255, np.uint8)
    for number, (left, right) in enumerate(tiles):
        row, column = divmod(number, columns)
        top, begin = GAP + row * (height + GAP), GAP + column * (pair_width + GAP)
        canvas[top : top + height, begin : begin + pair_width] = GREY
        for tile, at in ((left, begin), (right, begin + width + FRAME)):
            canvas[top : top + tile.shape[0], at : at + tile.shape[1]] = tile
    return canvas


def sheet(rows: Sequence[Images]) -> Images:
    """``(H, W, 3)`` uint8: rows of images, ``(N, h, w, c)`` uint8 each, at least one image."""
    tiles = [[_tile(image) for image in row] for row in rows]
    height, width = tiles[0][0].shape[:2]
    columns = max(map(len, tiles))
    shape = (len(tiles) * (height + FRAME), columns * (width + FRAME), 3)
    canvas = np.full(shape, 255, np.uint8)
    for row, of_row in enumerate(tiles):
        for column, tile in enumerate(of_row):
            top, begin = row * (height + FRAME), column * (width + FRAME)
            canvas[top : top + height, begin : begin + width] = tile
    return canvas


def _tile(image: Images) -> Images:
    from PIL import Image

    scale = TILE / max(image.shape[:2])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    grey = image[..., 0] if image.shape[2] == 1 else image
    filter_ = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BOX
    shown = Image.fromarray(np.ascontiguousarray(grey)).convert("RGB").resize(size, filter_)
    return np.asarray(shown)
