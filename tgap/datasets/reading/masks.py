"""Files that are no pictures of their own: masks, annotations, overlays and the like of others."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath

from tgap.core import DataError
from tgap.core.words import word
from tgap.datasets.reading.notes import first, many
from tgap.datasets.reading.patients import is_variant
from tgap.datasets.reading.split_names import is_part

_IMAGES = re.compile(r"images?|imgs?|pictures?|photos?|pngs?|jpe?gs?|dicoms?")
_BESIDE = "mask|annotation|annot|segmentation|seg|label|ground[ _-]?truth|gt|contour|overlay"
_BESIDE = f"(?:{_BESIDE}|heatmap|roi|thumb|thumbnail|preview)s?"
_MASKS = re.compile(rf"(?:.*[^a-z])?{_BESIDE}(?:[^a-z].*)?")
_MASKS_ALONE = re.compile(
    "masks|annotations|labels|segmentations|ground[ _-]?truths?|contours|overlays|heatmaps|rois"
    "|thumbs|thumbnails|previews",
    re.IGNORECASE,
)
"""Names of a first folder that is no label beside others; ``mask`` may be one, of faces."""
_MASK_OF = re.compile(rf"(.*[^ _.-])([ _.-]+{_BESIDE})(?:[ _.-]?\d+)?", re.IGNORECASE)
_CHANNEL_MASK = re.compile("masks?|seg|segmentations?|annotations?|gt")
"""Words for masks that are no views or parts of a body."""
_GRID = re.compile(r"grid-\d+")


def refuse_masks(
    files: Sequence[str], level: int | None, remedy: str, *, by_table: bool = False
) -> None:
    """Refuse files that are masks, annotations or the like of others.

    Args:
        files: Paths of the images.
        level: So many of their folders are understood already, and those below are looked at;
            ``None`` = labels, or parts of a split and labels.
        remedy: How they are left out, ``{}`` standing for a list of their names, and how all are
            taken.
        by_table: Whether a table names the files: then a folder such as ``roi/`` is what somebody
            wanted, unless other folders have files of the same names.

    Raises:
        DataError: If there are some by their names or by those of their folders.
    """
    if level is None:
        level = 2 if all(is_part(file.partition("/")[0]) for file in files) else 1
    folders: Counter[str] = Counter()
    stems = {PurePosixPath(file).stem for file in files}
    masks: dict[str, str] = {}
    for file in files:
        *above, name = file.split("/")
        if len(above) > level:
            folders["/".join(above)] += 1
        match = _MASK_OF.fullmatch(PurePosixPath(name).stem)
        if match is not None and match[1] in stems:
            masks[file] = f"*{match[2].lower()}*"
        elif _GRID.fullmatch(PurePosixPath(name).stem):
            masks[file] = "grid-*"
    if len(masks) == len(files):
        masks = {}
    marked = sorted({f for path in folders for f in path.split("/")[level:] if _is_mask(f)})
    if marked and not (by_table and _are_apart(files, marked)):
        told = [f"{path} ({many(count)})" for path, count in sorted(folders.items())]
        raise DataError(
            f"folders that seem to hold masks, annotations or the like, and no pictures of their "
            f"own: {first(marked)}. Images by folder: {first(told)}; {remedy.format(word(marked))}"
        )
    masks |= _mask_labels(files, max(level, 1)) | _mask_channels(files)
    if not masks:
        masks = _repeated(files)
    if masks:
        patterns = word(sorted(set(masks.values())))
        raise DataError(
            f"{len(masks)} of {many(len(files))} seem to be masks, annotations or the like of "
            f"others, by their names: {first(list(masks))}; {remedy.format(patterns)}"
        )


def _are_apart(files: Sequence[str], folders: Sequence[str]) -> bool:
    """Whether no file of these folders is called as one of other folders."""
    names: tuple[set[str], set[str]] = (set(), set())
    for file in files:
        *above, name = file.split("/")
        names[any(folder in folders for folder in above)].add(PurePosixPath(name).stem)
    return names[0].isdisjoint(names[1])


def _mask_labels(files: Sequence[str], level: int) -> dict[str, str]:
    """What to leave out by file, where masks of a label lie in a folder of label of their own."""
    folders = {file: path[level - 1] for file in files if len(path := file.split("/")) > level}
    tops = set(folders.values())
    matches = [(top, _MASK_OF.fullmatch(top)) for top in tops]
    masks = {top for top, match in matches if match is not None and match[1] in tops}
    named = {top for top in tops if _MASKS_ALONE.fullmatch(top)}
    masks |= named if len(tops - named) > 1 else set()
    return {file: top for file, top in folders.items() if top in masks}


def _mask_channels(files: Sequence[str]) -> dict[str, str]:
    """What to leave out by file, where a word for masks stands in place of a channel's.

    As in ``001_seg_60.png`` beside ``001_flair_60.png``.
    """
    beside: dict[tuple[str, ...], set[bool]] = {}
    found: list[tuple[str, tuple[str, ...], str]] = []
    for file in files:
        above, _, name = file.rpartition("/")
        parts = re.split(r"([ _.-]+)", PurePosixPath(name).stem)
        for place in range(2, len(parts), 2):
            key = (above, *parts[:place], "*", *parts[place + 1 :])
            mask = _CHANNEL_MASK.fullmatch(parts[place].lower()) is not None
            beside.setdefault(key, set()).add(mask)
            if mask:
                last = place + 1 == len(parts)
                behind = ".*" if last else f"{parts[place + 1]}*"
                found.append((file, key, f"*{parts[place - 1]}{parts[place].lower()}{behind}"))
    masks = {file: pattern for file, key, pattern in found if len(beside[key]) == 2}
    return masks if len(masks) > 1 else {}


def _repeated(files: Sequence[str]) -> dict[str, str]:
    """What to leave out by file, where most names occur again with one word before or behind.

    Words for another view or copy of one original are ``guessing.guessed``'s.
    """

    def place(file: str) -> str:
        return file.partition("/")[0] if "/" in file else ""

    stems = {(place(file), PurePosixPath(file).stem) for file in files}
    affixes: dict[str, list[str]] = {}
    derived = set()
    for file in files:
        for affix, base in _affixes(PurePosixPath(file).stem):
            if (place(file), base) in stems:
                affixes.setdefault(affix, []).append(file)
                derived.add(file)
    bases = len(files) - len(derived)
    return {
        file: affix
        for affix, among in affixes.items()
        if 2 * len(among) >= bases and len(among) > 1
        for file in among
    }


def _affixes(stem: str) -> Iterator[tuple[str, str]]:
    """Patterns of what a name may have more than another one, and that name."""
    for match in re.finditer(r"[ _.-]+", stem):
        before, behind = stem[: match.start()], stem[match.end() :]
        if not is_variant(stem[match.start() :]):
            yield f"*{stem[match.start() :].lower()}.*", before
        if re.search("[a-z]", before, re.IGNORECASE):
            yield f"{before.lower()}{match[0]}*", behind


def _is_mask(folder: str) -> bool:
    return _MASKS.fullmatch(folder.lower()) is not None


def refuse_kinds(labels: Iterable[str]) -> None:
    """Refuse labels that are kinds of files: images beside masks.

    Raises:
        DataError: If they are.
    """
    names = sorted(set(labels))
    images = [name for name in names if _IMAGES.fullmatch(name.lower())]
    if images and all(name in images or _is_mask(name) for name in names):
        raise DataError(
            f"the folders {', '.join(names)} are no labels as it seems, but kinds of files; put "
            "images into folders named by their labels, or name a table of labels by "
            "dataset.table; if these are labels: dataset.label_level=1"
        )
