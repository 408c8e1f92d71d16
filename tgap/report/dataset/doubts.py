"""What looks wrong in a dataset, each in a sentence with its remedy."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tgap.core.words import word
from tgap.datasets.base import NOTED, OWN_PATIENTS, WARNED
from tgap.datasets.reading.notes import first
from tgap.datasets.reading.patients import own_patients
from tgap.report.dataset.describing import SIDES, Description
from tgap.report.dataset.duplicates import Duplicates
from tgap.report.dataset.files import CUT, ENLARGED, Files
from tgap.report.dataset.moments import SECONDS
from tgap.report.dataset.neighbours import Neighbours
from tgap.report.dataset.pixels import Levels

FEW_IMAGES = 20
"""A label with fewer images on a side is told of."""
FEW_LEVELS = 32
UNLIKE_SHAPES = 1.15
"""Labels are told of whose medians of width by height differ by this factor."""
"""Images of fewer different levels are told of."""
UNLIKE_FILES, UNLIKE_LABELS = 4.0, 1.5
"""Sizes are told of that differ by this factor, among files and between labels' medians."""
USUAL = 0.9
"""And kinds that so many of a label's files have, while those of another label have others."""
NAMED = 3
"""Files that a sentence names."""


class Doubt(NamedTuple):
    """What may be wrong, what to do about it, and the first cases."""

    what: str
    remedy: str = ""
    where: str = ""

    def __str__(self) -> str:
        where = f": {self.where}" if self.where else ""
        return f"{self.what}{where}. {self.remedy}".rstrip()


def doubts(counts: Description) -> list[Doubt]:
    """All that looks wrong, the worst first."""
    return [
        *_whole(counts),
        *([Doubt(own_patients(counts.images))] if OWN_PATIENTS in counts.notes else []),
        *(Doubt(text[0].upper() + text[1:]) for text in counts.notes.get(WARNED, [])),
        *_moments(counts),
        *_neighbours(counts.neighbours, known=OWN_PATIENTS not in counts.notes),
        *_overlaps(counts),
        *_duplicates(counts.duplicates),
        *_copies(counts),
        *_small_labels(counts),
        *_levels(counts.levels, counts.notes),
        *(_files(counts.files, counts) if counts.files else []),
    ]


def _moments(counts: Description) -> Iterator[Doubt]:
    """Of photographs of one moment, where no patients are known."""
    moments = counts.files.moments if counts.files else None
    if moments is not None and counts.patients == counts.images:
        yield Doubt(
            f"{moments.together:,} of {moments.dated:,} photographs were taken within "
            f"{SECONDS} seconds of another one, by EXIF (DateTimeOriginal), and others at other "
            f"times: they are of {moments.moments:,} moments",
            "Images of one moment show one thing: write a table with a column that says which "
            "moment each is of (dataset.table, dataset.patient_column), or tests flatter.",
            "; ".join(" = ".join(names) for names in moments.named),
        )


def _neighbours(near: Neighbours | None, *, known: bool) -> Iterator[Doubt]:
    """Of images, or of patients where these are known."""
    if near is not None:
        what, one, source = "images", "any other of their label", "frames, bursts, slices"
        if known:
            what, one, source = "patients", "any other", "visits, slides, sides"
        told = (
            f"{near.alike:,} of {near.looked_at:,} {what} resemble one next to them, by their "
            f"names, more than {one} (by chance {near.expected:,} would), as {source}, channels "
            "or edited copies do"
        )
        if near.clips:
            told = (
                f"{near.alike:,} of {near.looked_at:,} images are far more like the one before "
                f"them, by their names, than like others of their label (in another order "
                f"{near.expected:,} would be), as frames of clips, one clip after another, are"
            )
        yield Doubt(
            told,
            "If they are, say what belongs together (dataset.patient_pattern or "
            "dataset.patient_column), or tests flatter.",
            first([f"{a} = {b}" for a, b in near.pairs], len(near.pairs), NAMED),
        )


def _overlaps(counts: Description) -> Iterator[Doubt]:
    for shared, what, remedy in (
        (
            counts.shared_patients,
            "patients stand on two sides",
            "Tests on them flatter; protocol=clean keeps a patient's images together.",
        ),
        (
            counts.shared_images,
            "images stand on two sides, pixel by pixel the same",
            "Tests on them flatter: remove the copies, or say which images are one patient's "
            "(dataset.patient_column), so that they stay together.",
        ),
    ):
        where = [f"{count:,} on {sides}" for sides, count in shared.items() if count]
        if where:
            yield Doubt(f"{sum(shared.values()):,} {what}", remedy, "; ".join(where))


def _duplicates(same: Duplicates | None) -> Iterator[Doubt]:
    if same is not None:
        yield Doubt(
            str(same),
            "If they are one patient's, say so (dataset.patient_column or "
            "dataset.patient_pattern): tests flatter, and the test images are fewer than they "
            "seem.",
            first([_pair(*pair) for pair in same.pairs], len(same.pairs), NAMED),
        )
        if same.disputed:
            yield Doubt(
                f"{same.disputed:,} pairs of images that are nearly equal have different labels",
                "If they show the same, one of the labels is wrong, or both hold: correct them, or "
                "remove both images.",
                first([f"{one} = {two}" for one, two in same.disputed_pairs], 0, NAMED),
            )


def _pair(one: str, other: str, pose: str) -> str:
    return f"{one} = {other}{f' ({pose})' if pose else ''}"


def _copies(counts: Description) -> Iterator[Doubt]:
    copies = counts.copies
    if copies.disputed and not copies.whole:
        pairs = [f"{a} ({of_a}) = {b} ({of_b})" for a, of_a, b, of_b in copies.disputed_pairs]
        yield Doubt(
            f"{copies.disputed:,} images equal another one that has other labels",
            "One of the labels is wrong, or both hold: correct them, or remove both images.",
            first(pairs, copies.disputed, NAMED),
        )
    if copies.copies > copies.disputed and not copies.whole:
        pairs = [f"{a} = {b}" for a, b in copies.pairs]
        yield Doubt(
            f"{copies.copies:,} images are exact copies of another",
            "They count more than once: remove them.",
            first(pairs, copies.copies, NAMED),
        )


def _whole(counts: Description) -> Iterator[Doubt]:
    """Of a label that has the images of all others."""
    label = counts.copies.whole
    if not label:
        return
    remedy = "leave its rows out of the table"
    if all(label in file.split("/")[:-1] for file in counts.examples.get(label, [""])):
        remedy = f'leave its folder out by "dataset.exclude={word([label])}"'
    yield Doubt(
        f"The {counts.labels[label]['all']:,} images of label '{label}' are (nearly) all those of "
        f"the other labels, copied ({counts.copies.disputed:,} equal one of another label)",
        f"It is no label, as it seems, but the whole: {remedy}.",
    )


def _small_labels(counts: Description) -> Iterator[Doubt]:
    few = []
    for label, by_side in counts.labels.items():
        small = [f"{by_side[side]:,} in {side}" for side in SIDES if by_side[side] < FEW_IMAGES]
        if small:
            few.append(f"{label} ({', '.join(small)})")
    if few:
        yield Doubt(
            f"{'1 label has' if len(few) == 1 else f'{len(few)} labels have'} fewer than "
            f"{FEW_IMAGES} images on a side",
            "So few say little: add images, or join or leave out labels.",
            first(few, len(few), NAMED),
        )


def _levels(levels: Levels, notes: Mapping[str, Any]) -> Iterator[Doubt]:
    """By what was seen when files were read, and of all images afterwards."""
    yield from (Doubt(notes[name]) for name in NOTED[:-1] if name in notes)
    if levels.empty or "flat" in notes:
        nearly = (
            f"{levels.empty:,} of {levels.looked_at:,} images are near-empty, one grey level "
            "nearly everywhere"
        )
        yield Doubt(
            notes.get("flat", nearly),
            "Look at them, and remove them if they show nothing.",
            first(levels.empty_named, levels.empty, NAMED),
        )
    if levels.used < FEW_LEVELS and not notes.keys() & {"few_levels", "dim"}:
        yield Doubt(
            f"Half of the images have {levels.used:g} different grey levels or fewer, of 256",
            "Drawings are so; of photographs, values or compression lost the rest: look at the "
            "originals.",
        )


def _files(files: Files, counts: Description) -> Iterator[Doubt]:
    side, of = counts.shape[0], f"of {files.looked_at - files.unread:,} files"
    if files.enlarged:
        yield Doubt(
            f"{files.enlarged:,} {of} are enlarged more than {ENLARGED:g} times to {side} pixels",
            "The images look soft, and so will synthetic ones: take larger files, or a generator "
            "(and dataset.size) of smaller images.",
            first(files.enlarged_named, files.enlarged, NAMED),
        )
    if files.misfits:
        loss = f"lose more than {CUT:.0%} of their pixels to the square in the middle"
        remedy = "Nothing is cut with dataset.fit=pad (black bars) or dataset.fit=squash."
        if not files.cropped:
            loss = f"are stretched by more than {1 / (1 - CUT) - 1:.0%} to a square"
            remedy = "They keep their proportions with dataset.fit=crop or dataset.fit=pad."
        yield Doubt(
            f"{files.misfits:,} {of} {loss}",
            remedy,
            first(files.misfits_named, files.misfits, NAMED),
        )
    yield from _unlike(files)
    yield from _unlike_shapes(files)
    yield from _unlike_kinds(files)


def _unlike(files: Files) -> Iterator[Doubt]:
    """Sizes that differ, above all by label: sharpness would tell the label."""
    small, large = min(files.sides.items(), key=_side), max(files.sides.items(), key=_side)
    if large[1] > UNLIKE_LABELS * small[1]:
        yield Doubt(
            f"Files of label {small[0]} have {small[1]:g} pixels on the shorter side, those of "
            f"label {large[0]} {large[1]:g} (medians)",
            "Sharpness may tell a classifier the label: take files of the same size for all.",
        )
    elif files.shortest[1] > UNLIKE_FILES * files.shortest[0]:
        yield Doubt(
            f"The files' shorter sides go from {files.shortest[0]:g} to {files.shortest[1]:g} "
            "pixels",
            "Some images are sharper than others; leave out the smallest ones if that matters.",
        )


def _unlike_shapes(files: Files) -> Iterator[Doubt]:
    """Proportions that differ by label: what is cut, or how things are stretched, would tell it."""
    narrow, wide = min(files.shapes.items(), key=_side), max(files.shapes.items(), key=_side)
    if wide[1] > UNLIKE_SHAPES * narrow[1]:
        yield Doubt(
            f"Files of label {narrow[0]} are {narrow[1]:.3g} as wide as high, those of label "
            f"{wide[0]} {wide[1]:.3g} (medians)",
            "How they are cut, stretched or padded to a square may tell a classifier the label: "
            "take files of the same source for all, or cut all to the same proportions.",
        )


def _unlike_kinds(files: Files) -> Iterator[Doubt]:
    """Kinds that nearly all files of a label have, and others those of another."""
    usual = {
        label: kind
        for label, kinds in files.label_kinds.items()
        for kind, count in kinds.items()
        if count >= USUAL * sum(kinds.values())
    }
    one = next(iter(usual), None)
    other = next((name for name, kind in usual.items() if kind != usual[one or name]), None)
    if one is not None and other is not None:
        yield Doubt(
            f"Files of label {one} are {usual[one]}, those of label {other} {usual[other]}",
            "What compression, depth or colour leave in the pixels may tell a classifier the "
            "label: take files of the same source for all.",
        )


def _side(item: tuple[str, float]) -> float:
    return item[1]
