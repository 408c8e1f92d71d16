"""Files of weights as people have them: bare, in a checkpoint, under a wrapper's names."""

import pickle
import zipfile
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

from tgap.core.errors import DataError
from tgap.core.files import expanded

if TYPE_CHECKING:
    import torch

State = Mapping[str, "torch.Tensor"]

SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".ckpt", ".tar")
LISTED = 5
"""Names of arrays listed in an error."""


def file_problems(weights: str, allowed: str) -> list[str]:
    """A file of weights that is not there, or of no known kind.

    Args:
        weights: As it was typed.
        allowed: What may stand there, for the message.
    """
    path = expanded(weights)
    if not path.is_file():
        return [f"weights names a file that does not exist: {weights}; {allowed}"]
    if path.suffix not in SUFFIXES:
        return [f"weights names a file of an unknown kind: {weights}; {allowed}"]
    return []


def read_state(path: Path) -> State:
    """Arrays by name from a file of weights; no code in it is run.

    Of a checkpoint (``{"state_dict": ..., "epoch": ...}``) they are the one entry that holds arrays
    by name. Of torch's own format only names and shapes are read until numbers are asked for.

    Args:
        path: A ``.safetensors`` file, or one of ``torch.save``.

    Raises:
        DataError: If the file is broken, or holds no arrays by name, or several networks' ones.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            content: object = load_file(path)
        else:
            mmap = zipfile.is_zipfile(path)  # as torch saves since 1.6
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except pickle.UnpicklingError as error:
        raise DataError(
            f"weights {path} hold more than arrays, which could run code, and are not loaded: save "
            "the state dict alone (torch.save(model.state_dict(), path)); of a checkpoint whose "
            "origin you trust: torch.save(torch.load(path, weights_only=False)['state_dict'], "
            "other_path)"
        ) from error
    except (EOFError, OSError, RuntimeError, SafetensorError, ValueError) as error:
        raise DataError(f"cannot read the weights {path}: {error}") from error
    return _arrays_in(content, path)


def _arrays_in(content: object, path: Path) -> State:
    if _is_state(content):
        return content
    entries = content if isinstance(content, dict) else {}
    states = {str(name): entry for name, entry in entries.items() if _is_state(entry)}
    if len(states) == 1:
        return next(iter(states.values()))
    if states:
        raise DataError(
            f"weights {path} hold {len(states)} networks ({', '.join(states)}); save the one that "
            f"is meant: torch.save(torch.load(path)['{next(iter(states))}'], other_path)"
        )
    held = f"entries {', '.join(map(str, entries))}" if entries else type(content).__name__
    raise DataError(
        f"weights {path} must be a state dict, that is arrays by name, or a checkpoint with one, "
        f"got {held}; save it by torch.save(model.state_dict(), path)"
    )


def _is_state(content: object) -> TypeGuard[State]:
    import torch

    return (
        isinstance(content, dict)
        and len(content) > 0
        and all(isinstance(name, str) for name in content)
        and all(isinstance(array, torch.Tensor) for array in content.values())
    )


def unwrapped(state: State, known: Collection[str]) -> State:
    """A network's arrays under its own names, without what wrappers put before them.

    Such as ``module.`` (DataParallel), ``_orig_mod.`` (torch.compile), ``model.`` (Lightning), or
    all of these and more: the common beginning under which most of the known names are found.
    What else a file holds (a head, a loss) is left out.

    Args:
        state: As read.
        known: The network's own names.

    Raises:
        DataError: If there are several such networks.
    """
    starts: Counter[str] = Counter()
    for name in state:
        parts = name.split(".")
        for cut in range(len(parts)):
            if ".".join(parts[cut:]) in known:
                starts["".join(f"{part}." for part in parts[:cut])] += 1
    ((start, most), *others) = starts.most_common(2) or [("", 0)]
    if others and others[0][1] == most > 1:
        raise DataError(
            f"they hold two such networks, named '{start}*' and '{others[0][0]}*'; save the one "
            "that is meant alone"
        )
    return {
        name.removeprefix(start): array for name, array in state.items() if name.startswith(start)
    }


def require_fit(given: State, own: State, fault: str, remedy: str) -> None:
    """See that weights are a network's, each of them, with its shape.

    Args:
        given: Under the network's own names.
        own: The network's, perhaps without numbers.
        fault: Beginning of the message.
        remedy: Its end.

    Raises:
        DataError: If they are not.
    """
    import torch

    faults = {
        # Files older than batch norm's counters lack them; they start at 0 and change nothing.
        "missing": [k for k in own.keys() - given.keys() if "num_batches_tracked" not in k],
        "unexpected": list(given.keys() - own.keys()),
        "of another shape": [
            f"{key} is {tuple(given[key].shape)} instead of {tuple(own[key].shape)}"
            for key in own.keys() & given.keys()
            if own[key].shape != given[key].shape
        ],
        "with NaN or infinite numbers": [
            key for key in given if not torch.isfinite(given[key]).all()
        ],
    }
    problems = [f"{what}: {_listed(names)}" for what, names in faults.items() if names]
    if problems:
        raise DataError(f"{fault}: {'; '.join(problems)}; {remedy}")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(sorted(names)[:LISTED]) + more
