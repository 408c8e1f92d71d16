"""DreamBooth: the whole UNet is tuned, and images of the untuned model keep it from forgetting."""

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tgap.component import option
from tgap.errors import ContractError, DataError, TgapError
from tgap.finetuners.base import Finetuner, Log, PromptedImages
from tgap.generators.base import LatentModel, Model
from tgap.seeding import isolated
from tgap.settings import Budget
from tgap.types import Indices

if TYPE_CHECKING:
    import torch

LOG_EVERY = 10  # steps between two readings of the losses, each of which waits for a GPU


@dataclass(kw_only=True)
class Dreambooth(Finetuner):
    """DreamBooth (Ruiz et al. 2022, arXiv 2208.12242) with class-specific prior preservation.

    Each step minimises, by AdamW on all weights of the UNet,

        1/B sum_i w_i ||eps_i - eps(z_i, t_i, c_i)||^2 + prior_weight/P sum_j ||eps_j - ...||^2

    with ||.||^2 the mean over a latent's elements, over B tuning images under their own prompts
    and P images that the untuned model drew for the class prompt; ``eps`` is the velocity where
    the model predicts that. Each step draws latents from the VAE's posterior, noise and timesteps
    (uniform) anew; the posterior's moments and the text embeddings are computed once.

    Departures from the paper: one model is tuned for all labels at once; P may be smaller than B
    (``prior_share``); a share of the tuning prompts is replaced by the empty one
    (``unconditional``, Ho & Salimans 2022), so that guidance keeps its unconditional side in the
    new domain; the learning rate warms up and falls along a cosine; the text encoder stays as it
    is.

    Args:
        prior_weight: Weight of the prior loss.
        prior_count: How many prior images are drawn.
        prior_share: Prior images per tuning image in a step.
        unconditional: Share of tuning prompts that is replaced by the empty prompt.
        warmup: Share of the steps in which the learning rate rises.
        final_rate: Learning rate of the last step, as a share of the peak.
        weight_decay: AdamW's.
        max_norm: The gradient is scaled down to this norm.
    """

    prior_weight: float = option(0.3, "weight of the prior loss, 0 = no prior images", low=0)
    prior_count: int = option(200, "prior images the untuned model draws", low=1)
    prior_share: float = option(0.25, "prior images per tuning image of a step", above=0, high=1)
    unconditional: float = option(0.1, "share of tuning prompts left empty", low=0, high=1)
    warmup: float = option(0.05, "share of steps with rising learning rate", low=0, high=1)
    final_rate: float = option(0.1, "last learning rate over peak", low=0, high=1)
    weight_decay: float = option(0.01, "weight decay", low=0)
    max_norm: float = option(1.0, "largest gradient norm", above=0)

    def prior_images(self) -> int:
        """``prior_count``, or 0 if the prior loss has no weight."""
        return self.prior_count if self.prior_weight > 0 else 0

    def learning_rate(self, step: int, budget: Budget) -> float:
        """Learning rate of a step, counted from 0: a linear rise, then half a cosine.

        >>> budget = Budget(steps=100, learning_rate=1.0)
        >>> [round(Dreambooth().learning_rate(step, budget), 2) for step in (0, 4, 52, 99)]
        [0.2, 1.0, 0.55, 0.1]
        """
        rise = round(self.warmup * budget.steps)
        if step < rise:
            return budget.learning_rate * (step + 1) / rise
        done = (step - rise) / max(1, budget.steps - rise - 1)
        fall = self.final_rate + (1 - self.final_rate) * (1 + math.cos(math.pi * done)) / 2
        return budget.learning_rate * fall

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

        if not isinstance(model, LatentModel):
            raise ContractError(
                f"dreambooth tunes latent diffusion models, got a {type(model).__name__}; "
                "use finetuner=none with this generator"
            )
        unet = copy.deepcopy(model.unet).float().train().requires_grad_(True)
        device = next(unet.parameters()).device
        # Streams of their own, so that prior images leave the order of the tuning images as it is.
        tuning_order, prior_order = rng.spawn(2)
        sources = [_Source(model, tuning_set, budget.batch_size, tuning_order)]
        loss_weights = [1.0]
        if prior is not None:
            size = max(1, round(self.prior_share * budget.batch_size))
            sources.append(_Source(model, prior, size, prior_order))
            loss_weights.append(self.prior_weight)
        empty = model.text_embeddings([""]) if self.unconditional else None
        optimizer = torch.optim.AdamW(
            unet.parameters(), lr=budget.learning_rate, weight_decay=self.weight_decay,
            fused=device.type != "mps",
        )  # fmt: skip
        record = _Record(log, prior is not None)
        with isolated(int(rng.integers(2**63))):
            for step in range(budget.steps):
                rate = self.learning_rate(step, budget)
                for group in optimizer.param_groups:
                    group["lr"] = rate
                batches = [source.next() for source in sources]
                if empty is not None:
                    batches[0] = batches[0].with_empty_prompts(empty, self.unconditional)
                with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
                    losses = denoising_losses(unet, model.noise_scheduler, batches)
                loss = sum(w * part for w, part in zip(loss_weights, losses, strict=True))
                optimizer.zero_grad()
                loss.backward()
                norm = torch.nn.utils.clip_grad_norm_(unet.parameters(), self.max_norm)
                optimizer.step()
                record.add(step + 1, [loss, *losses, norm], rate, step + 1 == budget.steps)
        return model.with_unet(unet.eval().requires_grad_(False))


@dataclass
class Batch:
    """Images of one optimizer step, as the UNet's training sees them.

    Args:
        moments: ``(B, 2, c, h, w)``, mean and standard deviation of each image's latent.
        embeddings: ``(B, tokens, d)``.
        weights: ``(B,)``, weights in the loss.
    """

    moments: "torch.Tensor"
    embeddings: "torch.Tensor"
    weights: "torch.Tensor"

    def with_empty_prompts(self, empty: "torch.Tensor", share: float) -> "Batch":
        """Each image's prompt replaced by the empty one with probability ``share``."""
        import torch

        dropped = torch.rand(len(self.weights), 1, 1, device=self.weights.device) < share
        return Batch(self.moments, torch.where(dropped, empty, self.embeddings), self.weights)


def denoising_losses(
    unet: "torch.nn.Module", schedule: Any, batches: list[Batch]
) -> list["torch.Tensor"]:
    """Weighted denoising loss of each batch, from one pass of the UNet over all of them.

    Args:
        unet: Called as diffusers calls it: noisy latents, timesteps, text embeddings.
        schedule: A diffusers scheduler; its ``prediction_type`` chooses the target.
        batches: What each loss is about.

    Returns:
        Scalars: the mean over the batch of weight times mean squared error.
    """
    import torch
    from torch.nn.functional import mse_loss

    moments = torch.cat([batch.moments for batch in batches])
    mean, deviation = moments.unbind(dim=1)
    latents = mean + deviation * torch.randn_like(mean)
    noise = torch.randn_like(latents)
    count, steps = len(latents), schedule.config.num_train_timesteps
    timesteps = torch.randint(0, steps, (count,), device=latents.device)
    kind = schedule.config.prediction_type
    if kind == "epsilon":
        target = noise
    elif kind == "v_prediction":
        target = schedule.get_velocity(latents, noise, timesteps)
    else:
        raise DataError(
            f"the generator's scheduler must predict epsilon or v_prediction, got '{kind}'"
        )
    predicted = unet(
        schedule.add_noise(latents, noise, timesteps),
        timesteps,
        encoder_hidden_states=torch.cat([batch.embeddings for batch in batches]),
        return_dict=False,
    )[0]
    errors = mse_loss(predicted.float(), target, reduction="none").flatten(1).mean(dim=1)
    parts = errors.split([len(batch.weights) for batch in batches])
    return [(batch.weights * part).mean() for batch, part in zip(batches, parts, strict=True)]


class _Source:
    """A set of images on the device, handed out in batches."""

    def __init__(
        self, model: LatentModel, images: PromptedImages, batch_size: int, rng: np.random.Generator
    ) -> None:
        import torch

        distinct = {prompt: row for row, prompt in enumerate(dict.fromkeys(images.prompts))}
        self.moments = model.moments(images.images)
        device = self.moments.device
        self.embeddings = model.text_embeddings(list(distinct))
        self.prompt = torch.tensor([distinct[prompt] for prompt in images.prompts], device=device)
        self.weights = torch.tensor(images.weights, dtype=torch.float32, device=device)
        self.order = shuffled_batches(len(images), batch_size, rng)

    def next(self) -> Batch:
        import torch

        rows = torch.from_numpy(next(self.order)).to(self.moments.device)
        return Batch(self.moments[rows], self.embeddings[self.prompt[rows]], self.weights[rows])


def shuffled_batches(count: int, batch_size: int, rng: np.random.Generator) -> Iterator[Indices]:
    """Batches without end in which every image comes once per epoch, each epoch in a new order.

    A batch runs on into the next epoch, so it is always full.

    >>> batches = shuffled_batches(3, 2, np.random.default_rng(0))
    >>> sorted(i for _ in range(3) for i in next(batches).tolist())
    [0, 0, 1, 1, 2, 2]
    """
    left: Indices = np.empty(0, dtype=np.int64)
    while True:
        while len(left) < batch_size:
            left = np.concatenate([left, rng.permutation(count).astype(np.int64)])
        yield left[:batch_size]
        left = left[batch_size:]


class _Record:
    """Hands losses to the log, reading them from the device only now and then."""

    def __init__(self, log: Log, with_prior: bool) -> None:
        self.log = log
        self.names = ["loss", "tuning_loss", *(["prior_loss"] if with_prior else []), "norm"]
        self.waiting: list[tuple[int, float, torch.Tensor]] = []

    def add(self, step: int, values: list["torch.Tensor"], rate: float, last: bool) -> None:
        import torch

        self.waiting.append((step, rate, torch.stack(values).detach()))
        if len(self.waiting) < LOG_EVERY and not last:
            return
        rows = torch.stack([values for _, _, values in self.waiting]).tolist()
        for (at, at_rate, _), row in zip(self.waiting, rows, strict=True):
            if not all(math.isfinite(value) for value in row):
                raise TgapError(
                    f"fine-tuning diverged: at step {at} of dreambooth loss and gradient norm are "
                    f"{row[0]:g} and {row[-1]:g}; lower budget.learning_rate (the learning rate "
                    f"was {at_rate:g})"
                )
            self.log(at, {**dict(zip(self.names, row, strict=True)), "learning_rate": at_rate})
        self.waiting.clear()
