"""Trains the packaged miniature latent diffusion model on printed letters.

python -m experiments.tiny_models.train_ldm --seed 0 --out tgap/assets/tiny_ldm
"""

import argparse
import logging
from pathlib import Path

import numpy as np
import torch

from experiments.tiny_models import ldm
from experiments.tiny_models.letters import SIZE, draw_letters

LETTERS = ldm.Size(image=SIZE, widths=(16, 32, 48), latents=4)
"""1 x 32 x 32 -> 4 x 8 x 8."""

log = logging.getLogger("tiny_ldm")


def parsed_arguments() -> argparse.Namespace:
    """Seed, place and how long to train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--vae-steps", type=int, default=900)
    parser.add_argument("--unet-steps", type=int, default=6000)
    return parser.parse_args()


def main() -> None:
    """Draw letters, train the parts, save the pipeline."""
    args = parsed_arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.manual_seed(args.seed)
    letters = draw_letters(args.images, args.seed)
    images = torch.from_numpy(letters.images.astype(np.float32) / 127.5 - 1)[:, None]
    log.info("drew %d letters", len(images))
    tokenizer = ldm.written_tokenizer(args.out)
    tokens = ldm.tokens_of(tokenizer, letters.prompts)
    vae, unet, text = ldm.new_vae(LETTERS), ldm.new_unet(LETTERS), ldm.new_text_encoder()
    ldm.train_vae(vae, images, args.vae_steps, args.seed)
    ldm.normalise_latents(vae, images[:4096])
    latents = ldm.moments(vae, images)
    unet, text = ldm.train_unet(unet, text, latents, tokens, args.unet_steps, args.seed)
    ldm.save(args.out, vae, unet, text, tokenizer)


if __name__ == "__main__":
    main()
