"""Batches of tuning images, what the denoiser sees of them, and the loss."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tgap.core import Indices
from tgap.finetuners.base import PromptedImages
from tgap.generators.latent.base import Conditioning, LatentModel, Noising

if TYPE_CHECKING:
    import torch

ENCODED = 64  # prompts in one pass of the text encoders
EMPTY = 0  # position of the empty prompt among a training's prompts


@dataclass
class Batch:
    """Images of one optimizer step.

    Args:
        moments: ``(B, 2, c, h, w)``, mean and standard deviation of each image's latent.
        texts: ``(B,)`` int64, positions of their prompts.
        weights: ``(B,)``, weights in the loss.
    """

    moments: "torch.Tensor"
    texts: "torch.Tensor"
    weights: "torch.Tensor"

    def with_empty_prompts(self, share: float) -> "Batch":
        """Each image's prompt replaced by the empty one with probability ``share``."""
        import torch

        # On the device, from the stream that ``isolated`` seeded, as all draws of a step are.
        dropped = torch.rand(len(self.weights), device=self.weights.device) < share
        return Batch(self.moments, torch.where(dropped, EMPTY, self.texts), self.weights)


@dataclass
class NoisyBatch:
    """A batch as the denoiser sees it.

    Args:
        latents: ``(B, c, h, w)``, noised.
        timesteps: ``(B,)``.
        targets: ``(B, c, h, w)``.
        texts: ``(B,)`` int64, positions of their prompts.
        weights: ``(B,)``, weights in the loss, those of min-SNR included.
        count: How many images the loss is a mean over: B, or of those that this is a part of.
    """

    latents: "torch.Tensor"
    timesteps: "torch.Tensor"
    targets: "torch.Tensor"
    texts: "torch.Tensor"
    weights: "torch.Tensor"
    count: int

    def part(self, number: int, of: int) -> "NoisyBatch":
        """One of so many parts; some may be empty."""
        own = slice(number * self.count // of, (number + 1) * self.count // of)
        return NoisyBatch(
            self.latents[own],
            self.timesteps[own],
            self.targets[own],
            self.texts[own],
            self.weights[own],
            self.count,
        )


def noised(noising: Noising, batches: Sequence[Batch], min_snr: float | None) -> list[NoisyBatch]:
    """Draw latents, noise and timesteps for batches, from torch's global random state.

    Args:
        noising: The model's.
        batches: Whatever stands in one optimizer step.
        min_snr: gamma of the min-SNR weights, or ``None``.
    """
    import torch

    # Tuning and prior images together: one draw of each kind and one pass of the denoiser.
    moments = torch.cat([batch.moments for batch in batches])
    mean, deviation = moments.unbind(dim=1)
    # Moments are kept, not latents: the VAE's encoder is run once, and yet every step sees another
    # draw from its posterior.
    latents = mean + deviation * torch.randn_like(mean)
    noise = torch.randn_like(latents)
    timesteps = noising.timesteps(len(latents), latents.device)
    weights = torch.cat([batch.weights for batch in batches])
    if min_snr is not None:
        # The paper weighs errors of x0 by min(SNR, gamma); the second factor makes of it a weight
        # for errors of what this model predicts, whatever that is.
        snr = noising.snr(timesteps)
        weights = weights * snr.clamp(max=min_snr) * noising.error_of_x0(timesteps)
    drawn = (
        noising.noised(latents, noise, timesteps),
        timesteps,
        noising.target(latents, noise, timesteps),
        torch.cat([batch.texts for batch in batches]),
        weights,
    )
    sizes = [len(batch.weights) for batch in batches]
    parts = zip(*(tensor.split(sizes) for tensor in drawn), sizes, strict=True)
    return [
        NoisyBatch(latents, times, targets, texts, own_weights, count)
        for latents, times, targets, texts, own_weights, count in parts
    ]


def denoising_losses(
    model: LatentModel, batches: Sequence[NoisyBatch], texts: "Texts"
) -> list["torch.Tensor"]:
    """Weighted denoising loss of each batch, from one pass of the denoiser over all of them.

    Returns:
        Scalars: the sum of weight times mean squared error, over ``count``.
    """
    import torch
    from torch.nn.functional import mse_loss

    predicted = model.predict(
        torch.cat([batch.latents for batch in batches]),
        torch.cat([batch.timesteps for batch in batches]),
        texts.conditioning(torch.cat([batch.texts for batch in batches])),
    )
    target = torch.cat([batch.targets for batch in batches])
    # In float32 and image by image: half precision loses small errors, and each has its weight.
    errors = mse_loss(predicted.float(), target, reduction="none").flatten(1).mean(dim=1)
    parts = errors.split([len(batch.weights) for batch in batches])
    return [
        (batch.weights * part).sum() / batch.count
        for batch, part in zip(batches, parts, strict=True)
    ]


class Texts:
    """The distinct prompts of a training, encoded once if no text encoder is trained."""

    def __init__(self, model: LatentModel, prompts: Sequence[str]) -> None:
        import torch

        self.model, self.prompts = model, list(dict.fromkeys(prompts))
        self.row = {prompt: row for row, prompt in enumerate(self.prompts)}
        trained = any(p.requires_grad for part in model.text_encoders for p in part.parameters())
        # Once for all steps, unless an encoder is trained: then vectors are out of date after each.
        self.encoded: Conditioning | None = None
        if not trained:
            with torch.no_grad():
                parts = [
                    model.condition(self.prompts[start : start + ENCODED])
                    for start in range(0, len(self.prompts), ENCODED)
                ]
            self.encoded = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    def rows(self, prompts: Sequence[str]) -> "torch.Tensor":
        """Positions of prompts, ``(n,)`` int64."""
        import torch

        return torch.tensor([self.row[prompt] for prompt in prompts], device=self.model.device)

    def of(self, prompts: Sequence[str]) -> Conditioning:
        """What the text encoders make of prompts of this training."""
        return self.conditioning(self.rows(prompts))

    def conditioning(self, rows: "torch.Tensor") -> Conditioning:
        """What the text encoders make of the prompts at these positions."""
        if self.encoded is not None:
            return {name: tensor[rows] for name, tensor in self.encoded.items()}
        return self.model.condition([self.prompts[row] for row in rows.tolist()])


class ImageStream:
    """A set of images on the device, and the batches that they come in."""

    def __init__(
        self,
        model: LatentModel,
        images: PromptedImages,
        texts: "torch.Tensor",
        batch_size: int,
        rng: np.random.Generator,
    ) -> None:
        import torch

        self.moments, self.texts, self.batch_size = model.moments(images.images), texts, batch_size
        self.weights = torch.tensor(images.weights, dtype=torch.float32, device=self.moments.device)
        self.order = ShuffledBatches(len(images), batch_size, rng)

    def batch(self, rows: Indices) -> Batch:
        """The images at these positions."""
        import torch

        at = torch.from_numpy(rows).to(self.moments.device)
        return Batch(self.moments[at], self.texts[at], self.weights[at])


class ShuffledBatches:
    """Batches without end in which every image comes once per epoch, each epoch in a new order.

    A batch runs on into the next epoch, so it is always full.

    Args:
        count: How many images there are.
        batch_size: Images of a batch.
        rng: Draws the orders.

    >>> batches = ShuffledBatches(3, 2, np.random.default_rng(0))
    >>> sorted(i for _ in range(3) for i in next(batches).tolist())
    [0, 0, 1, 1, 2, 2]
    """

    def __init__(self, count: int, batch_size: int, rng: np.random.Generator) -> None:
        self.count, self.batch_size, self.rng = count, batch_size, rng
        self.left: Indices = np.empty(0, dtype=np.int64)
        """What is left of the order."""

    def __next__(self) -> Indices:
        """Positions of the next batch's images."""
        while len(self.left) < self.batch_size:
            order = self.rng.permutation(self.count).astype(np.int64)
            self.left = np.concatenate([self.left, order])
        batch, self.left = self.left[: self.batch_size], self.left[self.batch_size :]
        return batch
