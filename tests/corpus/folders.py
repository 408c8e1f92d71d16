"""How people lay out their folders."""

import numpy as np

from tests.corpus.case import Case
from tests.corpus.making import put_folders
from tgap.core import ImageSet


def _cats_and_dogs(data: ImageSet) -> None:
    assert data.label_names == ("cat", "dog")
    assert data.images.shape == (60, 32, 32, 1)
    assert np.array_equal(data.labels.sum(axis=0), [30, 30])


CASES = (
    Case(
        name="a folder per label",
        make=put_folders,
        words=("dataset=image_folder", "dataset.domain=pet"),
        tells=("label cat +30", "label dog +30"),
        read=_cats_and_dogs,
        runs=True,
    ),
)
