"""Channel statistics of feature maps mixed with those of another image of the batch."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tgap.classifiers.augments.base import Augment, drawn, moments
from tgap.core import option

if TYPE_CHECKING:
    import torch


@dataclass(kw_only=True)
class Mixstyle(Augment):
    """MixStyle: each channel's mean and standard deviation are mixed with another image's.

    f' = s_mix (f - mu) / s + mu_mix, where mu_mix = l mu + (1 - l) mu_other and s_mix likewise,
    l ~ Beta(alpha, alpha) for each image, the others a permutation of the batch; with a
    probability, of each batch and stage. Zhou, Yang, Qiao & Xiang 2021, arXiv 2104.02008; others
    at random, since no domains are known. No gradient flows through the statistics, as in their
    code.

    Departures: variances are divided by n, not n - 1. The stages are the network's early ones:
    theirs are the first two or three residual blocks of a ResNet.

    Args:
        alpha: The smaller, the nearer is each mixture to one of the two styles.
        probability: That a batch is changed behind a stage; 0 changes nothing.
    """

    on_maps: ClassVar[bool] = True

    alpha: float = option(0.1, "of Beta(alpha, alpha)", low=0.01, high=100)
    probability: float = option(0.5, "that a batch is changed behind a stage", low=0, high=1)

    def _maps(self, maps: "torch.Tensor", rng: np.random.Generator) -> "torch.Tensor":
        import torch

        if rng.random() >= self.probability:
            return maps
        mean, std = (part.detach() for part in moments(maps))
        order = torch.from_numpy(rng.permutation(len(maps))).to(maps.device)
        own = drawn(rng.beta(self.alpha, self.alpha, (len(maps), 1, 1, 1)), maps)
        mean_mixed, std_mixed = (own * part + (1 - own) * part[order] for part in (mean, std))
        return (maps - mean) / std * std_mixed + mean_mixed
