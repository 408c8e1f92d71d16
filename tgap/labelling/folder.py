"""Images with the scores of a labeller, and the labelled folder that is made of them."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tgap.core import Bools, DataError, Doubles, Images
from tgap.core.files import write_json
from tgap.datasets.reading.provenance import FILE
from tgap.datasets.reading.tables import write_csv
from tgap.report.figures import draw_doubtful

TABLE = "labels.csv"
SEPARATOR = "|"
"""Between several labels in a cell, as ``dataset=image_folder`` reads it."""
_README = """\
{summary}
images/ holds the labelled images as they were found, and {table}: label and score of each. Read:
  dataset=image_folder dataset.path=<this folder>/images dataset.table={table}
left_out.csv names the others and says why, doubtful.png shows the least sure on both sides of the
threshold, label.json says which classifier, dataset and split this came from, images/{learned}
which real images the classifier learned from: a run whose real_test holds one of them is refused.
Labels were given by a classifier: some are wrong.
"""


@dataclass(frozen=True)
class Scored:
    """Images of the folder and what the classifier says of them.

    Args:
        files: M paths below the folder.
        images: ``(M, H, W, C)`` uint8, as the classifier sees them.
        scores: ``(M, L)`` probabilities.
        given: ``(M, L)`` bool, the labels that each gets; an image without one is left out.
        label_names: L names.
        unreadable: Reason by file of those that could not be read.
    """

    files: list[str]
    images: Images
    scores: Doubles
    given: Bools
    label_names: tuple[str, ...]
    unreadable: Mapping[str, str]

    @property
    def kept(self) -> Bools:
        """``(M,)`` bool."""
        return np.asarray(self.given.any(axis=1))

    @property
    def confidence(self) -> Doubles:
        """``(M,)``, the largest score."""
        largest: Doubles = self.scores.max(axis=1)
        return largest

    def likeliest(self, row: int) -> str:
        """The label with the largest score."""
        return self.label_names[int(self.scores[row].argmax())]


def labels_given(scores: Doubles, threshold: float, exclusive: bool) -> Bools:
    """Which labels images get.

    Args:
        scores: ``(N, L)``.
        threshold: Score that a label must reach.
        exclusive: Whether an image has one label only.

    Returns:
        ``(N, L)`` bool.

    >>> scores = np.array([[0.9, 0.2], [0.85, 0.95], [0.6, 0.7]], np.float32)
    >>> labels_given(scores, 0.8, exclusive=True).astype(int).tolist()
    [[1, 0], [0, 1], [0, 0]]
    >>> labels_given(scores, 0.8, exclusive=False).astype(int).tolist()
    [[1, 0], [1, 1], [0, 0]]
    """
    reached: Bools = scores >= threshold
    if not exclusive:
        return reached
    largest = scores == scores.max(axis=1, keepdims=True)
    reached &= largest & (largest.sum(axis=1, keepdims=True) == 1)
    return reached


def summary(about: Mapping[str, Any]) -> str:
    """What came of it, in lines for people."""
    measured, kept = about["measured"], about["kept"]
    lines = [
        f"labeller: {about['classifier']['name']}, trained on {measured['trained_on']:,} images of "
        f"{about['dataset']['name']}, measured on {measured['measured_on']:,} of other patients "
        "(real_test is not looked at):",
        f"  AUROC {_number(measured['auroc'])}, accuracy {_percent(measured['accuracy'])}, "
        f"balanced {_percent(measured['balanced_accuracy'])}",
        "  threshold   labels given   right",
    ]
    for row in measured["thresholds"]:
        mark = " <- this threshold" if row["threshold"] == about["threshold"] else ""
        given, right = _percent(row["reached"]), _percent(row["right"])
        lines.append(f"  {row['threshold']:9.2f}   {given:>12}   {right:>5}{mark}")
    left = about["left_out"]
    lines.append(
        f"{about['images']:,} images: labelled "
        f"{about['images'] - left['unsure'] - left['unreadable']:,} "
        f"({', '.join(f'{name} {count:,}' for name, count in kept.items())}); left out "
        f"{left['unsure']:,} below the threshold, {left['unreadable']:,} that cannot be read"
    )
    return "\n".join(lines) + "\n"


def require_every_label(scored: Scored, threshold: float) -> None:
    """See that each label has an image.

    Raises:
        DataError: If one has none, with the counts.
    """
    counts = scored.given.sum(axis=0)
    if counts.all():
        return
    counts_in_words = ", ".join(
        f"{name} {count} (largest score {top:.3f})"
        for name, count, top in zip(
            scored.label_names, counts, scored.scores.max(axis=0), strict=True
        )
    )
    raise DataError(
        f"every label must have an image, but with the threshold {threshold:g} the "
        f"{len(scored.files)} images get: {counts_in_words}; lower --threshold, or add images of it"
    )


def write_labelled(folder: Path, source: Path, labelled: Scored, about: Mapping[str, Any]) -> None:
    """Fill the folder: images, tables, picture, and what they came from."""
    (folder / "images").mkdir()
    kept, score_names = labelled.kept, [f"score_{name}" for name in labelled.label_names]
    given, left = np.flatnonzero(kept).tolist(), np.flatnonzero(~kept).tolist()
    for row in given:
        copy = folder / "images" / labelled.files[row]
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source / labelled.files[row], copy)  # with its time, by which it is recognised

    def scored(row: int) -> list[str]:
        return [f"{score:.6f}" for score in (labelled.confidence[row], *labelled.scores[row])]

    def labels(row: int) -> str:
        held = np.flatnonzero(labelled.given[row])
        return SEPARATOR.join(labelled.label_names[label] for label in held)

    write_csv(
        folder / "images" / TABLE,
        ["file", "label", "confidence", *score_names],
        ([labelled.files[row], labels(row), *scored(row)] for row in given),
    )
    unsure = [
        [
            labelled.files[row],
            "no label reaches the threshold alone",
            labelled.likeliest(row),
            *scored(row),
        ]
        for row in left
    ]
    empty = [""] * (2 + len(score_names))
    unreadable = [[name, reason, *empty] for name, reason in labelled.unreadable.items()]
    write_csv(
        folder / "left_out.csv",
        ["file", "reason", "likeliest", "confidence", *score_names],
        [*unsure, *unreadable],
    )
    captions = [
        f"{labelled.likeliest(row)} {labelled.confidence[row]:.2f}"
        for row in range(len(labelled.files))
    ]
    draw_doubtful(
        labelled.images,
        captions,
        labelled.confidence,
        kept,
        about["threshold"],
        folder / "doubtful.png",
    )
    write_json(folder / "label.json", about)
    text = _README.format(summary=summary(about), table=TABLE, learned=FILE)
    (folder / "README.txt").write_text(text, "utf-8")


def _percent(share: float | None) -> str:
    return "n/a" if share is None else f"{100 * share:.1f} %"


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"
