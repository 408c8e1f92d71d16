"""The source domain: printed letters with captions. It holds no digit and no handwriting."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

SIZE = 32
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
FONT_SIZE = 64  # glyphs are drawn this large, then warped and reduced
CANVAS = 2 * SIZE  # warped at twice the size, so that reducing smooths the edges

# Files that matplotlib ships -> the words that captions use. Its other files draw symbols, boxes
# or nothing where letters belong (LastResort, STIXSiz*, STIXNonUni*, cmex, cmsy, *Display).
FACES = {
    "DejaVuSans": "sans serif",
    "DejaVuSans-Bold": "bold sans serif",
    "DejaVuSans-Oblique": "italic sans serif",
    "DejaVuSans-BoldOblique": "bold italic sans serif",
    "DejaVuSansMono": "typewriter",
    "DejaVuSansMono-Bold": "bold typewriter",
    "DejaVuSansMono-Oblique": "italic typewriter",
    "DejaVuSansMono-BoldOblique": "bold italic typewriter",
    "DejaVuSerif": "serif",
    "DejaVuSerif-Bold": "bold serif",
    "DejaVuSerif-Italic": "italic serif",
    "DejaVuSerif-BoldItalic": "bold italic serif",
    "STIXGeneral": "roman",
    "STIXGeneralBol": "bold roman",
    "STIXGeneralItalic": "italic roman",
    "STIXGeneralBolIta": "bold italic roman",
    "cmr10": "roman",
    "cmb10": "bold roman",
    "cmti10": "italic roman",
    "cmss10": "sans serif",
    "cmtt10": "typewriter",
}

NAMING = (  # captions that name the letter
    "an image of the letter {letter}",
    "an image of a {case} {letter}",
    "an image of {style} {case} {letter}",
    "an image of {size} {letter}",
    "a printed {style} {case} {letter}",
    "a picture of a {tilt} {letter}",
    "letter {letter}",
    "{case} {letter}",
    "{letter}",
    "the {case} letter {letter}, {style}, {tilt}",
    "a {size} {letter} in {style} type",
)
GENERAL = (  # captions that name none
    "an image of printed letters",
    "an image of {kind} printed letter",
    "an image of {case} printed letter",
    "an image of {style} letter",
    "a {size} {kind} in {style} type",
    "a {tilt} {case} letter",
    "a letter in white on black",
)
EMPTY_SHARE, GENERAL_SHARE = 0.12, 0.28  # the empty caption is for classifier-free guidance


@dataclass(frozen=True)
class Letters:
    """Images ``(N, 32, 32)`` uint8, white on black, each with as many captions."""

    images: NDArray[np.uint8]
    captions: list[list[str]]


@dataclass(frozen=True)
class Look:
    """How one letter is drawn: lengths in pixels of the finished image, angles in degrees."""

    letter: str
    face: str
    extent: float
    rotation: float
    shear: float
    shift: tuple[float, float]

    def words(self) -> dict[str, str]:
        """What captions say of it. Case is spelled out, because the tokenizer drops it."""
        tilts = ("tilted right", "upright", "tilted left")
        return {
            "letter": self.letter,
            "case": "capital letter" if self.letter.isupper() else "small letter",
            "kind": "vowel" if self.letter.lower() in "aeiou" else "consonant",
            "style": FACES[self.face],
            "size": "large" if self.extent > 20 else "little",
            "tilt": tilts[1 + (self.rotation > 5) - (self.rotation < -5)],
        }


def make_letters(count: int, captions_each: int, rng: np.random.Generator) -> Letters:
    """Draw letters of random looks.

    Args:
        count: Images.
        captions_each: Captions per image; some are empty.
        rng: Source of all chance.
    """
    looks = [_random_look(rng) for _ in range(count)]
    images = np.stack([draw(look) for look in looks])
    return Letters(images, [[caption(look, rng) for _ in range(captions_each)] for look in looks])


def draw(look: Look) -> NDArray[np.uint8]:
    """Draw one letter, centred but for its shift."""
    glyph = _glyph(look.face, look.letter)
    scale = look.extent * (CANVAS / SIZE) / max(glyph.size)
    angle = np.deg2rad(look.rotation)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    lean = np.array([[1.0, -np.tan(np.deg2rad(look.shear))], [0.0, 1.0]])
    inverse = np.linalg.inv(scale * turn @ lean)  # Pillow maps the result's pixels to the source's
    centre = CANVAS / 2 + np.array(look.shift) * (CANVAS / SIZE)
    offset = np.array(glyph.size) / 2 - inverse @ centre
    warped = glyph.transform(
        (CANVAS, CANVAS),
        Image.Transform.AFFINE,
        (*inverse[0], offset[0], *inverse[1], offset[1]),
        Image.Resampling.BICUBIC,
    )
    return np.asarray(warped.reduce(CANVAS // SIZE), dtype=np.uint8)


def caption(look: Look, rng: np.random.Generator) -> str:
    """Describe a letter in one of many wordings, or not at all."""
    chance = rng.random()
    if chance < EMPTY_SHARE:
        return ""
    templates: Sequence[str] = GENERAL if chance < EMPTY_SHARE + GENERAL_SHARE else NAMING
    return templates[rng.integers(len(templates))].format(**look.words())


def _random_look(rng: np.random.Generator) -> Look:
    faces = list(FACES)
    return Look(
        letter=LETTERS[rng.integers(len(LETTERS))],
        face=faces[rng.integers(len(faces))],
        extent=rng.uniform(15, 25),
        rotation=rng.uniform(-20, 20),
        shear=rng.uniform(-15, 15),
        shift=(rng.uniform(-2, 2), rng.uniform(-2, 2)),
    )


@lru_cache(maxsize=len(FACES) * len(LETTERS))
def _glyph(face: str, letter: str) -> Image.Image:
    """A letter alone, cut to its edges with a margin of one pixel."""
    font = ImageFont.truetype(str(_fonts() / f"{face}.ttf"), FONT_SIZE)
    left, top, right, bottom = font.getbbox(letter)
    size = (int(right - left) + 2, int(bottom - top) + 2)
    image = Image.new("L", size)
    ImageDraw.Draw(image).text((1 - left, 1 - top), letter, fill=255, font=font)
    return image


def _fonts() -> Path:
    return Path(matplotlib.get_data_path()) / "fonts" / "ttf"
