"""Weights on disk in less precision than they were trained in."""

import logging
import os
from pathlib import Path

from tgap.errors import TgapError
from tgap.files import file_digest

DENOISERS = ("unet", "transformer")
"""Their folders in a diffusers folder."""

log = logging.getLogger(__name__)


def cast_weights(folder: Path, precision: str) -> None:
    """Rewrite all safetensors files below a folder; what is no floating-point number stays.

    Args:
        folder: Of a model, an adapter, ...
        precision: ``float32``, ``float16`` or ``bfloat16``.

    Raises:
        TgapError: If a weight is beyond the precision's range.
    """
    import torch
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    dtype = getattr(torch, precision)
    for path in sorted(folder.rglob("*.safetensors")):
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
        cast = {}
        for name, tensor in load_file(path).items():
            cast[name] = tensor.to(dtype) if tensor.is_floating_point() else tensor
            if not torch.isfinite(cast[name]).all() and torch.isfinite(tensor).all():
                raise TgapError(
                    f"weight '{name}' of the tuned model is beyond the range of {precision} "
                    f"(largest: {tensor.abs().max():.3g}); set storage.weights=bfloat16 or float32"
                )
        beside = path.with_suffix(".cast")  # the tensors are a view of the file itself
        save_file(cast, beside, metadata)
        os.replace(beside, path)


def share_files(folder: Path, other: Path) -> None:
    """Let files that another folder has too be one file on the disk, by hard links.

    Both stay whole folders, and neither is affected if the other one is removed. Where the file
    system has no hard links, both keep their own, with a warning.

    Args:
        folder: Whose files are replaced.
        other: On the same disk.
    """
    for path in sorted(folder.rglob("*")):
        twin = other / path.relative_to(folder)
        if not (path.is_file() and twin.is_file() and _same(path, twin)):
            continue
        beside = path.with_name(f"{path.name}.link")
        try:
            os.link(twin, beside)
        except OSError as error:
            log.warning("%s takes its own room on the disk: %s", path, error)
            return
        os.replace(beside, path)


def _same(one: Path, other: Path) -> bool:
    return one.stat().st_size == other.stat().st_size and file_digest(one) == file_digest(other)
