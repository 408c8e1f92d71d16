"""LoRA layers of a loaded model: added, folded in, saved in diffusers' format, put on again."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tgap.core import ContractError, DataError
from tgap.generators.latent.base import Adapter, LatentModel
from tgap.generators.latent.silence import errors_raised_only

if TYPE_CHECKING:
    import torch
    from diffusers import DiffusionPipeline

WEIGHTS = "pytorch_lora_weights.safetensors"
GET_ANOTHER = "get the adapter again, or one that was made for this model"


@dataclass(frozen=True)
class LoraLayers:
    """The LoRA layers of one network.

    Args:
        tensors: By peft's names, on the CPU.
        settings: What peft's ``LoraConfig`` needs to read them.
    """

    tensors: "Mapping[str, torch.Tensor]"
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Lora(Adapter):
    """LoRA weights of a model.

    Args:
        denoiser: Those of the UNet or transformer.
        text_encoders: Those of each text encoder, ``None`` where it has none.
    """

    denoiser: LoraLayers
    text_encoders: tuple[LoraLayers | None, ...]

    def save(self, pipeline: "DiffusionPipeline", folder: Path) -> None:
        """Write diffusers' ``pytorch_lora_weights.safetensors``, settings in its metadata."""
        arguments: dict[str, Any] = {}
        names = part_names(pipeline)
        for name, layers in zip(names, (self.denoiser, *self.text_encoders), strict=True):
            if layers is not None:
                arguments[f"{name}_lora_layers"] = dict(layers.tensors)
                # without rank and alpha readers guess alpha = rank, and draw another model
                arguments[f"{name}_lora_adapter_metadata"] = dict(layers.settings)
        pipeline.save_lora_weights(folder, safe_serialization=True, **arguments)


def part_names(pipeline: "DiffusionPipeline") -> list[str]:
    """The pipeline's names of the denoiser and of its text encoders."""
    parts = pipeline.components
    encoders = sorted(n for n, p in parts.items() if n.startswith("text_encoder") and p is not None)
    return ["unet" if "unet" in parts else "transformer", *encoders]


def folded(part: "torch.nn.Module") -> LoraLayers | None:
    """Add a network's LoRA layers into its weights, in place; returns what they were, if any."""
    from diffusers.utils.peft_utils import recurse_remove_peft_layers
    from peft.tuners.tuners_utils import BaseTunerLayer
    from peft.utils import get_peft_model_state_dict

    settings = getattr(part, "peft_config", None)
    if not settings:
        return None
    ((name, config),) = settings.items()
    tensors = {
        key: tensor.detach().cpu().contiguous()
        for key, tensor in get_peft_model_state_dict(part, adapter_name=name).items()
    }
    # Folded in, they cost nothing when it draws, and the network is an ordinary one again: to be
    # copied, tuned or given other LoRA layers.
    for module in part.modules():
        if isinstance(module, BaseTunerLayer):
            module.merge()
    recurse_remove_peft_layers(part)
    del part.peft_config
    if hasattr(part, "_hf_peft_config_loaded"):
        part._hf_peft_config_loaded = False
    kept = {key: getattr(config, key) for key in ("r", "lora_alpha", "use_dora", "lora_dropout")}
    return LoraLayers(tensors, kept | {"target_modules": sorted(config.target_modules)})


def folded_in(model: LatentModel) -> Lora:
    """Fold a model's LoRA layers into its weights, in place; returns what they were."""
    denoiser = folded(model.denoiser)
    if denoiser is None:
        raise ContractError("there are no LoRA layers in the denoiser to fold in")
    return Lora(denoiser, tuple(folded(encoder) for encoder in model.text_encoders))


def put_lora_on(pipeline: "DiffusionPipeline", file: Path) -> None:
    """Load LoRA weights into a pipeline and fold them in.

    Raises:
        DataError: If they do not fit, in whole or in part.
    """
    import torch

    try:
        with errors_raised_only():
            tensors, *_ = pipeline.lora_state_dict(
                file, use_safetensors=True, local_files_only=True, return_lora_metadata=True
            )
            pipeline.load_lora_weights(file, use_safetensors=True, local_files_only=True)
    # Whatever the libraries meet in a file that passed the checks, the file is at fault.
    except Exception as error:
        lines = str(error).splitlines() or [type(error).__name__]
        reason = next((line for line in lines if "size mismatch" in line), lines[0]).strip()
        raise DataError(
            f"adapter '{file}' does not fit its base model ({reason}); {GET_ANOTHER}"
        ) from error
    loaded = {
        f"{name}.{key.removeprefix('text_model.')}": tensor
        for name in part_names(pipeline)
        if (layers := folded(getattr(pipeline, name))) is not None
        for key, tensor in layers.tensors.items()
    }
    # The libraries only warn of weights that they find no place for, and draw without them.
    if len(loaded) != len(tensors):
        raise DataError(
            f"adapter '{file}' does not fit its base model: {len(loaded)} of its {len(tensors)} "
            "tensors have a place there; " + GET_ANOTHER
        )
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise DataError(
                f"adapter '{file}' has NaN or infinite numbers in '{name}'; copy or download it "
                "again, or train it again with a lower learning rate"
            )
        own = loaded.get(name.replace(".text_model.", "."))
        if own is not None and not torch.equal(own, tensor.to(own.dtype)):
            raise DataError(
                f"adapter '{file}' cannot be loaded whole: its '{name}' is not taken over by the "
                "libraries (of text encoders, DoRA's lengths are not)"
            )
