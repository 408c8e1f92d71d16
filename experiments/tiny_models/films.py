"""The source domain of the X-ray miniature: chest phantoms and letters, and texts for both.

The texts of phantoms say that they are X-rays and nothing of what is on them, as those of the
pictures that Stable Diffusion was trained on do; whom they show differs from all phantoms that
``dataset=phantom_xray`` draws from seeds below ``SEED``. Letters are half of it: with texts that
say nothing, a text encoder would learn to read nothing.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from experiments.tiny_models.letters import draw_letters
from tgap.datasets.phantoms.factors import draw_factors
from tgap.datasets.phantoms.picture import draw_all

SIDE = 64
SEED = 1_000_000_000
TEXTS = (
    "an image of chest X-ray",
    "a chest X-ray",
    "a chest radiograph",
    "a frontal X-ray of the chest",
    "an X-ray film",
    "radiograph of a chest",
    "a picture of an X-ray of the lungs",
    "a black and white X-ray",
)


@dataclass(frozen=True)
class Films:
    """Pictures with texts.

    Args:
        images: ``(N, 64, 64)`` uint8.
        prompts: N texts.
    """

    images: NDArray[np.uint8]
    prompts: list[str]


def draw_films(count: int, seed: int, empty: float = 0.1) -> Films:
    """``count`` phantoms and as many letters; a share ``empty`` has no text."""
    rng = np.random.default_rng(seed)
    images = np.empty((2 * count, SIDE, SIDE), np.uint8)

    def put(index: int, image: NDArray[np.uint8]) -> None:
        images[index] = image.reshape(SIDE, SIDE)

    draw_all(draw_factors(count, SEED + seed), SIDE, put)
    texts = [TEXTS[i] for i in rng.integers(len(TEXTS), size=count)]
    prompts = [
        "" if out else text for out, text in zip(rng.random(count) < empty, texts, strict=True)
    ]
    letters = draw_letters(count, seed, empty)
    for index, letter in enumerate(letters.images):
        large = Image.fromarray(letter).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        images[count + index] = np.asarray(large)
    return Films(images, [*prompts, *letters.prompts])
