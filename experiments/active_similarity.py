"""What a fixed similarity threshold of .3 skips: tuning images against the model's own drawings.

python -m experiments.active_similarity        (about 2 minutes on one core)

The packaged model is tuned on 500 handwritten digits per label by DreamBooth's defaults, and every
10 steps tuning images are compared with images that it draws for their own label at that moment
(``finetuner/oracle/score=generated``), in six spaces. Claim: what the threshold of the thesis's
experiment 6 keeps follows from the space. As the model learns, cosines go to those of two real
images of a label: in raw CLIP vectors and pixels these are above .3, so that soon all batches are
skipped, and in centred ones below, so that none is. Prints a Markdown table and draws
``docs/active_similarity.png``.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tgap.finetuners.oracles.parts.cosine import cosines

from tgap.core import Budget, Doubles, Indices, Sampler
from tgap.datasets.digits import Digits
from tgap.embedders.clip import Clip
from tgap.embedders.pixels import Pixels
from tgap.finetuners.base import PromptedImages
from tgap.finetuners.dreambooth import Dreambooth
from tgap.finetuners.oracles.base import Judge, Judgement, Oracle, Tuning
from tgap.finetuners.oracles.scores.generated import Generated
from tgap.generators.base import Model
from tgap.generators.stable_diffusion import StableDiffusion

FIGURE = Path(__file__).parents[1] / "docs" / "active_similarity.png"
THRESHOLD = 0.3
STEPS = 200
EVERY = 10
PER_LABEL = 500
COMPARED = 200
"""Tuning images that are compared at each point."""
SPACES = {"CLIP": Clip(), "pixels": Pixels(), "latents": None}
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#555555"  # Okabe & Ito's


@dataclass(kw_only=True)
class Watch(Oracle):
    """Keeps everything, and notes the scores of the same tuning images every ``EVERY`` steps."""

    scores: dict[str, Generated]
    points: dict[int, dict[str, Doubles]] = field(default_factory=dict)

    def judge(self, tuning: Tuning, rng: np.random.Generator) -> Judge:
        """Equal random streams, so that every space looks at the same drawn images."""
        scorers = {n: s.scorer(tuning, np.random.default_rng(0)) for n, s in self.scores.items()}
        watched = np.random.default_rng(1).permutation(len(tuning.images))[:COMPARED]

        def judge(rows: Indices) -> Judgement:
            if tuning.step % EVERY == 0 and tuning.step not in self.points:
                self.points[tuning.step] = {n: score(watched) for n, score in scorers.items()}
            return Judgement(np.ones(len(rows), bool))

        return judge


def tuning_set() -> PromptedImages:
    """So many digits of each label, at random."""
    data = Digits().load()
    rng, rows, labels = np.random.default_rng(0), [], []
    for label in range(len(data.label_names)):
        rows.append(rng.permutation(np.flatnonzero(data.labels[:, label]))[:PER_LABEL])
        labels.append(np.full(PER_LABEL, label))
    chosen, of = np.concatenate(rows), np.concatenate(labels)
    prompts = tuple(f"an image of {data.label_names[label]} handwritten digit" for label in of)
    return PromptedImages(data.images[chosen], prompts, np.ones(len(of)), of)


def prior_set(model: Model, count: int) -> PromptedImages:
    """What the untuned model draws for the class prompt."""
    prompts = ("an image of handwritten digit",) * count
    images = model.sample(prompts, range(count), Sampler())
    return PromptedImages(images, prompts, np.ones(count), np.zeros(count, np.int64))


def watched(tuning: PromptedImages) -> dict[int, dict[str, Doubles]]:
    """Scores by step and space, while a model is tuned."""
    oracle = Watch(
        scores={
            f"{space}, {kind}": Generated(embedder=embedder, center=center, every=0)
            for space, embedder in SPACES.items()
            for kind, center in (("raw", False), ("centred", True))
        },
        warmup=0.0,
    )
    finetuner, model = (
        Dreambooth(oracle=oracle),
        StableDiffusion(packaged="tiny_ldm", device="cpu").load(),
    )
    prior = prior_set(model, finetuner.prior_images())
    # One step more, so that the model is seen after the last one that counts.
    budget = Budget(steps=STEPS + 1)
    finetuner.finetune(model, tuning, prior, budget, np.random.default_rng(0))
    return oracle.points


def real_similarity(tuning: PromptedImages) -> dict[str, float]:
    """Mean cosine of two different tuning images of one label, by space."""
    model = StableDiffusion(packaged="tiny_ldm", device="cpu").load()
    of: dict[str, Callable[..., np.ndarray]] = {
        space: embedder.embed
        if embedder is not None
        else lambda images: model.moments(images)[:, 0].flatten(1).numpy()
        for space, embedder in SPACES.items()
    }
    found = {}
    for space, embed in of.items():
        vectors = embed(tuning.images)
        for kind, middle in (("raw", 0), ("centred", vectors.mean(axis=0))):
            means = []
            for label in np.unique(tuning.labels):
                own = vectors[tuning.labels == label] - middle
                alike = cosines(own, own)
                means.append((alike.sum() - np.trace(alike)) / (len(own) * (len(own) - 1)))
            found[f"{space}, {kind}"] = float(np.mean(means))
    return found


def table(points: dict[int, dict[str, Doubles]], real: dict[str, float]) -> list[str]:
    """Mean similarity and the share that .3 would keep, untuned and tuned."""
    first, last = points[0], points[STEPS]
    lines = [
        f"| space | untuned | after {STEPS} steps (10 % to 90 %) | kept at .3, untuned | kept at "
        f".3, after {STEPS} steps | two real images of a label |",
        "|---|---|---|---|---|---|",
    ]
    for name, reference in real.items():
        before, after = first[name], last[name]
        low, high = np.quantile(after, (0.1, 0.9))
        lines.append(
            f"| {name} | {before.mean():.2f} | {after.mean():.2f} ({low:.2f} to {high:.2f}) | "
            f"{(before <= THRESHOLD).mean():.0%} | {(after <= THRESHOLD).mean():.0%} | "
            f"{reference:.2f} |"
        )
    return lines


def draw(points: dict[int, dict[str, Doubles]], real: dict[str, float]) -> None:
    """A panel per space: raw above, centred below."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    steps = sorted(points)
    figure = Figure(figsize=(9, 5.4), dpi=120, layout="constrained")
    axes = figure.subplots(2, len(SPACES), sharex=True, sharey="row")
    for column, space in enumerate(SPACES):
        for axis, kind in zip(axes[:, column], ("raw", "centred"), strict=True):
            name = f"{space}, {kind}"
            seen = np.stack([points[step][name] for step in steps])
            low, high = np.quantile(seen, (0.1, 0.9), axis=1)
            axis.fill_between(
                steps,
                low,
                high,
                color=BLUE,
                alpha=0.2,
                linewidth=0,
                label="tuning images, 10 % to 90 %",
            )
            axis.plot(steps, seen.mean(axis=1), color=BLUE, label="tuning images, mean")
            axis.axhline(
                real[name],
                color=GREY,
                linestyle="--",
                linewidth=1.2,
                label="two real images of a label, mean",
            )
            axis.axhline(
                THRESHOLD,
                color=ORANGE,
                linewidth=1.6,
                label="the thesis's threshold: what is above is skipped",
            )
            kept = [f"{(points[step][name] <= THRESHOLD).mean():.0%}" for step in (0, STEPS)]
            axis.set_title(name, fontsize=11)
            height, side = (0.94, "top") if kind == "raw" else (0.05, "bottom")
            axis.text(
                0.97,
                height,
                f"kept: first {kept[0]}, last {kept[1]}",
                ha="right",
                va=side,
                transform=axis.transAxes,
                fontsize=9,
                color=ORANGE,
            )
            axis.spines[["top", "right"]].set_visible(False)
            axis.set_xlim(0, STEPS)
    axes[0, 0].set_ylim(0, 1)
    for axis in axes[1]:
        axis.set_xlabel("optimizer steps")
    for axis in axes[:, 0]:
        axis.set_ylabel("cosine with drawn images")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    FigureCanvasAgg(figure).print_png(FIGURE, metadata={"Software": None})


def main() -> None:
    """Print the table and draw the figure."""
    tuning = tuning_set()
    points, real = watched(tuning), real_similarity(tuning)
    print("\n".join(table(points, real)))
    draw(points, real)


if __name__ == "__main__":
    main()
