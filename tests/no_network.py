"""Sockets that reach this machine only; fresh interpreters begin with it, so no other imports."""

import socket
from collections.abc import Callable
from typing import Any, NoReturn

LOCAL = ("127.0.0.1", "::1", "localhost")


def guarded(note: Callable[[object], object]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """In place of ``socket.socket.connect`` and ``socket.getaddrinfo``.

    Args:
        note: Is told what else was asked for, which fails.
    """
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def refuse(address: object) -> NoReturn:
        note(address)
        raise OSError(f"no network in this test: {address}")

    def connecting(self: socket.socket, address: Any) -> None:
        if self.family != getattr(socket, "AF_UNIX", None) and address[0] not in LOCAL:
            refuse(address)
        connect(self, address)

    def looking_up(host: Any, *others: Any, **more: Any) -> Any:
        if host not in (None, "", *LOCAL):
            refuse(host)
        return look_up(host, *others, **more)

    return connecting, looking_up


def guard_this_process(file: str) -> None:
    """Write into a file that this process is guarded, and all that it asks for."""

    def note(line: object) -> None:
        with open(file, "a", encoding="utf-8") as lines:
            lines.write(f"{line}\n")

    note("guarded")
    socket.socket.connect, socket.getaddrinfo = guarded(note)  # type: ignore[method-assign]
