"""Compiled blocks of a network, where a compiler is there and takes them."""

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

VARIANTS = 64
"""Of one block's code: channels by resolution, training or drawing, precision, batch. With torch's
own limit of 8 the later ones of a UNet would be run as they are."""


def compile_blocks(network: "torch.nn.Module") -> None:
    """Have the blocks that a diffusers network repeats compiled, each when it is first called.

    Regional compilation: equal blocks share what is compiled, so that a large network takes no
    longer than a small one. Compiled for each shape by itself, because code for all shapes would
    depend on which were seen before. What cannot be compiled is run as it is, which is told once.
    """
    import torch

    # The names that diffusers itself compiles, or else keeps on one device.
    names = getattr(network, "_repeated_blocks", None) or getattr(
        network, "_no_split_modules", None
    )
    blocks = [part for part in network.modules() if type(part).__name__ in (names or ())]
    if not blocks:
        log.warning(
            "%s has no blocks that repeat; nothing of it is compiled", type(network).__name__
        )
        return
    settings = torch._dynamo.config
    settings.suppress_errors = True  # what fails is run as it is
    settings.recompile_limit = max(settings.recompile_limit, VARIANTS)
    logger = logging.getLogger("torch._dynamo.convert_frame")
    if not any(isinstance(one, _InALine) for one in logger.filters):
        logger.addFilter(_InALine())
    for block in blocks:
        if getattr(block, "_compiled_call_impl", None) is None:  # else by another model around it
            block.compile(dynamic=False)


class _InALine(logging.Filter):
    """Tells in a line, and once, what torch tells of each block with all of its stack."""

    def __init__(self) -> None:
        super().__init__()
        self.told: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return True
        lines = [line.strip() for line in record.getMessage().splitlines() if line.strip()]
        reasons = [line for line in lines if "Error: " in line or "Exception: " in line]
        reason = (reasons or lines or ["no reason was given"])[-1]
        if reason not in self.told:
            self.told.add(reason)
            log.warning("blocks that cannot be compiled are run as they are: %s", reason)
        return False
