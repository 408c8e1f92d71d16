"""Where MLflow is, and how it is asked to behave."""

import os
from collections.abc import MutableMapping
from pathlib import Path

from tgap.core import ConfigError, nearest
from tgap.core.files import expanded
from tgap.core.secrets import masked

SQLITE = "sqlite:///"
SCHEMES = "databricks file http https mssql mysql postgresql sqlite uc".split()


def resolve_uri(home: Path) -> str:
    """``MLFLOW_TRACKING_URI`` if set, else the SQLite database in ``home``; absolute.

    Raises:
        ConfigError: If MLflow has no store of that kind.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"{SQLITE}{home / 'mlflow.db'}"
    scheme = uri.partition(":")[0].partition("+")[0] if ":" in uri else "file"
    if scheme not in SCHEMES:
        raise ConfigError(
            f"MLFLOW_TRACKING_URI={masked(uri)}: MLflow has no store of the kind "
            f"'{scheme}'{nearest(scheme, SCHEMES)}; unset it for the database in TGAP_HOME"
        )
    database = sqlite_file(uri)
    return uri if database is None else f"{SQLITE}{database}"


def sqlite_file(uri: str) -> Path | None:
    """The file of a SQLite database, absolute; ``None`` if the uri is of something else.

    >>> sqlite_file("sqlite:////data/mlflow.db").as_posix()
    '/data/mlflow.db'
    """
    return expanded(uri.removeprefix(SQLITE)).absolute() if uri.startswith(SQLITE) else None


def quiet(environment: MutableMapping[str, str]) -> None:
    """Settings for MLflow: no telemetry, and no minutes of retries when a server is away."""
    environment["MLFLOW_DISABLE_TELEMETRY"] = "true"
    environment["DO_NOT_TRACK"] = "true"
    environment.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    environment.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
