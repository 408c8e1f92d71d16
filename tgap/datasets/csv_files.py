"""Named columns of large CSV files, plain or compressed by gzip."""

import csv
import gzip
import operator
import zlib
from collections.abc import Sequence
from pathlib import Path

from tgap.datasets.tables import Table
from tgap.errors import DataError
from tgap.suggest import nearest


def find_csv(folder: Path, name: str) -> Path | None:
    """The file ``name`` of a folder, else ``name.gz``; ``None`` if there is neither.

    Raises:
        DataError: If it is a link that leads out of the folder.
    """
    for file in (folder / name, folder / f"{name}.gz"):
        if file.is_file():
            if not file.resolve().is_relative_to(folder.resolve()):
                raise DataError(
                    f"{file} is a link to {file.resolve()}; only links to files inside the folder "
                    "are followed: copy it with its links resolved (cp -rL)"
                )
            return file
    return None


def read_csv(path: Path, names: Sequence[str]) -> Table:
    """Read some columns; the others are not kept.

    Args:
        path: A CSV (UTF-8, commas, a header line), compressed by gzip if it ends with ``.gz``.
        names: At least two columns.

    Returns:
        The columns, stripped of surrounding space, in the order of ``names``; at least one row.

    Raises:
        DataError: If the file cannot be read, columns are missing (the nearest ones are told),
            a line has another number of cells than the header, or there are no rows.
    """
    lines: list[int] = []
    picked: list[tuple[str, ...]] = []
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, strict=True)
            header = [name.strip() for name in next(rows, [])]
            pick = operator.itemgetter(*_positions(path, header, names))
            for row in rows:
                if not row:
                    continue
                if len(row) != len(header):
                    raise DataError(
                        f"table {path}, line {rows.line_num}: {len(row)} cells, but the header "
                        f"names {len(header)} columns; is the file cut off? copy it again"
                    )
                lines.append(rows.line_num)
                picked.append(pick(row))
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"cannot read table {path}: {getattr(error, 'strerror', None) or error}"
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(f"table {path} is not UTF-8 text: {error}; save it as UTF-8") from error
    except csv.Error as error:
        raise DataError(f"table {path}, line {rows.line_num}: {error}") from error
    if not picked:
        raise DataError(f"table {path} has no rows")
    columns = zip(*picked, strict=True)
    return Table(path.name, {n: [*map(str.strip, c)] for n, c in zip(names, columns, strict=True)},
                 lines)  # fmt: skip


def _positions(path: Path, header: Sequence[str], names: Sequence[str]) -> list[int]:
    wrong = [
        f"no column '{name}'{nearest(name, header)}" if name not in header
        else f"two columns '{name}'"
        for name in names
        if header.count(name) != 1
    ]  # fmt: skip
    if wrong:
        raise DataError(f"table {path} has {'; '.join(wrong)}")
    return [header.index(name) for name in names]
