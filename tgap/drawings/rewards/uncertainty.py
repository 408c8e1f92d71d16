"""Images that are hard, and not wrong."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tgap.core import Bools, Doubles, Images, option
from tgap.drawings.rewards.base import Grounds, Reward, margins_by


@dataclass(kw_only=True)
class Uncertainty(Reward):
    """The entropy of sigma(m) in nats, m the judge's margin of what was asked for over the rest.

    Highest, .69 and less, where the judge is least sure and still right: below ``least`` the value
    falls by as much as the margin, so that hard images are sought and wrong ones are not.

    Args:
        least: Margin below which an image is taken for wrong.
    """

    uses_judge: ClassVar[bool] = True

    least: float = option(0.5, "margin of the judge below which an image is wrong", low=0, high=100)

    def _values(self, images: Images, asked: Bools, grounds: Grounds) -> Doubles:
        margins = margins_by(images, asked, grounds)
        right = np.maximum(margins, self.least)
        values: Doubles = entropies(right) + np.minimum(margins - self.least, 0.0)
        return values


def entropies(logits: Doubles) -> Doubles:
    """Of sigma(z), in nats; 0 where z is large.

    >>> entropies(np.array([0.0, 40.0])).round(3).tolist()
    [0.693, 0.0]
    """
    from scipy.special import expit

    # H = log(1 + e^-z) + z (1 - p)
    values: Doubles = np.logaddexp(0.0, -logits) + logits * expit(-logits)
    return values
