"""What is known of the files that images were read from."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from tests.datasets import test_dicom as dicom
from tests.datasets.conftest import write_grey
from tests.datasets.test_nih_chestxray14 import copy_of_nih
from tgap.datasets.base import Original
from tgap.datasets.digits import Digits
from tgap.datasets.image_folder import ImageFolder
from tgap.datasets.nih_chestxray14 import NihChestxray14
from tgap.datasets.reading.originals import Header, read_headers
from tgap.datasets.textbook import Textbook


def header(file: Path) -> Header | None:
    (found,) = read_headers([file])
    return found


@pytest.mark.parametrize(
    ("name", "mode", "kind"),
    [
        ("a.png", "L", "PNG, 8 bit, grey"),
        ("a.png", "I;16", "PNG, 16 bit, grey"),
        ("a.png", "P", "PNG, 8 bit, colour"),
        ("a.png", "1", "PNG, 1 bit, grey"),
        ("a.jpg", "RGB", "JPEG, 8 bit, colour"),
        ("a.tif", "I;16", "TIFF, 16 bit, grey"),
        ("a.tif", "F", "TIFF, 32 bit, grey"),
        ("a.bmp", "L", "BMP, 8 bit, grey"),
    ],
)
def test_size_and_kind(tmp_path: Path, name: str, mode: str, kind: str) -> None:
    Image.new(mode, (20, 10)).save(tmp_path / name)
    assert header(tmp_path / name) == Header(20, 10, kind)


def test_sizes_of_dicom_files(tmp_path: Path) -> None:
    file = tmp_path / "a.dcm"
    file.write_bytes(dicom.content(dicom.DEEP[:10], bits=12))
    assert header(file) == Header(20, 10, "DICOM, 12 bit, grey")


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_picture_on_its_side_is_as_wide_as_it_is_shown(
    tmp_path: Path, name: str, orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("L", (20, 10)).save(tmp_path / name, exif=exif)
    with Image.open(tmp_path / name) as picture:
        upright = ImageOps.exif_transpose(picture)
    found = header(tmp_path / name)
    assert found is not None
    assert (found.width, found.height) == upright.size


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_has_no_header(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    assert read_headers([tmp_path / "a.png", tmp_path / "gone.png"]) == [None, None]


def folders(root: Path, first: int = 0) -> ImageFolder:
    for number in range(3):
        write_grey(root / "a" / f"{number}.png", first + number)
        write_grey(root / "b" / f"{number}.png", first + 10 + number)
    return ImageFolder(path=str(root), size=8, fit="pad")


def test_a_folder_knows_its_files_and_of_part_of_them(tmp_path: Path) -> None:
    source = folders(tmp_path)
    data = source.load()
    assert source.originals(data.take(np.array([4, 0]))) == [
        Original(tmp_path / "b" / "1.png", "pad"),
        Original(tmp_path / "a" / "0.png", "pad"),
    ]


def test_files_of_chestxray14_are_found_in_their_folders(tmp_path: Path) -> None:
    root = copy_of_nih(tmp_path, place=lambda number: f"images_00{number + 1}/images")
    source = NihChestxray14(path=str(root), size=16)
    data = source.load()
    originals = source.originals(data)
    assert originals is not None
    assert [each.file.name for each in originals] == data.metadata["file"].tolist()
    assert all(each.file.is_file() for each in originals)


def test_a_textbook_knows_both_sources_or_none(tmp_path: Path) -> None:
    tuning, real = folders(tmp_path / "tuning", 100), folders(tmp_path / "real")
    both = Textbook(tuning=tuning, real=real)
    data = both.load()
    originals = both.originals(data)
    assert originals is not None
    assert [each.file.parts[-3] for each in originals] == ["real"] * 6 + ["tuning"] * 6
    assert [each.file.name for each in originals] == [f"{n % 3}.png" for n in range(12)]
    halved = Textbook(tuning=tuning, real=Digits())
    assert halved.originals(data) is None


def test_what_is_no_file_is_not_known() -> None:
    digits = Digits()
    assert digits.originals(digits.load()) is None
