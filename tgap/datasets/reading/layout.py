"""What the folders between the given one and its images are: labels, or parts of a split."""

import fnmatch
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from pathlib import PurePosixPath

from tgap.core import DataError
from tgap.core.words import quoted
from tgap.datasets.reading.guessing import ABOVE
from tgap.datasets.reading.label_paths import labels_in_names
from tgap.datasets.reading.listing import Listing
from tgap.datasets.reading.notes import first, many
from tgap.datasets.reading.patients import FEWEST
from tgap.datasets.reading.recurring import are_persons, named_in_two_ways, recurring
from tgap.datasets.reading.split_names import SPLITS, is_part, is_test, parts_among
from tgap.datasets.reading.tables import SUFFIXES

_MARKED = re.compile(rf"(?i:(?P<part>{SPLITS}))(?P<label>[A-Z0-9]|[ _.-].+|\d+)")
_MARKED_LAST = re.compile(rf"(?P<label>.+[ _.-])(?i:(?P<part>{SPLITS}))")


def label_level(files: Iterable[str], asked: int | None, others: Sequence[str] = ()) -> int:
    """Which folder of a path is the label, 1 being the first.

    Args:
        files: Paths of the images.
        asked: The level, if somebody has said it: then nothing is looked at.
        others: Paths of the files that are no images, tables among them.

    Returns:
        It, or 1, or 2 if the first folders are parts of a split.

    Raises:
        DataError: If it can be understood in several ways; each is told with its setting.
    """
    if asked is not None:
        return asked
    tops: dict[str, Counter[str]] = {}
    files = list(files)
    _refuse_one_way(files)
    for file in files:
        top, _, rest = file.partition("/")
        tops.setdefault(top, Counter())[rest.partition("/")[0] if "/" in rest else ""] += 1
    parts = parts_among(tops)
    _refuse_marked(tops)
    if parts:
        return _level_of_parts(tops, parts, files, others)
    if tops:
        _refuse_nested(tops)
        _refuse_ambiguous(tops)
    return 1


def _level_of_parts(
    tops: Mapping[str, Counter[str]],
    parts: Sequence[str],
    files: Sequence[str],
    beside: Sequence[str],
) -> int:
    """The level if some folders are named as parts of a split."""
    others = [top for top in tops if top not in parts]
    flat = [part for part in parts if tops[part][""]]
    names = [set(tops[part]) for part in parts]
    if others:
        if len(parts) < 2 or flat or not set.intersection(*names):
            _refuse_nested(tops)
            _refuse_ambiguous(tops)
            return 1
        raise DataError(
            f"the folders {', '.join(parts)} are named as parts of a split, and hold folders of "
            f"the same names ({_names(names[0])}), but beside them lies {first(others)}; move that "
            f"elsewhere, or leave it out by dataset.exclude=[...]; {_AS_LABELS}"
        )
    if not flat:
        _refuse_unlike(tops)
        return 2
    direct = ", ".join(f"{part} ({many(tops[part][''])})" for part in flat)
    remedy = f"leave {'it' if len(flat) == 1 else 'them'} out by dataset.exclude=[{','.join(flat)}]"
    if len(flat) == len(parts):
        remedy = f"{_table_of(beside)}, or set dataset.labelled=false"
        told = (
            labels_in_names([file for file in files if file.startswith(f"{part}/")])
            for part in flat
        )
        remedy += next(filter(None, told), "")
    raise DataError(
        f"folders that are named as parts of a split hold images in no label's folder: {direct}; "
        f"{remedy}; {_AS_LABELS}"
    )


def _table_of(files: Sequence[str]) -> str:
    """How labels are taken from a table, those that lie there by name."""
    tables = [file for file in files if file.lower().endswith(SUFFIXES)]
    if not tables:
        return "name a table of labels by dataset.table"
    one = next((file for file in tables if not is_test(file.partition("/")[0])), tables[0])
    return (
        f"tables lie there ({first(tables)}): if they have the labels, let dataset.path end with "
        f"/{one}, or join them to one"
    )


_AS_LABELS = "if these names are labels: dataset.label_level=1"


def _refuse_marked(tops: Mapping[str, Counter[str]]) -> None:
    """Refuse folders whose names are a part of a split and something else (``trainA``)."""
    found = {top: _MARKED.fullmatch(top) or _MARKED_LAST.fullmatch(top) for top in tops}
    of_part: dict[str, set[str]] = {}
    for match in found.values():
        if match is None:
            return
        of_part.setdefault(match["part"].lower(), set()).add(match["label"].strip(" _.-").lower())
    flat = any(below[""] for below in tops.values())
    if flat and len(of_part) > 1 and set.intersection(*of_part.values()):
        rest = _names(set.union(*of_part.values()))
        raise DataError(
            f"the folders {_names(tops)} are named as parts of a split ({_names(of_part)}) and "
            f"something else ({rest}), so these names are no labels as it seems; let the folders "
            f"be train/LABEL and so on, or name a table of labels by dataset.table; {_AS_LABELS}"
        )


def _refuse_unlike(parts: Mapping[str, Counter[str]]) -> None:
    """Refuse parts of a split that have no label in common."""
    shared = Counter(name for below in parts.values() for name in below)
    if len(parts) > 1 and max(shared.values()) == 1 and len(shared) > len(parts):
        told = "; ".join(f"{part}: {_names(below)}" for part, below in parts.items())
        raise DataError(
            f"the parts of a split have no label in common ({told}); rename folders so that a "
            "label is called the same in each, or leave a part out by dataset.exclude=[...]; if "
            "they do differ: dataset.label_level=2"
        )
    if pairs := named_in_two_ways(parts):
        told = " and ".join(
            f"{name} ({', '.join(part for part in parts if name in parts[part])})"
            for name in pairs[0]
        )
        raise DataError(
            f"parts of a split call a label in two ways, as it seems: {told}; rename folders so "
            "that it is called the same in each; if they are different labels: "
            "dataset.label_level=2"
        )


def _refuse_nested(tops: Mapping[str, Counter[str]]) -> None:
    """Refuse a folder that holds folders named as the labels beside it."""
    for top, below in tops.items():
        inner = set(below) - {""}
        if len(tops) > 2 and inner and not below[""] and inner <= set(tops) - {top}:
            raise DataError(
                f"the folder {top} is no label as it seems, for it holds folders of the same names "
                f"as the labels beside it ({_names(inner)}); leave it out by "
                f"dataset.exclude=[{top}], or, if it is one: dataset.label_level=1"
            )


def _refuse_one_way(files: Sequence[str]) -> None:
    """Refuse images that all lie below folders with one folder each, and folders below these."""
    folders = [file.split("/")[:-1] for file in files]
    way = [level[0] for level in takewhile(_is_one, zip(*folders, strict=False))]
    below = {folder[len(way)] for folder in folders if len(folder) > len(way)}
    if len(way) > 1 and len(below) > 1:
        path = "/".join(way)
        raise DataError(
            f"all images lie below {path}, and the folders there are {_names(below)}; if these are "
            f"the labels, let dataset.path end with /{path}, or set "
            f"dataset.label_level={len(way) + 1}"
        )


def _is_one(folders: Sequence[str]) -> bool:
    return len(set(folders)) == 1


def _refuse_ambiguous(tops: Mapping[str, Counter[str]]) -> None:
    """Refuse folders of the same names, a last word aside, in all first folders: labels perhaps."""
    names = [set(below) for below in tops.values()]
    if len(tops) == 1 and len(names[0]) > 1 and "" not in names[0]:
        (top,) = tops
        raise DataError(
            f"the only folder is {top}, and the folders in it are {_names(names[0])}; if these are "
            f"the labels, let dataset.path end with /{top}"
        )
    all_names = set.union(*names)
    if "" in all_names or are_persons(all_names):
        return
    shared, renamed = recurring(tops)
    if not shared:
        return
    if all(map(is_part, all_names)):
        raise DataError(
            f"the folders {_names(tops)} hold parts of a split ({_names(all_names)}), so the "
            "labels are below these: let dataset.path end with one of the first folders, if they "
            "hold the same images in other parts (folds), or else set dataset.label_level=3"
        )
    rename = (
        " (then rename them so that a label is called the same in each, or let dataset.path end "
        "with one of the first folders)"
    )
    persons = f' and "dataset.patient_pattern={quoted(ABOVE)}"'
    if are_persons(tops):
        raise DataError(
            f"the folders {_names(tops)} are persons by their names, and hold folders that may be "
            f"the labels ({_names(all_names)}); if so: dataset.label_level=2{persons}; {_AS_LABELS}"
        )
    raise DataError(
        f"the folders {_names(tops)} hold folders of the same names ({_names(shared)}), so either "
        f"may be the labels; for {_names(tops)}: dataset.label_level=1; for {_names(all_names)}: "
        f"dataset.label_level=2{rename if renamed else ''}"
        + (
            f" (if the folders above are patients or the like, with{persons[4:]})"
            if len(tops) > max(FEWEST, len(all_names))
            else ""
        )
        + "; if some of these are no pictures of their own (masks, overlays): "
        "dataset.exclude=[...] names the folders that are left out"
    )


def refuse_persons(labels: Iterable[str]) -> None:
    """Refuse folders of labels that are named as persons are.

    Raises:
        DataError: If all are, and there are three or more.
    """
    names = set(labels)
    if are_persons(names):
        raise DataError(
            f"the folders {_names(names)} are persons by their names, and no labels; name a table "
            "of labels by dataset.table, say which folder is the label by dataset.label_level, or "
            "set dataset.labelled=false; if these are labels: dataset.label_level=1"
        )


def _names(names: Iterable[str]) -> str:
    return first(sorted(names))


def refuse_label_files(listing: Listing) -> None:
    """Refuse images whose labels stand in a text file each, as YOLO has them.

    Raises:
        DataError: If most have one in a folder ``labels``.
    """
    texts = [name for name in listing.others if name.endswith(".txt") and "labels/" in f"/{name}"]
    stems = {PurePosixPath(name).stem for name in texts}
    having = [file for file in listing.files if PurePosixPath(file).stem in stems]
    if texts and 2 * len(having) > len(listing.files):
        raise DataError(
            f"the labels of {len(having)} images stand in text files, such as {texts[0]}, and not "
            "in their folders; write a table of files and labels and name it by dataset.table "
            "(columns file, label), or set dataset.labelled=false"
        )


def named(paths: Iterable[str], patterns: Sequence[str]) -> set[str]:
    """The paths that a pattern names.

    Args:
        paths: Of files and folders.
        patterns: Names of files or folders, or whole paths, ``*`` standing for anything.

    >>> sorted(named(["a/Masks/1.png", "a/1_mask.png", "a/1.png"], ["masks", "*_mask.*"]))
    ['a/1_mask.png', 'a/Masks/1.png']
    """
    rules = [re.compile(fnmatch.translate(each.strip("/").casefold())) for each in patterns]
    return {
        path
        for path in paths
        for name in (path.casefold(), *path.casefold().split("/"))
        if any(rule.fullmatch(name) for rule in rules)
    }


def without(listing: Listing, patterns: Sequence[str]) -> Listing:
    """A listing without what patterns name; see ``named``.

    Raises:
        DataError: If a pattern names nothing.
    """
    paths = [*listing.files, *listing.folders, *listing.others]
    idle = [pattern for pattern in patterns if not named(paths, [pattern])]
    if idle:
        raise DataError(f"dataset.exclude names {first(idle)}, but nothing there is called so")
    gone = named(paths, patterns)
    return Listing(
        {path: status for path, status in listing.files.items() if path not in gone},
        tuple(name for name in listing.folders if name not in gone),
        tuple(path for path in listing.others if path not in gone),
    )
