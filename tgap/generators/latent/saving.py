"""Weights on disk in less precision than they were trained in."""

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from tgap.core.digest import file_digest

if TYPE_CHECKING:
    import torch

    from tgap.generators.base import Model

DENOISERS = ("unet", "transformer")
"""Their folders in a diffusers folder."""
log = logging.getLogger(__name__)


def save_tuned(tuned: "Model", untuned: "Model", folder: Path, precision: str) -> None:
    """Save a tuned model in less precision; what does not fit its range stays in float32.

    The parts that the model does not share with the untuned one are cast before they are saved, so
    that they never lie on the disk in float32: the model is of use no more, but for what was saved.

    Args:
        tuned: Changed in place.
        untuned: What it was tuned from; left as it is.
        folder: Empty.
        precision: ``float32``, ``float16`` or ``bfloat16``.
    """
    import torch

    from tgap.generators.latent.base import LatentModel

    dtype: torch.dtype = getattr(torch, precision)
    if isinstance(tuned, LatentModel) and isinstance(untuned, LatentModel):
        shared = {id(part) for part in (untuned.denoiser, *untuned.text_encoders)}
        for part in (tuned.denoiser, *tuned.text_encoders):
            if id(part) not in shared and all(fits(w, dtype) for w in part.state_dict().values()):
                part.to(dtype)
    tuned.save(folder)
    cast_weights(folder, precision)


def save_untuned(untuned: "Model", folder: Path, precision: str) -> None:
    """Save the parts of a diffusers pipeline but the denoiser, each cast before the next.

    Args:
        untuned: Left as it is; of another model nothing is saved.
        folder: Empty.
        precision: ``float32``, ``float16`` or ``bfloat16``.
    """
    from tgap.generators.latent.model import StableDiffusionModel
    from tgap.generators.latent.silence import quiet

    if not isinstance(untuned, StableDiffusionModel):
        return
    for name, part in untuned.pipeline.components.items():
        if name not in DENOISERS and part is not None:
            with quiet():
                part.save_pretrained(folder / name)
            cast_weights(folder / name, precision)


def fits(weight: "torch.Tensor", dtype: "torch.dtype") -> bool:
    """Whether all finite numbers of a tensor stay finite."""
    import torch

    if not weight.is_floating_point():
        return True
    return bool((torch.isfinite(weight.to(dtype)) | ~torch.isfinite(weight)).all())


def cast_weights(folder: Path, precision: str) -> None:
    """Rewrite all safetensors files below a folder; what is no floating-point number stays.

    A file with a weight beyond the precision's range is left as it is, with a warning: rather a
    large file than a lost model.

    Args:
        folder: Of a model, an adapter, ...
        precision: ``float32``, ``float16`` or ``bfloat16``.
    """
    import torch
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    dtype: torch.dtype = getattr(torch, precision)
    for path in sorted(folder.rglob("*.safetensors")):
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
        weights = load_file(path)
        if all(w.dtype == dtype for w in weights.values() if w.is_floating_point()):
            continue
        if beyond := [name for name, weight in weights.items() if not fits(weight, dtype)]:
            log.warning(
                "weight '%s' of the model is beyond the range of %s (largest: %.3g), so %s keeps "
                "the precision it has; draw with generator.precision=bfloat16 or float32, and set "
                "storage.weights=bfloat16 for smaller files",
                beyond[0],
                precision,
                weights[beyond[0]].abs().max(),
                path.name,
            )
            continue
        cast = {
            name: weight.to(dtype, copy=True) if weight.is_floating_point() else weight.clone()
            for name, weight in weights.items()
        }
        del weights  # views of the file, whose room on the disk is needed
        path.unlink()
        save_file(cast, path, metadata)


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
