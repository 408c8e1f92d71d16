"""Labels that are not what they seem: folders, names and columns that say another thing."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tests.corpus.case import Case
from tests.corpus.folders import put_each
from tests.corpus.making import grey, put, put_table
from tests.corpus.tables import put_named

WORDS = ("dataset=image_folder", "dataset.domain=x", "dataset.table=labels.csv")
SAME = "have the same values"


def put_two(head: str, *wrong: int, cells: Sequence[str] = ("cat", "dog")) -> partial[None]:
    """Two columns of labels of twenty images, which differ in some rows."""
    return partial(
        put_named,
        label=lambda row, file: cells[file[0] == "d"],
        head=f"file,{head}",
        rest=[cells[(n >= 10) != (n in wrong)] for n in range(20)],
    )


def put_rows(root: Path, cells: Sequence[str]) -> None:
    """A table whose labels are repeated."""
    put_named(root, label=lambda row, file: cells[row % len(cells)])


def put_words(
    root: Path, words: Sequence[str], name: str, folders: Sequence[str] = ("GE", "Philips")
) -> None:
    """Forty images whose names hold a word each, in folders that have nothing to do with it."""
    for n in range(40):
        file = name.format(n * 7919 + 10**5, words[n // 2 % len(words)])
        put(root / folders[n % 2] / file, grey(n // 2 % 2, n))


def put_codes(root: Path, head: str, cells: Sequence[Sequence[str]]) -> None:
    """Forty images of each of two sites, with labels of their own."""
    rows = [f"{n}.png,{cells[n % 2][n // 2 % len(cells[n % 2])]}" for n in range(80)]
    for n in range(80):
        put(root / f"{n}.png", grey(n // 2 % 2, n))
    sites = [("Nord", "Sued")[n % 2] for n in range(80)]
    lines = [f"{row},{site}" for row, site in zip(rows, sites, strict=True)]
    put_table(root, [f"file,label,{head}", *lines])


FOLDERS = ("dataset=image_folder", "dataset.domain=x")

CASES = (
    *(
        Case(
            name=f"a folder of another label below a label's: {path}",
            make=partial(put_each, counts={"benign": 20, "malignant": 20, path: 4}),
            words=FOLDERS,
            tells=(
                rf"- Folders below a label's are called as another label is: {path} \(4 images, "
                r"which count as 'malignant', not as 'benign'\).*move them, or leave them out by "
                rf"\"dataset.exclude=\['{path}/\*'\]\"",
            ),
        )
        for path in ("malignant/benign", "malignant/batch 2/Benign")
    ),
    Case(
        name="a folder of another label below a label's, left out",
        make=partial(put_each, counts={"benign": 20, "malignant": 20, "malignant/benign": 4}),
        words=(*FOLDERS, "dataset.exclude=[malignant/benign/*]"),
        untold=("called as another label",),
        runs=True,
    ),
    Case(
        name="folders below labels that are called as no other label",
        make=partial(
            put_each, counts={"benign/benign": 20, "malignant": 20, "malignant/not benign": 4}
        ),
        words=FOLDERS,
        untold=("called as another label",),
    ),
    *(
        Case(
            name=f"two columns of the same labels, {head}{''.join(words)}",
            make=put_two(head, 1, 2, 12, cells=cells),
            words=(*WORDS, *words),
            tells=(
                rf"- Columns '{own}' and '{other}' have the same values \({told}\), but differ in "
                rf"3 of the 20 rows with both; .* of '{own}'.*\"dataset.label_column='{other}'",
            ),
        )
        for head, own, other, words, cells, told in (
            (
                "label,label_adjudicated",
                "label",
                "label_adjudicated",
                (),
                ("cat", "dog"),
                "'cat'.*",
            ),
            ("label,truth", "label", "truth", (), ("0", "1"), "'0', '1'"),
            ("label,animal", "label", "animal", (), ("tabby", "poodle"), "'poodle'.*"),
            ("dx,dx2", "dx", "dx2", ("dataset.label_column=dx",), ("0", "1"), "'0', '1'"),
        )
    ),
    *(
        Case(
            name=f"a column of other things with labels' values, {head}",
            make=put_two(head, *wrong, cells=cells),
            words=(*WORDS, *words),
            untold=(SAME,),
        )
        for head, wrong, words, cells in (
            ("label,smoker", (1, 2, 12), (), ("0", "1")),
            ("label,hiv", (1, 12), (), ("negative", "positive")),
            ("label,neighbour", (0, 2, 4, 6, 11, 13, 15, 17), (), ("tabby", "poodle")),
            ("type 1,type 2", (0, 2, 4, 6, 11, 13, 15, 17), ("dataset.label_column=type 1",), "01"),
            ("label,label_final", (), (), ("cat", "dog")),
            ("animal,seen", (1, 2, 12), ("dataset.label_column=animal",), ("tabby", "poodle")),
        )
    ),
    *(
        Case(
            name=f"labels that look alike, {how}",
            make=partial(put_rows, cells=("COVID", cell, "normal")),
            words=WORDS,
            refused=True,
            tells=(
                r"seem to be the same: 'COVID' \(7 images\) and .* \(7 images\); their letters "
                f"differ: .* with {letter}.*name all labels by dataset.labels",
            ),
        )
        for how, cell, letter in (
            ("with a Cyrillic letter", "\u0421OVID", r"U\+0421 CYRILLIC CAPITAL LETTER ES"),
            ("with small Cyrillic letters", "c\u043ev\u0456d", r"U\+043E CYRILLIC.*, U\+0456 "),
            ("with a Greek letter", "C\u039fVID", r"U\+039F GREEK CAPITAL LETTER OMICRON"),
            ("of full width", "\uff23OVID", r"U\+FF23 FULLWIDTH LATIN CAPITAL LETTER C"),
            ("with a letter of no width", "CO\u200bVID", r"U\+200B ZERO WIDTH SPACE"),
        )
    ),
    Case(
        name="labels of other alphabets",
        make=partial(put_rows, cells=("\u0440\u043e\u0442", "\u043d\u043e\u0441", "TNF-\u03b1")),
        words=(*WORDS, "dataset.size=32"),
        untold=("the same", "nearly alike"),
    ),
    *(
        Case(
            name=f"a rare third number, {code} beside {cells[0]} and {cells[1]}",
            make=partial(put_rows, cells=(*cells, *cells, code)),
            words=WORDS,
            tells=(rf"- Label '{code}' of 4 images stands beside numbers only.*nobody knows",),
        )
        for code, cells in (("9", "01"), ("8", "12"), ("77", "01"), ("9.0", ("0.0", "1.0")))
    ),
    *(
        Case(
            name=f"numbers that are labels, {''.join(cells)}",
            make=partial(put_rows, cells=cells),
            words=WORDS,
            untold=("nobody knows",),
        )
        for cells in ("019", "01239", "010103", "789", "479479479")
    ),
    *(
        Case(
            name=f"a label and its abbreviation {short}",
            make=partial(put_rows, cells=(short, name, "normal")),
            words=WORDS,
            tells=(
                rf"- Labels that are written nearly alike: '{short}' \(7 images\) and '{name}' ",
            ),
        )
        for short, name in (
            ("TB", "tuberculosis"),
            ("PNA", "pneumonia"),
            ("PTX", "Pneumothorax"),
            ("LO", "Lung Opacity"),
        )
    ),
    *(
        Case(
            name=f"capitals that abbreviate no other label, {cells[0]}",
            make=partial(put_rows, cells=cells),
            words=WORDS,
            untold=("nearly alike",),
        )
        for cells in (
            ("PE", "pneumonia", "edema"),
            ("CNV", "DME", "DRUSEN", "NORMAL"),
            ("COVID", "Viral Pneumonia", "Lung_Opacity"),
            ("SCC", "BCC", "melanoma", "NV", "nevi"),
            ("AD", "MCI", "CN"),
        )
    ),
    *(
        Case(
            name=f"labels at the {where} of names in folders of scanners, {name}",
            make=partial(put_words, words=words, name=name),
            words=FOLDERS,
            tells=(
                rf"- The labels are the folders GE, Philips, but in each of them names {where} "
                r"with 'neg' \(20 images\) or 'tb' \(20 images\): if these words are the labels",
            ),
        )
        for where, name, words in (
            ("end", "{0}_{1}.png", ("neg", "tb")),
            ("end", "IM-{0}-{1}-001.png", ("NEG", "TB")),
            ("begin", "{1} {0} scan.png", ("neg", "tb")),
        )
    ),
    *(
        Case(
            name=f"words in names in folders of labels, {words[0]}",
            make=partial(put_words, words=words, name="{0}_{1}.png", folders=folders),
            words=(*FOLDERS, "dataset.patient_column="),
            untold=("words are the labels",),
        )
        for words, folders in (
            (("left", "right"), ("neg", "tb")),
            (("ap", "pa", "tb"), ("Normal", "Abnormal")),
            (("normal", "tumor"), ("tumor", "normal")),
        )
    ),
    *(
        Case(
            name=f"sites of other codings, {head}",
            make=partial(put_codes, head=head, cells=cells),
            words=WORDS,
            tells=(rf"- Labels go with '{head}': Nord has {told}; Sued has .*; if the same",),
        )
        for head, cells, told in (
            ("hospital", ("01", "12"), r"'0' \(20 images\), '1' \(20 images\)"),
            ("site_id", ("ND", "01"), r"'D' \(20 images\), 'N' \(20 images\)"),
        )
    ),
    *(
        Case(
            name=f"sites of the same codings, {head} {cells}",
            make=partial(put_codes, head=head, cells=cells),
            words=WORDS,
            untold=("if the same label is another",),
        )
        for head, cells in (
            ("hospital", ("01", "10")),
            ("hospital", ("012", "01")),
            ("view", ("01", "12")),
            ("hospital", (("cat", "dog"), ("dog", "cow"))),
        )
    ),
)
