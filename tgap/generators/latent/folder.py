"""Checks of a diffusers folder that need neither torch nor the weights in memory."""

import json
from pathlib import Path
from typing import Any

from tgap.errors import DataError

PIPELINE = "StableDiffusionPipeline"
GET_IT_AGAIN = "copy or download the folder again"

# Component -> its library, the classes it may have, its files without those of the tokenizer.
# A model_index.json that names anything else is refused: diffusers would import what it names,
# and a folder of weights is data.
PARTS: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "vae": (
        "diffusers",
        ("AutoencoderKL",),
        ("config.json", "diffusion_pytorch_model.safetensors"),
    ),
    "unet": (
        "diffusers",
        ("UNet2DConditionModel",),
        ("config.json", "diffusion_pytorch_model.safetensors"),
    ),
    "text_encoder": ("transformers", ("CLIPTextModel",), ("config.json", "model.safetensors")),
    "tokenizer": (
        "transformers",
        ("CLIPTokenizer", "CLIPTokenizerFast"),
        ("tokenizer_config.json",),
    ),
    "scheduler": (
        "diffusers",
        (
            "DDIMScheduler", "DDPMScheduler", "PNDMScheduler", "LMSDiscreteScheduler",
            "EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler",
            "DPMSolverMultistepScheduler",
        ),
        ("scheduler_config.json",),
    ),
}  # fmt: skip


def folder_problems(folder: Path) -> list[str]:
    """What is wrong with a folder that should hold a ``StableDiffusionPipeline``.

    Args:
        folder: As ``StableDiffusionPipeline.save_pretrained`` writes it.

    Returns:
        One sentence per problem; none if it looks loadable.
    """
    if not folder.is_dir():
        return [
            f"generator folder '{folder}' does not exist; "
            f"path must be a local diffusers folder of a {PIPELINE}"
        ]
    try:
        index = _read_json(folder / "model_index.json")
    except DataError as error:
        return [str(error)]
    if index.get("_class_name") != PIPELINE:
        return [
            f"'{folder / 'model_index.json'}' must name the pipeline {PIPELINE}, "
            f"got {index.get('_class_name')!r}"
        ]
    return [problem for part in PARTS for problem in _part_problems(folder, part, index.get(part))]


def image_shape(folder: Path) -> tuple[int, int, int]:
    """Height, width and channels of the images that a good folder's model draws and is tuned on.

    Raises:
        DataError: If a config lacks what says so.
    """
    vae, unet = (_read_json(folder / part / "config.json") for part in ("vae", "unet"))
    try:
        size = unet["sample_size"] * vae_factor(folder)
        return (size, size, vae["in_channels"])
    except (KeyError, TypeError) as error:
        raise DataError(
            f"the configs of vae and unet in '{folder}' do not say how large images are "
            f"({error!r}); {GET_IT_AGAIN}"
        ) from error


def vae_factor(folder: Path) -> int:
    """By how much a good folder's autoencoder reduces height and width."""
    return int(2 ** (len(_read_json(folder / "vae" / "config.json")["block_out_channels"]) - 1))


def _part_problems(folder: Path, part: str, named: Any) -> list[str]:
    library, classes, files = PARTS[part]
    if not (isinstance(named, list) and len(named) == 2 and named[0] == library) or (
        named[1] not in classes
    ):
        return [
            f"'{folder / 'model_index.json'}' must name {part} as [{library}, "
            f"{' or '.join(classes)}], got {named!r}"
        ]
    problems = []
    for name in files:
        path = folder / part / name
        try:
            if path.suffix == ".json":
                _read_json(path)
            else:
                _check_safetensors(path)
        except DataError as error:
            problems.append(str(error))
        except OSError as error:
            problems.append(f"'{path}' cannot be read ({error.strerror}); check its permissions")
    if part == "tokenizer" and not any(
        all((folder / part / name).is_file() for name in names)
        for names in (("tokenizer.json",), ("vocab.json", "merges.txt"))
    ):
        problems.append(
            f"'{folder / part}' has neither tokenizer.json nor vocab.json and merges.txt; "
            f"{GET_IT_AGAIN}"
        )
    return problems


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"'{path}' is missing; {GET_IT_AGAIN}") from None
    except (OSError, ValueError) as error:
        raise DataError(f"'{path}' cannot be read as JSON ({error}); {GET_IT_AGAIN}") from error
    if not isinstance(content, dict):
        raise DataError(f"'{path}' must hold a JSON object; {GET_IT_AGAIN}")
    return content


def _check_safetensors(path: Path) -> None:
    """Compare a safetensors file's length with what its header says.

    The format: 8 bytes with the header's length n (little-endian), n bytes of JSON in which each
    tensor has ``data_offsets`` [begin, end), then the data.
    """
    if not path.is_file():
        others = sorted(p.name for p in path.parent.glob("*.bin"))
        raise DataError(
            f"'{path}' is missing"
            + (
                f"; '{others[0]}' beside it is not loaded, because a .bin file can run code: "
                "save the model again with safe_serialization=True"
                if others
                else f"; {GET_IT_AGAIN}"
            )
        )
    got = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if got < 8 or length > got - 8:
            least = 8 + length if got >= 8 else 8
            raise DataError(_wrong_length(path, f"at least {least}", got))
        try:
            header = json.loads(file.read(length))
            ends = [entry["data_offsets"][1] for k, entry in header.items() if k != "__metadata__"]
            expected = 8 + length + max(ends, default=0)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
            raise DataError(f"'{path}' is no safetensors file; {GET_IT_AGAIN}") from error
    if got != expected:
        raise DataError(_wrong_length(path, str(expected), got))


def _wrong_length(path: Path, expected: str, got: int) -> str:
    return f"'{path}' should have {expected} bytes by its header but has {got}; {GET_IT_AGAIN}"
