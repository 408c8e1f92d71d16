"""Crafted shifts: families of changes that leave an image's labels as they are."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tgap.core import Images

if TYPE_CHECKING:
    import torch

Change = Callable[["torch.Tensor", np.random.Generator], "torch.Tensor"]
"""Changes one ``(C, H, W)`` uint8 image."""


def crafted(images: Images, families: Sequence[str], rng: np.random.Generator) -> list[Images]:
    """The images changed by each family, every image by a strength of its own.

    Args:
        images: ``(N, H, W, C)`` uint8.
        families: Some of ``FAMILIES``.
        rng: Draws the strengths, of each family from a stream of its own: another list of families
            changes none of them.

    Returns:
        All in memory: for each family ``(N, H, W, C)`` uint8.
    """
    import torch

    own = dict(zip(FAMILIES, rng.spawn(len(FAMILIES)), strict=True))
    made = []
    for family in families:
        changed = np.empty_like(images)
        for row, image in enumerate(images):
            tensor = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)
            changed[row] = FAMILIES[family](tensor, own[family]).permute(1, 2, 0).numpy()
        made.append(changed)
    return made


def _brightness(image: "torch.Tensor", rng: np.random.Generator) -> "torch.Tensor":
    """Times .6 to 1.6."""
    from torchvision.transforms.v2 import functional as f

    return f.adjust_brightness(image, float(rng.uniform(0.6, 1.6)))


def _contrast(image: "torch.Tensor", rng: np.random.Generator) -> "torch.Tensor":
    """.5 to 1.8 of the distances from the mean."""
    from torchvision.transforms.v2 import functional as f

    return f.adjust_contrast(image, float(rng.uniform(0.5, 1.8)))


def _gamma(image: "torch.Tensor", rng: np.random.Generator) -> "torch.Tensor":
    """To the power of .5 to 2, evenly in its logarithm."""
    from torchvision.transforms.v2 import functional as f

    return f.adjust_gamma(image, float(2 ** rng.uniform(-1, 1)))


def _noise(image: "torch.Tensor", rng: np.random.Generator) -> "torch.Tensor":
    """Normal, of 5 to 25 grey levels."""
    import torch

    noise = rng.normal(0, rng.uniform(5, 25), tuple(image.shape)).astype(np.float32)
    return (image + torch.from_numpy(noise)).round().clamp(0, 255).to(torch.uint8)


def _blur(image: "torch.Tensor", rng: np.random.Generator) -> "torch.Tensor":
    """By a Gaussian of 2 to 5 hundredths of the side."""
    from torchvision.transforms.v2 import functional as f

    sigma = float(rng.uniform(0.02, 0.05)) * min(image.shape[1:])
    return f.gaussian_blur(image, [2 * round(3 * sigma) + 1] * 2, [sigma, sigma])


def _sharpness(image: "torch.Tensor", rng: np.random.Generator) -> "torch.Tensor":
    """Details times 2 to 5."""
    from torchvision.transforms.v2 import functional as f

    return f.adjust_sharpness(image, float(rng.uniform(2, 5)))


def _pixelate(image: "torch.Tensor", rng: np.random.Generator) -> "torch.Tensor":
    """Through .5 to .8 of the side."""
    from torchvision.transforms.v2 import functional as f

    height, width = image.shape[1:]
    share = rng.uniform(0.5, 0.8)
    small = f.resize(image, [max(1, round(share * height)), max(1, round(share * width))])
    return f.resize(small, [height, width])


def _posterize(image: "torch.Tensor", rng: np.random.Generator) -> "torch.Tensor":
    """2 to 4 bits."""
    from torchvision.transforms.v2 import functional as f

    return f.posterize(image, int(rng.integers(2, 5)))


def _occlusion(image: "torch.Tensor", rng: np.random.Generator) -> "torch.Tensor":
    """A square of .2 of the side, anywhere, of the image's mean."""
    side = max(1, round(0.2 * min(image.shape[1:])))
    top, left = (int(rng.integers(0, length - side + 1)) for length in image.shape[1:])
    changed = image.clone()
    mean = image.float().mean(dim=(1, 2), keepdim=True).round().to(image.dtype)
    changed[:, top : top + side, left : left + side] = mean
    return changed


def _geometry(image: "torch.Tensor", rng: np.random.Generator) -> "torch.Tensor":
    """Up to 8 degrees, 5 % of the side and .92 to 1.08 of the size; outside, the darkest grey."""
    from torchvision.transforms.v2 import InterpolationMode
    from torchvision.transforms.v2 import functional as f

    side = min(image.shape[1:])
    return f.affine(
        image,
        angle=float(rng.uniform(-8, 8)),
        translate=[round(float(v) * side) for v in rng.uniform(-0.05, 0.05, 2)],
        scale=float(rng.uniform(0.92, 1.08)),
        shear=[0.0, 0.0],
        interpolation=InterpolationMode.BILINEAR,
        fill=[float(v) for v in image.flatten(1).min(dim=1).values],
    )


FAMILIES: Mapping[str, Change] = {
    "brightness": _brightness,
    "contrast": _contrast,
    "gamma": _gamma,
    "noise": _noise,
    "blur": _blur,
    "sharpness": _sharpness,
    "pixelate": _pixelate,
    "posterize": _posterize,
    "occlusion": _occlusion,
    "geometry": _geometry,
}
"""By name. None mirrors, and geometry is light: heavier changes are other digits and findings."""
