"""Files that are read as they should be, of which a person would want to know something first."""

import datetime
import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from tests.corpus.case import Case
from tests.corpus.making import grey, put, put_folders


def _twice(root: Path) -> None:
    """One cat under two names, and another one among the dogs."""
    put_folders(root)
    put(root / "cat" / "again.png", grey(0, 3))
    put(root / "dog" / "cat.png", grey(0, 7))


def _small_and_wide(root: Path) -> None:
    """Cats of 20 pixels, dogs twice as wide as high."""
    for number in range(30):
        put(root / "cat" / f"{number}.png", grey(0, number, 20))
        put(root / "dog" / f"{number}.png", grey(1, number, 80)[:40])


def _empty(root: Path) -> None:
    put_folders(root)
    put(root / "dog" / "empty.png", np.full((32, 32), 200, np.uint8))


def _all_beside(root: Path) -> None:
    """All images in one folder, and again in one for each label."""
    for number in range(24):
        picture = grey(number % 2, number)
        for folder in ("All", ("cat", "dog")[number % 2]):
            put(root / folder / f"{number:02}.png", picture)


def _dated(root: Path, *, seconds: int, apart: int) -> None:
    """Three photographs of each of eight moments, under names that say nothing."""
    start = datetime.datetime(2024, 5, 1, 8)
    for moment in range(8):
        for shot in range(3):
            when = start + datetime.timedelta(seconds=moment * apart + shot * seconds)
            exif = Image.Exif()
            exif[0x0110] = "HP2X"
            exif.get_ifd(0x8769)[0x9003] = when.strftime("%Y:%m:%d %H:%M:%S")
            name = hashlib.sha256(f"{moment} {shot}".encode()).hexdigest()[:12]
            file = root / ("cat", "dog")[moment % 2] / f"{name}.jpg"
            put(file, grey(moment % 2, moment * 3 + shot), quality=95, exif=exif)


def _hostile(root: Path) -> None:
    put_folders(root, ("[red]cat", "<b>dog<b>"))


def _bursts(root: Path) -> None:
    """Three photographs of each scene, ten seconds apart."""
    for label, folder in enumerate(("cat", "dog")):
        for scene in range(12):
            for shot in range(3):
                noise = np.random.default_rng([scene, shot]).integers(0, 20, (32, 32))
                name = f"2024010{1 + label}_11{10 + scene}{shot}7.jpg"
                put(root / folder / name, (grey(label, scene) * 0.9 + noise).astype(np.uint8))


def _photographs(root: Path, copies: int) -> None:
    """Different things, some of them again, mirrored or turned, under names that say nothing."""
    for label, folder in enumerate(("cat", "dog")):
        for number in range(40):
            rng = np.random.default_rng([label, number])
            small = Image.fromarray(rng.integers(0, 256, (6, 6), dtype=np.uint8))
            picture = np.asarray(small.resize((48, 48), Image.Resampling.BICUBIC))
            for pose in range(copies + 1):
                turned = np.rot90(picture[:, ::-1] if pose == 1 else picture, max(0, pose - 1))
                name = hashlib.sha256(f"{label} {number} {pose}".encode()).hexdigest()[:16]
                put(root / folder / f"{name}.jpg", turned, quality=85)


def _clips(root: Path) -> None:
    """Five clips of each label, numbered on, held by a hand in changing light."""
    for label, folder in enumerate(("cat", "dog")):
        for number in range(100):
            scene = np.random.default_rng([label, number // 20])
            small = Image.fromarray(scene.integers(0, 256, (6, 6), dtype=np.uint8))
            rng = np.random.default_rng([label, number, 1])
            down, right = rng.integers(0, 7, 2)
            frame = np.asarray(small.resize((70, 70), Image.Resampling.BICUBIC), np.float64)
            frame = frame[down : down + 64, right : right + 64] * rng.uniform(0.7, 1.1)
            frame += rng.normal(rng.uniform(-10, 20), 5, frame.shape)
            file = root / folder / f"img_{number:04d}.png"
            put(file, frame.clip(0, 255).astype(np.uint8))


def _bodies(*, negative: int = 0, mirrored: bool = False) -> Callable[[Path], None]:
    """A bright body in the dark, or one that comes from a side; some are negatives."""

    def make(root: Path) -> None:
        y, x = np.mgrid[:32, :32] / 32
        for label, folder in enumerate(("cat", "dog")):
            for number in range(30):
                rng = np.random.default_rng([label, number])
                middle, width = (0, 0.6) if mirrored else (0.5, 0.35)
                body = np.hypot((x - middle) / width, (y - 0.5) / 0.4) < rng.uniform(0.8, 1.2)
                picture = (
                    40 + 130 * body + 60 * label * (x > 0.5) * body + rng.normal(0, 8, x.shape)
                )
                picture = picture[:, :: -1 if mirrored and number % 2 else 1]
                if negative and number % negative == 0:
                    picture = 255 - picture
                put(root / folder / f"{number}.png", picture.clip(0, 255).astype(np.uint8))

    return make


def _marked(root: Path, *, every: int, quality: int = 0) -> None:
    """Cloudy pictures, of which those of dogs, or of each label some, have a lead marker."""
    for label, folder in enumerate(("cat", "dog")):
        for number in range(40):
            rng = np.random.default_rng([label, number])
            clouds = Image.fromarray(rng.integers(30, 220, (9, 9), dtype=np.uint8))
            picture = np.array(clouds.resize((64, 64), Image.Resampling.BICUBIC))
            if number % every == 0 and (label or every > 1):
                picture[3:9, 50:60], picture[5:7, 52:58] = 250, 20
            file = root / folder / f"{number}.{'jpg' if quality else 'png'}"
            put(file, picture, **({"quality": quality} if quality else {}))


MARKED = "are the same in rows"
NEGATIVES = "as negatives are"
WORDS = ("dataset=image_folder", "dataset.domain=pet")
CASES = (
    Case(
        name="a label that is all the others",
        make=_all_beside,
        words=WORDS,
        tells=(
            "- The 24 images of label 'All' are .nearly. all those of the other labels.*"
            r'leave its folder out by "dataset.exclude=\[All\]"',
        ),
        untold=("remove both images", "exact copies"),
    ),
    Case(
        name="bursts by the time in the files",
        make=partial(_dated, seconds=1, apart=7200),
        words=WORDS,
        tells=("- 24 of 24 photographs were taken within 2 seconds.*they are of 8 moments",),
    ),
    *(
        Case(
            name=f"photographs {how}",
            make=partial(_dated, seconds=seconds, apart=apart),
            words=WORDS,
            untold=("photographs were taken within",),
        )
        for how, seconds, apart in (
            ("minutes apart", 240, 7200),
            ("of one series, second by second", 1, 3),
            ("without a clock", 0, 0),
        )
    ),
    *(
        Case(
            name=f"a mark on one label's images, {how}",
            make=partial(_marked, every=1, quality=quality),
            words=(*WORDS, f"dataset.size={size}"),
            tells=(
                rf"- 40 of 40 images looked at of label 'dog' {MARKED} {place} of {size}, where h",
            ),
        )
        for how, quality, size, place in (
            ("as PNG", 0, 64, "3 to 8 and columns 50 to 59"),
            ("as PNG, small", 0, 32, r"\d to \d and columns 2[456] to \d\d"),
            ("as JPEG", 75, 64, r"\d to \d and columns [45]\d to [56]\d"),
        )
    ),
    Case(
        name="a mark on some images of each label",
        make=partial(_marked, every=2),
        words=WORDS,
        untold=(MARKED,),
    ),
    Case(name="photographs without a mark", make=partial(_photographs, copies=0), untold=(MARKED,)),
    Case(
        name="negatives",
        make=_bodies(negative=4),
        words=WORDS,
        tells=(rf"(?s)Look at this first.*- 16 of 60 images .*{NEGATIVES}.*: cat/0.png",),
    ),
    Case(name="no negatives", make=_bodies(), words=WORDS, untold=(NEGATIVES,)),
    Case(
        name="from the left and the right",
        make=_bodies(mirrored=True),
        words=WORDS,
        untold=(NEGATIVES,),
    ),
    Case(
        name="copies mirrored and turned, under names that say nothing",
        make=partial(_photographs, copies=2),
        words=WORDS,
        tells=(
            r"(?s)Look at this first.*\n- 240 of 240 images nearly equal one of another patient "
            r"\(240 of them mirrored or turned\), 1?\d\d of them one on another side",
            r"= \w+/\w+.jpg \((mirrored|turned by|mirrored and turned by).*say so",
        ),
    ),
    Case(
        name="photographs of different things",
        make=partial(_photographs, copies=0),
        words=WORDS,
        untold=("nearly equal one of another",),
    ),
    Case(
        name="frames of clips, numbered on",
        make=_clips,
        words=WORDS,
        tells=(
            r"Look at this first.*\n- Each of the 200 images counts as its own patient: if several",
            r"- 1\d\d of 198 images are far more like the one before them.* \(in another order "
            r"\d\d would be\), as frames of clips.*_\d+.png = \w+/img_",
        ),
    ),
    Case(
        name="bursts by the time of the photograph",
        make=_bursts,
        words=WORDS,
        tells=(
            r"Look at this first.*\n- Each of the 72 images counts as its own patient: if several",
            r"- \d\d of 72 images resemble one next to them.*by chance 4 would.*_11\d\d17.jpg = ",
        ),
    ),
    Case(
        name="pictures that are there twice",
        make=_twice,
        words=WORDS,
        tells=(
            r"^Look at this first",
            r"1 images equal another .*other labels: dog/cat.png \(dog\) = cat/7.png \(cat\)",
            r"2 images are exact copies of another: cat/again.png = cat/3.png, dog/cat.png = ",
        ),
    ),
    Case(
        name="small and wide files",
        make=_small_and_wide,
        words=WORDS,
        tells=(
            r"30 of 60 files are enlarged more than 1.5 times to 32 pixels: cat/0.png",
            r"30 of 60 files lose more than 25% .*: dog/0.png.*dataset.fit=pad",
            r"Files of label cat have 20 pixels on the shorter side, those of label dog 40",
            r"files: 60 PNG, 8 bit, grey",
            r"width 20 to 80 \(median 50\), height 20 to 40",
        ),
    ),
    Case(
        name="a picture of one grey level",
        make=_empty,
        words=WORDS,
        tells=(r"- 1 of 61 images .*flat.*: dog/empty.png[.] Look at them",),
    ),
    Case(
        name="labels that look like markup",
        make=_hostile,
        words=WORDS,
        tells=(r"label \[red\]cat +30", r"label <b>dog<b> +30"),
    ),
)
