"""A selector that does to its process whatever it is told, before anything heavy is imported."""

import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tgap.core import option
from tgap.core.checkpoint import tell_saving
from tgap.selectors.base import Candidates, Picks, Selector
from tgap.selectors.random import Random
from tgap.sweeps.isolation import GRACE


class Sunk(BaseException):
    """No ``Exception``: nothing but a bare ``except`` catches it."""


def _raise() -> None:
    raise ValueError("no light")


def _base() -> None:
    raise Sunk("into the sea")


def _spoil() -> None:
    os.environ["TGAP_HOME"] = "/elsewhere"
    raise ValueError("no home")


def _torch() -> None:
    import torch

    torch.set_default_dtype(torch.float64)


def _sleep() -> None:
    Path(os.environ["MISBEHAVING"]).write_text(str(os.getpid()))
    time.sleep(600)


def _saves() -> None:
    try:
        _sleep()
    except KeyboardInterrupt:
        tell_saving(True)
        time.sleep(GRACE + 2)
        Path(os.environ["MISBEHAVING"]).write_text("saved")
        tell_saving(False)
        raise


def _once() -> None:
    if not Path(os.environ["MISBEHAVING"]).exists():
        _sleep()


def _child() -> None:
    os.system("sleep 600 & echo $! > $MISBEHAVING")
    time.sleep(600)


WAYS = {
    "fine": lambda: None,
    "raise": _raise,
    "base": _base,
    "exit": lambda: sys.exit(0),
    "gone": lambda: os._exit(0),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "fault": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "home": lambda: os.environ.update(TGAP_HOME="/elsewhere"),
    "spoil": _spoil,
    "folder": lambda: os.chdir("/"),
    "torch": _torch,
    "sleep": _sleep,
    "once": _once,
    "child": _child,
    "saves": _saves,
}


@dataclass(kw_only=True)
class Misbehaving(Selector):
    """Picks at random, after it did what it was told."""

    way: str = option("fine", "what to do", choices=tuple(WAYS))

    def _select(self, candidates: Candidates, size: int, rng: np.random.Generator) -> Picks:
        WAYS[self.way]()
        return Random()._select(candidates, size, rng)
