"""The tuned generator: a diffusers folder, or what it learned in the form of diffusers' loaders."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tgap.core import DataError, StoreError
from tgap.core.files import write_json
from tgap.core.foreign import json_in
from tgap.generators.latent.adapters import lora, words
from tgap.generators.latent.files.folder import names_in, saved_texts
from tgap.generators.latent.files.layouts import INDEX
from tgap.generators.latent.model import StableDiffusionModel
from tgap.generators.latent.pretrained import LatentGenerator
from tgap.generators.latent.silence import quiet
from tgap.pipeline.result import Result
from tgap.store import Artifact

BASE = "base"
"""Folder of the base model, where nobody can get it elsewhere but from tgap."""
WORDS = "words"
"""Folder of learned words, a file each, as diffusers loads them."""


@dataclass(frozen=True)
class ExportedGenerator:
    """What was written of a generator.

    Args:
        form: ``model`` (a whole diffusers folder), ``lora``, ``words``, or ``other`` (as the
            generator itself saves it).
        pipeline: The class of diffusers that loads it.
        without: Further arguments of its ``from_pretrained``.
        scheduler: The class of the scheduler that it is drawn from with.
        base: Of an adapter: where the base model is.
        words: Text that is read instead of each prompt.
        files: File of each learned word.
    """

    form: str
    pipeline: str = ""
    without: dict[str, Any] = field(default_factory=dict)
    scheduler: str = ""
    base: dict[str, str] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)


def tuned_model(result: Result) -> Artifact:
    """The artifact of the tuned generator.

    Raises:
        DataError: If nothing was tuned.
        StoreError: If it was removed from the store.
    """
    if result.plan.generator is None:
        raise DataError(
            f"the run has no tuned generator: its method is '{result.run.method}'; leave "
            "'generator' out of --what"
        )
    made = result.artifacts.generator
    if made is None:
        raise StoreError(
            "the run's tuned generator is not in the store: it was removed; start the run again "
            "to have it made again, or leave 'generator' out of --what"
        )
    return made


def write_generator(result: Result, folder: Path) -> ExportedGenerator:
    """Write the tuned generator.

    The scheduler is the one that the run drew with, so that plain diffusers draws the same image
    from the same seed.

    Args:
        result: Of a run that tuned.
        folder: Empty.
    """
    shutil.copytree(tuned_model(result).path("model"), folder, dirs_exist_ok=True)
    base, tuned = result.run.pretrained, result.generator()
    model = tuned.load()
    if not isinstance(model, StableDiffusionModel) or not isinstance(base, LatentGenerator):
        return ExportedGenerator("other")
    scheduler = model.scheduler_named(result.run.sampler.every_scheduler()[0])
    with quiet():
        scheduler.save_pretrained(folder / "scheduler")
    about: dict[str, Any] = {
        "pipeline": base.layout.pipeline,
        "without": dict(base.layout.without),
        "scheduler": type(scheduler).__name__,
        "words": saved_texts(folder),
    }
    if (folder / INDEX).is_file():
        _name_scheduler(folder / INDEX, type(scheduler).__name__)
        return ExportedGenerator("model", **about)
    about["base"] = _base(base, folder)
    if (folder / lora.WEIGHTS).is_file():
        return ExportedGenerator("lora", **about)
    return ExportedGenerator("words", files=_split_words(folder), **about)


def _name_scheduler(index: Path, name: str) -> None:
    content = json_in(index)
    write_json(index, content | {"scheduler": ["diffusers", name]})


def _base(base: LatentGenerator, folder: Path) -> dict[str, str]:
    """Where an adapter's base model is; the packaged one is put beside it."""
    source = base.source()
    if base.path is not None:
        place = {"path": base.origin().hub_id or f"PATH/{Path(base.path).name}"}
        return place | ({"revision": source.commit} if source.commit else {})
    for name in names_in(source.folder):
        (folder / BASE / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source.folder / name, folder / BASE / name)
    return {"path": BASE}


def _split_words(folder: Path) -> dict[str, str]:
    """Write each word into a file of its own: diffusers' loader takes no file of several."""
    from safetensors.torch import load_file, save_file

    (folder / WORDS).mkdir()
    files = {}
    for number, (word, rows) in enumerate(load_file(folder / words.WEIGHTS).items()):
        files[word] = f"{WORDS}/{number}.safetensors"
        save_file({word: rows.contiguous()}, folder / files[word])
    return files
