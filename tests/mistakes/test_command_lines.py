"""Every mistaken command is refused before anything starts, with what is wrong and what to do.

``command_lines.txt`` has a command behind ``$``, and below it pieces of what it must be told.
"""

import os
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mistakes import files
from tgap.cli.main import command

CORPUS = Path(__file__).with_name("command_lines.txt")
EVERY = 12
"""Of the corpus, one in so many is in the ordinary tests; ``make test-long`` has all."""
LONGEST = 3.0
"""Seconds in which a mistake is told, where nothing has to be imported first."""
STARTED = AssertionError("a run was started")


def cases() -> dict[str, list[str]]:
    """The pieces of each command's message."""
    found: dict[str, list[str]] = {}
    for line in CORPUS.read_text("utf-8").splitlines():
        if line.startswith("$ "):
            pieces = found.setdefault(line.removeprefix("$ "), [])
        elif line.strip():
            pieces.append(line.strip())
    return found


CASES = cases()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One folder and one home for all, so that the default dataset is read once."""
    folder = tmp_path_factory.mktemp("mistakes")
    files.write(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("TGAP_HOME", str(folder.parent / "home_of_mistakes"))
        for name in ("_single", "_swept"):
            patch.setattr(f"tgap.sweeps.launch.{name}", _started)
        command(["run", "size=0"])  # imports what every command does
        yield folder


def _started(*arguments: object) -> None:
    raise STARTED


def paths(folder: Path) -> set[str]:
    """Everything below a folder."""
    return {
        str(Path(root, name))
        for root, folders, names in os.walk(folder)
        for name in (*folders, *names)
    }


def check(words: str, world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A command is refused, tells what it must, and leaves nothing but data that it read."""
    home = Path(os.environ["TGAP_HOME"])
    before = paths(world), paths(home)
    begun = time.process_time()
    assert command(shlex.split(words)) == 2
    assert time.process_time() - begun < LONGEST  # of this process, whatever runs beside it
    told = capsys.readouterr().err
    assert "Traceback" not in told
    for piece in CASES[words]:
        assert piece in told
    assert paths(world) == before[0]
    made = {Path(path).relative_to(home).parts[0] for path in paths(home) - before[1]}
    assert made <= {"store"}


WORDS = list(CASES)


@pytest.mark.parametrize("words", WORDS[::EVERY])
def test_a_mistaken_command_is_refused(
    words: str, world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check(words, world, capsys)


@pytest.mark.long
@pytest.mark.parametrize("words", [w for n, w in enumerate(WORDS) if n % EVERY])
def test_so_is_every_other(words: str, world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check(words, world, capsys)


def test_the_corpus_is_large_and_says_something_of_each() -> None:
    assert len(CASES) >= 220
    assert all(CASES.values())
    told = {words.split()[0] for words in CASES}
    assert {
        "run",
        "data",
        "evaluate",
        "compare",
        "predict",
        "report",
        "export",
        "label",
        "phantom",
        "plan",
    } <= told


NO_SERVERS = ("http://", "https://", "http:///mlflow", "http://ada:hunter2@", "http://x:port")
NO_STORES = ("ftp://ada:hunter2@x/y", "sqllite:///x.db", "mongodb://x")
WRONG_URIS = {
    **{
        uri: ("names no server", f"write {uri.partition(':')[0]}://HOST:PORT") for uri in NO_SERVERS
    },
    **dict.fromkeys(
        NO_STORES, ("MLflow has no store of the kind", "unset it for the database in TGAP_HOME")
    ),
}


@pytest.mark.parametrize("uri", WRONG_URIS)
def test_an_address_that_mlflow_cannot_use(
    uri: str, world: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    for words in (["run", "size=5"], ["sync"], ["ui"]):
        assert command(words) == 2
        told = capsys.readouterr().err
        for part in WRONG_URIS[uri]:
            assert part in told
        assert "hunter2" not in told


def test_what_needs_no_data_is_refused_before_they_are_read(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tgap.sweeps.checking.plan_runs", _started)
    assert command(["plan", "--on", "H200"]) == 2
    assert command(["plan", "--gpus", "2", "devices=3"]) == 2
    assert command(["plan", "--gpus", "2", "--workers", "2"]) == 2


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        (
            "postgresql://ada:hunter2@db/x",
            "MLFLOW_TRACKING_URI=postgresql://db/x needs the package 'psycopg', which cannot be "
            "imported: pip install 'tgap[postgres]'; or unset it for the database in TGAP_HOME",
        ),
        (
            "mysql+pymysql://ada:hunter2@db/x",
            "MLFLOW_TRACKING_URI=mysql+pymysql://db/x needs the package 'pymysql', which cannot "
            "be imported: pip install pymysql; or unset it for the database in TGAP_HOME",
        ),
        (
            "postgresql+nothing://ada:hunter2@db/x",
            "MLFLOW_TRACKING_URI=postgresql+nothing://db/x is no address of a database (Can't "
            "load plugin: sqlalchemy.dialects:postgresql.nothing); write "
            "postgresql://HOST/DATABASE, USER:PASSWORD@ before the host",
        ),
    ],
)
def test_a_database_that_cannot_be_reached_from_here_is_told_before_anything_runs(
    uri: str,
    told: str,
    world: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for package in ("psycopg", "pymysql"):
        monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert command(["run", "size=5"]) == 2
    assert told in " ".join(capsys.readouterr().err.split())
