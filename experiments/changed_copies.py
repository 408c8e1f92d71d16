"""Which copies that people make are found: by kind of change and by size of the images.

python -m experiments.changed_copies        (some 4 minutes on one core)

Prints the Markdown table of ``docs/memorization.md``: the share found at the threshold for 1 % of
held-out images, of both searches together and of ``copies.resemblance`` alone. Of divisions of the
held-out patients in halves: false alarms in one half at the other half's threshold, the mean and
what one division in ten exceeds.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from experiments.memorization import DOMAINS, FALSE_ALARMS, LIGHT, Domain, jitter
from tgap.core import Images
from tgap.metrics.changed_copies import Originals, larger
from tgap.metrics.copies import resemblance, threshold

COPIES = 200
HELD_OUT = 1000
DIVISIONS = 400
Change = Callable[[Image.Image, np.random.Generator], Image.Image]


def turned(degrees: float) -> Change:
    """To either side; corners repeat the darkest grey level."""

    def change(image: Image.Image, rng: np.random.Generator) -> Image.Image:
        angle = degrees * rng.choice([-1, 1])
        dark = image.getextrema()[0]
        return image.rotate(angle, Image.Resampling.BILINEAR, fillcolor=dark)

    return change


def cropped(share: float) -> Change:
    """At a random place, and enlarged to the old size."""

    def change(image: Image.Image, rng: np.random.Generator) -> Image.Image:
        kept = share * image.width
        left, top = rng.uniform(0, image.width - kept, 2)
        box = (left, top, left + kept, top + kept)
        return image.resize(image.size, Image.Resampling.BILINEAR, box)

    return change


def blurred(share: float) -> Change:
    """By a Gaussian of so much of the side."""
    return lambda image, rng: image.filter(ImageFilter.GaussianBlur(share * image.width))


def erased(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A square of a quarter of the area in a random grey level."""
    side = image.width // 2
    left, top = rng.integers(0, image.width - side + 1, 2).tolist()
    copy = image.copy()
    copy.paste(int(rng.integers(256)), (left, top, left + side, top + side))
    return copy


CHANGES: dict[str, Change] = {
    "turned by 5 degrees": turned(5),
    "turned by 10 degrees": turned(10),
    "upside down": lambda image, rng: image.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
    "turned by 90 degrees": lambda image, rng: image.transpose(Image.Transpose.ROTATE_90),
    "inverted": lambda image, rng: Image.fromarray(255 - np.asarray(image)),
    "cropped to 85 %": cropped(0.85),
    "cropped to 75 %": cropped(0.75),
    "blurred by 3 % of the side": blurred(0.03),
    "blurred by 5 % of the side": blurred(0.05),
    "a quarter erased": erased,
}


def changed(images: Images, change: Change) -> Images:
    """Each grey image, changed with a seed of its own."""
    pictures = [Image.fromarray(image) for image in images[..., 0]]
    made = [change(one, np.random.default_rng(n)) for n, one in enumerate(pictures)]
    return np.stack([np.asarray(one) for one in made])[..., None]


@dataclass(frozen=True)
class World:
    """A domain at a size."""

    tuning: Images
    held_out: Images
    patients: np.ndarray
    calibrates: np.ndarray

    def column(self) -> dict[str, str]:
        """``both (light)`` by row."""
        usual = self._similar(self.held_out)
        limits = [self._limit(one, self.calibrates) for one in usual]
        light = jitter(LIGHT, "shift", "zoom", "contrast", "noise", "flip")
        few = self.tuning[:COPIES]
        made = {"light jitter": light(few)}
        made |= {name: changed(few, change) for name, change in CHANGES.items()}
        rows = {"false alarms": [one[~self.calibrates] for one in usual]}
        rows |= {name: self._similar(images) for name, images in made.items()}
        shares = {
            name: [float((one > limit).mean()) for one, limit in zip(two, limits, strict=True)]
            for name, two in rows.items()
        }
        divided = [self._divided(one) for one in usual]
        shares |= {
            "mean over divisions": [rates.mean() for rates in divided],
            "exceeded by one division in ten": [np.quantile(rates, 0.9) for rates in divided],
        }
        return {name: f"{both:.3f} ({light:.3f})" for name, (both, light) in shares.items()}

    def _limit(self, usual: np.ndarray, half: np.ndarray) -> float:
        return threshold(usual[half], FALSE_ALARMS, self.patients[half])

    def _divided(self, usual: np.ndarray) -> np.ndarray:
        """False alarms of each of many divisions by patient."""
        rates = []
        for seed in range(DIVISIONS):
            order = np.random.default_rng(seed).permutation(np.unique(self.patients))
            half = np.isin(self.patients, order[::2])
            rates.append((usual[~half] > self._limit(usual, half)).mean())
        return np.array(rates)

    @functools.cached_property
    def originals(self) -> Originals:
        """The tuning images, made ready once."""
        return Originals(self.tuning)

    def _similar(self, images: Images) -> list[np.ndarray]:
        near = resemblance(images, self.tuning)
        return [larger(near, self.originals.resemblance(images)).similarity, near.similarity]


@functools.cache
def _drawn(name: str) -> Domain:
    return DOMAINS[name](0)


def world(name: str, side: int) -> World:
    """A draw of a domain, digits enlarged or phantoms reduced to the side."""
    drawn = _drawn(name)

    def sized(images: Images) -> Images:
        pictures = [Image.fromarray(image) for image in images[..., 0]]
        resized = [one.resize((side, side), Image.Resampling.BICUBIC) for one in pictures]
        return np.stack([np.asarray(one) for one in resized])[..., None]

    few = slice(HELD_OUT)
    return World(
        sized(drawn.tuning), sized(drawn.held_out[few]), drawn.patients[few], drawn.calibrates[few]
    )


def main() -> None:
    """Print the table."""
    columns = {
        f"{name}, {side} px": world(name, side).column() for name in DOMAINS for side in (32, 64)
    }
    print("| | " + " | ".join(columns) + " |\n|---|" + "---|" * len(columns))
    for row in next(iter(columns.values())):
        print(f"| {row} | " + " | ".join(column[row] for column in columns.values()) + " |")


if __name__ == "__main__":
    main()
