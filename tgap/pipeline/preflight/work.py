"""Whether drawing will end within a time that anybody waits."""

import math

from tgap.core import Budget, Sampler, TgapError
from tgap.core.device import torch_device
from tgap.drawings.base import Drawing
from tgap.generators.base import Generator, Pretrained

USUAL = (859_520_964, 512, 512)
"""Parameters, height and width of Stable Diffusion 1.5."""
FLOP = 803.3e9 / math.prod(USUAL)
"""Of a denoiser's pass per parameter and pixel: Stable Diffusion 1.5's, counted."""
CPU_FLOPS = 5e11
"""What a fast CPU reaches in a denoiser, per second (an estimate)."""
LONGEST = 7
"""Days that a CPU may draw without being asked for by name."""


def check_work(
    generator: Generator, budget: Budget, sampler: Sampler, drawing: Drawing
) -> list[str]:
    """Whether drawing the synthetic set would take a CPU longer than anybody wants to wait.

    Only if the device is left to chance: whoever sets it may wait. Nothing is loaded for it, and
    torch is imported only where it matters.
    """
    if not isinstance(generator, Pretrained) or generator.device != "auto":
        return []
    try:
        numbers = generator.networks().denoiser_numbers()
        height, width, _ = generator.image_shape()
    except TgapError:  # its own check tells; it may well be of the usual size
        numbers, height, width = USUAL
    images = 2 * (budget.train_per_label + budget.test_per_label) * drawing.drawn_each()[0]
    days = images * drawing.passes(sampler) * numbers * height * width * FLOP / CPU_FLOPS / 86_400
    if days < LONGEST or torch_device("auto").type != "cpu":
        return []
    return [
        f"there is no CUDA device here, and on a CPU generator '{generator.title()}' would take an "
        f"estimated {days:,.0f} days or more to draw {images:,} images of {height} x {width} in "
        f"{sampler.steps} steps; run it on a machine whose torch sees its GPU (python -c 'import "
        "torch; print(torch.cuda.is_available())'), or set generator.device=cpu (or mps) if you "
        "mean it, with budget.train_per_label, budget.test_per_label and sampler.steps cut down"
    ]
