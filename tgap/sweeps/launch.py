"""Around Hydra: check every run before the first one starts, launch, and gather the rows.

Hydra alone reports only the first mistake, and would run job 1 of ``size=500,99999999``.
"""

import contextlib
import logging
import os
import shutil
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tgap.analysis.comparison import Comparison, compare
from tgap.analysis.rows import RunRow
from tgap.composition.compose import CONFIG_NAME, build_run, compose_run, hydra_ready, sound_parts
from tgap.composition.config import Run, components_in
from tgap.composition.sweeps import expand
from tgap.composition.typed import readable
from tgap.core import ConfigError, StoreError, TgapError
from tgap.core.files import home_folder
from tgap.core.progress import progress
from tgap.pipeline.plan import plan
from tgap.pipeline.preflight.runs import check_components, check_domain, check_runs, check_sizes
from tgap.pipeline.preflight.work import check_work
from tgap.pipeline.result import Result
from tgap.report.summary import in_a_line
from tgap.sweeps.forecast import Forecast, forecast
from tgap.sweeps.identity import Planned, planned, sweep_key_of
from tgap.sweeps.recorder import Recorder
from tgap.sweeps.varying import what_varies

if TYPE_CHECKING:
    from hydra._internal.hydra import Hydra
    from hydra.core.utils import JobReturn
    from omegaconf import DictConfig

SWEEP_VARIABLE = "TGAP_SWEEP"
"""Tells the runs of a sweep, also those in other processes, which sweep they belong to."""
RUNS_VARIABLE = "TGAP_RUNS"
"""Tells them how many there are."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """How one run ended: its row for the table and its folder of pictures, or what went wrong."""

    name: str = ""
    row: RunRow | None = None
    failure: str | None = None
    pictures: Path | None = None


@dataclass(frozen=True)
class Launched:
    """What a command line came to: how each run ended, in Hydra's order, and the comparison."""

    outcomes: Sequence[Outcome]
    comparison: Comparison


def launch(
    overrides: Sequence[str], *, sweep: bool, config_dir: str | None = None, dry_run: bool = False
) -> Launched:
    """Check all runs of a command line, tell what they will take, and run them.

    Args:
        overrides: Hydra overrides; with commas if ``sweep``.
        sweep: Whether the overrides are to be expanded (Hydra's ``-m``).
        config_dir: A further folder of configs.
        dry_run: Whether to stop before the first run.

    Returns:
        How the runs ended; a failed one does not stop the others.

    Raises:
        ConfigError: With every wrong value and combination of every run, before anything starts.
    """
    with hydra_ready(config_dir) as hydra:
        overrides = readable(overrides, several=sweep)
        jobs = expand(hydra, overrides) if sweep else [overrides]
        planned_runs = check_jobs(hydra, jobs)
        # Hydra's launchers may change the folder or the process: from here on it is absolute.
        with environment(TGAP_HOME=str(home_folder())), remembered(planned_runs):
            expected = forecast([job.plan for job in planned_runs], home_folder())
            log.info("%s: %s", _opening(planned_runs, jobs, sweep), expected.in_words())
            if dry_run:
                return Launched([], Comparison())
            if sweep:
                return _swept(hydra, overrides, jobs, planned_runs, expected)
            return _compared([_single(hydra, overrides)], planned_runs)


def _opening(plans: Sequence[Planned], jobs: Sequence[Sequence[str]], sweep: bool) -> str:
    return what_varies(jobs) if sweep else plans[0].name


def _single(hydra: "Hydra", overrides: Sequence[str]) -> Outcome:
    with output_folder():
        job = hydra.run(config_name=CONFIG_NAME, task_function=task, overrides=list(overrides))
    outcome: Outcome = job.return_value
    return outcome


def _compared(outcomes: Sequence[Outcome], jobs: Sequence[Planned]) -> Launched:
    """Compare what is finished; what was planned and is not finished is missing."""
    rows = [outcome.row for outcome in outcomes if outcome.row is not None]
    return Launched(outcomes, compare(rows, [job.row for job in jobs]))


@contextmanager
def output_folder() -> Iterator[None]:
    """Put into words that Hydra cannot write its folders; a run's own errors never get here."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"cannot write Hydra's output folder {error.filename}: {error.strerror}; free some "
            "space, work in a folder that you may write to, or set hydra.run.dir= "
            "(hydra.sweep.dir= with -m)"
        ) from error


def _swept(
    hydra: "Hydra",
    overrides: Sequence[str],
    jobs: Sequence[list[str]],
    plans: Sequence[Planned],
    expected: Forecast,
) -> Launched:
    """Launch a sweep inside its parent record."""
    recorder = Recorder(home_folder(), sweep_key_of(plans))
    recorder.open_sweep(plans, overrides)
    launched = Launched([], Comparison())
    status = "KILLED"
    try:
        variables = {SWEEP_VARIABLE: str(recorder.sweep_key), RUNS_VARIABLE: str(len(jobs))}
        # A run that is in the store takes a moment too; where no time is known, all count alike.
        weights = [max(round(seconds), 1) for seconds in expected.seconds]
        with (
            environment(**variables),
            output_folder(),
            progress(f"{len(jobs)} runs", sum(weights), counted=False) as advance,
            told(lambda done: advance(sum(weights[:done]))),
        ):
            ended = _launch(hydra, all_swept(overrides), jobs)
        launched = _compared([job.return_value for job in ended], plans)
        failed = any(outcome.failure for outcome in launched.outcomes)
        status = "FAILED" if failed else "FINISHED"
    finally:
        recorder.close_sweep(plans[0].run, launched.comparison, status)
    return launched


def _launch(
    hydra: "Hydra", overrides: Sequence[str], jobs: Sequence[list[str]]
) -> "Sequence[JobReturn]":
    """Hand runs to Hydra's launcher, as its sweeper does, but those that were checked."""
    from hydra._internal.callbacks import Callbacks
    from hydra.core.plugins import Plugins
    from hydra.types import HydraContext, RunMode
    from omegaconf import OmegaConf

    config = hydra.compose_config(CONFIG_NAME, list(overrides), RunMode.MULTIRUN)
    callbacks = Callbacks(config)
    callbacks.on_multirun_start(config=config, config_name=CONFIG_NAME)
    context = HydraContext(config_loader=hydra.config_loader, callbacks=callbacks)
    launcher = Plugins.instance().instantiate_launcher(context, task, config)
    folder = Path(config.hydra.sweep.dir)
    folder.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(config, folder / "multirun.yaml")
    ended = launcher.launch(jobs, initial_job_idx=0)
    callbacks.on_multirun_end(config=config, config_name=CONFIG_NAME)
    return ended


def all_swept(overrides: Sequence[str]) -> list[str]:
    """Overrides of one value as a choice among one.

    Hydra first composes a sweep's configuration without what is swept. Settings of a swept group
    (``selector=a,b selector/pick=closest``) would be refused there, because the group's default
    may not have them.

    >>> all_swept(["size=1,2", "selector/pick=closest", "dataset.path=", "hydra.verbose=true"])
    ['size=1,2', 'selector/pick=choice(closest)', "dataset.path=choice('')", 'hydra.verbose=true']
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser

    words = []
    for text, override in zip(
        overrides, OverridesParser.create().parse_overrides(list(overrides)), strict=True
    ):
        key, equals, value = text.partition("=")
        single = bool(equals) and not override.is_sweep_override()
        hydras = key.lstrip("+~").startswith("hydra")
        one = value if value.strip() else "''"
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


_planned: list[Planned] = []
"""Runs of this process's command line, so that a run is not planned anew when its turn comes."""


@contextmanager
def remembered(jobs: Sequence[Planned]) -> Iterator[None]:
    """Inside, ``task`` knows these runs, unless a launcher moved it to another process."""
    _planned[:] = jobs
    try:
        yield
    finally:
        _planned.clear()


def check_jobs(hydra: "Hydra", jobs: Sequence[Sequence[str]]) -> list[Planned]:
    """Compose, build, check and plan every run, and tell all problems at once.

    Raises:
        ConfigError: With each problem once.
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
        plans = check_runs(runs, home_folder())
    except ConfigError as error:
        problems += error.problems
    if problems:
        raise ConfigError(*dict.fromkeys(problems))
    return [planned(plan, job) for plan, job in zip(plans, jobs, strict=True)]


def check_sound_parts(parts: Mapping[str, Any]) -> list[str]:
    """What is wrong with the parts of a run that is not sound as a whole.

    So that whoever lacks the data learns at once that weights and a GPU are missing too.
    """
    problems = check_components([components_in(parts)])
    problems += check_domain(parts["dataset"]) if "dataset" in parts else []
    if {"generator", "budget", "sampler"} <= parts.keys():
        problems += check_work(parts["generator"], parts["budget"], parts["sampler"])
    return problems or check_sizes([parts])


_listeners: list[Callable[[int], None]] = []
"""Told how many runs of this process's sweep have ended."""


@contextmanager
def told(listener: Callable[[int], None]) -> Iterator[None]:
    """Inside, a listener is told how many runs have ended, if they run in this process."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def _planned_before(run: Run) -> Planned | None:
    """What was checked; ``None`` in a process that a launcher opened, which has checked nothing.

    Raises:
        TgapError: If another run was checked than the one that Hydra composed.
    """
    for job in _planned:
        if job.run == run:
            return job
    if _planned:
        raise TgapError("Hydra composed another run than was checked; please report it")
    return None


def _finished(config: "DictConfig", overrides: Sequence[str]) -> Outcome:
    run = build_run(config).fitted()
    job = _planned_before(run) or planned(plan(run), overrides)
    recorder = Recorder(home_folder(), os.environ.get(SWEEP_VARIABLE) or None)
    which = _which()
    log.info("%s%s", which, job.name)
    result, row = recorder.execute(job, overrides)
    seconds = {stage: record.seconds for stage, record in result.stages.items()}
    reused = [stage for stage, record in result.stages.items() if record.reused]
    log.info("%s%s", which, in_a_line(result.metrics, seconds, reused))
    return Outcome(job.name, row=row, pictures=_kept_pictures(result))


def _number() -> int | None:
    """The run's number in its sweep, from 0."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    job = HydraConfig.get().job
    return None if OmegaConf.is_missing(job, "num") else int(job.num)


def _which() -> str:
    """E.g. ``run 4 of 12: ``; nothing if it is no run of a sweep."""
    runs, number = os.environ.get(RUNS_VARIABLE), _number()
    return "" if runs is None or number is None else f"run {number + 1} of {runs}: "


def _kept_pictures(result: Result) -> Path | None:
    """Copies of a run's pictures in its output folder, whose name people can read."""
    from hydra.core.hydra_config import HydraConfig

    if result.artifacts.pictures is None:
        return None
    folder = Path(HydraConfig.get().runtime.output_dir)
    for picture in sorted(result.artifacts.pictures.folder.glob("*.png")):
        shutil.copyfile(picture, folder / picture.name)
    return folder


def task(config: "DictConfig") -> Outcome:
    """One run, in whatever process Hydra's launcher chose.

    Failures are told and returned, so that one run does not sink a sweep; their traceback goes
    to the run's log file, or to the terminal if ``HYDRA_FULL_ERROR=1``.
    """
    from hydra.core.hydra_config import HydraConfig

    full_error = os.environ.get("HYDRA_FULL_ERROR") == "1"
    try:
        # Paths are those of the command line, also where hydra.job.chdir=true.
        with contextlib.chdir(HydraConfig.get().runtime.cwd):
            return _finished(config, list(HydraConfig.get().overrides.task))
    except TgapError as error:
        log.log(logging.ERROR, "%s", error, exc_info=full_error)
        return Outcome(failure=f"{_which()}{error}")
    except Exception as error:
        # A mistake of ours or of a library: the run fails, the sweep goes on, nothing is hidden.
        log.exception("unexpected %s", type(error).__name__)
        said = "".join(traceback.format_exception_only(error)).strip()
        return Outcome(failure=f"{_which()}{said}")
    finally:
        number = _number()
        for listener in _listeners:
            listener(0 if number is None else number + 1)
