"""Locks whose holders die, on this host and on others that share its disk."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import filelock
import pytest

from tgap.core import files
from tgap.core.files import locked

HOLD = """
import sys, time
from pathlib import Path
import filelock
from filelock._identity import _host
from tgap.core import files

files.LEASE_SECONDS = float(sys.argv[3])
files.RENEWED_SECONDS = files.LEASE_SECONDS / 5
if sys.argv[2] == "elsewhere":  # another host, which this one's flock does not reach
    import filelock._identity, filelock._soft._records, filelock._soft._exclusive._marker
    for name, module in list(sys.modules.items()):
        if name.startswith("filelock") and hasattr(module, "host_name"):
            module.host_name = lambda: "elsewhere"
    filelock.FileLock = lambda path, **kwargs: filelock.UnixFileLock(f"{path}.of_elsewhere")
with files.locked(Path(sys.argv[1]), "run 1a2b"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(files, "LEASE_SECONDS", 1.5)
    monkeypatch.setattr(files, "RENEWED_SECONDS", 0.3)
    return tmp_path / "a.lock"


def hold(lock: Path, host: str, lease: float) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", HOLD, str(lock), host, str(lease)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@pytest.mark.parametrize(("host", "lease"), [("here", 600.0), ("elsewhere", 1.5)])
def test_a_dead_holders_lock_is_taken_over(
    lock: Path, host: str, lease: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once if it was of this host, else when its lease is over."""
    monkeypatch.setattr(files, "LEASE_SECONDS", lease)
    monkeypatch.setattr(files, "RENEWED_SECONDS", lease / 5)
    with hold(lock, host, lease) as process:
        assert host == "here" or "host=elsewhere" in Path(f"{lock}.held").read_text()
        alive = time.monotonic()
        while time.monotonic() < alive + 2 * (host == "elsewhere"):  # longer than its lease
            with pytest.raises(filelock.Timeout), locked(lock, "run 1a2b", wait=False):
                pass
            time.sleep(0.1)
        died = time.monotonic()
        process.kill()
        process.wait()
        with locked(lock, "run 1a2b"):
            waited = time.monotonic() - died
            assert waited < 60 if host == "here" else 1 <= waited < lease + 15
    assert list(lock.parent.glob("*.held")) == []


def test_a_lease_is_renewed_often_enough_and_taken_over_within_a_minute() -> None:
    assert files.RENEWED_SECONDS * 3 <= files.LEASE_SECONDS <= 55


def test_an_old_lease_lets_nobody_in_while_flock_is_held(lock: Path) -> None:
    """Where it reaches other hosts: its holder may be cut off for a while, and alive."""
    holder = filelock.FileLock(lock)
    with holder:
        end = time.monotonic() + 2 * files.LEASE_SECONDS
        while time.monotonic() < end:
            with pytest.raises(filelock.Timeout), locked(lock, "run 1a2b", wait=0.2):
                pass
    with locked(lock, "run 1a2b", wait=60.0):
        pass


def test_a_lock_is_waited_for_so_long_as_was_asked(lock: Path) -> None:
    with filelock.FileLock(lock):
        start = time.monotonic()
        with pytest.raises(filelock.Timeout), locked(lock, "run 1a2b", wait=0.5):
            pass
        assert 0.5 <= time.monotonic() - start < 30


@pytest.mark.parametrize("number", files.NO_FLOCK)
def test_without_flock_the_lease_alone_holds(
    lock: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*args: object) -> None:
        raise OSError(number, "no locks here")

    monkeypatch.setattr("fcntl.flock", refuse)
    entered = threading.Event()

    def enter() -> None:
        with locked(lock, "run 1a2b"):
            entered.set()

    with locked(lock, "run 1a2b"):
        thread = threading.Thread(target=enter)
        thread.start()
        assert not entered.wait(0.4)
    thread.join(60)
    assert entered.is_set()
