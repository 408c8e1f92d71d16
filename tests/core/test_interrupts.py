"""Signals wait for a place where work may be left, and not for ever."""

import signal
import threading
import time
from collections.abc import Callable

import pytest

from tgap.core import interrupts
from tgap.core.interrupts import held


def interrupted(then: Callable[[], None], number: int = signal.SIGINT) -> bool:
    """Whether what comes after an interrupt that is held is reached to its end."""
    ended = []

    def work() -> None:
        with held():
            signal.raise_signal(number)
            then()
            ended.append(True)

    with pytest.raises(KeyboardInterrupt):
        work()
    return bool(ended)


def test_an_interrupt_that_nothing_waited_for_comes_at_the_end():
    assert interrupted(lambda: None)


def test_a_second_interrupt_does_not_wait(monkeypatch):
    monkeypatch.setattr(interrupts, "SAME_SECONDS", 0.0)
    assert not interrupted(lambda: signal.raise_signal(signal.SIGINT))


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGUSR2])
def test_a_persons_other_signal_does_not_wait_either(
    monkeypatch, terminated, told_by_cluster, first
):
    monkeypatch.setattr(interrupts, "SAME_SECONDS", 0.0)
    assert not interrupted(lambda: signal.raise_signal(signal.SIGINT), first)


def test_a_cluster_may_end_a_job_that_it_has_told(monkeypatch, terminated, told_by_cluster):
    monkeypatch.setattr(interrupts, "SAME_SECONDS", 0.0)
    assert interrupted(lambda: signal.raise_signal(signal.SIGTERM), signal.SIGUSR2)


def test_other_signals_at_once_are_one(terminated):
    assert interrupted(lambda: signal.raise_signal(signal.SIGINT), signal.SIGTERM)


def test_where_a_thread_cannot_be_signalled_an_interrupt_does_not_wait_for_long(monkeypatch):
    """As on Windows."""
    monkeypatch.setattr(interrupts, "HOLD_SECONDS", 0.05)
    monkeypatch.delattr(signal, "pthread_kill")
    assert not interrupted(lambda: [time.sleep(0.05) for _ in range(100)])


def test_an_interrupt_does_not_wait_for_long(monkeypatch):
    monkeypatch.setattr(interrupts, "HOLD_SECONDS", 0.05)
    assert not interrupted(lambda: [time.sleep(0.05) for _ in range(100)])


def test_a_cluster_may_tell_twice(told_by_cluster):
    """Each process of a job, of which one tells the next."""
    assert interrupted(lambda: signal.raise_signal(signal.SIGUSR2), signal.SIGUSR2)


def test_a_cluster_does_not_wait_for_ever(monkeypatch, told_by_cluster):
    monkeypatch.setattr(interrupts, "HOLD_SECONDS", 0.02)
    assert not interrupted(lambda: [time.sleep(0.05) for _ in range(100)], signal.SIGUSR2)


def test_outside_the_main_thread_nothing_is_held():
    before, seen = signal.getsignal(signal.SIGINT), []

    def work() -> None:
        with held() as caught:
            seen.extend([signal.getsignal(signal.SIGINT), caught.waiting])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before, False]
