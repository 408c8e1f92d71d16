"""Shapes of the tensors in a safetensors file, read without torch and without the weights."""

import functools
from pathlib import Path

from tgap.core import DataError

PICKLES = (".ckpt", ".bin", ".pt", ".pth", ".pkl")
"""Files that people publish instead of safetensors, and that can run code when they are read."""


def converting(path: Path) -> str:
    """How to make safetensors of such a file without running code that is in it."""
    return (
        'convert it, which runs none of its code: python -c "import torch; from safetensors.torch '
        f"import save_file; s = torch.load('{path}', weights_only=True); s = s.get('state_dict', s)"
        "; save_file({k: v.contiguous() for k, v in s.items()}, "
        f"'{path.with_suffix('.safetensors')}')\""
    )


def shapes_in(path: Path, remedy: str) -> dict[str, tuple[int, ...]]:
    """Shapes of a file's tensors by name, once its length is what its header says.

    Args:
        path: An existing file.
        remedy: What to do if it is broken.

    Raises:
        DataError: If it is truncated, of another format or not to be read.
    """
    from safetensors import SafetensorError

    try:
        stat = path.stat()
        return dict(
            _shapes_in(path, (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino))
        )
    except SafetensorError as error:
        why = str(error).removeprefix("Error while deserializing header: ")
        size = path.stat().st_size
        raise DataError(
            f"'{path}' is no safetensors file, or not a whole one: {why}, at {size} bytes; {remedy}"
        ) from error
    except OSError as error:
        raise DataError(f"'{path}' cannot be read ({error}); check its permissions") from error


@functools.lru_cache(maxsize=64)  # all runs of a sweep ask for the same files
def _shapes_in(path: Path, stamp: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """The same, asked anew when a file has changed."""
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        names = file.keys()  # which alone are iterable
        return {name: tuple(file.get_slice(name).get_shape()) for name in names}
