"""Labels and findings that may not be what they seem: told, and taken as they are."""

import logging
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations, groupby, takewhile

import numpy as np

from tgap.core import Bools
from tgap.core.words import word
from tgap.datasets.reading.alike import MOST_CATEGORIES, meaning, number
from tgap.datasets.reading.notes import first, many

log = logging.getLogger(__name__)

RARE = 5
"""A name is rare beside another one that so many times as many images have."""
_NO_LABEL = re.compile(
    r"unk(?:nown)?|ambiguous|undetermined|not (?:labell?ed|known|available|given|determined|done)|"
    r"unlabell?ed|no data|tbd|to be (?:determined|done)|n[./] ?[adk]|k[./] ?a|"
    r"unbekannt|inconnue?|desconocid[oa]|\.|new folder(?: \(\d+\))?|bad quality"
)
_ASIDE = frozenset(
    "review unsorted unused rejected discarded excluded ignored skipped deleted removed trash junk "
    "misc miscellaneous duplicate duplicates dups tmp temp backup bak archive copy old".split()
)
_PUT_ASIDE = re.compile(rf"\b(?:{'|'.join(_ASIDE - {'old'})})\b(?: \d+)*")  # an old cat is one
_BESIDE_ASIDE = frozenset("to do be not the and of images image files pictures folder data".split())
_DECIDED = frozenset("new young recent original accepted approved included used".split())
"""Labels that make a class of what else would mean that images are put aside."""
_SENTINELS = ("-1", "-9", "-99", "99", "-999", "999", "9999", "-9999")
_CODES = ("7", "8", "9", "77", "88", "97", "98")
"""And these where they are rare beside two that follow each other, such as 0 and 1."""
_DATE = re.compile(
    r"\d{1,2}[-. ](?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*(?:[-. ]\d+)?"
)
_JOINTS = (";", ",", "/", "+", "&", " and ", "|")
_LIST = re.compile(r"\[\s*\]|\[\s*(['\"]).*\1\s*\]")
_ARRAY = re.compile(r"['\"]\s+['\"]")
_OBJECT = re.compile(r'\{\s*".*\}')
_ROMANS = {roman: str(n) for n, roman in enumerate("i ii iii iv v vi vii viii ix x".split(), 1)}
_CAMEL = re.compile(r"(?<=[a-zà-ÿ])(?=[A-Z])")
_WORD = re.compile(r"[^\W\d_]+|\d+")
_ROMAN = re.compile("[ivx]+")
_CAPITALS = re.compile("[A-Z]{2,5}")
_VOWELS = frozenset("aeiouy")
_SPELT_OUT = 6
"""A name of fewer letters has hardly an abbreviation."""
_SIGNS = re.compile(r"[+#%<>=*±]|(?<!\w)-|-(?!\w)")
_OPPOSED = re.compile("hyp(?:o|er)|int(?:ra|er)")
_NOTHING = re.compile(
    r"(?:no|without|ohne|keine?|sans|sin) .+|none|normal|healthy|negative|unremarkable|nothing|"
    r"unauffällig|gesund"
)


def words_in(name: str) -> list[str]:
    """The words and numbers of a name, in lower case.

    >>> words_in("to_review 2"), words_in("NoFinding")
    (['to', 'review', '2'], ['no', 'finding'])
    """
    return _WORD.findall(_CAMEL.sub(" ", name).casefold())


def warn_of_no_labels(counts: Mapping[str, int], *, folders: bool = False) -> None:
    """Tell of labels that often mean that nobody knows, or that a spreadsheet has made.

    Args:
        counts: Images by label.
        folders: Whether labels are folders, which a setting can leave out.
    """
    numbers = {name: number(name) for name in counts}
    values = sorted(float(value) for value in numbers.values() if value is not None)
    for name, value in numbers.items():
        told = "%r of %s"
        if None not in numbers.values() and (
            (value in _SENTINELS and _apart(float(value), values))
            or _is_code(name, numbers, counts)
        ):
            told += " stands beside numbers only, where it often means that nobody knows"
        elif _NO_LABEL.fullmatch(meaning(name)) or _is_aside(name, counts):
            told += " often means that nobody knows, or that images are no good"
        elif _DATE.fullmatch(name.casefold()):
            told += " is a date that a spreadsheet may have made of a range or a fraction (3-4)"
        else:
            continue
        how = f' by "dataset.exclude={word([name])}"' if folders else ""
        log.warning(
            f"label {told}: if so, leave these images out%s, or correct them",
            name,
            many(counts[name]),
            how,
        )


def _apart(value: float, values: Sequence[float]) -> bool:
    """Whether a number is negative, or far above the others."""
    others = [other for other in values if other != value]
    return value < 0 or not others or value > 2 * max(others) + 1


def _is_code(name: str, numbers: Mapping[str, str | None], counts: Mapping[str, int]) -> bool:
    """Whether a number stands for no answer beside 0 and 1, or 1 and 2: code books take 9, 8, 7."""
    codes = (*_CODES, *_SENTINELS)
    others = [other for other, value in numbers.items() if value not in codes]
    two = sorted(numbers[other] or "" for other in others)
    rare = 2 * counts[name] <= min((counts[other] for other in others), default=0)
    return numbers[name] in _CODES and two in (["0", "1"], ["1", "2"]) and rare


def _is_aside(name: str, names: Mapping[str, int]) -> bool:
    """Whether a name says that images are put aside, or does so of another label's images."""
    words = words_in(name)
    if not _ASIDE.intersection(words) or _DECIDED.intersection(map(meaning, names)):
        return False
    if all(each in _ASIDE | _BESIDE_ASIDE or each.isdecimal() for each in words):
        return True
    rest = _PUT_ASIDE.sub("", " ".join(words)).split()
    return len(rest) < len(words) and any(rest == words_in(other) for other in names)


def warn_of_joined(
    counts: Mapping[str, int], what: str, separator: str, *, used: bool = False
) -> None:
    """Tell of names that seem to be several in a cell, or parts of one.

    Args:
        counts: Images by name.
        what: Labels or findings.
        separator: What stands between names in a cell; empty = a cell has one name only.
        used: Whether it stands in some cells, so that another one cannot take its place.
    """
    objects = [name for name in counts if _OBJECT.fullmatch(name)]
    if objects:
        log.warning(
            "%s %s are JSON as text, as an annotation tool exports several choices: write their "
            "names with '%s' between them (in pandas: column.map(lambda x: '%s'.join("
            "json.loads(x)['choices']) if x.startswith('{') else x))",
            what,
            first([f"{name} ({many(counts[name])})" for name in objects]),
            separator or "|",
            separator or "|",
        )
    lists = [name for name in counts if _LIST.fullmatch(name)]
    if lists:
        log.warning(
            "%s %s seem to be lists that pandas wrote as text: write their names with '%s' between "
            "them (in pandas: %s)",
            what,
            first([f"{name} ({many(counts[name])})" for name in lists]),
            separator or "|",
            _joining(lists, separator or "|", all_lists=len(lists) == len(counts)),
        )
    for joint in _JOINTS:
        split = {name: [x.strip() for x in name.split(joint)] for name in counts if joint in name}
        parts = [name for name in split if all(part in counts for part in split[name])]
        sets: dict[tuple[str, ...], list[str]] = {}
        for name, its in split.items():
            if not all(map(number, its)):  # 1/2 is not 2/1
                sets.setdefault(tuple(sorted(map(meaning, its))), []).append(name)
        again = [name for names in sets.values() if len(names) > 1 for name in names]
        if joint == separator:
            continue
        remedy = "write each in one way"
        if separator and used:
            remedy = (
                f"write '{separator}' in place of '{joint}' in the table, as other cells have it "
                f"(in pandas: column.str.replace('{joint}', '{separator}', regex=False))"
            )
        elif separator:
            remedy = f"set \"dataset.separator='{joint}'\""
        for names, why in (
            (parts if separator else [], "to be several, each of which is one by itself"),
            ([name for name in again if name not in parts], "to be the same in another order"),
        ):
            if names:
                told = first([f"{name!r} ({many(counts[name])})" for name in names])
                log.warning("%s %s seem %s: if so, %s", what, told, why, remedy)


def _joining(lists: Sequence[str], separator: str, *, all_lists: bool) -> str:
    """How pandas makes names with a separator of lists as text; other cells stay as they are."""
    if any(map(_ARRAY.search, lists)):  # numpy's, which Python reads as one name
        listed = f"column.str.findall(r\"['\\\"](.*?)['\\\"]\").map('{separator}'.join)"
        return listed if all_lists else f"{listed}.where(column.str.startswith('['), column)"
    names = f"'{separator}'.join(map(str.strip, names))"
    if all_lists:
        return f"import ast, and column.map(ast.literal_eval).map(lambda names: {names})"
    names = names.replace("names", "ast.literal_eval(cell)")
    return f"import ast, and column.map(lambda cell: {names} if cell.startswith('[') else cell)"


def warn_of_near(counts: Mapping[str, int], what: str, remedy: str = "") -> None:
    """Tell of names that are written nearly alike, as singular and plural or with a letter wrong.

    Args:
        counts: Images by name.
        what: Labels or findings.
        remedy: What else can be done than to mend them, with its verb; may be empty.
    """
    pairs = [
        " and ".join(f"{name!r} ({many(counts[name])})" for name in pair)
        for pair in near_pairs(counts)
    ]
    if pairs:
        log.warning(
            "%s that are written nearly alike: %s; if they mean the same, write them in one way%s",
            what,
            first(pairs),
            remedy,
        )


def near_pairs(counts: Mapping[str, int]) -> list[tuple[str, str]]:
    """Pairs of names that differ in no more than one word, and there in little.

    A rare one may be another one shortened, unless there are so many that bee and beetle are both;
    several may, however frequent, if each of a few letters begins one of the others.
    """
    groups: dict[tuple[object, ...], list[tuple[str, str]]] = {}
    for name in counts:
        words = [_plain(each) for each in words_in(name)]
        signs = "".join(_SIGNS.findall(name))
        joined = ("".join(part) for _, part in groupby(words, str.isdecimal))
        groups.setdefault((signs, *joined), []).append((name, ""))
        for place, each in enumerate(words):
            if len(each) > 2 and not _ROMAN.fullmatch(each):
                rest = (signs, place, each[:3], *words[:place], "", *words[place + 1 :])
                groups.setdefault(rest, []).append((name, each))
    pairs = [*_letters(counts), *_numbers(counts), *_abbreviations(counts)]
    found: dict[tuple[str, str], None] = dict.fromkeys(pairs)
    for group in groups.values():
        for pair in combinations(group, 2):
            (rare, mine), (common, its) = sorted(pair, key=lambda each: counts[each[0]])
            short, long = sorted([mine, its], key=len)
            odd = RARE * counts[rare] <= counts[common]
            shortened = len(counts) <= MOST_CATEGORIES and its.startswith(mine)
            if meaning(rare) != meaning(common) and (
                mine == its or _same_word(short, long) or (odd and (shortened or _slip(mine, its)))
            ):
                found[rare, common] = None
    return list(found)


def _letters(names: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of all names of one to three letters with the longer ones, if each begins its own."""
    short = [name for name in names if name.isalpha() and len(name) <= 3]
    long = [name for name in names if name not in short]
    pairs = [(one, its) for its in long for one in short if meaning(its).startswith(meaning(one))]
    whole = len(pairs) == len(short) == len(dict(pairs)) == len({its for _, its in pairs})
    return pairs if whole and len(short) > 1 and len(long) <= len(short) + 1 else []


def _abbreviations(names: Collection[str]) -> list[tuple[str, str]]:
    """Pairs of a name of two to five capitals and the longer one that it abbreviates, if any.

    Its letters are in order in the other name, from the first on: initials, a beginning, or
    consonants and, of three or more, the last letter.

    >>> _abbreviations(["TB", "tuberculosis", "PE", "pneumonia", "LO", "Lung Opacity"])
    [('TB', 'tuberculosis'), ('LO', 'Lung Opacity')]
    """
    if len(names) > MOST_CATEGORIES:
        return []
    short = [name for name in names if _CAPITALS.fullmatch(name)]
    return [
        (one, its)
        for its in names
        for one in short
        if len(its) >= max(_SPELT_OUT, 2 * len(one)) and _abbreviates(one.casefold(), words_in(its))
    ]


def _abbreviates(letters: str, words: Sequence[str]) -> bool:
    text = "".join(words)
    if letters == "".join(word[0] for word in words) or text.startswith(letters):
        return True
    rest = iter(text)
    last = letters[-1] == text[-1] and len(letters) > 2
    consonants = not _VOWELS.intersection(letters[1:-1] if last else letters[1:])
    ordered = text[0] == letters[0] and all(letter in rest for letter in letters)
    return consonants and ordered


def _numbers(names: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of numbers and of the same ones behind words, or in Roman ones, of which are several.

    >>> _numbers(["2", "4", "BI-RADS 2", "BI-RADS 4", "grade"])
    [('2', 'BI-RADS 2'), ('4', 'BI-RADS 4')]
    >>> _numbers(["Grade 1", "Grade 2", "Grade I", "Grade II"])
    [('Grade 1', 'Grade I'), ('Grade 2', 'Grade II')]
    """
    words = {name: words_in(name) for name in names}
    arabic = {tuple(its): name for name, its in words.items()}
    roman = [
        (arabic[key], name)
        for name, (*before, last) in ((name, its) for name, its in words.items() if its)
        if (key := (*before, _ROMANS.get(last, ""))) in arabic
    ]
    if len(roman) > 1:
        return roman
    bare = {value: name for name in names if (value := number(name)) is not None}
    last = {name: words_in(name)[-1:] for name in names if number(name) is None}
    pairs = [(bare[end[0]], name) for name, end in last.items() if end and end[0] in bare]
    return pairs if len(pairs) > 1 else []


def _plain(text: str) -> str:
    """A word as Americans write it."""
    return re.sub("our$", "or", re.sub("[ao]e", "e", text))


def _same_word(short: str, long: str) -> bool:
    """Whether a word is another one's plural, or has a vowel more at its end."""
    more = long.removeprefix(short) if long.startswith(short) else ""
    return more in ("s", "es") or (len(long) > 5 and more in ("a", "e", "o"))


def _slip(rare: str, common: str) -> bool:
    """Whether a word may be another one with a letter or two wrong.

    Beginnings do not differ (normal, abnormal), nor does a last letter stand for another one
    (gradea, gradeb).
    """
    opposed = [match[0] for text in (rare, common) if (match := _OPPOSED.match(text))]
    if len(set(opposed)) > 1:
        return False
    head = _shared(rare, common)
    tail = _shared(rare[head:][::-1], common[head:][::-1])
    wrong = sorted((rare[head : len(rare) - tail], common[head : len(common) - tail]), key=len)
    least, most = map(len, wrong)
    if tail == 0 and least == most == 1:
        return False
    longest = max(len(rare), len(common))
    one = most == 1 or (least == 2 and wrong[0] == wrong[1][::-1])
    return longest > 5 if one else longest > 9 and most == 2


def _shared(one: str, other: str) -> int:
    """So many first letters two words have in common."""
    return len(list(takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))))


def warn_of_contradictions(held: Bools, names: Sequence[str], places: Sequence[str]) -> None:
    """Tell of rows where what says that nothing is there stands together with something.

    It must stand alone more often: else it is one attribute of several (no glasses).

    Args:
        held: ``(N, len(names))``: which names each row holds.
        names: Labels and findings.
        places: Where each row stands.
    """
    nothing = [column for column, name in enumerate(names) if _says_nothing(name)]
    something = np.delete(held, nothing, axis=1)
    others = np.delete(np.array(names, dtype=np.str_), nothing)
    beside = something.any(axis=1)
    for column in nothing:
        rows = np.flatnonzero(held[:, column] & beside).tolist()
        alone = int(held[:, column].sum()) - len(rows)
        if 0 < len(rows) <= alone:
            told = [f"{places[row]} ({', '.join(others[something[row]])})" for row in rows]
            log.warning(
                "'%s' stands alone in %s and together with others, which seem to contradict it, "
                "in %d: %s; correct these rows, or leave them out",
                names[column],
                many(alone),
                len(rows),
                first(told),
            )


def _says_nothing(name: str) -> bool:
    return _NOTHING.fullmatch(" ".join(words_in(name))) is not None
