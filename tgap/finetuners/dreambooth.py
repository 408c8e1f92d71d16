"""DreamBooth: the whole UNet is tuned, and images of the untuned model keep it from forgetting."""

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tgap.core import option
from tgap.finetuners.base import PromptedImages
from tgap.finetuners.training.denoising import DenoisingFinetuner
from tgap.generators.base import Networks, count_numbers
from tgap.generators.latent.base import LatentModel

if TYPE_CHECKING:
    import torch


@dataclass(kw_only=True)
class Dreambooth(DenoisingFinetuner):
    """DreamBooth (Ruiz et al. 2022, arXiv 2208.12242) with class-specific prior preservation.

    All weights of the UNet (or transformer) are trained, and with ``text_encoder`` those of the
    text encoders too; the loss and its settings are ``DenoisingFinetuner``'s.
    ``prior_weight=0`` is plain fine-tuning of the UNet (``finetuner=unet``).

    Departures from the paper: one model is tuned for all labels at once; P may be smaller than B;
    a share of the tuning prompts is left empty; the learning rate warms up and falls.

    Args:
        text_encoder: Train the text encoders too, as the paper does; the text embeddings are then
            computed in every step.
    """

    text_encoder: bool = option(False, "train the text encoders too")

    def stored_numbers(self, networks: Networks, labels: int) -> int:
        """Those of the denoiser, and of the text encoders if they are trained too."""
        encoders = [s for name, s in networks.others.items() if name.startswith("text_encoder")]
        own = sum(map(count_numbers, encoders)) if self.text_encoder else 0
        return networks.denoiser_numbers() + own

    def _trainable(
        self, model: LatentModel, tuning_set: PromptedImages, rng: np.random.Generator
    ) -> LatentModel:
        encoders = None
        if self.text_encoder:
            encoders = tuple(_trained_copy(encoder) for encoder in model.text_encoders)
        return model.with_parts(_trained_copy(model.denoiser), encoders)


def _trained_copy(part: "torch.nn.Module") -> "torch.nn.Module":
    return copy.deepcopy(part).float().requires_grad_(True)
