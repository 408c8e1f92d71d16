"""Folders and cells that are no labels, or whose words are codes or wrongly decoded."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from tests.corpus.case import Case
from tests.corpus.making import grey, put, put_folders, put_table

WORDS = ("dataset=image_folder", "dataset.domain=x")
TABLE = (*WORDS, "dataset.table=labels.csv")


def _flat(root: Path, beside: str, labels: Iterable[str] = ("cat", "dog")) -> None:
    """A training part whose files begin with their labels, and another one of bare numbers."""
    for label, name in enumerate(labels):
        for n in range(12):
            put(root / "train" / f"{name}.{n}.png", grey(label, n))
    for n in range(8):
        put(root / beside / f"{n}.png", grey(n, 99 + n))


def _rows(root: Path, labels: Callable[[int], str], beside: str = "") -> None:
    put_table(root, ["file,label", *(f"{n}.png,{labels(n)}" for n in range(30))])
    for n in range(30):
        put(root / f"{n}.png", grey(n, n))
    if beside:
        (root / beside).write_text("id,name\n0,cyst\n1,stone\n")


CASES = (
    *(
        Case(
            name=f"labels in the names of train/ beside {beside}/",
            make=partial(_flat, beside=beside),
            words=WORDS,
            refused=True,
            tells=(
                rf"parts of a split hold images in no label's folder: .*{beside} \(8 images\)",
                r"names in train begin with 'cat' \(12 images\) or 'dog' .*train/cat\.0\.png,cat\)",
            ),
        )
        for beside in ("test1", "test_images", "unlabeled", "extra")
    ),
    Case(
        name="train with labels beside unlabelled images",
        make=lambda root: [put_folders(root / "train"), _flat(root, "unlabelled", ())],
        words=WORDS,
        refused=True,
        tells=(r"unlabelled \(8 images\); leave it out by dataset\.exclude=\[unlabelled\]",),
    ),
    Case(
        name="numbered parts above the labels",
        make=lambda root: [put_folders(root / part, count=8) for part in ("train1", "test1")],
        words=WORDS,
        tells=(r"parts of a split \(test1 16, train1 16\)", "keeps test1/ as the test set"),
    ),
    Case(
        name="test1 and test2 as labels",
        make=partial(put_folders, folders=("test1", "test2"), count=8),
        words=WORDS,
        untold=("parts of a split",),
    ),
    *(
        Case(
            name=f"folders that are no labels, {folders[0]}",
            make=partial(put_folders, folders=folders, count=5),
            words=WORDS,
            refused=True,
            tells=(rf"are {what}, and no labels; .*if these are labels: dataset.label_level={n}",),
        )
        for folders, what, n in (
            (("2023-05-02", "2023-05-09", "2023-06-13"), "dates", 1),
            (("20230502", "20230509"), "dates", 1),
            (("02.05.2023", "09.05.2023_2"), "dates", 1),
            (("May 2023", "June 2023"), "dates", 1),
            (("DCIM/100CANON", "DCIM/101CANON"), "what cameras call theirs", 2),
        )
    ),
    Case(
        name="days below labels",
        make=partial(put_folders, folders=("cat/2023-05-02", "dog/2023-05-09")),
        words=WORDS,
        untold=("are dates",),
    ),
    Case(
        name="a label wrongly decoded in half of the rows",
        make=partial(_rows, labels=lambda n: ("gut", "b\u00f6se", "b\u00c3\u00b6se")[n % 3]),
        words=TABLE,
        refused=True,
        tells=("seem to be the same: 'b\u00c3\u00b6se' .* is 'b\u00f6se' .*wrongly decoded",),
    ),
    Case(
        name="a folder wrongly decoded by unzipping",
        make=partial(put_folders, folders=("gut", "b\u251c\u2562se"), count=8),
        words=WORDS,
        tells=("text was wrongly decoded .* is 'b\u00f6se'",),
    ),
    Case(
        name="labels with accents",
        make=partial(put_folders, folders=("b\u00f6se", "\u00c9t\u00e9"), count=8),
        words=WORDS,
        untold=("wrongly decoded",),
    ),
    *(
        Case(
            name=f"numbers for labels, {beside or 'and nothing beside'}",
            make=partial(_rows, labels=lambda n: str(n % 2), beside=beside),
            words=TABLE,
            tells=(
                rf"labels 0, 1 are numbers{why}.*\(an image of 0\): write words into the table",
            ),
        )
        for beside, why in (("", ","), ("classes.csv", ", whose names .* in classes.csv"))
    ),
)
