"""The source domain of the tiny models: printed letters and the texts that describe them.

Letters A-Z and a-z from the fonts that matplotlib ships, white on black, never a digit: so that
handwritten digits are a new domain for a model that was trained on these.
"""

from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

SIZE = 32
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

# Fonts by the words that prompts use for them. Symbol fonts, which draw boxes, are left out.
FONTS = {
    "DejaVuSans": "sans",
    "DejaVuSans-Bold": "bold sans",
    "DejaVuSans-Oblique": "slanted sans",
    "DejaVuSans-BoldOblique": "bold slanted sans",
    "DejaVuSansMono": "mono",
    "DejaVuSansMono-Bold": "bold mono",
    "DejaVuSansMono-Oblique": "slanted mono",
    "DejaVuSerif": "serif",
    "DejaVuSerif-Bold": "bold serif",
    "DejaVuSerif-Italic": "italic serif",
    "DejaVuSerif-BoldItalic": "bold italic serif",
    "STIXGeneral": "book",
    "STIXGeneralBol": "bold book",
    "STIXGeneralItalic": "italic book",
    "STIXGeneralBolIta": "bold italic book",
    "cmb10": "bold roman",
    "cmr10": "roman",
    "cmss10": "plain",
    "cmti10": "italic roman",
    "cmtt10": "typewriter",
}

NAMED = (
    "an image of the letter {x}",
    "an image of {case} {x} {style} letter",
    "letter {x}",
    "a {case} {x}",
    "a printed {style} {case} {x}",
    "an image of {case} {x}",
    "the {style} letter {x}, printed",
    "{case} {x} in {style} type",
    "an image of {x} letter",
    "one {case} letter {x} on black",
    "a picture of the {case} letter {x}",
    "{x}",
)
UNNAMED = (
    "an image of printed letter",
    "an image of letter",
    "a printed {style} letter",
    "an image of {case} letter",
    "a letter",
    "printed type",
)


@dataclass(frozen=True)
class Letters:
    """Drawn letters.

    Args:
        images: ``(N, 32, 32)`` uint8, white on black.
        prompts: N texts; some name the letter, some do not, some are empty.
        letters: ``(N,)`` position in ``LETTERS``.
    """

    images: NDArray[np.uint8]
    prompts: list[str]
    letters: NDArray[np.int64]


def draw_letters(count: int, seed: int, empty: float = 0.1) -> Letters:
    """Draw ``count`` letters with texts, a share ``empty`` of which are empty."""
    rng = np.random.default_rng(seed)
    folder = Path(matplotlib.get_data_path()) / "fonts/ttf"
    fonts = [ImageFont.truetype(str(folder / f"{name}.ttf"), 60) for name in FONTS]
    styles = list(FONTS.values())
    letters = rng.integers(len(LETTERS), size=count)
    images = np.empty((count, SIZE, SIZE), np.uint8)
    prompts = []
    for i, letter in enumerate(letters):
        font = int(rng.integers(len(fonts)))
        images[i] = draw_letter(LETTERS[letter], fonts[font], rng)
        prompts.append(describe(LETTERS[letter], styles[font], empty, rng))
    return Letters(images, prompts, letters)


def draw_letter(
    letter: str, font: ImageFont.FreeTypeFont, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """One letter at a random size, place, slant, rotation and stroke width."""
    big = Image.new("L", (128, 128))
    stroke = int(rng.integers(0, 4))
    ImageDraw.Draw(big).text((64, 64), letter, 255, font, anchor="mm", stroke_width=stroke)
    box = big.getbbox()
    if box is None:
        raise ValueError(f"the font {font.getname()} draws nothing for {letter!r}")
    middle = np.array([box[0] + box[2], box[1] + box[3]]) / 2
    longest = max(box[2] - box[0], box[3] - box[1])
    scale = longest / rng.uniform(15, 25)  # big pixels per small pixel
    turn, shear = rng.uniform(-0.3, 0.3), rng.uniform(-0.3, 0.3)
    stretch = rng.uniform(0.8, 1.2)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = scale * matrix @ np.array([[stretch, shear], [0, 1 / stretch]])
    target = np.array([SIZE, SIZE]) / 2 + rng.uniform(-2.5, 2.5, size=2)
    offset = middle - matrix @ target
    coefficients = (*matrix[0], offset[0], *matrix[1], offset[1])
    # Blurred first: the transform samples points, which would leave jagged edges.
    soft = big.filter(ImageFilter.GaussianBlur(scale / 3))
    small = soft.transform(
        (SIZE, SIZE), Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR
    )
    pixels = np.asarray(small, np.float32)
    return np.clip(pixels * (255 / max(pixels.max(), 1)), 0, 255).astype(np.uint8)


def describe(letter: str, style: str, empty: float, rng: np.random.Generator) -> str:
    """A text for a letter: empty, without its name, or in one of many wordings."""
    if rng.random() < empty:
        return ""
    templates = UNNAMED if rng.random() < 0.15 else NAMED
    case = "capital" if letter.isupper() else "small"
    template = templates[int(rng.integers(len(templates)))]
    return template.format(x=letter, case=case, style=style)
