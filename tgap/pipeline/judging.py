"""The judge of a drawing that rejects: fitted on the reserve, and asked about drawn images."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tgap.core import Bools, Checkpoint, DataError, Images, ImageSet, Indices, rng_for
from tgap.core.files import write_arrays, write_json
from tgap.core.memory import memory_told
from tgap.drawings.judges.base import Judge, Means
from tgap.pipeline.checkpoints import checkpoint_of
from tgap.pipeline.evidence import RunEvidence
from tgap.pipeline.result import Result
from tgap.store import EARLIER, Spec


def fit_judge(result: Result, judge: Judge, folder: Path, spec: Spec) -> dict[str, float]:
    """Fit the run's judge on one half of the reserve, and check it on the other.

    Raises:
        DataError: If the reserve is too small, or the judge tells a label no better than chance.
    """
    run, data, shown = result.run, result.dataset(), RunEvidence(result).shown
    fitting, checking = result.reserve()
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
