"""Processes without a network: whatever leaves this machine fails, and is noted."""

import os
import socket
from pathlib import Path

import pytest
from huggingface_hub import constants

from tests import no_network


def closed(patch: pytest.MonkeyPatch) -> list[object]:
    """Block the network in this process, and do not tell Hugging Face's library beforehand.

    Returns:
        What was asked for: it grows.
    """
    asked: list[object] = []
    connecting, looking_up = no_network.guarded(asked.append)
    patch.setattr(constants, "HF_HUB_OFFLINE", False)
    patch.setattr(socket.socket, "connect", connecting)
    patch.setattr(socket, "getaddrinfo", looking_up)
    return asked


class Children:
    """Blocks the network in the interpreters that this process starts, such as a sweep's workers.

    Args:
        patch: Undoes it.
        folder: An empty one, which they look through first.
    """

    def __init__(self, patch: pytest.MonkeyPatch, folder: Path) -> None:
        self._file = folder / "asked"
        guard = Path(no_network.__file__).read_text("utf-8")
        call = f"\n\nguard_this_process({str(self._file)!r})\n"
        (folder / "sitecustomize.py").write_text(guard + call, "utf-8")
        before = os.environ.get("PYTHONPATH")
        patch.setenv("PYTHONPATH", os.pathsep.join([str(folder), *filter(None, [before])]))
        patch.delenv("HF_HUB_OFFLINE", raising=False)

    def _lines(self) -> list[str]:
        return self._file.read_text("utf-8").splitlines() if self._file.exists() else []

    @property
    def guarded(self) -> int:
        """How many there were."""
        return self._lines().count("guarded")

    @property
    def asked(self) -> list[str]:
        """What they asked for."""
        return [line for line in self._lines() if line != "guarded"]
