"""How people's tables name files, labels and patients."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from tests.corpus.case import Case
from tests.corpus.folders import counts, untold
from tests.corpus.making import grey, put, put_folders, put_table
from tgap.core import ImageSet

WORDS = ("dataset=image_folder", "dataset.domain=x", "dataset.table=labels.csv")
PATIENTS = (*WORDS, "dataset.patient_column=patient")
COUNT = 10
FILES = [f"{label}/{number}.png" for label in ("cat", "dog") for number in range(COUNT)]


def put_named(
    root: Path,
    name: Callable[[str], str] = str,
    label: Callable[[int, str], str] = lambda row, file: file[:3],
    head: str = "file,label",
    rest: Sequence[str] = (),
) -> None:
    """Twenty images and a table that names them.

    Args:
        root: Folder.
        name: What the table calls a file.
        label: The label's cell of a row.
        head: The header line.
        rest: What stands behind the label in each row, the rows' cells being repeated.
    """
    put_folders(root, count=COUNT)
    tails = [f",{rest[row % len(rest)]}" if rest else "" for row in range(len(FILES))]
    rows = [f"{name(file)},{label(row, file)}{tails[row]}" for row, file in enumerate(FILES)]
    put_table(root, [head, *rows])


def _accents(root: Path) -> None:
    """Files as a Mac names them, a table as everybody else does."""
    put_folders(root, [unicodedata.normalize("NFD", name) for name in ("grün", "rot")], COUNT)
    put_table(
        root, ["file,label", *(f"{x}/{n}.png,{x}" for x in ("grün", "rot") for n in range(COUNT))]
    )


def _semicolons(root: Path) -> None:
    put_folders(root, count=COUNT)
    rows = ["file;label;age;", *(f"{file};{file[:3]};60;" for file in FILES)]
    (root / "labels.csv").write_text("\r\n".join(rows), encoding="utf-16")


def _ansi(root: Path, head: str, encoding: str = "cp1252") -> None:
    put_folders(root, count=COUNT)
    rows = [f"{file};{'größer' if file[0] == 'c' else 'kleiner'}" for file in FILES]
    text = head + "\r\n".join(["file;label", *rows])
    (root / "labels.csv").write_bytes(text.encode(encoding))


def _excel(root: Path) -> None:
    put_folders(root, count=COUNT)
    (root / "labels.xlsx").write_bytes(b"PK\x03\x04")


def ten_patients(data: ImageSet) -> None:
    assert len(np.unique(data.patients)) == 10


def _no_label(data: ImageSet) -> None:
    assert data.label_counts() == {"cat": 10, "dog": 8}
    assert int((~data.labels.any(axis=1)).sum()) == 2


def _each(cells: Iterable[str]) -> Callable[[int, str], str]:
    """Labels by row: those given for the first rows, the folder's for the others."""
    given = dict(enumerate(cells))
    return lambda row, file: given.get(row, file[:3])


def _metadata(data: ImageSet) -> None:
    assert np.isnan(data.metadata["age"]).sum() == 10
    assert set(data.metadata["view"]) == {"PA", "pa"}
    assert set(data.metadata["site"]) == {"", "B"}


ALIKE = [cell for n in range(5) for cell in (f"{n}", f"{n}.0", f"0{n}", f"{n}")]
NOBODY = [f"p{n}" if n % 3 else "999" for n in range(20)]
TWICE = [f"p{n}" for n in range(10)]


def put_rows(root: Path, *cells: str) -> None:
    """A table whose cells of labels are repeated."""
    put_named(root, label=lambda row, file: cells[row % len(cells)])


def _joined(root: Path, joint: str) -> None:
    put_rows(root, "cat", "dog", "cat", f"cat{joint}dog")


def _beside(root: Path, label: str) -> None:
    put_rows(root, "cat", "dog", "cat", label)


def _header(root: Path, head: str, between: str = ",") -> None:
    put_folders(root, count=COUNT)
    put_table(root, [*head.splitlines(), *(f"{file}{between}{file[:3]}" for file in FILES)])


def _index(root: Path, index: str = "{}") -> None:
    """Pandas' index is what names the files."""
    put_named(root, index.format, head=",label,age", rest=["61"])


def _two_separators(root: Path, first: str, *, again: int) -> None:
    """Most cells name one label, some both, with one joint or another between them."""
    cells = ["cat", "dog", first, *["cat", "dog"] * again, "cat|dog"]
    put_rows(root, *cells)


def _held_back(root: Path) -> None:
    """Forty images of two labels, and twenty others with a dummy, as in a sample submission."""
    rows = [f"train/{n}.png,{n % 2}" for n in range(40)] + [f"test/{n}.png,0" for n in range(20)]
    for n, row in enumerate(rows):
        put(root / row.partition(",")[0], grey(n % 2, n))
    put_table(root, ["file,label", *rows])


def _long(root: Path) -> None:
    put_folders(root, count=COUNT)
    put_table(root, ["file,label", "cat/1.png,dog", *(f"{file},{file[:3]}" for file in FILES)])


def _numbered(root: Path, name: str) -> None:
    """Files of six digits, and what a tool has made of them."""
    for label, folder in enumerate(("cat", "dog")):
        for number in range(COUNT):
            put(root / folder / f"{label}{number:05d} x.png", grey(label, number))
    names = [(x, f"{k}{n:05d}") for k, x in enumerate(("cat", "dog")) for n in range(COUNT)]
    rows = [f"{name.format(x, int(n), n)},{x}" for x, n in names]
    put_table(root, ["file,label", *rows])


JOINED = (
    (";", r"labels 'cat;dog' \(5 images\) seem to be several.*\"dataset.separator=';'\""),
    ("/", "dataset.separator='/'"),
    (" and ", "dataset.separator=' and '"),
)
NONE = {
    "unknown": "label 'unknown' of 5 images often means that nobody knows",
    "not labeled": "label 'not labeled' of 5 images often",
    **{
        name: f"label '{name}' of 5 images often"
        for name in ("n.a.", "n.d.", "n/d", "k.A.", "k. A.", "tbd", "unbekannt")
    },
    "Ambiguous": "label 'Ambiguous' of 5 images often means that nobody knows",
    "UNK": "label 'UNK' of 5 images often",
    ".": "label '.' of 5 images often",
    "04-Mar": "label '04-Mar' of 5 images is a date that a spreadsheet may have made",
}
NUMBERED = {
    "web addresses": "https://x.org/y/{2}%20x.png?key=a",
    "%20": "{0}/{2}%20x.png",
    "leading zeros cut off": "{0}/{1} x.png",
}


def _cells(root: Path, cells: str) -> None:
    put_rows(root, *cells.split())


def _rows_twice(root: Path, row: str, head: str = "file,label,x") -> None:
    """Two rows of each file, which differ."""
    put_folders(root, count=COUNT)
    rows = [f"{file},{row.format(file[:3], n)}" for file in FILES for n in range(2)]
    put_table(root, [head, *rows])


CHEST = ("No Finding", "Effusion|Edema", "Pneumothorax|Effusion", "Edema|Pneumothorax")
NEAR = {
    "effusion effusions": "'effusion' .5 images. and 'effusions' .5 images.; if they mean the same",
    "carcinoma carcinom": r"nearly alike: 'carcinoma' \(5 images\) and 'carcinom' \(5 images\)",
    "NoFinding No-Finding": "nearly alike: 'NoFinding' .* and 'No-Finding' .*dataset.labels=",
    "tumour tumor": "nearly alike: 'tumour' .* and 'tumor' ",
}
SAME = {
    "edema edema?": r"the same: 'edema' \(10 images\) and 'edema\?' \(10 images\)",
    '0.5 "0,5" 1': r"the same: '0.5' \(7 images\) and '0,5' \(7 images\)",
    "yes ja no nein": r"the same: 'yes' .* and 'ja' .*, 'no' .* and 'nein'",
    "True 1 false FALSE": r"the same: 'True' .* and '1' .*, 'false' .* and 'FALSE'",
    "pos positive neg negative": r"the same: 'pos' .* and 'positive' .*, 'neg' .* and 'negative'",
}
CHOOSING = {
    "exclude": (
        ["1", *["0"] * 9],
        "column 'exclude' is not used.* '0' of 18 rows and '1' of 2 rows",
    ),
    "is_valid": (
        ["yes", *["no"] * 9],
        "column 'is_valid' is not used.*leave them out of the table",
    ),
    "QC flag": (["bad", *[""] * 9], "'QC flag' is not used.* nothing of 18 rows and 'bad' of 2"),
    "fold": (["0", "1", "2"], r"column 'fold' seems to divide the images \(0, 1, 2\), and is not"),
}

FAILED = ("#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NULL!", "#NUM!")
TEN = [f"{n:03d}" for n in range(10)]


def put_bare(root: Path, batch: bool, labels: Sequence[str] = ("cat", "dog")) -> None:
    """Files of two folders with the same names, which a table names without folders."""
    put_folders(root, ("batch1", "batch2"), COUNT)
    rows = [
        f"{number}.png,{labels[number % 2]}" + f",batch{folder}" * batch
        for folder in (1, 2)
        for number in range(COUNT)
    ]
    put_table(root, ["file,label" + ",batch" * batch, *rows])


def put_eyes(root: Path, bare: bool) -> None:
    """Numbered files of two folders, in a table that a tool has cut the leading zeros from."""
    rows = []
    for label, eye in enumerate(("left", "right")):
        for number in range(1, 21):
            put(root / eye / f"{number:04}.png", grey(label, number))
            rows.append(f"{'' if bare else f'{eye}/'}{number}.png,{'ab'[number % 2]},{eye}")
    put_table(root, ["file,label,eye", *rows])


def put_flags(root: Path, names: str = "cat,dog") -> None:
    put_folders(root, count=COUNT)
    rows = [f"{file},{float(file[0] == 'c')},{float(file[0] == 'd')}" for file in FILES]
    put_table(root, [f"file,{names}", *rows])


def put_moved(root: Path, by: int, folder: str = "PAT{:03d}") -> None:
    """Four images in each patient's folder, and a table whose patients are moved by some rows."""
    names = [folder.format(n // 4) for n in range(40)]
    files = [f"{names[n]}/img{n % 4}.png" for n in range(40)]
    for n, file in enumerate(files):
        put(root / file, grey(n // 4 % 2, n))
    rows = [f"{file},{'ab'[n // 4 % 2]},{names[max(n - by, 0)]}" for n, file in enumerate(files)]
    put_table(root, ["file,label,patient", *rows])


def put_said(root: Path, right: int) -> None:
    """Names that say the label, and a table whose label column is sorted behind some rows."""
    labels = ["normal", "virus"] * 20
    files = [f"person{n}_{label}_{n}.png" for n, label in enumerate(labels)]
    for n, file in enumerate(files):
        put(root / file, grey(n % 2, n))
    said = labels[:right] + sorted(labels[right:])
    put_table(root, ["file,label", *(f"{file},{x}" for file, x in zip(files, said, strict=True))])


def put_sites(root: Path, head: str, cell: Callable[[int], str]) -> None:
    """Ten patients of two images each, and what a column says of each image."""
    put_named(
        root, head=f"file,label,patient,{head}", rest=[f"{n % 10 + 1},{cell(n)}" for n in range(20)]
    )


VISITS = {
    "MS{:02d}_V{}": "'MS01_V1' and 'MS01_V2'",
    "sub-{:02d}_ses-{:02d}": "'sub-01_ses-01' and",
    "P{}.visit{}": "'P1.visit1' and",
    "P{}_2021030{}": "'P1_20210301' and",
}

CASES = (
    *(
        Case(
            name=f"patients that count visits: {how}",
            make=partial(
                put_named,
                head="file,label,patient",
                rest=[how.format(n // 2 + 1, n % 2 + 1) for n in range(20)],
            ),
            words=PATIENTS,
            tells=(
                f"- 20 patients are called alike but for a last part .*{told}",
                "without it there are 10: if it counts visits",
            ),
        )
        for how, told in VISITS.items()
    ),
    *(
        Case(
            name=f"patients that count no visits: {ids[0]}",
            make=partial(put_named, head="file,label,patient", rest=ids),
            words=PATIENTS,
            untold=("called alike",),
        )
        for ids in (
            [f"NIH-{n:04d}" for n in range(20)],
            [f"{'AB'[n % 2]}_{n // 2 + 1}" for n in range(20)],
            [f"{n // 2 + 1:02d}-{n % 2 + 1:03d}" for n in range(20)],
            [f"{n // 2 + 1:02d}-{n % 2 + 101}" for n in range(20)],
            [f"ad{'abcdefghij'[n // 2]}_{('ann', 'bo')[n % 2]}" for n in range(20)],
        )
    ),
    Case(
        name="patients that differ in leading zeros",
        make=partial(
            put_named,
            head="file,label,patient",
            rest=[f"P{n % 10 + 1:0{n // 10 * 2 + 1}d}" for n in range(20)],
        ),
        words=PATIENTS,
        tells=("- 'patient' holds patients .* leading zeros.*: 'P1' on line 2 and 'P001' on line",),
    ),
    Case(
        name="patients with decimals and zeros that count",
        make=partial(
            put_named, head="file,label,patient", rest=["P2.05", "P2.5", "P10", "P100", "P20", "P2"]
        ),
        words=PATIENTS,
        untold=("leading zeros",),
    ),
    Case(
        name="patients that differ in marks between letters and digits",
        make=partial(
            put_named,
            head="file,label,patient",
            rest=["AB-1940", "AB1940", "AB 1940", "1-12", "11-2", *TWICE],
        ),
        words=PATIENTS,
        tells=(
            "blanks, marks or leading zeros; .*: 'AB-1940' on line 2 and 'AB1940' on "
            "line 3 and 'AB 1940' on l",
        ),
        untold=("11-2",),
    ),
    *(
        Case(
            name=f"one patient under one number in two {head}",
            make=partial(put_sites, head=head, cell=cell),
            words=PATIENTS,
            tells=(
                f"'{head}' has different values for {count} of 10 patients, such as '1' .{two}",
            ),
        )
        for head, cell, count, two in (
            ("site", lambda n: "AB"[n // 10], 10, "A, B"),
            ("Sex", lambda n: "F" if n == 10 else "M", 1, "M, F"),
            ("birth_date", lambda n: "1950" if n == 0 else "1940", 1, "1950, 1940"),
        )
    ),
    *(
        Case(
            name=f"one patient with one or several {head}",
            make=partial(put_sites, head=head, cell=cell),
            words=PATIENTS,
            untold=("different values",),
        )
        for head, cell in (
            ("site", lambda n: ("head", "arm", "leg", "arm")[(n + n // 10) % 4]),
            ("sex", lambda n: ("M", "m")[n // 10] if n % 2 else ""),
            ("age", str),
            ("hospital", lambda n: "AB"[n % 10 // 5]),
        )
    ),
    *(
        Case(
            name=f"the spreadsheet's error {error}",
            make=partial(
                put_named, label=_each([error]), head="file,label,age", rest=["61", error]
            ),
            words=WORDS,
            refused=True,
            tells=(f"'label' must not be an error of a spreadsheet.*got '{re.escape(error)}' on",),
            untold=("dataset.labels",),
        )
        for error in FAILED
    ),
    Case(
        name="a spreadsheet's errors for patients",
        make=partial(put_named, head="file,label,patient", rest=["p1", "#REF!", "p2", "p3"]),
        words=PATIENTS,
        refused=True,
        tells=("'patient' must not be an error of a spreadsheet.*'#REF!' on line 3",),
    ),
    Case(
        name="a spreadsheet's errors among ages",
        make=partial(put_named, head="file,label,age", rest=["61", "#VALUE!"]),
        words=WORDS,
        read=lambda data: np.testing.assert_array_equal(
            data.metadata["age"], np.tile([61, np.nan], 10)
        ),
    ),
    Case(
        name="bare names of two folders",
        make=partial(put_bare, batch=False),
        words=WORDS,
        refused=True,
        tells=(
            "cannot be used:\nfiles of 2 folders are called 0.png .batch1/0.png and batch2/0.png.: "
            "write the folder before each name",
        ),
    ),
    Case(
        name="bare names of two folders, which a column names",
        make=partial(put_bare, batch=True),
        words=WORDS,
        refused=True,
        tells=("called 0.png .*, and column 'batch' says which",),
        untold=("dataset.separator", "groupby"),
    ),
    Case(
        name="bare numbers of two folders, which a column names, without leading zeros",
        make=partial(put_eyes, bare=True),
        words=WORDS,
        refused=True,
        tells=("called 1.png .left/0001.png and right/0001.png., but for .* column 'eye' says wh",),
        untold=("dataset.separator", "groupby"),
    ),
    Case(
        name="numbers of two folders without leading zeros",
        make=partial(put_eyes, bare=False),
        words=WORDS,
        refused=True,
        tells=("40 of 40 would be found by the number, .*'left/1.png' -> 'left/0001.png'",),
    ),
    Case(
        name="a column per label",
        make=put_flags,
        words=WORDS,
        refused=True,
        tells=(
            r"no column 'label': the columns cat, dog seem to be a label each",
            r"table\['label'\] = table\[\['cat', 'dog'\]\].astype\(float\).eq\(1\)",
        ),
    ),
    Case(
        name="one of the columns per label",
        make=put_flags,
        words=(*WORDS, "dataset.label_column=cat"),
        tells=("- 'cat' is one label of several: the columns cat, dog seem",),
    ),
    Case(
        name="a table moved by one row",
        make=partial(put_moved, by=1),
        words=PATIENTS,
        tells=("9 of 40 paths seem to name another patient than .*: PAT001/img0.png .PAT000.",),
    ),
    Case(
        name="a table as its paths",
        make=partial(put_moved, by=0),
        words=PATIENTS,
        untold=("paths",),
        runs=True,
    ),
    Case(
        name="a table moved by as many rows as a patient has",
        make=partial(put_moved, by=4),
        words=PATIENTS,
        tells=("32 of 40 paths seem to name another patient",),
    ),
    Case(
        name="labels that are sorted by themselves from some row on",
        make=partial(put_said, right=20),
        words=WORDS,
        tells=("- 10 of 40 paths seem to name another label than is said of them: person21_virus",),
    ),
    Case(
        name="labels as in the names",
        make=partial(put_said, right=40),
        words=WORDS,
        untold=("paths",),
    ),
    *(
        Case(
            name=f"labels that are nearly alike: {cells}",
            make=partial(_cells, cells=f"{cells} nevus melanoma"),
            words=WORDS,
            tells=(tell,),
        )
        for cells, tell in NEAR.items()
    ),
    Case(
        name="labels with and without a hyphen, and numbers alone",
        make=partial(_cells, cells="BI-RADS_2 BIRADS_2 2 BI-RADS_4 4"),
        words=WORDS,
        tells=(r"'BI-RADS_2' .* and 'BIRADS_2' ", r"'2' .* and 'BI-RADS_2' "),
    ),
    Case(
        name="lists that pandas wrote as text",
        make=lambda root: put_named(
            root, label=lambda row, file: ("\"['edema', 'mass']\"", "['edema']")[row % 2]
        ),
        words=WORDS,
        tells=(
            r"labels \['edema', 'mass'\] .10 images., \['edema'\] .* lists that pandas wrote",
            r"column.map\(ast.literal_eval\).map\(lambda names: '\|'.join\(map\(str.strip, ",
        ),
        untold=("seem to be of 10 patients",),
    ),
    Case(
        name="several choices of an annotation tool",
        make=lambda root: put_named(
            root,
            label=lambda row, file: ('"{""choices"":[""cat"",""dog""]}"', file[:3])[row % 4 > 0],
        ),
        words=WORDS,
        tells=(
            r'abels {"choices":\["cat","dog"\]} \(. images\) are JSON as text.*with \'\|\' betw',
        ),
    ),
    Case(
        name="a test folder whose labels are held back",
        make=_held_back,
        words=WORDS,
        tells=(
            "- All 20 images below the test folder have label '0', and others have several: .*"
            r"leave these rows out of the table, or these images by \"dataset.exclude=\[test/\*\]",
        ),
    ),
    Case(
        name="a test folder whose labels are held back, left out",
        make=_held_back,
        words=(*WORDS, "dataset.exclude=[test/*]"),
        untold=("test folder",),
        read=counts(**{"0": 20, "1": 20}),
    ),
    Case(
        name="ages and lesions, which go with one label each",
        make=lambda root: put_named(
            root,
            head="file,label,age,lesion_id",
            rest=[f"{n // 5 + 40},L{n // 5}" for n in range(20)],
        ),
        words=WORDS,
        tells=("Column 'lesion_id' has 4 values over 20 images",),
        untold=("patient_column='age'", "or one of 'age'"),
    ),
    Case(
        name="Roman numbers",
        make=partial(_cells, cells="Grade_1 Grade_2 Grade_I Grade_II"),
        words=WORDS,
        tells=("'Grade_1' .* and 'Grade_I' .*, 'Grade_2' .* and 'Grade_II' ",),
    ),
    Case(
        name="patients of files that are found by their names alone",
        make=lambda root: put_named(
            root, str.upper, head="file,label,patient", rest=[f"p{n}" for n in range(10)]
        ),
        words=WORDS,
        refused=True,
        tells=("would be found",),
    ),
    Case(
        name="labels and their first letters",
        make=partial(_cells, cells="B M benign malignant"),
        words=WORDS,
        tells=(r"'B' \(5 images\) and 'benign' .*, 'M' \(5 images\) and 'malignant' ",),
    ),
    *(
        Case(
            name=f"labels that are the same: {cells}",
            make=partial(_cells, cells=cells),
            words=WORDS,
            refused=True,
            tells=(tell,),
        )
        for cells, tell in SAME.items()
    ),
    *(
        Case(
            name=f"a column {head} that is not used",
            make=partial(put_named, head=f"file,label,{head}", rest=rest),
            words=WORDS,
            tells=(tell,),
        )
        for head, (rest, tell) in CHOOSING.items()
    ),
    Case(
        name="nothing and something in a cell",
        make=partial(
            put_named,
            label=lambda row, file: (
                "No Finding|cat" if row == 3 else ["No Finding", "cat"][row % 2]
            ),
        ),
        words=WORDS,
        tells=(
            r"'No Finding' stands alone in 10 images and together with others, which seem to "
            r"contradict it, in 1: cat/3.png \(cat\); correct",
        ),
    ),
    Case(
        name="the same set of labels in another order",
        make=partial(_cells, cells="Edema/Effusion Effusion/Edema cat dog"),
        words=WORDS,
        tells=("'Effusion/Edema' .5 images. seem to be the same in another.*separator='/'",),
    ),
    Case(
        name="two rows of each file, with other labels",
        make=partial(_rows_twice, row="{0}{1},{1}"),
        words=WORDS,
        refused=True,
        tells=(
            r"lines 2 and 3 say different things of cat/0.png \(label, x\); so it is with 20 "
            r"files.*one row: if all hold, write an image's in one cell, with dataset.sep",
        ),
    ),
    Case(
        name="two rows of each file and patient",
        make=partial(_rows_twice, row="{0}{1},p", head="file,label,patient"),
        words=PATIENTS,
        refused=True,
        tells=(r"\.agg\(\{'label': lambda x: '\|'\.join\(.*\), 'patient': 'first'\}\)",),
    ),
    Case(
        name="two rows of each file, with other patients",
        make=partial(_rows_twice, row="{0}{1},p{1}", head="file,label,patient"),
        words=PATIENTS,
        refused=True,
        tells=(r"one row: correct the patients, or rename files",),
    ),
    Case(
        name="two rows of each file, with other boxes",
        make=partial(_rows_twice, row="{0},{1}"),
        words=WORDS,
        refused=True,
        tells=(r"of cat/0.png \(x\).*drop_duplicates\('file'\)\), or leave out the columns x",),
    ),
    Case(
        name="an ordinary table of chest X-rays",
        make=lambda root: put_named(
            root,
            label=lambda row, file: CHEST[row % 4],
            head="file,label,patient,view,age,drug_use",
            rest=[f"p{n},{'AP' if n % 3 else 'PA'},{50 + n},{n % 2}" for n in range(20)],
        ),
        words=PATIENTS,
        read=untold,
    ),
    *(
        Case(
            name=f"two labels in a cell, joined by {joint}",
            make=partial(_joined, joint=joint),
            words=WORDS,
            tells=(tell,),
        )
        for joint, tell in JOINED
    ),
    *(
        Case(
            name=f"the label {label}",
            make=partial(_beside, label=label),
            words=WORDS,
            tells=(tell,),
        )
        for label, tell in NONE.items()
    ),
    Case(
        name="999 among numbers",
        make=lambda root: put_rows(root, "0", "1", "0", "999"),
        words=WORDS,
        tells=("label '999' of 5 images stands beside numbers only",),
    ),
    Case(
        name="a hundred grades",
        make=lambda root: put_rows(root, "98", "99"),
        words=WORDS,
        read=counts(**{"98": 10, "99": 10}),
    ),
    Case(
        name="parts of a split in a column",
        make=partial(put_named, head="file,label,split", rest=["train", "train", "test"]),
        words=WORDS,
        tells=(r"column 'split' names parts of a split \(test, train\), which are not used",),
    ),
    Case(
        name="comments above the header",
        make=partial(_header, head="# exported\nfile,label"),
        words=WORDS,
        refused=True,
        tells=("line 2: 2 cells, but the header has 1.*begins with a comment: remove such lines",),
    ),
    *(
        Case(
            name=f"a title above the header, {how}",
            make=partial(_header, head=f"{title}\nfile{between}label", between=between),
            words=WORDS,
            refused=True,
            tells=(
                rf"seems to be a title \('Labels{rest}'\), and line {line} the header: remove the "
                "lines above the header",
            ),
            untold=("quote a cell", "cut off"),
        )
        for how, title, between, rest, line in (
            ("of one cell", "Labels 2021", ",", " 2021", 2),
            ("and a blank line", "Labels 2021,\n", ",", " 2021", 3),
            ("with a comma", '"Labels, 2021"', ";", ", 2021", 2),
            ("of as many cells", "Labels,2021", ",", "", 2),
        )
    ),
    Case(
        name="a header of fewer names than cells",
        make=partial(_header, head="file"),
        words=WORDS,
        refused=True,
        tells=("line 2: 2 cells, but the header has 1 columns; quote a cell that holds ','",),
        untold=("title",),
    ),
    Case(
        name="cells between bars",
        make=partial(_header, head="file|label", between="|"),
        words=WORDS,
        refused=True,
        tells=(r"divided by '\|': save it with commas, semicolons or tabs",),
    ),
    Case(
        name="no header",
        make=partial(_header, head=""),
        words=WORDS,
        refused=True,
        tells=("first line seems to be no header, but the first row: write a line of the col",),
    ),
    Case(
        name="a row per label",
        make=_long,
        words=WORDS,
        refused=True,
        tells=("if all hold, write an image's in one cell, with dataset.separator between them",),
    ),
    *(
        Case(
            name=f"files by {what}",
            make=partial(_numbered, name=name),
            words=WORDS,
            refused=True,
            tells=(r"(\d+) of \1 would be found ",),
        )
        for what, name in NUMBERED.items()
    ),
    Case(
        name="patients in a column that no setting names",
        make=partial(put_named, head="file,label,Patient ID", rest=TWICE),
        words=WORDS,
        tells=("column 'Patient ID' is taken for patients, by its name",),
        read=ten_patients,
    ),
    Case(
        name="slides in a column that no setting names",
        make=partial(put_named, head="file,label,slide", rest=[f"S{n // 5}" for n in range(20)]),
        words=WORDS,
        tells=("Column 'slide' has 4 values over 20 images",),
    ),
    Case(
        name="eyes for patients",
        make=partial(put_named, head="file,label,patient", rest=["P1L", "P1R", "P2L", "P2R"]),
        words=PATIENTS,
        tells=("- 4 patients are called alike but for a side .'P1L' and 'P1R', 'P2L' and 'P2R'.",),
    ),
    Case(
        name="patients who are not known under a number",
        make=partial(put_named, head="file,label,patient", rest=NOBODY),
        words=PATIENTS,
        tells=("- Patient '999' has 7 of 20 images, the next one 1: if it stands for patients",),
    ),
    Case(
        name="patients of whom a tool has made numbers",
        make=partial(put_named, head="file,label,patient", rest=ALIKE),
        words=PATIENTS,
        refused=True,
        tells=(
            r"'patient' writes the same patient in several ways: '0' on line 2 and '0.0' on line 3 "
            r"and '00' on line 4",
            r"pandas: read_csv\(..., dtype=\{'patient': str\}\)",
        ),
    ),
    Case(
        name="patients that are all numbers with a point",
        make=partial(put_named, head="file,label,patient", rest=[f"{n}.0" for n in range(10)]),
        words=PATIENTS,
        read=ten_patients,
    ),
    Case(
        name="patients that a spreadsheet has rounded",
        make=partial(put_named, head="file,label,patient", rest=["1.23457E+12", "7"]),
        words=PATIENTS,
        refused=True,
        tells=("a spreadsheet has rounded.*'1.23457E\\+12' on line 2; take the column from its",),
    ),
    Case(
        name="patients that differ in case",
        make=partial(put_named, head="file,label,patient", rest=[*TWICE[:9], "P8"]),
        words=PATIENTS,
        tells=("count as different ones: 'p8' on line 10 and 'P8' on line 11",),
        read=ten_patients,
    ),
    Case(
        name="patients that are not known",
        make=partial(put_named, head="file,label,patient", rest=["p1", "NaN", "p2", "None"]),
        words=PATIENTS,
        refused=True,
        tells=("'patient' must not be empty.*got 'NaN' on line 3, 'None' on line 5",),
    ),
    Case(
        name="labels that are numbers in two forms",
        make=partial(put_named, label=lambda row, file: "0 0.0 1 1.0".split()[row % 4]),
        words=WORDS,
        refused=True,
        tells=(r"'0' \(5 images\) and '0.0' \(5 images\), '1' \(5 images\) and '1.0'",),
    ),
    Case(
        name="labels with blanks around and hyphens between",
        make=partial(put_named, label=_each(["  cat ", "no_finding", "No Finding", "no-finding"])),
        words=WORDS,
        refused=True,
        tells=("'no_finding' .* and 'No Finding' .* and 'no-finding' ",),
    ),
    Case(
        name="labels that are missing",
        make=partial(put_named, label=_each(["nan", "N/A", "?", "-"])),
        words=WORDS,
        refused=True,
        tells=(
            "'label' must not be empty.*got 'nan' on line 2, 'N/A' on line 3, '\\?' on line 4",
            "if an image may have no label, name all labels by dataset.labels",
        ),
    ),
    Case(
        name="labels that are missing where labels are named",
        make=partial(put_named, label=lambda row, file: ["NaN", "", file[:3]][min(19 - row, 2)]),
        words=(*WORDS, "dataset.labels=[cat,dog]"),
        tells=(r"\n- 2 images have none of the labels in dataset.labels",),
        read=_no_label,
    ),
    Case(
        name="a label that is called None",
        make=partial(put_named, label=lambda row, file: "None" if row < COUNT else "Polyp"),
        words=(*WORDS, "dataset.labels=['None',Polyp]"),
        read=counts(**{"None": 10, "Polyp": 10}),
    ),
    Case(
        name="a label on every image",
        make=partial(put_named, label=lambda row, file: f"{file[:3]}|photo"),
        words=WORDS,
        refused=True,
        tells=("label 'photo' is on 20 of 20 images, so nothing is to be told from it",),
    ),
    Case(
        name="a label of two images",
        make=partial(put_named, label=_each(["bird", "bird"])),
        words=WORDS,
        refused=True,
        tells=("label 'bird' is on 2 of 20 images.*take at least 3 images of it, or leave the",),
    ),
    Case(
        name="findings written in two ways",
        make=partial(put_named, head="file,label,found", rest=["Edema", "edema", "None"]),
        words=(*WORDS, "dataset.findings_column=found"),
        refused=True,
        tells=(r"findings that are written in several ways.*'Edema' \(7 images\) and 'edema'",),
    ),
    Case(
        name="columns of categories and missing values",
        make=partial(put_named, head="file,label,age,view,site", rest=["60,PA,NULL", "n/a,pa,B"]),
        words=WORDS,
        tells=("column 'view' holds values that are written in several ways.*: 'PA', 'pa'",),
        read=_metadata,
    ),
    Case(
        name="Excel's export in UTF-16 with semicolons",
        make=_semicolons,
        words=WORDS,
        tells=("age 60 +20",),
        read=counts(cat=10, dog=10),
    ),
    *(
        Case(
            name=f"Excel's export in cp1252 with semicolons{' and sep=' if head else ''}",
            make=partial(_ansi, head=head),
            words=WORDS,
            refused=True,
            tells=(rf"encoding='cp1252', sep=';'{skip}\)\.to_csv\(",),
        )
        for head, skip in (("", ""), ("sep=;\r\n", ", skiprows=1"))
    ),
    Case(
        name="the line sep=; that Excel writes",
        make=lambda root: _ansi(root, "sep=;\r\n", "utf-8"),
        words=WORDS,
        read=counts(größer=10, kleiner=10),
    ),
    Case(
        name="a workbook",
        make=_excel,
        words=(*WORDS[:2], "dataset.table=labels.xlsx"),
        refused=True,
        tells=("must end with .csv, .tsv or .jsonl; save it as CSV: in Excel as 'CSV UTF-8'",),
    ),
    Case(
        name="a workbook as the path",
        make=_excel,
        words=(WORDS[0], "dataset.path=labels.xlsx"),
        refused=True,
        tells=("dataset.path must name .* must end with .csv, .tsv or .jsonl; save it as CSV: in",),
    ),
    Case(
        name="pandas' index",
        make=partial(
            put_named, name=lambda file: f"{FILES.index(file)},{file}", head=",file,label"
        ),
        words=WORDS,
        read=counts(cat=10, dog=10),
    ),
    Case(
        name="pandas' index of files",
        make=_index,
        words=WORDS,
        tells=("age 61 +20",),
        read=counts(cat=10, dog=10),
    ),
    Case(
        name="pandas' index of files without suffix",
        make=partial(_index, index="x/{}.7"),
        words=WORDS,
        refused=True,
        tells=(
            r"column 1 has no name \(x/cat/0.png.7, x/cat/1.png.7 and 18 more\); write one into "
            r"the header \(pandas, if it is the index: to_csv\(..., index_label='file'\)\)",
        ),
    ),
    *(
        Case(
            name=f"two separators in one column, {how}",
            make=partial(_two_separators, first="cat;dog", again=again),
            words=WORDS,
            refused=refused,
            tells=(
                r"abels 'cat;dog' .* seem to be several, .* write '\|' in place of ';' in the "
                r"table, as other cells have it .*column.str.replace\(';', '\|', regex=False\)",
            ),
            untold=("dataset.separator=",),
        )
        for how, again, refused in (("each often", 1, False), ("each rarely", 7, True))
    ),
    Case(
        name="two separators in one column, mended",
        make=partial(_two_separators, first="cat|dog", again=7),
        words=WORDS,
        read=counts(cat=11, dog=11),
    ),
    Case(name="accents in two forms", make=_accents, words=WORDS, read=counts(grün=10, rot=10)),
    Case(
        name="paths as Windows writes them",
        make=partial(put_named, name=lambda file: ".\\" + file.replace("/", "\\")),
        words=WORDS,
        read=counts(cat=10, dog=10),
    ),
    *(
        Case(
            name=f"files named {how}",
            make=partial(put_named, name=name),
            words=WORDS,
            refused=True,
            tells=(f"20 of 20 would be found {rule}",),
        )
        for how, name, rule in (
            ("without suffix", lambda file: file[:-4], "with the file's suffix behind it, such as"),
            ("with another suffix", lambda file: file[:-3] + "dcm", "with the file's suffix in pl"),
            ("with the suffix in other case", lambda file: file[:-3] + "PNG", "with the suffix in"),
            ("in other case", str.title, "in other case, such as 'Cat/0.Png' -> 'cat/0.png'"),
            ("below another folder", lambda file: f"d/e/{file}", "without the first 2 folders, su"),
            ("as elsewhere", lambda file: f"/d/e/{file}", "without the first 3 folders, such as '"),
            ("as elsewhere on Windows", lambda file: f"C:\\d\\{file}", "without the first 2 fold"),
        )
    ),
)
