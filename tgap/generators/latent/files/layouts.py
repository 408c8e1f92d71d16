"""What the diffusers folder of each architecture holds, by the names in its model_index.json."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

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
class Sizes:
    """A tensor whose shape says whether weights and config belong together.

    Args:
        ends: How its name ends: in a diffusers folder, or in the original release.
        axes: Field of the config that says how long an axis is; of a list, its first entry.
        needed: Whether every model of the class has such a tensor.
    """

    ends: tuple[str, ...]
    axes: Mapping[int, str]
    needed: bool = True


@dataclass(frozen=True)
class Layers:
    """Numbered layers, of which the config says how many there are.

    Args:
        names: Regular expression that finds them in a diffusers folder, the number as its group.
        count: Field of the config.
        listed: Whether the field lists them instead of counting them.
    """

    names: str
    count: str
    listed: bool = False


@dataclass(frozen=True)
class Part:
    """A component of a pipeline.

    Args:
        library: ``diffusers`` or ``transformers``.
        classes: Classes that it may have.
        config: Its main configuration file.
        stem: Name of its weights without ending; "" if it has none.
        sizes: Tensors to compare with its configuration.
        layers: Layers to count and compare with its configuration.
        optional: Whether the pipeline works without it.
        prefix: Where its tensors are in a single file of the original release.
        reads: Of a tokenizer: most tokens that the pipeline hands on, if fewer than it says itself.
    """

    library: str
    classes: tuple[str, ...]
    config: str = "config.json"
    stem: str = ""
    sizes: tuple[Sizes, ...] = ()
    layers: tuple[Layers, ...] = ()
    optional: bool = False
    prefix: str = ""
    reads: int | None = None


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
        found = {INDEX, PROMPTS} & names
        for name, part in self.parts.items():
            found |= {f"{name}/{part.config}"} & names
            if part.stem and weights:
                found |= set(_weights(name, part, names, variant))
            if part.config == TOKENIZER_FILES[0]:
                found |= {f"{name}/{file}" for file in TOKENIZER_FILES} & names
        return sorted(found)

    def weights(self, name: str, names: Iterable[str]) -> list[str]:
        """A component's weights among a folder's files: one file, or an index and its shards."""
        names = set(names)
        return _weights(name, self.parts[name], names, self.variant(names))


def _weights(name: str, part: Part, names: set[str], variant: str | None) -> list[str]:
    found = _named(name, part, names, variant)
    # of a component without the variant diffusers takes the plain ones
    return found or (_named(name, part, names, None) if variant else [])


def _named(name: str, part: Part, names: set[str], variant: str | None) -> list[str]:
    start, tail = re.escape(f"{name}/{part.stem}"), rf"\.{variant}" if variant else ""
    pattern = re.compile(
        rf"{start}{tail}(-\d+-of-\d+)?\.safetensors|{start}\.safetensors\.index{tail}\.json"
    )
    return sorted(found for found in names if pattern.fullmatch(found))


_DIFFUSERS = "diffusion_pytorch_model"
_VAE = Part(
    "diffusers",
    ("AutoencoderKL",),
    stem=_DIFFUSERS,
    prefix="first_stage_model.",
    sizes=(
        Sizes(("encoder.conv_in.weight",), {0: "block_out_channels", 1: "in_channels"}),
        Sizes(("decoder.conv_out.weight",), {0: "out_channels", 1: "block_out_channels"}),
    ),
    layers=(
        Layers(r"encoder\.down_blocks\.(\d+)\.", "down_block_types", listed=True),
        Layers(r"encoder\.down_blocks\.0\.resnets\.(\d+)\.", "layers_per_block"),
        Layers(r"decoder\.up_blocks\.(\d+)\.", "up_block_types", listed=True),
    ),
)
_UNET = Part(
    "diffusers",
    ("UNet2DConditionModel",),
    stem=_DIFFUSERS,
    prefix="model.diffusion_model.",
    sizes=(
        Sizes(
            ("conv_in.weight", "input_blocks.0.0.weight"),
            {0: "block_out_channels", 1: "in_channels"},
        ),
        Sizes((".attn2.to_k.weight",), {1: "cross_attention_dim"}, needed=False),
    ),
    layers=(
        Layers(r"^down_blocks\.(\d+)\.", "down_block_types", listed=True),
        Layers(r"^down_blocks\.0\.resnets\.(\d+)\.", "layers_per_block"),
        Layers(r"^up_blocks\.(\d+)\.", "up_block_types", listed=True),
    ),
)
_CLIP_SIZES = (Sizes(("token_embedding.weight",), {0: "vocab_size", 1: "hidden_size"}),)
_CLIP_LAYERS = (Layers(r"\bencoder\.layers\.(\d+)\.", "num_hidden_layers"),)
_CLIP = Part(
    "transformers",
    ("CLIPTextModel",),
    stem="model",
    prefix="cond_stage_model.",
    sizes=_CLIP_SIZES,
    layers=_CLIP_LAYERS,
)
_CLIP_PROJECTED = Part(
    "transformers",
    ("CLIPTextModelWithProjection",),
    stem="model",
    sizes=_CLIP_SIZES,
    layers=_CLIP_LAYERS,
)
_TOKENIZER = Part("transformers", ("CLIPTokenizer", "CLIPTokenizerFast"), TOKENIZER_FILES[0])
_SCHEDULER = Part(
    "diffusers",
    (
        "DDIMScheduler",
        "DDPMScheduler",
        "PNDMScheduler",
        "LMSDiscreteScheduler",
        "EulerDiscreteScheduler",
        "EulerAncestralDiscreteScheduler",
        "DPMSolverMultistepScheduler",
    ),
    "scheduler_config.json",
)


def misfit(part: Part, shapes: Mapping[str, tuple[int, ...]], config: Mapping[str, object]) -> str:
    """How a component's tensors differ from what its configuration says; "" if they fit.

    Args:
        part: The component.
        shapes: Its tensors' shapes by name.
        config: Its configuration; a field that is not in it is not compared.
    """
    for sizes in part.sizes:
        name = next((name for name in shapes if name.endswith(sizes.ends)), None)
        if name is None:
            if sizes.needed:
                return f"there is no tensor whose name ends with {sizes.ends[0]}"
            continue
        for axis, key in sizes.axes.items():
            value = config.get(key)
            expected = value[0] if isinstance(value, list) and value else value
            shape = shapes[name]
            got = shape[axis] if axis < len(shape) else None
            if isinstance(expected, int) and got != expected:
                measured = " x ".join(map(str, shape))
                return f"{name} is {measured}, and the config says {key}={value}"
    return next(filter(None, (_miscounted(layers, shapes, config) for layers in part.layers)), "")


def _miscounted(
    layers: Layers, shapes: Mapping[str, tuple[int, ...]], config: Mapping[str, object]
) -> str:
    matches = (re.search(layers.names, name) for name in shapes)
    got = {match[1]: match[0] for match in matches if match}
    value = config.get(layers.count)
    said = len(value) if layers.listed and isinstance(value, list) else value
    if not got or not isinstance(said, int) or len(got) == said:
        return ""
    return (
        f"it has {len(got)} layers such as '{max(got.values())}', and the config says "
        f"{layers.count}={value}"
    )
