"""What can be known to go wrong before the first run starts, and what each run will make."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tgap.classifiers.base import Classifier
from tgap.composition.config import Run
from tgap.core import Component, ConfigError, TgapError
from tgap.core.component import walk
from tgap.core.network import why_no_hub
from tgap.core.settings import Storage
from tgap.datasets.base import Dataset
from tgap.generators.base import Generator, Pretrained
from tgap.pipeline.plan import Identities, Plan, plan
from tgap.pipeline.preflight.data import check_data, check_declared_shape, check_shapes
from tgap.pipeline.preflight.devices import check_devices
from tgap.pipeline.preflight.disk import check_disk, check_room_for_data
from tgap.pipeline.preflight.listed import check_listed
from tgap.pipeline.preflight.work import check_work
from tgap.store import Store

C = TypeVar("C", bound=Component)


def check_runs(runs: Sequence[Run], home: Path) -> list[Plan]:
    """Plan runs, and check them against the store, the disk, the generators' files and the data.

    Components, devices, and room for the data come first, all told together. Then each dataset is
    read and split once (into the store, where the runs find it).

    Args:
        runs: Runs whose configurations are sound in themselves.
        home: Folder of the store.

    Returns:
        What each run will make.

    Raises:
        ConfigError: With each problem once, if a run cannot start.
    """
    plans = plan_runs(runs, home)
    check_plans(plans, home)
    return plans


def check_plans(
    plans: Sequence[Plan], home: Path, *, others_sound: bool = True, at_once: int = 1
) -> None:
    """The second half of ``check_runs``: whether runs that are planned fit data and disk.

    Args:
        plans: Of the runs.
        home: Folder of the store.
        others_sound: Whether nothing is wrong with other runs of the same command. If it is,
            what takes loading a network is told once that is mended.
        at_once: How many of them are done at a time.

    Raises:
        ConfigError: As ``check_runs``.
    """
    store = Store(home / "store")
    # The disk last: what a run takes depends on the shape of its images.
    _require_none(check_listed(plans, store))
    _require_none(check_data(plans, store, loading=others_sound))
    _require_none(check_disk(plans, store, home, at_once))


def plan_runs(runs: Sequence[Run], home: Path) -> list[Plan]:
    """The first half of ``check_runs``: all that is known before a dataset is read.

    Raises:
        ConfigError: As ``check_runs``.
    """
    problems = check_components(run.components() for run in runs)
    problems += [text for run in runs for text in check_domain(run.dataset)]
    as_asked, runs = runs, [run.fitted() for run in runs]
    for run in runs:
        problems += check_work(run.generator, run.budget, run.sampler, run.drawing)
        problems += check_devices(run)
    problems = problems or [
        *check_sizes([vars(run) for run in runs]),
        *(text for run in runs for text in check_declared_shape(run)),
        *check_one_size(as_asked, runs),
    ]
    # Planning lists the files of datasets and reads generators' weights: only once they are there.
    identities = Identities()
    try:
        store = Store(home / "store")
        datasets = distinct(dataset for run in runs for dataset in run.datasets())
        room = store.check_writable() or check_room_for_data(datasets, identities, store)
        _require_none([*problems, *room])
        # Once nothing else is wrong, because it may read gigabytes and import torch.
        generators = distinct(run.generator for run in runs)
        _require_none([text for each in generators for text in each.check_weights()])
        _require_none([text for run in runs for text in check_tuning(run)])
        return [plan(run, identities) for run in runs]
    except ConfigError:
        raise
    except TgapError as error:
        raise ConfigError(*dict.fromkeys([*problems, str(error)])) from error


def check_components(several: Iterable[Mapping[str, Component]]) -> list[str]:
    """What components, those of runs, and their parts find wrong with themselves.

    Args:
        several: A run's components by path, for each run. Equal ones are asked once: to answer may
            take loading a network.
    """
    asked: list[tuple[str, Component]] = []
    for path, component in (pair for components in several for pair in walk(components)):
        if all(component != other for _, other in asked):
            asked.append((path, component))
    problems = [_at(path, text) for path, component in asked for text in component.check()]
    fetching = [(path, component) for path, component in asked if component.may_fetch()]
    # Whoever has a wrong path shall not wait for gigabytes to learn of it.
    if fetching and (not problems or why_no_hub() is not None):
        problems += [_at(path, text) for path, component in fetching for text in component.fetch()]
    return problems


def _at(path: str, text: str) -> str:
    return f"{path}: {text}" if "." in path else text


def check_domain(dataset: Dataset) -> list[str]:
    """Whether prompts can be made: a run needs them, and looking at a dataset does not."""
    if dataset.domain:
        return []
    return ["dataset.domain must name what the images show, for the prompts; got ''"]


def check_tuning(run: Run) -> list[str]:
    """Whether the finetuner can tune the networks of the generator, whose files are sound."""
    if not run.finetuner.tunes or not isinstance(run.generator, Pretrained):
        return []
    return run.finetuner.check_networks(run.generator.networks())


def check_sizes(several: Iterable[Mapping[str, Any]]) -> list[str]:
    """Whether classifiers can take the images that they will get, as far as settings tell these.

    Args:
        several: For each run, components and settings by their names in ``Run``.
    """
    pairs: list[tuple[Classifier, tuple[int, ...]]] = []
    for parts in several:
        classifier, shape = parts.get("classifier"), expected_shape(parts)
        if isinstance(classifier, Classifier) and shape is not None:
            pairs.append((classifier, shape))
    return check_shapes(pairs)


def check_one_size(as_asked: Sequence[Run], runs: Sequence[Run]) -> list[str]:
    """Whether controls read their images as the generators that they stand beside.

    Args:
        as_asked: Runs whose datasets may leave their size open.
        runs: The same, with it set.
    """
    open_ones = [
        (run.generator.image_shape() is None, run.dataset.image_side())
        for asked, run in zip(as_asked, runs, strict=True)
        if asked.dataset.is_open()
    ]
    sides = sorted({side for _, side in open_ones if side is not None})
    if len(sides) < 2 or not any(draws_none for draws_none, _ in open_ones):
        return []
    return [
        f"dataset.size must be set in this sweep: its generators draw images of {sides[0]} to "
        f"{sides[-1]} pixels a side, and its controls take what the dataset has; set "
        f"dataset.size={sides[0]}, or what the generator draws that they are compared with"
    ]


def expected_shape(parts: Mapping[str, Any]) -> tuple[int, int, int] | None:
    """Of the images that the classifier will get; ``None`` if only the data can tell."""
    storage, generator, dataset = (parts.get(name) for name in ("storage", "generator", "dataset"))
    if isinstance(storage, Storage) and storage.image_size is not None:
        return (storage.image_size, storage.image_size, 3)
    drawn = generator.image_shape() if isinstance(generator, Generator) else None
    side = dataset.image_side() if isinstance(dataset, Dataset) else None
    return drawn if drawn is not None or side is None else (side, side, 3)


def distinct(components: Iterable[C]) -> list[C]:
    """Equal components once."""
    kept: list[C] = []
    for component in components:
        if component not in kept:
            kept.append(component)
    return kept


def _require_none(problems: Sequence[str]) -> None:
    if problems:
        raise ConfigError(*dict.fromkeys(problems))
