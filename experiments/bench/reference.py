"""What peers do, written plainly: the other side of the benchmark.

``train`` does, step by step, what diffusers' ``train_dreambooth.py`` and its LoRA sister do with
their best flags on a CPU (prior preservation, text embeddings computed once, gradients set to
none): the autoencoder encodes every image in every step, AdamW is torch's default one, and the loss
is read in every step. Images are in memory already, which is in their favour. It gives the loss
curve of tgap's finetuners from the same seeds (a test compares them).
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers import DDPMScheduler
from torch.nn.functional import mse_loss

from tgap.core import Budget, Images, isolated
from tgap.finetuners.base import PromptedImages
from tgap.finetuners.training.batches import ShuffledBatches

TARGETS = ["to_k", "to_out.0", "to_q", "to_v"]


@dataclass(frozen=True)
class Seeds:
    """What tgap's finetuners draw from a random stream, in their order."""

    orders: list[np.random.Generator]
    noise: int
    start: int

    @staticmethod
    def of(rng: np.random.Generator) -> "Seeds":
        """Those of a stream."""
        orders = rng.spawn(2)
        noise = int(rng.integers(2**63))
        start, _ = rng.spawn(2)
        return Seeds(orders, noise, int(start.integers(2**63)))


def with_lora(unet: torch.nn.Module, rank: int, seed: int) -> None:
    """Put peft's layers on a UNet, as the script does."""
    from peft import LoraConfig

    unet.requires_grad_(False)
    with isolated(seed):
        unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=TARGETS))


def train(
    pipeline: Any,
    unet: torch.nn.Module,
    tuning_set: PromptedImages,
    prior: PromptedImages,
    budget: Budget,
    seeds: Seeds,
) -> tuple[list[float], float]:
    """Train a UNet with prior preservation, weight 1, and as many prior images as tuning images.

    Returns:
        The loss of each step, and the seconds of all steps.
    """
    sets = (tuning_set, prior)
    texts = [_encoded(pipeline, each.prompts) for each in sets]
    schedule = DDPMScheduler.from_config(pipeline.scheduler.config)
    batches = [
        ShuffledBatches(len(each), budget.batch_size, rng)
        for each, rng in zip(sets, seeds.orders, strict=True)
    ]
    parameters = [p for p in unet.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=budget.learning_rate, weight_decay=0.01)
    losses: list[float] = []
    unet.train()
    with isolated(seeds.noise):
        start = time.perf_counter()
        for _ in range(budget.steps):
            rows = [next(each) for each in batches]
            images = [each.images[of_set] for each, of_set in zip(sets, rows, strict=True)]
            told = torch.cat([each[of_set] for each, of_set in zip(texts, rows, strict=True)])
            loss = _loss(pipeline.vae, unet, schedule, np.concatenate(images), told)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            losses.append(loss.detach().item())
        return losses, time.perf_counter() - start


def _loss(
    vae: Any, unet: torch.nn.Module, schedule: Any, images: Images, texts: torch.Tensor
) -> torch.Tensor:
    pixels = torch.from_numpy(images.astype(np.float32) / 127.5 - 1).permute(0, 3, 1, 2)
    pixels = pixels.contiguous()  # as the script's loader makes them
    with torch.no_grad():
        latents = vae.encode(pixels).latent_dist.sample() * vae.config.scaling_factor
    noise = torch.randn(latents.shape)  # not ``randn_like``, which depends on the memory's layout
    timesteps = torch.randint(0, schedule.config.num_train_timesteps, (len(latents),))
    noisy = schedule.add_noise(latents, noise, timesteps)
    predicted = unet(noisy, timesteps, texts, return_dict=False)[0]
    velocity = schedule.config.prediction_type == "v_prediction"
    target = schedule.get_velocity(latents, noise, timesteps) if velocity else noise
    tuning, prior = (
        mse_loss(a, b) for a, b in zip(predicted.chunk(2), target.chunk(2), strict=True)
    )
    return tuning + prior


def _encoded(pipeline: Any, prompts: Sequence[str]) -> torch.Tensor:
    distinct = list(dict.fromkeys(prompts))
    with torch.no_grad():
        vectors = pipeline.encode_prompt(distinct, "cpu", 1, do_classifier_free_guidance=False)[0]
    return vectors[[distinct.index(prompt) for prompt in prompts]]


def draw(
    pipeline: Any,
    scheduler: Any,
    prompts: Sequence[str],
    steps: int,
    guidance: float,
    first_seed: int = 0,
) -> Images:
    """Images of the stock pipeline, from the noise of consecutive seeds."""
    pipeline.scheduler = scheduler
    seeds = range(first_seed, first_seed + len(prompts))
    images = pipeline(
        list(prompts),
        generator=[torch.Generator("cpu").manual_seed(seed) for seed in seeds],
        num_inference_steps=steps,
        guidance_scale=guidance,
        output_type="np",
    ).images
    return np.asarray((images * 255).round().astype(np.uint8))


def psnr(ours: Images, theirs: Images) -> np.ndarray:
    """Of each image, in dB; 99 where nothing differs."""
    error = ((ours.astype(np.float64) - theirs) ** 2).mean(axis=(1, 2, 3))
    return 10 * np.log10(255**2 / np.maximum(error, 255**2 / 10**9.9))
