"""Runs of known numbers, and what a report about them is made from."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from zlib import crc32

import numpy as np

from tgap.analysis.comparison import Asked, compare
from tgap.analysis.rows import ArtifactCost, PlannedRun, RunRow
from tgap.core import Scores
from tgap.metrics.legs import numbers_with_intervals
from tgap.report.runs.content import Content, RecordedRun, Sample

SETTINGS = {
    "generator.class": "tiny_ldm",
    "dataset.class": "digits",
    "sampler.guidance": "3.0",
    "protocol.class": "clean",
    "size_unit": "label",
}


def row(
    method: str = "a",
    size: int | None = 100,
    seed: int = 0,
    tstr: float = 0.8,
    trts: float = 0.9,
    labels: Sequence[str] = ("even", "odd"),
    **changes: Any,
) -> RunRow:
    """A finished run; part of the noise of resampled test images is the same for all."""
    legs = {"tstr": tstr, "trts": trts, "trtr": 0.95, "tsts": 0.9}
    shared = np.random.default_rng(99).normal(0, 0.005, 200)
    own = np.random.default_rng(crc32(f"{method} {size} {seed}".encode())).normal(
        0, 0.003, (2, 200)
    )
    noise = {"r": shared + own[0], "s": own[1]}
    metrics = {
        **{name: float(value) for name, value in numbers_with_intervals(legs).items()},
        "fter/meaningful": 1.0,
        "memorization/copied_fraction": 0.01,
        "memorization/copied_false_alarms": 0.01,
        "memorization/tuning_known": 1.0,
        "seconds/finetune": 10.0 + seed,
        "reused/finetune": 0.0,
        "seconds/prepare": 0.0,
        "reused/prepare": 1.0,
        "cost/images_seen": 640.0,
        "cost/work": 1920.0,
        "images/real_test": 1000.0,
    }
    for at, label in enumerate(labels):
        for leg, value in (("tstr", tstr - 0.01 * at), ("trtr", 0.95)):
            metrics |= ends_of(f"{leg}/auroc_{label}", value, 0.02)
    given = {
        "method": method,
        "method_key": f"key of {method}",
        "size": size,
        "seed": seed,
        "evaluation_key": f"{method} {size} {seed} {changes.get('settings')}",
        "settings": SETTINGS,
        "metrics": metrics,
        "resampled": {leg: value + noise[leg[3]] for leg, value in legs.items()},
        "costs": [
            ArtifactCost("prepare", "dataset", 1.0),  # of all runs
            ArtifactCost("finetune", f"prior {method}", 2.0),
            ArtifactCost("finetune", f"{method} {size} {seed}", 8.0 + seed),
        ],
    }
    return RunRow(**(given | changes))


def ends_of(name: str, value: float, half: float) -> dict[str, float]:
    """A number with its ends."""
    return {name: value, f"{name}/lo": value - half, f"{name}/hi": value + half}


def rows(
    better: dict[str, float], sizes: Sequence[int] = (100,), seeds: int = 3, **changes: Any
) -> list[RunRow]:
    """Rows of methods whose TSTR is .8 and so much more, nearly the same in each seed."""
    return [
        row(method, size, seed, 0.8 + more + _luck(method, size, seed), **changes)
        for method, more in better.items()
        for size in sizes
        for seed in range(seeds)
    ]


def _luck(*of: object) -> float:
    """What a seed adds, up to .005 up or down."""
    return 0.01 * (crc32(repr(of).encode()) % 1000 / 1000 - 0.5)


def images(count: int, side: int = 8, channels: int = 1, seed: int = 0) -> np.ndarray:
    """Noise."""
    shape = (count, side, side, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def sample(run: RunRow, labels: Sequence[str] = ("even", "odd"), side: int = 8) -> Sample:
    """Images and scores."""
    rng = np.random.default_rng(1)
    truth = np.eye(len(labels), dtype=bool)[np.arange(40 * len(labels)) % len(labels)]
    logits = (truth + rng.normal(0, 1, truth.shape)).astype(np.float32)
    scores = Scores(logits, truth, tuple(labels))
    blocks = [images(4, side, seed=at) for at in range(min(8, len(labels)))]
    return Sample(
        run,
        label_names=labels[:8],
        real=blocks,
        tuning=blocks,
        synthetic=blocks,
        nearest=blocks,
        similarity=[[0.5, 0.7, 0.2, 0.1]] * len(blocks),
        legs={"tstr": scores, "trtr": scores},
        versions={"tgap": "0.1.0", "torch": "2.0"},
    )


def content_of(
    finished: Sequence[RunRow],
    missing: Sequence[PlannedRun] = (),
    samples: bool = True,
    reference: str | None = None,
    **of_samples: Any,
) -> Content:
    """A report's content, with a sample of each method and kind of settings."""
    first = {(one.method_key, str(one.settings)): one for one in reversed(finished)}
    comparison = compare(finished, missing, Asked(reference))
    return Content(
        "Runs",
        "tgap report --out out",
        comparison,
        [RecordedRun(one, f"{at:016x}", "size=100 -m") for at, one in enumerate(finished)],
        [sample(one, **of_samples) for one in reversed(first.values())] if samples else [],
        sum(len(group.missing) for group in comparison.groups),
    )


def without(run: RunRow, *names: str) -> RunRow:
    """A run that lacks some metrics."""
    kept = {name: value for name, value in run.metrics.items() if not name.startswith(names)}
    return replace(run, metrics=kept)
