"""Adapters: LoRA weights and learned words that are put onto a base model."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tgap.digest import folder_digest
from tgap.files import remembered_file_digest

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline


def adapter_problems(adapters: Sequence[str]) -> list[str]:
    """What is wrong with adapters, as sentences, found without torch and without weights."""
    return []


def adapter_digest(adapter: str) -> str:
    """Hash of an adapter's content; its place does not count."""
    path = Path(adapter).expanduser()
    return remembered_file_digest(path) if path.is_file() else folder_digest(path)


def is_adapter(folder: Path) -> bool:
    """Whether a folder that a tuned model was saved to holds an adapter, and no whole model."""
    return False


def put_on(pipeline: "DiffusionPipeline", adapters: Sequence[str]) -> dict[str, str]:
    """Put adapters onto a pipeline, in order; returns the texts that stand for prompts."""
    return {}


def save_adapter(pipeline: "DiffusionPipeline", words: Mapping[str, str], folder: Path) -> bool:
    """Write what was learned beside the base model, if that is an adapter; whether it was."""
    return False
