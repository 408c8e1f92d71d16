"""Image files that a table's column of files does not name, but another column or table does."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from tgap.core import DataError
from tgap.core.words import quoted
from tgap.datasets.reading.matching import same_files
from tgap.datasets.reading.notes import first
from tgap.datasets.reading.tables import SUFFIXES, Table, read_table

log = logging.getLogger(__name__)
SHARE, FEWEST = 0.25, 3
"""Of the files that are left out, a column or table that names so many is told of."""
MOST_TABLES, LARGEST = 10, 2**25
"""So many tables are looked into, of so many bytes each."""


def tell_of_columns(table: Table, file_column: str, unlisted: Sequence[str]) -> None:
    """Tell of the table's other columns that name files which are left out.

    Args:
        table: The table.
        file_column: Its column of files.
        unlisted: The image files that no row means.
    """
    named = {
        name: count
        for name, cells in table.columns.items()
        if name != file_column and (count := _named(cells, unlisted, ""))
    }
    if named:
        columns = [file_column, *named]
        others = [name for name in table.columns if name not in columns]
        log.warning(
            "%d of the %d image files that are left out stand in other columns of the table (%s): "
            "to take them, let each row name one file (pandas: table.melt(%s, %s, "
            "value_name='file')), and name by dataset.patient_column what files of a row have in "
            "common",
            sum(named.values()),
            len(unlisted),
            first(list(named)),
            others,
            columns,
        )


def tell_of_tables(
    root: Path, table: str, file_column: str, unlisted: Sequence[str], others: Sequence[str]
) -> None:
    """Tell of other tables that name files which are left out.

    Args:
        root: The folder.
        table: The table that is used, by its path there.
        file_column: The column of files, which another table may call in another way.
        unlisted: The image files that no row means.
        others: The files there that are no images.
    """
    found = dict(_tables(root, table, unlisted, others))
    if found:
        told = [f"{name} names {count}" for name, count in found.items()]
        paths = ", ".join(f"read_csv({name!r})" for name in (table, *found))
        log.warning(
            "of the %d image files that are left out, %s: to take them too, join the tables "
            "(pandas: concat([%s]).to_csv('all.csv', index=False)), with files in column %s, and "
            "set dataset.table=all.csv",
            len(unlisted),
            first(told),
            paths,
            quoted(file_column),
        )


def _tables(
    root: Path, used: str, unlisted: Sequence[str], others: Sequence[str]
) -> Iterator[tuple[str, int]]:
    beside = [name for name in others if name.lower().endswith(SUFFIXES) and name != used]
    for name in beside[:MOST_TABLES] if unlisted else []:
        if (root / name).stat().st_size > LARGEST:
            continue
        try:
            columns: Mapping[str, Sequence[str]] = read_table(root / name).columns
        except DataError as error:  # it may name those that are left out
            log.warning("a table lies there that cannot be read: %s", error)
            continue
        folder = name.rpartition("/")[0]
        if count := max((_named(cells, unlisted, folder) for cells in columns.values()), default=0):
            yield name, count


def _named(cells: Sequence[str], unlisted: Sequence[str], folder: str) -> int:
    """How many files a column names, from the folder or one below; 0 if they are few."""
    files = set(unlisted)
    names = {
        (PurePosixPath(place) / cell).as_posix() for cell in cells if cell for place in ("", folder)
    }
    count = len(set(same_files(names, files).values()) | (names & files))
    return count if count >= max(FEWEST, SHARE * len(files)) else 0
