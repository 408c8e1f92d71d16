"""Tuning images from one source, and the images that train and test classifiers from another."""

import dataclasses
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tgap.core import Bools, DataError, Images, ImageSet, Indices, NewImages, Split, option
from tgap.core.digest import image_digests
from tgap.core.files import expanded
from tgap.core.origin import Origin
from tgap.core.types import Resumable, no_pixels
from tgap.datasets.base import Dataset, Original, of_node
from tgap.datasets.reading.alike import other_spellings
from tgap.datasets.reading.decoding import copy_rows
from tgap.datasets.reading.provenance import problems_with_labeller

log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Textbook(Dataset):
    """Tuning images from one dataset, real_train and real_test from another (Zhang 2024, 4.7).

    The pool is the images of ``tuning``, which are marked as the ``official_pool``; real_train and
    real_test are drawn from the images of ``real``, which come first and keep their order. So
    real_test is that of a run with ``real`` alone, whatever the textbook.

    Both have the same labels by name, in the order of ``real``, and images of the same size and
    colour. Findings are those of either; of a source that does not name a finding, no image has it.
    Metadata are the columns of ``real``, unknown for tuning images that lack them. No patient of
    one source counts as a patient of the other. An image of ``tuning`` that equals one of ``real``
    pixel by pixel is left out, with a warning and a count in the notes (``repeated``), as it might
    be tested on; one that was cropped or compressed again is not recognised. The other notes are
    those of ``real``, and below ``tuning`` those of the textbook.
    """

    domain: str = option("", "what the images show, in the words of a prompt; empty = as in real")
    tuning: Dataset = field(metadata={"help": "what the pool is: a textbook's labelled images"})
    real: Dataset = field(metadata={"help": "what real_train and real_test are drawn from"})

    def __post_init__(self) -> None:
        self.domain = self.domain or self.real.domain
        super().__post_init__()

    def problems(self) -> list[str]:
        """Parts that have no labels, or two parts themselves."""
        problems = []
        for name, part in (("tuning", self.tuning), ("real", self.real)):
            if isinstance(part, Textbook):
                problems.append(f"{name} must be a dataset of one source, got 'textbook'")
            elif not part.is_labelled():
                problems.append(
                    f"{name} must have labels, got labelled=false; tgap label writes a labelled "
                    "folder of such images"
                )
        return problems

    def image_side(self) -> int | None:
        """Of both, which must have the same."""
        return self.real.image_side()

    def channels(self) -> int | None:
        """Of both, which must have the same."""
        return self.real.channels()

    def is_open(self) -> bool:
        """Whether one of both is."""
        return self.tuning.is_open() or self.real.is_open()

    def fitted(self, shape: tuple[int, int, int]) -> Self:
        """Of both; the textbook as the real images, of which some are grey only."""
        real = self.real.fitted(shape)
        alike = (*shape[:2], real.channels() or shape[2])
        return dataclasses.replace(self, real=real, tuning=self.tuning.fitted(alike))

    def stored_bytes(self) -> int | None:
        """Of both sources, if both know."""
        tuning, real = self.tuning.stored_bytes(), self.real.stored_bytes()
        return None if tuning is None or real is None else tuning + real

    def looked_at(self, data: ImageSet) -> dict[str, str]:
        """Nothing more: each source has looked at its own."""
        return {}

    def origin(self) -> Origin:
        """Of both sources."""
        real, tuning = self.real.origin(), self.tuning.origin()
        return Origin(
            f"tuning images: {tuning.source}; real images: {real.source}",
            f"tuning images: {tuning.licence}; real images: {real.licence}",
            "other",
        )

    def check_split(self, data: ImageSet, split: Split, words: Sequence[str]) -> list[str]:
        """Whether labels of ``tuning`` come from a labeller that knows images of real_test."""
        folder = getattr(self.tuning, "path", None)
        if not isinstance(folder, str):
            return []
        return problems_with_labeller(expanded(folder), self.real, data, split, words)

    def originals(self, data: ImageSet) -> Sequence[Original] | None:
        """Of both sources, if both know."""
        if data.official_pool is None:
            return None
        light = data.without_images()
        real = self.real.originals(light.take(np.flatnonzero(~data.official_pool)))
        tuning = self.tuning.originals(light.take(np.flatnonzero(data.official_pool)))
        return None if real is None or tuning is None else [*real, *tuning]

    def listed(self) -> ImageSet | None:
        """Of both sources, if both know; images that turn out to be in both are in it."""
        real, tuning = self.real.listed(), self.tuning.listed()
        if real is None or tuning is None:
            return None
        return _together(real, tuning, no_pixels(len(real) + len(tuning)), 0)

    def _load(self, new_images: NewImages) -> ImageSet:
        # Without its way to go on after an interruption, which is for one array: the real images'.
        with of_node("dataset.tuning", self.tuning):
            tuning = self.tuning.load(lambda shape: new_images(shape))
        space = _Space(new_images, tuning.images.shape)
        with of_node("dataset.real", self.real):
            real = self.real.load(space)
        if not space.holds(real.images):
            copy_rows(real.images, np.arange(len(real)), space(real.images.shape))
        kept = _unrepeated(tuning, real)
        images = space.whole[: len(real) + len(kept)]
        copy_rows(tuning.images, kept, images[len(real) :])
        return _together(real, tuning.without_images().take(kept), images, len(tuning) - len(kept))


class _Space(Resumable):
    """Makes arrays for a dataset's images that have room for others behind them.

    Args:
        new_images: Makes the whole array, which is then ``whole``.
        others: Shape of the images behind.
    """

    def __init__(self, new_images: NewImages, others: tuple[int, ...]) -> None:
        self.new_images, self.others = new_images, others
        self.whole: Images = np.empty((0, *others[1:]), np.uint8)

    def __call__(self, shape: tuple[int, int, int, int]) -> Images:
        if shape[1:] != self.others[1:]:
            raise DataError(
                f"images of dataset.tuning have the shape {self.others[1:]} (height, width, "
                f"channels), those of dataset.real {shape[1:]}; set size and color of both alike"
            )
        self.whole = self.new_images((shape[0] + self.others[0], *shape[1:]))
        return self.whole[: shape[0]]

    def filled(self, rows: int) -> Bools:
        if isinstance(self.new_images, Resumable):
            return self.new_images.filled(rows)
        return np.zeros(rows, bool)

    def holds(self, images: Images) -> bool:
        """Whether the images lie at the beginning: not if a dataset brings its own array."""
        return np.may_share_memory(images, self.whole) and (
            len(self.whole) == len(images) + self.others[0]
        )


def _unrepeated(tuning: ImageSet, real: ImageSet) -> Indices:
    """The tuning images that are not among the real ones, pixel by pixel."""
    known = set(image_digests(real.images))
    apart = np.array([digest not in known for digest in image_digests(tuning.images)], bool)
    repeated = int((~apart).sum())
    if not apart.any():
        raise DataError(
            "every image of dataset.tuning is also one of dataset.real, pixel by pixel; the "
            "textbook must be another source"
        )
    if repeated:
        log.warning(
            "%d of the %d images of dataset.tuning are also in dataset.real, pixel by pixel: they "
            "are left out of the textbook",
            repeated,
            len(apart),
        )
    return np.flatnonzero(apart).astype(np.int64)


def _together(real: ImageSet, tuning: ImageSet, images: Images, repeated: int) -> ImageSet:
    """Both sources as one dataset, whose pixels are given."""
    names = (*real.finding_names, *(n for n in tuning.finding_names if n not in real.finding_names))
    patients = np.unique(tuning.patients, return_inverse=True)[1] + real.patients.max() + 1
    of_tuning = np.arange(len(images)) >= len(real)
    official = real.official_test
    notes = {"tuning": dict(tuning.notes), "repeated": repeated}
    return ImageSet(
        images=images,
        labels=np.concatenate([real.labels, _labels(tuning, real.label_names)]),
        label_names=real.label_names,
        findings=np.concatenate([_findings(source, names) for source in (real, tuning)]),
        finding_names=names,
        patients=np.concatenate([real.patients, patients.astype(np.int64)]),
        metadata={
            name: _column(column, tuning.metadata.get(name), len(tuning))
            for name, column in real.metadata.items()
        },
        official_test=None
        if official is None
        else np.append(official, np.zeros(len(tuning), bool)),
        official_pool=of_tuning,
        notes={**real.notes, **{name: note for name, note in notes.items() if note}},
    )


def _labels(tuning: ImageSet, names: tuple[str, ...]) -> Bools:
    """The textbook's labels in the order of ``names``."""
    if set(tuning.label_names) != set(names):
        raise DataError(
            "dataset.tuning must have the labels of dataset.real by name "
            f"({', '.join(names)}), got {', '.join(tuning.label_names)}"
            f"{other_spellings(tuning.label_names, names)}"
        )
    return tuning.labels[:, [tuning.label_names.index(name) for name in names]]


def _findings(source: ImageSet, names: tuple[str, ...]) -> Bools:
    findings = np.zeros((len(source), len(names)), bool)
    findings[:, [names.index(name) for name in source.finding_names]] = source.findings
    return findings


def _column(real: NDArray[Any], tuning: NDArray[Any] | None, count: int) -> NDArray[Any]:
    """A column of both; unknown for the textbook if it lacks it, or has other things in it."""
    is_text = real.dtype.kind == "U"
    if tuning is None or (tuning.dtype.kind == "U") != is_text:
        tuning = np.full(count, "") if is_text else np.full(count, np.nan)
    return np.concatenate([real, tuning])
