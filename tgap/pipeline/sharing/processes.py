"""A run as another process gets it."""

import sys
from collections.abc import Iterable

import yaml  # type: ignore[import-untyped]

from tgap.composition.building import build
from tgap.composition.config import Run
from tgap.composition.schema import data_of
from tgap.core.component import Component, walk
from tgap.pipeline.plan import Plan
from tgap.pipeline.sharing.talking import Message
from tgap.pipeline.stored import plan_as_json, plan_from_json


def plan_as_message(plan: Plan) -> Message:
    """A planned run as JSON values."""
    # YAML and not JSON: keys of dictionaries may be numbers.
    text = yaml.safe_dump(data_of(plan.run), sort_keys=False, allow_unicode=True)
    return {"run": text, "plan": plan_as_json(plan)}


def plan_of(message: Message) -> Plan:
    """The planned run that a message brings.

    Raises:
        ConfigError: If it cannot be built in this process.
    """
    return plan_from_json(build(Run, yaml.safe_load(message["run"])), message["plan"])


def not_elsewhere(run: Run) -> list[str]:
    """Classes of a run that a fresh process cannot import, because they were defined in this one.

    A notebook's own, for example.
    """
    return [f"{c.__module__}.{c.__qualname__}" for c in _classes(run) if not _importable(c)]


def _classes(run: Run) -> Iterable[type[Component]]:
    return (type(part) for _, part in walk(run.components()))


def _importable(cls: type) -> bool:
    module = sys.modules.get(cls.__module__)
    if cls.__module__ == "__main__" or module is None or "." in cls.__qualname__:
        return False
    return getattr(module, "__spec__", None) is not None and hasattr(module, "__file__")
