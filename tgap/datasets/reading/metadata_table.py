"""Image folders with a ``metadata.csv``, in the layout of Hugging Face's ``imagefolder``."""

import csv
from pathlib import Path
from typing import Any

from tgap.core import DataError
from tgap.core.foreign import json_in

TABLE = "metadata.csv"
FILE_COLUMN = "file_name"
READING = "reading.json"
"""What ``tgap export`` says beside the table of how it is read: settings of ``image_folder``."""


def settings_beside(folder: Path, file_column: str, label_column: str) -> dict[str, Any]:
    """Settings by which a folder's ``metadata.csv`` is read; none if there is none to be read.

    Args:
        folder: Of images.
        file_column: What the setting says, or its default.
        label_column: Without a column of that name the folders are the labels, as ever.

    Raises:
        DataError: If the table cannot be opened, or ``reading.json`` is no file of settings.
    """
    columns = _columns(folder / TABLE)
    if FILE_COLUMN not in columns or label_column not in columns or file_column in columns:
        return {}
    return {"table": TABLE, "file_column": FILE_COLUMN} | _beside(folder / READING)


def _columns(table: Path) -> list[str]:
    """Names in the first line of a CSV; none if that is no line of a CSV.

    Of a table that is not UTF-8 too: where it is the one to be read, its reader then says so. Of
    any other one that cannot be read it is told that it lies there (``beside.py``).
    """
    if not table.is_file():
        return []
    try:
        with table.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            return next(csv.reader(file), [])
    except OSError as error:
        raise DataError(f"cannot read table {table}: {error.strerror or error}") from error
    except csv.Error:
        return []


def _beside(file: Path) -> dict[str, Any]:
    """``labels``, ``separator``, ``findings_column`` and ``patient_column``, if they are told."""
    try:
        told = json_in(file)
        return {
            "labels": [str(name) for name in told["labels"]],
            "separator": str(told["separator"]),
            "findings_column": told["findings_column"],
            "patient_column": "",
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(
            f"{file} does not say how {TABLE} is read ({error}); export the set again, or remove "
            "the file and set dataset.separator and dataset.labels"
        ) from error
