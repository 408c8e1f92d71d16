"""Low-frequency amplitudes mixed with those of another image of the batch."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tgap.classifiers.augments.base import Augment
from tgap.core import option
from tgap.core.spectra import restyled

if TYPE_CHECKING:
    import torch


@dataclass(kw_only=True)
class Fourier(Augment):
    """Each image of a batch takes over low-frequency amplitudes of another one, in part.

    A' = (1 - m) A + m A_donor on a centred square of the spectrum, phases kept, m ~ U(0, 1) for
    each image, the donors a permutation of the batch.

    After batch styles standardisation (Scalbert, Vakalopoulou & Couzinie-Devy 2023, arXiv
    2303.06088), which gives all images of a batch the amplitudes of one of them, for
    self-supervision. Departures: every image has a donor of its own, so that a batch has more
    styles, not one; amplitudes are mixed, not replaced; what is trained is a classifier, on labels.

    Args:
        share: Of the spectrum's area, around frequency 0; 0 changes nothing. In small images low
            frequencies are what is shown, not only its style.
    """

    share: float = option(0.01, "of the spectrum's area that changes", low=0, high=1)

    def _images(self, batch: "torch.Tensor", rng: np.random.Generator) -> "torch.Tensor":
        import torch

        order = torch.from_numpy(rng.permutation(len(batch))).to(batch.device)
        mixture = torch.from_numpy(rng.random(len(batch), np.float32)).to(batch.device)
        return restyled(batch, batch[order], self.share, mixture)
