"""Pictures and tables that cases are made of."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tgap.core import Images


def grey(label: int, number: int, side: int = 32) -> Images:
    """``(side, side)`` uint8: a wave whose direction is the label's, every number another one."""
    rng = np.random.default_rng([label, number])
    along = np.arange(side) / side
    wave = np.sin(2 * np.pi * (3 * along + rng.random()))
    picture = np.broadcast_to(wave if label % 2 else wave[:, None], (side, side))
    return (128 + 90 * picture + rng.normal(0, 8, (side, side))).clip(0, 255).astype(np.uint8)


def put(file: Path, picture: NDArray[np.generic], **options: object) -> None:
    """Write a picture, into a folder that need not be there yet."""
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(file, **options)


def put_folders(root: Path, folders: Iterable[str] = ("cat", "dog"), count: int = 30) -> None:
    """``count`` PNGs in each folder, the waves of its place in the row."""
    for label, folder in enumerate(folders):
        for number in range(count):
            put(root / folder / f"{number}.png", grey(label, number))


def put_table(root: Path, rows: Iterable[str], name: str = "labels.csv") -> None:
    """A table, a line for each row."""
    (root / name).write_text("\n".join(rows) + "\n", encoding="utf-8")
