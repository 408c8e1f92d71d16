"""Keeps a share of the images: those that the model can make best."""

from dataclasses import dataclass
from typing import ClassVar

from tgap.finetuners.oracles.quantile import Quantile


@dataclass(kw_only=True)
class Inverse(Quantile):
    """``quantile`` the other way round: keeps what scores at least the (1 - ``keep``)-quantile.

    Easy images first, as in self-paced learning (Kumar et al., NIPS 2010). If this does as well as
    ``quantile``, then it is not the model's weak spots that matter.
    """

    sign: ClassVar[int] = -1
