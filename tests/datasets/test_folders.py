"""What all datasets of files below a folder have in common."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.datasets import test_chexpert, test_image_folder, test_mimic_cxr, test_nih_chestxray14
from tests.datasets.conftest import assert_same
from tgap.core import ConfigError, DataError, ImageSet
from tgap.datasets.chexpert import Chexpert
from tgap.datasets.image_folder import ImageFolder
from tgap.datasets.mimic_cxr import MimicCxr
from tgap.datasets.nih_chestxray14 import NihChestxray14
from tgap.datasets.reading.folder import FolderDataset


@dataclasses.dataclass
class Copy:
    """A small copy of a dataset; its files lie in ``images``, as its metadata name them."""

    cls: type[FolderDataset]
    root: Path
    table: str
    images: str = "."
    fields: dict[str, Any] = dataclasses.field(default_factory=dict)

    def dataset(self, **fields: Any) -> FolderDataset:
        return self.cls(**{"path": str(self.root), "size": 16, **self.fields, **fields})

    def file(self, data: ImageSet, row: int) -> Path:
        return self.root / self.images / data.metadata["file"][row]


def chexpert(root: Path) -> Copy:
    test_chexpert.put(root, test_chexpert.TRAIN, "train.csv")
    return Copy(Chexpert, test_chexpert.put(root, test_chexpert.VALID, "valid.csv"), "train.csv")


def mimic_cxr(root: Path) -> Copy:
    return Copy(MimicCxr, test_mimic_cxr.put(root), test_mimic_cxr.METADATA)


def nih_chestxray14(root: Path) -> Copy:
    test_nih_chestxray14.copy_of_nih(root)
    return Copy(NihChestxray14, root, "Data_Entry_2017_v2020.csv", "images")


def image_folder(root: Path) -> Copy:
    test_image_folder.put(root, test_image_folder.LEVELS)
    (root / "t.csv").write_text(test_image_folder.TABLE)
    return Copy(ImageFolder, root, "t.csv", fields={"table": "t.csv"})


KINDS = (chexpert, mimic_cxr, nih_chestxray14, image_folder)


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def copy(request: pytest.FixtureRequest, tmp_path: Path) -> Copy:
    return request.param(tmp_path / "copy")


def numbered(data: ImageSet) -> ImageSet:
    """With patients counted from 0."""
    patients = np.unique(data.patients, return_inverse=True)[1].astype(np.int64)
    return dataclasses.replace(data, patients=patients)


def test_missing_and_broken_files_leave_no_row_in_any_array(copy: Copy) -> None:
    clean = copy.dataset().load()
    missing, broken = (copy.file(clean, row) for row in (2, 0))
    names = clean.metadata["file"][[2, 0]].tolist()
    broken.write_text("no picture")
    with pytest.raises(DataError, match=f"1 of {len(clean)} image files cannot.*\n.*{names[1]}: "):
        copy.dataset().load()
    missing.unlink()
    with pytest.raises(DataError, match=f"1 of {len(clean)} image files .*\n.*{names[0]}: there"):
        copy.dataset().load()
    data = copy.dataset(bad_files="exclude").load()
    rest = clean.take(np.delete(np.arange(len(clean)), [0, 2]))
    assert_same(numbered(data), numbered(rest))
    assert data.notes["excluded"] == {"missing": names[:1], "unreadable": names[1:]}


def test_files_are_read_into_the_array_that_is_given(copy: Copy) -> None:
    made = []

    def new_images(shape):
        made.append(np.zeros(shape, np.uint8))
        return made[-1]

    assert copy.dataset().load(new_images).images is made[-1]
    assert len(made) == 1


def test_loading_twice_gives_the_same_and_leaves_fields_and_random_state(copy: Copy) -> None:
    dataset, state = copy.dataset(), np.random.get_state()[1].copy()
    fields = dataclasses.asdict(dataset)
    assert_same(dataset.load(), dataset.load())
    assert dataclasses.asdict(dataset) == fields
    assert np.array_equal(np.random.get_state()[1], state)


def test_identity_follows_content_not_place(copy: Copy, tmp_path: Path) -> None:
    before = copy.dataset().identity()
    assert "path" not in json.loads(json.dumps(before))
    elsewhere = dataclasses.replace(copy, root=tmp_path / "elsewhere")
    shutil.copytree(copy.root, elsewhere.root)  # keeps the times
    assert elsewhere.dataset().identity() == before
    assert copy.dataset(size=17).identity() != before
    with (elsewhere.root / copy.table).open("a") as file:
        file.write("\n")
    assert elsewhere.dataset().identity() != before
    os.utime(copy.file(copy.dataset().load(), 0), ns=(1, 1))
    assert copy.dataset().identity() != before


def test_making_one_and_its_identity_import_nothing_heavy(copy: Copy) -> None:
    code = (
        f"import sys; from {copy.cls.__module__} import {copy.cls.__name__} as cls;"
        f"cls(path={str(copy.root)!r}, **{copy.fields}).identity();"
        "print([m for m in ('PIL', 'torch', 'scipy', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_links_that_lead_out_are_errors_always(copy: Copy, tmp_path: Path) -> None:
    dataset = copy.dataset(bad_files="exclude")
    file = copy.file(dataset.load(), 0)
    link = file.with_name(f"link{file.suffix}")
    link.symlink_to(file.rename(tmp_path / "secret.png"))
    for act in (dataset.identity, dataset.load):
        with pytest.raises(DataError, match=r"link\.\w+ is a link to .*; only links to files in"):
            act()


def test_a_table_that_is_no_text(copy: Copy) -> None:
    (copy.root / copy.table).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=f"{copy.table} is not UTF-8 text: .*; save it as UTF-8"):
        copy.dataset().load()


def test_a_path_that_is_no_folder(copy: Copy) -> None:
    with pytest.raises(ConfigError, match=r"path must name .*folder.*, got ''"):
        copy.dataset(path="")
    with pytest.raises(ConfigError, match=r"existing folder, got 'nowhere' \(/.*/nowhere\)"):
        copy.dataset(path="nowhere")
    dataset = copy.dataset()
    shutil.rmtree(copy.root)
    for act in (dataset.identity, dataset.load):
        with pytest.raises(DataError, match=rf"{copy.root}"):
            act()
