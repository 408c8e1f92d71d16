"""What all finetuners share that train a latent diffusion model by its own denoising loss."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tgap.core import Budget, Checkpoint, ContractError, Log
from tgap.finetuners.base import PromptedImages
from tgap.finetuners.training.loop import Training
from tgap.finetuners.training.recipe import Recipe
from tgap.generators.base import Model
from tgap.generators.latent.base import LatentModel


@dataclass(kw_only=True)
class DenoisingFinetuner(Recipe):
    """Tunes by the denoising loss; a subclass says which parameters.

    Each step minimises, by AdamW on the parameters that are trained,

        1/B sum_i w_i g(t_i) ||y_i - f(z_i, t_i, c_i)||^2 + prior_weight/P sum_j g(t_j) ||...||^2

    with ||.||^2 the mean over a latent's elements, over B tuning images under their own prompts
    and P images that the untuned model drew for the class prompt (prior preservation, Ruiz et al.
    2022, arXiv 2208.12242). ``y`` is what the model predicts: noise or velocity. Each step draws
    latents from the VAE's posterior, noise and timesteps anew; the posterior's moments are
    computed once, and the text embeddings too where no text encoder is trained.

    ``g`` is 1, or with ``min_snr`` the weight min(SNR, min_snr) on the clean latents' error (Hang
    et al. 2023, arXiv 2303.09556): min(SNR, gamma) / SNR for a model that predicts noise and
    min(SNR, gamma) / (SNR + 1) for one that predicts velocity, on tuning and prior images alike.

    One model is tuned for all labels at once; P may be smaller than B (``prior_share``); a share
    of the tuning prompts is replaced by the empty one (``unconditional``, Ho & Salimans 2022,
    arXiv 2207.12598), so that guidance keeps its unconditional side in the new domain.

    All settings are ``Recipe``'s.
    """

    shares_steps: ClassVar[bool] = True

    def _finetune(
        self,
        model: Model,
        tuning_set: PromptedImages,
        prior: PromptedImages | None,
        budget: Budget,
        rng: np.random.Generator,
        log: Log,
        checkpoint: Checkpoint,
    ) -> Model:
        if not isinstance(model, LatentModel):
            raise ContractError(
                f"{self.stem()} tunes latent diffusion models, got a {type(model).__name__}; "
                "use finetuner=none with this generator"
            )
        # Streams of their own, so that prior images leave the order of the tuning images as it is.
        orders = rng.spawn(2)
        seed = int(rng.integers(2**63))
        start, judge = rng.spawn(2)
        trained = self._trainable(model, tuning_set, start)
        training = Training(
            self, trained, tuning_set, prior, budget, orders, judge, log, checkpoint
        )
        training.run(seed)
        return self._finished(trained)

    @abstractmethod
    def _trainable(
        self, model: LatentModel, tuning_set: PromptedImages, rng: np.random.Generator
    ) -> LatentModel:
        """A copy of the model, whose parts' parameters that are to be trained require gradients.

        Args:
            model: Left as it is; all its parameters are frozen.
            tuning_set: What it will be tuned on.
            rng: For initial values; never torch's global state.
        """

    def _finished(self, trained: LatentModel) -> LatentModel:
        """What is handed on: the trained copy, frozen."""
        for part in (trained.denoiser, *trained.text_encoders):
            part.eval().requires_grad_(False)
        return trained
