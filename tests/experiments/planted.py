"""Runs of a world whose truth is known."""

from collections.abc import Callable
from typing import Any
from zlib import crc32

import numpy as np

from tests.report.runs.planted import row
from tgap.analysis.rows import RunRow

SETTINGS = {
    "generator.class": "tiny_ldm",
    "dataset.class": "digits",
    "sampler.guidance": "3.0",
    "protocol.class": "clean",
    "budget.steps": "300",
    "size_unit": "total",
}
Legs = Callable[[str, int | None], tuple[float, float]]


def luck(*of: object) -> float:
    """What a seed adds: about .004 up or down."""
    return float(np.random.default_rng(crc32(repr(of).encode())).normal(0, 0.004))


def run(method: str, size: int | None, seed: int, tstr: float, trts: float, **more: Any) -> RunRow:
    """A finished run."""
    settings = SETTINGS | more.pop("settings", {})
    metrics = more.pop("metrics", {})
    key = (method, size, seed, tuple(settings.items()))
    made = row(
        method,
        size,
        seed,
        tstr + luck("tstr", *key),
        trts + luck("trts", *key),
        settings=settings,
        **more,
    )
    found = made.metrics | {"tstr/accuracy": made.metrics["tstr/auroc"] - 0.05} | metrics
    return RunRow(**{name: getattr(made, name) for name in vars(made)} | {"metrics": found})


def runs(
    legs: Legs, methods: dict[str, tuple[int | None, ...]], seeds: int = 8, **more: Any
) -> list[RunRow]:
    """Runs of methods at sizes, with what ``legs`` says of each."""
    return [
        run(method, size, seed, *legs(method, size), **more)
        for method, sizes in methods.items()
        for size in sizes
        for seed in range(seeds)
    ]
