"""What the diffusers folder of each architecture holds, by the names in its model_index.json."""

import dataclasses
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tgap.generators.latent.files.schedule import DIFFUSION

INDEX = "model_index.json"
PROMPTS = "prompts.json"  # what is read instead of prompts, in a folder that knows learned words
HALF = "fp16"  # weights that are published beside the full ones, or instead of them
TOKENIZER_FILES = (
    "tokenizer_config.json",
    "tokenizer.json",
    "vocab.json",
    "merges.txt",
    "spiece.model",
    "special_tokens_map.json",
    "added_tokens.json",
)
VOCABULARIES = (("tokenizer.json",), ("vocab.json", "merges.txt"), ("spiece.model",))


@dataclass(frozen=True)
class Part:
    """A component of a pipeline.

    Args:
        library: ``diffusers`` or ``transformers``.
        classes: Classes that it may have; any if none are named.
        config: Its main configuration file.
        stem: Name of its weights without ending; "" if it has none.
        optional: Whether the pipeline works without it.
        prefix: Where its tensors are in a single file of the original release.
        reads: Of a tokenizer: most tokens that the pipeline hands on, if fewer than it says itself.
        schedule: Of a scheduler: the kind of noise schedule that it must have.
        says: What its configuration must say, because the library's own default may be another
            model's.
    """

    library: str
    classes: tuple[str, ...]
    config: str = "config.json"
    stem: str = ""
    optional: bool = False
    prefix: str = ""
    reads: int | None = None
    schedule: str = ""
    says: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layout:
    """A pipeline's class and components.

    Args:
        pipeline: Class in diffusers.
        parts: Components by name. A model_index.json that names another class is refused:
            diffusers would import what it names, and a folder of weights is data.
        denoiser: Which of them is the UNet or transformer.
        single_file: Whether weights in one file can be read too.
        without: Arguments by which diffusers leaves out what nobody needs here.
    """

    pipeline: str
    parts: Mapping[str, Part]
    denoiser: str = "unet"
    single_file: bool = False
    without: Mapping[str, object] = field(default_factory=dict)

    def required_weights(self) -> list[str]:
        """Names of the components that have weights and must be there."""
        return [name for name, part in self.parts.items() if part.stem and not part.optional]

    def tokenizers(self) -> list[str]:
        """Names of the tokenizers."""
        return [name for name, part in self.parts.items() if part.config == TOKENIZER_FILES[0]]

    def variant(self, names: Iterable[str]) -> str | None:
        """``fp16`` if a component has no other weights among these files.

        diffusers then takes them of every component that has them.
        """
        names = set(names)
        for name, part in self.parts.items():
            plain, half = (_named(name, part, names, variant) for variant in (None, HALF))
            if part.stem and half and not plain:
                return HALF
        return None

    def used(self, names: Iterable[str], weights: bool = True) -> list[str]:
        """Those of a folder's files that are read, sorted.

        Args:
            names: The folder's files, relative to it, with forward slashes.
            weights: Whether weights are read from it.
        """
        names = set(names)
        variant = self.variant(names)
        used = {INDEX, PROMPTS} & names
        for name, part in self.parts.items():
            used |= {f"{name}/{part.config}"} & names
            if part.stem and weights:
                used |= set(_weights(name, part, names, variant))
            if part.config == TOKENIZER_FILES[0]:
                used |= {f"{name}/{file}" for file in TOKENIZER_FILES} & names
        return sorted(used)

    def weights(self, name: str, names: Iterable[str]) -> list[str]:
        """A component's weights among a folder's files: one file, or an index and its shards."""
        names = set(names)
        return _weights(name, self.parts[name], names, self.variant(names))


def _weights(name: str, part: Part, names: set[str], variant: str | None) -> list[str]:
    files = _named(name, part, names, variant)
    # of a component without the variant diffusers takes the plain ones
    return files or (_named(name, part, names, None) if variant else [])


def _named(name: str, part: Part, names: set[str], variant: str | None) -> list[str]:
    start, tail = re.escape(f"{name}/{part.stem}"), rf"\.{variant}" if variant else ""
    pattern = re.compile(
        rf"{start}{tail}(-\d+-of-\d+)?\.safetensors|{start}\.safetensors\.index{tail}\.json"
    )
    return sorted(file for file in names if pattern.fullmatch(file))


DIFFUSERS_STEM = "diffusion_pytorch_model"

VAE = Part(
    "diffusers",
    ("AutoencoderKL",),
    stem=DIFFUSERS_STEM,
    prefix="first_stage_model.",
    says=("block_out_channels", "in_channels"),  # its scaling_factor came later, as a default
)

VAE_SCALED = dataclasses.replace(VAE, says=(*VAE.says, "scaling_factor"))

UNET = Part(
    "diffusers",
    ("UNet2DConditionModel",),
    stem=DIFFUSERS_STEM,
    prefix="model.diffusion_model.",
    says=("attention_head_dim",),  # which leaves all shapes as they are
)

CLIP = Part("transformers", ("CLIPTextModel",), stem="model", prefix="cond_stage_model.")

CLIP_PROJECTED = Part("transformers", ("CLIPTextModelWithProjection",), stem="model")

TOKENIZER = Part("transformers", ("CLIPTokenizer", "CLIPTokenizerFast"), TOKENIZER_FILES[0])

SCHEDULER = Part("diffusers", (), "scheduler_config.json", schedule=DIFFUSION)
