"""A finetuner: the denoising loss on the UNet's attention layers alone."""

import copy
from dataclasses import dataclass

import numpy as np

from tgap.core import option
from tgap.finetuners.base import PromptedImages
from tgap.finetuners.training.denoising import DenoisingFinetuner
from tgap.generators.latent.base import LatentModel


@dataclass(kw_only=True)
class AttentionOnly(DenoisingFinetuner):
    """Tunes the attention layers of the UNet (or transformer) and leaves all others as they are.

    Cross-attention alone is what Custom Diffusion trains (Kumari et al. 2023, arXiv 2212.04488).

    Args:
        cross_only: Train the layers that read the text only.
    """

    cross_only: bool = option(False, "train the layers that read the text only")

    def _trainable(
        self, model: LatentModel, tuning_set: PromptedImages, rng: np.random.Generator
    ) -> LatentModel:
        denoiser = copy.deepcopy(model.denoiser).float()  # the one given stays as it is
        wanted = ".attn2." if self.cross_only else ".attn"
        for name, parameter in denoiser.named_parameters():
            parameter.requires_grad_(wanted in f".{name}")
        return model.with_parts(denoiser)
