import errno
import hashlib
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors import SafetensorError

import tgap.core.digest
import tgap.store.damaged
import tgap.store.left
import tgap.store.store
import tgap.store.vouched
from tests.core.test_digest import rewrite
from tgap.core import ContractError, StoreError
from tgap.core.digest import FRESH_NS
from tgap.core.files import locked, write_array, write_arrays, write_json
from tgap.store import Spec, Store
from tgap.store.damaged import set_aside

SPEC = Spec("selection", {"size": 500, "rate": 0.1}, {"split": "0a1b"})


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def make(folder):
    write_json(folder / "notes.json", {"a": 1})
    (folder / "model").mkdir()
    write_array(folder / "model" / "weights.npy", np.arange(5))


def must_not_run(folder):
    raise AssertionError("made again")


def start(script, root):
    """Run a script on a store in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", script, str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(tgap.store.store.__file__).parents[1],
    )


def left_in_tmp(store):
    return list((store.root / "tmp").glob("*"))


# Specifications and keys


def test_a_key_never_changes_between_versions():
    assert Spec("selection", {"size": 500}, {"split": "0a1b"}).key == "47c96045569965d3a0e6"


@pytest.mark.parametrize(
    "other",
    [
        Spec("synthetic", SPEC.identity, SPEC.upstream),
        Spec("selection", {"size": 501, "rate": 0.1}, SPEC.upstream),
        Spec("selection", {"size": 500, "rate": 0.10000000000000002}, SPEC.upstream),
        Spec("selection", {"size": 500}, SPEC.upstream),
        Spec("selection", SPEC.identity, {"split": "0a1c"}),
        Spec("selection", SPEC.identity, {"pool": "0a1b"}),
        Spec("selection", SPEC.identity),
    ],
)
def test_a_key_changes_with_every_part(other):
    assert other.key != SPEC.key


def test_a_key_does_not_depend_on_the_order_of_fields():
    assert Spec("selection", {"rate": 0.1, "size": 500}, {"split": "0a1b"}).key == SPEC.key


def test_a_spec_cannot_be_changed_through_what_it_was_made_from():
    identity = {"seeds": [1]}
    spec = Spec("a", identity)
    identity["seeds"].append(2)
    assert spec.content()["identity"] == {"seeds": [1]}
    assert spec.key == Spec("a", {"seeds": [1]}).key


@pytest.mark.parametrize("stage", ["", "tmp", "locks", "../up", "A", "a-b", "a.b"])
def test_stages_that_are_no_plain_names_are_refused(stage):
    with pytest.raises(ContractError, match="stage must be lower-case"):
        Spec(stage, {})


def test_a_spec_names_the_value_that_it_refuses():
    with pytest.raises(ContractError, match=r"identity of a\.rate must be a finite number"):
        Spec("a", {"rate": float("nan")})


# Making, finding, reading


def test_an_artifact_is_made_once(store):
    assert store.find(SPEC) is None
    made = store.get_or_make(SPEC, make)
    again = Store(store.root).get_or_make(SPEC, must_not_run)
    assert (made.reused, again.reused) == (False, True)
    assert made.folder == again.folder == store.root / "selection" / SPEC.key
    assert made.seconds == again.seconds >= 0
    assert made.manifest == again.manifest
    assert left_in_tmp(store) == []
    store.verify(again)


def test_the_manifest_tells_everything(store):
    made = store.get_or_make(SPEC, make)
    manifest = json.loads((made.folder / "manifest.json").read_text())
    assert manifest["key"] == SPEC.key
    assert manifest["spec"] == SPEC.content()
    assert manifest["spec"]["upstream"] == {"split": "0a1b"}
    assert set(manifest["files"]) == {"notes.json", "model/weights.npy"}
    content = made.path("model/weights.npy").read_bytes()
    recorded = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    assert manifest["files"]["model/weights.npy"] == recorded
    assert set(manifest["versions"]) == {"python", "tgap", "torch", "diffusers", "numpy"}
    assert manifest["versions"]["numpy"] == np.__version__


def test_every_byte_is_synced_before_the_folder_appears(store, monkeypatch):
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("names of open files are read from /proc")
    synced, fsync = [], os.fsync

    def spy(descriptor):
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        synced.append((path.name, (store.root / "selection" / SPEC.key).exists()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", spy)
    store.get_or_make(SPEC, make)
    names = [name for name, _ in synced]
    assert set(names[:3]) == {"notes.json", "model", "weights.npy"}
    assert names[3] == "manifest.json"
    assert names[4].startswith(f"selection-{SPEC.key}.")
    assert names[5:] == ["selection"]
    assert [there for _, there in synced] == [False] * 5 + [True]


def test_values_come_back_as_they_were(store):
    arrays = {
        "turned": np.arange(6, dtype=np.float32).reshape(2, 3).T,
        "scalar": np.float32(2.5),
        "flags": np.array([True, False]),
        "none": np.zeros((0, 3), dtype=np.int64),
    }
    value = {"rate": 0.1 + 0.2, "undefined": float("nan"), "name": "ü", "list": [1, None]}

    def write(folder):
        write_arrays(folder / "arrays.safetensors", arrays)
        write_array(folder / "array.npy", arrays["turned"])
        write_json(folder / "value.json", value)

    artifact = store.get_or_make(SPEC, write)
    read = artifact.read_arrays("arrays.safetensors")
    assert set(read) == set(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(read[name], array)
        assert (read[name].dtype, read[name].shape) == (array.dtype, array.shape)
    mapped = artifact.read_array("array.npy", mmap=True)
    assert isinstance(mapped, np.memmap)
    assert not mapped.flags.writeable
    np.testing.assert_array_equal(mapped, arrays["turned"])
    np.testing.assert_array_equal(artifact.read_array("array.npy"), arrays["turned"])
    back = artifact.read_json("value.json")
    assert np.isnan(back.pop("undefined"))
    assert back == {"rate": 0.1 + 0.2, "name": "ü", "list": [1, None]}


def test_a_missing_file_is_named_beside_those_there_are(store):
    artifact = store.get_or_make(SPEC, make)
    with pytest.raises(StoreError, match=r"has no 'x\.npy'; it has model/weights\.npy, notes"):
        artifact.read_array("x.npy")


def test_what_cannot_be_read_is_named_with_its_remedy(store):
    artifact = store.get_or_make(SPEC, lambda folder: (folder / "bad").write_bytes(b"\x80junk"))
    for read in (artifact.read_array, artifact.read_arrays, artifact.read_json):
        with pytest.raises(StoreError, match=r"cannot read .*bad: .*delete the folder"):
            read("bad")


def test_no_pickle_is_written_or_read(store, tmp_path):
    objects = np.array([{}], dtype=object)
    with pytest.raises(ContractError, match=r"a\.npy must hold numbers"):
        write_array(tmp_path / "a.npy", objects)
    with pytest.raises(ContractError, match=r"a\.safetensors: x must hold numbers"):
        write_arrays(tmp_path / "a.safetensors", {"x": objects})
    pickled = store.get_or_make(SPEC, lambda f: np.save(f / "a.npy", objects, allow_pickle=True))
    with pytest.raises(StoreError, match="allow_pickle=False"):
        pickled.read_array("a.npy")


def test_json_writing_names_what_is_no_json(tmp_path):
    with pytest.raises(ContractError, match=r"m\.json\.fter must be a JSON value"):
        write_json(tmp_path / "m.json", {"fter": np.float32(1)})


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda folder: None, "nothing was written"),
        (lambda folder: (folder / "manifest.json").write_text("{}"), "none named manifest.json"),
        (lambda folder: (folder / "link").symlink_to("/etc/hosts"), "plain files .* got link"),
    ],
)
def test_makers_that_break_the_rules_leave_nothing(store, wrong, words):
    with pytest.raises(ContractError, match=words):
        store.get_or_make(SPEC, wrong)
    assert store.find(SPEC) is None
    assert left_in_tmp(store) == []


# Interruption


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, FileNotFoundError])
def test_an_exception_in_make_leaves_nothing(store, error):
    def crash(folder):
        make(folder)
        raise error("crash")

    with pytest.raises(error, match="crash"):
        store.get_or_make(SPEC, crash)
    assert left_in_tmp(store) == []
    assert not (store.root / "selection").exists()
    assert not store.get_or_make(SPEC, make).reused  # and the lock is free


SLOW = """
import sys, time
from pathlib import Path
from tgap.store.store import Spec, Store
def slow(folder):
    (folder / "half.bin").write_bytes(bytes(1000))
    print("half", flush=True)
    time.sleep(60)
Store(Path(sys.argv[1])).get_or_make(Spec("a", {}), slow)
"""


def test_a_killed_process_leaves_nothing_that_is_read_and_is_swept_away(store, caplog):
    spec = Spec("a", {})
    with start(SLOW, store.root) as process:
        try:
            assert process.stdout.readline() == "half\n"
            Store(store.root)  # leaves alone what is being made
            assert [f.name for g in left_in_tmp(store) for f in g.iterdir()] == ["half.bin"]
        finally:
            process.send_signal(signal.SIGKILL)
    assert store.find(spec) is None
    assert len(left_in_tmp(store)) == 1
    with caplog.at_level(logging.INFO):
        store = Store(store.root)
    assert "left behind by a process that was killed" in caplog.text
    assert left_in_tmp(store) == []
    assert not store.get_or_make(spec, make).reused


@pytest.mark.parametrize(
    ("days", "at_work", "kept"), [(13, False, True), (15, False, False), (15, True, True)]
)
def test_left_overs_of_other_hosts_go_when_they_are_old(store, days, at_work, kept):
    name = f"a-{'0' * 20}"
    theirs = store.root / "tmp" / f"{name}.another-host.1"
    theirs.mkdir(parents=True)
    os.utime(theirs, (time.time() - 86_400 * days,) * 2)
    lock = store.root / "locks" / f"{name}.lock"
    with locked(lock, "it") if at_work else nullcontext():
        Store(store.root)
    assert theirs.is_dir() == kept


@pytest.mark.parametrize("when", ["it is looked at", "its lock is held"])
def test_what_goes_while_left_overs_are_looked_at_is_no_trouble(store, when, monkeypatch, caplog):
    """Another process finishes it, or removes it too."""
    old = [store.root / "partial" / f"a-{digit * 20}.another-host" for digit in "01"]
    for folder in old:
        folder.mkdir(parents=True)
        os.utime(folder, (0, 0))
    is_old, lock = tgap.store.left._is_old, tgap.store.left.locked

    def gone(*_):
        if old[0].exists():
            old[0].rmdir()

    def looked_at(folder):
        gone()
        return is_old(folder)

    def held(*args, **how):
        gone()
        return lock(*args, **how)

    if when == "it is looked at":
        monkeypatch.setattr(tgap.store.left, "_is_old", looked_at)
    else:
        monkeypatch.setattr(tgap.store.left, "locked", held)
    Store(store.root)
    assert "cannot remove" not in caplog.text
    assert not old[1].exists()


RACE = """
import sys, time
from pathlib import Path
from tgap.store.store import Spec, Store
def count(folder):
    print("making", flush=True)
    time.sleep(0.5)
    (folder / "done").write_text("x")
store = Store(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
print("reused", store.get_or_make(Spec("a", {}), count).reused)
"""


def test_two_processes_make_an_artifact_once(store):
    racers = [start(RACE, store.root) for _ in range(2)]
    for racer in racers:
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        racer.stdin.write("go\n")
        racer.stdin.flush()
    said = sorted(racer.communicate(timeout=60)[0] for racer in racers)
    assert said == ["making\nreused False\n", "reused True\n"]


def test_a_process_does_other_things_before_it_waits(store):
    spec, held, idle = Spec("a", {}), threading.Event(), threading.Event()
    lock = store.root / "locks" / f"a-{spec.key}.lock"
    chores = ["one", "two"]

    def hold():
        with locked(lock, "a"):
            held.set()
            idle.wait(60)
            time.sleep(0.1)

    def chore():
        assert store.waited == 0
        assert store.is_being_made(spec)
        if not chores:
            idle.set()
        return bool(chores) and bool(chores.pop())

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(60)
    assert not store.get_or_make(spec, make, meanwhile=chore).reused
    holder.join()
    assert chores == []
    assert 0 < store.waited < 60
    assert not store.is_being_made(spec)
    waited = store.waited
    store.get_or_make(Spec("b", {}), make, meanwhile=must_not_run)
    assert store.waited == waited


# Damage


def _other_key(folder):
    other = json.loads((folder / "manifest.json").read_text())
    other["spec"]["identity"]["size"] = 1
    (folder / "manifest.json").write_text(json.dumps(other))


def _edit(folder, **changed):
    """Change a manifest as who hides it well would, or leave its digest as it was."""
    manifest = json.loads((folder / "manifest.json").read_text()) | changed
    if "files" in changed:
        del manifest["digest"], manifest["times"]
    (folder / "manifest.json").write_text(json.dumps(manifest))


def _replace(path, by):
    tgap.store.damaged.remove(path)
    by(path)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda f: (f / "notes.json").unlink(), "notes.json is missing"),
        (lambda f: (f / "notes.json").write_text("{"), "notes.json has 1 bytes instead of"),
        (lambda f: rewrite(f / "notes.json", b'{\n "a": 2\n}\n'), "notes.json has changed"),
        (lambda f: (f / "manifest.json").unlink(), "it has no manifest.json"),
        (lambda f: (f / "manifest.json").write_text("{"), "manifest.json cannot be read"),
        (lambda f: (f / "manifest.json").write_bytes(b"\xff"), "manifest.json cannot be read"),
        (lambda f: (f / "manifest.json").write_text("[]"), "manifest.json cannot be read"),
        (lambda f: (f / "manifest.json").write_text("{}"), "manifest.json cannot be read"),
        (_other_key, "belongs to another specification"),
        (lambda f: _edit(f, files={}), "manifest.json lists no files"),
        (lambda f: _edit(f, seconds=1.0), "manifest.json has changed since it was made"),
        (lambda f: _edit(f, key="0" * 20), "belongs to another specification"),
        (lambda f: (f / "extra.json").write_text("{}"), "extra.json is none of its files"),
        (lambda f: _replace(f / "notes.json", Path.mkdir), "notes.json is missing"),
        (lambda f: _replace(f / "notes.json", lambda p: p.symlink_to("/etc")), "but a link"),
        (lambda f: _replace(f, lambda p: p.write_text("")), "it has no manifest.json"),
        (lambda f: _replace(f, lambda p: p.symlink_to("/nowhere")), "it has no manifest.json"),
        (lambda f: _replace(f / "manifest.json", Path.mkdir), "it has no manifest.json"),
        (lambda f: (f / "manifest.json").write_text("[" * 100_000), "cannot be read"),
    ],
)
def test_a_damaged_artifact_is_never_read_and_made_again(store, caplog, damage, words):
    folder = store.get_or_make(SPEC, make).folder
    assert store.find(SPEC)
    damage(folder)
    assert store.find(SPEC) is None
    assert "damaged" not in caplog.text
    remade = store.get_or_make(SPEC, make)
    assert not remade.reused
    assert f"artifact {SPEC} in {folder} is damaged" in caplog.text
    assert words in caplog.text
    assert "it is made again" in caplog.text
    (aside,) = (store.root / "damaged").iterdir()
    assert str(aside) in caplog.text
    assert remade.read_json("notes.json") == {"a": 1}
    assert store.get_or_make(SPEC, must_not_run).reused


def aged(path):
    """Let a file's change lie so far back that a further one would show."""
    time.sleep(FRESH_NS / 1e9 * 1.2)
    return path


def in_a_new_process(monkeypatch):
    monkeypatch.setattr(tgap.core.digest, "_remembered", {})


def test_a_large_file_is_read_again_only_after_a_change(store, monkeypatch):
    read, file_digest = [], tgap.core.digest.file_digest
    monkeypatch.setattr(tgap.store.vouched, "SMALL_BYTES", 100)
    monkeypatch.setattr(
        tgap.core.digest, "file_digest", lambda p: read.append(p.name) or file_digest(p)
    )
    weights = aged(store.get_or_make(SPEC, make).path("model/weights.npy"))
    store.get_or_make(SPEC, must_not_run)
    for _ in range(3):
        in_a_new_process(monkeypatch)
        read.clear()
        store.get_or_make(SPEC, must_not_run).path("model")
        assert read == ["notes.json"]
    times = weights.stat()
    with weights.open("rb+") as file:
        file.seek(130)
        file.write(b"noise")
    os.utime(weights, ns=(times.st_atime_ns, times.st_mtime_ns))  # as some copying programs do
    assert store.find(SPEC) is None
    assert not store.get_or_make(SPEC, make).reused


def test_what_is_kept_of_large_files_may_be_lost_or_garbled(store, monkeypatch):
    monkeypatch.setattr(tgap.store.vouched, "SMALL_BYTES", 100)
    aged(store.get_or_make(SPEC, make))
    assert store.find(SPEC)
    (kept,) = (store.root / "vouched").iterdir()
    for garbled in (b"", b"[]", b"\xff", b'{"model/weights.npy": 1}'):
        in_a_new_process(monkeypatch)
        kept.write_bytes(garbled)
        assert store.find(SPEC)
        assert "model/weights.npy" in json.loads(kept.read_text())


def test_a_change_after_an_artifact_was_found_is_seen_when_it_is_read(store):
    artifact = store.get_or_make(SPEC, make)
    artifact.path("notes.json").write_text('{\n "a": 2\n}\n')
    with pytest.raises(StoreError, match=r"notes\.json has changed since .*; start again: it is"):
        artifact.read_json("notes.json")
    with pytest.raises(StoreError, match=r"is damaged: notes\.json has changed .*; delete the"):
        store.verify(artifact)
    assert store.get_or_make(SPEC, make).read_json("notes.json") == {"a": 1}


@pytest.mark.parametrize("litter", [".DS_Store", "Thumbs.db", "model/._weights.npy", ".x/y"])
def test_what_systems_leave_in_folders_is_no_damage(store, litter):
    path = store.get_or_make(SPEC, make).folder / litter
    path.parent.mkdir(exist_ok=True)
    path.write_text("x")
    store.verify(store.get_or_make(SPEC, must_not_run))


def test_the_newest_damaged_artifacts_are_kept(store):
    for number in range(14):
        folder = store.get_or_make(SPEC, make).folder
        (folder / "notes.json").write_text(str(number))
    aside = sorted((store.root / "damaged").iterdir())
    assert [(path / "notes.json").read_text() for path in aside] == [str(n) for n in range(3, 13)]


def test_two_processes_may_remove_the_same_oldest_damaged_artifact(store, monkeypatch):
    remove = tgap.store.damaged.remove

    def gone(path):
        remove(path)
        raise FileNotFoundError(path)  # another one was first

    monkeypatch.setattr(tgap.store.damaged, "remove", gone)
    for key in range(12):
        (store.root / "a" / f"{key}").mkdir(parents=True)
        set_aside(store.root, store.root / "a" / f"{key}")
    assert len(list((store.root / "damaged").iterdir())) == 10


def test_a_manifest_of_an_earlier_version_is_believed(store):
    path = store.get_or_make(SPEC, make).folder / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["digest"], manifest["times"]
    path.write_text(json.dumps(manifest))
    assert store.find(SPEC)
    manifest["seconds_"] = manifest.pop("seconds")
    path.write_text(json.dumps(manifest))
    assert store.find(SPEC) is None


def test_what_another_host_has_made_meanwhile_is_taken(store, monkeypatch):
    def overtaken(folder):
        with monkeypatch.context() as quick:
            quick.setattr(tgap.store.store, "_host", lambda: "quick")
            quick.setattr(tgap.store.store, "locked", lambda *args, **how: nullcontext())
            assert not store.get_or_make(SPEC, make).reused
        make(folder)

    assert store.get_or_make(SPEC, overtaken).reused
    assert left_in_tmp(store) == []


def test_verify_names_every_wrong_file(store):
    artifact = store.get_or_make(SPEC, make)
    artifact.path("notes.json").unlink()
    artifact.path("model/weights.npy").write_bytes(b"")
    with pytest.raises(
        StoreError, match=r"model/weights\.npy has 0 bytes .*, notes\.json is missing"
    ):
        store.verify(artifact)


def test_a_reading_error_does_not_throw_an_artifact_away(store, monkeypatch):
    artifact = store.get_or_make(SPEC, make)

    def broken(*args, **kwargs):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(type(artifact.folder), "read_text", broken)
    with pytest.raises(StoreError, match=r"cannot read .*Input/output error"):
        store.get_or_make(SPEC, must_not_run)
    monkeypatch.undo()
    assert store.get_or_make(SPEC, must_not_run).reused


# A disk that is full or may not be written


# two files, a folder, the manifest, the artifact's folder, and the stage's
@pytest.mark.parametrize("good", range(6))
def test_a_full_disk_at_any_moment_leaves_nothing_half_made(store, monkeypatch, good):
    fsync, calls = os.fsync, iter(range(100))

    def full(descriptor):
        if next(calls) >= good:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="left on device; free some space, or set TGAP_HOME") as e:
        store.get_or_make(SPEC, make)
    assert f"cannot write {SPEC} in {store.root}" in str(e.value)
    monkeypatch.undo()
    assert left_in_tmp(store) == []
    found = store.find(SPEC)
    assert (found is not None) == (good == 5)  # the last is for the name of a whole folder
    store.verify(store.get_or_make(SPEC, make))


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "free some space, or set TGAP_HOME"),
        (errno.EDQUOT, "free some space, or set TGAP_HOME"),
        (errno.EROFS, "change the folder's permissions, or set TGAP_HOME"),
    ],
)
def test_disk_errors_of_a_maker_are_told_with_their_remedy(store, number, remedy):
    def fail(folder):
        (folder / "half").write_text("x")
        raise OSError(number, os.strerror(number))

    with pytest.raises(StoreError, match=remedy) as raised:
        store.get_or_make(SPEC, fail)
    assert str(SPEC) in str(raised.value)
    assert os.strerror(number) in str(raised.value)
    assert store.find(SPEC) is None
    assert left_in_tmp(store) == []


@pytest.mark.parametrize("error", [OSError("16 requested and 0 written"), SafetensorError("Io")])
@pytest.mark.parametrize(("free", "told"), [(0, StoreError), (2**30, None)])
def test_failed_writes_without_a_number_are_told_by_the_room_left(
    store, monkeypatch, error, free, told
):
    def fail(folder):
        raise error

    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    with pytest.raises(told or type(error)) as raised:
        store.get_or_make(SPEC, fail)
    assert ("No space left on device; free some space" in str(raised.value)) == (free == 0)


def test_writers_tell_of_a_full_disk(tmp_path):
    for write, value in (
        (write_json, {}),
        (write_array, np.zeros(100_000)),
        (write_arrays, {"a": np.zeros(100_000)}),
    ):
        path = tmp_path / write.__name__
        path.symlink_to("/dev/full")
        with pytest.raises(StoreError, match=rf"cannot write {path.name} in .*No space left"):
            write(path, value)


@pytest.fixture
def below_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    return Store(tmp_path / "file" / "store")


def test_a_folder_that_cannot_be_written_is_told(below_a_file):
    assert below_a_file.find(SPEC) is None
    with pytest.raises(StoreError, match=r"cannot write the lock of selection .*TGAP_HOME"):
        below_a_file.get_or_make(SPEC, must_not_run)


def test_a_missing_permission_is_told(store, monkeypatch):
    def denied(*args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "rename", denied)
    with pytest.raises(StoreError, match="Permission denied; change the folder's permissions"):
        store.get_or_make(SPEC, make)
    assert store.find(SPEC) is None
    assert left_in_tmp(store) == []


def test_check_writable_finds_problems_before_work_starts(store, below_a_file, monkeypatch):
    assert store.check_writable() == []
    assert list(store.root.iterdir()) == []
    (problem,) = below_a_file.check_writable()
    assert f"cannot write the store in {below_a_file.root}: Not a directory" in problem
    monkeypatch.setattr(tgap.store.store, "MIN_FREE_MB", 10**12)
    (problem,) = store.check_writable()
    assert "MB of free space, it needs at least 1000000000000 MB: free some space" in problem


@pytest.mark.parametrize(
    ("days", "at_work", "kept"), [(15, False, False), (15, True, True), (13, False, True)]
)
def test_what_was_interrupted_long_ago_is_removed_on_whatever_host(tmp_path, days, at_work, kept):
    """Its lock is held while somebody goes on with it, whatever its age."""
    folder = tmp_path / "partial" / "generator-0123.another_host"
    folder.mkdir(parents=True)
    os.utime(folder, (time.time() - 86_400 * days,) * 2)
    lock = locked(tmp_path / "locks" / "generator-0123.lock", "it") if at_work else nullcontext()
    with lock:
        Store(tmp_path)
    assert folder.exists() == kept
