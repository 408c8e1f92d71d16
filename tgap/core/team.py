"""Processes that train one model together, each on a device of its own (data parallel).

All of them run the same training and hold the same parameters: each works out its part of a step,
and what the parts come to is added up among them.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from tgap.core.errors import TgapError
from tgap.core.types import Indices

if TYPE_CHECKING:
    import torch

LARGEST = 2**24
"""Numbers that are added up at once: a copy of as many lies on each device meanwhile."""
PATIENCE = timedelta(days=1)
"""For others that are at work; those that died are noticed by the process that started them."""


class PeerLostError(TgapError):
    """Another process of the team is gone: what became of it says more."""


class Team:
    """A process that trains alone.

    ``rank`` is its number, from 0, among ``size`` processes.
    """

    rank, size = 0, 1

    @property
    def leads(self) -> bool:
        """Whether it is the one that writes, logs and shows."""
        return self.rank == 0

    def add_up(self, tensors: Sequence["torch.Tensor"]) -> None:
        """Put the sum over all processes into each tensor, which has one shape in all of them."""

    def told(self, numbers: Indices) -> Indices:
        """The first process's numbers; all have equally many."""
        return numbers

    def wait(self) -> None:
        """Until all processes have come here."""


ALONE = Team()
_teams: list[Team] = []


def current() -> Team:
    """The team that this process is in."""
    return _teams[-1] if _teams else ALONE


@contextmanager
def joined(team: Team) -> Iterator[None]:
    """Inside, this process is in a team."""
    _teams.append(team)
    try:
        yield
    finally:
        _teams.remove(team)


class Together(Team):
    """One of several processes, by accelerate: NCCL between CUDA devices, gloo between CPUs.

    Args:
        rank: Its number, from 0.
        size: How many there are.
        meeting: A file on this machine, not there yet, by which they find each other.
        cpu: Whether they work on processors.

    Raises:
        PeerLostError: By every method, if another process is gone.
    """

    def __init__(self, rank: int, size: int, meeting: Path, cpu: bool) -> None:
        from accelerate import PartialState

        self.rank, self.size = rank, size
        os.environ |= {
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": str(size),
            "LOCAL_WORLD_SIZE": str(size),
            # nobody on the network is to reach them
            "GLOO_SOCKET_IFNAME": "lo" if Path("/sys/class/net/lo").exists() else "lo0",
            "NCCL_SOCKET_IFNAME": "lo",
        }
        place = {"init_method": f"file://{meeting}", "rank": rank, "world_size": size}
        self._state = PartialState(cpu=cpu, timeout=PATIENCE, **place)

    def add_up(self, tensors: Sequence["torch.Tensor"]) -> None:
        """Put the sum over all processes into each tensor, which has one shape in all of them."""
        import torch
        from accelerate.utils import reduce

        with torch.no_grad(), _lost_if_broken():
            # Thousands of small messages would take longer than their content does.
            for some in _bundles(tensors):
                total = reduce(torch.cat([each.flatten() for each in some]), "sum")
                parts = total.split([each.numel() for each in some])
                for each, part in zip(some, parts, strict=True):
                    each.copy_(part.view_as(each))

    def told(self, numbers: Indices) -> Indices:
        """The first process's numbers; all have equally many."""
        import torch
        from accelerate.utils import broadcast

        with _lost_if_broken():
            sent = torch.from_numpy(numbers.copy()).to(self._state.device)
            heard: Indices = broadcast(sent).cpu().numpy()
        return heard

    def wait(self) -> None:
        """Until all processes have come here."""
        with _lost_if_broken():
            self._state.wait_for_everyone()


@contextmanager
def _lost_if_broken() -> Iterator[None]:
    import torch

    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:  # whatever torch's back ends raise then
        raise PeerLostError(f"another process of this training is gone: {error}") from error


def _bundles(tensors: Sequence["torch.Tensor"]) -> Iterator[list["torch.Tensor"]]:
    """Tensors in their order, so many at a time as have ``LARGEST`` numbers."""
    bundle: list[torch.Tensor] = []
    for tensor in tensors:
        if bundle and sum(each.numel() for each in bundle) + tensor.numel() > LARGEST:
            yield bundle
            bundle = []
        bundle.append(tensor)
    if bundle:
        yield bundle
