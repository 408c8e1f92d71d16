"""Random states as arrays, so that interrupted work goes on with the draws that were next."""

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tgap.core.errors import ContractError

Arrays = dict[str, NDArray[Any]]

HALF = 64  # PCG64's numbers have 128 bits


def of_generator(rng: np.random.Generator) -> NDArray[np.uint64]:
    """The state of a ``PCG64`` generator, ``(6,)`` uint64.

    Raises:
        ContractError: If it is another kind.
    """
    state: dict[str, Any] = dict(rng.bit_generator.state)
    if state["bit_generator"] != "PCG64":
        raise ContractError(f"only PCG64's state can be kept, got {state['bit_generator']}")
    numbers = []
    for name in ("state", "inc"):
        numbers += [state["state"][name] >> HALF, state["state"][name] & (2**HALF - 1)]
    return np.array([*numbers, state["has_uint32"], state["uinteger"]], np.uint64)


def set_generator(rng: np.random.Generator, array: NDArray[Any]) -> None:
    """Put a generator of the same kind into a state of ``of_generator``."""
    high, low, inc_high, inc_low, has_uint32, uinteger = (int(number) for number in array)
    rng.bit_generator.state = {
        "bit_generator": "PCG64",
        "state": {"state": high << HALF | low, "inc": inc_high << HALF | inc_low},
        "has_uint32": has_uint32,
        "uinteger": uinteger,
    }


def of_globals() -> Arrays:
    """The global states that ``isolated`` seeds: torch's, NumPy's legacy one, Python's.

    Of CUDA devices that of the current one, on which the work is: others draw nothing.
    """
    import torch

    version, words, gauss = random.getstate()
    _, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    arrays: Arrays = {
        "torch": torch.get_rng_state().numpy(),
        "python": np.array([version, *words], np.int64),
        "python_gauss": np.array([] if gauss is None else [gauss], np.float64),
        "numpy": np.asarray(keys),
        "numpy_place": np.array([position, has_gauss], np.int64),
        "numpy_gauss": np.array(cached, np.float64),
    }
    if torch.cuda.is_available():
        arrays["cuda"] = torch.cuda.get_rng_state().numpy()
    return arrays


def set_globals(arrays: Mapping[str, NDArray[Any]]) -> None:
    """Put the global states into those of ``of_globals``, taken with CUDA if that is here."""
    import torch

    torch.set_rng_state(torch.from_numpy(arrays["torch"].copy()))
    version, *words = arrays["python"].tolist()
    gauss = arrays["python_gauss"].tolist()
    random.setstate((version, tuple(words), gauss[0] if gauss else None))
    position, has_gauss = arrays["numpy_place"].tolist()
    cached = float(arrays["numpy_gauss"])
    np.random.set_state(("MT19937", arrays["numpy"], position, has_gauss, cached))
    if torch.cuda.is_available():
        torch.cuda.set_rng_state(torch.from_numpy(arrays["cuda"].copy()))
