"""Columns that seem to hold numbers of patients or records, and are not used."""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence

from tgap.core.words import quoted
from tgap.datasets.reading.alike import filled
from tgap.datasets.reading.patients import FEWEST, SMALL

_WHO = (
    "patient pat subject sujet sujeto soggetto sujeito participant proband probanden teilnehmer "
    "versuchsperson vp person individual case casus fall cas caso paciente paziente patienten "
    "pacjent pacient hasta potilas utente utilisateur record medicalrecord medrec chart file "
    "dossier dossiers akte akten historia historiaclinica expediente cartella cartellaclinica "
    "prontuario processo episodio clinicalrecord hospital animal mouse souris raton"
)
_WHAT = "id nr no num number numero nummer code codigo codice key uid uuid n"
_ALONE = "nhc hn uhid mrn mrno crno ipp nip nda pid ssn bsn pesel nosologico fallnr hospitalno"
_PLACES = frozenset(("file", "hospital", "record"))  # another thing unless a number follows
_CALLED = frozenset(
    {*_ALONE.split(), "record", "recordno"}
    | {f"{who}{what}" for who in _WHO.split() for what in _WHAT.split()}
    | {f"{what}{who}" for who in _WHO.split() for what in _WHAT.split()}
    | {f"{what}de{who}" for who in _WHO.split() for what in _WHAT.split()}
    | (set(_WHO.split()) - _PLACES)
)
_NUMBER = re.compile(r"[^\W\d]{0,4}[-_ ]?(\d{4,})", re.ASCII)
EQUAL, SPARSE = 0.8, 0.1
"""So many values have as many images as the usual one, and are so few of those between."""
_MEASURES = re.compile(
    r"age|year|height|weight|bmi|size|score|width|pixel|date|time|dose|count|zip|postal"
)


def column_of_records(columns: Mapping[str, Sequence[str]]) -> str:
    """What is to be told of a column that may name patients; empty if there is none.

    It is called as patients or records are in some language, or its values are large numbers that
    lie far apart and (nearly) all have as many images.

    Args:
        columns: N cells by column, of those that are not used.
    """
    found: dict[str, int] = {}
    for name, cells in columns.items():
        counts = Counter(filter(None, filled(cells)))
        alone = sum(count == 1 for count in counts.values())
        few = len(counts) < FEWEST or len(cells) > SMALL * len(counts)
        if few or 2 * alone > counts.total():
            continue
        if _plain(name) in _CALLED or (not _MEASURES.search(_plain(name)) and _as_ids(counts)):
            found[name] = len(counts)
    if not found:
        return ""
    name = min(found, key=lambda each: (_plain(each) not in _CALLED, found[each]))
    return (
        f"column '{name}' has {found[name]} values over {len(columns[name])} images, and seems to "
        "name patients or their records: if so, set "
        f'"dataset.patient_column={quoted(name)}", so that images of one stay together; if not, '
        "set dataset.patient_column= (empty)"
    )


def _as_ids(counts: Counter[str]) -> bool:
    """Whether values are large numbers, far apart, with as many images each."""
    numbers = [int(match[1]) for value in counts if (match := _NUMBER.fullmatch(value))]
    usual = Counter(counts.values()).most_common(1)[0]
    return (
        len(numbers) == len(counts)
        and usual[0] > 1
        and usual[1] >= EQUAL * len(counts)
        and len(counts) < SPARSE * (max(numbers) - min(numbers))
    )


def _plain(name: str) -> str:
    """A column's name in lower case, without accents, blanks and marks."""
    text = unicodedata.normalize("NFKD", name.casefold())
    return re.sub(r"[^a-z0-9]", "", "".join(c for c in text if not unicodedata.combining(c)))
