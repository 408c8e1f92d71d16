"""Folders that cameras and recordings are put into: days, and DCIM's numbered folders."""

import re
from collections.abc import Iterable, Sequence

from tgap.core import DataError
from tgap.datasets.reading.notes import first

FEWEST = 2
_MONTH = "(?:jan|feb|m[aä]r|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz])[a-z]*"
_YEAR = r"(?:19|20)\d\d"
_DAY = re.compile(
    r"(?:[^\W\d]*[ _-])?(?:"
    rf"{_YEAR}(?P<a>[-_. ]?)(?:0[1-9]|1[0-2])(?P=a)(?:0[1-9]|[12]\d|3[01])"
    rf"|{_YEAR}[-_. ](?:0[1-9]|1[0-2])"
    rf"|(?:0?[1-9]|[12]\d|3[01])(?P<b>[-_. ])(?:0?[1-9]|1[0-2])(?P=b){_YEAR}"
    rf"|(?:0?[1-9]|[12]\d|3[01])?[-_. ]*{_MONTH}[-_., ]*{_YEAR}"
    rf"|{_YEAR}[-_ ]{_MONTH}(?:[-_ ]\d\d?)?"
    r")(?:[ _T-]+\d[\d._:-]*)?",
    re.IGNORECASE,
)
_CAMERA = re.compile(r"\d{3}(?=\w*[A-Z_])[A-Z0-9_]{5}")
"""As the standard for cameras (DCF) has it: three digits and five characters."""


def refuse_days(folders: Iterable[str], level: int) -> None:
    """Refuse folders of labels that all are days, or are numbered by cameras.

    Args:
        folders: Their names.
        level: Which folder of a path they are, 1 being the first.

    Raises:
        DataError: If all are, and there are two or more.
    """
    names = sorted(set(folders))
    for rule, what in ((_DAY, "dates"), (_CAMERA, "what cameras call theirs")):
        if len(names) >= FEWEST and all(map(rule.fullmatch, names)):
            raise DataError(
                f"the folders {first(names)} are {what}, and no labels; name a table of labels by "
                "dataset.table, say which folder is the label by dataset.label_level, or set "
                f"dataset.labelled=false; if these are labels: dataset.label_level={level}"
            )


def below_one(files: Sequence[str]) -> list[str]:
    """The folders below the first one, if all files are in one (``DCIM``) and in one of these."""
    paths = [file.split("/")[:-1] for file in files]
    one = len({path[0] for path in paths if path}) == 1 and min(map(len, paths)) == 2
    return [path[1] for path in paths] if one else []
