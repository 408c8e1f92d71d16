"""The path of profile=xray without its weights, its data or (if need be) a GPU.

python -m experiments.xray_rehearsal                          (some 2 minutes on two cores)
python -m experiments.xray_rehearsal --width full --size 512 --images 400 --device cuda

Writes a Stable Diffusion 1.x pipeline in its real layout with random weights, ``small`` or as wide
as the real one, and phantoms in the layout of ChestX-ray14; then types what a user would type:
``tgap data`` and ``tgap run`` with ``profile=xray``, cut in images and steps. Prints what each
artifact took in seconds, what it takes on disk, and what was predicted. An untrained pipeline draws
noise, CheXNet starts from scratch and CLIP is the packaged miniature: the numbers of such a run
mean nothing, that it gets to its end does. With ``--width full`` on a GPU it shows where things
run, in which precision, and how much memory that takes.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tgap
from tgap.cli.main import command
from tgap.pipeline.plan import Plan, plan
from tgap.pipeline.preflight.disk import needs
from tgap.pipeline.preflight.extent import Extents
from tgap.store import Artifact, Spec, Store

METHODS = {
    "selector=random finetuner=dreambooth": "random+dreambooth",
    "selector=clip_spectral finetuner=dreambooth_lora": "clip_spectral+dreambooth_lora",
}
TOKENS, LENGTH = 49_408, 77
"""CLIP's vocabulary, and the longest text that it reads."""


@dataclass(frozen=True)
class Width:
    """How wide a Stable Diffusion 1.x is; its depth and layout are always the same.

    Args:
        unet: Channels of the UNet's blocks.
        vae: Channels of the autoencoder's blocks.
        text: Width of the text encoder.
        text_layers: Its layers.
        groups: Groups of the group norms.
    """

    unet: tuple[int, int, int, int]
    vae: tuple[int, int, int, int]
    text: int
    text_layers: int
    groups: int


WIDTHS = {
    "small": Width((32, 64, 128, 128), (16, 32, 32, 32), 32, 2, 8),
    "full": Width((320, 640, 1280, 1280), (128, 256, 512, 512), 768, 12, 32),  # 1.5's own
}


def write_stable_diffusion(folder: Path, width: Width, size: int) -> None:
    """Write an untrained Stable Diffusion 1.x as diffusers' folder.

    Args:
        folder: To make.
        width: How wide.
        size: Height and width of its images, a multiple of 64.
    """
    import torch
    from diffusers import AutoencoderKL, PNDMScheduler, StableDiffusionPipeline
    from diffusers import UNet2DConditionModel as UNet
    from transformers import CLIPTextConfig, CLIPTextModel

    text = CLIPTextConfig(
        vocab_size=TOKENS,
        hidden_size=width.text,
        intermediate_size=4 * width.text,
        num_hidden_layers=width.text_layers,
        num_attention_heads=width.text_layers,
        max_position_embeddings=LENGTH,
        bos_token_id=TOKENS - 2,
        eos_token_id=TOKENS - 1,
        pad_token_id=TOKENS - 1,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        unet = UNet(
            sample_size=size // 8,
            block_out_channels=width.unet,
            layers_per_block=2,
            down_block_types=(*["CrossAttnDownBlock2D"] * 3, "DownBlock2D"),
            up_block_types=("UpBlock2D", *["CrossAttnUpBlock2D"] * 3),
            cross_attention_dim=width.text,
            attention_head_dim=8,
            norm_num_groups=width.groups,
        )
        vae = AutoencoderKL(
            block_out_channels=width.vae,
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=2,
            latent_channels=4,
            norm_num_groups=width.groups,
            sample_size=size,
        )
        encoder = CLIPTextModel(text)
    scheduler = PNDMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        skip_prk_steps=True,
        set_alpha_to_one=False,
        steps_offset=1,
    )
    StableDiffusionPipeline(
        vae=vae,
        text_encoder=encoder,
        tokenizer=clip_tokenizer(),
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder, safe_serialization=True)


def clip_tokenizer() -> Any:
    """CLIP's own tokenizer, from the vocabulary that open_clip ships."""
    from open_clip.tokenizer import SimpleTokenizer
    from transformers import CLIPTokenizer

    known = SimpleTokenizer()
    words = [*list(known.encoder)[: TOKENS - 2], "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(
        vocab={word: number for number, word in enumerate(words)},
        merges=list(known.bpe_ranks),
        model_max_length=LENGTH,
    )


def overrides(folder: Path, size: int, per_label: int, steps: int, device: str) -> list[str]:
    """What cuts profile=xray down to a rehearsal, and puts in what cannot be had.

    Args:
        folder: Has ``pipeline`` and ``nih``.
        size: Height and width of images.
        per_label: Images of each label that train classifiers.
        steps: Of fine-tuning, and of the sampler up to 25.
        device: Of the generator.
    """
    kept = min(224, size // 2)
    return [
        "profile=xray",
        f"dataset.path={folder / 'nih'}",
        f"dataset.size={size}",
        f"generator.path={folder / 'pipeline'}",
        "generator.revision=null",
        f"generator.device={device}",
        "clip.model=tiny",
        "clip.pretrained=null",
        "classifier.weights=null",
        f"classifier.image_size={kept}",
        "classifier.epochs=1",
        f"storage.image_size={kept}",
        "pool_size=null",
        "train_size=null",
        "test_size=null",
        f"size={max(4, per_label // 2)}",
        f"budget.train_per_label={per_label}",
        f"budget.test_per_label={max(2, per_label // 2)}",
        f"budget.steps={steps}",
        f"finetuner.prior_count={max(4, per_label // 4)}",
        f"sampler.steps={min(25, steps)}",
        f"prior_sampler.steps={min(25, steps)}",
    ]


def prepare(folder: Path, images: int, size: int, width: Width) -> None:
    """Write the pipeline and the phantoms, once."""
    if not (folder / "pipeline").exists():
        write_stable_diffusion(folder / "pipeline", width, size)
    if not (folder / "nih").exists():
        words = ["--images", str(images), "--size", str(size), "--out", str(folder / "nih")]
        _must(command(["phantom", *words]))


def rehearse(folder: Path, words: Sequence[str]) -> list[dict[str, Any]]:
    """One run, from the command line on.

    Returns:
        A row per artifact: ``artifact``, ``seconds``, ``bytes``, ``predicted`` (``None`` for what
        is too small to be predicted), ``reused``.
    """
    # The store and MLflow's database are found by it, also by whoever looks at them afterwards.
    os.environ["TGAP_HOME"] = str(folder / "home")
    _must(command(["data", *words]))
    run, store = tgap.compose(*words), Store(folder / "home" / "store")
    its = plan(run)
    predicted = {need.key: need.size for need in needs(its, Extents(store))}
    before = {name for name, spec in artifacts_of(its).items() if store.find(spec) is not None}
    _must(command(["run", *words]))
    rows = []
    for name, spec in artifacts_of(its).items():
        artifact = store.find(spec)
        if artifact is not None:
            rows.append(
                {
                    "artifact": name,
                    "seconds": artifact.seconds,
                    "bytes": bytes_of(artifact),
                    "predicted": predicted.get(spec.key),
                    "reused": name in before,
                }
            )
    return rows


def artifacts_of(its: Plan) -> dict[str, Spec]:
    """The specifications of a run's artifacts by name."""
    specs: dict[str, Spec] = {}
    for name, value in vars(its).items():
        nested = value if isinstance(value, Mapping) else {}
        specs |= {f"{name} {key}": s for key, s in nested.items() if isinstance(s, Spec)}
        if isinstance(value, Spec):
            specs[name] = value
    return specs


def bytes_of(artifact: Artifact) -> int:
    """What an artifact takes on disk, without files of a tuned model that are the untuned one's."""
    files = [path.stat() for path in artifact.folder.rglob("*") if path.is_file()]
    shared = artifact.stage == "generator"
    return sum(file.st_size for file in files if not (shared and file.st_nlink > 1))


def _must(code: int) -> None:
    if code:
        sys.exit(code)


def _print(rows: Sequence[Mapping[str, Any]]) -> None:
    print("\n| artifact | seconds | MB on disk | MB predicted |\n|---|---|---|---|")
    for row in rows:
        seconds = "reused" if row["reused"] else f"{row['seconds']:.1f}"
        size, said = (row[key] for key in ("bytes", "predicted"))
        predicted = "" if said is None else f"{said / 1e6:.2f}"
        print(f"| {row['artifact']} | {seconds} | {size / 1e6:.2f} | {predicted} |")
    print("\nThe prediction for scores includes evaluations and pictures.")


def main() -> None:
    """Rehearse both methods and print their tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("rehearsal"))
    parser.add_argument("--width", choices=WIDTHS, default="small")
    parser.add_argument("--size", type=int, default=64, help="height and width of images")
    parser.add_argument("--images", type=int, default=1000, help="phantoms")
    parser.add_argument("--per-label", type=int, default=40, help="images that train classifiers")
    parser.add_argument("--steps", type=int, default=10, help="of fine-tuning, and of the sampler")
    parser.add_argument("--device", default="cpu", help="of the generator")
    parser.add_argument("words", nargs="*", help="further overrides")
    args = parser.parse_intermixed_args()
    folder = args.out.absolute()
    prepare(folder, args.images, args.size, WIDTHS[args.width])
    common = overrides(folder, args.size, args.per_label, args.steps, args.device)
    for method, title in METHODS.items():
        rows = rehearse(folder, [*common, *method.split(), *args.words])
        print(f"\n{title}")
        _print(rows)
        if args.device == "cuda":
            import torch

            print(f"\nmost GPU memory so far: {torch.cuda.max_memory_allocated() / 1e9:.1f} GB")


if __name__ == "__main__":
    main()
