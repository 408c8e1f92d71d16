"""Fine-tuning against diffusers' scripts, in bfloat16, and with active selection."""

import copy
import functools
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from experiments.bench import pipelines, reference
from experiments.bench.measure import Row, Scale, has_bfloat16, in_turn, ratios
from tgap.core import Budget
from tgap.finetuners.base import Finetuner, PromptedImages
from tgap.finetuners.dreambooth import Dreambooth
from tgap.finetuners.dreambooth_lora import DreamboothLora
from tgap.finetuners.oracles.base import Oracle
from tgap.finetuners.oracles.none import NoOracle
from tgap.finetuners.oracles.quantile import Quantile
from tgap.finetuners.oracles.scores.generated import Generated
from tgap.finetuners.oracles.scores.one_step import OneStep
from tgap.generators.latent.model import StableDiffusionModel

RANK = 4
AS_THE_SCRIPT: dict[str, Any] = {
    "prior_weight": 1.0,
    "prior_share": 1.0,
    "unconditional": 0.0,
    "schedule": "constant",
    "warmup": 0.0,
    "rate": 1.0,
}


def finetuner(kind: str, precision: str = "float32") -> Finetuner:
    """With the script's settings."""
    if kind == "lora":
        return DreamboothLora(rank=RANK, precision=precision, **AS_THE_SCRIPT)
    return Dreambooth(precision=precision, **AS_THE_SCRIPT)


def images(model: StableDiffusionModel, count: int, prompts: tuple[str, ...]) -> PromptedImages:
    """Random ones, of the prompts in turn."""
    shape = (count, model.height, model.width, model.channels)
    of = np.arange(count, dtype=np.int64) % len(prompts)
    return PromptedImages(
        np.random.default_rng(len(prompts)).integers(0, 256, shape, dtype=np.uint8),
        tuple(prompts[i] for i in of),
        np.ones(count),
        of,
    )


def ours(
    model: StableDiffusionModel,
    how: Finetuner,
    tuning_set: PromptedImages,
    prior: PromptedImages | None,
    budget: Budget,
) -> tuple[list[float], float]:
    """Tune as tgap does.

    Returns:
        The loss of each step, and the seconds of all steps: from the first pass of the denoiser to
        the last loss that is told. What comes before and after is done once, however many they are.
    """
    begun: list[float] = []
    # the copy that is trained takes the hook along
    hook = model.denoiser.register_forward_pre_hook(lambda *_: begun.append(time.perf_counter()))
    losses: list[float] = []
    ended: list[float] = []

    def log(_: int, values: dict[str, float]) -> None:
        losses.append(values["loss"])
        ended.append(time.perf_counter())

    try:
        how.finetune(model, tuning_set, prior, budget, np.random.default_rng(0), log)
        return losses, ended[-1] - begun[0]
    finally:
        hook.remove()


def theirs(
    kind: str,
    model: StableDiffusionModel,
    tuning_set: PromptedImages,
    prior: PromptedImages,
    budget: Budget,
) -> tuple[list[float], float]:
    """Tune as the scripts do."""
    seeds = reference.Seeds.of(np.random.default_rng(0))
    unet = copy.deepcopy(model.denoiser).requires_grad_(True)
    if kind == "lora":
        reference.with_lora(unet, RANK, seeds.start)
    return reference.train(model.pipeline, unet, tuning_set, prior, budget, seeds)


def _against_the_script(kind: str, target: float, scale: Scale) -> list[Row]:
    with TemporaryDirectory() as name:
        model = pipelines.loaded(Path(name), scale.quick)
        budget = Budget(steps=2 if scale.quick else 4, batch_size=4, learning_rate=1e-5)
        sets = [images(model, 8, ("tuned", "more")[:n]) for n in (2, 1)]
        run = functools.partial(ours, model, finetuner(kind), *sets, budget)
        script = functools.partial(theirs, kind, model, *sets, budget)
        taken = in_turn([lambda: script()[1], lambda: run()[1]], scale)
    script_name = "train_dreambooth_lora.py" if kind == "lora" else "train_dreambooth.py"
    size = f"{budget.batch_size} + {budget.batch_size} of {model.height} px"
    what = f"{'LoRA' if kind == 'lora' else 'DreamBooth'}, {size}"
    step = min(taken[1]) / budget.steps
    return [
        Row(what, f"{script_name}, best flags", ratios(*taken), "x", target, f"{step:.2f} s a step")
    ]


def dreambooth(scale: Scale) -> list[Row]:
    """All weights of the UNet, equal mathematics."""
    return _against_the_script("dreambooth", 1.6, scale)


def lora(scale: Scale) -> list[Row]:
    """LoRA, equal mathematics."""
    return _against_the_script("lora", 1.5, scale)


def bfloat16(scale: Scale) -> list[Row]:
    """Both in bfloat16; nothing where the processor lacks it."""
    rows: list[Row] = []
    if not (scale.quick or has_bfloat16()):
        return rows
    with TemporaryDirectory() as name:
        model = pipelines.loaded(Path(name), scale.quick)
        budget = Budget(steps=2 if scale.quick else 4, batch_size=4, learning_rate=1e-5)
        sets = [images(model, 8, ("tuned", "more")[:n]) for n in (2, 1)]
        for kind, what in (("dreambooth", "DreamBooth"), ("lora", "LoRA")):
            exact, half = (
                functools.partial(ours, model, finetuner(kind, precision), *sets, budget)
                for precision in ("float32", "bfloat16")
            )
            taken = in_turn([lambda e=exact: e()[1], lambda h=half: h()[1]], scale)
            what = f"{what}, finetuner.precision=bfloat16"
            rows.append(Row(what, "the same in float32", ratios(*taken), "x", 1.3))
    return rows


def compiled(scale: Scale) -> list[Row]:
    """Both with compiled blocks; the first round, which does not count, compiles them."""
    rows: list[Row] = []
    with TemporaryDirectory() as name:
        plain, faster = (
            pipelines.loaded(Path(name), scale.quick, compile=chosen) for chosen in (False, True)
        )
        budget = Budget(steps=2 if scale.quick else 4, batch_size=4, learning_rate=1e-5)
        sets = [images(plain, 8, ("tuned", "more")[:n]) for n in (2, 1)]
        for kind, what in (("dreambooth", "DreamBooth"), ("lora", "LoRA")):
            with_and_without = [
                functools.partial(ours, model, finetuner(kind), *sets, budget)
                for model in (plain, faster)
            ]
            taken = in_turn([lambda run=run: run()[1] for run in with_and_without], scale)
            what = f"{what}, generator.compile=true"
            rows.append(Row(what, "the same without", ratios(*taken), "x", None))
    return rows


def active(scale: Scale) -> list[Row]:
    """Oracles on the packaged model, whole tuning runs at equal steps."""
    model = pipelines.miniature()
    budget = Budget(steps=2 if scale.quick else 50, batch_size=4 if scale.quick else 32)
    tuning_set = images(model, 8 if scale.quick else 200, ("odd", "even"))

    def tune(oracle: Oracle) -> None:
        how = Dreambooth(prior_weight=0, oracle=oracle)
        how.finetune(model, tuning_set, None, budget, np.random.default_rng(0), lambda *_: None)

    oracles: list[Oracle] = [NoOracle(), Quantile(score=Generated()), Quantile(score=OneStep())]
    plain, bank, step = in_turn([functools.partial(tune, each) for each in oracles], scale)
    against = "the same without an oracle, equal steps"
    return [
        Row("active selection, drawn every 25 steps", against, ratios(plain, bank), "x", 0.9),
        Row("active selection, one step", against, ratios(plain, step), "x", 0.8),
    ]
