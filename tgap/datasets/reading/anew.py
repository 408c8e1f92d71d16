"""Patients' numbers that begin anew in each label, so that two persons have one."""

import logging
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from tgap.datasets.reading.alike import is_missing, number
from tgap.datasets.reading.doubtful import words_in
from tgap.datasets.reading.notes import first

log = logging.getLogger(__name__)
FEWEST = 3
YEARS = 20
"""Ages of one person are hardly so far apart."""
SHARE = 0.2
"""And not of so many of the patients with several ages."""
CHANCE = 1000
"""Numbers are consecutive from 1 on in a label by chance in one of so many ways, or fewer."""
_AGE = frozenset("age alter edad eta età idade leeftijd wiek yas yaş ålder alder ikä âge".split())


def tell_of_new_numbers(
    patients: Sequence[str],
    labels: Sequence[Sequence[str]],
    columns: Mapping[str, Sequence[str]],
    names: tuple[str, str],
) -> None:
    """Warn of patients who are of two ages, or counted from 1 on in each label.

    Persons with both labels (two eyes) are counted once, so that the numbers of one label have
    gaps, or are the same as the other's.

    Args:
        patients: The patient of each image.
        labels: The labels of each.
        columns: What else is known of it.
        names: What the columns of labels and patients are called; for folders the former is empty.
    """
    of_label: dict[str, set[str]] = defaultdict(set)
    for patient, its in zip(patients, labels, strict=True):
        of_label["|".join(its)].add(patient)
    why = _two_ages(patients, columns) or _counted_anew(of_label)
    if not why:
        return
    label, patient = names
    joined = (
        f"join label and number to one column (pandas: table['person'] = table['{label}'].astype("
        f"str) + '-' + table['{patient}'].astype(str)) and set dataset.patient_column=person"
        if label and patient
        else "let the group of dataset.patient_pattern hold the label too"
    )
    log.warning(
        "%s: if the same number is another person in each label (cases and controls counted from 1 "
        "on, each by itself), %s; else correct them",
        why,
        joined,
    )


def _two_ages(patients: Sequence[str], columns: Mapping[str, Sequence[str]]) -> str:
    """What columns of ages say that one person cannot have; empty if nothing."""
    for column, cells in columns.items():
        if _AGE.isdisjoint(words_in(column)):
            continue
        ages: dict[str, list[float]] = defaultdict(list)
        for patient, cell in zip(patients, cells, strict=True):
            if not is_missing(cell) and (value := number(cell)) is not None:
                ages[patient].append(float(value))
        several = [patient for patient, its in ages.items() if len(its) > 1]
        apart = [name for name in several if max(ages[name]) - min(ages[name]) > YEARS]
        if len(apart) >= max(FEWEST, SHARE * len(several)):
            told = [f"{name!r} ({min(ages[name]):g} and {max(ages[name]):g})" for name in apart]
            return (
                f"{len(apart)} of {len(ages)} patients have ages more than {YEARS} years apart, by "
                f"'{column}', such as {first(told, most=3)}"
            )
    return ""


def _counted_anew(of_label: Mapping[str, set[str]]) -> str:
    """Whether patients of each label are the numbers from 1 on, fewer in one label than another."""
    counts = {}
    for label, its in of_label.items():
        numbers = {number(patient) for patient in its}
        if numbers != set(map(str, range(1, len(its) + 1))):
            return ""
        counts[label] = len(its)
    if len(counts) < 2 or min(counts.values()) < FEWEST:
        return ""
    least, most = min(counts.values()), max(counts.values())
    if math.comb(most, least) < CHANCE:
        return ""
    told = [f"{label} has {count}" for label, count in counts.items()]
    return f"the patients of each label are numbers from 1 on without a gap ({first(told)})"
