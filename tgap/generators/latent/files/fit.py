"""Whether weights are those of the networks that the configs describe, tensor by tensor."""

import importlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tgap.core import DataError
from tgap.generators.base import Shapes
from tgap.generators.latent.files.folder import CORRECT_IT, class_names
from tgap.generators.latent.files.layouts import INDEX
from tgap.generators.latent.files.source import Source
from tgap.generators.latent.silence import errors_raised_only

if TYPE_CHECKING:
    import torch

OLD_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
"""Names that diffusers gave to the autoencoder's attention once, and still reads."""

_fitting: set[str] = set()  # digests of files that were found to fit


def misfits(source: Source) -> list[str]:
    """Compare weights with the networks that the configs describe, by classes that there are.

    The libraries draw what a file lacks at random, drop what they have no place for, and only warn.
    The networks are built without numbers, which takes torch and some seconds, once per process.

    Args:
        source: Without problems.

    Returns:
        A sentence for each component of a class that its library lacks, or else whose tensors are
        missing, unknown or of another shape.
    """
    digest = source.digest()
    if digest in _fitting:
        return []
    named = class_names(source.folder)
    problems = [
        _no_class(source, part, *named[part]) for part in source.layout.parts if part in named
    ]
    problems = [*filter(None, problems)] or [
        problem
        for part, shapes in source.shapes().items()
        # one that is left out may have files all the same
        if part in named and (problem := _misfit(source, part, *named[part], shapes))
    ]
    if not problems:
        _fitting.add(digest)
    return problems


def require_finite(pipeline: Any, source: Source) -> None:
    """See whether every tensor of a pipeline holds numbers, in the precision that it was read in.

    Raises:
        DataError: If one has a NaN or an infinity.
    """
    import torch

    for part, module in pipeline.components.items():
        if not isinstance(module, torch.nn.Module):
            continue
        for name, tensor in module.named_parameters():
            # A NaN spreads to every pixel, and the error that it makes at last says nothing of it.
            if not torch.isfinite(tensor).all():
                dtype = str(tensor.dtype).removeprefix("torch.")
                raise DataError(
                    f"weights of {part} in {source.title} are not finite in {dtype}: '{name}' has "
                    f"NaN or infinite numbers; {_again(source)}"
                    + ("" if dtype == "float32" else ", or set generator.precision=float32")
                )


def _no_class(source: Source, part: str, library: str, name: str) -> str:
    module = importlib.import_module(library)
    if hasattr(module, name):
        return ""
    return (
        f"'{source.folder / INDEX}' names {part} as {name}, which {library} {module.__version__} "
        f"does not have; install the {library} that the model was saved with, or {CORRECT_IT}"
    )


def _misfit(source: Source, part: str, library: str, name: str, shapes: Shapes) -> str:
    """How a component's tensors differ from its network's, as a sentence; "" if they do not."""
    folder = source.folder / part
    try:
        network = _described(library, name, folder)
        if source.file is not None:
            shapes = _converted(network, shapes)
    # Whatever the libraries meet in files that passed the checks, the files are at fault.
    except Exception as error:
        return f"{source.title} describes no {part} that can be built: {error}; {source.remedy}"
    differences = _differences(network, shapes, strict=source.file is None)
    if not differences:
        return ""
    remedy = _again(source)
    if source.file is not None:
        remedy += ", or choose the generator.config that belongs to it"
    return (
        f"weights of {part} in {source.title} do not fit its config '{folder / 'config.json'}': "
        f"they {differences}; {remedy}"
    )


def _described(library: str, name: str, folder: Path) -> "torch.nn.Module":
    """The network that a folder's config describes, without numbers."""
    import torch

    cls = getattr(importlib.import_module(library), name)
    with torch.device("meta"), errors_raised_only():
        if library == "diffusers":
            network = cls.from_config(cls.load_config(folder, local_files_only=True))
        else:
            network = cls(cls.config_class.from_pretrained(folder, local_files_only=True))
    described: torch.nn.Module = network
    return described


def _converted(network: Any, shapes: Shapes) -> Shapes:
    """A single file's tensors, named and shaped as diffusers does when it reads the file."""
    import torch
    from diffusers.loaders import single_file_utils as conversion

    tensors = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
    kind = type(network).__name__
    if kind == "UNet2DConditionModel":
        converted = conversion.convert_ldm_unet_checkpoint(tensors, network.config)
    elif kind == "AutoencoderKL":
        converted = conversion.convert_ldm_vae_checkpoint(tensors, network.config)
    elif conversion.is_open_clip_model(tensors):  # Stable Diffusion 2.x
        prefix = "cond_stage_model.model."
        converted = conversion.convert_open_clip_checkpoint(network, tensors, prefix=prefix)
    else:
        converted = conversion.convert_ldm_clip_checkpoint(tensors)
    return {name: tuple(tensor.shape) for name, tensor in converted.items()}


def _differences(network: "torch.nn.Module", shapes: Shapes, strict: bool) -> str:
    """How tensors in files differ from a network's; "" if they do not.

    Unless ``strict``, tensors too many count only if they are layers: single files hold more than
    is read, such as the projection of a text encoder.
    """
    wanted = {_plain(n): t for n, t in network.state_dict(keep_vars=True).items()}
    ignored = getattr(network, "_keys_to_ignore_on_load_unexpected", None) or ()
    given = {
        _plain(name, wanted): shape
        for name, shape in shapes.items()
        if not any(re.search(pattern, name) for pattern in ignored)
    }
    held = {id(wanted[name]) for name in given if name in wanted}  # of tied ones, one is enough
    lacking = [n for n, t in wanted.items() if id(t) not in held and not _counted(n)]
    unknown = [name for name in given if name not in wanted and not _counted(name)]
    other = {
        name: (shape, tuple(wanted[name].shape))
        for name, shape in given.items()
        if name in wanted and tuple(wanted[name].shape) != shape
    }
    differences = []
    if lacking:
        differences.append(f"lack {_some(lacking)}")
    if other:
        got, expected = next(iter(other.values()))
        differences.append(
            f"have of other shapes {_some(list(other))} is {got} and by the config {expected}"
        )
    if not strict:
        unknown = [name for name in unknown if re.search(r"\.\d+\.", name)]
    if unknown:
        differences.append(f"have, unknown to the config, {_some(unknown)}")
    return " and ".join(differences)


def _counted(name: str) -> bool:
    """Whether a tensor counts positions 0, 1, 2, ..., which newer libraries do not save."""
    return name.endswith("position_ids")


def _plain(name: str, known: Mapping[str, Any] | None = None) -> str:
    """A tensor's name without the level that transformers dropped, and as diffusers has it now."""
    name = name.removeprefix("text_model.")
    path, _, kind = name.rpartition(".")
    level, _, layer = path.rpartition(".")
    if known is not None and name not in known and layer in OLD_ATTENTION:
        return f"{level}.{OLD_ATTENTION[layer]}.{kind}"
    return name


def _some(names: list[str]) -> str:
    return f"{len(names)} tensor{'s' * (len(names) > 1)}, e.g. '{names[0]}'"


def _again(source: Source) -> str:
    return source.remedy if source.file is None else "copy or download the file again"
