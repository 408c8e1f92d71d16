"""What can be known to go wrong before the first run starts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tgap.artifacts import read_images, read_split
from tgap.config import Run
from tgap.device import torch_device
from tgap.errors import ConfigError, TgapError
from tgap.pipeline import prepare
from tgap.plan import plan
from tgap.settings import fill
from tgap.store import Artifact, Store


def check_runs(runs: Sequence[Run], home: Path) -> list[str]:
    """Check runs against the store, the generators' files and the data.

    Each dataset is read and split once (into the store, where the runs find it).

    Args:
        runs: Runs whose configurations are sound in themselves.
        home: Folder of the store.

    Returns:
        Problems as sentences, each once; none if all runs can start.
    """
    problems = check_files(runs)
    if problems:
        return problems
    try:
        store = Store(home / "store")
        problems = store.check_writable()
    except TgapError as error:
        return [str(error)]
    if problems:
        return problems
    described: dict[str, _Pool | str] = {}
    for run in runs:
        key = plan(run).split.key
        if key not in described:
            described[key] = _pool(run, store)
        pool = described[key]
        if isinstance(pool, str):
            problems.append(pool)
            continue
        problems += check_size(run, pool.label_counts)
        problems += check_prompts(run, list(pool.label_counts))
        problems += check_shape(run, pool.image_shape)
    return list(dict.fromkeys(problems))


def check_files(runs: Sequence[Run]) -> list[str]:
    """Problems with the generators' files, looked at without loading them."""
    generators = {(run.generator.stem(), run.generator.path): run.generator for run in runs}
    problems = [problem for generator in generators.values() for problem in generator.check()]
    return problems + check_devices(runs)


def check_devices(runs: Sequence[Run]) -> list[str]:
    """Devices that are named and not there; torch is imported only if one is named."""
    asked = {part.device for run in runs for part in (run.generator, run.classifier)}
    problems: list[str] = []
    for device in sorted(asked - {"auto", "cpu"}):
        try:
            torch_device(device)
        except ConfigError as error:
            problems += error.problems
    return problems


def check_size(run: Run, pool_counts: dict[str, int]) -> list[str]:
    """Whether the selector can pick ``size`` images per label from such a pool."""
    label, available = min(pool_counts.items(), key=lambda item: item[1])
    if not run.finetuner.tunes or run.selector.repeats or run.size <= available:
        return []
    return [
        f"size must be at most {available}, the pool's images of label '{label}' "
        f"(dataset={run.dataset.title()}), got {run.size}: selector '{run.selector.title()}' does "
        "not repeat images; choose a smaller size, a larger pool_size, or a selector that repeats"
    ]


def check_prompts(run: Run, label_names: Sequence[str]) -> list[str]:
    """Whether the prior's prompt is apart from every label's tuning prompt."""
    domain = run.dataset.domain
    prior = fill(run.prompts.prior, "", domain)
    same = [name for name in label_names if fill(run.prompts.tuning, name, domain) == prior]
    if not same or run.finetuner.prior_images() == 0:
        return []
    return [
        f"prompts.prior must differ from the tuning prompts, but equals that of label '{same[0]}' "
        f"({prior!r}): it would be trained back to the untuned model"
    ]


def check_shape(run: Run, shape: tuple[int, ...]) -> list[str]:
    """Whether the dataset's images are such as the generator draws: classifiers see both."""
    expected = run.generator.image_shape()
    if shape == expected:
        return []
    return [
        f"images must be {expected} (height, width, channels) for generator "
        f"'{run.generator.title()}', but dataset '{run.dataset.title()}' has {shape}; choose "
        "another dataset or generator"
    ]


@dataclass(frozen=True)
class _Pool:
    """What the checks need to know of a pool."""

    label_counts: dict[str, int]
    image_shape: tuple[int, ...]


def _pool(run: Run, store: Store) -> _Pool | str:
    """The run's pool, or what is wrong with the data."""
    artifacts: dict[str, Artifact] = {}
    try:
        prepare(run, store, plan(run), artifacts)
    except TgapError as error:
        return str(error)
    data, pool = read_images(artifacts["dataset"]), read_split(artifacts["split"]).pool
    counts = np.asarray(data.labels[pool]).sum(axis=0).tolist()
    return _Pool(dict(zip(data.label_names, counts, strict=True)), data.images.shape[1:])
