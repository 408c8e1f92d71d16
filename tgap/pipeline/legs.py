"""The two classifiers of a run, and what they say of each test set."""

import logging
from collections import Counter
from pathlib import Path

from tgap.core import Checkpoint, ImageSet, rng_for
from tgap.core.files import write_array, write_arrays, write_json
from tgap.core.memory import memory_told
from tgap.metrics.legs import LEGS
from tgap.pipeline.artifacts import apart, read_images
from tgap.pipeline.checkpoints import checkpoint_of
from tgap.pipeline.evidence import RunEvidence, shared_labels
from tgap.store import EARLIER, Spec

log = logging.getLogger(__name__)

EXTERNAL = {"tstr": "synthetic", "trtr": "real"}
"""The legs on a further real test set, and the side that trained their classifier."""


def fit(evidence: RunEvidence, train: ImageSet, folder: Path, spec: Spec) -> dict[str, float]:
    """Fit the run's classifier on one side; both sides share its seed, so they start alike."""
    run, epochs, times = evidence.run, list[dict[str, float]](), Counter[str]()
    checkpoint = checkpoint_of(Checkpoint, folder, spec, f"training {run.classifier.title()}")

    def record(epoch: int, values: dict[str, float]) -> None:
        kept, spent = apart(values)
        epochs.append({"epoch": epoch, **kept})
        times.update(spent)

    with memory_told(f"training {run.classifier.title()}", "a smaller classifier.batch_size"):
        weights = run.classifier.fit(
            train, rng_for("classify", run.seed_of("classify")), record, checkpoint
        )
    write_arrays(folder / "weights.safetensors", weights)
    write_json(folder / "epochs.json", epochs)
    write_json(folder / "images.json", train.label_counts())
    return {**times, EARLIER: checkpoint.earlier}


def score(evidence: RunEvidence, folder: Path) -> None:
    """Scores and truth of the four legs."""
    # TRTS and TSTS on the test part only: what a classifier was trained on it knows by heart.
    real_test = evidence.real_test()
    _, synthetic_test = evidence.synthetic()
    write_json(folder / "label_names.json", list(real_test.label_names))
    for leg in LEGS:
        side = "synthetic" if leg[1] == "s" else "real"
        test = synthetic_test if leg[3] == "s" else real_test
        scores = evidence.classifier.score(evidence.fitted(side), test.images)
        write_array(folder / f"{leg}_scores.npy", scores)
        write_array(folder / f"{leg}_labels.npy", test.labels)


def score_external(evidence: RunEvidence, name: str, folder: Path) -> None:
    """Both classifiers on all of another dataset, by the labels that it shares."""
    ours = evidence.result.dataset().label_names
    data = evidence.shown(read_images(evidence.result.artifacts.data.external[name]))
    shared = shared_labels(ours, data.label_names)
    if len(shared) < len(ours):
        log.warning(
            "external.%s has %s only of the labels %s: the others are not tested there",
            name,
            ", ".join(shared),
            ", ".join(ours),
        )
    columns = [ours.index(label) for label in shared]
    truth = data.labels[:, [data.label_names.index(label) for label in shared]]
    write_json(folder / "label_names.json", shared)
    for leg, side in EXTERNAL.items():
        scores = evidence.classifier.score(evidence.fitted(side), data.images)
        write_array(folder / f"{leg}_scores.npy", scores[:, columns])
        write_array(folder / f"{leg}_labels.npy", truth)
