"""Processes whose signals stop them as Ctrl-C does."""

import signal

import pytest


@pytest.fixture
def told_by_cluster():
    """A process that a cluster may tell, as the one that does runs."""
    before = signal.signal(signal.SIGUSR2, signal.default_int_handler)
    yield
    signal.signal(signal.SIGUSR2, before)


@pytest.fixture
def terminated():
    """A process whose SIGTERM stops it as Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    yield
    signal.signal(signal.SIGTERM, before)
