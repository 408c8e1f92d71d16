"""Channel statistics of feature maps drawn around their own, as widely as the batch's vary."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tgap.classifiers.augments.base import EPS, Augment, drawn, moments
from tgap.core import option

if TYPE_CHECKING:
    import torch


@dataclass(kw_only=True)
class Dsu(Augment):
    """DSU: each channel's mean and standard deviation are drawn from normals around them.

    f' = (s + e_s S_s) (f - mu) / s + mu + e_mu S_mu, where S_mu and S_s are the standard
    deviations of mu and s over the batch, and e ~ N(0, 1) for each image and channel; with a
    probability, of each batch and stage. Li, Dai, Ge, Liu, Shan & Duan 2022, arXiv 2202.03958.
    The gradient flows through the statistics, as in their code.

    Departures: variances are divided by n, not n - 1. The stages are the network's early ones:
    theirs are six, from the first convolution to the last stage of a ResNet.

    Args:
        scale: Times the batch's standard deviations; theirs is 1, and 0 changes nothing.
        probability: That a batch is changed behind a stage; 0 changes nothing.
    """

    on_maps: ClassVar[bool] = True

    scale: float = option(1.0, "times the batch's standard deviations", low=0, high=10)
    probability: float = option(0.5, "that a batch is changed behind a stage", low=0, high=1)

    def _maps(self, maps: "torch.Tensor", rng: np.random.Generator) -> "torch.Tensor":
        if rng.random() >= self.probability:
            return maps
        mean, std = moments(maps)
        noise = drawn(rng.standard_normal((2, *mean.shape)) * self.scale, maps)
        mean_drawn, std_drawn = (
            part + e * (part.var(dim=0, correction=0, keepdim=True) + EPS).sqrt()
            for part, e in zip((mean, std), noise, strict=True)
        )
        return (maps - mean) / std * std_drawn + mean_drawn
