"""Folders of which two levels may be the labels."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from tests.corpus.case import Case
from tests.corpus.folders import put_each
from tests.corpus.making import grey, put, put_folders, put_table

WORDS = ("dataset=image_folder", "dataset.domain=x")
OPEN = "(hold folders of the same names|are persons by their names)"


def _persons(
    root: Path,
    called: Callable[[int], str] = "Pat{}K_19{}0".format,
    lacking: Callable[[int, int], bool] = lambda person, kind: False,
) -> None:
    """A folder for each of nine persons, and three images in each of their labels' folders."""
    for person in range(9):
        for kind, label in enumerate(("normal", "adenoma")):
            for number in range(0 if lacking(person, kind) else 3):
                name = f"{(person * 77 + kind * 31 + number) * 7919 % 9973:x}z.png"
                put(root / called(person) / label / name, grey(kind, person * 9 + number))


def _some(person: int, kind: int) -> bool:
    return person % 3 == 2 - kind


def _parts(root: Path, **folders: str) -> None:
    """A split whose parts hold labels of these names, with a blank between."""
    put_each(root, {f"{part}/{label}": 8 for part, its in folders.items() for label in its.split()})


def _exported(root: Path) -> None:
    """A split without folders of labels, and a table in each part."""
    for part in ("train", "valid"):
        put_folders(root, (part,), count=6)
        put_table(root / part, ["filename,a,b", "0.png,1,0"], "_classes.csv")


def called_by_letters(person: int) -> str:
    """A name that says nothing of persons."""
    return "".join("bdfgklmnr"[(person * step) % 9] + "aeiou"[person % 5] for step in (1, 2, 4))


_NOT_LABELS: tuple[tuple[str, Mapping[str, int]], ...] = (
    ("of days, other ones each", {"cat/monday": 8, "cat/friday": 8, "dog/sunday": 8, "dog/may": 8}),
    ("of one day", {"cat/monday": 8, "dog/monday": 8, "owl/monday": 8}),
    (
        "of persons, two of whom have both",
        {**{f"cat/{n:03}x": 2 for n in range(8)}, **{f"dog/{n:03}x": 2 for n in range(6, 14)}},
    ),
    ("one of a day that others have", {"cat/a": 8, "dog/a": 5, "dog/b": 5, "dog/c": 5}),
)
CASES = (
    *(
        Case(
            name=f"a folder for each person above those of labels, {how}",
            make=partial(_persons, called=called, lacking=lacking),
            words=WORDS,
            refused=True,
            tells=(tell, r"dataset.label_level=2.*\"dataset.patient_pattern='\^\(\[\^/\]\+\)/'\""),
            untold=("take at least 3 images",),
        )
        for how, called, lacking, tell in (
            ("called so", "patient_{:02}".format, lambda person, kind: False, "are persons by"),
            (
                "some without a label",
                lambda n: f"Pat{'ABCDEFGHI'[n]}K_19{n}0",
                _some,
                "are persons by their names",
            ),
            ("of one label each", "P{}".format, lambda n, kind: n % 2 == kind, "of the same names"),
            ("by letters", called_by_letters, _some, "hold folders of the same names"),
        )
    ),
    Case(
        name="a folder for each person above those of labels, level said",
        make=partial(_persons, called="P{}".format),
        words=(*WORDS, "dataset.label_level=2"),
        tells=(r"54 images seem to be of 9 patients.*patient_pattern='\^\(\[\^/\]\+\)/'",),
    ),
    Case(
        name="a folder for each site above those of labels, level said",
        make=partial(put_each, counts={f"{s}/{x}": 16 for s in "ABC" for x in ("cat", "dog")}),
        words=(*WORDS, "dataset.label_level=2"),
        untold=("seem to be of",),
    ),
    Case(
        name="a folder for each person and no labels",
        make=partial(put_folders, folders=[f"subject {n}" for n in range(4)], count=5),
        words=WORDS,
        refused=True,
        tells=("are persons by their names, and no labels; name a table",),
    ),
    Case(
        name="persons as labels, as said",
        make=partial(put_folders, folders=[f"subject {n}" for n in range(3)], count=5),
        words=(*WORDS, "dataset.label_level=1"),
        untold=(OPEN,),
    ),
    Case(
        name="the same persons below both labels",
        make=partial(
            put_each,
            counts={f"{x}/patient_{n:02}": 2 for x in ("cat", "dog") for n in range(8)},
            name="{}a.png",
        ),
        words=WORDS,
        tells=(r"32 images seem to be of 8 patients.*patient_pattern='\[\^/\]\+/\(",),
        untold=(OPEN,),
    ),
    *(
        Case(
            name=f"parts of a split in {language}",
            make=partial(_parts, **dict.fromkeys(parts, "sain malade")),
            words=(*WORDS, "dataset.official_split=true"),
            tells=("label malade +16", "label sain +16"),
        )
        for language, parts in (
            ("French", ("apprentissage", "essai")),
            ("German", ("Trainingsdaten", "Prüfdaten")),
            ("Italian", ("addestramento", "prova")),
            ("Portuguese", ("treino", "teste")),
        )
    ),
    Case(
        name="parts of a split in Spanish",
        make=partial(_parts, entrenamiento="a b", validación="a b", prueba="a b"),
        words=WORDS,
        tells=(r"the first folders are parts of a split.*official_split=true keeps prueba/",),
    ),
    *(
        Case(
            name=f"a label that {where} call in two ways",
            make=partial(_parts, **folders),
            words=WORDS,
            refused=True,
            tells=(tell, r"dataset\.label_level=2"),
        )
        for where, folders, tell in (
            (
                "parts of a split",
                {"train": "sain malade", "essai": "sain malades"},
                r"call a label in two ways, as it seems: malades? \((train|essai)\) and malade",
            ),
            (
                "folders of unknown names",
                {"north": "sain malade", "south": "sain malades"},
                "hold folders of the same names .malade, malades, sain.",
            ),
            (
                "folders that share half of theirs",
                {"north": "sain malade", "south": "sain cancer"},
                "hold folders of the same names .sain.",
            ),
        )
    ),
    *(
        Case(
            name=f"folders below the labels', {how}",
            make=partial(put_each, counts=counts),
            words=WORDS,
            untold=(OPEN,),
        )
        for how, counts in _NOT_LABELS
    ),
    Case(
        name="tables in the parts of a split",
        make=_exported,
        words=WORDS,
        refused=True,
        tells=(
            r"tables lie there \(train/_classes.csv, valid/_classes.csv\): if they have the "
            "labels, let dataset.path end with /train/_classes.csv",
        ),
    ),
)
