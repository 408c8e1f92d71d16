"""Words that people type for their files."""

from pathlib import Path

from tests.corpus.case import Case
from tests.corpus.making import grey, put, put_folders, put_table
from tgap.core import ImageSet


def _table_beside_images(root: Path) -> None:
    for label in range(2):
        for number in range(30):
            put(root / f"{label}_{number}.png", grey(label, number))
    names = [f"{label}_{number}.png" for label in range(2) for number in range(30)]
    put_table(root, ["file,kind", *(f"{name},{'ab'[int(name[0])]}" for name in names)])


def _a_and_b(data: ImageSet) -> None:
    assert data.label_names == ("a", "b")
    assert data.label_counts() == {"a": 30, "b": 30}


def _in_odd_folder(root: Path) -> None:
    put_folders(root / "CheXpert-v1.0 batch 1 (validate & csv), größe=1")


CASES = (
    Case(
        name="a table as the path",
        make=_table_beside_images,
        words=(
            "dataset=image_folder",
            "dataset.path=labels.csv",
            "dataset.label_column=kind",
            "dataset.size=32",
            "dataset.domain=Röntgenbild (a.p.)",
        ),
        tells=("label a +30", "label b +30"),
        read=_a_and_b,
    ),
    Case(
        name="a folder with blanks, brackets and equals, quoted for its comma, and no domain",
        make=_in_odd_folder,
        words=(
            "dataset=image_folder",
            'dataset.path="CheXpert-v1.0 batch 1 (validate & csv), größe=1"',
            "dataset.size=32",
        ),
        tells=("label cat +30", "label dog +30"),
    ),
    Case(
        name="the same folder, its comma not quoted",
        make=_in_odd_folder,
        words=(
            "dataset=image_folder",
            "dataset.path=CheXpert-v1.0 batch 1 (validate & csv), größe=1",
        ),
        tells=(r"has several values.*quote it: 'dataset.path=\"CheXpert.*größe=1\"'",),
        refused=True,
    ),
)
