"""Pipelines with random weights, whose speed is that of trained ones."""

from pathlib import Path
from typing import Any

from tgap.core import isolated
from tgap.generators.latent.model import StableDiffusionModel
from tgap.generators.latent.silence import quiet
from tgap.generators.stable_diffusion import ASSETS, StableDiffusion


def write(folder: Path, small: bool) -> None:
    """A ``StableDiffusionPipeline``.

    Its UNet and autoencoder have Stable Diffusion 1.5's layers and proportions of work at an eighth
    of the width: encoding an image of 256 x 256 is .59 of a training step on it (.51 at 1.5), and
    decoding one 3.9 passes of the UNet (3.5).

    Args:
        folder: To write it to.
        small: Two levels instead, and images of 16 x 16, to see that something works.
    """
    from diffusers import (
        AutoencoderKL,
        DDIMScheduler,
        StableDiffusionPipeline,
        UNet2DConditionModel,
    )
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(
        ASSETS / "tiny_ldm" / "tokenizer", local_files_only=True
    )
    widths, vae_widths = ((8, 16), (8, 8)) if small else ((32, 64, 128, 128), (16, 32, 64, 64))
    levels = {"norm_num_groups": 8, "layers_per_block": 1 if small else 2}
    blocks = {
        "down_block_types": ("CrossAttnDownBlock2D",) * (len(widths) - 1) + ("DownBlock2D",),
        "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * (len(widths) - 1),
    }
    with isolated(0):
        unet = UNet2DConditionModel(
            sample_size=8 if small else 32,
            block_out_channels=widths,
            attention_head_dim=4,
            cross_attention_dim=96,
            **levels,
            **blocks,
        )
        vae = AutoencoderKL(
            block_out_channels=vae_widths,
            down_block_types=("DownEncoderBlock2D",) * len(vae_widths),
            up_block_types=("UpDecoderBlock2D",) * len(vae_widths),
            **levels,
        )
        encoder = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(tokenizer),
                hidden_size=96,
                intermediate_size=384,
                num_hidden_layers=3,
                num_attention_heads=4,
                max_position_embeddings=tokenizer.model_max_length,
                bos_token_id=tokenizer.bos_token_id,
                eos_token_id=tokenizer.eos_token_id,
            )
        )
    made = StableDiffusionPipeline(
        vae=vae,
        text_encoder=encoder,
        tokenizer=tokenizer,
        unet=unet,
        # An untrained UNet predicts about 0: as a velocity that keeps latents in range.
        scheduler=DDIMScheduler(
            beta_schedule="scaled_linear",
            prediction_type="v_prediction",
            steps_offset=1,
            clip_sample=False,
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    with quiet():
        made.save_pretrained(folder, safe_serialization=True)


def loaded(folder: Path, small: bool, **settings: Any) -> StableDiffusionModel:
    """The same through tgap, with settings of ``StableDiffusion``."""
    if not (folder / "model_index.json").exists():
        write(folder, small)
    return StableDiffusion(path=str(folder), **settings).load()


def miniature(**settings: Any) -> StableDiffusionModel:
    """The packaged one."""
    return StableDiffusion(packaged="tiny_ldm", **settings).load()
