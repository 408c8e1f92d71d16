"""Where MLflow is, and how it is asked to behave."""

import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

from tgap.core import ConfigError, nearest
from tgap.core.files import expanded
from tgap.core.secrets import masked

SQLITE = "sqlite:///"
SCHEMES = "databricks file http https mssql mysql postgresql sqlite uc".split()
SERVERS = ("mssql", "mysql", "postgresql")
"""Databases that need a package of their own."""
LIBPQ = ("postgresql", "postgresql+psycopg", "postgresql+psycopg2")
"""Addresses whose settings go to PostgreSQL's own library, libpq."""
LIMITS = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""Of these, so that a network that swallows all is told within a minute: seconds, seconds between
questions, how many of them, and milliseconds. Without them a system takes minutes to hours."""


def resolve_uri(home: Path) -> str:
    """``MLFLOW_TRACKING_URI`` if set, else the SQLite database in ``home``; absolute.

    Raises:
        ConfigError: If MLflow has no store of that kind, or the package that it needs is missing.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"{SQLITE}{home / 'mlflow.db'}"
    scheme = uri.partition(":")[0].partition("+")[0] if ":" in uri else "file"
    if scheme not in SCHEMES:
        raise ConfigError(
            f"MLFLOW_TRACKING_URI={masked(uri)}: MLflow has no store of the kind "
            f"'{scheme}'{nearest(scheme, SCHEMES)}; unset it for the database in TGAP_HOME"
        )
    if scheme in ("http", "https") and not _names_server(uri):
        raise ConfigError(
            f"MLFLOW_TRACKING_URI={masked(uri)} names no server; write {scheme}://HOST:PORT, or "
            "unset it for the database in TGAP_HOME"
        )
    if scheme in SERVERS:
        _require_driver(uri, scheme)
    database = sqlite_file(uri)
    return uri if database is None else f"{SQLITE}{database}"


def _names_server(uri: str) -> bool:
    """Whether an address has a host, and no port that is none."""
    try:
        parts = urlsplit(uri)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _require_driver(uri: str, scheme: str) -> None:
    """Before hours of work, not when it is to be logged."""
    from sqlalchemy.engine import make_url  # takes a second, which other kinds need not
    from sqlalchemy.exc import ArgumentError

    try:
        make_url(uri).get_dialect().import_dbapi()
    except ArgumentError as error:
        raise ConfigError(
            f"MLFLOW_TRACKING_URI={masked(uri)} is no address of a database ({error}); write "
            f"{scheme}://HOST/DATABASE, USER:PASSWORD@ before the host"
        ) from error
    except ImportError as error:
        package = error.name or str(error)
        install = "'tgap[postgres]'" if scheme == "postgresql" else package
        raise ConfigError(
            f"MLFLOW_TRACKING_URI={masked(uri)} needs the package '{package}', which cannot be "
            f"imported: pip install {install}; or unset it for the database in TGAP_HOME"
        ) from error


def sqlite_file(uri: str) -> Path | None:
    """The file of a SQLite database, absolute; ``None`` if the uri is of something else.

    >>> sqlite_file("sqlite:////data/mlflow.db").as_posix()
    '/data/mlflow.db'
    """
    return expanded(uri.removeprefix(SQLITE)).absolute() if uri.startswith(SQLITE) else None


def with_limits(uri: str, environment: Mapping[str, str]) -> str:
    """An address of a PostgreSQL server with ``LIMITS``, but for what is set; another as it is.

    >>> with_limits("postgresql://db/x?connect_timeout=3", {}).partition("&")[2]
    'keepalives_idle=30&keepalives_interval=10&keepalives_count=3&tcp_user_timeout=30000'
    """
    if uri.partition(":")[0] not in LIBPQ:
        return uri
    address, _, query = uri.partition("?")
    known = {*parse_qs(query, keep_blank_values=True)}
    if "PGCONNECT_TIMEOUT" in environment:
        known.add("connect_timeout")
    new = {name: value for name, value in LIMITS.items() if name not in known}
    return f"{address}?{'&'.join(part for part in (query, urlencode(new)) if part)}"


def quiet(environment: MutableMapping[str, str]) -> None:
    """Settings for MLflow: no telemetry, and no minutes of retries when a server is away."""
    environment["MLFLOW_DISABLE_TELEMETRY"] = "true"
    environment["DO_NOT_TRACK"] = "true"
    environment.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    environment.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
