"""Adapters: LoRA weights and learned words that are put onto a base model."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tgap.core import DataError, isolated
from tgap.core.digest import folder_digest, remembered_file_digest
from tgap.core.files import expanded
from tgap.generators.base import Shapes
from tgap.generators.latent.adapters import lora, words
from tgap.generators.latent.files.folder import saved_texts
from tgap.generators.latent.files.header import PICKLES, converting, shapes_in
from tgap.generators.latent.files.source import Source

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

WEIGHTS = (lora.WEIGHTS, words.WEIGHTS)
KOHYA = {
    "lora_unet_": "unet",
    "lora_te_": "text_encoder",
    "lora_te1_": "text_encoder",
    "lora_te2_": "text_encoder_2",
}
"""How names begin in kohya's format, by network."""

PEFT = "base_model.model."
"""How names begin in what peft saves of a network alone."""

OWN = ("down_blocks_", "mid_block_", "up_blocks_", "encoder_layers_")
"""How kohya's names of layers go on where they are diffusers' own, and not the first release's."""

SIDES = {"A.weight": 1, "B.weight": 0, "down.weight": 1, "up.weight": 0}
"""Of a layer's weight, the axis that a factor shares with it: inputs are the second."""

HALVES = ((".lora_A.", ".lora_B."), (".lora_down.", ".lora_up."), (".lora.down.", ".lora.up."))
GET_IT_AGAIN = "copy or download the adapter again"


def adapter_problems(adapters: Sequence[str], base: Source) -> list[str]:
    """What is wrong with adapters, as sentences, found without torch and without weights.

    Args:
        adapters: Folders, or safetensors files.
        base: The model that they are put onto. Where its files say how large its layers are,
            adapters for another architecture are found out; else ``put_on`` does.
    """
    problems = []
    for adapter in adapters:
        try:
            file = _file(adapter)
            shapes = shapes_in(file, GET_IT_AGAIN)
            problem = _misfit(shapes, _base_shapes(base))
        except DataError as error:
            problems.append(str(error))
        else:
            if problem:
                problems.append(
                    f"adapter '{file}' does not fit {base.title}: {problem}; {lora.GET_ANOTHER}"
                )
    return problems


def adapter_digest(adapter: str) -> str:
    """Hash of an adapter's content; its place does not count."""
    path = expanded(adapter)
    return remembered_file_digest(path) if path.is_file() else folder_digest(path)


def is_adapter(folder: Path) -> bool:
    """Whether a folder that a tuned model was saved to holds an adapter, and no whole model."""
    return any((folder / name).is_file() for name in WEIGHTS)


def put_on(pipeline: "DiffusionPipeline", adapters: Sequence[str]) -> dict[str, str]:
    """Put adapters onto a pipeline, in order; returns the texts that are read instead of prompts.

    Raises:
        DataError: If one does not fit, in whole or in part; the pipeline is then of no use.
    """
    texts: dict[str, str] = {}
    with isolated(0):  # the libraries draw random numbers, which are then replaced
        for adapter in adapters:
            file = _file(adapter)
            if _is_lora(shapes_in(file, GET_IT_AGAIN)):
                lora.put_lora_on(pipeline, file)
            else:
                words.put_words_on(pipeline, file)
                texts |= saved_texts(expanded(adapter))
    for name in lora.part_names(pipeline):
        getattr(pipeline, name).eval().requires_grad_(False)
    return texts


def _file(adapter: str) -> Path:
    """The safetensors file of an adapter.

    Raises:
        DataError: If there is none.
    """
    path = expanded(adapter)
    if not path.exists():
        raise DataError(f"adapter '{adapter}' does not exist; give a folder or a safetensors file")
    if path.is_file():
        if path.suffix == ".safetensors":
            return path
        why = ""
        if path.suffix in PICKLES:
            why = f", which can run code when it is read; {converting(path)}"
        raise DataError(f"adapter '{path}' must be a .safetensors file, got {path.suffix}{why}")
    files = [path / name for name in WEIGHTS if (path / name).is_file()]
    files = files or sorted(path.glob("*.safetensors"))
    if len(files) == 1:
        return files[0]
    if files:
        raise DataError(
            f"adapter folder '{path}' holds {len(files)} safetensors files; name one of them: "
            + ", ".join(file.name for file in files)
        )
    pickled = sorted(file.name for file in path.iterdir() if file.suffix in PICKLES)
    why = f"; '{pickled[0]}' is not read, because it can run code" if pickled else ""
    raise DataError(f"adapter folder '{path}' must hold {' or '.join(WEIGHTS)}{why}")


def _is_lora(shapes: Shapes) -> bool:
    return bool(shapes) and all("lora" in name for name in shapes)


def _misfit(shapes: Shapes, base: Mapping[str, Shapes]) -> str:
    """Why an adapter does not fit, "" if it does or nobody can know before it is loaded."""
    if _is_lora(shapes):
        places = _places(base)
        misfits = [_lora_misfit(name, shape, base, places) for name, shape in shapes.items()]
        misfits += [_half_missing(name, shapes) for name in shapes]
        return next(filter(None, misfits), "")
    widths = {shape[-1] for shape in shapes.values() if len(shape) in (1, 2)}
    if len(widths) != 1 or any(len(shape) not in (1, 2) for shape in shapes.values()):
        return "it holds neither LoRA weights (names with 'lora') nor embeddings of learned words"
    return _words_misfit(shapes, widths.pop(), base)


def _places(base: Mapping[str, Shapes]) -> Shapes:
    """Shapes of the networks' layers by the names that adapters give them, peft's and kohya's."""
    places = {}
    for part, shapes in base.items():
        starts = [start for start, own in KOHYA.items() if own == part]
        for name, shape in shapes.items():
            layer = name.removesuffix(".weight")
            places[f"{part}.{layer}"] = shape
            places |= {start + layer.replace(".", "_"): shape for start in starts}
    return places


def _lora_misfit(
    name: str, shape: tuple[int, ...], base: Mapping[str, Shapes], places: Shapes
) -> str:
    """Of one tensor: ``unet.<layer>.lora_A.weight``, or ``lora_unet_<layer>.lora_down.weight``."""
    path, _, kind = name.rpartition(".lora_")
    # Other tools' names, and kohya's for layers that go by another one, are judged when loaded.
    if kind not in SIDES or not base:
        return ""
    known = places.get(_plain(path))
    part, _, layer = path.partition(".")
    start = next((start for start in KOHYA if path.startswith(start)), "")
    if start and _plain(path).removeprefix(start).startswith(OWN):
        part, layer = KOHYA[start], path
    if known is None and layer:
        if path.startswith(PEFT):
            return (
                f"its names begin with {PEFT}, as peft saves the adapter of a network alone; save "
                "it as one of a pipeline: StableDiffusionPipeline.save_lora_weights(folder, "
                "unet_lora_layers=peft.get_peft_model_state_dict(unet))"
            )
        if part not in base:
            return f"it is for a '{part}', and the model has none"
        return f"it is for a layer '{layer}' in {part}, and the model has none of that name"
    side = SIDES[kind]
    got = shape[side] if len(shape) > 1 else 0
    if known is None or got == known[side]:
        return ""
    way = "reads" if side else "gives"
    return f"'{path}' {way} {known[side]} features, and the adapter's {got}"


def _plain(path: str) -> str:
    """Without the level that transformers dropped from text encoders."""
    return path.replace(".text_model.", ".").replace("_text_model_", "_")


def _half_missing(name: str, shapes: Shapes) -> str:
    """LoRA is a product of two matrices, and an adapter must have both."""
    for down, up in HALVES:
        for one, other in ((down, up), (up, down)):
            if one in name and name.replace(one, other) not in shapes:
                return f"it has '{name}' without '{name.replace(one, other)}'"
    return ""


def _words_misfit(shapes: Shapes, width: int, base: Mapping[str, Shapes]) -> str:
    encoders = [part for part in base if part.startswith("text_encoder")]
    if len(encoders) > 1:
        return f"learned words are for one text encoder, and the model has {len(encoders)}"
    for part in encoders:
        rows = [s for name, s in base[part].items() if name.endswith("token_embedding.weight")]
        if rows and rows[0][1] != width:
            return (
                f"its words have {width} numbers, and those of the model's text encoder "
                f"{rows[0][1]}"
            )
    return ""


def _base_shapes(base: Source) -> Mapping[str, Shapes]:
    """Shapes of the weights of a base model's networks, by the network's and the tensor's name.

    Nothing if one cannot be read, which is for the base's own check to say, or if they are in one
    file, where layers have other names.
    """
    if base.file is not None:
        return {}
    try:
        parts = base.shapes()
    except DataError:
        return {}
    # without the level that transformers dropped from text encoders
    return {
        part: {name.removeprefix("text_model."): shape for name, shape in shapes.items()}
        for part, shapes in parts.items()
    }
