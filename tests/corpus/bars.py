"""Bars of one level along an edge: padding, letter boxes, frames of telephones."""

from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from tests.corpus.case import Case
from tests.corpus.making import put

WORDS = ("dataset=image_folder", "dataset.domain=x", "dataset.size=48")
BARS = "have bars of one level"
Widths = tuple[int, int, int, int]
NONE: Widths = (0, 0, 0, 0)


def _barred(root: Path, cat: Widths, dog: Widths, level: int = 0, quality: int = 0) -> None:
    """Cloudy pictures with bars of so many pixels, up to two more: left, right, top, bottom."""
    for label, (folder, widths) in enumerate((("cat", cat), ("dog", dog))):
        for number in range(24):
            rng = np.random.default_rng([label, number])
            clouds = Image.fromarray(rng.integers(30, 220, (9, 9), dtype=np.uint8))
            picture = np.array(clouds.resize((96, 96), Image.Resampling.BICUBIC))
            left, right, top, bottom = (width and width + int(rng.integers(3)) for width in widths)
            inside = np.zeros(picture.shape, bool)
            inside[top : 96 - bottom, left : 96 - right] = True
            file = root / folder / f"{label}{number * 7919 % 9973}.{'jpg' if quality else 'png'}"
            options = {"quality": quality} if quality else {}
            put(file, np.where(inside, picture, level).astype(np.uint8), **options)


def _on_black(root: Path) -> None:
    """Things of two sizes on a black ground, round or upright."""
    y, x = np.mgrid[:48, :48]
    for label, folder in enumerate(("cat", "dog")):
        for number in range(24):
            rng = np.random.default_rng([label, number])
            across, down = (16, 20) if label else (5, 18)
            thing = np.hypot((x - 24) / (across + rng.uniform(0, 3)), (y - 24) / down) < 1
            texture = rng.integers(80, 250, (48, 48))
            put(root / folder / f"{number}.png", (thing * texture).astype(np.uint8))


CASES = (
    *(
        Case(
            name=f"bars on one label's images, {how}",
            make=make,
            words=WORDS,
            tells=(rf"- images of label 'dog' {BARS} along an edge: {tell}",),
        )
        for how, make, tell in (
            (
                "at both sides",
                partial(_barred, cat=NONE, dog=(17, 17, 0, 0)),
                r"left in 24 of 24 looked at \(median \d+ pixels\), against 0 of 24 others, right",
            ),
            (
                "white, above and below, coded",
                partial(_barred, cat=NONE, dog=(0, 0, 12, 12), level=255, quality=80),
                "top in 24 of 24 .* bottom in 24",
            ),
            (
                "narrow, at the left alone",
                partial(_barred, cat=NONE, dog=(5, 0, 0, 0)),
                "left in 24 of 24 [^,]*, against 0 of 24 others; a classifier",
            ),
            (
                "wider than on the other's",
                partial(_barred, cat=(6, 6, 0, 0), dog=(18, 18, 0, 0)),
                r"left .*\(median 9[.5]* pixels\), against 24 of 24 others \(3[.5]* pixels\), ri",
            ),
        )
    ),
    *(
        Case(name=f"bars that tell no label, {how}", make=make, words=WORDS, untold=(BARS,))
        for how, make in (
            ("on all images", partial(_barred, cat=(9, 9, 0, 0), dog=(9, 9, 0, 0))),
            ("none", partial(_barred, cat=NONE, dog=NONE)),
            ("black around things", _on_black),
        )
    ),
)
