"""Whether weights are those of the networks that the configs describe, tensor by tensor."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tgap.core.errors import DataError
from tgap.generators.latent.files.folder import class_names
from tgap.generators.latent.files.header import Shapes
from tgap.generators.latent.files.source import Source
from tgap.generators.latent.silence import errors_raised_only

if TYPE_CHECKING:
    import torch

OLD_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
"""Names that diffusers gave to the autoencoder's attention once, and still reads."""


def require_all_tensors(source: Source) -> None:
    """Compare weights with the networks that the configs describe.

    In a single file tensors have other names and partly other shapes, so those of UNet and
    autoencoder, which are as many there, are only counted; ``require_loaded`` sees the
    rest. The libraries draw what a file lacks at random, drop what they have no place for, and only
    warn.

    Args:
        source: Without problems.

    Raises:
        DataError: If tensors are missing, unknown or of another shape.
    """
    named = class_names(source.folder)
    for part, shapes in source.shapes().items():
        if part not in named:  # it is left out, although its files are there
            continue
        library, name = named[part]
        if source.file is not None and library != "diffusers":
            continue
        network = _described(library, name, source.folder / part)
        if source.file is None:
            told = _misfit(network, shapes)
        else:
            lacking = len(network.state_dict()) - len(shapes)
            told = f"lack {_number(lacking)}" if lacking > 0 else ""
        if told:
            raise _not_fitting(part, source, told)


def require_loaded(pipeline: Any, source: Source) -> None:
    """See whether every tensor of a pipeline was read and holds numbers.

    Raises:
        DataError: If the file lacked one, or one has a NaN or an infinity.
    """
    import torch

    for part, module in pipeline.components.items():
        if not isinstance(module, torch.nn.Module):
            continue
        lacking = [name for name, tensor in module.named_parameters() if tensor.is_meta]
        if lacking:
            raise _not_fitting(part, source, f"lack {_some(lacking)}")
        for name, tensor in module.named_parameters():
            if not torch.isfinite(tensor).all():
                dtype = str(tensor.dtype).removeprefix("torch.")
                raise DataError(
                    f"weights of {part} in {source.said} are not finite in {dtype}: '{name}' has "
                    f"NaN or infinite numbers; {_again(source)}"
                    + ("" if dtype == "float32" else ", or set generator.precision=float32")
                )


def _described(library: str, name: str, folder: Path) -> "torch.nn.Module":
    """The network that a folder's config describes, without numbers."""
    import importlib

    import torch

    cls = getattr(importlib.import_module(library), name)
    with torch.device("meta"), errors_raised_only():
        if library == "diffusers":
            network = cls.from_config(cls.load_config(folder, local_files_only=True))
        else:
            network = cls(cls.config_class.from_pretrained(folder, local_files_only=True))
    described: torch.nn.Module = network
    return described


def _misfit(network: "torch.nn.Module", shapes: Shapes) -> str:
    """How tensors in files differ from a network's; "" if they do not."""
    wanted = {_plain(n): t for n, t in network.state_dict(keep_vars=True).items()}
    ignored = getattr(network, "_keys_to_ignore_on_load_unexpected", None) or ()
    found = {
        _plain(name, wanted): shape
        for name, shape in shapes.items()
        if not any(re.search(pattern, name) for pattern in ignored)
    }
    held = {id(wanted[name]) for name in found if name in wanted}  # of tied ones, one is enough
    lacking = [n for n, t in wanted.items() if id(t) not in held and not _counted(n)]
    unknown = [name for name in found if name not in wanted and not _counted(name)]
    other = [n for n, shape in found.items() if n in wanted and tuple(wanted[n].shape) != shape]
    told = {"lack": lacking, "have of other shapes": other, "have, unknown to the config,": unknown}
    return " and ".join(f"{how} {_some(names)}" for how, names in told.items() if names)


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
    return f"{_number(len(names))}, e.g. '{names[0]}'"


def _number(count: int) -> str:
    return f"{count} tensor{'s' * (count > 1)}"


def _not_fitting(part: str, source: Source, told: str) -> DataError:
    remedy = _again(source)
    if source.file is not None:
        remedy += ", or choose the generator.config that belongs to it"
    return DataError(
        f"weights of {part} in {source.said} do not fit its config: they {told}; {remedy}"
    )


def _again(source: Source) -> str:
    return source.remedy if source.file is None else "copy or download the file again"
