"""Whether weights, devices and time will do, before any image is read."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tgap.classifiers.base import Classifier
from tgap.composition.config import Run
from tgap.core.component import Component
from tgap.core.device import torch_device
from tgap.core.digest import canonical_json
from tgap.core.errors import ConfigError, TgapError
from tgap.core.settings import Budget, Sampler
from tgap.embedders.base import Embedder
from tgap.evaluators.base import Evaluator
from tgap.finetuners.base import Finetuner
from tgap.generators.base import Generator, Pretrained
from tgap.pipeline.preflight.disk import denoiser_numbers
from tgap.selectors.base import Selector

USUAL = (859_520_964, 512, 512)
"""Parameters, height and width of Stable Diffusion 1.5."""


FLOP = 803.3e9 / math.prod(USUAL)
"""Of a denoiser's pass per parameter and pixel: Stable Diffusion 1.5's, counted."""


CPU_FLOPS = 5e11
"""What a fast CPU reaches in a denoiser, per second (an estimate)."""


LONGEST = 7
"""Days that a CPU may draw without being asked for by name."""


ANY_SHAPE = (512, 512, 3)
"""Of images, where only the weights are asked about: large enough for every network."""


def check_all_weights(runs: Sequence[Run]) -> list[str]:
    """What the components of runs lack, each asked once."""
    checked: dict[str, list[str]] = {}
    for run in runs:
        parts = {
            name: part for name, part in vars(run).items() if run.selects or name != "selector"
        }
        asked = canonical_json([part.identity() for part in _checking(run).values()])
        if asked not in checked:
            checked[asked] = check_weights(parts)
    return list(dict.fromkeys(text for found in checked.values() for text in found))


def check_weights(parts: Mapping[str, Any]) -> list[str]:
    """What classifier, embedders, evaluators and finetuner lack, before any image is read.

    Args:
        parts: Components and settings by their names in ``Run``.
    """
    problems: list[str] = []
    if isinstance(classifier := parts.get("classifier"), Classifier):
        problems += classifier.check(shape_before(parts))
    others: list[Component | None] = [parts.get("finetuner")]
    if isinstance(selector := parts.get("selector"), Selector):
        others.append(selector.embedder_used())
    others += parts.get("evaluators", {}).values()
    for part in others:
        if isinstance(part, Embedder | Evaluator | Finetuner):
            problems += part.check()
    return list(dict.fromkeys(problems))


def shape_before(parts: Mapping[str, Any]) -> tuple[int, int, int]:
    """Of the images that the classifier will get, as far as settings tell it.

    Args:
        parts: Components and settings by their names in ``Run``.
    """
    storage, generator, dataset = (parts.get(name) for name in ("storage", "generator", "dataset"))
    if (kept := getattr(storage, "image_size", None)) is not None:
        return (kept, kept, 3)
    try:
        drawn = generator.image_shape() if isinstance(generator, Generator) else None
    except TgapError:  # its own check tells
        drawn = None
    if drawn is not None:
        return drawn
    side = getattr(dataset, "image_size", None) or getattr(dataset, "size", None)
    return ANY_SHAPE if side is None else (side, side, 3)


def check_work(generator: Pretrained, budget: Budget, sampler: Sampler) -> list[str]:
    """Whether drawing the synthetic set would take a CPU longer than anybody wants to wait.

    Only if the device is left to chance: whoever sets it may wait. Nothing is loaded for it, and
    torch is imported only where it matters.
    """
    try:
        numbers = denoiser_numbers(generator)
        height, width, _ = generator.image_shape()
    except TgapError:  # its own check tells; it may well be of the usual size
        numbers, height, width = USUAL
    images = 2 * (budget.train_per_label + budget.test_per_label)
    passes = images * sampler.steps * (2 if sampler.guidance > 1 else 1)
    days = passes * numbers * height * width * FLOP / CPU_FLOPS / 86_400
    if days < LONGEST or generator.device != "auto" or torch_device("auto").type != "cpu":
        return []
    return [
        f"there is no CUDA device here, and on a CPU generator '{generator.title()}' would take an "
        f"estimated {days:,.0f} days or more to draw {images:,} images of {height} x {width} in "
        f"{sampler.steps} steps; run it on a machine whose torch sees its GPU (python -c 'import "
        "torch; print(torch.cuda.is_available())'), or set generator.device=cpu (or mps) if you "
        "mean it, with budget.train_per_label, budget.test_per_label and sampler.steps cut down"
    ]


def _checking(run: Run) -> dict[str, Component]:
    """Components that know of themselves what can go wrong."""
    parts: dict[str, Component] = {"classifier": run.classifier}
    embedder = run.selector.embedder_used() if run.selects else None
    if embedder is not None:
        parts["selector.embedder"] = embedder
    if run.finetuner.tunes:
        parts["finetuner"] = run.finetuner
    return parts | {f"evaluators.{name}": part for name, part in run.evaluators.items()}


def check_files(runs: Sequence[Run]) -> list[str]:
    """Problems with the generators' files, looked at without loading them."""
    problems = [problem for run in runs for problem in run.generator.check()]
    for run in runs:
        if isinstance(run.generator, Pretrained):
            problems += check_work(run.generator, run.budget, run.sampler)
    return list(dict.fromkeys(problems)) + check_devices(runs)


def check_devices(runs: Sequence[Run]) -> list[str]:
    """Devices that are named and not there; torch is imported only if one is named."""
    asked = {run.classifier.device for run in runs}
    asked |= {run.generator.device for run in runs if isinstance(run.generator, Pretrained)}
    problems: list[str] = []
    for device in sorted(asked - {"auto", "cpu"}):
        try:
            torch_device(device)
        except ConfigError as error:
            problems += error.problems
    return problems
