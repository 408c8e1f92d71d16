"""Textual projection: the model stays as it is, and how it reads the texts' vectors is learned."""

import copy
from dataclasses import dataclass

import numpy as np

from tgap.core import DataError, option
from tgap.finetuners.base import PromptedImages
from tgap.finetuners.training.denoising import DenoisingFinetuner
from tgap.generators.base import Networks
from tgap.generators.latent.base import LatentModel

READERS = (".attn2.to_k", ".attn2.to_v", "context_embedder")
NO_READERS = (
    "textual_projection needs a denoiser with cross-attention to texts, and {denoiser} has none; "
    "use finetuner=dreambooth"
)


@dataclass(kw_only=True)
class TextualProjection(DenoisingFinetuner):
    """A learned projection of the text encoder's vectors, after Chambon et al. 2022 (2210.04133).

    Every token's vector h ``(d,)`` is replaced by W h, with one W ``(d, d)`` for all tokens, which
    is the identity at first and all that is trained. W is learned as I + D, so that weight decay
    draws it to the identity. In the tuned model W is folded into the weights by which the denoiser
    reads texts (the keys' and values' of a UNet's cross-attention, the context embedder's of
    Stable Diffusion 3), so it is saved as an ordinary model.

    Departures from the paper: no bias; token vectors only, not those of whole documents, and not
    the pooled ones that Stable Diffusion XL and 3 are told besides; the text encoder is the
    model's own, which the paper replaces by encoders of the domain's language.
    """

    rate: float = option(30.0, "learning rate over budget.learning_rate", above=0, high=1000)
    prior_weight: float = option(0.0, "weight of the prior loss, 0 = no prior images", low=0)

    def check_networks(self, networks: Networks) -> list[str]:
        """A denoiser that reads no texts."""
        layers = networks.layers()
        if not layers or any(name.endswith(READERS) for name in layers):
            return []
        return [NO_READERS.format(denoiser="this generator's denoiser")]

    def trained_numbers(self, networks: Networks, labels: int) -> int:
        """Those of W; the denoiser's weights change by it alone."""
        readers = [
            shape
            for name, shape in networks.denoiser.items()
            if name.removesuffix(".weight").endswith(READERS) and len(shape) == 2
        ]
        return readers[0][1] ** 2 if readers else 0

    def _trainable(
        self, model: LatentModel, tuning_set: PromptedImages, rng: np.random.Generator
    ) -> LatentModel:
        from torch.nn.utils import parametrize

        from tgap.finetuners.training.parametrizations import Projected

        denoiser = copy.deepcopy(model.denoiser).float().requires_grad_(False)
        readers = [m for name, m in denoiser.named_modules() if name.endswith(READERS)]
        if not readers:
            raise DataError(NO_READERS.format(denoiser=type(denoiser).__name__))
        shared = Projected(readers[0].in_features, model.device)
        for reader in readers:
            parametrize.register_parametrization(reader, "weight", shared)
        return model.with_parts(denoiser)

    def _finished(self, trained: LatentModel) -> LatentModel:
        from tgap.finetuners.training.parametrizations import fold

        fold(trained.denoiser)
        return super()._finished(trained)
