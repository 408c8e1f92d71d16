"""MedMNIST: medical images in one format, from a file on disk or from the package's download."""

import importlib.util
import logging
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from tgap.core import Bools, DataError, Images, ImageSet, NewImages, nearest, option
from tgap.core.digest import remembered_file_digest
from tgap.core.files import expanded
from tgap.core.origin import Origin
from tgap.datasets.base import Dataset

log = logging.getLogger(__name__)

SIZES = (28, 64, 128, 224)
PARTS = ("train", "val", "test")
_BLOCK_BYTES = 1 << 24
_Info = dict[str, Any]  # what the package says of one set: its label names, addresses, digests


@dataclass(kw_only=True)
class Medmnist(Dataset):
    """One 2-D set of MedMNIST (Yang et al., MedMNIST v2, Scientific Data 2023), as published.

    Order: train, val, test, as in the file; the test part is ``official_test``. The files name no
    patients, so each image counts as its own; the published parts are by patient where their
    source allowed it, and a split that honours ``official_test`` keeps that for the test set.

    Class numbers become labels that exclude each other; several 0/1 columns (ChestMNIST) become
    labels that may hold together, or none of them.

    Args:
        flag: The set's name, e.g. ``pneumoniamnist``.
        size: Height and width in the file; one other than 28 is MedMNIST+.
        path: An ``.npz`` file, or a folder with one named as the package names it (``<flag>.npz``
            for 28 pixels, else ``<flag>_<size>.npz``); counts by its content. ``null``: the
            package ``medmnist`` says where from and it is downloaded to where the package would.
        labels: Names in the order of the class numbers; empty: the package's names if it is
            installed, else the numbers.
        margin: Pixels of black added on each side: 2 makes 28 into 32, which a UNet can halve.
    """

    domain: str = option("medical image", "what the images show, in the words of a prompt")
    flag: str = option("pneumoniamnist", "name of the set, as the medmnist package has it")
    size: int = option(28, "height and width: 28, 64, 128 or 224")
    path: str | None = option(
        None, "npz file, or folder that holds it; null = download by the package", in_key=False
    )
    labels: list[str] = option([], "label names in the order of the class numbers")
    margin: int = option(0, "pixels of black added on each side", low=0, high=1_000_000)

    def problems(self) -> list[str]:
        """What is wrong with size, flag, labels and path."""
        problems = super().problems()
        if self.size not in SIZES:
            problems.append(f"size must be one of {', '.join(map(str, SIZES))}, got {self.size}")
        if self.flag.endswith("3d"):
            problems.append(f"flag must name a set of 2-D images, got the 3-D set '{self.flag}'")
        if len(set(self.labels)) != len(self.labels):
            problems.append(f"labels must differ from each other, got {self.labels}")
        if self.path is not None and not self._file(self.path).is_file():
            problems.append(f"path: there is no file {self._file(self.path)}")
        return problems

    def identity(self) -> dict[str, Any]:
        """The fields, the names in use, and the digest of the file (published if downloaded)."""
        if self.path is None:
            digest = self._published()[f"MD5{self._suffix()}"]
        else:
            file = self._file(self.path)
            with _reading(file):
                digest = remembered_file_digest(file)
        return super().identity() | {"labels": self._names(), "file": digest}

    def origin(self) -> Origin:
        """As MedMNIST publishes its sets."""
        if self.flag == "dermamnist":
            return Origin(f"MedMNIST v2, {self.flag}", "CC BY-NC 4.0", "cc-by-nc-4.0")
        return Origin(f"MedMNIST v2, {self.flag}", "CC BY 4.0", "cc-by-4.0")

    def image_side(self) -> int | None:
        """With the margin."""
        return self.size + 2 * self.margin

    def _load(self, new_images: NewImages) -> ImageSet:
        file = self._downloaded() if self.path is None else self._file(self.path)
        with _reading(file), zipfile.ZipFile(file) as archive:
            _require_keys(archive, file)
            counts, channels = _images_of(archive, self.size)
            numbers = np.concatenate([_numbers(archive, part, counts[part]) for part in PARTS])
        side = self.size + 2 * self.margin
        images = new_images((len(numbers), side, side, channels))
        inside = slice(self.margin, self.margin + self.size)
        with _reading(file), zipfile.ZipFile(file) as archive:
            _fill(images[:, inside, inside], archive, counts)
        names = self._names()
        if not names:
            log.warning(
                "the classes of %s are named by their numbers, also in prompts; name them with "
                "dataset.labels=[...], or install the package: pip install 'tgap[medmnist]'",
                file,
            )
        labels, label_names = labels_of(numbers, names, file)
        return ImageSet(
            images=images,
            labels=labels,
            label_names=label_names,
            findings=np.zeros((len(images), 0), np.bool_),
            finding_names=(),
            patients=np.arange(len(images), dtype=np.int64),
            official_test=np.arange(len(images)) >= len(images) - counts["test"],
        )

    def _suffix(self) -> str:
        return "" if self.size == 28 else f"_{self.size}"

    def _file(self, given: str) -> Path:
        path = expanded(given)
        return path / f"{self.flag}{self._suffix()}.npz" if path.is_dir() else path

    def _names(self) -> list[str]:
        """Label names as given, or as the package has them; empty if neither."""
        if self.labels:
            return list(self.labels)
        info = (_package().get("INFO") or {}).get(self.flag)
        return [info["label"][str(i)] for i in range(len(info["label"]))] if info else []

    def _published(self) -> _Info:
        """What the package says of this set."""
        sets = _package().get("INFO")
        if sets is None:
            raise DataError(
                f"MedMNIST set '{self.flag}' cannot be downloaded, because the package 'medmnist' "
                "is not installed: pip install 'tgap[medmnist]', or set dataset.path to an .npz "
                "file"
            )
        if self.flag not in sets:
            flags = [flag for flag in sets if not flag.endswith("3d")]
            raise DataError(f"no MedMNIST set is named '{self.flag}'{nearest(self.flag, flags)}")
        published: _Info = sets[self.flag]
        if f"MD5{self._suffix()}" not in published:
            raise DataError(
                f"the installed medmnist package has no {self.flag} of size {self.size}: "
                "pip install -U medmnist, or choose dataset.size=28"
            )
        return published

    def _downloaded(self) -> Path:
        """The file where the package keeps it, fetched if it is not there yet."""
        from torchvision.datasets.utils import download_url

        published, folder = self._published(), _package()["DEFAULT_ROOT"]
        if folder is None:
            raise DataError("the package 'medmnist' cannot make its folder ~/.medmnist")
        file = self._file(folder)
        url, digest = published[f"url{self._suffix()}"], published[f"MD5{self._suffix()}"]
        try:
            download_url(url, folder, file.name, digest)
        except (OSError, RuntimeError) as error:
            raise DataError(
                f"MedMNIST set '{self.flag}' cannot be downloaded from {url} into {folder}: "
                f"{error}; fetch it elsewhere and set dataset.path to the file"
            ) from error
        return file


def labels_of(
    numbers: NDArray[np.int64], names: Sequence[str], file: Path
) -> tuple[Bools, tuple[str, ...]]:
    """Labels from a MedMNIST file's numbers.

    Args:
        numbers: ``(N, 1)`` class numbers, or ``(N, L)`` of 0 and 1 with L > 1.
        names: A name per class, or none, and the classes are named by their numbers.
        file: Named in errors.

    Returns:
        ``(N, L)`` bool, and L names.

    Raises:
        DataError: If numbers are out of range, or the names are not as many as the classes.

    >>> labels_of(np.array([[1], [0]]), ["healthy", "ill"], Path("x.npz"))[0].tolist()
    [[False, True], [True, False]]
    """
    several = numbers.shape[1] > 1
    if numbers.min(initial=0) < 0 or (several and numbers.max(initial=0) > 1):
        allowed = "0 or 1, as they have several columns" if several else "class numbers from 0 on"
        raise DataError(
            f"labels in {file} must be {allowed}; got {numbers.min()} to {numbers.max()}"
        )
    classes = numbers.shape[1] if several else int(numbers.max(initial=0)) + 1
    if names and len(names) != classes:
        what = "columns of labels" if several else f"classes (numbers 0 to {classes - 1})"
        raise DataError(
            f"{file} has {classes} {what}, but there are {len(names)} names: {', '.join(names)}; "
            "give a name for each in dataset.labels"
        )
    labels = numbers == 1 if several else numbers == np.arange(classes)
    return labels, tuple(names or map(str, range(classes)))


def _package() -> dict[str, Any]:
    """``INFO`` and ``DEFAULT_ROOT`` of the medmnist package; empty if it is not installed.

    Read from its file ``info.py`` alone, as importing the package imports torch.
    """
    package = importlib.util.find_spec("medmnist")
    if package is None or not package.submodule_search_locations:
        return {}
    file = Path(package.submodule_search_locations[0]) / "info.py"
    spec = importlib.util.spec_from_file_location("medmnist_info", file)
    if spec is None or spec.loader is None:
        return {}
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return vars(module)


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(
            f"{file} cannot be read as a MedMNIST file: {error}; fetch it again"
        ) from error


def _require_keys(archive: zipfile.ZipFile, file: Path) -> None:
    wanted = [f"{part}_{what}" for part in PARTS for what in ("images", "labels")]
    missing = [key for key in wanted if f"{key}.npy" not in archive.namelist()]
    if missing:
        raise DataError(
            f"{file} is no MedMNIST file: it lacks {', '.join(missing)} (has: "
            f"{', '.join(name.removesuffix('.npy') for name in archive.namelist()) or 'nothing'})"
        )


def _images_of(archive: zipfile.ZipFile, size: int) -> tuple[dict[str, int], int]:
    """How many images each part has, and their channels."""
    shapes = {part: _image_shape(archive, part, size) for part in PARTS}
    if len({shape[3] for shape in shapes.values()}) > 1:
        raise DataError(f"{archive.filename} mixes grey and colour images: {shapes}")
    return {part: shape[0] for part, shape in shapes.items()}, shapes["train"][3]


def _image_shape(archive: zipfile.ZipFile, part: str, size: int) -> tuple[int, int, int, int]:
    with archive.open(f"{part}_images.npy") as stream:
        shape, column_order, dtype = _header(stream)
    key = f"{part}_images in {archive.filename}"
    if dtype != np.uint8 or column_order:
        raise DataError(f"{key} must be uint8 in C order, got {dtype}")
    if len(shape) not in (3, 4) or shape[3:] not in ((), (3,)):
        raise DataError(f"{key} must be 2-D images, (N, H, W) or (N, H, W, 3), got {shape}")
    if shape[1:3] != (size, size):
        raise DataError(f"{key} are {shape[1]} x {shape[2]}, but dataset.size is {size}")
    return shape[0], size, size, shape[3] if len(shape) == 4 else 1


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether in Fortran order, and dtype of an array; leaves the stream at its data."""
    version = np.lib.format.read_magic(stream)
    read = {(1, 0): np.lib.format.read_array_header_1_0}.get(
        version, np.lib.format.read_array_header_2_0
    )
    return read(stream)


def _fill(images: Images, archive: zipfile.ZipFile, counts: Mapping[str, int]) -> None:
    """Read the parts one after another."""
    start = 0
    for part in PARTS:
        _fill_part(images[start : start + counts[part]], archive, part)
        start += counts[part]


def _fill_part(images: Images, archive: zipfile.ZipFile, part: str) -> None:
    """Read a part's images in blocks, as a part may be larger than memory."""
    image_bytes = int(np.prod(images.shape[1:]))
    step = max(1, _BLOCK_BYTES // image_bytes)
    with archive.open(f"{part}_images.npy") as stream:
        _header(stream)
        for start in range(0, len(images), step):
            block = images[start : start + step]
            data = stream.read(len(block) * image_bytes)
            if len(data) < len(block) * image_bytes:
                raise EOFError(f"{part}_images ends early")
            block[:] = np.frombuffer(data, np.uint8).reshape(block.shape)
        if stream.read(1):  # reaching the end is also what makes zipfile compare checksums
            raise ValueError(f"{part}_images is longer than its header says")


def _numbers(archive: zipfile.ZipFile, part: str, count: int) -> NDArray[np.int64]:
    """A part's labels, ``(count, L)``."""
    with archive.open(f"{part}_labels.npy") as stream:
        numbers = np.lib.format.read_array(stream, allow_pickle=False)
    if numbers.dtype.kind not in "biu" or numbers.ndim != 2 or len(numbers) != count:
        raise DataError(
            f"{part}_labels in {archive.filename} must be ({count}, L) whole numbers, got "
            f"{numbers.shape} {numbers.dtype}"
        )
    return numbers.astype(np.int64)
