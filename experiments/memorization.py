"""How strongly copies may be changed before they are no longer found: ``tgap.metrics.copies``.

python -m experiments.memorization        (about 4 minutes on one core)

Tuning images of digits (1,000) and of X-ray phantoms (those of 300 patients) are changed by each
kind of jitter at growing strength, and looked for at the threshold that at most 1 % of held-out
images exceed. Prints Markdown tables and draws ``docs/recall.png``.

Two rows of the phantoms' table need a reader who knows why: the packaged autoencoder has seen
letters only, and leaves black and white of an X-ray, which is no light change; and what differs
between two phantoms of one patient is hardly more than jitter.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tgap.core import Images, ImageSet
from tgap.datasets.digits import Digits
from tgap.datasets.phantom_xray import PhantomXray
from tgap.generators.controls.jitter import KINDS, jittered
from tgap.generators.stable_diffusion import StableDiffusion
from tgap.metrics.copies import resemblance, threshold

FIGURE = Path(__file__).parents[1] / "docs" / "recall.png"
STRENGTHS = (0.0, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 1.0)
LIGHT = 0.3
SPLITS = 4
MOST = 500
"""Copies per point."""
FALSE_ALARMS = 0.01
# Okabe & Ito's colours, told apart by colour-blind readers; markers for those who print in grey.
STYLES = {
    "shift": ("#D55E00", "o"),
    "zoom": ("#0072B2", "s"),
    "contrast": ("#009E73", "^"),
    "noise": ("#CC79A7", "D"),
    "all": ("#000000", "v"),
}
Change = Callable[[Images], Images]


@dataclass(frozen=True)
class Domain:
    """A draw of a domain, patients apart; ``relatives`` are further images of tuning patients.

    ``patients`` are those of held-out, of whom one half calibrates.
    """

    tuning: Images
    held_out: Images
    patients: np.ndarray
    calibrates: np.ndarray
    relatives: Images

    def limit_and_false_alarms(self) -> tuple[float, float]:
        """The threshold by one half of held-out, and how many of the other half exceed it."""
        usual = resemblance(self.held_out, self.tuning).similarity
        half = self.calibrates
        limit = threshold(usual[half], FALSE_ALARMS, self.patients[half])
        return limit, float((usual[~self.calibrates] > limit).mean())

    def copies(self, change: Change) -> Images:
        """Some tuning images, changed."""
        return change(self.tuning[:: -(-len(self.tuning) // MOST)])


def digits(draw: int) -> Domain:
    """1,000 tuning images, 2,000 held-out ones; each its own patient."""
    images = Digits().load().images
    order = np.random.default_rng(draw).permutation(len(images))
    tuning, held_out = images[order[:1000]], images[order[1000:3000]]
    patients = np.arange(2000)
    return Domain(tuning, held_out, patients, patients % 2 == 0, images[:0])


def phantoms(draw: int) -> Domain:
    """Of 300 patients every second image is tuned on; held-out are 2,000 of other patients."""
    data = PhantomXray(images=4000).load()
    order = np.random.default_rng(draw).permutation(np.unique(data.patients))
    ours = np.isin(data.patients, order[:300])
    tuned = np.flatnonzero(ours)[::2]
    known = np.isin(data.patients, data.patients[tuned])
    relatives = np.setdiff1d(np.flatnonzero(known), tuned)
    held_out: ImageSet = data.take(np.flatnonzero(~ours)[:2000])
    half = np.random.default_rng(draw).permutation(np.unique(held_out.patients))[::2]
    return Domain(
        data.images[tuned],
        held_out.images,
        held_out.patients,
        np.isin(held_out.patients, half),
        data.images[relatives],
    )


DOMAINS = {"digits": digits, "X-ray phantoms": phantoms}


def jitter(strength: float, *kinds: str) -> Change:
    """Jitter of some kinds; image by image with the same seeds, whatever the strength."""

    def change(images: Images) -> Images:
        return jittered(images, strength, np.arange(len(images)), kinds)

    return change


def autoencoder(images: Images) -> Images:
    """Through the packaged diffusion model's autoencoder and back."""
    model = StableDiffusion(packaged="tiny_ldm", image_size=images.shape[1]).load()
    return model.decode(model.moments(images)[:, 0])


def fixed_changes() -> Iterator[tuple[str, Change]]:
    """Changes that have no strength, or one that is of interest."""
    light = jitter(LIGHT, "shift", "zoom", "contrast", "noise")
    yield "verbatim", lambda images: images
    yield "mirrored", lambda images: images[:, :, ::-1]
    yield "autoencoder", autoencoder
    yield f"all kinds at {LIGHT}", light
    yield f"all kinds at {LIGHT}, mirrored", lambda images: light(images)[:, :, ::-1]
    yield f"all kinds at {LIGHT}, autoencoder", lambda images: autoencoder(light(images))


def recall(domain: Domain, limit: float, change: Change) -> float:
    """Share of changed tuning images that are found."""
    found = resemblance(domain.copies(change), domain.tuning).similarity
    return float((found > limit).mean())


def fixed_table(make: Callable[[int], Domain]) -> list[str]:
    """Mean and range over draws of false alarms and recall."""
    values: dict[str, list[float]] = {}
    for draw in range(SPLITS):
        domain = make(draw)
        limit, false_alarms = domain.limit_and_false_alarms()
        rows = {"threshold": limit, "false alarms on held-out": false_alarms}
        if len(domain.relatives):
            found = resemblance(domain.relatives, domain.tuning).similarity
            rows["other images of tuning patients"] = float((found > limit).mean())
        rows |= {f"recall: {n}": recall(domain, limit, c) for n, c in fixed_changes()}
        for name, value in rows.items():
            values.setdefault(name, []).append(value)
    return [
        f"| {name} | {np.mean(of_name):.3f} | {min(of_name):.3f} - {max(of_name):.3f} |"
        for name, of_name in values.items()
    ]


def curves(domain: Domain) -> dict[str, list[float]]:
    """Recall by kind of jitter, for each of ``STRENGTHS``."""
    limit, _ = domain.limit_and_false_alarms()
    every = tuple(kind for kind in KINDS if kind != "flip")
    kinds = {kind: (kind,) for kind in every} | {"all": every}
    return {
        name: [recall(domain, limit, jitter(strength, *of_name)) for strength in STRENGTHS]
        for name, of_name in kinds.items()
    }


def draw_figure(of_domains: Mapping[str, Mapping[str, list[float]]], path: Path) -> None:
    """A panel per domain, a line per kind of jitter."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.8), dpi=100, layout="constrained")
    for axes, (name, lines) in zip(
        figure.subplots(1, 2, sharey=True), of_domains.items(), strict=True
    ):
        for kind, recalls in lines.items():
            color, marker = STYLES[kind]
            axes.plot(STRENGTHS, recalls, color=color, marker=marker, label=kind)
        axes.axvline(LIGHT, color="0.6", linewidth=1, linestyle=":")
        axes.annotate(
            "light", (LIGHT, 0.02), xytext=(3, 0), textcoords="offset points", color="0.4"
        )
        axes.set(title=name, xlabel="strength of jitter", ylim=(0, 1.03))
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("copies found at 1 % false alarms")
    figure.axes[0].legend(loc="lower left")
    FigureCanvasAgg(figure).print_png(path, metadata={"Software": None})


def main() -> None:
    """Print the tables and draw the figure."""
    of_domains = {}
    for name, make in DOMAINS.items():
        print(f"\n### {name}, {SPLITS} draws\n\n| | mean | range |\n|---|---|---|")
        print("\n".join(fixed_table(make)))
        of_domains[name] = curves(make(0))
        print("\n| recall at strength | " + " | ".join(map(str, STRENGTHS)) + " |")
        print("|---|" + "---|" * len(STRENGTHS))
        for kind, recalls in of_domains[name].items():
            print(f"| {kind} | " + " | ".join(f"{value:.3f}" for value in recalls) + " |")
    draw_figure(of_domains, FIGURE)


if __name__ == "__main__":
    main()
