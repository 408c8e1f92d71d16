"""The judge of a drawing that rejects: fitted on the reserve, and asked about drawn images."""

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from tgap.core import (
    Bools,
    Checkpoint,
    DataError,
    Doubles,
    Floats,
    Images,
    ImageSet,
    Indices,
    rng_for,
)
from tgap.core.files import write_arrays, write_json
from tgap.core.memory import memory_told
from tgap.drawings.judges.base import Judge, Means
from tgap.drawings.rewards.base import Grounds, Reward
from tgap.embedders.base import Embedder
from tgap.pipeline.checkpoints import checkpoint_of
from tgap.pipeline.evidence import RunEvidence
from tgap.pipeline.result import Result
from tgap.pipeline.subsets import draw_per_label
from tgap.store import EARLIER, Spec


def fit_judge(result: Result, judge: Judge, folder: Path, spec: Spec) -> dict[str, float]:
    """Fit the run's judge on one half of the reserve, and check it on the other.

    Raises:
        DataError: If the reserve is too small, or the judge tells a label no better than chance.
    """
    run, data, shown = result.run, result.dataset(), RunEvidence(result).shown
    whole = zip(("fitting", "checking"), result.reserve(), strict=True)
    fitting, checking = (_some(judge, result, name, half) for name, half in whole)
    checkpoint = checkpoint_of(Checkpoint, folder, spec, f"fitting judge {judge.title()}")
    bare = data.without_images()
    # Before any pixel is read, since a reserve may be empty.
    if problems := judge.check_reserve(bare.take(fitting), bare.take(checking)):
        raise DataError("; ".join(problems))
    halves = shown(data, fitting), shown(data, checking)
    rng = rng_for("generate", run.seed_of("generate"), "judge")
    with memory_told(f"fitting judge {judge.title()}", "a smaller classifier.batch_size"):
        weights, reached = judge.fit(*halves, means_of(result), rng, checkpoint)
    # A file needs an array: of a judge that learns nothing, none that means anything.
    write_arrays(folder / "weights.safetensors", weights or {"none": np.zeros(1, np.float32)})
    seen = len(checking) + (len(fitting) if judge.learns else 0)
    write_json(folder / "checked.json", {"auroc": reached, "labelled_real": seen})
    return {EARLIER: checkpoint.earlier}


def _some(judge: Judge, result: Result, name: str, half: Indices) -> Indices:
    """So many of a half of the reserve as a judge is to see of each label, at random."""
    if judge.per_label is None:
        return half
    rng = rng_for("generate", result.run.seed_of("generate"), "judge", "images", name)
    labels = judge.told(result.dataset().without_images().take(half)).labels
    return half[draw_per_label(labels, judge.per_label, rng)]


def means_of(result: Result) -> Means:
    """What a judge may use besides the reserve: the run's classifier, not fitted, and prompts."""
    data = result.dataset()
    none = np.zeros(len(data.finding_names), bool)
    each = np.eye(len(data.label_names), dtype=bool)
    texts = [result.prompt("generation", data, label, none) for label in each]
    return Means(result.run.classifier, texts)


def judged_by(result: Result, judge: Judge, asked: ImageSet) -> Callable[[Images, Indices], Bools]:
    """The fitted judge, asked about images by the positions of what they were asked for.

    Args:
        result: Of the run, its judge fitted.
        judge: The run's.
        asked: What each image of the synthetic set is to show.
    """
    weights = result.artifacts.judge.read_arrays("weights.safetensors")
    means, told = means_of(result), judge.told(asked).labels

    def passes(images: Images, rows: Indices) -> Bools:
        return judge.passes(weights, images, told[rows], means)

    return passes


def valued_by(
    result: Result, reward: Reward, asked: ImageSet
) -> Callable[[Images, Indices], Doubles]:
    """A reward, asked about images by the positions of what they were asked for.

    Args:
        result: Of the run, its judge fitted if the reward goes by one.
        reward: The run's.
        asked: What each image of the synthetic set is to show.
    """
    judge, told = result.run.drawing.judge_used(), asked.labels
    scores: Callable[[Images], Floats] | None = None
    if judge is not None:
        weights = result.artifacts.judge.read_arrays("weights.safetensors")
        scores, told = (
            partial(judge.scores, weights, means=means_of(result)),
            judge.told(asked).labels,
        )
    embedder = reward.embedder_used()
    distances = None if embedder is None else _distances(result, embedder)
    grounds = Grounds(scores, distances)

    alone = threading.Lock()

    def values(images: Images, rows: Indices) -> Doubles:
        with alone:  # several threads may draw, and a network is restored by one at a time
            return reward.values(images, told[rows], grounds)

    return values


def _distances(result: Result, embedder: Embedder) -> Callable[[Images], Doubles]:
    """How far images are from the nearest tuning image, over the mean of that among these."""
    from sklearn.neighbors import NearestNeighbors

    selection, data = result.selection(), result.dataset()
    if selection is None:
        raise DataError("there are no tuning images to compare with; choose another drawing/reward")
    rows = np.unique(result.split().pool[selection.indices])
    found = NearestNeighbors(metric="cosine", algorithm="brute")
    found.fit(embedder.embed(RunEvidence(result).shown(data, rows).images))
    apart = float(found.kneighbors(n_neighbors=1)[0].mean()) if len(rows) > 1 else 0.0
    if not apart > 0:
        raise DataError(
            f"the {len(rows)} tuning images are all alike by embedder '{embedder.title()}', so "
            "that distances from them mean nothing; choose another drawing/reward, or a larger size"
        )

    def distances(images: Images) -> Doubles:
        nearest: Doubles = found.kneighbors(embedder.embed(images), n_neighbors=1)[0][:, 0]
        return nearest / apart

    return distances
