"""Whether a server answers is known at once."""

import socket
import time
from collections.abc import Iterator

import pytest
from huggingface_hub import constants

from tgap.core import network


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    network.answers.cache_clear()
    yield
    network.answers.cache_clear()


def test_a_server_that_takes_a_connection_and_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        start = time.perf_counter()
        assert not network.answers(url)
        assert time.perf_counter() - start < 60


def test_without_an_answer_the_hub_s_library_asks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert network.why_no_hub() == "http://127.0.0.1:9 does not answer within 2 s"
    with network.hub_if_it_answers():
        assert constants.HF_HUB_OFFLINE
    assert not constants.HF_HUB_OFFLINE
    monkeypatch.setattr(network, "answers", lambda url: True)
    assert network.why_no_hub() is None
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE is set" in str(network.why_no_hub())
