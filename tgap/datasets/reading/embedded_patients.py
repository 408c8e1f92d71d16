"""Patients that the texts within image files name, as converters from DICOM leave them."""

import logging
import re
from collections.abc import Sequence
from pathlib import Path

from tgap.core.arrays import spread
from tgap.datasets.reading.notes import first
from tgap.datasets.reading.patients import FEWEST, called_so
from tgap.datasets.reading.pixels import FORMATS
from tgap.datasets.reading.threads import in_threads
from tgap.datasets.reading.tiff_kinds import without_pillows_log

log = logging.getLogger(__name__)
LOOKED_AT, MOST = 100, 0.5
"""So many files are opened, evenly spaced; and of so many of them a patient must be named."""
_WORKERS = 8
_DESCRIPTION = 0x010E
_NAMED = re.compile(
    r"\b(?:patient|subject|case)s?[ _-]?(?:id|nr|no|number|name)?\.?[ :=#]+([\w.-]*\d[\w.-]*)",
    re.IGNORECASE,
)


def tell_of_embedded(root: Path, files: Sequence[str]) -> None:
    """Tell of patients in PNG's texts (tEXt) or EXIF's ImageDescription, where none are known.

    Args:
        root: The folder.
        files: Paths of the images below it.
    """
    some = [files[row] for row in spread(len(files), LOOKED_AT).tolist()]
    found = list(filter(None, in_threads(_patient, [(root / file,) for file in some], _WORKERS)))
    names = sorted({name for _, name in found})
    if len(names) < FEWEST or len(found) < MOST * len(some):
        return
    where = ", ".join(sorted({place for place, _ in found}))
    log.warning(
        "texts within the files (%s) name patients, %d in %d files looked at, such as %s, and are "
        "not used: write a table of the columns file, label and patient (Pillow: "
        "Image.open(file).info, or .getexif()[270]), and let dataset.path be this table, so that "
        "images of one stay together; dataset.patient_column= makes each image its own",
        where,
        len(names),
        len(some),
        first(names, most=3),
    )


def _patient(path: Path) -> tuple[str, str] | None:
    """Where a file's text names a patient, and which; no pixel is decoded."""
    from PIL import Image

    try:
        with without_pillows_log(), Image.open(path, formats=FORMATS) as image:
            texts = {key: value for key, value in image.info.items() if isinstance(value, str)}
            for key in called_so(texts):
                return key, texts[key].strip()
            if image.format != "PNG" or "exif" in image.info:
                texts["ImageDescription"] = str(image.getexif().get(_DESCRIPTION, ""))
    except Exception:  # whatever the parsers run into; decoding tells of bad files
        return None
    named = ((key, match[1]) for key, text in texts.items() if (match := _NAMED.search(text)))
    return next(named, None)
