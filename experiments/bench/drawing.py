"""Drawing against the stock pipeline: the same scheduler, steps, guidance, seeds and batch."""

import functools
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from experiments.bench import pipelines, reference
from experiments.bench.measure import Row, Scale, in_turn, ratios
from tgap.core import Images, Sampler
from tgap.generators.latent.model import StableDiffusionModel

SCHEDULER, GUIDANCE = "dpm_solver", 3.0


def drawing(scale: Scale) -> list[Row]:
    """The pipeline with Stable Diffusion's proportions, and the packaged one."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        sampler = _sampler(2 if scale.quick else 10, 4)
        exact, half = (pipelines.loaded(folder, scale.quick, p) for p in ("float32", "bfloat16"))
        rows = _compared(exact, half, sampler, scale)
        sampler = _sampler(2 if scale.quick else 20, 4 if scale.quick else 128)
        exact, half = (pipelines.miniature(precision) for precision in ("float32", "bfloat16"))
        return rows + _compared(exact, half, sampler, scale)


def _sampler(steps: int, count: int) -> Sampler:
    return Sampler(scheduler=SCHEDULER, steps=steps, guidance=GUIDANCE, batch_size=count)


def _compared(
    exact: StableDiffusionModel, half: StableDiffusionModel, sampler: Sampler, scale: Scale
) -> list[Row]:
    prompts = ["an image of odd digit"] * sampler.batch_size
    stock = type(exact.pipeline)(**exact.pipeline.components, requires_safety_checker=False)
    stock.set_progress_bar_config(disable=True)
    drawn: dict[str, Images] = {}

    def theirs() -> None:
        scheduler: Any = exact.scheduler_named(sampler.scheduler)
        drawn["stock"] = reference.draw(stock, scheduler, prompts, sampler.steps, sampler.guidance)

    def ours(name: str, model: StableDiffusionModel) -> None:
        drawn[name] = model.sample(prompts, list(range(len(prompts))), sampler)

    sides = [
        theirs,
        functools.partial(ours, "float32", exact),
        functools.partial(ours, "bfloat16", half),
    ]
    stocks, *taken = in_turn(sides, scale)
    rows = []
    for name, seconds in zip(("float32", "bfloat16"), taken, strict=True):
        quality = reference.psnr(drawn[name], drawn["stock"])
        note = f"PSNR {np.median(quality):.0f} dB, at least {quality.min():.0f}"
        title = f"drawing {len(prompts)} of {exact.height} px, generator.precision={name}"
        rows.append(Row(title, "the stock pipeline", ratios(stocks, seconds), "x", 1.15, note))
    return rows
