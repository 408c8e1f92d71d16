"""Where the files of a copy of NIH ChestX-ray14 lie."""

import re
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from tgap.core import Bools, DataError
from tgap.datasets.radiographs.nih_table import Metadata
from tgap.datasets.reading.listing import Listing
from tgap.datasets.reading.notes import first

TABLES = ("Data_Entry_2017_v2020.csv", "Data_Entry_2017.csv")
"""The newer one is taken where both are."""
LISTS = ("train_val_list.txt", "test_list.txt")
FOLDERS = "images/, images_001/images/ or images_001/ (to images_012)"
_REMEDY = "download the lists again, or leave them aside with dataset.official_split=false"
_IMAGE = re.compile(r"(images|images_\d{3}(/images)?)/[^/]+\.png", re.ASCII)


def find_table(root: Path) -> Path | None:
    """The table in a folder, if there is one."""
    return next((root / name for name in TABLES if (root / name).is_file()), None)


def find_lists(root: Path) -> list[Path]:
    """The official lists in a folder, train_val first."""
    return [root / name for name in LISTS if (root / name).is_file()]


def read_text(path: Path) -> str:
    """A text file's content.

    Raises:
        DataError: If it cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text: {error}; download it again") from error


def locate(listing: Listing) -> dict[str, str]:
    """The path of each image, relative to the folder, by file name.

    Raises:
        DataError: If two files have the same name, or no image lies where it should.
    """
    located: dict[str, str] = {}
    for path in listing.files:
        if not _IMAGE.fullmatch(path):
            continue
        name = PurePosixPath(path).name
        if name in located:
            raise DataError(
                f"the image {name} is there twice, as {located[name]} and as {path}; remove one"
            )
        located[name] = path
    if not located:
        raise DataError(f"there are no PNG images in {FOLDERS}; unpack NIH's archives there")
    return located


def official_test(metadata: Metadata, lists: list[Path]) -> Bools:
    """Which images the official test list names: ``(N,)`` bool.

    Args:
        metadata: N images.
        lists: The two official lists, train_val first.

    Raises:
        DataError: If the lists do not name exactly the images of the table, or a patient is on
            both.
    """
    train_val, test = (_members(metadata, path) for path in lists)
    shared = np.intersect1d(metadata.patients[train_val], metadata.patients[test])
    if len(shared):
        raise DataError(
            f"{len(shared)} patients are on both {LISTS[0]} and {LISTS[1]}: "
            f"{first([str(patient) for patient in shared])}; download the lists again"
        )
    neither = metadata.files[~(train_val | test)].tolist()
    if neither:
        raise DataError(
            f"{len(neither)} images of the table are on neither {LISTS[0]} nor {LISTS[1]}: "
            f"{first(neither)}; {_REMEDY}"
        )
    return test


def _members(metadata: Metadata, path: Path) -> Bools:
    names: NDArray[np.str_] = np.array(read_text(path).split(), dtype=np.str_)
    unknown = np.setdiff1d(names, metadata.files).tolist()
    if unknown:
        raise DataError(
            f"{path.name} names {len(unknown)} images that the table does not: "
            f"{first(unknown)}; {_REMEDY}"
        )
    return np.isin(metadata.files, names)
