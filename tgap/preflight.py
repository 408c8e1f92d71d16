"""What can be known to go wrong before the first run starts."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tgap.artifacts import read_images, read_split
from tgap.config import Run
from tgap.errors import TgapError
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
    counts: dict[str, dict[str, int] | str] = {}
    for run in runs:
        key = plan(run).split.key
        if key not in counts:
            counts[key] = _pool_counts(run, store)
        found = counts[key]
        if isinstance(found, str):
            problems.append(found)
        else:
            problems += check_size(run, found) + check_prompts(run, list(found))
    return list(dict.fromkeys(problems))


def check_files(runs: Sequence[Run]) -> list[str]:
    """Problems with the generators' files, looked at without loading them."""
    generators = {(run.generator.stem(), run.generator.path): run.generator for run in runs}
    return [problem for generator in generators.values() for problem in generator.check()]


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


def _pool_counts(run: Run, store: Store) -> dict[str, int] | str:
    """Images per label in the pool, or what is wrong with the data."""
    artifacts: dict[str, Artifact] = {}
    try:
        prepare(run, store, plan(run), artifacts)
    except TgapError as error:
        return str(error)
    data, pool = read_images(artifacts["dataset"]), read_split(artifacts["split"]).pool
    counts = np.asarray(data.labels[pool]).sum(axis=0).tolist()
    return dict(zip(data.label_names, counts, strict=True))
