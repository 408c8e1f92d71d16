"""Labels as a text encoder reads them, and folders of models as people have them."""

import json
from pathlib import Path

from tests.contracts.small_pipelines import write_pipeline
from tests.corpus.case import Case
from tests.corpus.making import put_folders


def _two_of_unknown_letters(root: Path) -> None:
    put_folders(root, ("Böse", "Büse"))


def _changed(file: Path, without: str = "", **fields: object) -> None:
    content = {**json.loads(file.read_text("utf-8")), **fields}
    content.pop(without, None)
    file.write_text(json.dumps(content), "utf-8")


def _with_a_model(root: Path) -> None:
    """Its scheduler only draws, and its tokenizer does not say how much is read of a prompt."""
    put_folders(root / "pictures", ("cat", "dog"))
    model = root / "model"
    write_pipeline(model)
    _changed(model / "model_index.json", scheduler=["diffusers", "UniPCMultistepScheduler"])
    _changed(model / "tokenizer" / "tokenizer_config.json", "model_max_length")


FOLDERS = ("dataset=image_folder", "dataset.domain=a", "dataset.size=16")
MODEL = ("dataset.path=pictures", "generator=stable_diffusion", "generator.path=model")

CASES = (
    Case(
        name="labels that differ in letters which the tokenizer does not know",
        make=_two_of_unknown_letters,
        words=FOLDERS,
        tells=(
            r"reads 'Böse' and 'Büse' alike: both .* are .* b <unknown> <unknown> s e</w>",
            r"prompts=mine --config-dir DIR, .*\"Büse\": other words.*A run stops at this",
            r"cannot read all of the prompt of 'Böse'",
        ),
    ),
    Case(
        name="a model whose scheduler only draws and whose tokenizer has no limit",
        make=_with_a_model,
        words=(*FOLDERS, *MODEL),
        tells=("label cat: 'an image of cat a', 13 tokens",),
        runs=True,
    ),
)
