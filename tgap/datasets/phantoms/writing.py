"""Phantoms on disk, in the exact layout of NIH's ChestX-ray14."""

import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from tgap.core import ConfigError, DataError, Images
from tgap.core.files import whole_folder
from tgap.core.settings import LARGEST_SEED
from tgap.datasets.phantoms.factors import FINDINGS, Factors, draw_factors, draw_typical
from tgap.datasets.phantoms.picture import draw_all
from tgap.datasets.radiographs.nih_table import COLUMNS
from tgap.datasets.reading.tables import read_csv, write_csv

TABLE = "Data_Entry_2017_v2020.csv"
HEADER = (*COLUMNS, "OriginalImage[Width", "Height]", "OriginalImagePixelSpacing[x", "y]")
"""NIH's own, whose commas inside of brackets make eleven columns."""
LARGEST = 112_120
SMALLEST_SIZE, LARGEST_SIZE = 16, 4096
_FIRST_FOLDER, _NEXT_FOLDERS = 4_999, 10_000
_FIELD = 360.0
"""Millimetres that a picture spans."""
_TEXT_FACTORS = ("view", "sex", "text")
_README = """\
Chest X-ray phantoms: drawn, not taken. Nobody is shown, and no diagnosis can be learnt from them.

{images} images of {patients} patients at {size} x {size} pixels, seed {seed}, in the layout of
NIH's ChestX-ray14. factors.csv holds everything that the pictures were drawn from.
"""
_TEXTBOOK = """\
Chest X-ray phantoms such as a textbook would show: drawn, not taken. Nobody is shown, and no
diagnosis can be learnt from them.

{images} images at {size} x {size} pixels, seed {seed}: half of them healthy, half with one severe
finding, each of a patient of its own. truth.csv says which; images/ alone is what a labeller sees.
"""


def write_nih(
    out: Path, images: int, size: int, seed: int = 0, *, workers: int | None = None
) -> None:
    """Write phantoms as NIH's folders, names, table and lists, and their factors beside them.

    Everything is written beside ``out`` and renamed at the end, so ``out`` is complete or absent.

    Args:
        out: A folder that is empty or not there yet.
        images: 1 to 112,120; at full scale the twelve folders hold as many as NIH's.
        size: Height and width, 16 to 4096.
        seed: Which phantoms; a smaller set is the beginning of a larger one.
        workers: Threads; all cores by default.

    Raises:
        ConfigError: If a number is out of range.
        DataError: If ``out`` holds something, or cannot be written.
    """
    _check(images, size, seed)
    with whole_folder(out, "phantoms") as folder:
        _write(folder, draw_factors(images, seed), size, workers)


def write_textbook(out: Path, images: int, size: int, seed: int = 0) -> None:
    """Write a textbook's figures: typical phantoms in a folder without labels.

    ``images`` holds the figures; beside that folder, ``truth.csv`` holds what each shows, in the
    words of ``dataset=phantom_xray``, and ``factors.csv`` what it was drawn from.

    Args:
        out: As for ``write_nih``.
        images: 1 to 112,120.
        size: Height and width, 16 to 4096.
        seed: Which phantoms.

    Raises:
        ConfigError: If a number is out of range.
        DataError: If ``out`` holds something, or cannot be written.
    """
    _check(images, size, seed)
    factors = draw_typical(images, seed)
    names = [f"figure_{i + 1:06d}.png" for i in range(images)]
    with whole_folder(out, "phantoms") as folder:
        (folder / "images").mkdir()
        write_csv(folder / "truth.csv", ("file", "label", "findings"), _truth(factors, names))
        _write_factors(folder / "factors.csv", factors, names)
        about = _TEXTBOOK.format(images=images, size=size, seed=seed)
        (folder / "README.txt").write_text(about, "utf-8")
        draw_all(factors, size, lambda i, image: _save(image, folder / "images" / names[i]))


def _truth(factors: Factors, names: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    for name, present in zip(names, factors.findings(), strict=True):
        label = "unhealthy" if present.any() else "no_finding"
        yield name, label, "|".join(FINDINGS[f] for f in np.flatnonzero(present))


def file_names(factors: Factors) -> list[str]:
    """NIH's name of each image: patient and follow-up number."""
    patients, visits = factors.columns["patient"], factors.columns["follow_up"]
    return [f"{int(p):08d}_{int(v):03d}.png" for p, v in zip(patients, visits, strict=True)]


def read_factors(path: Path) -> Factors:
    """Read a ``factors.csv``; drawing its rows gives the same pictures again.

    Raises:
        DataError: If the file is missing or is no table of factors.
    """
    cells = read_csv(path).columns
    try:
        del cells["Image Index"]
        return Factors(
            {
                name: np.array(column, dtype=np.str_ if name in _TEXT_FACTORS else np.float64)
                for name, column in cells.items()
            }
        )
    except (ValueError, KeyError) as error:
        raise DataError(f"{path} is no table of phantoms' factors: {error}") from error


def _check(images: int, size: int, seed: int) -> None:
    problems = []
    if not 1 <= images <= LARGEST:
        problems.append(f"images must be 1 to {LARGEST}, got {images}")
    if not SMALLEST_SIZE <= size <= LARGEST_SIZE:
        problems.append(f"size must be {SMALLEST_SIZE} to {LARGEST_SIZE}, got {size}")
    if not 0 <= seed <= LARGEST_SEED:
        problems.append(f"seed must be 0 to {LARGEST_SEED}, got {seed}")
    if problems:
        raise ConfigError(*problems)


def _write(folder: Path, factors: Factors, size: int, workers: int | None) -> None:
    names = file_names(factors)
    paths = [folder / _image_folder(i) / "images" / name for i, name in enumerate(names)]
    for parent in dict.fromkeys(path.parent for path in paths):
        parent.mkdir(parents=True)

    def put(index: int, image: Images) -> None:
        _save(image, paths[index])

    _write_table(folder / TABLE, factors, names, size)
    _write_factors(folder / "factors.csv", factors, names)
    test = factors.columns["official_test"] > 0
    for name, chosen in (("train_val_list.txt", ~test), ("test_list.txt", test)):
        lines = [f"{names[i]}\n" for i in np.flatnonzero(chosen)]
        (folder / name).write_text("".join(lines), "utf-8")
    columns = factors.columns
    about = _README.format(
        images=len(factors),
        patients=int(columns["patient"][-1]),
        size=size,
        seed=int(columns["seed"][0]),
    )
    (folder / "README.txt").write_text(about, "utf-8")
    draw_all(factors, size, put, workers)


def _image_folder(index: int) -> str:
    return f"images_{1 + (index + _NEXT_FOLDERS - _FIRST_FOLDER) // _NEXT_FOLDERS:03d}"


def _save(image: Images, path: Path) -> None:
    from PIL import Image

    picture = Image.fromarray(image[..., 0])
    # run lengths after PNG's own filters: faster and smaller here than searching for matches
    picture.save(path, format="PNG", compress_level=1, compress_type=zlib.Z_RLE)


def _write_table(path: Path, factors: Factors, names: Sequence[str], size: int) -> None:
    columns, present = factors.columns, factors.findings()
    spacing = round(_FIELD / size, 6)
    rows = (
        (
            names[i],
            "|".join(FINDINGS[f] for f in np.flatnonzero(present[i])) or "No Finding",
            int(columns["follow_up"][i]),
            int(columns["patient"][i]),
            int(columns["age"][i]),
            columns["sex"][i],
            columns["view"][i],
            size,
            size,
            spacing,
            spacing,
        )
        for i in range(len(factors))
    )
    write_csv(path, HEADER, rows)


def _write_factors(path: Path, factors: Factors, names: Sequence[str]) -> None:
    columns = [column.tolist() for column in factors.columns.values()]
    write_csv(path, ("Image Index", *factors.columns), zip(names, *columns, strict=True))
