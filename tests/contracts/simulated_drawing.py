"""Drawings whose judge is known: what passes is drawn by lot, from the noise seed."""

from dataclasses import dataclass, field

import numpy as np

from tgap.core import ImageSet
from tgap.core.seeding import noise_seeds, rng_for, trial_seed
from tgap.core.types import no_pixels
from tgap.drawings.base import Wanted


@dataclass
class Simulated:
    """A wanted set of two labels, each with findings in turn, and what was asked of it.

    Args:
        rates: Pass rate of each finding.
        per_label: Images of each label.
    """

    rates: tuple[float, ...]
    per_label: int = 400
    drawn: list[tuple[int, int]] = field(default_factory=list)
    judged: int = 0

    def asked(self) -> ImageSet:
        total, kinds = 2 * self.per_label, len(self.rates)
        return ImageSet(
            images=no_pixels(total),
            labels=np.repeat(np.eye(2, dtype=bool), self.per_label, axis=0),
            label_names=("odd", "even"),
            findings=np.eye(kinds, dtype=bool)[np.arange(total) % kinds],
            finding_names=tuple(f"kind {i}" for i in range(kinds)),
            patients=np.arange(total, dtype=np.int64),
        )

    def seed(self, row: int, trial: int) -> int:
        label, index = divmod(row, self.per_label)
        if trial == 0:
            return noise_seeds(3, label, self.per_label)[index]
        return trial_seed(3, label, index, trial)

    def image_of(self, row: int, seed: int) -> np.ndarray:
        """Its first pixel says what it was drawn for, the second whether it shows that."""
        kind = row % len(self.rates)
        good = rng_for("luck", seed).random() < self.rates[kind]
        return np.array([[[row // self.per_label], [kind], [int(good)]]], np.uint8)

    def draw(self, rows, seeds) -> np.ndarray:
        self.drawn += zip(rows, seeds, strict=True)
        return np.stack([self.image_of(*pair) for pair in zip(rows, seeds, strict=True)])

    def judge(self, images, rows) -> np.ndarray:
        self.judged += len(rows)
        assert (images[:, 0, 1, 0] == rows % len(self.rates)).all(), "images stand beside others"
        return images[:, 0, 2, 0] == 1

    def value(self, images, rows) -> np.ndarray:
        """Good images are worth 1."""
        return self.judge(images, rows).astype(float)

    def wanted(self) -> Wanted:
        blocks = np.repeat(np.arange(2), self.per_label)
        return Wanted(self.asked(), blocks, self.seed, self.draw, self.judge, self.value)
