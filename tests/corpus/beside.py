"""What lies beside images, stands in their files, or was made of them."""

import io
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from tests.corpus.case import Case
from tests.corpus.making import grey, put, put_folders

WORDS = ("dataset=image_folder", "dataset.domain=x")


def _zipped(root: Path, name: str) -> None:
    put_folders(root, count=8)
    picture = io.BytesIO()
    Image.fromarray(grey(0, 99)).save(picture, "PNG")
    with zipfile.ZipFile(root / name, "w") as archive:
        archive.writestr("bird/0.png", picture.getvalue())


def _copied(root: Path) -> None:
    """Three changed copies of each of four dogs."""
    put_folders(root, count=12)
    for n in range(12):
        put(root / "dog" / f"aug_{n % 4}_{n * 7919 % 9973}.png", grey(1, n % 4))


def _with_texts(root: Path, patient: Callable[[int], str], *, exif: bool = False) -> None:
    for n in range(24):
        text, tags = PngImagePlugin.PngInfo(), Image.Exif()
        text.add_text("PatientID", patient(n))
        tags[0x010E] = f"Patient {patient(n)}"
        extra = {"exif": tags} if exif else {"pnginfo": text}
        name = f"{n * 7919 % 9973:x}z{'.jpg' if exif else '.png'}"
        put(root / "ab"[n % 2] / name, grey(n % 2, n), **extra)


def _smaller_copies(root: Path) -> None:
    """Some cats among the dogs too, smaller."""
    rng = np.random.default_rng(0)
    for n in range(40):
        small = Image.fromarray(rng.integers(0, 255, (6, 6), np.uint8))
        picture = np.asarray(small.resize((48, 48), Image.Resampling.BICUBIC))
        put(root / ("cat", "dog")[n % 2] / f"{n * 7919 % 9973:x}z.png", picture)
        if n % 8 == 0:
            again = Image.fromarray(picture).resize((40, 40))
            put(root / "dog" / f"{n * 7919 % 9967:x}y.png", np.asarray(again))


def _shapes(root: Path, wide: int) -> None:
    for n in range(16):
        put(root / "cat" / f"{n}.png", grey(0, n, 48))
        put(root / "dog" / f"{n}.png", grey(1, n, 64)[: 64 - wide])


CASES = (
    Case(
        name="an archive beside the labels' folders",
        make=partial(_zipped, name="bird.zip"),
        words=WORDS,
        tells=(r"archive is not read, but may hold another label's .*: bird\.zip; unpack",),
    ),
    Case(
        name="copies called aug_",
        make=_copied,
        words=WORDS,
        tells=(r"12 of 36 images are changed copies .*dog has 12.*exclude=\['aug_\*'\]",),
        untold=("images seem to be of",),
    ),
    *(
        Case(
            name=f"patients in the files' own texts, {where}",
            make=partial(_with_texts, patient=lambda n: f"KH{400 + n // 3}", exif=exif),
            words=WORDS,
            tells=(rf"texts within the files \({where}\) name patients, 8 in 24 files",),
        )
        for where, exif in (("PatientID", False), ("ImageDescription", True))
    ),
    Case(
        name="one patient in all files' texts",
        make=partial(_with_texts, patient=lambda _: "anonymous1"),
        words=WORDS,
        untold=("texts within the files",),
    ),
    Case(
        name="smaller copies under another label",
        make=_smaller_copies,
        words=WORDS,
        tells=(
            r"5 pairs of images that are nearly equal have different labels: .*\(cat\) = .*\(dog",
        ),
    ),
    *(
        Case(
            name=f"proportions by label, {wide}",
            make=partial(_shapes, wide=wide),
            words=WORDS,
            **told,
        )
        for wide, told in (
            (16, {"tells": ("label cat are 1 as wide as high, those of label dog 1.33",)}),
            (0, {"untold": ("as wide as high",)}),
        )
    ),
    Case(
        name="labels of the test part alone, kept as the test set",
        make=lambda root: [
            put_folders(root / "train", ("good", "worn"), 8),
            put_folders(root / "test", ("good", "worn", "crack"), 8),
        ],
        words=(*WORDS, "dataset.official_split=true"),
        refused=True,
        tells=("but crack have images there only.*leave dataset.official_split out",),
    ),
)
