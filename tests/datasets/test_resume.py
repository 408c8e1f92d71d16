"""A long making that is interrupted or killed goes on, and gives the same bytes."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tgap.core import DataError, Images, StoreError
from tgap.datasets.digits import Digits
from tgap.datasets.image_folder import ImageFolder
from tgap.pipeline.artifacts import ImagesOnDisk, read_images, write_images
from tgap.store import Spec, Store

SPEC = Spec("dataset", {"a": 1})


def left_over(root: Path) -> list[Path]:
    return [*(root / "partial").glob("*"), *(root / "tmp").glob("*")]


def test_an_interrupted_making_is_given_its_folder_again(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def interrupted(folder: Path) -> None:
        (folder / "half").write_text("1")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.get_or_make(SPEC, interrupted, resumable=True)
    assert store.find(SPEC) is None

    def goes_on(folder: Path) -> None:
        assert (folder / "half").read_text() == "1"
        (folder / "whole").write_text("2")

    artifact = store.get_or_make(SPEC, goes_on, resumable=True)
    assert set(artifact.manifest["files"]) == {"half", "whole"}
    assert left_over(tmp_path) == []


@pytest.mark.parametrize(
    ("error", "resumable"), [(KeyboardInterrupt, False), (DataError, True), (OSError, True)]
)
def test_a_failed_making_leaves_nothing(
    tmp_path: Path, error: type[BaseException], resumable: bool
) -> None:
    def fails(folder: Path) -> None:
        (folder / "half").write_text("1")
        raise error("no")

    with pytest.raises(error):
        Store(tmp_path).get_or_make(SPEC, fails, resumable=resumable)
    assert left_over(tmp_path) == []


def test_arrays_on_disk_are_as_they_were_left(tmp_path: Path) -> None:
    shape = (5, 4, 4, 1)
    first = ImagesOnDisk(tmp_path)
    images, filled = first(shape), first.filled(5)
    assert not images.any()
    assert not filled.any()
    images[2], filled[2] = 7, True
    again = ImagesOnDisk(tmp_path)
    assert (again(shape)[2] == 7).all()
    assert again.filled(5).tolist() == [False, False, True, False, False]
    other = ImagesOnDisk(tmp_path)
    assert not other((6, 4, 4, 1)).any()


def test_a_file_that_was_never_whole_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "scratch0.npy").write_bytes(b"\x93NUMPY")
    assert ImagesOnDisk(tmp_path)((2, 4, 4, 1)).shape == (2, 4, 4, 1)


def test_images_that_lie_in_the_folder_are_not_written_again(tmp_path: Path) -> None:
    store, data = Store(tmp_path), Digits().load().take(np.arange(10))

    def make(folder: Path) -> None:
        new_images = ImagesOnDisk(folder)
        new_images((12, 32, 32, 1))  # one that was given up
        images = new_images((10, 32, 32, 1))
        images[:] = data.images
        inode = os.stat(folder / "scratch1.npy").st_ino
        new_images.filled(12)
        object.__setattr__(data, "images", images)
        write_images(folder, data)
        assert os.stat(folder / "images.npy").st_ino == inode

    artifact = store.get_or_make(SPEC, make)
    assert not any(name.startswith("scratch") for name in artifact.manifest["files"])
    assert (read_images(artifact).images == data.images).all()


def test_a_view_of_an_array_on_disk_is_written_out(tmp_path: Path) -> None:
    images: Images = ImagesOnDisk(tmp_path)((10, 32, 32, 1))
    data = Digits().load().take(np.arange(6))
    object.__setattr__(data, "images", images[:6])
    write_images(tmp_path, data)
    assert np.load(tmp_path / "images.npy").shape == (6, 32, 32, 1)


KILLED = """
import sys, time
from pathlib import Path
from tgap.pipeline.artifacts import ImagesOnDisk, write_images
from tgap.datasets.reading import decoding
from tgap.datasets.image_folder import ImageFolder
from tgap.store import Spec, Store
plain = decoding.decode
def slow(*args):
    time.sleep(0.01)
    print("decoded", flush=True)
    return plain(*args)
decoding.decode = slow
decoding.FLUSHED = 8
dataset = ImageFolder(path=sys.argv[2], size=16)
def make(folder):
    write_images(folder, dataset.load(ImagesOnDisk(folder)))
Store(Path(sys.argv[1])).get_or_make(Spec("dataset", {"a": 1}), make, resumable=True)
"""


def decoded_before(store: Path, images: Path, kill_after: int | None) -> int:
    """How many images a process decoded, killed after some of them."""
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(store), str(images)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    count = 0
    for _ in process.stdout:
        count += 1
        if count == kill_after:
            process.send_signal(signal.SIGKILL)
            break
    process.stdout.close()
    assert process.wait() == (0 if kill_after is None else -signal.SIGKILL)
    return count


def test_a_killed_decoding_goes_on_and_gives_the_same_bytes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for label in ("cat", "dog"):
        (tmp_path / "pets" / label).mkdir(parents=True)
        for number in range(60):
            picture = Image.fromarray(rng.integers(0, 256, (20, 20), dtype=np.uint8))
            picture.save(tmp_path / "pets" / label / f"{number}.png")
    decoded_before(tmp_path / "store", tmp_path / "pets", kill_after=70)
    time.sleep(0.1)
    assert len(left_over(tmp_path / "store")) == 1
    again = decoded_before(tmp_path / "store", tmp_path / "pets", kill_after=None)
    assert 20 <= again <= 80  # of 120; the last few before the end were not on disk yet
    artifact = Store(tmp_path / "store").find(SPEC)
    assert artifact is not None
    expected = ImageFolder(path=str(tmp_path / "pets"), size=16).load()
    assert (read_images(artifact).images == expected.images).all()
    assert left_over(tmp_path / "store") == []


@pytest.mark.parametrize("resumes", [False, True])
def test_a_disk_without_room_is_told_before_anything_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, resumes: bool
) -> None:
    for label in ("cat", "dog"):
        (tmp_path / "pets" / label).mkdir(parents=True)
        Image.new("L", (20, 20), 99).save(tmp_path / "pets" / label / "1.png")
    dataset, store = ImageFolder(path=str(tmp_path / "pets"), size=16), Store(tmp_path / "store")

    def make(folder: Path) -> None:
        write_images(folder, dataset.load(ImagesOnDisk(folder)))

    def interrupted(folder: Path) -> None:
        ImagesOnDisk(folder)((2, 16, 16, 1))
        raise KeyboardInterrupt

    if resumes:
        with pytest.raises(KeyboardInterrupt):
            store.get_or_make(SPEC, interrupted, resumable=True)

    def no_room(*args: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", no_room)
    with pytest.raises(StoreError, match=r"(?s)No space left.*free"):
        store.get_or_make(SPEC, make, resumable=True)
    assert left_over(tmp_path / "store") == []
    monkeypatch.undo()
    assert len(read_images(store.get_or_make(SPEC, make, resumable=True))) == 2


def test_what_was_interrupted_long_ago_is_removed(tmp_path: Path) -> None:
    def interrupted(folder: Path) -> None:
        (folder / "half").write_text("1")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Store(tmp_path).get_or_make(SPEC, interrupted, resumable=True)
    Store(tmp_path)
    (left,) = left_over(tmp_path)
    long_ago = time.time() - 15 * 86_400
    os.utime(left, (long_ago, long_ago))
    Store(tmp_path)
    assert left_over(tmp_path) == []
