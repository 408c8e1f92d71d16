"""Checks every run of a command line before the first one starts, and plans them.

Hydra alone reports only the first mistake, and would run job 1 of ``size=500,99999999``.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tgap.composition.compose import compose_run, composed_sweep, hydra_ready, sound_parts
from tgap.composition.config import Run, components_in
from tgap.composition.sweeps import expand, repeats, tell_idle
from tgap.composition.typed import readable
from tgap.core import ConfigError
from tgap.core.files import home_folder
from tgap.pipeline.plan import Plan
from tgap.pipeline.preflight.runs import (
    check_components,
    check_domain,
    check_plans,
    check_sizes,
    plan_runs,
)
from tgap.pipeline.preflight.work import check_work
from tgap.store import Store
from tgap.sweeps.few import folds_of
from tgap.sweeps.forecast import Forecast, forecast
from tgap.sweeps.identity import Planned, planned
from tgap.sweeps.varying import what_varies
from tgap.sweeps.workers import workers_of
from tgap.tracking.server import resolve_uri

if TYPE_CHECKING:
    from hydra._internal.hydra import Hydra
    from omegaconf import DictConfig

Require = Callable[[Sequence[Run]], object]


@dataclass(frozen=True)
class CheckedRuns:
    """A command line whose runs may all start.

    Args:
        hydra: Ready to compose.
        overrides: The words.
        config: Of a whole sweep; ``None`` of a single run.
        jobs: The words of each run.
        runs: What each is.
        expected: What they will take.
        workers: How many are done at a time.
        config_dir: A further folder of configs, absolute.
    """

    hydra: "Hydra"
    overrides: Sequence[str]
    config: "DictConfig | None"
    jobs: Sequence[list[str]]
    runs: Sequence[Planned]
    expected: Forecast
    workers: int
    config_dir: str | None = None

    @property
    def words(self) -> list[str]:
        """What stands behind ``tgap run``, but ``-m``."""
        flags = [] if self.config_dir is None else ["--config-dir", self.config_dir]
        return [*flags, *self.overrides]

    def __str__(self) -> str:
        """How many runs of what there are."""
        return what_varies(self.jobs) if self.config is not None else self.runs[0].name


@contextmanager
def checked(
    overrides: Sequence[str],
    *,
    sweep: bool,
    config_dir: str | None = None,
    gpu: str | None = None,
    require: Require | None = None,
) -> Iterator[CheckedRuns]:
    """Inside, all runs of a command line are checked, and what they will take is known.

    A single run of few images is done in folds, as a sweep, unless it says how images are divided.

    Args:
        overrides: Hydra overrides; with commas if ``sweep``.
        sweep: Whether the overrides are to be expanded (Hydra's ``-m``).
        config_dir: A further folder of configs.
        gpu: What the forecast is for, if not this machine; see ``Rates``.
        require: Refuses runs by a ``ConfigError`` before their data are read.

    Raises:
        ConfigError: With every wrong value and combination of every run.
    """
    home = home_folder()
    resolve_uri(home)  # a kind of tracking that MLflow has not is told now
    with hydra_ready(config_dir) as hydra:
        overrides = readable(overrides, several=sweep)
        jobs = expand(hydra, overrides) if sweep else [list(overrides)]
        config = _swept_config(hydra, overrides) if sweep else None  # needs its launcher
        plans, problems = plan_jobs(hydra, jobs, require)
        single = not (sweep or problems)
        if single and (folds := folds_of(plans[0], overrides, Store(home / "store"))):
            overrides, sweep = folds, True
            jobs, config = expand(hydra, overrides), _swept_config(hydra, overrides)
            plans, problems = plan_jobs(hydra, jobs, require)
        tell_idle(overrides, sweep=sweep)
        workers = 1 if config is None else workers_of(config.hydra.launcher, len(jobs))
        runs = _checked(jobs, plans, problems, workers)
        # Hydra's launchers may change the folder or the process: from here on it is absolute.
        with environment(TGAP_HOME=str(home)):
            expected = forecast([job.plan for job in runs], home, gpu)
            folder = None if config_dir is None else str(Path(config_dir).absolute())
            yield CheckedRuns(hydra, overrides, config, jobs, runs, expected, workers, folder)


def _swept_config(hydra: "Hydra", overrides: Sequence[str]) -> "DictConfig":
    """What Hydra composes of a whole sweep: where it writes, and what launches the runs."""
    return composed_sweep(hydra, all_swept(overrides))


def all_swept(overrides: Sequence[str]) -> list[str]:
    """Overrides of one value as a choice among one.

    Hydra first composes a sweep's configuration without what is swept. Settings of a swept group
    (``selector=a,b selector/pick=closest``) would be refused there, because the group's default
    may not have them. No value is read there, and Hydra has no choice among nothing or ``null``.

    >>> all_swept(["size=1,2", "selector/pick=closest", "dataset.path=", "hydra.verbose=true"])
    ['size=1,2', 'selector/pick=choice(closest)', "dataset.path=choice('')", 'hydra.verbose=true']
    >>> all_swept(["pool_size=null"])
    ["pool_size=choice('null')"]
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser

    words = []
    for text, override in zip(
        overrides, OverridesParser.create().parse_overrides(list(overrides)), strict=True
    ):
        key, equals, value = text.partition("=")
        single = bool(equals) and not override.is_sweep_override()
        hydras = key.lstrip("+~").startswith("hydra")
        one = f"'{value.strip()}'" if value.strip() in ("", "null") else value
        words.append(f"{key}=choice({one})" if single and not hydras else text)
    return words


@contextmanager
def environment(**variables: str) -> Iterator[None]:
    """Environment variables set inside the block, so that other processes see them too."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def check_jobs(hydra: "Hydra", jobs: Sequence[Sequence[str]]) -> list[Planned]:
    """Compose, build, check and plan every run, and tell all problems at once.

    Raises:
        ConfigError: With each problem once.
    """
    return _checked(jobs, *plan_jobs(hydra, jobs))


def plan_jobs(
    hydra: "Hydra", jobs: Sequence[Sequence[str]], require: Require | None = None
) -> tuple[list[Plan], list[str]]:
    """Compose, build and plan every run that can be, and what is wrong with the others.

    Args:
        hydra: Ready to compose.
        jobs: The words of each.
        require: See ``checked``.
    """
    runs: list[Run] = []
    problems: list[str] = []
    for job in jobs:
        try:
            runs.append(compose_run(hydra, job))
        except ConfigError as error:
            problems += error.problems
            problems += check_sound_parts(sound_parts(hydra, job))
    try:
        if require is not None:
            require(runs)
        return plan_runs(runs, home_folder()), problems
    except ConfigError as error:
        return [], [*problems, *error.problems]


def _checked(
    jobs: Sequence[Sequence[str]], plans: Sequence[Plan], problems: list[str], workers: int = 1
) -> list[Planned]:
    """Planned runs that fit data and disk, too.

    Args:
        jobs: The words of each.
        plans: Of those that could be planned.
        problems: Of the others.
        workers: Runs at a time.
    """
    if not problems and (repeated := repeats(jobs, [plan.run for plan in plans])):
        raise ConfigError(*repeated)
    try:
        check_plans(plans, home_folder(), others_sound=not problems, at_once=workers)
    except ConfigError as error:
        problems = [*problems, *error.problems]
    if problems:
        raise ConfigError(*dict.fromkeys(problems))
    return [planned(plan, job) for plan, job in zip(plans, jobs, strict=True)]


def check_sound_parts(parts: Mapping[str, Any]) -> list[str]:
    """What is wrong with the parts of a run that is not sound as a whole.

    So that whoever lacks the data learns at once that weights and a GPU are missing too.
    """
    problems = check_components([components_in(parts)])
    problems += check_domain(parts["dataset"]) if "dataset" in parts else []
    drawing = ("generator", "budget", "sampler", "drawing")
    if parts.keys() >= {*drawing}:
        problems += check_work(*(parts[name] for name in drawing))
    return problems or check_sizes([parts])
