"""Low-frequency amplitudes of images, which hold brightness, contrast and shading."""

import math
from typing import TYPE_CHECKING

from tgap.core.errors import ContractError

if TYPE_CHECKING:
    import torch

LEAST = 1e-4
"""Grey levels of a wave below which an image has none: rounding alone decides its phase."""


def restyled(
    images: "torch.Tensor",
    donors: "torch.Tensor",
    share: float,
    mixture: "torch.Tensor | None" = None,
) -> "torch.Tensor":
    """Images with the low-frequency amplitudes of others, their own phases kept.

    A'(f) = (1 - m) A(f) + m A_donor(f) where both coordinates of f are below sqrt(share) / 2 cycles
    per pixel: a centred square of about that share of the spectrum's area. A frequency that an
    image has none of has no phase, and stays. Rounded, and clipped to uint8.

    Args:
        images: ``(N, H, W, C)`` uint8.
        donors: As many of the same shape.
        share: In [0, 1]; 0 changes nothing.
        mixture: ``(N,)`` float32, each m in [0, 1]; ``None`` = 1 throughout.

    Raises:
        ContractError: If the share is none, or the two are not of one shape.
    """
    import torch

    if not 0 <= share <= 1:
        raise ContractError(f"the share of the spectrum must be in [0, 1], got {share}")
    if images.shape != donors.shape:
        raise ContractError(
            f"each image needs a donor of its shape, got {tuple(images.shape)} and "
            f"{tuple(donors.shape)}"
        )
    size = height, width = images.shape[1:3]
    edge = math.sqrt(share) / 2
    rows = (torch.fft.fftfreq(height).abs() < edge).nonzero().to(images.device)
    columns = (torch.fft.rfftfreq(width) < edge).nonzero()[:, 0].to(images.device)
    if not rows.numel():
        return images
    spectrum, given = (
        torch.fft.rfft2(part.to(torch.float32), dim=(1, 2)) for part in (images, donors)
    )
    low, wanted = spectrum[:, rows, columns], given[:, rows, columns].abs()
    own = low.abs()
    if mixture is not None:
        wanted = own + mixture[:, None, None, None] * (wanted - own)
    has_any = own > LEAST * height * width
    spectrum[:, rows, columns] = torch.where(has_any, torch.polar(wanted, low.angle()), low)
    changed = torch.fft.irfft2(spectrum, s=size, dim=(1, 2))
    return changed.round().clamp(0, 255).to(torch.uint8)
