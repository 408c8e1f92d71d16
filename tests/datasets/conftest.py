"""What tests of several datasets need."""

from pathlib import Path

import numpy as np
from PIL import Image

from tgap.core import ImageSet


def write_grey(file: Path, level: int, size: tuple[int, int] = (16, 16)) -> None:
    """A picture of one grey level, in a folder that need not be there yet."""
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, level).save(file, quality=100)


def replace(file: Path, old: str, new: str) -> None:
    """Change the first place of a text in a file."""
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def assert_same(one: ImageSet, other: ImageSet) -> None:
    for name in ("images", "labels", "findings", "patients", "label_names", "finding_names"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    for name in ("official_test", "official_pool"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert one.metadata.keys() == other.metadata.keys()
    for name, column in one.metadata.items():
        np.testing.assert_array_equal(column, other.metadata[name])
