"""Drawing against the stock pipeline: the same scheduler, steps, guidance, seeds and batch."""

import functools
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from experiments.bench import pipelines, reference
from experiments.bench.measure import Row, Scale, has_bfloat16, in_turn, ratios
from tgap.core import Images, Sampler
from tgap.generators.latent.model import StableDiffusionModel
from tgap.pipeline.sharing import threads

SCHEDULER, GUIDANCE, PROMPT = "dpm_solver", 3.0, "an image of odd digit"
EQUAL = 40
"""Decibels from which on pictures count as equal."""


def drawing(scale: Scale) -> list[Row]:
    """The pipeline with Stable Diffusion's proportions, and the packaged one."""
    names = ["float32", "bfloat16"] if scale.quick or has_bfloat16() else ["float32"]
    with TemporaryDirectory() as name:
        folder = Path(name)
        sampler = _sampler(2 if scale.quick else 10, 4)
        models = {p: pipelines.loaded(folder, scale.quick, precision=p) for p in names}
        rows = _compared(models, "generator.precision=", sampler, scale)
    sampler = _sampler(2 if scale.quick else 20, 4 if scale.quick else 128)
    models = {p: pipelines.miniature(precision=p) for p in names}
    return rows + _compared(models, "generator.precision=", sampler, scale)


def compiled(scale: Scale) -> list[Row]:
    """With and without compiled blocks; the first round, which does not count, compiles."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        models = {str(c): pipelines.loaded(folder, scale.quick, compile=c) for c in (False, True)}
        rows = _compared(models, "generator.compile=", _sampler(2 if scale.quick else 10, 4), scale)
    models = {str(c): pipelines.miniature(compile=c) for c in (False, True)}
    sampler = _sampler(2 if scale.quick else 20, 4 if scale.quick else 128)
    return rows + _compared(models, "generator.compile=", sampler, scale)


def batches(scale: Scale) -> list[Row]:
    """As many batches of the packaged model as there are threads, side by side or one by one."""
    count = 4 if scale.quick else 128
    models = {"float32": pipelines.miniature(precision="float32")}
    sampler = _sampler(2 if scale.quick else 20, count)
    return _compared(
        models, "generator.precision=", sampler, scale, count * torch.get_num_threads()
    )


def steps(scale: Scale) -> list[Row]:
    """Fewer steps of the packaged model against the stock pipeline at its usual 50 of PNDM."""
    model, count = pipelines.miniature(), 4 if scale.quick else 64
    prompts, stock = [PROMPT] * count, _stock(model)
    usual, asked = (4, (2,)) if scale.quick else (50, (20, 10))

    def theirs() -> None:
        reference.draw(stock, model.scheduler_named("pndm"), prompts, usual, GUIDANCE)

    def ours(number: int) -> None:
        model.sample(prompts, list(range(count)), _sampler(number, count))

    stocks, *taken = in_turn([theirs, *(functools.partial(ours, n) for n in asked)], scale)
    against = "the stock pipeline, 50 steps of PNDM"
    return [
        Row(f"drawing {count}, sampler.steps={n}", against, ratios(stocks, seconds), "x", 4.0)
        for n, seconds in zip(asked, taken, strict=True)
    ]


def _sampler(steps: int, count: int) -> Sampler:
    return Sampler(scheduler=SCHEDULER, steps=steps, guidance=GUIDANCE, batch_size=count)


def _stock(model: StableDiffusionModel) -> Any:
    stock = type(model.pipeline)(**model.pipeline.components, requires_safety_checker=False)
    stock.set_progress_bar_config(disable=True)
    return stock


def _compared(
    models: Mapping[str, StableDiffusionModel],
    setting: str,
    sampler: Sampler,
    scale: Scale,
    count: int | None = None,
) -> list[Row]:
    """Models that differ in one setting alone, by its value; that of the first is the stock one.

    ``count`` images, in batches of the sampler's; one batch if it is not given.
    """
    exact, batch = next(iter(models.values())), sampler.batch_size
    prompts, stock = [PROMPT] * (count or batch), _stock(exact)
    drawn: dict[str, Images] = {}

    def theirs() -> None:
        images = [
            reference.draw(
                stock,
                exact.scheduler_named(sampler.scheduler),
                prompts[at : at + batch],
                sampler.steps,
                sampler.guidance,
                at,
            )
            for at in range(0, len(prompts), batch)
        ]
        drawn["stock"] = np.concatenate(images)

    def ours(name: str, model: StableDiffusionModel) -> None:
        parts = [slice(at, at + batch) for at in range(0, len(prompts), batch)]
        seeds = list(range(len(prompts)))
        batches = [(prompts[part], seeds[part]) for part in parts]
        drawn[name] = np.concatenate(list(threads.drawn(model, sampler, batches)))

    sides = [theirs, *(functools.partial(ours, *each) for each in models.items())]
    stocks, *taken = in_turn(sides, scale)
    rows = []
    for name, seconds in zip(models, taken, strict=True):
        quality = reference.psnr(drawn[name], drawn["stock"])
        note = f"PSNR {np.median(quality):.0f} dB, at least {quality.min():.0f}"
        if quality.min() < EQUAL:
            note += f": not all pictures are equal ({EQUAL} dB)"
        some = "" if count is None else f" in batches of {batch}"
        title = f"drawing {len(prompts)} of {exact.height} px{some}, {setting}{name}"
        target = 1.15 if quality.min() >= EQUAL else None
        rows.append(Row(title, "the stock pipeline", ratios(stocks, seconds), "x", target, note))
    return rows
