"""Where MLflow is, and its pages on this machine."""

import os
import re
import signal
import socket
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import NoReturn

from tgap.core import TgapError
from tgap.core.files import expanded

SQLITE = "sqlite:///"
HOST = "127.0.0.1"


def resolve_uri(home: Path) -> str:
    """``MLFLOW_TRACKING_URI`` if set, else the SQLite database in ``home``; absolute."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"{SQLITE}{home / 'mlflow.db'}"
    database = sqlite_file(uri)
    return uri if database is None else f"{SQLITE}{database}"


def sqlite_file(uri: str) -> Path | None:
    """The file of a SQLite database, absolute; ``None`` if the uri is of something else.

    >>> sqlite_file("sqlite:////data/mlflow.db").as_posix()
    '/data/mlflow.db'
    """
    return expanded(uri.removeprefix(SQLITE)).absolute() if uri.startswith(SQLITE) else None


def without_password(text: str) -> str:
    """A uri that may be written down, or a text with uris in it.

    >>> without_password("https://ada:secret@mlflow.example.org/x")
    'https://mlflow.example.org/x'
    """
    return re.sub(r"//[^/\s]+@", "//", text)


def quiet(environment: MutableMapping[str, str]) -> None:
    """Settings for MLflow: no telemetry, and no minutes of retries when a server is away."""
    environment["MLFLOW_DISABLE_TELEMETRY"] = "true"
    environment["DO_NOT_TRACK"] = "true"
    environment.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    environment.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")


def ui_command(home: Path, uri: str, port: int = 5000) -> list[str]:
    """The command that serves MLflow's pages to this machine only."""
    artifacts = (home.absolute() / "mlartifacts").as_uri()
    options = {
        "--backend-store-uri": uri,
        "--default-artifact-root": artifacts,
        "--artifacts-destination": artifacts,
        "--host": HOST,
        "--port": str(port),
        "--workers": "1",
        "--uvicorn-opts": "--no-access-log",
    }
    words = [word for option in options.items() for word in option]
    return [sys.executable, "-m", "mlflow", "server", *words]


def serve_ui(home: Path, uri: str, port: int = 5000) -> NoReturn:
    """Serve MLflow's pages until Ctrl-C, in place of this process.

    Raises:
        TgapError: If there is nothing to show, a server shows it already, or the port is taken.
    """
    if uri.startswith(("http://", "https://")):
        raise TgapError(f"MLflow's pages are served already: open {without_password(uri)}")
    database = sqlite_file(uri)
    if database is not None and not database.exists():
        raise TgapError(
            f"nothing is logged yet: there is no {database}; start a run first (tgap run), "
            "or set TGAP_HOME to the folder of earlier runs"
        )
    _check_free(port)
    environment = dict(os.environ)
    quiet(environment)
    environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"  # pages only, nothing that runs
    command = ui_command(home, uri, port)
    home.mkdir(parents=True, exist_ok=True)
    os.chdir(home)  # MLflow leaves files in the current folder
    # Python's own handler would add a traceback to the server's orderly end at Ctrl-C.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # In place of this process, so that whatever ends it ends the server.
    os.execve(command[0], command, environment)


def _check_free(port: int) -> None:
    try:
        socket.create_server((HOST, port)).close()
    except (OSError, OverflowError) as error:
        raise TgapError(
            f"cannot serve pages on port {port}: {error}; choose another one with --port"
        ) from error
