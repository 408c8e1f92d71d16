"""``tgap label``: a folder of unlabelled images becomes a labelled one, by a classifier's scores.

The classifier is the run's own, trained on real images outside real_test, so that the labels it
gives (those of a textbook, say) know nothing of the test set.
"""

import hashlib
import logging
import os
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from tgap.classifiers.base import held_back_patients
from tgap.composition.config import Run
from tgap.core import Bools, Checkpoint, ConfigError, DataError, ImageSet, Indices, Split, rng_for
from tgap.core.files import require_empty, whole_folder, write_array, write_arrays, write_json
from tgap.datasets.base import Dataset
from tgap.datasets.reading.decoding import SUFFIXES, Decoded, decode_all
from tgap.datasets.reading.listing import list_images
from tgap.datasets.reading.masks import refuse_masks
from tgap.datasets.reading.provenance import write_learned
from tgap.datasets.reading.window import FULL
from tgap.labelling.folder import (
    SEPARATOR,
    Scored,
    labels_given,
    require_every_label,
    write_labelled,
)
from tgap.metrics.classification import accuracy, balanced_accuracy, macro_auroc, probabilities
from tgap.pipeline.checkpoints import checkpoint_of
from tgap.pipeline.plan import Identities, plan_data
from tgap.pipeline.preflight.disk import GB, MARGIN, check_room_for_data, free_bytes
from tgap.pipeline.preflight.runs import check_components, check_sizes
from tgap.pipeline.preparation import Data, check_listing, prepared
from tgap.store import EARLIER, Artifact, Spec, Store
from tgap.store.artifact import content_digest

log = logging.getLogger(__name__)
MEASURED = 0.1
"""Share of the images, by patient, that the labeller is measured on instead of trained on."""
THRESHOLDS = (0.5, 0.8, 0.9, 0.95)
"""Thresholds that the labeller is measured at, beside the one asked for."""


def label_folder(
    run: Run, store: Store, images: Path, out: Path, threshold: float = 0.8, fit: str = "crop"
) -> dict[str, Any]:
    """Label the images of a folder by the run's classifier, and write those it is sure of.

    The classifier is trained on all images of the run's dataset but those of real_test, of its
    patients and of an official test set, without a tenth of the patients, on whom it is measured.
    It is kept in the store, so another threshold trains nothing. Which images it knows is written
    beside those it labelled; see ``tgap.datasets.reading.provenance``. The folder's images are read
    at the size and colour of the dataset's, and with its window.

    Where labels exclude each other, an image gets the label of the largest score, if that reaches
    the threshold and no other equals it; otherwise every label whose score does. Scores are the
    classifier's own; how often labels of a threshold are right is measured, and told.

    Args:
        run: Its dataset, protocol, split, classifier and seed are used.
        store: Where dataset, split and labeller are kept.
        images: Folder of image files, at any depth.
        out: A folder that is empty or not there yet.
        threshold: Score that a label must reach, above 0 and at most 1.
        fit: How images become squares; see ``tgap.datasets.reading.decoding.decode``.

    Returns:
        What ``label.json`` holds.

    Raises:
        ConfigError: If the threshold, ``out``, the classifier or the dataset cannot be used for
            this, or there is no room for what will be written.
        DataError: If there are no images, some seem to be masks, or none of a label is left.
    """
    _check(run, images, out, threshold)
    require_empty(out)
    files, size = _listed(images)
    _check_means(run, store, out, size)
    learned_from = _prepared(run, store)
    data, split = learned_from.images(), learned_from.sides()
    read, read_as = _read(run.dataset, images, files, data.images.shape, fit)
    rows = learnable(data, split)
    labeller = _trained(run, data, rows, learned_from.dataset, store)
    weights = labeller.read_arrays("weights.safetensors")
    scores = probabilities(run.classifier.score(weights, read.images))
    exclusive = bool((data.labels.sum(axis=1) == 1).all())
    given = labels_given(scores, threshold, exclusive)
    names = [files[row] for row in read.kept]
    scored = Scored(names, read.images, scores, given, data.label_names, dict(read.bad))
    require_every_label(scored, threshold)
    about = {
        "threshold": threshold,
        "exclusive": exclusive,
        **_counted(scored),
        "measured": _measured(labeller, sorted({threshold, *THRESHOLDS}), exclusive),
        **_learned_from(run, learned_from.dataset),
        "read_as": read_as,
    }
    with whole_folder(out, "labelled images") as folder:
        write_labelled(folder, images, scored, about)
        origin = {key: about[key] for key in ("dataset", "protocol", "splitting")}
        write_learned(folder / "images", run.dataset, data, rows, origin)
    return about


def learnable(data: ImageSet, split: Split) -> Indices:
    """The images that a labeller may know: none of real_test, its patients, or an official test.

    >>> data = ImageSet(np.zeros((5, 1, 1, 1), np.uint8), np.ones((5, 1), bool), ("a",),
    ...                 np.ones((5, 0), bool), (), patients=np.array([7, 7, 8, 9, 10]),
    ...                 official_test=np.array([True, True, False, True, False]))
    >>> learnable(data, Split(*map(np.array, ([2], [4], [0])))).tolist()
    [2, 4]
    """
    kept: Bools = ~np.isin(data.patients, data.patients[split.real_test])
    if data.official_test is not None:
        kept &= ~data.official_test
    return np.flatnonzero(kept).astype(np.int64)


def _listed(images: Path) -> tuple[list[str], int]:
    """The files to be labelled, and how many bytes they are."""
    files = list_images(images).files
    if not files:
        raise DataError(f"{images} holds no image files; they must end with {', '.join(SUFFIXES)}")
    refuse_masks(list(files), 0, "move them elsewhere, for every image would be labelled")
    return list(files), sum(size for size, _ in files.values())


def _prepared(run: Run, store: Store) -> Data:
    """The dataset to learn from, read and split."""
    plan = plan_data(run)
    check_listing(plan, store)
    data = prepared(plan, store)
    _check_labels(data.images())
    return data


def _trained(run: Run, data: ImageSet, rows: Indices, dataset: Artifact, store: Store) -> Artifact:
    """The labeller that learned from some rows of a dataset, from the store or made."""
    identity = {"classifier": run.classifier.identity(), "seed": run.seed, "measured": MEASURED}
    identity["scores"] = "logits"
    identity["rows"] = hashlib.sha256(rows.tobytes()).hexdigest()
    spec = Spec("labeller", identity, {"dataset": dataset.key})
    return store.get_or_make(
        spec, lambda folder: _train(run, data, rows, folder, spec), resumable=True
    )


def _check(run: Run, images: Path, out: Path, threshold: float) -> None:
    problems = []
    if not 0 < threshold <= 1:
        problems.append(f"--threshold must be above 0 and at most 1, got {threshold}")
    if not run.dataset.is_labelled():
        problems.append("dataset must have labels to learn them from, got labelled=false")
    if out.resolve().is_relative_to(images.resolve()):
        problems.append(f"--out must not lie in --images, got {out}")
    if problems:
        raise ConfigError(*problems)


def _check_means(run: Run, store: Store, out: Path, size: int) -> None:
    """See that classifier, device, store and disk will do, before anything is decoded.

    Args:
        run: See ``label_folder``.
        store: The same.
        out: The same.
        size: Bytes of the images that may be copied there.
    """
    parts = {"classifier": run.classifier, "dataset": run.dataset}
    problems = check_components([parts]) or check_sizes([parts])
    problems += store.check_writable() or check_room_for_data([run.dataset], Identities(), store)
    parent = out.absolute().parent
    while not parent.exists():
        parent = parent.parent
    if not (parent.is_dir() and os.access(parent, os.W_OK | os.X_OK)):
        problems.append(f"--out must be a folder that can be made, but {parent} cannot be written")
    elif size * MARGIN > free_bytes(parent):
        problems.append(
            f"--out gets a copy of the images that are labelled, up to {size / GB:.1f} GB, but "
            f"{parent} has {free_bytes(parent) / GB:.1f} GB free; name a folder on another disk"
        )
    if problems:
        raise ConfigError(*dict.fromkeys(problems))


def _read(
    dataset: Dataset, folder: Path, files: Sequence[str], shape: tuple[int, ...], fit: str
) -> tuple[Decoded, dict[str, Any]]:
    """The folder's images as the dataset's are read, and how that is."""
    size, color = shape[1], "grey" if shape[3] == 1 else "rgb"
    window = getattr(dataset, "window", FULL)
    paths = [folder / name for name in files]
    read = decode_all(paths, files, size, color, fit, bad_files="list", window=window)
    how = {"size": size, "color": color, "fit": fit}
    return read, how if window == FULL else how | {"window": window}


def _check_labels(data: ImageSet) -> None:
    if data.official_pool is not None:
        raise ConfigError(
            "dataset must be the real images that the labeller learns from; a textbook's own "
            "labels may be a labeller's: choose its real part"
        )
    if any(SEPARATOR in name for name in data.label_names):
        raise DataError(
            f"labels must not contain '{SEPARATOR}', which parts them in a table, got "
            f"{', '.join(data.label_names)}"
        )


def _train(run: Run, data: ImageSet, rows: Indices, folder: Path, spec: Spec) -> dict[str, float]:
    """Fit the labeller, and score the patients that it has not seen."""
    rng = rng_for("label", run.seed, "patients")
    learnable_images = data.without_images().take(rows)
    held_back = held_back_patients(learnable_images, MEASURED, rng)
    seen = learnable_images.take(np.flatnonzero(~held_back))
    for name, count in seen.label_counts().items():
        if count in (0, len(seen)):
            raise DataError(
                f"label '{name}' holds for {count} of the {len(seen)} images that train the "
                "labeller, which are those of patients outside real_test; it needs images with and "
                "without every label: lower test_size, or choose another split_seed"
            )
    train, test = (data.take(rows[side]) for side in (~held_back, held_back))
    checkpoint = checkpoint_of(Checkpoint, folder, spec, f"training {run.classifier.title()}")
    rng = rng_for("label", run.seed, "fit")
    weights = run.classifier.fit(train, rng, checkpoint=checkpoint)
    write_arrays(folder / "weights.safetensors", weights)
    write_array(folder / "logits.npy", run.classifier.score(weights, test.images))
    write_array(folder / "labels.npy", test.labels)
    write_json(folder / "images.json", {"trained_on": len(train), "measured_on": len(test)})
    return {EARLIER: checkpoint.earlier}


def _measured(labeller: Artifact, thresholds: Sequence[float], exclusive: bool) -> dict[str, Any]:
    """How good the labeller is on patients that it has not seen, undefined numbers as None."""
    scores = probabilities(labeller.read_array("logits.npy"))
    labels = labeller.read_array("labels.npy")
    rows = []
    for threshold in thresholds:
        given = labels_given(scores, threshold, exclusive)
        right = float((given & labels).sum() / given.sum()) if given.any() else None
        reached = float(given.any(axis=1).mean())
        rows.append({"threshold": threshold, "reached": reached, "right": right})
    measures = {
        "auroc": macro_auroc(scores, labels),
        "accuracy": accuracy(scores, labels),
        "balanced_accuracy": balanced_accuracy(scores, labels),
    }
    defined = {name: None if np.isnan(value) else value for name, value in measures.items()}
    return {**labeller.read_json("images.json"), **defined, "thresholds": rows}


def _counted(scored: Scored) -> dict[str, Any]:
    """How many images got which label, and how many none."""
    given = scored.given.sum(axis=0)
    return {
        "kept": {n: int(count) for n, count in zip(scored.label_names, given, strict=True)},
        "images": len(scored.kept) + len(scored.unreadable),
        "left_out": {"unsure": int((~scored.kept).sum()), "unreadable": len(scored.unreadable)},
    }


def _learned_from(run: Run, dataset: Artifact) -> dict[str, Any]:
    """Which classifier gave the labels, and what it was trained on."""
    return {
        "tgap": version("tgap"),
        "classifier": {"name": run.classifier.title(), **run.classifier.identity()},
        "dataset": {"name": run.dataset.title(), "digest": content_digest(dataset)},
        "protocol": run.protocol.title(),
        "splitting": run.splitting.identity(),
        "seed": run.seed,
    }
