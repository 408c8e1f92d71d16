"""Folders without images that are read: empty ones, and those of other files."""

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

from tgap.core.words import word
from tgap.datasets.reading.decoding import SUFFIXES
from tgap.datasets.reading.notes import first, many

_BY_PILLOW = (".gif", ".jp2", ".j2k", ".avif", ".tga", ".pcx", ".jfif", ".ico", ".psd")
_BY_HEIF = (".heic", ".heif")


def without_images(folders: Sequence[str], others: Sequence[str], *, labels: bool) -> str:
    """What is wrong with folders without images, and what to do about them.

    Args:
        folders: Their names.
        others: Paths of all files that are no images.
        labels: Whether they would be labels.

    >>> print(without_images(["bird"], ["bird/1.gif"], labels=True).partition(":")[0])
    no images that are read are in the folder of label bird, but 1 .gif file
    """
    held = {folder: _suffixes(folder, others) for folder in folders}
    empty = [folder for folder in folders if not held[folder]]
    where = f"the folder{' of label' if labels else ''}"
    if empty:
        return (
            f"no image files in {where} {first(empty)}; "
            f"remove it, or put files there that end with {', '.join(SUFFIXES)}"
        )
    counts = sum(held.values(), Counter[str]())
    told = [many(count, f"{end or 'other'} file") for end, count in counts.most_common()]
    (end, _), *_ = counts.most_common(1)
    return (
        f"no images that are read are in {where} {first(folders)}, but {first(told)}: if they are "
        f"images, convert them to PNG{_line(end, folders[0])}; if not, leave the folder out by "
        f'"dataset.exclude={word(list(folders))}"'
    )


def _suffixes(folder: str, others: Sequence[str]) -> Counter[str]:
    return Counter(PurePosixPath(file).suffix for file in others if file.startswith(f"{folder}/"))


def _line(end: str, folder: str) -> str:
    """How Pillow converts the files of a folder, if it does."""
    if end.lower() not in (*_BY_PILLOW, *_BY_HEIF):
        return ""
    heif = end.lower() in _BY_HEIF
    opener = "pillow_heif.register_heif_opener(); " if heif else ""
    return (
        f" (import pathlib, PIL.Image{', pillow_heif' if heif else ''}; {opener}"
        f"[PIL.Image.open(path).save(path.with_suffix('.png')) "
        f"for path in pathlib.Path({folder!r}).rglob('*{end}')])"
    )
