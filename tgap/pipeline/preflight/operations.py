"""How many operations large networks need, counted, and how many a second published code reaches.

By these the time is told of what was never measured on a machine. Only for networks as large as
those that were counted: a small one's time is not that of its operations.
"""

import math
from dataclasses import dataclass

from tgap.composition.config import Run
from tgap.core import TgapError
from tgap.core.randomised import passes_per_image
from tgap.generators.base import Pretrained
from tgap.pipeline.preflight.work import CPU_FLOPS, FLOP

LARGE = 10**8
"""Parameters of a denoiser that is counted."""
TRAINED = 2406.8 / 803.3
"""Training on an image, in passes of the denoiser (Stable Diffusion 1.5, counted)."""
ADAPTED = 1714 / 803.3
"""The same where the denoiser's own weights stay as they are (LoRA of rank 4, counted)."""
DECODED = 2514.5e9 / 512**2
"""Decoding an image, per pixel (the autoencoder of Stable Diffusion 1.5, counted)."""
CHEXNET = 16.8e9 / 224**2
"""Training DenseNet-121 on an image, per pixel (counted at 224 x 224)."""
CLIP = {"ViT-B-32": 8.8e9, "ViT-L-14": 162e9}
"""An image's vector, by open_clip's name of the model (counted)."""


@dataclass(frozen=True)
class Speed:
    """Operations per second that code reaches in each kind of work.

    Args:
        tuning: Training a denoiser.
        drawing: Drawing images.
        seeing: Training a classifier, or computing vectors.
    """

    tuning: float
    drawing: float
    seeing: float


RTX_3090 = 914 * 16.8e9
"""DenseNet-121 in mixed precision, 914 images/s (pytorch-image-models' published benchmark)."""
SPEEDS = {
    # MLPerf Training 4.0, Stable Diffusion, NVIDIA's own logs: 128.2 and 127 images/s trained,
    # 3.45 and 3.32 images/s drawn in 50 steps with guidance, each GPU.
    "h200": Speed(309e12, 286e12, RTX_3090 * 4.8 / 0.936),
    "h100": Speed(306e12, 275e12, RTX_3090 * 3.35 / 0.936),
    # mosaicml/diffusion: 36 images/s trained; diffusers 0.30's compiled pipeline: 1.5 images/s.
    "a100": Speed(87e12, 120e12, RTX_3090 * 2.04 / 0.936),
}
"""Of GPUs, by their name. What trains classifiers is an estimate: by the memory's bandwidth."""
CPU = Speed(CPU_FLOPS, CPU_FLOPS, CPU_FLOPS)


def seconds_of(run: Run, kind: str, speed: Speed, images: int, labels: int) -> float | None:
    """How long a kind of work takes by its operations; ``None`` if they are not counted.

    Args:
        run: What is to be done.
        kind: Of artifact: ``prior``, ``generator``, ``synthetic``, ``classifier``, ``embedding``.
        speed: Of the machine.
        images: In the dataset.
        labels: Whose images are drawn and told apart.
    """
    if kind == "classifier":
        return _classifier(run, labels, speed)
    if kind == "embedding":
        embedder = run.selector.embedder_used()
        operations = CLIP.get(str(vars(embedder).get("model")), 0.0) * images
        return operations / speed.seeing or None
    numbers, pixels = _denoiser(run)
    if numbers < LARGE:
        return None
    one_pass, decoding = FLOP * numbers * pixels, DECODED * pixels
    budget = run.budget
    if kind == "generator":
        finetuner = run.finetuner
        share = 1 + (vars(finetuner).get("prior_share", 0.0) if finetuner.prior_images() else 0)
        trained = ADAPTED if finetuner.saves_adapter else TRAINED
        passes = budget.steps * budget.batch_size * share * trained
        return passes * one_pass / speed.tuning
    if kind == "prior":
        count, passes, decoded = (
            run.finetuner.prior_images(),
            passes_per_image(run.prior_sampler),
            1.0,
        )
    elif kind == "synthetic":
        least, most = run.drawing.drawn_each()
        if least < most:
            return None  # how many are drawn until enough pass is not known before
        count = labels * (budget.train_per_label + budget.test_per_label) * least
        passes = run.drawing.passes(run.sampler)
        decoded = 1 + run.drawing.looks(run.sampler)
    else:
        return None
    return count * (passes * one_pass + decoded * decoding) / speed.drawing


def _classifier(run: Run, labels: int, speed: Speed) -> float | None:
    """For all epochs that a classifier may train; it may stop earlier."""
    if run.classifier.stem() != "chexnet":
        return None
    settings = vars(run.classifier)
    seen = settings["epochs"] * labels * run.budget.train_per_label
    return float(seen * CHEXNET * settings["image_size"] ** 2 / speed.seeing)


def _denoiser(run: Run) -> tuple[int, int]:
    """Its parameters, and the pixels of an image; 0 where nobody knows them."""
    if not isinstance(run.generator, Pretrained):
        return 0, 0
    try:
        height, width, _ = run.generator.image_shape()
        return run.generator.networks().denoiser_numbers(), math.prod((height, width))
    except TgapError:
        return 0, 0
