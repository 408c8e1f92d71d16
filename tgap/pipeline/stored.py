"""What a run left in the store, found again without making anything."""

from collections.abc import Mapping
from typing import Any

from tgap.composition.config import Run
from tgap.core import StoreError
from tgap.pipeline.plan import Plan
from tgap.pipeline.preparation import Data
from tgap.pipeline.result import Artifacts, Result
from tgap.store import Artifact, Spec, Store

Json = dict[str, Any]


def plan_as_json(plan: Plan) -> Json:
    """A plan without its run, to be written down: what each artifact is, by its name."""
    return {name: _plain(value) for name, value in vars(plan).items() if name != "run"}


def _plain(value: object) -> Any:
    if isinstance(value, Spec):
        return {"spec": value.content()}
    if isinstance(value, dict):
        return {"each": {name: _plain(part) for name, part in value.items()}}
    return {"is": value}


def plan_from_json(run: Run, data: Mapping[str, Any]) -> Plan:
    """The plan that ``plan_as_json`` wrote down.

    Args:
        run: Its run.
        data: What was written down.

    Raises:
        StoreError: If it is of another version of tgap, or not one that ``plan_as_json`` wrote.
    """
    try:
        return Plan(run=run, **{name: _read(value) for name, value in data.items()})
    except (KeyError, TypeError, AttributeError) as error:
        raise StoreError(
            f"the run was recorded by another version of tgap ({error}); start it again: what is "
            "in the store is reused"
        ) from error


def _read(value: Mapping[str, Any]) -> Any:
    if "spec" in value:
        content = value["spec"]
        return Spec(content["stage"], content["identity"], content["upstream"])
    if "each" in value:
        return {name: _read(part) for name, part in value["each"].items()}
    return value["is"]


def stored(plan: Plan, store: Store, *, fetch: bool = False) -> Result:
    """A run's result as far as the store has it.

    What is not there is missing among its artifacts, where only those who ask for it are told.
    Metrics are those of the evaluations that are there.

    Args:
        plan: Of the run.
        store: Where artifacts are kept.
        fetch: Whether what is in the store's second level only is fetched.
    """
    find = store.find_or_fetch if fetch else store.find

    def found(spec: Spec | None) -> Artifact | None:
        return None if spec is None else find(spec)

    def all_found(specs: Mapping[str, Spec]) -> dict[str, Artifact]:
        artifacts = {name: found(spec) for name, spec in specs.items()}
        return {name: artifact for name, artifact in artifacts.items() if artifact is not None}

    artifacts = Artifacts()
    dataset, split = found(plan.dataset), found(plan.split)
    if dataset is not None and split is not None:
        ready_made, external = all_found(plan.ready_made), all_found(plan.external)
        artifacts.data = Data(
            dataset=dataset, split=split, ready_made=ready_made, external=external
        )
    for name in ONE_EACH:
        if (artifact := found(getattr(plan, name))) is not None:
            setattr(artifacts, name, artifact)
    artifacts.external_scores = all_found(plan.external_scores)
    artifacts.evaluations = all_found(plan.evaluations)
    result = Result(plan, artifacts=artifacts)
    result.metrics = result.read_metrics()
    return result


ONE_EACH = (
    "embedding",
    "selection",
    "prior",
    "untuned",
    "generator",
    "guide",
    "judge",
    "synthetic",
    "synthetic_classifier",
    "real_classifier",
    "scores",
    "pictures",
)
"""Names of artifacts of which a run has one."""
