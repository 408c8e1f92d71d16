"""A run and what it left in the store, read back as typed values."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tgap.artifacts import read_images, read_legs, read_selection, read_split
from tgap.config import Run
from tgap.evaluators.base import LEGS
from tgap.finetuners.base import PromptedImages
from tgap.generators.base import Generator
from tgap.plan import Plan
from tgap.seeding import rng_for
from tgap.store import Artifact
from tgap.types import Bools, Floats, Images, ImageSet, Indices, Scores, Selection, Split


@dataclass(frozen=True)
class StageRecord:
    """What a stage cost in this run.

    Args:
        seconds: Time spent now; near 0 when reused.
        reused: Whether every artifact of the stage was in the store already.
    """

    seconds: float
    reused: bool


@dataclass
class Result:
    """A run: its metrics, what its stages cost, and its artifacts by name.

    The methods read artifacts back; the images of datasets and synthetic sets stay on disk until
    they are used.
    """

    run: Run
    plan: Plan
    metrics: dict[str, float] = field(default_factory=dict)
    stages: dict[str, StageRecord] = field(default_factory=dict)
    artifacts: dict[str, Artifact] = field(default_factory=dict)

    def dataset(self) -> ImageSet:
        """All real images, with as many channels as the generator's."""
        channels = self.run.generator.image_shape()[2]
        return read_images(self.artifacts["dataset"]).with_channels(channels)

    def split(self) -> Split:
        """Which of them are pool, real_train and real_test."""
        return read_split(self.artifacts["split"])

    def selection(self) -> Selection | None:
        """The tuning set as positions in the pool; ``None`` if nothing was tuned."""
        found = self.artifacts.get("selection")
        return None if found is None else read_selection(found)

    def tuning_set(self) -> PromptedImages:
        """The tuning images, in the order of picking, with their prompts and weights.

        Raises:
            KeyError: If nothing was tuned.
        """
        selection = read_selection(self.artifacts["selection"])
        data = self.dataset()
        chosen = self.split().pool[selection.indices]
        return PromptedImages(
            images=data.images[chosen],
            prompts=tuple(
                self.prompt("tuning", data, label, row)
                for label, row in zip(selection.labels, data.findings[chosen], strict=True)
            ),
            weights=selection.weights,
        )

    def prior_set(self) -> PromptedImages | None:
        """What the untuned generator drew for the class prompt, if that was wanted."""
        if "prior" not in self.artifacts:
            return None
        images = self.artifacts["prior"].read_array("images.npy")
        prompt = self.run.prompts.text("prior", self.run.dataset.domain)
        return PromptedImages(images, (prompt,) * len(images), np.ones(len(images)))

    def prompt(self, use: str, data: ImageSet, label: int, findings: Bools) -> str:
        """The text for an image of a label, with a row of findings."""
        names = [data.finding_names[i] for i in np.flatnonzero(findings)]
        return self.run.prompts.text(use, self.run.dataset.domain, data.label_names[label], names)

    def generator(self) -> Generator:
        """The tuned generator; the untuned one if nothing was tuned."""
        if "generator" not in self.artifacts:
            return self.run.generator
        return self.run.generator.at(self.artifacts["generator"].folder / "model")

    def synthetic(self) -> tuple[ImageSet, ImageSet]:
        """Train and test part of the synthetic set."""
        data, artifact = self.dataset(), self.artifacts["synthetic"]
        findings = artifact.read_array("findings.npy")
        return synthetic_parts(
            artifact.read_array("images.npy", mmap=True),
            data.label_names,
            findings,
            data.finding_names if findings.shape[1] else (),
            self.run.budget.train_per_label,
        )

    def real_train(self) -> ImageSet:
        """As many real images per label as the synthetic side has, or all there are."""
        data, side = self.dataset(), self.split().real_train
        rng = rng_for("classify", self.run.seed_of("classify"), "real_train")
        chosen = draw_per_label(data.labels[side], self.run.budget.train_per_label, rng)
        return data.take(side[chosen])

    def real_features(self, images: Images) -> Floats:
        """The real classifier's features of images, ``(N, d)``."""
        weights = self.artifacts["real classifier"].read_arrays("weights.safetensors")
        return self.run.classifier.features(weights, images)

    def legs(self) -> dict[str, Scores]:
        """The scores of the four legs, and of ``external/<name>/tstr`` and ``.../trtr``."""
        legs = read_legs(self.artifacts["scores"], LEGS)
        for name in self.run.external:
            found = read_legs(self.artifacts[f"external scores {name}"], ("tstr", "trtr"))
            legs |= {f"external/{name}/{leg}": scores for leg, scores in found.items()}
        return legs


def shared_labels(ours: Sequence[str], theirs: Sequence[str]) -> list[str]:
    """Labels of two datasets that have the same name, in our order."""
    return [label for label in ours if label in theirs]


def draw_per_label(labels: Bools, count: int, rng: np.random.Generator) -> Indices:
    """Positions of ``count`` random images of each label, or of all there are; sorted.

    Args:
        labels: ``(N, L)`` bool.
        count: Images per label.
        rng: Of the draw.
    """
    chosen = [rng.permutation(np.flatnonzero(column))[:count] for column in labels.T]
    return np.unique(np.concatenate(chosen)).astype(np.int64)


def synthetic_parts(
    images: Images,
    label_names: tuple[str, ...],
    findings: Bools,
    finding_names: tuple[str, ...],
    train_per_label: int,
) -> tuple[ImageSet, ImageSet]:
    """Divide a synthetic set, labels one after another, into its train and its test part."""
    n = len(images)
    per_label = n // len(label_names)
    label = np.repeat(np.arange(len(label_names)), per_label)
    everything = ImageSet(
        images=images,
        labels=label[:, None] == np.arange(len(label_names)),
        label_names=label_names,
        findings=findings,
        finding_names=finding_names,
        patients=np.arange(n, dtype=np.int64),  # each drawn from noise of its own
    )
    train = (np.arange(n) % per_label) < train_per_label
    parts = [np.flatnonzero(part).astype(np.int64) for part in (train, ~train)]
    return everything.take(parts[0]), everything.take(parts[1])
