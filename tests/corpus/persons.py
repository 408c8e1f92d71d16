"""Patients of a table who are fewer persons than it says."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.corpus.case import Case
from tests.corpus.making import grey, put, put_table

WORDS = ("dataset=image_folder", "dataset.domain=x", "dataset.table=labels.csv")
COARSER = "hold several of them"
BIRTHS = "as another one"


def put_persons(root: Path, head: str, cells: Callable[[int], str]) -> None:
    """Sixty images of two labels, and what a table says of each by its number."""
    rows = [f"{n}.png,{'ab'[n // 2 % 2]},{cells(n)}" for n in range(60)]
    for n in range(60):
        put(root / f"{n}.png", grey(n // 2 % 2, n))
    put_table(root, [f"file,label,{head}", *rows])


def number(n: int) -> int:
    """A number of seven digits that says nothing."""
    return (n * 7919 + 1234) % 9973 * 1009 + 10**6


def born(n: int) -> str:
    """A day that says nothing."""
    return f"{number(n) % 28 + 1:02d}.{number(n) % 11 + 1:02d}.{1930 + number(n) % 53}"


CASES = (
    *(
        Case(
            name=f"visits for patients beside {head}",
            make=partial(put_persons, head=f"accession,{head}", cells=cells),
            words=(*WORDS, "dataset.patient_column=accession"),
            tells=(
                rf"- Patients are the {count} values of 'accession', but '{head}' has {of} only, "
                rf"{of} of which hold several.*set \"dataset.patient_column='{head}'\"",
            ),
        )
        for head, cells, count, of in (
            ("subject_id", lambda n: f"{number(n)},{number(1000 + n // 4)}", 60, 15),
            ("person", lambda n: f"{number(n // 2)},K{n // 4}", 30, 15),
            ("proband", lambda n: f"{number(n)},{n // 3}", 60, 20),
            ("pseudonym", lambda n: f"{number(n)},{number(1000 + n // 3)}", 60, 20),
            ("who", lambda n: f"{number(n)},X{number(1000 + n // 3)}", 60, 20),
        )
    ),
    *(
        Case(
            name=f"patients beside {head}",
            make=partial(put_persons, head=f"patient,{head}", cells=cells),
            words=(*WORDS, "dataset.patient_column=patient"),
            untold=(COARSER, BIRTHS),
        )
        for head, cells in (
            ("site_id", lambda n: f"{number(n // 2)},S{1000 + n // 12}"),
            ("scanner", lambda n: f"{number(n // 2)},GE-{1000 + n // 10}"),
            ("age", lambda n: f"{number(n // 2)},{40 + n // 6}"),
            ("weight", lambda n: f"{number(n // 2)},{60 + n // 6}.5"),
            ("dose", lambda n: f"{number(n // 2)},{1200 + n // 6}"),
            ("patient_age", lambda n: f"{number(n // 2)},{40 + n // 6}"),
            ("taken", lambda n: f"{number(n // 2)},2021-03-{n // 6 + 1:02d}"),
            ("accession", lambda n: f"{number(n // 4)},{number(1000 + n // 2)}"),
            ("family_id", lambda n: f"{number(n // 2)},F{1000 + n // 4}"),
        )
    ),
    *(
        Case(
            name=f"patients of two deliveries, {head}, {how}",
            make=partial(put_persons, head=f"patient,delivery,{head}", cells=cells),
            words=(*WORDS, "dataset.patient_column=patient"),
            tells=(
                rf"- {count} of {count} patients have the same '{name}'.*by chance [01] would.*be "
                rf"{count // 2} persons.*groupby\(\['{name}'.*\]\)\['patient'\]",
            ),
            untold=(rf"{BIRTHS}.*\.19\d\d",),
        )
        for head, how, name, count, cells in (
            (
                "birth_date,sex",
                "days",
                "birth_date",
                60,
                lambda n: f"{number(n)},{n % 2},{born(n // 2)},{'MF'[n // 2 % 2]}",
            ),
            (
                "x",
                "days that are called in no way",
                "x",
                30,
                lambda n: f"{number(n // 2)},{n // 2 % 2},{born(n // 4)}",
            ),
        )
    ),
    *(
        Case(
            name=f"patients of one delivery each, {how}",
            make=partial(put_persons, head="patient,birth_date,sex", cells=cells),
            words=(*WORDS, "dataset.patient_column=patient"),
            untold=(BIRTHS,),
        )
        for how, cells in (
            ("born on other days", lambda n: f"{number(n // 2)},{born(n // 2)},M"),
            ("years alone", lambda n: f"{number(n // 2)},{1930 + n // 12},M"),
            ("days left out", lambda n: f"{number(n // 2)},{1930 + n // 12}-01-01,M"),
            ("twins", lambda n: f"{number(n // 2)},{born(n // 4 if n < 8 else n)},M"),
        )
    ),
)
