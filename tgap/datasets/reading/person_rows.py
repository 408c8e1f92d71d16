"""Tables with a row per person, whose images lie in a folder called after each."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from tgap.datasets.reading.notes import many

FEWEST = 3
"""So many rows must be called as folders are."""


def rows_of_folders(table: str, columns: Mapping[str, Sequence[str]], files: Iterable[str]) -> str:
    """What is to be told of a table whose rows are of folders of images, not of images.

    Args:
        table: Its path below the folder.
        columns: Its cells by column.
        files: The images.

    Returns:
        How pandas writes a row per image; empty if it is not so.

    >>> rows_of_folders("t.csv", {"who": ["a", "b"]}, ["a/1.png", "b/1.png"])
    ''
    """
    paths = [file.split("/")[:-1] for file in files]
    for column, cells in columns.items():
        rows = set(filter(None, cells))
        for level in range(max(map(len, paths), default=0)):
            counts = Counter(path[level] for path in paths if len(path) > level)
            named = sorted(rows & set(counts))
            if len(named) >= max(FEWEST, len(rows) / 2):
                return _remedy(table, column, level, named, counts, files)
    return ""


def _remedy(
    table: str,
    column: str,
    level: int,
    named: Sequence[str],
    counts: Mapping[str, int],
    files: Iterable[str],
) -> str:
    ends = sorted({PurePosixPath(file).suffix for file in files if file.count("/") > level})
    between = r", sep='\t'" if table.lower().endswith(".tsv") else ", sep=None, engine='python'"
    read = "read_json({!r}, lines=True, dtype=str)" if table.endswith(".jsonl") else "read_csv({!r}"
    read = read.format(table) + ("" if table.endswith(".jsonl") else f"{between}, dtype=str)")
    return (
        f"{len(named)} rows of column '{column}' are folders ({named[0]} with "
        f"{many(counts[named[0]])}), so that the table has a row per person or the like: write one "
        "per image (in the folder, import pandas, pathlib; "
        f"table = pandas.{read}; "
        f"files = [path.as_posix() for path in sorted(pathlib.Path().rglob('*')) "
        f"if path.suffix in {ends} and len(path.parts) > {level + 1}]; "
        f"images = pandas.DataFrame({{'file': files, '{column}': "
        f"[file.split('/')[{level}] for file in files]}}); "
        f"images.merge(table, on='{column}').to_csv('images.csv', index=False)), let dataset.path "
        f"end with /images.csv, and set dataset.patient_column={column}, if these are persons, and "
        "dataset.label_column"
    )
