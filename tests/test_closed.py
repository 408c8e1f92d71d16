"""Closed by default: no network, no telemetry, pages on this machine alone, and secrets nowhere.

That a whole sweep asks no network is in ``test_end_to_end``: its sockets are blocked, and those of
its workers.
"""

import json
import logging
import queue
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.closed import Children, closed
from tgap.cli.main import command
from tgap.core.secrets import MaskedFormatter, masked
from tgap.pipeline.sharing.child import START, Child, Inbox
from tgap.tracking import Journal
from tgap.tracking.pages import ui_command

SECRET = "hf_abcdefghijklmnop"


def test_the_guard_notices_what_it_is_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = closed(monkeypatch)
    with pytest.raises(OSError, match="no network in this test"):
        urllib.request.urlopen("http://example.org", timeout=1)
    assert asked == ["example.org"]


def test_it_notices_what_a_worker_asks_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    children = Children(monkeypatch, tmp_path)
    assert (children.guarded, children.asked) == (0, [])
    inbox: Inbox = queue.SimpleQueue()
    asks = "; import urllib.request; urllib.request.urlopen('http://example.org', timeout=1)"
    child = Child(START + asks, inbox)
    assert inbox.get(timeout=60)[1] == {"event": "gone"}
    assert child.death("it") == "it ended its process with exit code 1"
    assert (children.guarded, children.asked) == (1, ["example.org"])


@pytest.mark.parametrize(
    "words", ["size=0", "generator.path=nowhere", "dataset=image_folder", "generator=noise size=x"]
)
def test_a_mistake_asks_nobody(words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    asked = closed(monkeypatch)
    assert command(["run", *words.split()]) == 2
    assert asked == []


def test_libraries_are_told_to_report_nothing() -> None:
    names = ("DO_NOT_TRACK", "MLFLOW_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY")
    code = "import os, json, tgap; print(json.dumps(dict(os.environ)))"
    done = subprocess.run([sys.executable, "-c", code], env={}, capture_output=True, check=True)
    environment = json.loads(done.stdout)
    assert all(environment[name] == "true" for name in names)
    assert environment["RAY_USAGE_STATS_ENABLED"] == "0"


def test_pages_are_served_to_this_machine_alone(tmp_path: Path) -> None:
    words = ui_command(tmp_path, f"sqlite:///{tmp_path}/mlflow.db")
    assert words[words.index("--host") + 1] == "127.0.0.1"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql+psycopg://ada:hunter2@db/x", "postgresql+psycopg://db/x"),
        ("https://m/x?password=hunter2&a=1", "https://m/x?password=***&a=1"),
        ("cannot reach 'https://ada:hunter2@m/x'", "cannot reach 'https://m/x'"),
        (f"Bearer {SECRET} was refused", "Bearer *** was refused"),
        ("tokens=5 an image of ada@home", "tokens=5 an image of ada@home"),
    ],
)
def test_secrets_are_masked(text: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", SECRET)
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "an image of")
    assert masked(text) == shown


def test_they_are_in_no_record(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Reports and cards are made of the record."""
    monkeypatch.setenv("HF_TOKEN", SECRET)
    journal = Journal(tmp_path / "journal" / "single" / "key")
    with journal.locked():
        journal.append("start", name="x", params={"a": SECRET}, tags={"b": "x://u:hunter2@h"})
        journal.keep(f"dataset: {SECRET}", "config.yaml")
        journal.append("end", status=f"FAILED {SECRET}")
        journal.set_pushed("https://ada:hunter2@m", "id", 1, "0")
    written = [file.read_text() for file in journal.folder.rglob("*") if file.is_file()]
    assert len(written) >= 3
    assert not any(SECRET in text or "hunter2" in text for text in written)
    assert len(journal.events()) == 3


def test_they_are_in_no_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", "correct horse")
    try:
        raise OSError("login with correct horse failed")
    except OSError:
        record = logging.LogRecord("x", 20, "x", 1, "%s", ("https://a:hunter2@h",), sys.exc_info())
    told = MaskedFormatter().format(record)
    assert "OSError: login with *** failed" in told
    assert "hunter2" not in told


@pytest.mark.parametrize(
    "word", ["+hydra.job.env_set.HF_TOKEN=x", "hydra.job.env_copy=[PATH,MY_API_KEY]"]
)
def test_hydra_keeps_none_in_its_files(
    word: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_API_KEY", "x")
    assert command(["run", word, "size=0"]) == 2
    assert "is kept in no file; export it in the shell" in capsys.readouterr().err


def test_a_variable_that_is_not_set_is_not_copied(capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["run", "hydra.job.env_copy=[NOPE]", "size=0"]) == 2
    assert "the environment variable 'NOPE' is not set" in capsys.readouterr().err
