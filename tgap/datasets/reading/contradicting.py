"""Two sources that name the same of each image, and contradict each other."""

import functools
import logging
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from posixpath import splitext

from tgap.datasets.reading.alike import filled, meaning, number
from tgap.datasets.reading.counters import are_sides
from tgap.datasets.reading.dicom import Person
from tgap.datasets.reading.doubtful import words_in
from tgap.datasets.reading.notes import first
from tgap.datasets.reading.patients import FEWEST

log = logging.getLogger(__name__)
AGREE, LABELS, PATIENTS = 0.5, 0.7, 0.85
"""Two sources mean the same that agree so far above chance (Cohen's kappa): in their texts, or in
how they divide images among labels, or patients."""
_WORD = re.compile(r"[^\W_]+")
_MIRRORED = re.compile(r"[ _-][hv]?[ _-]?(?:flip|mirror)", re.IGNORECASE)
_MEND = (
    "correct what is wrong: rows may have moved, a column may have been sorted by itself, or files "
    "lie in the wrong folder"
)
Place = tuple[int, int]
"""A level of folders, or -1 for the file's own name, and a word's number in it."""


def tell_of_paths(
    files: Sequence[str], own: Sequence[Collection[str]], what: str, level: int = 0
) -> None:
    """Warn of paths that name another patient or label than is known of an image.

    Words of a path mean the same if they are names of the same kind, and some letters long or
    mostly right; or if they go together with the names one to one, but for some images.

    Args:
        files: The images' paths.
        own: The names of each that are known.
        what: Patient or label.
        level: The folder that they are known by, which is left out; 0 = none.
    """
    names = {name for each in own for name in each}
    known = "their folder" if level else "is said of them"
    found = _by_names(files, own, names, what, level)
    if are_sides(sorted(names)):  # a left eye that was mirrored may stand for a right one
        found = [row for row in found if not _MIRRORED.search(files[row])]
    if found:
        log.warning(
            "%d of %d paths seem to name another %s than %s: %s; %s",
            len(found),
            len(files),
            what,
            known,
            first([f"{files[row]} ({', '.join(sorted(own[row])) or 'none'})" for row in found]),
            _MEND,
        )
    elif all(len(each) == 1 for each in own):
        _tell_groups(files, [next(iter(each)) for each in own], what, level)


def _tell_groups(files: Sequence[str], own: Sequence[str], what: str, level: int) -> None:
    """Warn of a word of the paths that goes with the names, but for some images."""
    label = what == "label"
    for words in _words_by_place(files, level):
        kinds = len(set(words))
        if kinds < 2 or (kinds != len(set(own)) if label else kinds < FEWEST):
            continue
        if rows := exceptions(words, own, LABELS if label else PATIENTS):
            pairs = [f"{word} with {name}" for word, name in _usual(words, own).items()]
            other = ", and else it tells a classifier the label" if label else ""
            log.warning(
                "a word of the paths goes with one %s (%s), but in %d of %d images: %s; if it "
                "means the %s, %s%s",
                what,
                first(pairs, most=3),
                len(rows),
                len(files),
                first([f"{files[row]} ({own[row]})" for row in rows]),
                what,
                _MEND,
                other,
            )
            return


def _by_names(
    files: Sequence[str],
    own: Sequence[Collection[str]],
    names: Collection[str],
    what: str,
    level: int,
) -> list[int]:
    """Rows whose paths name another one, at the place where most name the right one."""
    keys = [{_key(name) for name in each} for each in own]
    shares = Counter(key for each in keys for key in each)
    fewest = FEWEST if what == "patient" else 2
    places = [
        (sum(key in keys[row] for row, key in stated.items()), place, stated)
        for place, stated in _stated(files, {_key(name) for name in names}, level).items()
        if 2 * len(stated) >= len(files) and len(set(stated.values())) >= fewest
    ]
    for rank, (right, _, stated) in enumerate(sorted(places, key=lambda each: -each[0])):
        wrong = [row for row, key in stated.items() if key not in keys[row]]
        said = Counter(stated.values())
        chance = sum(n * shares[key] for key, n in said.items()) / len(stated) / len(files)
        alike = kappa(right / len(stated), chance) >= AGREE
        words = 2 * sum(len(text) > 2 and _has_letters(text) for text in map("".join, said))
        if wrong and (alike or (rank == 0 and words > len(said))):
            return wrong
    return []


def _stated(
    files: Sequence[str], known: Collection[tuple[str, ...]], level: int
) -> dict[Place, dict[int, tuple[str, ...]]]:
    """The known names in paths, by place and row; the longest at each place."""
    most = max(map(len, known), default=0)
    stated: dict[Place, dict[int, tuple[str, ...]]] = defaultdict(dict)
    for row, file in enumerate(files):
        for depth, words in _parts(file, level):
            start = 0
            while start < len(words):
                ends = range(min(start + most, len(words)), start, -1)
                end = next((end for end in ends if words[start:end] in known), 0)
                if end:
                    stated[depth, start][row] = words[start:end]
                start = max(end, start + 1)
    return stated


def _words_by_place(files: Sequence[str], level: int) -> Iterator[list[str]]:
    """The words that all paths have at each place."""
    places: dict[Place, list[str]] = defaultdict(list)
    for file in files:
        for depth, words in _parts(file, level):
            for start, word in enumerate(words):
                places[depth, start].append(word)
    return (words for words in places.values() if len(words) == len(files))


def exceptions(
    one: Sequence[Hashable], other: Sequence[Hashable], least: float = PATIENTS
) -> list[int]:
    """Rows that break what otherwise goes together one to one; none if it does not.

    >>> exceptions("aaaabbbb", "xxxyyyyy", 0.7), exceptions("aabb", "xyxy")
    ([3], [])
    """
    there, back = _usual(one, other), _usual(other, one)
    if len(set(there.values())) < max(len(there), 2):
        return []
    right = [there[a] == b for a, b in zip(one, other, strict=True)]
    firsts, seconds = Counter(one), Counter(other)
    chance = sum(n * seconds[there[a]] for a, n in firsts.items()) / len(one) ** 2
    if kappa(sum(right) / len(one), chance) < least:
        return []
    return [
        row
        for row, (a, b) in enumerate(zip(one, other, strict=True))
        if not right[row] and back[b] != a
    ]


def _usual(one: Iterable[Hashable], other: Iterable[Hashable]) -> dict[Hashable, Hashable]:
    """What mostly goes with each."""
    counts: dict[Hashable, Counter[Hashable]] = defaultdict(Counter)
    for a, b in zip(one, other, strict=True):
        counts[a][b] += 1
    return {a: its.most_common(1)[0][0] for a, its in counts.items()}


def kappa(agree: float, chance: float) -> float:
    """Cohen's kappa, agreement above chance: (agree - chance) / (1 - chance), 0 if chance is 1."""
    return (agree - chance) / (1 - chance) if chance < 1 else 0.0


def _parts(file: str, level: int) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The words of each folder, without the one of a level, and of the name."""
    return (part for part in _all_parts(file) if part[0] != level - 1 or not level)


@functools.lru_cache(2**18)  # labels and patients are looked for in turn
def _all_parts(file: str) -> tuple[tuple[int, tuple[str, ...]], ...]:
    *folders, name = file.split("/")
    texts = [*enumerate(folders), (-1, splitext(name)[0])]
    return tuple((depth, _words(text)) for depth, text in texts)


def _words(text: str) -> tuple[str, ...]:
    words = _WORD.findall(text.casefold())
    return tuple((word.lstrip("0") or "0") if word.isdecimal() else word for word in words)


def _key(name: str) -> tuple[str, ...]:
    value = number(name)
    return (value,) if value is not None else _words(name)


def _has_letters(text: str) -> bool:
    return re.search(r"[^\W\d_]", text) is not None


def tell_of_headers(
    files: Sequence[str],
    patients: Sequence[str],
    columns: Mapping[str, Sequence[str]],
    persons: Sequence[Person],
) -> None:
    """Warn of what a table says of patients and DICOM headers contradict.

    Args:
        files: What messages call the images.
        patients: The table's.
        columns: Its others.
        persons: What the headers say.
    """
    ids = [each.id for each in persons]
    wrong = _other_ids(ids, patients)
    _tell_rows("PatientID", files, patients, ids, wrong)
    for name, cells in columns.items():
        words = set(words_in(name))
        if words & {"sex", "gender"}:
            told = [each.sex for each in persons]
            pairs = zip(map(_initial, cells), map(_initial, told), strict=True)
            wrong = [row for row, (a, b) in enumerate(pairs) if {a, b} == {"m", "f"}]
            _tell_rows("PatientSex", files, cells, told, wrong)
        elif "age" in words:
            told = [each.age for each in persons]
            years = zip(map(_years, cells), map(_years, told), strict=True)
            wrong = [row for row, (a, b) in enumerate(years) if abs(a - b) > 1]
            _tell_rows("PatientAge", files, cells, told, wrong)


def _other_ids(ids: Sequence[str], patients: Sequence[str]) -> list[int]:
    """Rows where headers name another patient, or divide images into others."""
    known = [row for row, name in enumerate(ids) if name]
    names, keys = {_key(name) for name in patients}, [_key(name) for name in ids]
    shared = [row for row in known if keys[row] in names]
    if len({ids[row] for row in known}) < FEWEST:
        return []
    if 2 * len(shared) >= len(known):
        return [row for row in known if keys[row] != _key(patients[row])]
    usual = _usual([ids[row] for row in known], [patients[row] for row in known])
    torn = [row for row in known if usual[ids[row]] != patients[row]]
    mixed = exceptions([patients[row] for row in known], [ids[row] for row in known])
    return torn or [known[row] for row in mixed]


def _initial(sex: str) -> str:
    return meaning(sex)[:1]


def _years(age: str) -> float:
    """A number of years, as it stands in a table or in a header (``034Y``)."""
    try:
        return float(filled([age])[0].removesuffix("Y"))
    except ValueError:
        return float("nan")


def _tell_rows(
    element: str, files: Sequence[str], own: Sequence[str], told: Sequence[str], wrong: list[int]
) -> None:
    if wrong:
        log.warning(
            "the table and the files' headers (%s) say different things of %d of %d images: %s; %s",
            element,
            len(wrong),
            len(files),
            first([f"{files[row]} ({own[row]}; header {told[row]})" for row in wrong]),
            "correct what is wrong: rows may have moved, or a column been sorted by itself",
        )
