"""What evaluators, classifiers and controls are shown of a run."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from tgap.classifiers.base import Classifier
from tgap.core import (
    Bools,
    Checkpoint,
    DataError,
    Floats,
    Images,
    ImageSet,
    Indices,
    Scores,
    Weights,
    rng_for,
)
from tgap.core.digest import image_digests
from tgap.generators.controls.base import Control, Examples
from tgap.pipeline.artifacts import read_images
from tgap.pipeline.resizing import resized
from tgap.pipeline.result import Result
from tgap.pipeline.subsets import patients_of
from tgap.pipeline.trainings import Trainings

HELD_OUT_LEAST = 1000
"""So many held-out images of each label are measured by, if there are: a threshold that 1 % of
them may exceed needs some hundreds."""
HELD_OUT_FACTOR = 2
"""A control gets so many times as many held-out images as it is asked for, if there are."""
OTHER_IMAGES = 250
"""So many of each label, if there are, say how far a search for copies recognises patients."""
REDUCED = 4096
"""So many of a dataset's images are reduced at once where it may be larger than memory."""


class RunEvidence:
    """A run's images, scores and classifiers, as ``tgap.evaluators.base.Evidence`` says them.

    Images are shown in the dataset's channels, and as large as synthetic ones are kept
    (``storage.image_size``).

    Args:
        result: What the run made so far.
        trainings: Keeps what an evaluator trains; without it that begins anew.
    """

    def __init__(self, result: Result, trainings: Trainings | None = None) -> None:
        self.result, self.run, self._trainings = result, result.run, trainings

    @property
    def classifier(self) -> Classifier:
        """The run's classifier, not fitted."""
        return self.run.classifier

    def legs(self) -> Mapping[str, Scores]:
        """The scores of the four legs and of external sets."""
        return self.result.legs()

    def external(self, name: str) -> ImageSet:
        """A further real test set, without its pixels."""
        return read_images(self.result.artifacts.data.external[name]).without_images()

    def synthetic(self) -> tuple[ImageSet, ImageSet]:
        """Train and test part of the synthetic set."""
        return self.result.synthetic()

    def synthetic_key(self) -> str:
        """Names the synthetic set, whatever was trained on it."""
        return self.result.plan.synthetic.key

    def shown(self, data: ImageSet, rows: Indices | None = None) -> ImageSet:
        """Some real images, reduced one by one where they are kept smaller than they were read.

        Args:
            data: The dataset, or another one with images of its size.
            rows: Positions in it, all by default.
        """
        size, channels = self.run.storage.image_size, self.result.dataset().images.shape[3]
        if size is None or data.images.shape[1:3] == (size, size):
            data = data.with_channels(channels)
            return data if rows is None else data.take(rows)
        images = resized(data.images, size, channels, rows)
        rest = data.without_images() if rows is None else data.without_images().take(rows)
        return replace(rest, images=images)

    def real_train(self, pixels: bool = True) -> ImageSet:
        """The real images that the real classifier was trained on."""
        return self._taken(self.result.real_train(), pixels)

    def real_test(self, pixels: bool = True) -> ImageSet:
        """The real test set, in the order of TSTR's and TRTR's scores."""
        return self._taken(self.result.split().real_test, pixels)

    def _taken(self, rows: Indices, pixels: bool) -> ImageSet:
        data = self.result.dataset()
        return self.shown(data, rows) if pixels else data.without_images().take(rows)

    def tuned_on(self) -> ImageSet | None:
        """The distinct images of the tuning set; ``None`` if nothing was tuned.

        Of a synthetic set that was made elsewhere: what it was tuned on as far as that is known,
        otherwise the pool, which it may have been tuned on.
        """
        ready_made = self.result.artifacts.data.ready_made
        pool = self.result.split().pool
        if "tuned_on" in ready_made:
            return self.shown(read_images(ready_made["tuned_on"]))
        if ready_made:
            return self.shown(self.result.dataset(), pool)
        selection = self.result.selection()
        if selection is None:
            return None
        return self.shown(self.result.dataset(), pool[np.unique(selection.indices)])

    def tuning_is_known(self) -> bool:
        """False for a synthetic set made elsewhere, unless its tuning set was named."""
        ready_made = self.result.artifacts.data.ready_made
        return not ready_made or "tuned_on" in ready_made

    def held_out(self) -> ImageSet:
        """Images of real_train, without patients of the tuning set: enough to measure by."""
        data, side = self.result.dataset(), self.result.split().real_train
        # From real_train, which no generator has seen; real_test stays out of every audit.
        wanted = max(HELD_OUT_LEAST, self.run.budget.train_per_label)
        rng = rng_for("evaluate", self.run.seed_of("evaluate"), "held_out")
        held_out = self.shown(data, patients_of(data, side, wanted, rng))
        tuned_on = self.tuned_on()
        if tuned_on is None:
            return held_out
        return held_out.take(np.flatnonzero(self._apart(held_out, tuned_on)))

    def other_images(self) -> ImageSet:
        """Other images of tuning patients, from the pool; none of a set made elsewhere."""
        data, pool, selection = self.result.dataset(), self.result.split().pool, None
        if not self.result.artifacts.data.ready_made:
            selection = self.result.selection()
        tuned = pool[:0] if selection is None else pool[np.unique(selection.indices)]
        others = np.setdiff1d(pool[np.isin(data.patients[pool], data.patients[tuned])], tuned)
        rng = rng_for("evaluate", self.run.seed_of("evaluate"), "other_images")
        return self.shown(data, patients_of(data, others, OTHER_IMAGES, rng))

    def reserve(self, most: int) -> Images:
        """Of the reserve's checking half, without labels."""
        data = self.result.dataset()
        _, checking = self.result.reserve()
        # One order for all: methods whose tuning sets differ look at nearly the same images.
        order = rng_for("split", self.run.split_seed, "unlabelled").permutation(len(data))
        drawn = self.shown(data, np.sort(checking[np.argsort(order[checking])[:most]]))
        given = {one for part in self.synthetic() for one in image_digests(part.images)}
        equal = np.array([digest in given for digest in image_digests(drawn.images)], bool)
        unseen = ~np.isin(drawn.patients, drawn.patients[equal])
        if self.tuning_is_known() and (tuned_on := self.tuned_on()) is not None:
            unseen &= self._apart(drawn, tuned_on)
        return drawn.images[unseen]

    def images_of(self, patients: Indices) -> Indices:
        """On all sides together: with ``protocol=thesis`` a patient stands on several."""
        if "tuned_on" in self.result.artifacts.data.ready_made:
            return np.ones(len(patients), np.int64)
        known, counts = np.unique(self.result.dataset().patients, return_counts=True)
        return counts[np.searchsorted(known, patients)].astype(np.int64)

    def leaks(self) -> Mapping[str, float]:
        """By patient; of tuning images that were read for themselves, by the patients' names."""
        data, split = self.result.dataset(), self.result.split()
        tested = split.real_test
        made, shares = self.result.artifacts.data.ready_made, {}
        for side in ("pool", "real_train"):
            found = np.isin(data.patients[tested], data.patients[getattr(split, side)])
            shares[side] = float(found.mean())
        if "tuned_on" in made:
            shares["tuned_on"] = float(
                shared_patients(data, read_images(made["tuned_on"]))[tested].mean()
            )
        return shares

    def _apart(self, held_out: ImageSet, tuned_on: ImageSet) -> Bools:
        """Which held-out images are neither tuning images nor of their patients."""
        if "tuned_on" in self.result.artifacts.data.ready_made:
            # Two datasets number patients each in its own way: names and pixels tell.
            theirs = set(image_digests(tuned_on.images))
            equal = [digest in theirs for digest in image_digests(held_out.images)]
            return ~np.array(equal, bool) & ~shared_patients(held_out, tuned_on)
        return ~np.isin(held_out.patients, tuned_on.patients)  # shared with protocol=thesis only

    def examples(self) -> Examples:
        """What a control draws from."""
        run, data, pool = self.run, self.result.dataset(), self.result.split().pool
        selection = self.result.selection()
        if selection is None:
            raise DataError(f"generator '{run.generator.title()}' draws from a selection")
        tuning = pool[selection.indices]
        # By patient: another image of a tuning patient is nearly a tuning image.
        others = pool[~np.isin(data.patients[pool], data.patients[tuning])]
        per_label = run.budget.train_per_label + run.budget.test_per_label
        rng = rng_for("generate", run.seed_of("generate"), "held_out")
        # Of a rare label too, or it would draw from all labels but that one.
        draws_them = isinstance(run.generator, Control) and run.generator.draws_from == "held_out"
        least = per_label if draws_them else 0
        enough = patients_of(data, others, HELD_OUT_FACTOR * per_label, rng, least)
        train = run.budget.train_per_label
        return Examples(data.take(tuning), data.take(enough), per_label, train)

    def fitted(self, side: str) -> Weights:
        """The fitted classifier of a side, ``real`` or ``synthetic``."""
        artifacts = self.result.artifacts
        made = artifacts.real_classifier if side == "real" else artifacts.synthetic_classifier
        return made.read_arrays("weights.safetensors")

    def trained(self, name: str, images: Images, fit: Callable[[Checkpoint], Weights]) -> Floats:
        """Scores of images by a further classifier, kept as long as the evaluation is made."""

        def score(weights: Weights) -> Floats:
            return self.classifier.score(weights, images)

        if self._trainings is None:
            return score(fit(Checkpoint()))
        return self._trainings.scores(name, fit, score)

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


def shared_patients(data: ImageSet, others: ImageSet) -> Bools:
    """``(N,)``: which images are of a patient among the others, by name; none if that has none.

    A number is one name with and without zeros before it (NIH's table has 1 where its files have
    00000001), and a long one also with a word for a patient (MIMIC's table has 10000032 where its
    folders have p10000032). A short one is not: patient12 and 12 are of two datasets.
    """
    if data.patient_names is None or others.patient_names is None:
        return np.zeros(len(data), bool)
    theirs = set(map(_plain, others.patient_names.tolist()))
    return np.array([_plain(name) in theirs for name in data.patient_names.tolist()], bool)


_LONG_NUMBER = re.compile(
    r"(?:p|pt|pat|patient|sub|subj|subject)[-_ ]?0*([1-9]\d{5,})", re.ASCII | re.I
)


def _plain(name: str) -> str:
    if numbered := _LONG_NUMBER.fullmatch(name):
        return numbered[1]
    return name.lstrip("0") or "0" if name.isascii() and name.isdigit() else name


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
