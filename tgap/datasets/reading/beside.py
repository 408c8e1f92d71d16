"""Tables beside images that name them, or cannot be read, where folders were taken for labels."""

import functools
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from tgap.core import DataError
from tgap.core.words import word
from tgap.datasets.reading.annotations import Annotations
from tgap.datasets.reading.listing import Listing
from tgap.datasets.reading.matching import loosely_named, same_files
from tgap.datasets.reading.notes import first
from tgap.datasets.reading.patients import called_so
from tgap.datasets.reading.person_rows import rows_of_folders
from tgap.datasets.reading.plain_text import PlainText, plain_text
from tgap.datasets.reading.tables import SUFFIXES, read_table
from tgap.datasets.reading.unlisted import LARGEST, MOST_TABLES

log = logging.getLogger(__name__)
SHARE, FEWEST = 0.25, 3
"""A table that names so many of the images is told of."""
_TEXTS = (".txt", ".dat", ".lst", ".list")


@dataclass(frozen=True)
class Beside:
    """A table that names images, or that cannot be read.

    Args:
        name: Its path below the folder.
        column: Which names them.
        count: How many it names.
        others: Its other columns.
        text: It, where it is no CSV by its name.
        persons: What is to be told where its rows are of folders.
        fault: Why it cannot be read, and what to do about it: nobody knows what it names.
    """

    name: str
    column: str
    count: int
    others: Sequence[str]
    text: PlainText | None = None
    persons: str = ""
    fault: str = ""

    def told(self, images: int) -> str:
        """What it names, and how it is taken."""
        if self.fault:
            return f"a table lies there that cannot be read: {self.fault}"
        if self.persons:
            return f"a table lies there, {self.name}: {self.persons}"
        named = f"a table lies there: {self.name} names {self.count} of the {images} images"
        if self.text is not None:
            return (
                f"{named}; {self.text.remedy(self.name)}, and, if it has the labels, let "
                f"dataset.path end with /{PurePosixPath(self.name).with_name(self.text.csv())} and "
                "set dataset.label_column"
            )
        below = "/" in self.name  # then names of files may be relative to its folder
        settings = [f"dataset.{'path=.../' if below else 'table='}{word(self.name)}"]
        settings += [] if self.column == "file" else [f"dataset.file_column={word(self.column)}"]
        settings += [] if "label" in self.others else ["dataset.label_column=..."]
        words = " ".join(f'"{each}"' if "'" in each else each for each in settings)
        columns = "" if "label" in self.others else f" (one of {first(list(self.others))})"
        return f"{named} in column '{self.column}': if it has the labels, set {words}{columns}"


def tables_beside(root: Path, listing: Listing) -> list[Beside]:
    """The tables of a folder that name its images, the one that names most first, and at the end
    those that cannot be read.

    Args:
        root: The folder.
        listing: Its files.
    """
    return list(_tables(root, _candidates(root, listing.others), tuple(listing.files)))


def told_beside(root: Path, listing: Listing, told: str = "") -> str:
    """What is to be told of them but for those that ``told`` names; empty if there is none."""
    found = tables_beside(root, listing)
    faults = [beside for beside in found if beside.fault and beside.name not in told]
    sentences = [beside.told(len(listing.files)) for beside in faults]
    named = [beside for beside in found if not beside.fault]
    if named and named[0].name not in told:
        more = f" (as do {first([beside.name for beside in named[1:]])})" if named[1:] else ""
        sentences.insert(0, named[0].told(len(listing.files)) + more)
    return "; ".join(sentences)


def without_tables(rows: Annotations, root: Path, listing: Listing) -> Annotations:
    """Tell of tables where folders are the labels; they are not among the other files then."""
    if told := told_beside(root, listing):
        log.warning("labels are the names of folders, but %s", told)
    names = {beside.name for beside in tables_beside(root, listing)}
    others = [name for name in listing.others if name not in names]
    return replace(rows, left_out={**rows.left_out, "other_files": others})


def _candidates(root: Path, others: Iterable[str]) -> tuple[tuple[str, int, int], ...]:
    """Files that may be tables, those next to the folders before those in them."""
    names = [name for name in others if name.lower().endswith((*SUFFIXES, *_TEXTS))]
    names = sorted(names, key=lambda name: name.count("/"))[:MOST_TABLES]
    found = [(name, (root / name).stat()) for name in names]
    return tuple((name, its.st_size, its.st_mtime_ns) for name, its in found)


@functools.lru_cache(maxsize=2)
def _tables(
    root: Path, candidates: Sequence[tuple[str, int, int]], files: Sequence[str]
) -> Sequence[Beside]:
    """Looked at once while all stay as they are, as a folder is listed several times."""
    known = frozenset(files)
    found = [_beside(root, name, known) for name, size, _ in candidates if size <= LARGEST]
    return sorted(filter(None, found), key=lambda beside: -beside.count)


def _beside(root: Path, name: str, files: Set[str]) -> Beside | None:
    text: PlainText | None = None
    try:
        if name.lower().endswith(_TEXTS):
            text = plain_text(root / name)
            columns: Mapping[str, Sequence[str]] = {} if text is None else text.columns()
        else:
            columns = read_table(root / name).columns
    except DataError as error:  # it may name the images, with labels or patients
        return Beside(name, "", 0, (), fault=str(error))
    except OSError as error:
        return Beside(name, "", 0, (), fault=f"{root / name}: {error.strerror or error}")
    counts = {column: _named(cells, name, files) for column, cells in columns.items()}
    column = max(counts, key=lambda column: counts[column], default="")
    if column and counts[column] >= max(FEWEST, SHARE * len(files)):
        others = [other for other in columns if other != column]
        others = [other for other in others if other not in called_so(columns)] or others
        return Beside(name, column, counts[column], others, text)
    persons = "" if text else rows_of_folders(name, columns, sorted(files))
    return Beside(name, "", 0, (), persons=persons) if persons else None


def _named(cells: Sequence[str], table: str, files: Set[str]) -> int:
    """How many images a column names."""
    folder = table.rpartition("/")[0]
    names = set(_below(cells, folder))
    exact = len(set(same_files(names, files).values()) | (names & files))
    return max(exact, loosely_named(cells, files))


def _below(cells: Iterable[str], folder: str) -> Iterator[str]:
    for cell in filter(None, cells):
        for place in ("", folder):
            yield (PurePosixPath(place) / cell).as_posix()
