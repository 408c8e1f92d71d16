"""What a run, a sweep and a method are called, and by what they are told apart."""

from collections.abc import Mapping, Sequence

from tgap.analysis.rows import PlannedRun, RunRow
from tgap.composition.config import Run
from tgap.core.component import Component
from tgap.core.digest import digest_of
from tgap.metrics.legs import LEGS
from tgap.pipeline.plan import Plan, plan
from tgap.pipeline.result import Result

METHOD_GROUPS = ("selector", "finetuner")


GROUPS = (*METHOD_GROUPS, "generator", "dataset", "protocol", "prompts", "classifier")


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
