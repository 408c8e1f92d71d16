"""The second level: fetched from, sent to, verified; what it does wrong costs nothing."""

import importlib.util
import json
import logging
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import filelock
import fsspec
import numpy as np
import pytest

import tgap.store.remote
from tgap.core import StoreError
from tgap.core.files import write_array, write_json
from tgap.store import Artifact, Spec, Store, behind
from tgap.store.behind import AHEAD, Place, Sender
from tgap.store.remote import VARIABLE, remote

SPEC = Spec("generator", {"steps": 3}, {"selection": "0a1b"})
Machine = Callable[[], Store]


def make(folder: Path) -> None:
    write_json(folder / "losses.json", [0.5])
    (folder / "model" / "unet").mkdir(parents=True)
    write_array(folder / "model" / "unet" / "weights.npy", np.arange(50))


def must_not_run(folder: Path) -> None:
    raise AssertionError("made again")


def made(store: Store, spec: Spec = SPEC) -> Artifact:
    """Made, and sent."""
    artifact = store.get_or_make(spec, make)
    store.wait_until_sent()
    return artifact


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Stores of machines that share the second level only."""
    return lambda: Store(tmp_path / f"machine-{uuid4().hex}" / "store")


@pytest.fixture(params=["memory", "file"])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    place = f"file://{tmp_path}/shared" if request.param == "file" else f"memory://{uuid4().hex}"
    monkeypatch.setenv(VARIABLE, place)
    return place


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as second level."""
    monkeypatch.setenv(VARIABLE, f"file://{tmp_path}/shared")
    return tmp_path / "shared"


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    yield
    tgap.store.remote._remote.cache_clear()


def check_shared(machine: Machine) -> None:
    first = made(machine())
    other = machine()
    fetched = other.get_or_make(SPEC, must_not_run)
    assert (first.reused, fetched.reused) == (False, True)
    assert fetched.manifest == first.manifest
    assert fetched.read_json("losses.json") == [0.5]
    np.testing.assert_array_equal(fetched.read_array("model/unet/weights.npy"), np.arange(50))
    other.verify(fetched)
    assert list((other.root / "tmp").iterdir()) == []
    assert other.find(SPEC)


def test_what_one_machine_made_another_fetches(machine: Machine, url: str) -> None:
    check_shared(machine)
    files, path = fsspec.core.url_to_fs(url)
    names = sorted(name.rpartition(SPEC.key)[2] for name in files.find(path))
    assert [name.count("/") for name in names] == [2, 4, 1]  # files below their digest


def test_an_artifact_is_sent_once_and_no_other_is(machine: Machine, url: str) -> None:
    first = made(machine())
    level = remote()
    assert level is not None
    assert not level.send(first.folder, first.manifest)
    other = Spec("generator", {"steps": 4})
    assert not made(machine(), other).reused


@pytest.mark.parametrize("part", ["manifest.json", "losses.json", "weights.npy"])
@pytest.mark.parametrize("cut", [True, False])
def test_damage_there_is_told_and_mended(
    machine: Machine, shared: Path, caplog: pytest.LogCaptureFixture, part: str, cut: bool
) -> None:
    made(machine())
    (path,) = shared.rglob(part)
    data = path.read_bytes()
    path.write_bytes(data[:-3] if cut else bytes([data[0] ^ 1]) + data[1:])
    store = machine()
    assert not made(store).reused
    assert f"artifact {SPEC} in file://" in caplog.text
    assert "is not used" in caplog.text
    store.verify(store.get_or_make(SPEC, must_not_run))
    check_fetched = machine()
    check_fetched.verify(check_fetched.get_or_make(SPEC, must_not_run))


def hostile_name(name: str) -> Callable[[dict[str, Any], Path], None]:
    def change(manifest: dict[str, Any], files: Path) -> None:
        listed = name.replace("ABSOLUTE", str(files.parents[3]))
        manifest["files"][listed] = manifest["files"].pop("losses.json")
        target = files / listed.lstrip("/")  # it is there to be fetched
        if name:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(files / "losses.json", target)

    return change


def other_key(manifest: dict[str, Any], files: Path) -> None:
    manifest["spec"]["identity"]["steps"] = 4


def link(manifest: dict[str, Any], files: Path) -> None:
    (files / "losses.json").rename(files.parents[3] / "outside")
    (files / "losses.json").symlink_to(files.parents[3] / "outside")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (hostile_name("../../../evil"), "which is no name of a file"),
        (hostile_name("model/../../../../evil"), "which is no name of a file"),
        (hostile_name("ABSOLUTE/evil"), "which is no name of a file"),
        (hostile_name("..\\evil"), "which is no name of a file"),
        (hostile_name("manifest.json/x"), "cannot read TGAP_STORE_REMOTE"),
        (hostile_name(""), "which is no name of a file"),
        (other_key, "belongs to another specification"),
        (lambda manifest, files: manifest["files"].clear(), "lists no files"),
        (lambda manifest, files: manifest.update(files=[]), "lists no files"),
        (lambda manifest, files: manifest.update(files=["a"]), "cannot be read"),
        (link, "is no file, but a link"),
    ],
)
def test_nothing_hostile_is_believed_or_written_outside(
    machine: Machine,
    shared: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    change: Callable[[dict[str, Any], Path], None],
    words: str,
) -> None:
    made(machine())
    place = shared / SPEC.stage / SPEC.key
    (files,) = (path for path in place.iterdir() if path.is_dir())
    manifest = json.loads((place / "manifest.json").read_text())
    change(manifest, files)
    del manifest["digest"], manifest["times"]  # as if it were of an earlier version
    (place / "manifest.json").write_text(json.dumps(manifest))
    if isinstance(manifest["files"], dict):  # it names the folder of its files
        files.rename(place / tgap.store.remote._files_digest(manifest))
    store = machine()
    store.root.mkdir(parents=True)

    def outside() -> set[Path]:
        places = store.root, shared
        return {p for p in tmp_path.rglob("*") if not any(map(p.is_relative_to, places))}

    before = outside()
    assert not made(store).reused
    assert words in caplog.text
    assert outside() == before
    store.verify(store.get_or_make(SPEC, must_not_run))


def test_one_that_is_away_costs_a_warning_and_no_result(
    machine: Machine,
    shared: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    level = remote()
    assert level is not None

    def away(*args: object, **kwargs: object) -> None:
        raise TimeoutError("no answer from https://ada:secret@host")

    monkeypatch.setattr(level._files, "info", away)
    store = machine()
    assert not made(store).reused
    assert not made(store, Spec("generator", {"steps": 4})).reused
    assert caplog.text.count("cannot read TGAP_STORE_REMOTE") == 1
    assert "tgap store push" in caplog.text
    assert "secret" not in caplog.text
    assert not shared.exists()


def test_a_failed_upload_leaves_nothing_that_is_read(
    machine: Machine,
    shared: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    level = remote()
    assert level is not None

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(level._files, "pipe_file", full)
    assert not made(machine()).reused
    assert "cannot write TGAP_STORE_REMOTE" in caplog.text
    assert "is sent by the next run, or by `tgap store push`" in caplog.text
    (note,) = shared.parent.glob("machine-*/store/unsent/*")
    assert note.name == f"generator-{SPEC.key}"
    monkeypatch.undo()
    monkeypatch.setenv(VARIABLE, f"file://{shared}")
    tgap.store.remote._remote.cache_clear()
    assert not made(machine()).reused
    assert machine().get_or_make(SPEC, must_not_run).reused


def unsent(store: Store) -> list[str]:
    return [path.name for path in (store.root / "unsent").glob("*")]


def test_work_does_not_wait_for_an_upload(
    machine: Machine, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    level, began, goes_on = remote(), threading.Event(), threading.Event()
    assert level is not None
    put = level._files.put_file

    def slow(*args: object) -> None:
        began.set()
        assert goes_on.wait(60)
        put(*args)

    monkeypatch.setattr(level._files, "put_file", slow)
    store = machine()
    assert not store.get_or_make(SPEC, make).reused
    assert not list(shared.rglob("manifest.json"))
    assert unsent(store) == [f"generator-{SPEC.key}"]
    assert began.wait(60)  # until then there is nothing that a removal could disturb
    with pytest.raises(filelock.Timeout):
        store.discard(SPEC.stage, SPEC.key)  # half of it is there
    goes_on.set()
    store.wait_until_sent()
    assert list(shared.rglob("manifest.json"))
    assert unsent(store) == []


def test_what_a_killed_process_did_not_send_the_next_run_sends(
    machine: Machine, shared: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = machine()
    die = (
        "import os, sys, pathlib; from tests.store.test_remote import SPEC, make\n"
        "from tgap.store import Store, store\n"
        "store.send_behind = lambda *what: os._exit(9)\n"
        "Store(pathlib.Path(sys.argv[1])).get_or_make(SPEC, make)\n"
    )
    command = [sys.executable, "-c", die, str(store.root)]
    root = str(Path(__file__).parents[2])
    assert subprocess.run(command, check=False, cwd=root).returncode == 9
    assert store.find(SPEC)
    caplog.set_level(logging.INFO, "tgap")
    store.send_left()
    store.wait_until_sent()
    assert "1 artifacts that were not sent to the second level yet are sent now" in caplog.text
    assert unsent(store) == []
    assert machine().get_or_make(SPEC, must_not_run).reused


PLACES = [("generator", f"{number:020x}") for number in range(2 * AHEAD)]


@pytest.fixture
def sender(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sender]:
    """One that sends nothing before its ``goes_on`` is set, and the second place never."""

    def send(self: Sender, place: Place) -> None:
        assert self.goes_on.wait(60)
        if place == PLACES[1]:
            raise RuntimeError("of no kind that is known")
        self.sent.append(place)

    monkeypatch.setattr(Sender, "goes_on", threading.Event(), raising=False)
    monkeypatch.setattr(Sender, "sent", [], raising=False)
    monkeypatch.setattr(Sender, "_send", send)
    yield Sender(tmp_path)
    Sender.goes_on.set()


def ends(work: Callable[[], object]) -> bool:
    """Whether it comes to its end: else it would wait for ever."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(20)
    return not thread.is_alive()


def test_nothing_waits_for_what_earlier_processes_left(
    sender: Sender, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(behind, "LEFT_SECONDS", 0.05)
    caplog.set_level(logging.INFO, "tgap")
    assert ends(lambda: sender.send_left(PLACES[:-1]))
    assert ends(sender.wait)
    assert f"{len(PLACES) - 1} artifacts of earlier processes are not sent yet" in caplog.text
    monkeypatch.setattr(behind, "LEFT_SECONDS", 60)
    assert ends(lambda: sender.send(PLACES[-1]))
    sender.goes_on.set()
    assert ends(sender.wait)
    assert sender.sent == [PLACES[0], PLACES[-1], *PLACES[2:-1]]


def test_no_error_ends_the_thread_that_sends(
    sender: Sender, caplog: pytest.LogCaptureFixture
) -> None:
    sender.goes_on.set()
    for place in PLACES[1:3]:
        assert ends(lambda place=place: sender.send(place))
    assert ends(sender.wait)
    assert sender.sent == [PLACES[2]]
    assert f"cannot send generator {PLACES[1][1]} to the second level: of no kind" in caplog.text


def test_one_that_is_set_aside_while_it_is_sent_is_no_fault_of_the_second_level(
    machine: Machine,
    shared: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    level, store = remote(), machine()
    assert level is not None
    put = level._files.put_file

    def late(*what: Any) -> None:
        shutil.rmtree(store.root / SPEC.stage)
        put(*what)

    monkeypatch.setattr(level._files, "put_file", late)
    made(store)
    assert not level.is_away
    assert "it was removed or set aside while it was sent" in caplog.text
    monkeypatch.undo()
    monkeypatch.setenv(VARIABLE, f"file://{shared}")
    assert not made(store).reused
    assert machine().get_or_make(SPEC, must_not_run).reused


def test_a_note_of_what_is_gone_or_of_no_artifact_sends_nothing(
    machine: Machine, shared: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = machine()
    made(store)
    for name in (f"generator-{'0' * 20}", "..-x", "notes.txt"):
        (store.root / "unsent" / name).touch()
    store.send_left()
    store.wait_until_sent()
    assert sorted(unsent(store)) == ["..-x", "notes.txt"]
    assert len(list(shared.rglob("manifest.json"))) == 1
    assert "cannot" not in caplog.text


@pytest.mark.parametrize("wrong", ["nonsense://x", "s4://bucket"])
def test_a_url_of_no_known_kind_is_told_before_work_starts(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    monkeypatch.setenv(VARIABLE, wrong)
    (problem,) = machine().check_writable()
    assert problem.startswith(f"TGAP_STORE_REMOTE={wrong}: ")
    assert "s3://bucket/folder" in problem
    with pytest.raises(StoreError, match="pip install 'tgap"):
        machine().get_or_make(SPEC, must_not_run)


def test_without_the_variable_fsspec_is_not_loaded(machine: Machine) -> None:
    assert VARIABLE not in os.environ
    assert remote() is None
    assert not made(machine()).reused


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket of a server on this machine that speaks S3."""
    for package in ("moto", "s3fs", "flask", "flask_cors"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed: pip install 'tgap[dev]'")
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": "tests",
        "AWS_DEFAULT_REGION": "us-east-1",
        VARIABLE: "s3://tgap-tests/store",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    fsspec.filesystem("s3").mkdir("tgap-tests")
    try:
        yield settings[VARIABLE]
    finally:
        server.stop()


def test_a_bucket_of_a_real_server(
    machine: Machine, bucket: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "tgap"):
        check_shared(machine)
    assert f"fetched {SPEC} from {bucket}" in caplog.text
    files = fsspec.filesystem("s3")
    (weights,) = (name for name in files.find("tgap-tests") if name.endswith("weights.npy"))
    files.pipe_file(weights, bytes(len(files.cat_file(weights))))
    store = machine()
    assert not made(store).reused
    assert "weights.npy has changed since it was made; it is not used" in caplog.text
    assert machine().get_or_make(SPEC, must_not_run).reused
