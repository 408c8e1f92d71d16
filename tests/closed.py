"""A process without a network: whatever leaves this machine fails, and is noted."""

import socket
from typing import Any, NoReturn

import pytest
from huggingface_hub import constants

LOCAL = ("127.0.0.1", "::1", "localhost")


def closed(patch: pytest.MonkeyPatch) -> list[object]:
    """Block the network, and do not tell Hugging Face's library beforehand.

    Returns:
        What was asked for: it grows.
    """
    asked: list[object] = []
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def refuse(address: object) -> NoReturn:
        asked.append(address)
        raise OSError(f"no network in this test: {address}")

    def connecting(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] not in LOCAL:
            refuse(address)
        connect(self, address)

    def looking_up(host: Any, *others: Any, **more: Any) -> Any:
        if host not in (None, "", *LOCAL):
            refuse(host)
        return look_up(host, *others, **more)

    patch.setattr(constants, "HF_HUB_OFFLINE", False)
    patch.setattr(socket.socket, "connect", connecting)
    patch.setattr(socket, "getaddrinfo", looking_up)
    return asked
