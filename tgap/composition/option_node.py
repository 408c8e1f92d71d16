"""A component's schema in Hydra's store, made when Hydra asks for it: a run asks for a dozen."""

import functools

from hydra.core.config_store import ConfigNode
from omegaconf import DictConfig, OmegaConf

from tgap.composition import schema


class OptionNode(ConfigNode):
    """What stands behind ``group=name``.

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


option_node = functools.cache(OptionNode)
"""The same for the same: what is made of a store's nodes can then be told from its nodes."""


@functools.cache
def _structured(cls: type, group: str) -> DictConfig:
    node: DictConfig = OmegaConf.structured(schema.schema(cls, group))
    return node
