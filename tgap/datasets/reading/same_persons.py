"""Columns by which patients that count as different ones are the same person."""

import datetime
import logging
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from tgap.core.words import quoted
from tgap.datasets.reading.alike import is_missing, meaning
from tgap.datasets.reading.doubtful import words_in
from tgap.datasets.reading.patients import FEWEST

log = logging.getLogger(__name__)
MOST_IMAGES = 30
"""A value of more images, on average, is no person's, but a site's, or a scanner's."""
MOST_PATIENTS = 10
"""And one of more patients, on average, is none either."""
OFTEN = 0.1
"""So many of the values, at least, hold several patients."""
TIMES, SHARE = 5, 0.05
"""Births are told of that are the same so many times as often as by chance, and for so many."""
_PERSON = frozenset(
    "patient patients pat patientid subject subjectid subj participant participantid person "
    "personid individual proband pid mrn case caseid human".split()
)
_OTHER = frozenset(
    "site hospital centre center clinic institution institute ward department country city zip "
    "postcode postal region sex gender label labels class target diagnosis dx finding findings "
    "scanner device machine vendor manufacturer model serial station protocol reader rater "
    "annotator radiologist physician doctor referrer batch delivery split fold folds set partition "
    "cohort project grant source dataset year month day date time age weight height size bmi "
    "dose kvp score grade stage view side body part race ethnicity insurance status family "
    "household group type position orientation count exam procedure".split()
)
_NUMBERS = frozenset("id ids uid uuid nr no num number code key pseudonym".split())
_ID = re.compile(r"(?=.*\d)[\w.-]{4,}", re.ASCII)
_DECIMAL = re.compile(r"-?\d+[.,]\d+", re.ASCII)


def tell_of_same_persons(
    patients: Sequence[str], columns: Mapping[str, Sequence[str]], chosen: str
) -> None:
    """Tell of a column that groups patients, and of patients who share a day of birth.

    Args:
        patients: The patient of each image.
        columns: What else is known of it.
        chosen: The column that patients are of.
    """
    _tell_of_coarser(patients, columns, chosen)
    _tell_of_births(patients, columns, chosen)


def _tell_of_coarser(
    patients: Sequence[str], columns: Mapping[str, Sequence[str]], chosen: str
) -> None:
    """Tell of a column each value of which holds several patients, and each patient one value.

    It is called as persons are, or holds what looks like their numbers, not called as what
    patients have in common for other reasons (a site, a scanner, a day).
    """
    found = {
        name: groups
        for name, cells in columns.items()
        if _may_be_persons(name, cells) and (groups := _groups(patients, cells))
    }
    if not found:
        return
    name = min(found, key=lambda each: (not _is_called_so(each), len(found[each])))
    groups = found[name]
    several = [its for its in groups.values() if len(its) > 1]
    log.warning(
        "patients are the %d values of '%s', but '%s' has %d only, %d of which hold several of "
        "them (such as %s): if '%s' is the patient, and '%s' a visit, study or image, set "
        '"dataset.patient_column=%s", or images of one person stand on several sides',
        len(set(patients)),
        chosen,
        name,
        len(groups),
        len(several),
        " and ".join(map(repr, sorted(several[0]))),
        name,
        chosen,
        quoted(name),
    )


def _is_called_so(name: str) -> bool:
    return not _PERSON.isdisjoint(words_in(name))


def _may_be_persons(name: str, cells: Sequence[str]) -> bool:
    """Whether a column may name persons by its name, or else by its cells."""
    words = set(words_in(name))
    if words & (_OTHER | _BIRTH):
        return False
    if words & _PERSON:
        return True
    values = {cell for cell in cells if not is_missing(cell)}
    named = not words.isdisjoint(_NUMBERS)
    return all(
        _ID.fullmatch(cell)
        and (named or re.search(r"[^\W\d_]", cell))
        and not _DECIMAL.fullmatch(cell)
        and day_of(cell) is None
        for cell in values
    )


def _groups(patients: Sequence[str], cells: Sequence[str]) -> dict[str, set[str]]:
    """The patients of each value, if each patient has one, and values seem to be persons."""
    groups: dict[str, set[str]] = defaultdict(set)
    value: dict[str, str] = {}
    for patient, cell in zip(patients, cells, strict=True):
        if is_missing(cell) or value.setdefault(patient, cell) != cell:
            return {}
        groups[cell].add(patient)
    several = sum(len(its) > 1 for its in groups.values())
    small = len(cells) <= MOST_IMAGES * len(groups) and len(value) <= MOST_PATIENTS * len(groups)
    enough = len(groups) >= FEWEST and several >= max(FEWEST, OFTEN * len(groups))
    return groups if enough and small else {}


_BIRTH = frozenset("birth birthdate birthday born dob geburtsdatum geburtstag".split())
_SEX = frozenset("sex gender geschlecht".split())
_DAYS = (
    re.compile(r"(?P<y>\d{4})-(?P<m>\d\d?)-(?P<d>\d\d?)(?:[T ].*)?", re.ASCII),
    re.compile(r"(?P<y>\d{4})(?P<m>\d\d)(?P<d>\d\d)", re.ASCII),
    re.compile(r"(?P<d>\d\d?)\.(?P<m>\d\d?)\.(?P<y>\d{4})", re.ASCII),
    re.compile(r"(?P<m>\d\d?)/(?P<d>\d\d?)/(?P<y>\d{4})", re.ASCII),
    re.compile(r"(?P<d>\d\d?)/(?P<m>\d\d?)/(?P<y>\d{4})", re.ASCII),
)
_GENERATION = 30
"""Days of birth, where no name says so, are spread over so many years."""


def day_of(cell: str) -> datetime.date | None:
    """A day of 1900 or later, as tables write it; ``None`` if the cell holds none.

    >>> day_of("31.1.1950"), day_of("1950-01-31T00:00"), day_of("19503101"), day_of("1950")
    (datetime.date(1950, 1, 31), datetime.date(1950, 1, 31), None, None)
    """
    for pattern in _DAYS:
        if match := pattern.fullmatch(cell.strip()):
            try:
                day = datetime.date(int(match["y"]), int(match["m"]), int(match["d"]))
            except ValueError:
                continue
            return day if day.year >= 1900 and day <= datetime.date.today() else None
    return None


def _tell_of_births(
    patients: Sequence[str], columns: Mapping[str, Sequence[str]], chosen: str
) -> None:
    """Tell of patients who share a day of birth (and sex) far more often than by chance.

    Of n patients, n (n - 1) / 2 p pairs would, where p is the chance that two have the same year of
    birth, the same day of the year and the same sex, by how often each occurs. No day is told.
    """
    name = _births(patients, columns)
    if not name:
        return
    sex = next((other for other in columns if _SEX & set(words_in(other))), "")
    of_patient: dict[str, tuple[datetime.date, str]] = {}
    sexes = columns[sex] if sex else [""] * len(patients)
    for patient, cell, said in zip(patients, columns[name], sexes, strict=True):
        if (day := day_of(cell)) is not None:
            of_patient.setdefault(patient, (day, meaning(said)))
    persons = Counter(of_patient.values())
    same = [count for count in persons.values() if count > 1]
    pairs, chance = sum(n * (n - 1) // 2 for n in same), _pairs_by_chance(persons)
    if pairs < max(FEWEST, TIMES * chance) or sum(same) < SHARE * len(of_patient):
        return
    log.warning(
        "%d of %d patients have the same '%s'%s as another one (by chance %d would), so that they "
        "may be %d persons: if persons were given new names in another delivery or at another "
        "site, write one for each into a column (pandas: table['person'] = table.groupby(%s)['%s']"
        ".transform('first').fillna(table['%s'])) and set dataset.patient_column=person, or they "
        "stand on several sides",
        sum(same),
        len(of_patient),
        name,
        f" and '{sex}'" if sex else "",
        round(2 * chance),
        len(persons),
        [name, sex] if sex else [name],
        chosen,
        chosen,
    )


def _births(patients: Sequence[str], columns: Mapping[str, Sequence[str]]) -> str:
    """The column of days of birth, by its name, or as its days are; empty if there is none."""
    days: dict[str, list[datetime.date | None]] = {}
    for name, cells in columns.items():
        different = {cell for cell in cells if not is_missing(cell)}
        if different and all(map(day_of, different)):
            read = {cell: day_of(cell) for cell in different}
            days[name] = [read.get(cell) for cell in cells]
    named = [name for name in days if _BIRTH & set(words_in(name))]
    return next(iter([*named, *(name for name in days if _as_births(name, days, patients))]), "")


def _as_births(
    name: str, days: Mapping[str, Sequence[datetime.date | None]], patients: Sequence[str]
) -> bool:
    """Whether days are of many years, one for each patient, and before those of other columns."""
    told: dict[str, set[datetime.date]] = defaultdict(set)
    for patient, day in zip(patients, days[name], strict=True):
        if day is not None:
            told[patient].add(day)
    years = [day.year for its in told.values() for day in its]
    later = all(
        one is None or two is None or one < two
        for other in days
        if other != name
        for one, two in zip(days[name], days[other], strict=True)
    )
    single = all(len(its) == 1 for its in told.values())
    return single and later and max(years) - min(years) >= _GENERATION


def _pairs_by_chance(persons: Counter[tuple[datetime.date, str]]) -> float:
    """How many pairs of patients would share day of birth and sex, by patients with each."""
    patients, chance = list(persons.elements()), 1.0
    ways = len(patients) * (len(patients) - 1) / 2
    for least, values in (
        (0, [str(day.year) for day, _ in patients]),
        (1 / 366, [f"{day.month}-{day.day}" for day, _ in patients]),
        (0, [sex for _, sex in patients]),
    ):
        pairs = sum(count * (count - 1) / 2 for count in Counter(values).values())
        chance *= max(pairs / max(ways, 1), least)
    return ways * chance
