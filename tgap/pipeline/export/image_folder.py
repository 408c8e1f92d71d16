"""The synthetic set as an image folder with tables of what each image is."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tgap.core import Bools, ImageSet, Indices
from tgap.core.files import write_json
from tgap.core.progress import progress
from tgap.datasets.reading.metadata_table import FILE_COLUMN, READING, TABLE
from tgap.datasets.reading.tables import write_csv
from tgap.generators.base import Pretrained
from tgap.pipeline.artifacts import SEEDS
from tgap.pipeline.generation import asked_for, drawn_prompts, drawn_seeds
from tgap.pipeline.result import Result

SEPARATORS = "|;/~^¦‖§¶"
"""Between several names in a cell: the first that no name holds."""
DIGITS = 6
"""Of the names of image files."""


@dataclass(frozen=True)
class DescribedSet:
    """A synthetic set, and what is known of each image.

    Args:
        data: The images.
        train: Positions of those that trained.
        test: Positions of those that were tested on.
        known: Further columns: ``prompt`` and ``seed`` of what a model drew, ``source`` (the file)
            of a set that was made elsewhere.
    """

    data: ImageSet
    train: Indices
    test: Indices
    known: dict[str, list[Any]]

    def parts(self) -> dict[str, Indices]:
        """The two parts, by the names of their folders."""
        return {"train": self.train, "test": self.test}


def described_set(result: Result) -> DescribedSet:
    """A run's synthetic set, with the prompts and noise seeds that it was drawn by.

    They are made anew by the functions that drew it.

    Raises:
        StoreError: If the synthetic set, the dataset or the split was removed.
    """
    data, train, test = result.synthetic_parts()
    known: dict[str, list[Any]] = {}
    if isinstance(result.run.generator, Pretrained):
        real = result.dataset()
        if result.run.drawing.as_asked:
            asked = asked_for(result.run, real, result.split().pool)
            seeds = drawn_seeds(result.run, real)
            known["seed"] = [seed for of_label in seeds for seed in of_label]
        else:  # an image may show what another was asked for, by a seed of a further trial
            asked = data
            known["seed"] = result.artifacts.synthetic.read_array(SEEDS).tolist()
        known["prompt"] = drawn_prompts(result, asked)
    elif "file" in data.metadata:
        known["source"] = data.metadata["file"].tolist()
    return DescribedSet(data, train, test, known)


def write_image_folder(rows: DescribedSet, folder: Path) -> None:
    """Write ``train/`` and ``test/`` with their images and tables.

    ``metadata.csv`` has all images, and is what ``dataset=image_folder`` reads; each part has a
    ``metadata.jsonl`` of its own, which ``datasets.load_dataset("imagefolder", ...)`` reads, where
    several labels are a list.

    Args:
        rows: The synthetic set.
        folder: Empty.
    """
    data = rows.data
    between = separator((*data.label_names, *data.finding_names))
    single = bool((data.labels.sum(axis=1) == 1).all())
    with progress("writing images", len(rows.train) + len(rows.test)) as advance:
        table, number = [], 0
        for part, positions in rows.parts().items():
            (folder / part).mkdir()
            lines = []
            for row in positions.tolist():
                name = f"{number:0{DIGITS}d}.png"
                _write_png(data.images[row], folder / part / name)
                said = _said(rows, row) | {"split": part}
                labels, findings = said["label"], said.get("findings", [])
                cells = said | {"label": between.join(labels), "findings": between.join(findings)}
                table.append({FILE_COLUMN: f"{part}/{name}"} | cells)
                lines.append({FILE_COLUMN: name} | said | ({"label": labels[0]} if single else {}))
                number += 1
                advance(number)
            _write_lines(folder / part / "metadata.jsonl", lines)
    columns = [name for name in table[0] if name != "findings" or data.finding_names]
    write_csv(folder / TABLE, columns, ([row[name] for name in columns] for row in table))
    write_json(
        folder / READING,
        {
            "labels": data.label_names if len(data.label_names) > 1 else [],
            "separator": between,
            "findings_column": "findings" if data.finding_names else None,
        },
    )


def separator(names: Sequence[str]) -> str:
    """What stands between several names in a cell.

    >>> separator(["even", "odd"]), separator(["a|b", "c;d"])
    ('|', '/')
    """
    together = "".join(names)
    return next((one for one in SEPARATORS if one not in together), "<and>")


def _said(rows: DescribedSet, row: int) -> dict[str, Any]:
    """What is known of an image, by column; names as lists."""
    data = rows.data
    said: dict[str, Any] = {"label": _held(data.labels[row], data.label_names)}
    if data.finding_names:
        said["findings"] = _held(data.findings[row], data.finding_names)
    return said | {name: column[row] for name, column in rows.known.items()}


def _held(flags: Bools, names: Sequence[str]) -> list[str]:
    return [names[position] for position in np.flatnonzero(flags).tolist()]


def _write_png(image: "np.ndarray", path: Path) -> None:
    from PIL import Image

    Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).save(path)


def _write_lines(path: Path, lines: Sequence[dict[str, Any]]) -> None:
    def texts() -> Iterator[str]:
        for line in lines:
            yield json.dumps(line, ensure_ascii=False) + "\n"

    with path.open("w", encoding="utf-8") as file:
        file.writelines(texts())
