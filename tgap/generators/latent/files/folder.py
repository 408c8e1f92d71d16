"""Checks of a diffusers folder that need neither torch nor the weights in memory."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tgap.core import DataError
from tgap.core.files import write_json
from tgap.core.foreign import json_in
from tgap.generators.latent.files.header import shapes_in
from tgap.generators.latent.files.layouts import (
    INDEX,
    PROMPTS,
    TOKENIZER_FILES,
    VOCABULARIES,
    Layout,
    Part,
)
from tgap.generators.latent.files.schedule import schedule_problems

GET_IT_AGAIN = "copy or download the folder again"
CORRECT_IT = "correct it by what the model's publisher says, or choose another model"


def folder_problems(
    folder: Path, layout: Layout, weights: bool = True, remedy: str = GET_IT_AGAIN
) -> list[str]:
    """What is wrong with a folder that should hold a pipeline.

    Args:
        folder: As diffusers' ``save_pretrained`` writes it; files may be links.
        layout: What it should hold.
        weights: Whether the weights are to be read from it, or its configs and tokenizer alone.
        remedy: What to do about missing and broken files.

    Returns:
        One sentence per problem; none if it looks loadable.
    """
    try:
        index = _read_json(folder / INDEX, remedy)
    except DataError as error:
        return [str(error)]
    if index.get("_class_name") != layout.pipeline:
        return [
            f"'{folder / INDEX}' must name the pipeline {layout.pipeline}, "
            f"got {index.get('_class_name')!r}"
        ]
    return [
        problem
        for part in layout.parts
        for problem in _part_problems(folder, layout, part, index.get(part), weights, remedy)
    ]


def parts_left_out(folder: Path, layout: Layout) -> list[str]:
    """Optional components that a good folder has not."""
    index = _read_json(folder / INDEX, GET_IT_AGAIN)
    return [name for name in layout.parts if _is_none(index.get(name))]


def scheduler_in(folder: Path, layout: Layout) -> tuple[str, dict[str, Any]]:
    """Class of a good folder's scheduler, and its configuration."""
    name = class_names(folder)["scheduler"][1]
    return name, _read_json(folder / "scheduler" / layout.parts["scheduler"].config, GET_IT_AGAIN)


def class_names(folder: Path) -> dict[str, tuple[str, str]]:
    """Library and class of each component that a good folder has."""
    index = _read_json(folder / INDEX, GET_IT_AGAIN)
    return {
        name: (named[0], named[1])
        for name, named in index.items()
        if isinstance(named, list) and not _is_none(named)
    }


def tokenizers(folder: Path, layout: Layout) -> list[str]:
    """Names of a good folder's tokenizers, but for one whose text encoder it has not."""
    named = class_names(folder)
    return [name for name in layout.tokenizers() if {name, encoder_of(name)} <= named.keys()]


def tokens_known(folder: Path, layout: Layout, tokenizer: str) -> int:
    """How many tokens a good folder's tokenizer and its text encoder have places for.

    A tokenizer that does not say it makes any number by transformers, of which its text encoder
    then reads no more than it has places for; some encoders have no such limit (``sys.maxsize``).
    """
    config = _read_json(folder / tokenizer / layout.parts[tokenizer].config, GET_IT_AGAIN)
    encoder = _read_json(folder / encoder_of(tokenizer) / "config.json", GET_IT_AGAIN)
    said = [config.get("model_max_length"), encoder.get("max_position_embeddings")]
    return min((int(number) for number in said if number is not None), default=sys.maxsize)


def tokens_read(folder: Path, layout: Layout, tokenizer: str) -> int:
    """How many tokens of a prompt a good folder's text encoder reads, start and end counted.

    Raises:
        DataError: If nothing says it.
    """
    known = tokens_known(folder, layout, tokenizer)
    most = min(known, layout.parts[tokenizer].reads or sys.maxsize)
    if most == sys.maxsize:
        raise DataError(
            f"nothing says how many tokens a prompt may have: neither model_max_length in "
            f"'{folder / tokenizer / TOKENIZER_FILES[0]}' nor max_position_embeddings in "
            f"'{folder / encoder_of(tokenizer) / 'config.json'}'; set the former (77 for CLIP)"
        )
    return most


def vocabulary(folder: Path, tokenizer: str) -> int | None:
    """How many tokens a good folder's text encoder has vectors for, if it says so."""
    config = _read_json(folder / encoder_of(tokenizer) / "config.json", GET_IT_AGAIN)
    return config.get("vocab_size")


def encoder_of(tokenizer: str) -> str:
    """The text encoder that reads what a tokenizer writes."""
    return tokenizer.replace("tokenizer", "text_encoder")


def names_in(folder: Path) -> list[str]:
    """A folder's files and those one level below, relative to it; links count as files."""
    paths = [*folder.glob("*"), *folder.glob("*/*")]
    return [path.relative_to(folder).as_posix() for path in paths if path.is_file()]


def image_shape(folder: Path, layout: Layout, side: int | None = None) -> tuple[int, int, int]:
    """Height, width and channels of the images that a good folder's model draws and is tuned on.

    Args:
        folder: Of a pipeline.
        layout: Of it.
        side: Of the images, if it is set; else it is what the denoiser was trained at.

    Raises:
        DataError: If the denoiser's config does not say that.
    """
    vae, denoiser = (
        _read_json(folder / part / "config.json", GET_IT_AGAIN) for part in ("vae", layout.denoiser)
    )
    channels, size = int(vae["in_channels"]), denoiser.get("sample_size")
    if side is not None:
        return (side, side, channels)
    sides = [size, size] if isinstance(size, int) else size
    if not isinstance(sides, list) or [type(each) for each in sides] != [int, int]:
        raise DataError(
            f"'{folder / layout.denoiser / 'config.json'}' does not say how large images are "
            f"(sample_size is {size!r}); set generator.image_size to the side of the images that "
            "the model was trained at"
        )
    height, width = (each * vae_factor(folder) for each in sides)
    return (height, width, channels)


def vae_factor(folder: Path) -> int:
    """By how much a good folder's autoencoder reduces height and width."""
    config = _read_json(folder / "vae" / "config.json", GET_IT_AGAIN)
    return int(2 ** (len(config["block_out_channels"]) - 1))


def denoiser_patch(folder: Path, layout: Layout) -> int:
    """Side of the squares of latents that a good folder's transformer reads; 1 of a UNet."""
    config = _read_json(folder / layout.denoiser / "config.json", GET_IT_AGAIN)
    return int(config.get("patch_size", 1))


def file_problems(file: Path, layout: Layout) -> list[str]:
    """What is wrong with weights in one file, as the original release has them.

    Args:
        file: An existing safetensors file.
        layout: What it should hold.
    """
    try:
        names = shapes_in(file, "copy or download the file again")
    except DataError as error:
        return [str(error)]
    return [
        f"'{file}' holds no {name}: no tensor's name begins with '{part.prefix}'; a checkpoint of "
        "the original release in one file has it, and a component of a diffusers folder is loaded "
        "with the folder, as generator.path"
        for name, part in layout.parts.items()
        if part.stem and not any(tensor.startswith(part.prefix) for tensor in names)
    ]


def _part_problems(
    folder: Path, layout: Layout, name: str, named: Any, weights: bool, remedy: str
) -> list[str]:
    part = layout.parts[name]
    if part.optional and _is_none(named):
        return []
    if not (isinstance(named, list) and len(named) == 2 and named[0] == part.library) or (
        part.classes and named[1] not in part.classes
    ):
        classes = " or ".join(part.classes) or "any class of it"
        return [
            f"'{folder / INDEX}' must name {name} as [{part.library}, {classes}], got {named!r}"
        ]
    problems = _config_problems(folder / name / part.config, part, remedy)
    if part.stem and weights:
        problems += _weights_problems(folder, layout, name, remedy)
    if part.config == TOKENIZER_FILES[0] and not any(
        all((folder / name / file).is_file() for file in files) for files in VOCABULARIES
    ):
        problems.append(
            f"'{folder / name}' has neither tokenizer.json nor vocab.json and merges.txt; {remedy}"
        )
    return problems


def _config_problems(path: Path, part: Part, remedy: str) -> list[str]:
    try:
        config = _read_json(path, remedy)
    except DataError as error:
        return [str(error)]
    problems = schedule_problems(config, part.schedule) if part.schedule else []
    if lacking := [name for name in part.says if name not in config]:
        problems.append(
            f"lacks {', '.join(lacking)} (and {part.library} has a default that may be another "
            "model's)"
        )
    return [f"'{path}' {problem}; {CORRECT_IT}" for problem in problems]


def _weights_problems(folder: Path, layout: Layout, name: str, remedy: str) -> list[str]:
    files = layout.weights(name, names_in(folder))
    if not files:
        stem = layout.parts[name].stem
        return [_missing_weights(folder / name / f"{stem}.safetensors", remedy)]
    problems = []
    for path in (folder / file for file in files):
        try:
            if path.suffix == ".json":
                _require_shards(path, remedy)
            else:
                shapes_in(path, remedy)
        except DataError as error:
            problems.append(str(error))
    return problems


def _require_shards(index: Path, remedy: str) -> None:
    named = _read_json(index, remedy).get("weight_map")
    if not isinstance(named, dict) or not all(isinstance(file, str) for file in named.values()):
        raise DataError(f"'{index}' must say which file holds each tensor (weight_map); {remedy}")
    for file in sorted(set(named.values())):
        if Path(file).name != file:
            raise DataError(f"'{index}' names '{file}', which is not beside it; {remedy}")
        if not (index.parent / file).is_file():
            raise DataError(f"'{index.parent / file}' is missing; {remedy}")


def _missing_weights(path: Path, remedy: str) -> str:
    others = sorted(other.name for other in path.parent.glob("*.bin"))
    if others:
        return (
            f"'{path}' is missing; '{others[0]}' beside it is not loaded, because a .bin file can "
            "run code: save the model again with safe_serialization=True"
        )
    return f"'{path}' is missing; {remedy}"


def _is_none(named: Any) -> bool:
    return named is None or named == [None, None]


def _read_json(path: Path, remedy: str) -> dict[str, Any]:
    try:
        content = json_in(path)
    except FileNotFoundError:
        raise DataError(f"'{path}' is missing; {remedy}") from None
    except (OSError, ValueError) as error:
        raise DataError(f"'{path}' cannot be read as JSON ({error}); {remedy}") from error
    if not isinstance(content, dict):
        raise DataError(f"'{path}' must hold a JSON object; {remedy}")
    return content


def save_texts(texts: Mapping[str, str], folder: Path) -> None:
    """Write what is read instead of each prompt."""
    write_json(folder / PROMPTS, dict(texts))


def saved_texts(folder: Path) -> dict[str, str]:
    """What a folder says is read instead of each prompt; nothing if it does not say.

    Raises:
        DataError: If the file does not hold texts by prompt.
    """
    path = folder / PROMPTS
    if not path.is_file():
        return {}
    try:
        texts = json_in(path)
    except (OSError, ValueError) as error:
        raise DataError(f"'{path}' cannot be read as JSON ({error}); copy it again") from error
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        raise DataError(f"'{path}' must hold texts by prompt; copy it again")
    return texts
