"""Image files that the table's column of files does not name."""

from functools import partial
from pathlib import Path

from tests.corpus.case import Case
from tests.corpus.making import grey, put, put_table

WORDS = ("dataset=image_folder", "dataset.domain=x")
BESIDE = "image files that are left out"


def _eyes(root: Path, head: str = "ID,Left-Fundus,Right-Fundus,label") -> None:
    """Both eyes of twenty persons, a row for each person."""
    for person in range(20):
        for eye, name in enumerate(("l", "r")):
            put(root / f"{person}_{name}.png", grey(person % 2, person * 2 + eye))
    put_table(root, [head, *(f"{n},{n}_l.png,{n}_r.png,{'ND'[n % 2]}" for n in range(20))])


def _two_tables(root: Path, *, below: str = "", head: str = "file,label") -> None:
    """A table of training images and one of test images, in the folder or in one below."""
    for number in range(30):
        put(root / below / "images" / f"{number}.png", grey(number % 2, number))
    (root / below).mkdir(exist_ok=True)
    row = "images/{}.png,{}".format
    put_table(root, ["file,label", *(below + row(n, "ab"[n % 2]) for n in range(20))], "train.csv")
    rows = [head, *(row(n, "ab"[n % 2]) for n in range(20, 30))]
    put_table(root / below, rows, "test.csv")


CASES = (
    Case(
        name="both eyes in columns of one row",
        make=_eyes,
        words=(*WORDS, "dataset.table=labels.csv", "dataset.file_column=Left-Fundus"),
        tells=(
            r"- 20 of the 20 image files that are left out stand in other columns.*\(Right-Fundus\)"
            r".*melt\(\['ID', 'label'\], \['Left-Fundus', 'Right-Fundus'\]",
        ),
    ),
    Case(
        name="both eyes in columns of one row, which is not said",
        make=_eyes,
        words=(*WORDS, "dataset.table=labels.csv"),
        refused=True,
        tells=(
            r"image files stand in 'Left-Fundus', 'Right-Fundus': set \"dataset.file_column="
            r"'Left-Fundus'\"; where a row names several",
        ),
    ),
    *(
        Case(
            name=f"a table of other images, {how}",
            make=make,
            words=(*WORDS, "dataset.table=train.csv"),
            tells=(
                rf"- Of the 10 {BESIDE}, {name} names 10: .*concat\(\[read_csv\('train.csv'\), "
                rf"read_csv\('{name}'\)\]\)",
            ),
        )
        for how, make, name in (
            ("beside", _two_tables, "test.csv"),
            ("of another head", partial(_two_tables, head="path,label"), "test.csv"),
            ("in their folder", partial(_two_tables, below="data/"), "data/test.csv"),
        )
    ),
)
