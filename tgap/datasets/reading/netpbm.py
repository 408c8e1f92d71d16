"""PBM, PGM and PPM files, of which Pillow reads more kinds than it says the values of."""

from typing import Any

from tgap.core import DataError

_KINDS = ("1", "L", "I", "RGB")
_FULL = (255, 65535)


def check_netpbm(image: Any) -> None:
    """Refuse what would be read as if it were something else; nothing is decoded.

    Values of up to 8 bits are scaled by the largest one that the file allows, as the format has it
    (https://netpbm.sourceforge.net/doc/pgm.html). Of more bits, Pillow scales grey to 16 bits, so
    that a window would not be of the file's values, and cuts colours to 8.

    Args:
        image: Of Pillow, as it is opened.

    Raises:
        DataError: If it is of 9 to 15 bits, of 16-bit colours, floating point, of Pillow's own
            kinds, or holds several pictures.
    """
    if image.mode not in _KINDS:
        raise DataError(
            f"a portable map with pixels of mode {image.mode} is not read; PBM, PGM and PPM (P1 to "
            "P6) are"
        )
    tile = image.tile[0]
    largest = tile.args[-1] if tile.codec_name != "raw" else _FULL[image.mode == "I"]
    if image.mode == "RGB" and largest > _FULL[0]:
        raise DataError("a PPM of more than 8 bits is not read; save it as PNG of 16 bits")
    if image.mode == "I" and largest != _FULL[1]:
        raise DataError(
            f"a PGM whose largest value is {largest} is not read; save it as PNG of 16 bits"
        )
    if tile.codec_name != "ppm_plain" and _goes_on(image, tile.offset):
        raise DataError("it holds more than one picture; split it (netpbm: pamsplit)")


def _goes_on(image: Any, start: int) -> bool:
    """Whether another header stands behind the pixels, which begin at ``start``."""
    width, height = image.size
    row = (width + 7) // 8 if image.mode == "1" else width * {"L": 1, "I": 2, "RGB": 3}[image.mode]
    image.fp.seek(start + row * height)
    behind: bytes = image.fp.read(16).lstrip()
    return behind[:1] == b"P" and behind[1:2] in b"123456" and len(behind) > 1
