"""CheXpert, from a local folder in its own layout."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tgap.core import DataError
from tgap.datasets.radiographs.observations import OBSERVATIONS, ObservedRadiographs, Records, parse
from tgap.datasets.reading.cells import metadata_column
from tgap.datasets.reading.listing import Listing
from tgap.datasets.reading.tables import Table, find_csv, read_csv

_TABLES = ("train.csv", "valid.csv", "test.csv")
_COLUMNS = ("Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *OBSERVATIONS)
_PATH = re.compile(r"(?:[^/]+/)?((?:train|valid|test)/patient(\d{1,9})/[^/]+/[^/]+)", re.ASCII)
_SEXES = {"Male": "M", "Female": "F", "Unknown": ""}


@dataclass(kw_only=True)
class Chexpert(ObservedRadiographs):
    """Chest X-rays with 14 observations from reports (Irvin et al., CheXpert, AAAI 2019).

    ``path`` is the folder of ``train.csv``, or the one above it: ``CheXpert-v1.0-small`` or
    ``CheXpert-v1.0``. In the tables' paths (``CheXpert-v1.0-small/train/patient00001/...``) the
    first folder is that one, whatever it is called here. Part of the images will do, with
    ``bad_files=exclude``. CSVs may be compressed (``train.csv.gz``). As for ``image_folder``,
    nothing outside the folder is read.

    Images of ``valid.csv`` and ``test.csv``, which radiologists labelled, are the
    ``official_test``, where there are such tables. ``frontal`` views are those that the table
    calls so.

    Findings are the 12 pathologies. How labels are made of them, and what ``uncertain`` does, is
    said at ``tgap.datasets.radiographs.observations.label``. Metadata are ``file``, ``view``
    (``AP``, ``PA``, ..., ``Lateral`` where nothing finer is given), ``sex`` (``M``, ``F`` or empty)
    and ``age``.
    The notes count what is left out, as for ``nih_chestxray14``.
    """

    @property
    def _root(self) -> Path:
        """The folder of ``train.csv``: the given one, or the only one directly below it."""
        given = super()._root
        if not given.is_dir():
            raise DataError(f"folder {given} does not exist; give the path of CheXpert's folder")
        if find_csv(given, _TABLES[0]):
            return given
        below = [
            folder
            for folder in sorted(given.iterdir())
            if not folder.name.startswith(".")
            and not folder.is_symlink()
            and folder.is_dir()
            and find_csv(folder, _TABLES[0])
        ]
        if len(below) == 1:
            return below[0]
        if below:
            raise DataError(
                f"{given} has {len(below)} folders with {_TABLES[0]}: "
                f"{', '.join(folder.name for folder in below)}; path must name one of them"
            )
        raise DataError(
            f"path must hold {_TABLES[0]}, but neither {given} nor a folder in it does; give the "
            "path of CheXpert-v1.0-small or CheXpert-v1.0"
        )

    def _tables(self) -> dict[str, Path]:
        root = self._root
        return {name: file for name in _TABLES if (file := find_csv(root, name))}

    def _records(self, listing: Listing) -> Records:
        files = self._tables()
        tables = [read_csv(file, _COLUMNS) for file in files.values()]
        expert = np.repeat([name != _TABLES[0] for name in files], [len(t) for t in tables])
        located = [pair for table in tables for pair in _located(table)]
        for table in tables:
            table.refuse_repeats("Path")
            table.refuse(
                "Frontal/Lateral",
                lambda cell: cell not in ("Frontal", "Lateral"),
                "must be Frontal or Lateral",
            )
        side, view, sex, age = (
            [cell for table in tables for cell in table.columns[name]]
            for name in ("Frontal/Lateral", "AP/PA", "Sex", "Age")
        )
        return Records(
            files=[file for file, _ in located],
            observations=np.concatenate([parse(table) for table in tables]),
            patients=np.array([patient for _, patient in located], dtype=np.int64),
            frontal=np.array(side) == "Frontal",
            metadata={
                "view": np.array([v or s for v, s in zip(view, side, strict=True)], dtype=np.str_),
                "sex": np.array([_SEXES.get(cell, cell) for cell in sex], dtype=np.str_),
                "age": metadata_column(age),
            },
            official_test=expert if len(tables) > 1 else None,
        )


def _located(table: Table) -> list[tuple[str, int]]:
    """Each image's path in the folder, and its patient."""
    table.refuse(
        "Path",
        lambda cell: cell.startswith("/") or ".." in cell.split("/"),
        "must be relative and stay in the folder, without '..'",
    )
    table.refuse(
        "Path",
        lambda cell: not _PATH.fullmatch(cell),
        "must be like CheXpert-v1.0-small/train/patient00001/study1/view1_frontal.jpg",
    )
    matches = [_PATH.fullmatch(cell) for cell in table.columns["Path"]]
    return [(match[1], int(match[2])) for match in matches if match]
