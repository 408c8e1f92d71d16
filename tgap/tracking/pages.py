"""MLflow's pages on this machine, opened at the newest sweep."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from tgap.core import TgapError
from tgap.core.secrets import masked
from tgap.tracking.journal import Journal
from tgap.tracking.push import moved
from tgap.tracking.server import quiet, sqlite_file
from tgap.tracking.views import view_name

HOST = "127.0.0.1"
"""This machine alone."""


def ui_command(home: Path, uri: str, port: int = 5000, host: str = HOST) -> list[str]:
    """The command that serves MLflow's pages."""
    artifacts = (home.absolute() / "mlartifacts").as_uri()
    options = {
        "--backend-store-uri": uri,
        "--default-artifact-root": artifacts,
        "--artifacts-destination": artifacts,
        "--host": host,
        "--port": str(port),
        "--workers": "1",
        "--uvicorn-opts": "--no-access-log",
    }
    words = [word for option in options.items() for word in option]
    return [sys.executable, "-m", "mlflow", "server", *words]


def page_of(home: Path, uri: str) -> str:
    """Where the newest sweep is in MLflow's pages, as the end of an address.

    That of all runs, if the newest run belongs to no sweep; MLflow's own first page, if none was
    logged.

    Args:
        home: Folder of the journal.
        uri: MLflow's tracking uri.
    """
    files = (home / "journal").glob("*/*/journal.jsonl")
    for file in sorted(files, key=lambda file: file.stat().st_mtime, reverse=True):
        journal = Journal(file.parent)
        if (experiment := journal.experiment_id()) is not None and journal.pushed(uri)[0]:
            view = view_name(journal.sweep_key)
            return f"#/experiments/{experiment}/runs?viewStateShareKey={view}"
    return ""


def serve_ui(
    home: Path,
    uri: str,
    port: int = 5000,
    host: str = HOST,
    browser: bool = False,
    tell: Callable[[str], None] = lambda text: None,
) -> NoReturn:
    """Serve MLflow's pages until Ctrl-C, in place of this process.

    Args:
        home: Folder of the database and of the journal.
        uri: MLflow's tracking uri.
        port: To listen on.
        host: To listen on; by default this machine alone can see the pages.
        browser: Whether to open them in a browser.
        tell: Told where they are.

    Raises:
        TgapError: If there is nothing to show, a server shows it already, or the port is taken.
    """
    if uri.startswith(("http://", "https://")):
        raise TgapError(f"MLflow's pages are served already: open {masked(uri)}")
    database = sqlite_file(uri)
    if database is not None and not database.exists():
        if any((home / "journal").glob("*/*/journal.jsonl")):
            raise TgapError(
                f"nothing is logged yet: there is no {database}; log what the journal of the runs "
                "has (tgap sync)"
            )
        raise TgapError(
            f"nothing is logged yet: there is no {database}; start a run first (tgap run), "
            "or set TGAP_HOME to the folder of earlier runs"
        )
    _check_free(port, host)
    environment = dict(os.environ)
    quiet(environment)
    environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"  # pages only, nothing that runs
    moved(home.absolute(), uri)
    command = ui_command(home, uri, port, host)
    address = f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}/{page_of(home, uri)}"
    tell(f"MLflow's pages: {address} (Ctrl-C ends them)")
    if host != HOST:
        tell("they ask for no password: whoever reaches this machine can read and change them")
    home.mkdir(parents=True, exist_ok=True)
    os.chdir(home)  # MLflow leaves files in the current folder
    # Python's own handler would add a traceback to the server's orderly end at Ctrl-C.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if browser:
        subprocess.Popen([sys.executable, "-c", OPEN, host, str(port), address])
    # In place of this process, so that whatever ends it ends the server.
    os.execve(command[0], command, environment)


OPEN = """
import socket, sys, time, webbrowser
host, port, address = sys.argv[1:]
for _ in range(120):
    try:
        socket.create_connection((host, int(port)), 1).close()
        webbrowser.open(address)
        break
    except OSError:
        time.sleep(0.5)
"""
"""Opens the pages once they are there; a minute later it gives up."""


def _check_free(port: int, host: str) -> None:
    try:
        socket.create_server((host, port)).close()
    except (OSError, UnicodeError) as error:
        raise TgapError(
            f"cannot serve pages of {host} on port {port}: {error}; choose another one with "
            "--port, or leave --host out"
        ) from error
