"""Kinds of files that few people have."""

from pathlib import Path

import numpy as np

from tests.corpus.case import Case
from tests.corpus.making import grey, put, put_folders
from tests.corpus.pixels import WORDS, is_waves, stored
from tests.datasets.test_decoding import tiff


def _many_channels(root: Path) -> None:
    """Satellite images: 13 bands of 16 bits."""
    for label, folder in enumerate(("forest", "river")):
        (root / folder).mkdir()
        for number in range(30):
            bands = np.repeat(grey(label, number).astype(np.uint16)[..., None], 13, axis=-1)
            (root / folder / f"{number}.tif").write_bytes(tiff(bands))


def _not_read(root: Path, end: str, *others: str) -> None:
    put_folders(root, count=10)
    (root / "bird").mkdir()
    for number in range(7):
        (root / "bird" / f"{number}{end}").write_bytes(b"x")
    for name in others:
        (root / "bird" / name).write_text("x")


def _tracks(root: Path) -> None:
    """Traffic signs: tracks of frames, counted anew in each class."""
    for label, track, frame in np.ndindex(2, 12, 5):
        picture = grey(label, 100 * track + frame)
        put(root / f"{label:05}" / f"{track:05}_{frame:05}.ppm", np.dstack([picture] * 3))


CASES = (
    *(
        Case(
            name=f"portable maps, .{end}", make=stored(lambda x: x, end), words=WORDS, read=is_waves
        )
        for end in ("pgm", "ppm", "pnm")
    ),
    Case(
        name="portable maps of 16 bits",
        make=stored(lambda x: x.astype(np.uint16) * 257, "pgm"),
        words=WORDS,
        tells=("60 PPM, 16 bit, grey",),
        read=is_waves,
    ),
    Case(
        name="tracks of frames, counted anew in each class",
        make=_tracks,
        words=("dataset=image_folder", "dataset.domain=x"),
        tells=(
            r"120 images seem to be of 24 patients or originals, .*\('00000/00000' has 5\)",
            "numbers seem to begin anew in each folder: if the same number is the same patient in",
        ),
    ),
    Case(
        name="tiff of 13 channels",
        make=_many_channels,
        words=WORDS,
        refused=True,
        tells=(r"forest/0.tif: a TIFF of 13 channels is not read: write one of them, or three",),
        untold=("samples per pixel", "floating point"),
    ),
)
