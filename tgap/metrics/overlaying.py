"""Laying an image over another one, and how much they are alike then."""

from typing import TYPE_CHECKING

import numpy as np

from tgap.core import ContractError, Floats, Images

if TYPE_CHECKING:
    import torch

SIDE = 32
"""Height and width that images are compared at."""
CENTRE = (SIDE - 1) / 2
MARGIN = 3
"""Pixels of an original's edge that are not compared, since a shifted copy may lack them."""
CANDIDATES = 8
"""Originals that an image is laid over."""
STEPS = 6
"""Gauss-Newton steps of laying over."""
FURTHEST = 0.11
"""Of the side: the largest shift, and the largest movement of an edge by zooming or turning."""
SMOOTH = 0.6
"""Pixels; standard deviation of a blur of all images, as resampling blurs some of them anyway."""
DETAIL = 1.5
"""Pixels; what a blur of this standard deviation leaves of an image is not compared."""
BLURS = (1.0, 1.6)
"""Pixels; a copy may be as blurred as its original is by one of these standard deviations."""
_PIXELS = 2**22
_PAIRS = 64
"""So many are laid over at once: what they need then stays in a processor's cache."""
TINY = 1e-3


def check_images(images: Images, name: str, least: int = 0) -> None:
    """Refuse what is no stack of images, or too few.

    Raises:
        ContractError: With their name.
    """
    if images.dtype != np.uint8 or images.ndim != 4 or 0 in images.shape[1:]:
        raise ContractError(f"{name} must be (N, H, W, C) uint8, got {images.shape} {images.dtype}")
    if len(images) < least:
        raise ContractError(f"{name} must be at least one image, got none")


def reduced(images: Images) -> Floats:
    """``(N, 32, 32)`` float32, channels averaged, a little blurred."""
    import torch
    from torch.nn.functional import interpolate

    small_images = np.empty((len(images), SIDE, SIDE), np.float32)
    step = max(1, _PIXELS // (images.shape[1] * images.shape[2]))
    for begin in range(0, len(images), step):
        grey = torch.from_numpy(images[begin : begin + step].mean(axis=3, dtype=np.float32))
        small = interpolate(grey[:, None], size=(SIDE, SIDE), mode="bilinear", antialias=True)
        small_images[begin : begin + step] = blurred(small[:, 0], SMOOTH).numpy()
    return small_images


def laid_over(images: Floats, originals: Floats, changed: bool = False) -> Floats:
    """Correlation of the details of each pair, after the best shift and zoom.

    By Gauss-Newton steps (Lucas & Kanade 1981; inverse compositional with gain and bias projected
    out, Baker & Matthews, IJCV 2004).

    Args:
        images: ``(P, 32, 32)`` float32.
        originals: As many.
        changed: Whether images may be turned a little and blurred, too.

    Returns:
        ``(P,)`` float32.
    """
    blocks = [slice(begin, begin + _PAIRS) for begin in range(0, len(images), _PAIRS)]
    correlations = [_laid_over(images[one], originals[one], changed) for one in blocks]
    return np.concatenate(correlations) if correlations else np.zeros(0, np.float32)


def _laid_over(images: Floats, originals: Floats, changed: bool) -> Floats:
    import torch

    with torch.no_grad():
        moving, fixed = torch.from_numpy(images), torch.from_numpy(originals)
        grid = torch.arange(MARGIN, SIDE - MARGIN) - CENTRE
        y, x = (axis.reshape(-1) for axis in torch.meshgrid(grid, grid, indexing="ij"))
        target, length = standardised(_window(fixed))
        # How the window changes, per pixel, as the original moves right, down, grows and turns.
        down, right = (_window(one) / length for one in torch.gradient(fixed, dim=(1, 2)))
        reach = SIDE / 2
        ways = [right, down, (right * x + down * y) / reach]
        ways += [(down * x - right * y) / reach] if changed else []
        slopes = torch.stack(ways, dim=1)
        slopes = slopes - slopes.mean(dim=2, keepdim=True)
        slopes = slopes - (slopes @ target[:, :, None]) * target[:, None]
        curvature = slopes @ slopes.mT + 1e-4 * torch.eye(len(ways))
        moves = torch.zeros(len(images), len(ways))
        best = torch.full((len(images),), -1.0)
        overlaid = torch.zeros_like(target)
        for _ in range(STEPS + 1):
            seen, _ = standardised(_sampled(moving, x, y, moves, reach))
            correlation = (seen * target).sum(dim=1)
            overlaid = torch.where((correlation > best)[:, None], seen, overlaid)
            best = torch.maximum(correlation, best)
            error = seen / correlation.clamp(min=0.2)[:, None] - target
            step = torch.linalg.solve(curvature, slopes @ error[:, :, None])[:, :, 0]
            moves = (moves - step).clamp(-FURTHEST * SIDE, FURTHEST * SIDE)
        targets = [target]
        targets += [_window(blurred(fixed, deviation)) for deviation in BLURS if changed]
        seen = _details(overlaid)
        alike = torch.stack([(seen * _details(one)).sum(dim=1) for one in targets])
        correlations: Floats = alike.max(dim=0).values.numpy()
    return correlations


def _sampled(
    images: "torch.Tensor",
    x: "torch.Tensor",
    y: "torch.Tensor",
    moves: "torch.Tensor",
    reach: float,
) -> "torch.Tensor":
    """``(P, pixels)``: images at ``(x, y)``, zoomed, turned and shifted by ``moves``."""
    import torch
    from torch.nn.functional import grid_sample

    zoom, angle = torch.exp(moves[:, 2:3] / reach), moves[:, 3:4] / reach
    if moves.shape[1] == 3:
        angle = torch.zeros_like(zoom)
    along, across = zoom * torch.cos(angle), zoom * torch.sin(angle)
    # Filled, not stacked: stacking pairs takes as long as all else here.
    places = torch.empty(len(images), 1, len(x), 2)
    places[:, 0, :, 0] = along * x - across * y + moves[:, :1]
    places[:, 0, :, 1] = across * x + along * y + moves[:, 1:2]
    places /= CENTRE
    return grid_sample(images[:, None], places, align_corners=True, padding_mode="border")[:, 0, 0]


def _window(images: "torch.Tensor") -> "torch.Tensor":
    return images[:, MARGIN:-MARGIN, MARGIN:-MARGIN].reshape(len(images), -1)


def standardised(flat: "torch.Tensor") -> tuple["torch.Tensor", "torch.Tensor"]:
    """Mean 0 and length 1, and the length before; a constant image becomes zeros."""
    centred = flat - flat.mean(dim=1, keepdim=True)
    length = centred.norm(dim=1, keepdim=True)
    divisor = length.masked_fill(length < TINY, float("inf"))
    return centred / divisor, divisor


def _details(windows: "torch.Tensor") -> "torch.Tensor":
    """``(P, pixels)`` standardised: without what a Gaussian blur leaves."""
    side = SIDE - 2 * MARGIN
    images = windows.reshape(len(windows), side, side)
    return standardised((images - blurred(images, DETAIL)).reshape(len(windows), -1))[0]


def blurred(images: "torch.Tensor", deviation: float) -> "torch.Tensor":
    """``(N, n, n)`` Gaussian means; at the edges of fewer pixels."""
    import torch

    along = torch.arange(images.shape[-1], dtype=torch.float32)
    blur = torch.exp(-(((along - along[:, None]) / deviation) ** 2) / 2)
    blur = blur / blur.sum(dim=1, keepdim=True)
    return blur @ images @ blur.mT


def relative(correlations: Floats) -> Floats:
    """``(N,)`` similarities from ``(N, K)`` correlations, see ``copies.resemblance``."""
    # rounding may lift a correlation above 1
    distance = np.maximum(1 - correlations.max(axis=1), 0)
    return np.asarray(1 - distance / np.sqrt(np.maximum(1 - usual(correlations), TINY)), np.float32)


def usual(correlations: Floats) -> Floats:
    """``(N,)``, the median of all but the largest of ``(N, K)``; 0 if there is one."""
    others = np.sort(correlations, axis=1)[:, :-1]
    if not others.shape[1]:
        return np.zeros(len(correlations), np.float32)
    return np.asarray(np.median(others, axis=1), np.float32)
