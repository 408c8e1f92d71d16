"""The miniature autoencoder: 1 x 32 x 32 pixels to 4 x 8 x 8 latents."""

import torch
from diffusers import AutoencoderKL
from torch import Tensor
from torch.nn import functional as F

from experiments.tiny_models.training import fit

SCALING = 0.18215  # Stable Diffusion's
KL_WEIGHT = 1e-4
BATCH = 32


def make_vae() -> AutoencoderKL:
    """An autoencoder with random weights."""
    return AutoencoderKL(
        in_channels=1,
        out_channels=1,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(16, 32, 48),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=32,
        scaling_factor=SCALING,
        mid_block_add_attention=False,
    )


def train_vae(vae: AutoencoderKL, pixels: Tensor, steps: int) -> None:
    """Train it to return its input; squared and absolute error, and a little divergence."""

    def loss_of() -> Tensor:
        batch = pixels[torch.randint(len(pixels), (BATCH,))]
        posterior = vae.encode(batch).latent_dist
        found = vae.decode(posterior.sample()).sample
        error = F.mse_loss(found, batch) + F.l1_loss(found, batch)
        return error + KL_WEIGHT * posterior.kl().mean()

    vae.train()
    fit("vae", vae.parameters(), loss_of, steps=steps, learning_rate=2e-3)
    vae.eval()


@torch.no_grad()
def moments(vae: AutoencoderKL, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of every image's latents, unscaled."""
    posteriors = [vae.encode(batch).latent_dist for batch in pixels.split(256)]
    return torch.cat([p.mean for p in posteriors]), torch.cat([p.std for p in posteriors])


@torch.no_grad()
def standardize(vae: AutoencoderKL, pixels: Tensor) -> None:
    """Give every latent channel mean 0 and, times the scaling factor, standard deviation 1.

    Stable Diffusion's format has one factor for all channels and no shift, so both go into the
    1 x 1 convolutions around the latents; what the autoencoder returns stays the same.
    """
    mean, _ = moments(vae, pixels)
    shift = mean.mean(dim=(0, 2, 3))
    factor = mean.std(dim=(0, 2, 3)) * SCALING  # latents = shift + factor * new latents
    encode, decode = vae.quant_conv, vae.post_quant_conv
    channels = len(shift)
    encode.weight[:channels] /= factor.view(-1, 1, 1, 1)
    encode.bias[:channels] = (encode.bias[:channels] - shift) / factor
    encode.bias[channels:] -= 2 * factor.log()  # these are logarithms of variances
    decode.bias += decode.weight[:, :, 0, 0] @ shift
    decode.weight *= factor.view(1, -1, 1, 1)
