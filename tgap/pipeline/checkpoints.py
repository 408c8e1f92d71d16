"""Where a stage of a run keeps how far it is, and who may go on with it."""

import functools
import hashlib
import importlib.metadata
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from tgap.core.checkpoint import Checkpoint, Saved
from tgap.core.team import Team
from tgap.store import Spec, beside

C = TypeVar("C", bound=Checkpoint)

LIBRARIES = ("torch", "numpy", "diffusers", "transformers", "peft", "timm", "torchvision")
"""Whose versions decide what comes of the same steps."""


def checkpoint_of(kind: type[C], folder: Path, spec: Spec, what: str) -> C:
    """The checkpoint of an artifact that is being made, empty or as an interrupted process left it.

    Args:
        kind: ``Checkpoint`` or ``Pieces``.
        folder: Where the artifact is made; what an interrupted process left there is removed,
            because it is made from the checkpoint, all at once.
        spec: What is made.
        what: The work in words, e.g. ``fine-tuning``.
    """
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return kind(beside(folder), _owner(spec), what, _place())


def checkpoint_of_part(folder: Path, part: str, spec: Spec, what: str) -> Checkpoint:
    """The checkpoint of a part of an artifact that is being made.

    Args:
        folder: Where the artifact is made.
        part: Names the part.
        spec: What is made.
        what: The part's work in words.
    """
    return Checkpoint(beside(folder) / part, _owner(spec), what, _place())


class FollowersCheckpoint(Checkpoint):
    """Of what the first process of a team saves, which another one goes on with."""

    @contextmanager
    def steps(self) -> Iterator[None]:
        """Who started this process says when it ends."""
        yield

    def offer(self, done: int, state: Callable[[], Saved]) -> None:
        """Nothing: it has been saved."""


def shared_checkpoint(team: Team, folder: Path, spec: Spec, what: str) -> Checkpoint:
    """The checkpoint of work that all processes of a team do at once; arguments as of the above.

    Only the first process saves. It cannot before all have read what was there, because a step
    takes all of them.
    """
    if team.leads:
        checkpoint = checkpoint_of(Checkpoint, folder, spec, what)  # removes what is of no use
        team.wait()
        return checkpoint
    team.wait()
    return FollowersCheckpoint(beside(folder), _owner(spec), what, _place())


def _owner(spec: Spec) -> dict[str, Any]:
    """What must be equal, so that the result is the one that was begun.

    CUDA is in it, because precision and random streams go by the kind of device. How many devices
    there are is not: one process works on one of them.
    """
    import torch

    return {
        "artifact": str(spec),
        "code": _code(),
        **_versions(),
        "kind of device": "CUDA" if torch.cuda.is_available() else "CPU",
    }


def _place() -> dict[str, Any]:
    """What may differ: results are equal then but for rounding."""
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return {"number of threads": torch.get_num_threads(), "GPU": gpu}


@functools.cache
def _code() -> str:
    """A digest of all of tgap's code: what changes numbers cannot be told from what does not."""
    root = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(f"{path.relative_to(root).as_posix()}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:20]


def _versions() -> dict[str, str]:
    """Versions of libraries."""
    versions = {}
    for name in LIBRARIES:
        try:
            versions[f"version of {name}"] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[f"version of {name}"] = "none"
    return versions
