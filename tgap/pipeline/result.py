"""A run and what it left in the store, read back as typed values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tgap.classifiers.base import Classifier
from tgap.composition.config import Run
from tgap.core.digest import image_digests
from tgap.core.errors import DataError
from tgap.core.seeding import rng_for
from tgap.core.types import (
    Bools,
    Doubles,
    Floats,
    Images,
    ImageSet,
    Indices,
    Scores,
    Selection,
    Split,
    Weights,
)
from tgap.evaluators.two_way import TwoWay
from tgap.finetuners.base import PromptedImages
from tgap.generators.base import Pretrained
from tgap.generators.controls.base import Examples
from tgap.metrics.legs import LEGS
from tgap.pipeline.artifacts import (
    read_images,
    read_legs,
    read_selection,
    read_split,
    read_synthetic,
)
from tgap.pipeline.plan import Plan
from tgap.pipeline.resizing import resized
from tgap.pipeline.subsets import draw_per_label, patients_of
from tgap.store import Artifact

HELD_OUT_LEAST = 1000
"""So many held-out images of each label are measured by, if there are: a threshold that 1 % of
them may exceed needs some hundreds."""


HELD_OUT_FACTOR = 2
"""A control gets so many times as many held-out images as it is asked for, if there are."""


REDUCED = 4096
"""So many of a dataset's images are reduced at once where it may be larger than memory."""


TOTALS = (
    "images_seen",
    "images_kept",
    "images_forced",
    "kept_rate",
    "oracle_passes",
    "oracle_seconds",
    "work",
)
"""What a finetuner counts from step to step."""


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
        """All real images, as they were read."""
        return read_images(self.artifacts["dataset"])

    def shown(self, data: ImageSet, rows: Indices | None = None) -> ImageSet:
        """Some real images as classifiers and evaluators are shown them.

        In the dataset's channels, and as large as synthetic images are kept (``storage``), reduced
        one by one.

        Args:
            data: The dataset, or another one with images of its size.
            rows: Positions in it, all by default.
        """
        size, channels = self.run.storage.image_size, self.dataset().images.shape[3]
        if size is None or data.images.shape[1:3] == (size, size):
            data = data.with_channels(channels)
            return data if rows is None else data.take(rows)
        images = resized(data.images, size, channels, rows)
        rest = data.without_images() if rows is None else data.without_images().take(rows)
        return replace(rest, images=images)

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
        channels = self.run.tuning_channels or data.images.shape[3]
        return PromptedImages(
            images=data.with_channels(channels).images[chosen],
            prompts=tuple(
                self.prompt("tuning", data, label, row)
                for label, row in zip(selection.labels, data.findings[chosen], strict=True)
            ),
            weights=selection.weights,
            labels=selection.labels,
        )

    def prior_set(self) -> PromptedImages | None:
        """What the untuned generator drew for the class prompt, if that was wanted."""
        if "prior" not in self.artifacts:
            return None
        images = self.artifacts["prior"].read_array("images.npy")
        prompt = self.run.prompts.text("prior", self.run.dataset.domain)
        count = len(images)
        return PromptedImages(images, (prompt,) * count, np.ones(count), np.zeros(count, np.int64))

    def prompt(self, use: str, data: ImageSet, label: int, findings: Bools) -> str:
        """The text for an image of a label, with a row of findings."""
        names = [data.finding_names[i] for i in np.flatnonzero(findings)]
        return self.run.prompts.text(use, self.run.dataset.domain, data.label_names[label], names)

    def generator(self) -> Pretrained:
        """The tuned generator; the untuned one if nothing was tuned.

        Raises:
            TgapError: If the run has no model: its generator is a control, or nothing is drawn.
        """
        if "generator" not in self.artifacts:
            return self.run.pretrained
        return self.run.pretrained.at(self.artifacts["generator"].folder / "model")

    def examples(self, label_of: Mapping[str, int]) -> Examples:
        """What a control draws from.

        Args:
            label_of: Label of each prompt that it will be asked for.
        """
        run, data, split = self.run, self.dataset(), self.split()
        tuning = split.pool[read_selection(self.artifacts["selection"]).indices]
        others = split.pool[~np.isin(data.patients[split.pool], data.patients[tuning])]
        per_label = run.budget.train_per_label + run.budget.test_per_label
        rng = rng_for("generate", run.seed_of("generate"), "held_out")
        enough = patients_of(data, others, HELD_OUT_FACTOR * per_label, rng)
        return Examples(data.take(tuning), data.take(enough), dict(label_of), per_label)

    def synthetic(self) -> tuple[ImageSet, ImageSet]:
        """Train and test part of the synthetic set."""
        return read_synthetic(self.artifacts["synthetic"])

    def synthetic_key(self) -> str:
        """Names the synthetic set, whatever was trained on it."""
        return self.plan.synthetic.key

    def real_train(self, pixels: bool = True) -> ImageSet:
        """As many real images per label as the synthetic side has, or all there are."""
        return self._taken(self._real_train(), pixels)

    def real_test(self, pixels: bool = True) -> ImageSet:
        """The real test set, in the order of TSTR's and TRTR's scores."""
        return self._taken(self.split().real_test, pixels)

    def tuned_on(self) -> ImageSet | None:
        """The distinct images of the tuning set; ``None`` if nothing was tuned.

        Of a synthetic set that was made elsewhere: what it was tuned on as far as that is known,
        otherwise the pool, which it may have been tuned on.
        """
        if "ready-made tuned_on" in self.artifacts:
            return self.shown(read_images(self.artifacts["ready-made tuned_on"]))
        if "ready-made images" in self.artifacts:
            return self.shown(self.dataset(), self.split().pool)
        if "selection" not in self.artifacts:
            return None
        indices = read_selection(self.artifacts["selection"]).indices
        return self.shown(self.dataset(), self.split().pool[np.unique(indices)])

    def tuning_is_known(self) -> bool:
        """False for a synthetic set made elsewhere, unless its tuning set was named."""
        return "ready-made images" not in self.artifacts or "ready-made tuned_on" in self.artifacts

    def held_out(self) -> ImageSet:
        """Images of real_train, without patients of the tuning set: enough to measure by."""
        data, side = self.dataset(), self.split().real_train
        wanted = max(HELD_OUT_LEAST, self.run.budget.train_per_label)
        rng = rng_for("evaluate", self.run.seed_of("evaluate"), "held_out")
        held_out = self.shown(data, patients_of(data, side, wanted, rng))
        tuned = self.tuned_on()
        if tuned is None:
            return held_out
        if "ready-made tuned_on" in self.artifacts:  # two datasets number patients each its way
            theirs = set(image_digests(tuned.images))
            ours = image_digests(held_out.images)
            apart = np.array([digest not in theirs for digest in ours], bool)
        else:  # shared patients: only with protocol=thesis
            apart = ~np.isin(held_out.patients, tuned.patients)
        return held_out.take(np.flatnonzero(apart))

    def _real_train(self) -> Indices:
        side = self.split().real_train
        rng = rng_for("classify", self.run.seed_of("classify"), "real_train")
        labels = self.dataset().labels[side]
        return side[draw_per_label(labels, self.run.budget.train_per_label, rng)]

    def _taken(self, rows: Indices, pixels: bool) -> ImageSet:
        data = self.dataset()
        return self.shown(data, rows) if pixels else data.without_images().take(rows)

    @property
    def classifier(self) -> Classifier:
        """The run's classifier, not fitted."""
        return self.run.classifier

    def fitted(self, side: str) -> Weights:
        """The fitted classifier of a side, ``real`` or ``synthetic``."""
        return self.artifacts[f"{side} classifier"].read_arrays("weights.safetensors")

    def real_features(self, images: Images) -> Floats:
        """The real classifier's features of images, ``(N, d)``."""
        return self.run.classifier.features(self.fitted("real"), images)

    def dataset_features(self, images: Images) -> Floats:
        """The same of images as the dataset's, reduced some at a time to the size shown."""
        size = self.run.storage.image_size
        if size is None:
            return self.real_features(images)
        blocks = (images[at : at + REDUCED] for at in range(0, len(images), REDUCED))
        reduced = (resized(block, size, block.shape[3]) for block in blocks)
        return np.concatenate([self.real_features(block) for block in reduced])

    def read_metrics(self) -> dict[str, float]:
        """All evaluators' metrics; those of one with a name of its own stand below that name."""
        found: dict[str, float] = {}
        for name, evaluator in self.run.evaluators.items():
            prefix = "" if name == evaluator.stem() else f"{name}/"
            metrics = self.artifacts[f"evaluation {name}"].read_json("metrics.json")
            found |= {f"{prefix}{key}": value for key, value in metrics.items()}
        return found | {f"cost/{name}": value for name, value in self.tuning_cost().items()}

    def tuning_cost(self) -> dict[str, float]:
        """What fine-tuning took, when it was made: its totals, ``steps`` and ``seconds``.

        Empty if nothing was tuned.
        """
        made = self.artifacts.get("generator")
        if made is None:
            return {}
        found = {"seconds": made.seconds}
        for last in made.read_json("losses.json")[-1:]:
            found["steps"] = float(last["step"])
            found |= {name: float(last[name]) for name in TOTALS if name in last}
        return found

    def resampled(self) -> Doubles | None:
        """``(B, 4)``: macro AUROCs of ``LEGS`` on resampled test images, if they were made."""
        for name, evaluator in self.run.evaluators.items():
            found = self.artifacts[f"evaluation {name}"]
            if isinstance(evaluator, TwoWay) and (found.folder / "resampled.npy").exists():
                return found.read_array("resampled.npy")
        return None

    def legs(self) -> dict[str, Scores]:
        """The scores of the four legs, and of ``external/<name>/tstr`` and ``.../trtr``.

        Empty if there is one label only.
        """
        if "scores" not in self.artifacts:
            return {}
        legs = read_legs(self.artifacts["scores"], LEGS)
        for name in self.run.external:
            found = read_legs(self.artifacts[f"external scores {name}"], ("tstr", "trtr"))
            legs |= {f"external/{name}/{leg}": scores for leg, scores in found.items()}
        return legs


def with_labels_of(theirs: ImageSet, ours: ImageSet) -> ImageSet:
    """The same images with the labels in our order, and their findings left out.

    Raises:
        DataError: If they do not have all of our labels by name.
    """
    if set(theirs.label_names) != set(ours.label_names):
        raise DataError(
            "the synthetic set must have the dataset's labels by name "
            f"({', '.join(ours.label_names)}), got {', '.join(theirs.label_names)}"
        )
    columns = [theirs.label_names.index(name) for name in ours.label_names]
    return replace(
        theirs,
        labels=theirs.labels[:, columns],
        label_names=ours.label_names,
        findings=np.zeros((len(theirs), 0), bool),
        finding_names=(),
    )


def shared_labels(ours: Sequence[str], theirs: Sequence[str]) -> list[str]:
    """Labels of two datasets that have the same name, in our order."""
    return [label for label in ours if label in theirs]
