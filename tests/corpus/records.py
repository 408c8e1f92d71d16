"""Records of patients that columns and names tell of, whatever the language."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.corpus.case import Case
from tests.corpus.making import grey, put
from tests.corpus.persons import number, put_persons

WORDS = ("dataset=image_folder", "dataset.domain=x")
TABLE = (*WORDS, "dataset.table=labels.csv")
ROOT = "1.2.826.0.1.3680043.8.498"


def _uids(root: Path, parts: Callable[[int], str]) -> None:
    for n in range(36):
        put(root / "ab"[n // 3 % 2] / f"{ROOT}.{parts(n)}.png", grey(n // 3 % 2, n))


def _record(form: str, n: int) -> str:
    """A number for each three images."""
    return f"{form}{number(n // 3)}"


def _one_to(count: int, most: int) -> Callable[[int], str]:
    """Label a has patients from 1 to ``count``, label b from 1 to ``most``."""
    return lambda n: str((n // 4 * 2 + n % 2) % (most if n // 2 % 2 else count) + 1)


CASES = (
    *(
        Case(
            name=f"records in a column, {head}",
            make=partial(put_persons, head=head, cells=partial(_record, form)),
            words=TABLE,
            tells=(rf"- Column '{head}' has 20 values over 60 images, and seems to name pat",),
        )
        for head, form in (
            ("dossier", ""),
            ("Fallnummer", "F"),
            ("NHC", ""),
            ("Patientennr.", ""),
            ("record", ""),
            ("x", ""),
        )
    ),
    *(
        Case(
            name=f"no records in a column, {head}",
            make=partial(put_persons, head=head, cells=cells),
            words=TABLE,
            untold=("seems to name patients or",),
        )
        for head, cells in (
            ("record", lambda n: str(number(n))),
            ("age", lambda n: str(40 + n // 3)),
            ("dose", lambda n: str(number(n // 3))),
            ("x", lambda n: str(1000 + n // 3)),
            ("site", lambda n: str(number(n // 20))),
        )
    ),
    *(
        Case(
            name=f"numbers of patients in both labels, {how}",
            make=partial(put_persons, head=head, cells=cells),
            words=TABLE,
            **told,
        )
        for how, head, cells, told in (
            (
                "of two ages",
                "patient,age",
                lambda n: f"{n // 4 + 1},{30 + n // 2 % 2 * 40 + n // 4}",
                {
                    "tells": (
                        "15 of 15 patients have ages more than 20 years apart, by 'age'.*"
                        r"table\['label'\].astype\(str\) \+ '-' \+ table\['patient'\]",
                    )
                },
            ),
            (
                "of one age",
                "patient,age",
                lambda n: f"{n // 4 + 1},{30 + n // 4}",
                {"untold": ("another person in each label",)},
            ),
            (
                "complete in each",
                "patient",
                _one_to(8, 15),
                {"tells": (r"from 1 on without a gap \(a has 8, b has 15\)",)},
            ),
        )
    ),
    *(
        Case(name=f"UIDs for names, {how}", make=partial(_uids, parts=parts), words=WORDS, **told)
        for how, parts, told in (
            (
                "of studies",
                lambda n: f"{number(n // 3)}.{n % 2 + 1}.{number(n) % 397}",
                {"tells": ("36 images seem to be of 12 patients.*patient_pattern=",)},
            ),
            ("each of its own", lambda n: f"{number(n)}.1.1", {"untold": ("seem to be of",)}),
        )
    ),
)
