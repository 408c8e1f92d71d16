"""Trains the packaged miniature that has seen chest X-ray phantoms, without their findings.

python -m experiments.tiny_models.train_xray --seed 0 --out tgap/assets/tiny_xray
"""

import argparse
import logging
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from transformers import CLIPTextModel

from experiments.tiny_models import ldm
from experiments.tiny_models.films import SIDE, draw_films

FILMS = ldm.Size(image=SIDE, widths=(16, 32, 48, 48), latents=8)
"""1 x 64 x 64 -> 8 x 8 x 8."""
LETTERS = Path("tgap/assets/tiny_ldm")
"""The miniature whose UNet and text encoder are gone on with."""

log = logging.getLogger("tiny_ldm")


def begun(folder: Path) -> tuple[UNet2DConditionModel, CLIPTextModel]:
    """UNet and text encoder of another miniature; what reads and writes latents is new."""
    unet = ldm.new_unet(FILMS)
    theirs = UNet2DConditionModel.from_pretrained(folder / "unet").state_dict()
    ours = unet.state_dict()
    shared = {name: value for name, value in theirs.items() if value.shape == ours[name].shape}
    log.info("%d of %d arrays are those of %s", len(shared), len(ours), folder)
    unet.load_state_dict({**ours, **shared})
    return unet, CLIPTextModel.from_pretrained(folder / "text_encoder")


def parsed_arguments() -> argparse.Namespace:
    """Seed, place and how long to train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", type=int, default=10_000, help="phantoms, and letters")
    parser.add_argument("--vae-steps", type=int, default=1500)
    parser.add_argument("--unet-steps", type=int, default=4000)
    return parser.parse_args()


def main() -> None:
    """Draw films, train the parts, save the pipeline."""
    args = parsed_arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.manual_seed(args.seed)
    films = draw_films(args.images, args.seed)
    images = torch.from_numpy(films.images.astype(np.float32) / 127.5 - 1)[:, None]
    order = torch.randperm(len(images))
    log.info("drew %d phantoms and as many letters", args.images)
    tokenizer = ldm.written_tokenizer(args.out)
    tokens = ldm.tokens_of(tokenizer, films.prompts)
    vae = ldm.new_vae(FILMS)
    ldm.train_vae(vae, images, args.vae_steps, args.seed)
    ldm.normalise_latents(vae, images[order[:4096]])
    latents = ldm.moments(vae, images)
    unet, text = begun(LETTERS)
    unet, text = ldm.train_unet(unet, text, latents, tokens, args.unet_steps, args.seed)
    ldm.save(args.out, vae, unet, text, tokenizer)


if __name__ == "__main__":
    main()
