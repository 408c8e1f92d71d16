"""A finetuner: the denoising loss on the tuning set, and nothing else."""

import copy
from dataclasses import dataclass

import numpy as np

from tgap.component import option
from tgap.errors import ContractError
from tgap.finetuners.base import Finetuner, Log, PromptedImages
from tgap.generators.base import LatentModel, Model
from tgap.seeding import isolated
from tgap.settings import Budget


@dataclass(kw_only=True)
class PlainUnet(Finetuner):
    """Tunes the UNet on the tuning set alone: no prior preservation, a constant learning rate.

    The loss is the mean squared error of the predicted noise (Ho et al. 2020, arXiv 2006.11239,
    equation 14).
    """

    weight_decay: float = option(0.01, "weight decay", low=0)

    def _finetune(
        self,
        model: Model,
        tuning_set: PromptedImages,
        prior: PromptedImages | None,
        budget: Budget,
        rng: np.random.Generator,
        log: Log,
    ) -> Model:
        import torch
        from torch.nn.functional import mse_loss

        if not isinstance(model, LatentModel):
            raise ContractError("plain_unet tunes latent diffusion models only")
        if model.noise_scheduler.config.prediction_type != "epsilon":
            # denoising_losses in tgap.finetuners.dreambooth knows the other kind
            raise ContractError("plain_unet tunes generators that predict the noise (epsilon) only")
        unet = copy.deepcopy(model.unet).train().requires_grad_(True)  # the one given stays
        device = next(unet.parameters()).device
        moments, texts = model.moments(tuning_set.images), model.text_embeddings(tuning_set.prompts)
        weights = torch.tensor(tuning_set.weights, dtype=torch.float32, device=device)
        schedule = model.noise_scheduler
        optimizer = torch.optim.AdamW(
            unet.parameters(), lr=budget.learning_rate, weight_decay=self.weight_decay
        )
        with isolated(int(rng.integers(2**63))):  # torch's random state is put back afterwards
            for step in range(1, budget.steps + 1):
                rows = torch.from_numpy(rng.integers(len(tuning_set), size=budget.batch_size))
                rows = rows.to(device)
                mean, deviation = moments[rows].unbind(dim=1)
                latents = mean + deviation * torch.randn_like(mean)
                noise = torch.randn_like(latents)
                times = torch.randint(
                    schedule.config.num_train_timesteps, (len(rows),), device=device
                )
                predicted = unet(schedule.add_noise(latents, noise, times), times, texts[rows])
                errors = mse_loss(predicted.sample, noise, reduction="none").flatten(1).mean(dim=1)
                loss = (weights[rows] * errors).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                log(step, {"loss": loss.item()})
        return model.with_unet(unet.eval().requires_grad_(False))
