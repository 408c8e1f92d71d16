"""Runs a run and records it: journal and MLflow through the tracker, a row for the table."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from tgap.artifacts import read_images, read_split
from tgap.comparison import Comparison, metrics_of
from tgap.component import Component
from tgap.config import Run
from tgap.description import Description, contact_sheet, describe
from tgap.evaluators.base import LEGS
from tgap.groups import PlannedRun, RunRow
from tgap.manifest import MANIFEST
from tgap.pipeline import execute, prepare
from tgap.plan import Plan, plan, plan_data
from tgap.recorded import PLANNED, RESAMPLED, as_json, record_planned
from tgap.registry import data_of
from tgap.report.summary import summary
from tgap.report.table import markdown
from tgap.result import Result
from tgap.store import Artifact, Spec, Store, write_json
from tgap.tracking import RunLog, Tracker, resolve_uri
from tgap.verdicts import verdicts

METHOD_GROUPS = ("selector", "finetuner")
GROUPS = (
    *METHOD_GROUPS, "generator", "dataset", "protocol", "prompts", "classifier",
)  # fmt: skip


def digest_of(value: object) -> str:
    """A short hash of JSON types."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def run_key_of(run: Run, its: Plan) -> str:
    """What identifies a run's record: its result, under the size and seed that it was asked for."""
    asked = [run.selector.title(), run.method, run.size, run.seed]
    return digest_of([its.result_key, run.tracking.experiment, run.tracking.pictures, *asked])


def sweep_key_of(runs: Sequence[Run]) -> str:
    """A sweep is its runs, in any order."""
    return digest_of(sorted(run_key_of(run, plan(run)) for run in runs))


def method_label(run: Run, overrides: Sequence[str]) -> str:
    """The method's short name, with the settings of it that the command line changed.

    A preset is a group's choice (``selector=clip_spectral``) and has a name; what is changed
    inside it (``selector.cluster.n_clusters=20``) has not, so it is told.
    """
    changed = []
    for override in overrides:
        key, _, value = override.lstrip("+").partition("=")
        groups = (*METHOD_GROUPS, "generator") if run.is_control else METHOD_GROUPS
        inside = any(key.startswith((f"{group}.", f"{group}/")) for group in groups)
        of_selector = key.startswith("selector")
        if key == "finetuner/oracle" and value in run.method.split("+"):
            continue
        if inside and not key.endswith(".name") and (run.selects or not of_selector):
            changed.append(f"{key.replace('/', '.').rpartition('.')[2]}={value}")
    return run.method + (f" ({', '.join(sorted(changed))})" if changed else "")


class Recorder:
    """Executes runs and writes down what they were and what they gave.

    Args:
        home: Folder of store, journal and database.
        sweep_key: The sweep that the runs belong to, if any.
    """

    def __init__(self, home: Path, sweep_key: str | None = None) -> None:
        self.home, self.sweep_key = home, sweep_key

    def _tracker(self, run: Run) -> Tracker:
        return Tracker(self.home, resolve_uri(self.home), run.tracking.experiment, self.sweep_key)

    def execute(self, run: Run, overrides: Sequence[str]) -> tuple[Result, RunRow]:
        """Execute a run and record it.

        Args:
            run: The run.
            overrides: What was said on the command line.

        Returns:
            The result, and its row for the table.
        """
        its, label = plan(run), method_label(run, overrides)
        name = f"{label} size={run.size} seed={run.seed}"
        tags = {"tgap.overrides": " ".join(overrides), "tgap.result_key": its.result_key}
        params = params_of(run, label) | self._dataset_digest(its)
        with self._tracker(run).run(run_key_of(run, its), name, params, tags) as log:
            log.config(data_of(run))
            record_planned(log, planned_of(run, label), its.scores.key)

            def on_stage(stage: str, result: Result) -> None:
                log_stage(log, stage, result)

            result = execute(run, Store(self.home / "store"), on_stage, its)
            log.metrics(result.metrics)
            log.tags({"tgap.verdicts": ", ".join(v.code for v in verdicts(result.metrics))})
            log.text(summary(result.metrics), "summary.txt")
            log_files(log, result)
        return result, row_of(result, label)

    def _dataset_digest(self, its: Plan) -> dict[str, object]:
        """A digest of the dataset's content, wherever it was read from."""
        dataset = Store(self.home / "store").find(its.dataset)
        return {} if dataset is None else {"dataset.digest": content_digest(dataset)}

    def open_sweep(
        self, runs: Sequence[Run], planned: Sequence[PlannedRun], overrides: Sequence[str]
    ) -> None:
        """Open the sweep's parent run with all that is planned, unless it is there already."""
        words = " ".join(overrides)
        self._tracker(runs[0]).open_sweep(
            f"sweep {words}"[:200], len(runs), {"overrides": words}, {PLANNED: as_json(planned)}
        )

    def close_sweep(self, run: Run, comparison: Comparison, status: str) -> None:
        """Close the sweep's parent run with its table and the groups' numbers, by size."""
        texts = {"table.md": markdown(comparison)} if comparison.groups else {}
        self._tracker(run).close_sweep(status, metrics_of(comparison), texts)


def log_stage(log: RunLog, stage: str, result: Result) -> None:
    """Log what a stage cost, and the losses that it made, and push both to MLflow."""
    if stage not in result.stages:  # nothing was to be done, e.g. no tuning
        return
    record = result.stages[stage]
    if stage == "prepare":
        log.metrics(dataset_metrics(result))
    log.metrics({f"seconds/{stage}": record.seconds, f"reused/{stage}": float(record.reused)})
    if stage == "classify":
        for side in ("real", "synthetic"):
            counts = result.artifacts[f"{side} classifier"].read_json("images.json")
            log.metrics({f"train_images/{side}": sum(counts.values())})
    if stage == "finetune" and "generator" in result.artifacts:
        for losses in result.artifacts["generator"].read_json("losses.json"):
            step = losses.pop("step")
            log.metrics({f"finetune/{name}": value for name, value in losses.items()}, step)
    log.flush()


def log_files(log: RunLog, result: Result) -> None:
    """Log the run's pictures, and what its evaluators wrote down."""
    if "pictures" in result.artifacts:
        for picture in sorted(result.artifacts["pictures"].folder.glob("*.png")):
            log.picture(picture)
    for name in result.run.evaluators:
        folder = result.artifacts[f"evaluation {name}"].folder
        for picture in sorted(folder.glob("*.png")):
            log.picture(picture, f"{name}_{picture.name}")
        if (folder / RESAMPLED).exists():
            log.artifact(folder / RESAMPLED)
        for table in sorted(folder.glob("*.json")):
            if table.name not in (MANIFEST, "metrics.json"):
                log.artifact(table, f"tables/{name}_{table.name}")


def dataset_metrics(result: Result) -> dict[str, float]:
    """How many images each side has, and how many files were left out."""
    data, split = result.dataset(), result.split()
    counts = {side: len(getattr(split, side)) for side in ("pool", "real_train", "real_test")}
    names = data.notes.get("excluded", {})
    # Where very many are left out, not all names are kept, but their number is.
    excluded = data.notes.get("excluded_counts", {why: len(those) for why, those in names.items()})
    counts |= {"all": len(data), "excluded": sum(excluded.values())}
    return {f"images/{name}": float(count) for name, count in counts.items()}


def content_digest(artifact: Artifact) -> str:
    """A digest of an artifact's files."""
    files = artifact.manifest["files"].items()
    return digest_of({name: recorded["sha256"] for name, recorded in files})


def described(run: Run, store: Store) -> tuple[Description, Artifact, Path]:
    """A run's dataset: its description, its artifact, and its contact sheet."""
    its = plan_data(run)
    artifacts: dict[str, Artifact] = {}
    prepare(run, store, its, artifacts)

    def make(folder: Path) -> None:
        data, split = read_images(artifacts["dataset"]), read_split(artifacts["split"])
        write_json(folder / "description.json", describe(data, split).as_json())
        contact_sheet(data, folder / "contact_sheet.png")

    upstream = {"dataset": its.dataset.key, "split": its.split.key}
    artifact = store.get_or_make(Spec("description", {}, upstream), make)
    found = Description(**artifact.read_json("description.json"))
    return found, artifacts["dataset"], artifact.path("contact_sheet.png")


def params_of(run: Run, label: str) -> dict[str, object]:
    """Flat MLflow parameters, the ones that people group and filter by."""
    titles = {group: getattr(run, group).title() for group in GROUPS}
    flat: dict[str, object] = {"method": label, **titles, "size": run.size, "seed": run.seed}
    for name, evaluator in run.evaluators.items():
        flat |= _flat(f"evaluators.{name}", evaluator.identity() | {"class": evaluator.title()})
    return flat | settings_of(run)


def settings_of(run: Run) -> dict[str, str]:
    """All that is no method, size or seed, flat, as text: what a table's rows must agree in."""
    found: dict[str, str] = {}
    for group in GROUPS:
        if group not in METHOD_GROUPS and not (group == "generator" and not run.generator.tunable):
            component: Component = getattr(run, group)
            found |= _flat(group, component.identity() | {"class": component.title()})
    found["dataset.domain"] = run.dataset.domain
    if run.generator.tunable:  # a control is a method, not a setting that methods share
        found["generator.digest"] = run.generator.digest()[:16]
    for node in ("sampler", "prior_sampler", "budget", "storage"):
        found |= _flat(node, getattr(run, node).identity())
    overridden = {k: v for k, v in run.seeds.identity().items() if v is not None}
    found |= _flat("seeds", overridden)
    found |= {f"external.{name}": other.title() for name, other in run.external.items()}
    return found | {"size_unit": run.unit} | _flat("", run.splitting.identity())


def _flat(prefix: str, value: object) -> dict[str, str]:
    if isinstance(value, Mapping):
        parts = [_flat(f"{prefix}.{key}" if prefix else key, part) for key, part in value.items()]
        return {key: text for part in parts for key, text in part.items()}
    return {prefix: str(value)}


def planned_of(run: Run, label: str) -> PlannedRun:
    """What a table knows of a run before it is finished."""
    parts = {group: getattr(run, group).identity() for group in METHOD_GROUPS}
    if not run.selects:
        del parts["selector"]
    if not run.generator.tunable:
        parts["generator"] = run.generator.identity()
    return PlannedRun(
        method=label,
        method_key=digest_of(parts),
        size=run.tuning_size,
        seed=run.seed,
        settings=settings_of(run),
        is_control=run.is_control,
    )


def row_of(result: Result, label: str) -> RunRow:
    """A run's row for the table."""
    replicates = result.resampled()
    return RunRow(
        **vars(planned_of(result.run, label)),
        evaluation_key=result.plan.scores.key,
        metrics=result.metrics,
        resampled={} if replicates is None else dict(zip(LEGS, replicates.T, strict=True)),
    )
