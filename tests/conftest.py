"""Tests run offline, without telemetry, and without the environment's own tgap settings."""

import logging
import os
from collections.abc import Iterator

import pytest

os.environ |= {"HF_HUB_OFFLINE": "1", "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
for name in ("TGAP_HOME", "TGAP_TRUSTED", "MLFLOW_TRACKING_URI", "HYDRA_FULL_ERROR"):
    os.environ.pop(name, None)


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Hydra sets up logging for a whole process, onto a stream that ends with its test."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    root.setLevel(level)
    root.handlers[:] = handlers
