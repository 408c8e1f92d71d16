"""Images that a judge is sure of."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tgap.core import Bools, Doubles, Images
from tgap.drawings.rewards.base import Grounds, Reward, margins_by


@dataclass(kw_only=True)
class Label(Reward):
    """log sigma(m), m the judge's margin of what was asked for over what was not.

    With one label each and scores that are logits of the labels' odds, that is the log-probability
    of the label: value-based decoding by it is classifier guidance without gradients. The control
    among rewards: it should raise TRTS, and may lower TSTR.
    """

    uses_judge: ClassVar[bool] = True

    def _values(self, images: Images, asked: Bools, grounds: Grounds) -> Doubles:
        values: Doubles = -np.logaddexp(0.0, -margins_by(images, asked, grounds))
        return values
