"""Control: the tuning set, each image a little changed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from tgap.core import DataError, Images, option
from tgap.generators.controls.base import Control, Draw, Drawn, Examples
from tgap.generators.controls.dealing import cycled
from tgap.generators.controls.jitter import jittered
from tgap.generators.latent.files.folder import vae_factor
from tgap.generators.stable_diffusion import ASSETS, StableDiffusion

AUTOENCODER = "tiny_ldm"
"""The packaged miniature whose autoencoder images may go through."""


@dataclass(kw_only=True)
class CopyWithJitter(Control):
    """A generator that learnt its tuning set by heart, but not to the pixel.

    Images as of ``copy_tuning_set``, each shifted, zoomed and changed in contrast by its own noise
    seed (``tgap.generators.controls.jitter``), so that no pixel need be equal: a search for copies
    must find them all the same.

    Args:
        strength: At 0.3, up to 6 % of the width, 6 % zoom and 20 % contrast and brightness.
        flip: Whether every second image is mirrored, left to right.
        autoencoder: Whether images then go through the packaged diffusion model's autoencoder and
            back, as a latent diffusion model's do; channel by channel, because it is one for grey
            images.
    """

    expected: ClassVar[tuple[str, ...]] = ("copies",)

    strength: float = option(0.3, "how much images are changed", low=0, high=1)
    flip: bool = option(False, "mirror every second image")
    autoencoder: bool = option(False, "send images through the packaged autoencoder")

    def check(self) -> list[str]:
        """Problems with the autoencoder's files, if it is wanted."""
        return _packaged().check() if self.autoencoder else []

    def check_images(self, shape: tuple[int, ...]) -> list[str]:
        """Images that the autoencoder, if it is wanted, cannot take."""
        height, width = shape[:2]
        factor = vae_factor(ASSETS / AUTOENCODER)
        if not self.autoencoder or (height == width and height % factor == 0):
            return []
        return [
            f"generator.autoencoder takes square images with sides of a multiple of {factor} "
            f"pixels, got {height} x {width}; set the dataset's size, where it has one, or "
            "generator.autoencoder=false"
        ]

    def digest(self) -> str:
        """Hash of the autoencoder's files, if it is wanted."""
        return _packaged().digest() if self.autoencoder else ""

    def _given(self, examples: Examples, rng: np.random.Generator) -> Draw:
        tuning, dealt = examples.tuning, cycled(examples, rng)
        kinds = ("shift", "zoom", "contrast", *(("flip",) if self.flip else ()))
        autoencoder = None
        if self.autoencoder:
            shape = tuning.images.shape[1:]
            if problems := self.check_images(shape):
                raise DataError(*problems)
            autoencoder = _packaged(image_size=shape[0])

        def draw(label: int, seeds: Sequence[int]) -> Drawn:
            drawn = Drawn.of(tuning, dealt[label][: len(seeds)])
            images = jittered(drawn.images, self.strength, seeds, kinds)
            if autoencoder is not None:
                images = _encoded_and_decoded(images, autoencoder)
            return replace(drawn, images=images)

        return draw


def _packaged(image_size: int | None = None) -> StableDiffusion:
    """The miniature."""
    return StableDiffusion(packaged=AUTOENCODER, image_size=image_size)


def _encoded_and_decoded(images: Images, autoencoder: StableDiffusion) -> Images:
    n, height, width, channels = images.shape
    grey = images.transpose(0, 3, 1, 2).reshape(n * channels, height, width, 1)
    model = autoencoder.load()
    decoded = model.decode(model.moments(grey)[:, 0])
    return decoded.reshape(n, channels, height, width).transpose(0, 2, 3, 1)
