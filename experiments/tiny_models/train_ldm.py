"""Train the packaged miniature latent diffusion model.

``python -m experiments.tiny_models.train_ldm --seed 0 --out tgap/assets/tiny_ldm``
"""

import argparse
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from transformers import CLIPTextConfig, CLIPTextModel

from experiments.tiny_models.letters import Letters
from experiments.tiny_models.tokenizer import TOKENS, make_tokenizer
from experiments.tiny_models.training import fit, start, to_pixels, tokenize
from experiments.tiny_models.vae import SCALING, make_vae, moments, standardize, train_vae

if TYPE_CHECKING:
    from transformers import CLIPTokenizer

log = logging.getLogger(__name__)

BATCH = 64
EMA_DECAY = 0.998


def make_scheduler() -> DDIMScheduler:
    """Stable Diffusion's noise schedule, which DPM-Solver++ handles too."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


def make_unet() -> UNet2DConditionModel:
    """A denoiser with random weights; text comes in at 4 x 4, where attention is cheap."""
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=4,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(64, 64),
        layers_per_block=1,
        cross_attention_dim=64,
        attention_head_dim=4,
        norm_num_groups=8,
    )


def make_text_encoder(tokenizer: "CLIPTokenizer") -> CLIPTextModel:
    """A text encoder with random weights."""
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=256,
        projection_dim=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=TOKENS,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return CLIPTextModel(config)


def train_denoiser(
    denoiser: nn.ModuleDict, latents: tuple[Tensor, Tensor], tokens: Tensor, steps: int
) -> nn.ModuleDict:
    """Train UNet and text encoder together to predict noise.

    Args:
        denoiser: ``unet`` and ``text``.
        latents: Mean and standard deviation of every image's scaled latents.
        tokens: Token ids ``(N, captions each, TOKENS)``.
        steps: Optimizer steps.

    Returns:
        The weights' moving average over the second half.
    """
    scheduler = make_scheduler()
    mean, std = latents
    average = AveragedModel(denoiser, multi_avg_fn=get_ema_multi_avg_fn(EMA_DECAY))

    def loss_of() -> Tensor:
        rows = torch.randint(len(mean), (BATCH,))
        clean = mean[rows] + std[rows] * torch.randn(BATCH, *mean.shape[1:])
        noise = torch.randn_like(clean)
        times = torch.randint(scheduler.config.num_train_timesteps, (BATCH,))
        ids = tokens[rows, torch.randint(tokens.shape[1], (BATCH,))]
        text = denoiser["text"](ids).last_hidden_state
        noisy = scheduler.add_noise(clean, noise, times)
        return F.mse_loss(denoiser["unet"](noisy, times, text).sample, noise)

    def after_step(step: int) -> None:
        if step > steps // 2:
            average.update_parameters(denoiser)

    denoiser.train()
    fit(
        "denoiser",
        denoiser.parameters(),
        loss_of,
        steps=steps,
        learning_rate=2e-3,
        after_step=after_step,
    )
    return average.module.eval()


def train(letters: Letters, vae_steps: int, steps: int) -> StableDiffusionPipeline:
    """Train all parts, the autoencoder first."""
    pixels = to_pixels(letters.images)
    vae, tokenizer = make_vae(), make_tokenizer()
    train_vae(vae, pixels, vae_steps)
    standardize(vae, pixels)
    mean, std = moments(vae, pixels)
    log.info("scaled latents: mean %s", (mean.mean(dim=(0, 2, 3)) * SCALING).tolist())
    log.info("scaled latents: std %s", (mean.std(dim=(0, 2, 3)) * SCALING).tolist())
    denoiser = nn.ModuleDict({"unet": make_unet(), "text": make_text_encoder(tokenizer)})
    average = train_denoiser(
        denoiser, (mean * SCALING, std * SCALING), tokenize(tokenizer, letters.captions), steps
    )
    return assemble(vae, average["unet"], average["text"], tokenizer)


def assemble(
    vae: AutoencoderKL,
    unet: UNet2DConditionModel,
    text_encoder: CLIPTextModel,
    tokenizer: "CLIPTokenizer",
) -> StableDiffusionPipeline:
    """The ordinary pipeline around the parts."""
    return StableDiffusionPipeline(
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=make_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def main() -> None:
    """Read the command line, train, save in half precision."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--vae-steps", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=4000, help="of UNet and text encoder")
    settings = parser.parse_args()
    letters = start(settings.seed, settings.threads)
    began = time.monotonic()
    pipeline = train(letters, settings.vae_steps, settings.steps)
    pipeline.to(torch.float16).save_pretrained(settings.out, safe_serialization=True)
    log.info("saved %s after %.0f s", settings.out, time.monotonic() - began)


if __name__ == "__main__":
    main()
