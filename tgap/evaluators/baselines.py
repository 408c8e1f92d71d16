"""What stands beside every TSTR: how far one comes without the synthetic images' content."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tgap.core import Doubles, Floats, Images, ImageSet, option
from tgap.evaluators.base import Evaluation, Evaluator, Evidence
from tgap.metrics.metadata import scores_from_columns
from tgap.metrics.naming import metric_names
from tgap.metrics.tested import Resamples, ends


@dataclass(kw_only=True)
class Baselines(Evaluator):
    """AUROC on real_test of classifiers that know less than they should need.

    Each is a macro mean with ``..._{label}`` beside it, all with ``.../lo`` and ``.../hi`` (95 %,
    of this training, for new test images, resampled by patient):

    - ``baseline/metadata_auroc``: additive logistic regression on columns of the dataset's table,
      trained on real_train. A TSTR no higher than this may have learnt who is ill rather than what
      illness looks like. NaN where the dataset has none of the columns.
    - ``baseline/brightness_auroc``: the same on two numbers of each image, the mean and the
      standard deviation of its pixels: what exposure alone tells.
    - ``baseline/shuffled_auroc``: the run's classifier, trained on the synthetic images with their
      labels permuted (whole rows). Its mean over seeds is .5 unless something of the real test set
      leaks into training. A single one scatters far more than the size of real_test suggests,
      because what is learnt of random labels is some random direction: on digits with a standard
      deviation of .1 over seeds.

    Without labels to tell apart there are no metrics.

    Args:
        columns: Metadata columns that are used, as far as the dataset has them. They are named and
            not all taken, because a column may give the label away (severities of phantoms, notes).
        shuffled: Whether the classifier is trained on permuted labels, at the cost of one of the
            run's own classifiers.
    """

    shown: ClassVar[Sequence[str]] = ("baseline/metadata_auroc",)

    version: ClassVar[int] = 3

    columns: list[str] = option(["view", "sex", "age"], "metadata columns, where there are any")
    shuffled: bool = option(True, "train the classifier on permuted labels")

    def _evaluate(self, evidence: Evidence, rng: np.random.Generator) -> Evaluation:
        if not evidence.legs():
            return Evaluation({})
        test = evidence.real_test()
        scores = self._from_columns(evidence.real_train(), test)
        if self.shuffled:
            scores["shuffled"] = shuffled_scores(evidence, test.images, rng)
        return Evaluation(_aurocs(scores, test))

    def _from_columns(self, train: ImageSet, test: ImageSet) -> dict[str, Floats | None]:
        names = [c for c in self.columns if c in train.metadata and c in test.metadata]
        ours, theirs = ({name: side.metadata[name] for name in names} for side in (train, test))
        return {
            "metadata": scores_from_columns(ours, train.labels, theirs) if names else None,
            "brightness": scores_from_columns(
                brightness(train.images), train.labels, brightness(test.images)
            ),
        }


def shuffled_scores(evidence: Evidence, images: Images, rng: np.random.Generator) -> Floats:
    """Scores of images by the run's classifier, trained on synthetic images of permuted labels."""
    train, _ = evidence.synthetic()
    permuted = dataclasses.replace(train, labels=train.labels[rng.permutation(len(train))])
    fit = evidence.classifier.fit
    return evidence.trained(
        "shuffled", images, lambda checkpoint: fit(permuted, rng, checkpoint=checkpoint)
    )


def brightness(images: Images) -> dict[str, Doubles]:
    """``mean`` and ``deviation`` of each image's pixels; images are read one by one."""
    return {
        "mean": np.array([image.mean() for image in images]),
        "deviation": np.array([image.std() for image in images]),
    }


def _aurocs(scores: Mapping[str, Floats | None], test: ImageSet) -> dict[str, float]:
    metrics, unknown = dict[str, float](), np.full((3, len(test.label_names)), np.nan)
    tested = Resamples.of(test)
    for baseline, of_images in scores.items():
        name = f"baseline/{baseline}_auroc"
        values = unknown if of_images is None else tested.aurocs(of_images)
        metrics |= ends(values.mean(axis=1), tested.effective).named(name)
        for number, label in enumerate(metric_names(test.label_names)):
            one = ends(values[:, number], tested.effective_of(number))
            metrics |= one.named(f"{name}_{label}")
    return metrics
