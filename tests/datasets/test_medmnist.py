import functools
import hashlib
import io
import logging
import shutil
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tgap.core import ConfigError, DataError
from tgap.datasets import medmnist
from tgap.datasets.medmnist import Medmnist, labels_of

COUNTS = {"train": 7, "val": 3, "test": 5}
LABEL = {"0": "normal", "1": "pneumonia"}


def content(
    size: int = 28, color: bool = False, label_columns: int = 1, classes: int = 2
) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(0)
    found: dict[str, NDArray[Any]] = {}
    for part, n in COUNTS.items():
        shape = (n, size, size, 3) if color else (n, size, size)
        found[f"{part}_images"] = rng.integers(0, 256, shape, np.uint8)
        if label_columns == 1:
            found[f"{part}_labels"] = (np.arange(n, dtype=np.uint8) % classes)[:, None]
        else:
            found[f"{part}_labels"] = rng.integers(0, 2, (n, label_columns), np.uint8)
    return found


def saved(folder: Path, arrays: dict[str, NDArray[Any]], name: str = "pneumoniamnist.npz") -> Path:
    np.savez_compressed(folder / name, **arrays)
    return folder / name


@pytest.fixture(autouse=True)
def without_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where medmnist is not installed; tests of the package put one of their own there."""
    monkeypatch.setattr(medmnist, "_package", dict)


def package(folder: Path, file: Path, address: str) -> None:
    """A package of medmnist's layout, whose download is at an address of this machine."""
    (folder / "medmnist").mkdir()
    (folder / "medmnist/__init__.py").write_text("raise ImportError('it would import torch')")
    digest = hashlib.md5(file.read_bytes()).hexdigest()
    own = {"url": f"{address}/{file.name}", "MD5": digest, "label": LABEL}
    info = {"pneumoniamnist": own, "organmnist3d": {}}
    root = folder / "root"
    root.mkdir()
    (folder / "medmnist/info.py").write_text(f"INFO = {info!r}\nDEFAULT_ROOT = {str(root)!r}\n")


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.undo()
    source = tmp_path / "zenodo"
    source.mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("no_proxy", "*")
    handler = functools.partial(_Quiet, directory=source)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        package(tmp_path, saved(source, content()), f"http://127.0.0.1:{server.server_port}")
        yield tmp_path
        server.shutdown()
        thread.join()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass


@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize("block_bytes", [1, 5000, 1 << 24])
def test_the_parts_follow_each_other_and_test_is_the_official_one(
    tmp_path: Path, color: bool, block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(medmnist, "_BLOCK_BYTES", block_bytes)
    arrays = content(color=color)
    data = Medmnist(path=str(saved(tmp_path, arrays))).load()
    images = np.concatenate([arrays[f"{part}_images"] for part in COUNTS])
    numbers = np.concatenate([arrays[f"{part}_labels"] for part in COUNTS])[:, 0]
    assert np.array_equal(data.images, images.reshape(15, 28, 28, -1))
    assert np.array_equal(data.labels, np.eye(2, dtype=bool)[numbers])
    assert data.official_test is not None
    assert data.official_test.tolist() == [False] * 10 + [True] * 5
    assert len(np.unique(data.patients)) == 15
    assert data.findings.shape == (15, 0)


def test_the_array_is_the_one_that_new_images_made(tmp_path: Path) -> None:
    made = []

    def on_disk(shape: tuple[int, int, int, int]) -> NDArray[np.uint8]:
        made.append(np.memmap(tmp_path / "images", np.uint8, "w+", shape=shape))
        return made[-1]

    data = Medmnist(path=str(saved(tmp_path, content()))).load(on_disk)
    assert len(made) == 1
    assert data.images is made[0]
    assert data.images.any()


def test_a_margin_is_black_and_leaves_the_pixels(tmp_path: Path) -> None:
    path = str(saved(tmp_path, content()))
    plain, wide = Medmnist(path=path).load(), Medmnist(path=path, margin=2).load()
    assert wide.images.shape == (15, 32, 32, 1)
    assert np.array_equal(wide.images[:, 2:-2, 2:-2], plain.images)
    assert wide.images.sum() == plain.images.sum()


def test_several_columns_are_labels_that_may_hold_together_or_not_at_all(tmp_path: Path) -> None:
    arrays = content(label_columns=3)
    arrays["train_labels"][:2] = [[1, 1, 1], [0, 0, 0]]
    data = Medmnist(path=str(saved(tmp_path, arrays)), labels=["a", "b", "c"]).load()
    assert data.label_names == ("a", "b", "c")
    assert data.labels[:2].tolist() == [[True] * 3, [False] * 3]
    assert np.array_equal(data.labels[-5:], arrays["test_labels"] == 1)


@given(st.lists(st.integers(0, 6), min_size=1), st.booleans())
def test_class_numbers_become_one_label_each(numbers: list[int], named: bool) -> None:
    classes = max(numbers) + 1
    names = [f"class {i}" for i in range(classes)] if named else []
    column = np.array(numbers)[:, None]
    column.setflags(write=False)
    labels, label_names = labels_of(column, names, Path("x.npz"))
    assert labels.argmax(axis=1).tolist() == numbers
    assert (labels.sum(axis=1) == 1).all()
    assert list(label_names) == (names or [str(i) for i in range(classes)])


def test_a_folder_stands_for_the_file_that_the_package_would_name(tmp_path: Path) -> None:
    arrays = content(size=64)
    saved(tmp_path, arrays, "breastmnist_64.npz")
    data = Medmnist(path=str(tmp_path), flag="breastmnist", size=64).load()
    assert np.array_equal(data.images[:7, ..., 0], arrays["train_images"])


def test_classes_without_names_are_numbers_and_that_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = Medmnist(path=str(saved(tmp_path, content())))
    with caplog.at_level(logging.WARNING):
        assert dataset.load().label_names == ("0", "1")
    assert "named by their numbers" in caplog.text
    assert "pip install 'tgap[medmnist]'" in caplog.text


def test_names_come_from_the_installed_package_unless_given(installed: Path) -> None:
    path = str(saved(installed, content()))
    assert Medmnist(path=path).load().label_names == ("normal", "pneumonia")
    assert Medmnist(path=path, labels=["well", "ill"]).load().label_names == ("well", "ill")
    assert "medmnist" not in sys.modules  # importing it would import torch


def test_without_a_path_the_file_is_downloaded_once_and_checked(installed: Path) -> None:
    data = Medmnist().load()
    assert np.array_equal(data.images[:7, ..., 0], content()["train_images"])
    shutil.rmtree(installed / "zenodo")
    assert np.array_equal(Medmnist().load().images, data.images)
    with (installed / "root/pneumoniamnist.npz").open("ab") as file:
        file.write(b"x")
    with pytest.raises(DataError, match=r"cannot be downloaded from http:.*set dataset.path"):
        Medmnist().load()


def test_a_download_that_is_not_what_was_published_is_refused(installed: Path) -> None:
    saved(installed / "zenodo", content(classes=1))
    with pytest.raises(DataError, match="cannot be downloaded"):
        Medmnist().load()


def test_without_path_and_package_the_remedy_is_told() -> None:
    for ask in (Medmnist().load, Medmnist().identity):
        with pytest.raises(DataError, match=r"pip install 'tgap\[medmnist\]', or set dataset.path"):
            ask()


def test_an_unknown_set_and_a_size_that_the_package_lacks(installed: Path) -> None:
    with pytest.raises(DataError, match="no MedMNIST set is named 'pneumonia'; did you mean"):
        Medmnist(flag="pneumonia").load()
    with pytest.raises(DataError, match="no pneumoniamnist of size 64: pip install -U medmnist"):
        Medmnist(size=64).identity()


def test_the_real_package_has_what_is_read_of_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("medmnist", reason="the package medmnist is not installed")
    monkeypatch.undo()
    path = str(saved(tmp_path, content()))
    monkeypatch.setenv("HOME", str(tmp_path))  # reading it makes a folder there
    assert Medmnist().identity()["labels"] == ["normal", "pneumonia"]
    flags = "path chest derma oct pneumonia retina breast blood tissue organa organc organs".split()
    for flag in (f"{name}mnist" for name in flags):
        for size in medmnist.SIZES:
            found = Medmnist(flag=flag, size=size).identity()
            assert len(found["file"]) == 32
            assert len(set(found["labels"])) >= 2
    assert Medmnist(path=path).load().label_names == ("normal", "pneumonia")


def test_identity_is_the_content_and_the_names_not_the_place(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    first = saved(tmp_path, content())
    second = tmp_path / "elsewhere/other.npz"
    shutil.copy(first, second)
    assert Medmnist(path=str(first)).identity() == Medmnist(path=str(second)).identity()
    named = Medmnist(path=str(first), labels=["a", "b"]).identity()
    assert named != Medmnist(path=str(first)).identity()
    changed = content()
    changed["val_images"][0, 0, 0] ^= 1
    assert (
        Medmnist(path=str(saved(tmp_path, changed, "changed.npz"))).identity()
        != Medmnist(path=str(first)).identity()
    )


def test_identity_has_the_package_s_names(tmp_path: Path, installed: Path) -> None:
    path = str(saved(tmp_path, content()))
    assert Medmnist(path=path).identity()["labels"] == ["normal", "pneumonia"]
    assert (
        Medmnist(path=path).identity()
        == Medmnist(path=path, labels=["normal", "pneumonia"]).identity()
    )


def test_wrong_fields_are_told_together(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as told:
        Medmnist(size=32, flag="organmnist3d", labels=["a", "a"], path=str(tmp_path), margin=-1)
    text = str(told.value)
    assert "size must be one of 28, 64, 128, 224, got 32" in text
    assert "flag must name a set of 2-D images, got the 3-D set 'organmnist3d'" in text
    assert "labels must differ from each other, got ['a', 'a']" in text
    assert f"path: there is no file {tmp_path / 'organmnist3d_32.npz'}" in text
    assert "margin must be at least 0, got -1" in text


def broken(**changes: NDArray[Any] | None) -> dict[str, NDArray[Any]]:
    arrays: dict[str, Any] = content() | changes
    return {name: array for name, array in arrays.items() if array is not None}


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        (broken(val_labels=None, test_images=None), "it lacks val_labels, test_images"),
        (broken(train_images=np.zeros((7, 28, 28))), "train_images in .* must be uint8.*float64"),
        (
            broken(train_images=np.zeros((7, 28, 28, 28), np.uint8)),
            r"must be 2-D images.*got \(7, 28, 28, 28\)",
        ),
        (broken(val_images=np.zeros((3, 64, 64), np.uint8)), "64 x 64, but dataset.size is 28"),
        (broken(val_images=np.zeros((3, 28, 28, 3), np.uint8)), "mixes grey and colour"),
        (broken(train_images=np.zeros((28, 28, 7), np.uint8).T), "must be uint8 in C order"),
        (broken(train_labels=np.zeros((6, 1), int)), r"must be \(7, L\) whole numbers"),
        (broken(train_labels=np.zeros((7, 1))), "whole numbers, got .* float64"),
        (broken(train_labels=np.zeros(7, int)), r"must be \(7, L\) whole numbers"),
        (broken(test_labels=np.full((5, 1), -1)), "must be class numbers from 0 on; got -1 to 1"),
        (
            broken(train_labels=np.array([[None]] * 7, object)),
            "cannot be read as a MedMNIST file.*allow_pickle=False",
        ),
        (
            broken(train_images=np.array([[None]] * 7, object)),
            "train_images in .* must be uint8 in C order, got object",
        ),
    ],
)
def test_bad_content_is_told(tmp_path: Path, arrays: dict[str, NDArray[Any]], text: str) -> None:
    path = saved(tmp_path, arrays)
    with pytest.raises(DataError, match=text) as told:
        Medmnist(path=str(path)).load()
    assert str(path) in str(told.value)


def test_several_columns_hold_zero_and_one_only(tmp_path: Path) -> None:
    arrays = content(label_columns=2)
    arrays["val_labels"][0, 0] = 2
    with pytest.raises(DataError, match="must be 0 or 1, as they have several columns; got 0 to 2"):
        Medmnist(path=str(saved(tmp_path, arrays))).load()


def test_names_must_be_as_many_as_classes(tmp_path: Path) -> None:
    path = str(saved(tmp_path, content(classes=3)))
    with pytest.raises(
        DataError, match=r"has 3 classes \(numbers 0 to 2\), but there are 2 names: a, b;"
    ):
        Medmnist(path=path, labels=["a", "b"]).load()


def test_a_class_number_without_images_is_told(tmp_path: Path) -> None:
    arrays = content()
    for part in COUNTS:
        arrays[f"{part}_labels"] *= 2
    with pytest.raises(DataError, match=r"needs at least two labels.*'1': 0"):
        Medmnist(path=str(saved(tmp_path, arrays))).load()


@pytest.mark.parametrize("keep", [0, 10, 4000])
def test_a_file_that_is_no_or_half_an_archive(tmp_path: Path, keep: int) -> None:
    path = saved(tmp_path, content())
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"cannot be read as a MedMNIST file.*fetch it again"):
        Medmnist(path=str(path)).load()


def test_damaged_pixels_are_told(tmp_path: Path) -> None:
    path = tmp_path / "pneumoniamnist.npz"
    np.savez(path, **content())  # not compressed: only the checksum can tell
    damaged = bytearray(path.read_bytes())
    damaged[1000] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(DataError, match="Bad CRC-32"):
        Medmnist(path=str(path)).load()


@pytest.mark.parametrize(("rows", "text"), [(6, "train_images ends early"), (8, "is longer than")])
def test_data_that_is_not_what_its_header_says(tmp_path: Path, rows: int, text: str) -> None:
    path = saved(tmp_path, content())
    header, data = io.BytesIO(), bytes(rows * 28 * 28)
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (7, 28, 28)}
    )
    lying = tmp_path / "lying.npz"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(lying, "w") as new:
        for name in old.namelist():
            is_train = name == "train_images.npy"
            new.writestr(name, header.getvalue() + data if is_train else old.read(name))
    with pytest.raises(DataError, match=text):
        Medmnist(path=str(lying)).load()


def test_an_array_in_version_2_of_the_format_is_read(tmp_path: Path) -> None:
    path, arrays = tmp_path / "pneumoniamnist.npz", content()
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            stream = io.BytesIO()
            np.lib.format.write_array(stream, array, version=(2, 0))
            archive.writestr(f"{name}.npy", stream.getvalue())
    data = Medmnist(path=str(path)).load()
    assert np.array_equal(data.images[-5:, ..., 0], arrays["test_images"])
