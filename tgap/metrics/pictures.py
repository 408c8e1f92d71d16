"""How many of a set's images are different pictures, and how many show nothing."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from tgap.core import Bools, Images
from tgap.core.digest import image_digests


class Pictures(NamedTuple):
    """Of one label.

    Args:
        images: How many there are.
        different: How many differ in a pixel from all others.
        blank: How many are of one grey level or colour.
    """

    images: int
    different: int
    blank: int

    def defect(self) -> str:
        """What is wrong with all of them, if anything is."""
        if self.images < 2:
            return ""
        if self.different == 1:
            return "are the same picture" + (", and blank" if self.blank else "")
        return "are blank, each of one colour" if self.blank == self.images else ""


def pictures(images: Images, labels: Bools) -> list[Pictures]:
    """Counts of each label.

    Args:
        images: ``(N, H, W, C)`` uint8; read one by one.
        labels: ``(N, L)`` bool.

    >>> black, white = np.zeros((2, 4, 4, 1), np.uint8), np.full((1, 4, 4, 1), 255, np.uint8)
    >>> pictures(np.concatenate([black, white]), np.ones((3, 1), bool))
    [Pictures(images=3, different=2, blank=3)]
    """
    digests = np.array(image_digests(images), dtype=object)
    blank = np.array([bool((image == image[0, 0]).all()) for image in images], bool)
    return [Pictures(int(of.sum()), len(set(digests[of])), int(blank[of].sum())) for of in labels.T]


def defects(counts: Mapping[str, Pictures]) -> list[str]:
    """What is wrong with all synthetic images of a label, as sentences, alike ones put together.

    >>> defects({"cat": Pictures(9, 1, 0), "dog": Pictures(9, 1, 0), "cow": Pictures(9, 8, 0)})
    ["all 9 synthetic images of each of the labels 'cat', 'dog' are the same picture"]
    """
    alike: dict[tuple[int, str], list[str]] = {}
    for label, count in counts.items():
        if defect := count.defect():
            alike.setdefault((count.images, defect), []).append(f"'{label}'")
    return [
        f"all {images} synthetic images of "
        + (f"label {labels[0]}" if len(labels) == 1 else f"each of the labels {', '.join(labels)}")
        + f" {defect}"
        for (images, defect), labels in alike.items()
    ]
