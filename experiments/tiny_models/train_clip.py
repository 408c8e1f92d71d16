"""Trains the packaged miniature CLIP, in open_clip's own format, on printed letters.

python -m experiments.tiny_models.train_clip --seed 0 --out tgap/assets/tiny_clip
"""

import argparse
import json
import logging
import time
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from open_clip.loss import ClipLoss
from safetensors.torch import save_file
from torch import Tensor

from experiments.tiny_models.letters import SIZE, draw_letters
from experiments.tiny_models.tokens import LENGTH, vocabulary, write_tokenizer

log = logging.getLogger("tiny_clip")

MODEL = {
    "embed_dim": 64,
    "vision_cfg": {"image_size": SIZE, "patch_size": 8, "width": 96, "layers": 3, "head_width": 24},
    "text_cfg": {
        "context_length": LENGTH,
        "vocab_size": len(vocabulary()),
        "width": 64,
        "heads": 4,
        "layers": 2,
        "hf_tokenizer_name": "tokenizer of this folder",
    },
}
PREPROCESS = {
    "mean": [0.2] * 3,
    "std": [0.35] * 3,
    "interpolation": "bicubic",
    "resize_mode": "squash",
}


def write_config(folder: Path) -> None:
    """Write the files that ``open_clip.create_model("local-dir:...")`` reads before weights."""
    config: dict[str, Any] = {"model_cfg": MODEL, "preprocess_cfg": PREPROCESS}
    write_tokenizer(folder)  # open_clip's own default would be a vocabulary of 49,408 words
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=2))


def jittered(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each batch moved by up to 2 pixels and dimmed a little, so that position does not count."""
    shifts = torch.randint(-2, 3, (2,), generator=generator).tolist()
    gain = 0.8 + 0.2 * torch.rand(len(images), 1, 1, 1, generator=generator)
    return torch.roll(images, shifts, dims=(2, 3)) * gain


def main() -> None:
    """Train contrastively; batches hold several images of a letter, so labels are soft."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--steps", type=int, default=900)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.manual_seed(args.seed)
    write_config(args.out)
    # A name of its own within open_clip, only to build it with fresh weights.
    name = "tgap_tiny_clip"
    (args.out / f"{name}.json").write_text(json.dumps(MODEL))
    open_clip.add_model_config(args.out / f"{name}.json")
    (args.out / f"{name}.json").unlink()
    model = open_clip.create_model(name)
    letters = draw_letters(args.images, args.seed + 1, empty=0.0)
    images = torch.from_numpy(letters.images.astype(np.float32) / 255)[:, None]
    tokens = open_clip.get_tokenizer(f"local-dir:{args.out}")(letters.prompts)
    train(model, images, tokens, args.steps, args.seed)
    weights = {key: value.half().contiguous() for key, value in model.state_dict().items()}
    save_file(weights, args.out / "open_clip_model.safetensors")
    log.info("%d parameters", sum(p.numel() for p in model.parameters()))


def train(model: Any, images: Tensor, tokens: Tensor, steps: int, seed: int) -> None:
    """CLIP's symmetric loss on batches of 128 pairs."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=0.05)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, total_steps=steps, pct_start=0.1)
    loss_of, start = ClipLoss(), time.monotonic()
    mean, deviation = PREPROCESS["mean"][0], PREPROCESS["std"][0]
    for step in range(1, steps + 1):
        rows = torch.randint(len(images), (128,), generator=generator)
        pixels = (jittered(images[rows], generator) - mean) / deviation
        seen, read, scale = model(pixels.expand(-1, 3, -1, -1), tokens[rows])
        loss = loss_of(seen, read, scale)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rates.step()
        with torch.no_grad():
            model.logit_scale.clamp_(max=np.log(50))
        if step % 100 == 0:
            log.info("%d/%d loss %.3f, %.0f s", step, steps, loss.item(), time.monotonic() - start)


if __name__ == "__main__":
    main()
