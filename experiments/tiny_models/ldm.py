"""What the miniature latent diffusion models are made of, and how each part is trained."""

import copy
import json
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import OneCycleLR
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from experiments.tiny_models.tokens import END, LENGTH, START, vocabulary, write_tokenizer

log = logging.getLogger("tiny_ldm")


@dataclass(frozen=True)
class Size:
    """How large a miniature is.

    Args:
        image: Pixels a side.
        widths: Channels of the autoencoder's levels, each half as large as the one before.
        latents: Channels of a latent.
    """

    image: int
    widths: tuple[int, ...]
    latents: int

    @property
    def latent(self) -> int:
        """Side of a latent."""
        return self.image // 2 ** (len(self.widths) - 1)


def new_vae(size: Size) -> AutoencoderKL:
    """Of grey images."""
    return AutoencoderKL(
        in_channels=1,
        out_channels=1,
        latent_channels=size.latents,
        sample_size=size.image,
        down_block_types=("DownEncoderBlock2D",) * len(size.widths),
        up_block_types=("UpDecoderBlock2D",) * len(size.widths),
        block_out_channels=size.widths,
        layers_per_block=1,
        norm_num_groups=8,
        mid_block_add_attention=False,
        scaling_factor=1.0,
    )


def new_unet(size: Size) -> UNet2DConditionModel:
    """About 1.2 M parameters.

    Attention at 4 x 4 only, and two heads: 2.3 times as fast on a CPU as attention everywhere
    with eight heads. (``attention_head_dim`` is the number of heads in this class.)
    """
    return UNet2DConditionModel(
        sample_size=size.latent,
        in_channels=size.latents,
        out_channels=size.latents,
        cross_attention_dim=64,
        block_out_channels=(48, 64),
        layers_per_block=1,
        norm_num_groups=8,
        attention_head_dim=2,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    )


def new_text_encoder() -> CLIPTextModel:
    """Two layers of width 64 over characters."""
    words = vocabulary()
    config = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=LENGTH,
        projection_dim=64,
        bos_token_id=words[START],
        eos_token_id=words[END],
        pad_token_id=words[END],
    )
    return CLIPTextModel(config)


def new_schedule() -> DDIMScheduler:
    """Stable Diffusion's noise schedule, which fast solvers handle (a cosine one they do not)."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="epsilon",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        timestep_spacing="trailing",
    )


def batches(count: int, size: int, steps: int, seed: int) -> Iterator[Tensor]:
    """Random rows, each epoch a new permutation."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.empty(0, dtype=torch.long)
    for _ in range(steps):
        if len(order) < size:
            order = torch.cat([order, torch.randperm(count, generator=generator)])
        yield order[:size]
        order = order[size:]


def one_cycle(optimizer: torch.optim.Optimizer, rate: float, steps: int) -> OneCycleLR:
    """A short rise, then a cosine down to nearly nothing."""
    return OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.1)


def train_vae(vae: AutoencoderKL, images: Tensor, steps: int, seed: int) -> None:
    """L1 + MSE + a small KL; images ``(N, 1, H, W)`` in [-1, 1]."""
    optimizer = torch.optim.AdamW(vae.parameters(), 2e-3, weight_decay=1e-4)
    schedule = one_cycle(optimizer, 2e-3, steps)
    start = time.monotonic()
    for step, rows in enumerate(batches(len(images), 32, steps, seed), 1):
        x = images[rows]
        posterior = vae.encode(x).latent_dist
        y = vae.decode(posterior.sample()).sample
        mse = F.mse_loss(y, x)
        loss = mse + F.l1_loss(y, x) + 1e-4 * posterior.kl().mean() / 10
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            took = time.monotonic() - start
            log.info("vae %d/%d mse %.4f, %.0f s", step, steps, mse.item(), took)


@torch.no_grad()
def moments(vae: AutoencoderKL, images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each image's posterior."""
    parts = [vae.encode(part).latent_dist for part in images.split(256)]
    return torch.cat([p.mean for p in parts]), torch.cat([p.std for p in parts])


@torch.no_grad()
def normalise_latents(vae: AutoencoderKL, images: Tensor) -> None:
    """Bake mean 0 and deviation 1 of each latent channel into the 1x1 convolutions around it.

    Stable Diffusion's format has one scaling factor only, and no shift; with both in the
    weights, the factor is 1.
    """
    mean, deviation = moments(vae, images)
    latents = mean + deviation * torch.randn_like(mean)
    m, s = latents.mean(dim=(0, 2, 3)), latents.std(dim=(0, 2, 3))
    into, out = vae.quant_conv, vae.post_quant_conv
    # The first half of the outputs are means, the rest log-variances.
    half = len(m)
    into.weight[:half] /= s[:, None, None, None]
    into.bias[:half] = (into.bias[:half] - m) / s
    into.bias[half:] -= 2 * s.log()
    out.bias += (out.weight[:, :, 0, 0] * m).sum(dim=1)
    out.weight *= s[None, :, None, None]
    log.info("latent channels had mean %s, deviation %s", m.tolist(), s.tolist())


def train_unet(
    unet: UNet2DConditionModel,
    text: CLIPTextModel,
    latents: tuple[Tensor, Tensor],
    tokens: Tensor,
    steps: int,
    seed: int,
) -> tuple[UNet2DConditionModel, CLIPTextModel]:
    """Denoising loss; UNet and text encoder together. Returns their moving averages."""
    both = nn.ModuleList([unet, text])
    average = copy.deepcopy(both).requires_grad_(False)
    optimizer = torch.optim.AdamW(both.parameters(), 2e-3, weight_decay=1e-3)
    rates, schedule = one_cycle(optimizer, 2e-3, steps), new_schedule()
    start, running = time.monotonic(), 1.0
    for step, rows in enumerate(batches(len(tokens), 64, steps, seed + 1), 1):
        mean, deviation = latents[0][rows], latents[1][rows]
        clean = mean + deviation * torch.randn_like(mean)
        noise = torch.randn_like(clean)
        t = torch.randint(0, 1000, (len(rows),))
        states = text(tokens[rows]).last_hidden_state
        predicted = unet(schedule.add_noise(clean, noise, t), t, states).sample
        loss = F.mse_loss(predicted, noise)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(both.parameters(), 1.0)
        optimizer.step()
        rates.step()
        decay = min(0.998, step / (step + 20))
        with torch.no_grad():
            for slow, fast in zip(average.parameters(), both.parameters(), strict=True):
                slow.lerp_(fast, 1 - decay)
        running += 0.01 * (loss.item() - running)
        if step % 100 == 0:
            log.info("unet %d/%d loss %.4f, %.0f s", step, steps, running, time.monotonic() - start)
    return average[0], average[1]


def written_tokenizer(folder: Path) -> CLIPTokenizer:
    """The tokenizer, written into a pipeline's folder and read back."""
    write_tokenizer(folder / "tokenizer")
    return CLIPTokenizer.from_pretrained(folder / "tokenizer")


def tokens_of(tokenizer: CLIPTokenizer, prompts: Sequence[str]) -> Tensor:
    """``(N, LENGTH)`` token numbers."""
    tokens: Tensor = tokenizer(
        [*prompts], padding="max_length", truncation=True, max_length=LENGTH, return_tensors="pt"
    ).input_ids
    return tokens


def save(
    folder: Path,
    vae: AutoencoderKL,
    unet: UNet2DConditionModel,
    text: CLIPTextModel,
    tokenizer: CLIPTokenizer,
) -> None:
    """Write a pipeline in half precision."""
    pipeline = StableDiffusionPipeline(
        vae=vae.eval(),
        text_encoder=text.eval(),
        tokenizer=tokenizer,
        unet=unet.eval(),
        scheduler=new_schedule(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    for name, part in (("vae", vae), ("unet", unet), ("text_encoder", text)):
        log.info("%s: %d parameters", name, sum(p.numel() for p in part.parameters()))
    pipeline.to(torch.float16).save_pretrained(folder, safe_serialization=True)
    # Half precision is for the disk only: without this line the text encoder alone, of the three
    # models, would load in it, and then not fit to the UNet.
    config = folder / "text_encoder/config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"dtype": "float32"}, indent=2))
