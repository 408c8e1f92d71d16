"""Tests run offline, without telemetry, and without the environment's own tgap settings."""

import logging
import os
import signal
from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary

import pytest
from hypothesis import HealthCheck, settings

# No test depends on how fast or how busy a machine is, and a failure comes again.
settings.register_profile(
    "tgap", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("tgap")

# A shell that starts the tests in the background has them ignore Ctrl-C, which some are about.
signal.signal(signal.SIGINT, signal.default_int_handler)

os.environ |= {"HF_HUB_OFFLINE": "1", "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
SETTINGS = (
    "TGAP_HOME",
    "TGAP_TRUSTED",
    "TGAP_STORE_REMOTE",
    "MLFLOW_TRACKING_URI",
    "HYDRA_FULL_ERROR",
)
for name in SETTINGS:
    os.environ.pop(name, None)


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Hydra sets up logging for a whole process, onto a stream that ends with its test."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


class ComposedOnce(WeakKeyDictionary):
    """What Hydra makes of words that choose among groups, kept from one test to the next.

    Hydra takes two tenths of a second for them, and most tests type the same ones. Only what
    tgap's own configs and the same components' schemas compose is kept.
    """

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[int, ...], tuple[list[Any], dict[Any, Any]]] = {}

    def setdefault(self, hydra: Any, default: Any = None) -> Any:
        from tgap.composition.registry import conf_folder

        path = {part.path for part in hydra.config_loader.get_search_path().get_path()}
        if path != {"pkg://hydra.conf", str(conf_folder()), "structured://"}:
            return super().setdefault(hydra, default)
        nodes = list(schemas())
        return self.kept.setdefault(tuple(map(id, nodes)), (nodes, default))[1]


def schemas(folder: dict[str, Any] | None = None) -> Iterator[Any]:
    """tgap's own in Hydra's store: launchers' plugins put theirs there anew each time."""
    from hydra.core.config_store import ConfigStore

    for node in (ConfigStore.instance().repo if folder is None else folder).values():
        if isinstance(node, dict):
            yield from schemas(node)
        elif node.provider == "tgap":
            yield node


@pytest.fixture(autouse=True, scope="session")
def composed_once() -> Iterator[None]:
    """Tests of ``tests/composition`` undo this for themselves."""
    from tgap.composition import compose

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compose, "_bases", ComposedOnce())
        yield
