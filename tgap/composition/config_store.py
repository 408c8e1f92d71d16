"""Hydra's store of schemas: the run's and the components', each made when Hydra asks for it."""

import functools
import logging
import warnings
from typing import Any

from hydra.core.config_store import ConfigNode, ConfigStore
from omegaconf import DictConfig, OmegaConf

from tgap.composition.registry import (
    GROUPS,
    component_class,
    installed_components,
    load_problem,
    names,
    own_components,
)
from tgap.composition.schema import schema

log = logging.getLogger(__name__)
# conf/hydra/launcher has presets that a plugin's schema of the same name completes, as meant. Said
# here, a launcher's processes do not tell it either: they import this with the store they are sent.
warnings.filterwarnings("ignore", message=r"\n'hydra/launcher/\w+' is validated against")


class _Node(ConfigNode):
    """What stands behind ``group=name``: a run asks for a dozen of them.

    Args:
        cls: The component's class, or the run's.
        group: Its group; empty for the run.
        name: Its name.
    """

    def __init__(self, cls: type, group: str, name: str) -> None:
        self.name, self.group, self.package = f"{name}.yaml", group or None, None
        self.provider = "tgap"
        self._cls, self._group = cls, group

    @functools.cached_property
    def node(self) -> DictConfig:  # type: ignore[override]  # Hydra sets it on a copy of this
        """Its schema; Hydra copies it before each use."""
        return _structured(self._cls, self._group)


_node = functools.cache(_Node)
"""The same for the same: what Hydra composes of nodes can then be told from them."""


@functools.cache
def _structured(cls: type, group: str) -> DictConfig:
    node: DictConfig = OmegaConf.structured(schema(cls, group))
    return node


def register(run_class: type) -> None:
    """Tell Hydra about every component's schema and the run's own."""
    repository = ConfigStore.instance().repo
    repository["run_schema.yaml"] = _node(run_class, "", "run_schema")
    for group in GROUPS:
        folder: dict[str, Any] = repository
        for part in group.split("/"):
            folder = folder.setdefault(part, {})
        for name in sorted(own_components(group).keys() & installed_components(group).keys()):
            log.warning("entry point '%s' is not used: tgap has a %s of that name", name, group)
        for name in names(group):
            if problem := load_problem(group, name):  # told again if it is chosen
                log.warning("%s", problem)
            else:
                folder[f"{name}.yaml"] = _node(component_class(group, name), group, name)
