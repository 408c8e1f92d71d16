"""DreamBooth by LoRA: the weights stay as they are, and low-rank changes to them are learned."""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, cast

import numpy as np

from tgap.core import DataError, isolated, option
from tgap.finetuners.base import PromptedImages
from tgap.finetuners.training.denoising import DenoisingFinetuner
from tgap.generators.base import Networks
from tgap.generators.latent.adapters.lora import folded_in
from tgap.generators.latent.base import LatentModel

if TYPE_CHECKING:
    import torch

ATTENTION = ["to_k", "to_q", "to_v", "to_out.0"]
TEXT_ATTENTION = ["q_proj", "k_proj", "v_proj", "out_proj"]


@dataclass(kw_only=True)
class DreamboothLora(DenoisingFinetuner):
    """LoRA (Hu et al. 2021, arXiv 2106.09685) with DreamBooth's loss.

    A layer with weights W is computed as W + alpha/rank B A, with A ``(rank, in)`` drawn at random
    and B ``(out, rank)`` zero at first; only A and B are trained, in float32 whatever the passes'
    precision. With ``dora`` the length of each of W's output vectors is learned too, apart from
    its direction (DoRA, Liu et al. 2024, arXiv 2402.09353). The loss is ``DenoisingFinetuner``'s.

    The tuned model has the layers folded into W, so it draws as fast as the base model. It is saved
    as diffusers' ``pytorch_lora_weights.safetensors``, a hundredth of the model.

    Args:
        rank: Of B A.
        alpha: B A is scaled by alpha / rank; ``null`` is the rank, which tools agree upon.
        dora: Learn lengths apart from directions.
        targets: Endings of the names of layers that get it; the attention's projections by default,
            and for example ``ff.net.0.proj``, ``ff.net.2``, ``conv1``, ``conv2`` besides.
        text_encoder: Give it to the attention of CLIP text encoders too; there without ``dora``,
            whose lengths transformers drops without a word when it loads an adapter.
        dropout: Share of the layers' inputs that is zeroed in training.
    """

    saves_adapter: ClassVar[bool] = True

    rank: int = option(16, "rank of the learned changes", low=1, high=1_000_000)
    alpha: float | None = option(None, "scale times rank, null = rank", above=0)
    dora: bool = option(False, "learn lengths apart from directions (DoRA)")
    targets: list[str] = option(ATTENTION, "endings of the names of layers that get it")
    text_encoder: bool = option(False, "also in the text encoders' attention")
    rate: float = option(5.0, "learning rate over budget.learning_rate", above=0, high=1000)
    dropout: float = option(0.0, "share of inputs zeroed in training", low=0, high=0.9)

    def problems(self) -> list[str]:
        """No targets."""
        if not self.targets:
            return [f"targets must name layers, such as {', '.join(ATTENTION)}, got none"]
        return []

    def check_networks(self, networks: Networks) -> list[str]:
        """Targets that no layer's name ends with."""
        layers = networks.layers()
        return [_no_layer(t, "the denoiser") for t in _unfound(self.targets, layers) if layers]

    def stored_numbers(self, networks: Networks, labels: int) -> int:
        """Those of the two factors of each layer of the denoiser that gets them."""
        layers = {name.removesuffix(".weight"): shape for name, shape in networks.denoiser.items()}
        return sum(
            self.rank * (shape[0] + math.prod(shape[1:]))
            for layer, shape in layers.items()
            if len(shape) > 1 and layer.endswith(tuple(self.targets))
        )

    def _trainable(
        self, model: LatentModel, tuning_set: PromptedImages, rng: np.random.Generator
    ) -> LatentModel:
        size = (self.rank, self.alpha or self.rank, self.dropout)
        denoiser, encoders = copy.deepcopy(model.denoiser).float(), None
        with isolated(int(rng.integers(2**63))):
            _add_lora(denoiser, self.targets, *size, dora=self.dora)
            if self.text_encoder:
                encoders = tuple(
                    self._encoder_with_lora(encoder, size) for encoder in model.text_encoders
                )
        return model.with_parts(denoiser, encoders)

    def _encoder_with_lora(
        self, encoder: "torch.nn.Module", size: tuple[int, float, float]
    ) -> "torch.nn.Module":
        """A copy with LoRA layers, or the one given if it is no CLIP text encoder."""
        if not any(name.endswith("q_proj") for name, _ in encoder.named_modules()):
            return encoder
        made = copy.deepcopy(encoder).float()
        _add_lora(made, TEXT_ATTENTION, *size)
        return made

    def _finished(self, trained: LatentModel) -> LatentModel:
        return super()._finished(trained.with_adapter(folded_in(trained)))


def _unfound(targets: Sequence[str], names: Sequence[str]) -> list[str]:
    """Endings that none of these names has."""
    return [t for t in targets if not any(f".{name}".endswith(f".{t}") for name in names)]


def _no_layer(target: str, network: str) -> str:
    return (
        f"finetuner.targets must be endings of the names of layers, and '{target}' ends none of "
        f"those of {network}; allowed are for example to_q and to_out.0"
    )


def _add_lora(
    part: "torch.nn.Module",
    targets: Sequence[str],
    rank: int,
    alpha: float,
    dropout: float,
    dora: bool = False,
) -> None:
    """Add LoRA layers to a network; they alone require gradients then, in float32.

    Args:
        part: Changed in place.
        targets: Endings of the names of linear or convolutional layers.
        rank: Of the layers.
        alpha: The layers' outputs are scaled by alpha / rank.
        dropout: Share of the layers' inputs that is zeroed in training.
        dora: Whether the length of each of a weight's output vectors is learned apart (DoRA).

    Raises:
        DataError: If no layer has such a name, or a layer is of another kind.
    """
    from diffusers.training_utils import cast_training_params
    from peft import LoraConfig, inject_adapter_in_model

    part.requires_grad_(False)
    for target in _unfound(targets, [name for name, _ in part.named_modules()]):
        raise DataError(_no_layer(target, type(part).__name__))
    settings = LoraConfig(
        r=rank,
        lora_alpha=cast("int", alpha),
        use_dora=dora,
        lora_dropout=dropout,
        target_modules=sorted(targets),
    )
    try:
        inject_adapter_in_model(settings, part)
    except ValueError as error:  # peft's, of a layer that it cannot wrap
        raise DataError(f"targets {', '.join(targets)} cannot be given LoRA: {error}") from error
    cast_training_params(part)
