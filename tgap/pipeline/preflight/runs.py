"""What can be known to go wrong before the first run starts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tgap.composition.config import Run
from tgap.core.digest import canonical_json
from tgap.core.errors import TgapError
from tgap.generators.base import Generator, Pretrained
from tgap.pipeline.plan import plan
from tgap.pipeline.preflight.data import (
    Pool,
    check_external,
    check_prompts,
    check_ready_made,
    check_shape,
    check_size,
    pool_of,
)
from tgap.pipeline.preflight.disk import check_disk, check_room_for_data
from tgap.pipeline.preflight.weights import (
    check_all_weights,
    check_files,
    check_weights,
    check_work,
)
from tgap.store import Store


def check_runs(runs: Sequence[Run], home: Path) -> list[str]:
    """Check runs against the store, the generators' files and the data.

    Files, weights, devices and room for the data come first, all told together. Then each dataset
    is read and split once (into the store, where the runs find it).

    Args:
        runs: Runs whose configurations are sound in themselves.
        home: Folder of the store.

    Returns:
        Problems as sentences, each once; none if all runs can start.
    """
    problems = check_files(runs)
    datasets = [
        each
        for run in runs
        for each in (run.dataset, *run.external.values(), *run.ready_made().values())
    ]
    try:
        store = Store(home / "store")
        problems += store.check_writable() or check_room_for_data(datasets, store)
    except TgapError as error:
        return [*problems, str(error), *check_all_weights(runs)]
    if problems := [*problems, *check_all_weights(runs)]:
        return list(dict.fromkeys(problems))
    checked: dict[str, list[str]] = {}
    pools: dict[str, Pool | str] = {}
    for run in runs:
        its = plan(run)
        key = "+".join(
            spec.key for spec in (its.split, *its.external.values(), *its.ready_made.values())
        )
        if key not in pools:
            pools[key] = pool_of(run, store, its)
        pool = pools[key]
        if isinstance(pool, str):
            problems.append(pool)
            continue
        problems += check_size(run, pool.images)
        problems += check_prompts(run, pool.images)
        problems += check_shape(run, pool.shape)
        problems += check_external(its, pool, store)
        problems += check_ready_made(its, pool, store)
        side = run.storage.image_size
        shape = pool.shape if side is None else (side, side, pool.shape[2])
        asked = canonical_json([shape, run.classifier.identity()])
        if asked not in checked:
            checked[asked] = run.classifier.check(shape)
        problems += checked[asked]
    return list(dict.fromkeys(problems)) or check_disk(
        runs, [plan(run) for run in runs], store, home
    )


def check_parts(parts: Mapping[str, Any]) -> list[str]:
    """What is wrong with the sound parts of a run that is not sound as a whole.

    So that whoever lacks the data learns at once that weights and a GPU are missing too.

    Args:
        parts: Components and settings by their names in ``Run``.
    """
    problems: list[str] = []
    generator = parts.get("generator")
    if isinstance(generator, Generator):
        problems += generator.check()
        if isinstance(generator, Pretrained) and {"budget", "sampler"} <= parts.keys():
            problems += check_work(generator, parts["budget"], parts["sampler"])
    return problems + check_weights(parts)
