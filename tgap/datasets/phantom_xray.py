"""Chest X-ray phantoms with known factors: what NIH's data look like, without NIH's data."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tgap.core import Images, ImageSet, NewImages, option
from tgap.core.origin import Origin
from tgap.datasets.phantoms.factors import FINDINGS, draw_factors
from tgap.datasets.phantoms.picture import draw_all
from tgap.datasets.phantoms.writing import LARGEST, SMALLEST_SIZE, file_names
from tgap.datasets.reading.resized import ResizedDataset

_NOT_METADATA = ("seed", "image", "patient", "official_test")


@dataclass(kw_only=True)
class PhantomXray(ResizedDataset):
    """Drawn chest X-rays, labelled no_finding or unhealthy, with ChestX-ray14's 14 findings.

    Numbers of images per patient, rates of findings and views, ages and the share of the official
    test set follow the real data; findings occur together, and last in a patient. The first
    images of a larger set are those of a smaller one with the same seed.

    Metadata are everything a picture was drawn from: ``file`` (NIH's name), ``view``, ``sex``,
    ``age``, ``follow_up``, the ``text`` on the film, the anatomy and exposure (see
    ``tgap.datasets.phantoms.factors``), and ``<finding>_severity`` (0 where absent), ``_side``
    (-1 is the patient's right) and ``_place`` for each finding.
    """

    usual_size: ClassVar[int] = 64

    domain: str = option("chest X-ray", "what the images show, in the words of a prompt")
    images: int = option(4000, "how many images", low=50, high=LARGEST)
    size: int | None = option(
        None, "height and width, null = the generator's", low=SMALLEST_SIZE, high=4096
    )
    seed: int = option(0, "which phantoms", low=0, high=2**53)

    def origin(self) -> Origin:
        """Drawn by tgap."""
        source = "X-ray phantoms that tgap draws: of no person"
        return Origin(source, "Apache-2.0", "apache-2.0")

    def stored_bytes(self) -> int:
        """Of all images."""
        return self.images * self.side * self.side

    def _load(self, new_images: NewImages) -> ImageSet:
        factors = draw_factors(self.images, self.seed)
        images = new_images((self.images, self.side, self.side, 1))

        def put(index: int, image: Images) -> None:
            images[index] = image

        draw_all(factors, self.side, put)
        findings = factors.findings()
        unhealthy = findings.any(axis=1)
        metadata = {"file": np.array(file_names(factors))}
        metadata |= {k: v for k, v in factors.columns.items() if k not in _NOT_METADATA}
        return ImageSet(
            images=images,
            labels=np.stack([~unhealthy, unhealthy], axis=1),
            label_names=("no_finding", "unhealthy"),
            findings=findings,
            finding_names=FINDINGS,
            patients=factors.columns["patient"].astype(np.int64),
            metadata=metadata,
            official_test=factors.columns["official_test"] > 0,
        )
