"""Text that was decoded by another encoding than it was written in (mojibake)."""

import logging
import unicodedata
from collections.abc import Iterable, Mapping

from tgap.core import DataError
from tgap.datasets.reading.notes import first, many

log = logging.getLogger(__name__)
_ENCODINGS = ("cp1252", "latin-1", "mac-roman", "cp437", "cp850")
"""What programs take UTF-8 for: Windows, Unix, old Macs, and unzipping in a DOS console."""


def mended(name: str) -> str | None:
    r"""What a name was before UTF-8 was taken for another encoding; ``None`` if it was not.

    >>> mended("b\u00c3\u00b6sartig"), mended("b\u00f6sartig"), mended("plain")
    ('bösartig', None, None)
    """
    for encoding in _ENCODINGS if not name.isascii() else ():
        try:
            text = name.encode(encoding).decode("utf-8")
        except UnicodeError:
            continue
        return text if all(unicodedata.category(c)[0] in "LMNPSZ" for c in text) else None
    return None


def refuse_mojibake(counts: Mapping[str, int], what: str, remedy: str) -> None:
    """Refuse names that are another one, wrongly decoded; tell of those that are none.

    Args:
        counts: Images by name.
        what: Of labels or findings.
        remedy: What else can be done than to mend them, with its verb; may be empty.

    Raises:
        DataError: If a name is there both ways.
    """
    wrong = {name: text for name in counts if (text := mended(name)) is not None}
    both = [name for name, text in wrong.items() if text in counts]
    if both:
        raise DataError(
            f"{what} that are written in several ways and seem to be the same: "
            f"{_told(both, wrong, counts)}, wrongly decoded (UTF-8 was read as another encoding); "
            f"write each in one way{remedy}"
        )
    if wrong:
        log.warning(
            "%s whose text was wrongly decoded (UTF-8 was read as another encoding), and prompts "
            "would say it so: %s; write them right%s",
            what,
            _told(wrong, wrong, counts),
            remedy,
        )
    if lost := [name for name in counts if "\ufffd" in name]:
        log.warning(
            "%s of which a program could not read some letters, and wrote U+FFFD in their place: "
            "%s; take them from their source again, as UTF-8",
            what,
            first([f"{name!r} ({many(counts[name])})" for name in lost]),
        )


def _told(names: Iterable[str], wrong: Mapping[str, str], counts: Mapping[str, int]) -> str:
    return first(
        [
            f"{name!r} ({many(counts[name])}) is {wrong[name]!r}"
            + (f" ({many(counts[wrong[name]])})" if wrong[name] in counts else "")
            for name in names
        ]
    )
