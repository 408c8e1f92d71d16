"""What asks a command to stop is told once, and leaves at the second time."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tgap.cli.signals import stoppable

ALL = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")
SLOW = """
import signal, time
from tgap.cli.signals import stoppable
signal.signal(signal.SIGINT, signal.default_int_handler)
with stoppable():
    try:
        print("ready", flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        print("ending", flush=True)
        time.sleep(60)
"""


@pytest.mark.parametrize("name", ALL)
def test_each_signal_ends_like_ctrl_c(name, monkeypatch) -> None:
    number = getattr(signal, name)
    before = signal.signal(number, signal.SIG_DFL)
    try:
        with pytest.raises(KeyboardInterrupt), stoppable():
            signal.raise_signal(number)
        assert signal.getsignal(number) == signal.SIG_DFL
        signal.signal(number, signal.SIG_IGN)
        with stoppable():
            signal.raise_signal(number)  # as with nohup
    finally:
        signal.signal(number, before)


def test_the_second_leaves_at_once_and_an_echo_of_the_first_does_not() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    os.kill(process.pid, signal.SIGTERM)
    os.kill(process.pid, signal.SIGTERM)  # `timeout` tells a process and its group
    assert process.stdout.readline() == "ending\n"
    time.sleep(0.6)
    assert process.poll() is None
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGINT
    assert "left at once" in err
