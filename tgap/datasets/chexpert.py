"""CheXpert, from a local folder in its own layout."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tgap.core import DataError
from tgap.core.origin import Origin
from tgap.datasets.radiographs.observations import OBSERVATIONS, ObservedRadiographs, Records, parse
from tgap.datasets.reading.alike import filled
from tgap.datasets.reading.cells import metadata_column
from tgap.datasets.reading.listing import Listing
from tgap.datasets.reading.tables import Table, find_csv, read_csv

_TABLES = ("train.csv", "valid.csv", "test.csv")
_COLUMNS = ("Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *OBSERVATIONS)
_PATH = re.compile(r"(?:[^/]+/)?((?:train|valid|test)/patient(\d{1,9})/[^/]+/[^/]+)", re.ASCII)
_BATCH = re.compile(r"CheXpert-v1\.0 batch \d+ \(.+\)")
_IN_BATCH = re.compile(r"[^/]+/(?:(train|valid|test)/)?(patient\d{1,9}/[^/]+/[^/]+)", re.ASCII)
_SEXES = {"Male": "M", "Female": "F", "Unknown": ""}


@dataclass(kw_only=True)
class Chexpert(ObservedRadiographs):
    """Chest X-rays with 14 observations from reports (Irvin et al., CheXpert, AAAI 2019).

    ``path`` is the folder of ``train.csv``, or the one above it: ``CheXpert-v1.0-small`` or
    ``CheXpert-v1.0``. In the tables' paths (``CheXpert-v1.0-small/train/patient00001/...``) the
    first folder is that one, whatever it is called here. Part of the images will do, with
    ``bad_files=exclude``. CSVs may be compressed (``train.csv.gz``). As for ``image_folder``,
    nothing outside the folder is read. Or it is the folder of the batches that Stanford publishes:
    ``CheXpert-v1.0 batch 1 (validate & csv)`` with the tables and ``valid/``, and ``CheXpert-v1.0
    batch 2 (train 1)`` and so on with the patients of ``train/``.

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
        """The folder of ``train.csv`` or of all batches: the given one, or one directly below."""
        given = super()._root
        if not given.is_dir():
            raise DataError(f"folder {given} does not exist; give the path of CheXpert's folder")
        if find_csv(given, _TABLES[0]) or len(_batches(given)) > 1:
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

    def origin(self) -> Origin:
        """As Stanford publishes it."""
        return Origin(
            "CheXpert of Stanford (Irvin et al. 2019, arXiv 1901.07031)",
            # www.tensorflow.org/datasets/catalog/chexpert: after agreeing to it
            "Stanford's research use agreement, which each user must accept; see the dataset's own "
            "terms, https://stanfordmlgroup.github.io/competitions/chexpert/",
            "other",
        )

    def _tables(self) -> dict[str, Path]:
        root = self._root
        found = {
            name: file
            for folder in (*_batches(root)[::-1], root)
            for name in _TABLES
            if (file := find_csv(folder, name))
        }
        if _TABLES[0] not in found:
            raise DataError(
                f"{root} holds batches of CheXpert, but {_TABLES[0]} is in none of them; unpack "
                "'CheXpert-v1.0 batch 1 (validate & csv)' there too"
            )
        return {name: found[name] for name in _TABLES if name in found}

    def _folder_problems(self) -> list[str]:
        given = super()._root
        if _BATCH.fullmatch(given.name) and not (given / "train").is_dir():
            return [
                f"path must be the folder that holds all batches of CheXpert, {given.parent}, not "
                f"one of them ({given.name})"
            ]
        return super()._folder_problems()

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
        view = filled(view)
        return Records(
            files=_in_batches([file for file, _ in located], listing),
            observations=np.concatenate([parse(table) for table in tables]),
            patients=np.array([number for _, number in located]).astype(np.int64),
            patient_names=np.array([f"patient{number}" for _, number in located], dtype=np.str_),
            frontal=np.array(side) == "Frontal",
            metadata={
                "view": np.array([v or s for v, s in zip(view, side, strict=True)], dtype=np.str_),
                "sex": np.array([_SEXES.get(cell, cell) for cell in filled(sex)], dtype=np.str_),
                "age": metadata_column(age),
            },
            official_test=expert if len(tables) > 1 else None,
        )


def _batches(root: Path) -> list[Path]:
    """The folders of Stanford's batches, in order."""
    return sorted(
        folder for folder in root.iterdir() if _BATCH.fullmatch(folder.name) and folder.is_dir()
    )


def _in_batches(files: Sequence[str], listing: Listing) -> list[str]:
    """Where files lie: as the table says, or in a batch, whose own folder stands for ``train``."""
    found = {
        f"{match[1] or 'train'}/{match[2]}": path
        for path in listing.files
        if (match := _IN_BATCH.fullmatch(path)) and _BATCH.fullmatch(path.partition("/")[0])
    }
    return [file if file in listing.files else found.get(file, file) for file in files]


def _located(table: Table) -> list[tuple[str, str]]:
    """Each image's path in the folder, and its patient's number."""
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
    return [(match[1], match[2]) for match in matches if match]
