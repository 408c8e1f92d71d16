"""Around Hydra: launch the runs that were checked, and gather the rows."""

import functools
import logging
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tgap.analysis.comparison import Comparison, compare
from tgap.composition.compose import CONFIG_NAME
from tgap.core import StoreError
from tgap.core.files import home_folder
from tgap.core.progress import progress
from tgap.store import Store
from tgap.sweeps import isolation
from tgap.sweeps.checking import CheckedRuns, checked, environment
from tgap.sweeps.identity import Planned, sweep_key_of
from tgap.sweeps.launching import check_launcher, gave_up, kind_of, without_earlier_workers
from tgap.sweeps.on_ray import begin, ended_afterwards, reaching_workers
from tgap.sweeps.outcomes import finished_row
from tgap.sweeps.recorder import Recorder
from tgap.sweeps.schedule import least_waiting
from tgap.sweeps.stopping import runs_stopped_first
from tgap.sweeps.task import RUNS_VARIABLE, SWEEP_VARIABLE, Outcome, remembered, task, told

if TYPE_CHECKING:
    from omegaconf import DictConfig

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
    folder = Path(config.hydra.sweep.dir)
    folder.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(config, folder / "multirun.yaml")
    order = least_waiting(those.expected.steps(unknown=1.0), those.workers).order
    runs = [recorder.journal(job.key) for job in those.runs]
    try:
        # The basic launcher's runs are stopped by this process itself.
        elsewhere = kind_of(config.hydra.launcher) != "BasicLauncher"
        begun_by = functools.partial(begin, config.hydra.launcher)
        without_earlier_workers(config.hydra.launcher)
        with (
            ended_afterwards(config.hydra.launcher),
            runs_stopped_first(runs, begun_by) if elsewhere else nullcontext(),
        ):
            reaching_workers(config)
            launcher = Plugins.instance().instantiate_launcher(context, task, config)
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
