"""Textual inversion: the model stays as it is, and words for the new domain are learned."""

import copy
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tgap.core import option
from tgap.finetuners.base import PromptedImages
from tgap.finetuners.training.denoising import DenoisingFinetuner
from tgap.generators.base import Networks
from tgap.generators.latent.adapters.words import (
    as_learned,
    several_encoders,
    too_many_vectors,
    with_new_words,
)
from tgap.generators.latent.base import LatentModel


@dataclass(kw_only=True)
class TextualInversion(DenoisingFinetuner):
    """Textual inversion (Gal et al. 2022, arXiv 2208.01618).

    Each distinct tuning prompt gets a word of ``vectors`` token embeddings, which is read in its
    place; these embeddings are all that is trained, everything else stays bit for bit. At first a
    word says what its prompt says: the prompt's own embeddings, averaged over ``vectors`` stretches
    of it. Only prompts that it was tuned on can be drawn.

    Saved as diffusers' ``learned_embeds.safetensors``, with ``prompts.json`` saying which word
    stands for which prompt.

    Departures from the paper: several vectors per word; the word replaces the whole prompt instead
    of standing in templates ("a photo of S*"); no prior images (``prior_weight``) and no empty
    prompts (``unconditional``), which the words could not change.

    Args:
        vectors: Token embeddings per word.
    """

    whole_prompts: ClassVar[bool] = True
    saves_adapter: ClassVar[bool] = True

    vectors: int = option(4, "token embeddings per learned word", low=1, high=1_000_000)
    rate: float = option(10.0, "learning rate over budget.learning_rate", above=0, high=1000)
    prior_weight: float = option(0.0, "weight of the prior loss, 0 = no prior images", low=0)
    unconditional: float = option(0.0, "share of tuning prompts left empty", low=0, high=0.99)

    def problems(self) -> list[str]:
        """Prior images, which the words have no part in."""
        if self.prior_weight > 0:
            return [
                f"prior_weight must be 0 with {self.stem()}, whose words the class prompt does not "
                f"have, got {self.prior_weight:g}"
            ]
        return []

    def check_networks(self, networks: Networks) -> list[str]:
        """Several text encoders, or one that reads fewer tokens than a word has."""
        encoders = list(networks.text_encoders().values())
        if len(encoders) > 1:
            return [several_encoders(len(encoders))]
        places = [
            shape[0] - 2  # besides begin and end
            for shapes in encoders
            for name, shape in shapes.items()
            if name.endswith("position_embedding.weight")
        ]
        return [too_many_vectors(self.vectors, most) for most in places if self.vectors > most]

    def stored_numbers(self, networks: Networks, labels: int) -> int:
        """Those of its words' embeddings, one word per label."""
        embeddings = [
            shape
            for shapes in networks.others.values()
            for name, shape in shapes.items()
            if name.endswith("token_embedding.weight")
        ]
        return self.vectors * labels * sum(shape[1] for shape in embeddings)

    def _trainable(
        self, model: LatentModel, tuning_set: PromptedImages, rng: np.random.Generator
    ) -> LatentModel:
        import torch
        from torch.nn.utils import parametrize

        from tgap.finetuners.training.parametrizations import NewRows

        if next(model.denoiser.parameters()).dtype != torch.float32:
            # Gradients pass through all of it, and are too small for float16.
            model = model.with_parts(copy.deepcopy(model.denoiser).float())
        prompts = sorted(set(tuning_set.prompts))
        taught = with_new_words(model, prompts, self.vectors)
        (encoder,) = taught.text_encoders
        embedding = encoder.requires_grad_(False).get_input_embeddings()
        first = embedding.num_embeddings - self.vectors * len(prompts)
        rows = NewRows(embedding.weight, first)
        parametrize.register_parametrization(embedding, "weight", rows, unsafe=True)
        embedding.parametrizations.weight.original.requires_grad_(True)
        return taught

    def _finished(self, trained: LatentModel) -> LatentModel:
        from tgap.finetuners.training.parametrizations import fold

        (encoder,) = trained.text_encoders
        fold(encoder)
        return super()._finished(trained.with_adapter(as_learned(trained)))
