"""Around Hydra: check every run before the first one starts, launch, and gather the rows.

Hydra alone reports only the first mistake, and would run job 1 of ``size=500,99999999``.
"""

import functools
import logging
import os
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tgap.analysis.comparison import Comparison, compare
from tgap.composition.compose import (
    CONFIG_NAME,
    compose_run,
    composed_sweep,
    hydra_ready,
    sound_parts,
)
from tgap.composition.config import Run, components_in
from tgap.composition.sweeps import expand, repeats, tell_idle
from tgap.composition.typed import readable
from tgap.core import ConfigError, StoreError
from tgap.core.files import home_folder
from tgap.core.progress import progress
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
from tgap.sweeps import isolation
from tgap.sweeps.few import folds_of
from tgap.sweeps.forecast import Forecast, forecast
from tgap.sweeps.identity import Planned, planned, sweep_key_of
from tgap.sweeps.launching import begin, check_launcher, gave_up, kind_of, without_earlier_workers
from tgap.sweeps.outcomes import finished_row
from tgap.sweeps.recorder import Recorder
from tgap.sweeps.schedule import least_waiting
from tgap.sweeps.stopping import runs_stopped_first
from tgap.sweeps.task import RUNS_VARIABLE, SWEEP_VARIABLE, Outcome, remembered, task, told
from tgap.sweeps.varying import what_varies
from tgap.sweeps.workers import workers_of
from tgap.tracking.server import resolve_uri

if TYPE_CHECKING:
    from hydra._internal.hydra import Hydra
    from omegaconf import DictConfig

Require = Callable[[Sequence[Run]], object]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Launched:
    """What a command line came to.

    Args:
        outcomes: How each run ended, in Hydra's order.
        comparison: Of the runs.
        report: The page about them, if one was written.
    """

    outcomes: Sequence[Outcome]
    comparison: Comparison
    report: Path | None = None


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
    with (
        checked(overrides, sweep=sweep, config_dir=config_dir) as those,
        remembered(those.runs),
        isolation.kept(),
    ):
        log.info("%s: %s", those, those.expected.in_words())
        if dry_run:
            for line in those.expected.by_stage():
                log.info("%s", line)
            return Launched([], Comparison())
        if those.config is not None:
            check_launcher(those.config.hydra.launcher)
        Recorder(home_folder()).close_ghosts(those.runs[0].run)
        launched = _single(those) if those.config is None else _swept(those, those.config)
        Store(home_folder() / "store").wait_until_sent()  # datasets, which the check has made
        return launched


def _single(those: CheckedRuns) -> Launched:
    words = list(those.overrides)
    with output_folder():
        job = those.hydra.run(config_name=CONFIG_NAME, task_function=task, overrides=words)
    launched, folder = _compared([job.return_value], those.runs), Path(str(job.working_dir))
    return _reported(launched, folder, those.runs, ["tgap", "run", *those.words])


def _reported(
    launched: Launched, folder: Path, plans: Sequence[Planned], command: Sequence[str]
) -> Launched:
    """With a page about the runs, unless nobody wants one or nothing new was made."""
    wanted = all(job.run.tracking.report for job in plans)
    if not wanted or not any(outcome.made for outcome in launched.outcomes):
        return launched
    from tgap.sweeps.reporting import try_report  # draws figures, which takes seconds to load

    words = shlex.join(command)
    return replace(launched, report=try_report(home_folder(), folder, plans, words))


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


def _swept(those: CheckedRuns, config: "DictConfig") -> Launched:
    """Launch a sweep inside its parent record."""
    overrides, plans = those.overrides, those.runs
    sweep_key = sweep_key_of(plans)
    recorder = Recorder(home_folder(), sweep_key)
    launched_here = not any(word.startswith("hydra/launcher=") for word in overrides)
    if launched_here and any(those.expected.seconds):
        isolation.warm()
    # From before its record is begun until that is ended: nobody takes it for a dead one's.
    with recorder.running(plans[0].run):
        recorder.open_sweep(plans, those.words)
        launched = Launched([], Comparison())
        status = "KILLED"
        try:
            outcomes, folder = _outcomes(those, config, recorder, sweep_key)
            launched = _compared(outcomes, plans)
            failed = any(outcome.failure for outcome in outcomes)
            status = "FAILED" if failed else "FINISHED"
            launched = _reported(launched, folder, plans, ["tgap", "run", *those.words, "-m"])
        finally:
            table, report = launched.comparison, launched.report
            recorder.close_sweep(plans[0].run, table, status, those.words, report)
            if status == "KILLED":
                recorder.close_ghosts(plans[0].run)  # a launcher may have killed runs
    return launched


def _outcomes(
    those: CheckedRuns, config: "DictConfig", recorder: Recorder, sweep_key: str
) -> tuple[Sequence[Outcome], Path]:
    """How the runs of a sweep ended, and their output folder; progress is shown meanwhile."""
    # A run that is in the store takes a moment too; where no time is known, all count alike.
    weights = [max(round(seconds), 1) for seconds in those.expected.seconds]
    variables = {SWEEP_VARIABLE: sweep_key, RUNS_VARIABLE: str(len(those.runs))}
    with (
        environment(**variables),
        output_folder(),
        progress(f"{len(those.runs)} runs", sum(weights), counted=False) as advance,
        told(lambda done: advance(sum(weights[:done]))),
    ):
        return _launch(those, config, recorder)


def _swept_config(hydra: "Hydra", overrides: Sequence[str]) -> "DictConfig":
    """What Hydra composes of a whole sweep: where it writes, and what launches the runs."""
    return composed_sweep(hydra, all_swept(overrides))


def _launch(
    those: CheckedRuns, config: "DictConfig", recorder: Recorder
) -> tuple[Sequence[Outcome], Path]:
    """Hand runs to Hydra's launcher, as its sweeper does, but those that were checked.

    Where several are done at a time, in an order in which few wait for each other.

    Returns:
        How they ended, in the order of the words, and the output folder of all. If the launcher
        gives up, those that are finished, and what it said.
    """
    from hydra._internal.callbacks import Callbacks
    from hydra.core.plugins import Plugins
    from hydra.types import HydraContext
    from omegaconf import OmegaConf

    callbacks = Callbacks(config)
    callbacks.on_multirun_start(config=config, config_name=CONFIG_NAME)
    context = HydraContext(config_loader=those.hydra.config_loader, callbacks=callbacks)
    without_earlier_workers(config.hydra.launcher)
    launcher = Plugins.instance().instantiate_launcher(context, task, config)
    folder = Path(config.hydra.sweep.dir)
    folder.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(config, folder / "multirun.yaml")
    order = least_waiting(those.expected.steps(unknown=1.0), those.workers).order
    runs = [recorder.journal(job.key) for job in those.runs]
    try:
        # The basic launcher's runs are stopped by this process itself.
        elsewhere = kind_of(config.hydra.launcher) != "BasicLauncher"
        begun_by = functools.partial(begin, config.hydra.launcher)
        with runs_stopped_first(runs, begun_by) if elsewhere else nullcontext():
            begun = launcher.launch([those.jobs[number] for number in order], initial_job_idx=0)
    except Exception as error:
        if (said := gave_up(config.hydra.launcher, error)) is None:
            raise
        rows = [(job.name, finished_row(recorder.journal(job.key))) for job in those.runs]
        finished = [Outcome(name, row) for name, row in rows if row is not None]
        return [*finished, Outcome(failure=said)], folder
    callbacks.on_multirun_end(config=config, config_name=CONFIG_NAME)
    ended = dict(zip(order, begun, strict=True))
    return [ended[number].return_value for number in range(len(ended))], folder


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
