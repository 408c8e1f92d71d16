"""Runs a run and records it: journal and MLflow through the tracker, a row for the table."""

import shlex
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from tgap.analysis.comparison import Comparison
from tgap.analysis.curves import curves_of
from tgap.analysis.rows import RunRow
from tgap.composition.config import Run
from tgap.composition.schema import data_of
from tgap.core.digest import digest_of
from tgap.pipeline.result import RESAMPLED, Result
from tgap.pipeline.stages import execute
from tgap.report.summary import summary
from tgap.report.table import markdown
from tgap.store import Store
from tgap.store.artifact import content_digest
from tgap.store.manifest import MANIFEST
from tgap.sweeps.describing import described, sweep_described
from tgap.sweeps.forecast import costs_of
from tgap.sweeps.history import PLANNED, as_json
from tgap.sweeps.identity import Planned, dataset_metrics, params_of, row_of
from tgap.sweeps.records import COSTS, record_planned
from tgap.sweeps.shown import LOSSES, SIDES, TABLE, as_table, shown
from tgap.sweeps.varying import sweep_name
from tgap.tracking import Journal, RunLog, Tracker, resolve_uri

WAITING = "seconds/waiting"
"""Number of a run's record: seconds of its stages in which other processes made what it needs."""


class Recorder:
    """Executes runs and writes down what they were and what they gave.

    Args:
        home: Folder of store, journal and database.
        sweep_key: The sweep that the runs belong to, if any.
    """

    def __init__(self, home: Path, sweep_key: str | None = None) -> None:
        self.home, self.sweep_key = home, sweep_key

    def execute(self, job: Planned, overrides: Sequence[str]) -> tuple[Result, RunRow]:
        """Execute a run and record it; then wait until the store's second level has what it made.

        Args:
            job: The run.
            overrides: What was said on the command line.

        Returns:
            The result, and its row for the table.
        """
        run, plan, store = job.run, job.plan, Store(self.home / "store")
        tags = {"tgap.overrides": shlex.join(overrides), "tgap.result_key": plan.result_key}
        params = params_of(job)
        if (dataset := store.find(plan.dataset)) is not None:
            params["dataset.digest"] = content_digest(dataset)
        store.send_left()
        with self._tracker(run).run(job.key, job.name, params, tags) as log:
            log.config(data_of(run))
            record_planned(log, job.row, plan)
            result = execute(plan, store, lambda stage, result: log_stage(log, stage, result))
            log.numbers({WAITING: store.waited})
            names = shown(result)
            log.metrics({name: result.metrics[name] for name in names if name in result.metrics})
            log.numbers({k: v for k, v in result.metrics.items() if k not in names})
            log.text(as_table(result.metrics), TABLE)
            log.tags(described(result.metrics, overrides))
            log.text(summary(result.metrics), "summary.txt")
            log.text(costs_of(result), COSTS)
            log_files(log, result)
        store.wait_until_sent()
        result.words = tuple(overrides)
        return result, row_of(result, job)

    def journal(self, run_key: str) -> Journal:
        """Where a run is recorded."""
        return Tracker(self.home, "", "", self.sweep_key).journal(run_key)

    def end(self, job: Planned, status: str, reason: str) -> None:
        """Write down how a run ended whose process cannot do that any more.

        Args:
            job: The run.
            status: ``FAILED`` or ``KILLED``.
            reason: Of what it died; nothing = it was stopped.
        """
        self._tracker(job.run).end(job.key, status, reason)

    def close_ghosts(self, run: Run) -> None:
        """End the records of processes that died without a word."""
        self._tracker(run).close_ghosts()

    def running(self, run: Run) -> AbstractContextManager[None]:
        """Inside, the sweep counts as running."""
        return self._tracker(run).running_sweep()

    def open_sweep(self, jobs: Sequence[Planned], overrides: Sequence[str]) -> None:
        """Open the sweep's parent run with all that is planned, unless it is there already."""
        words = shlex.join(overrides)
        rows = as_json([(job.key, job.row, params_of(job)) for job in jobs])
        name = sweep_name([job.words for job in jobs], jobs[0].run.dataset.title())
        self._tracker(jobs[0].run).open_sweep(
            name, len(jobs), {"overrides": words}, {PLANNED: rows}
        )

    def close_sweep(
        self,
        run: Run,
        comparison: Comparison,
        status: str,
        overrides: Sequence[str],
        report: Path | None,
    ) -> None:
        """Close the sweep's parent run with its table and page, after a curve of each method.

        Curves are drawn of a sweep that is complete.
        """
        tracker = self._tracker(run)
        if status == "FINISHED":
            for curve in curves_of(comparison):
                params = {"method": curve.method, "dataset": run.dataset.title()}
                name = f"by size: {curve.method}"
                tracker.curve(digest_of(curve.method)[:12], name, params, curve.points)
        table = markdown(comparison) if comparison.groups else ""
        texts = {"table.md": table} if table else {}
        files = {} if report is None else {"report.html": report}
        tracker.close_sweep(status, sweep_described(table, overrides), texts, files)

    def _tracker(self, run: Run) -> Tracker:
        return Tracker(self.home, resolve_uri(self.home), run.tracking.experiment, self.sweep_key)


def log_stage(log: RunLog, stage: str, result: Result) -> None:
    """Log what a stage cost, and the losses that it made, and push both to MLflow."""
    if stage not in result.stages:  # nothing was to be done, e.g. no tuning
        return
    record = result.stages[stage]
    if stage == "prepare":
        counts = dataset_metrics(result)
        log.metrics({name: counts[name] for name in SIDES if name in counts})
        log.numbers({name: value for name, value in counts.items() if name not in SIDES})
    log.metrics({f"seconds/{stage}": record.seconds})
    log.numbers({f"reused/{stage}": float(record.reused)})
    if stage == "classify":
        for side in ("real", "synthetic"):
            counts = getattr(result.artifacts, f"{side}_classifier").read_json("images.json")
            log.numbers({f"train_images/{side}": sum(counts.values())})
    generator = result.artifacts.generator
    if stage == "finetune" and generator is not None:
        for losses in generator.read_json("losses.json"):
            step = losses.pop("step")
            values = {f"finetune/{name}": value for name, value in losses.items()}
            log.metrics({name: values[name] for name in LOSSES if name in values}, step)
    log.flush()


def log_files(log: RunLog, result: Result) -> None:
    """Log the run's pictures, and what its evaluators wrote down."""
    if result.artifacts.pictures is not None:
        for picture in sorted(result.artifacts.pictures.folder.glob("*.png")):
            log.picture(picture)
    for name, evaluation in result.artifacts.evaluations.items():
        folder = evaluation.folder
        for picture in sorted(folder.glob("*.png")):
            log.picture(picture, f"{name}_{picture.name}")
        if (folder / RESAMPLED).exists():
            log.artifact(folder / RESAMPLED)
        for table in sorted(folder.glob("*.json")):
            if table.name not in (MANIFEST, "metrics.json"):
                log.artifact(table, f"tables/{name}_{table.name}")
