"""A domain's real images, and how they are split."""

import copy
import logging
import re
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from tgap.core import Component, DataError, Images, ImageSet, NewImages, Split, option
from tgap.core.origin import Origin
from tgap.datasets.reading.alike import warn_of_categories
from tgap.datasets.reading.outcome import look_at

log = logging.getLogger(__name__)


def in_memory(shape: tuple[int, int, int, int]) -> Images:
    """An array in memory, of zeros."""
    return np.zeros(shape, np.uint8)


@dataclass(frozen=True)
class Original:
    """The file that an image was read from.

    Args:
        file: Its path.
        fit: How it was made a square: ``crop``, ``squash`` or ``pad``.
    """

    file: Path
    fit: str


WARNED = "warned"
"""The note of what was warned of while images were read, so that it can be told again."""
OWN_PATIENTS = "own_patients"
"""The note that patients are not known, so that each image counts as its own."""
NOTED = (
    "blank",
    "wrapped",
    "swapped",
    "alpha",
    "crushed",
    "few_levels",
    "ranges",
    "negatives",
    "cut_off",
    "mark",
    "bars",
    "dim",
    "one_picture",
    "flat",
)
"""Notes of what pixels look like, which are told again likewise."""
_NOTED_BY_THEMSELVES = ("outcome", "depth", "textbook")
"""Modules below ``tgap.datasets`` whose warnings are notes of their own."""


class _Texts(logging.Handler):
    """Keeps the texts of warnings about what files and tables say."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.rpartition(".")[2] not in _NOTED_BY_THEMSELVES:
            self.texts.append(record.getMessage())


@contextmanager
def warned(*, silent: bool = False) -> Iterator[list[str]]:
    """The warnings that datasets log meanwhile.

    Args:
        silent: Whether nobody else hears them.
    """
    handler, logger = _Texts(), logging.getLogger("tgap.datasets")
    logger.addHandler(handler)
    propagate = logger.propagate
    logger.propagate = propagate and not silent
    try:
        yield handler.texts
    finally:
        logger.propagate = propagate
        logger.removeHandler(handler)


@contextmanager
def of_node(node: str, source: "Dataset") -> Iterator[None]:
    """Let messages about a dataset name the settings of its place in a run.

    Args:
        node: The place, e.g. ``generator.images``; messages say ``dataset``.
        source: The dataset.
    """
    if node == "dataset":
        yield
        return
    names = "|".join(f.name for f in fields(source))

    def renamed(text: str) -> str:
        return re.sub(rf"\bdataset\.(?=({names})\b)", f"{node}.", text)

    try:
        with _renaming(renamed):
            yield
    except DataError as error:
        raise DataError(f"{node}: {renamed(str(error))}") from error


@contextmanager
def _renaming(renamed: Callable[[str], str]) -> Iterator[None]:
    """Let what datasets log be said in other words; within another one, first in these."""
    logger = logging.getLogger("tgap.datasets")
    outer = next((each for each in logger.handlers if isinstance(each, _Renamed)), None)
    handler = _Renamed(lambda text: outer.renamed(renamed(text)) if outer else renamed(text))
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    if outer:
        logger.removeHandler(outer)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate
        if outer:
            logger.addHandler(outer)


class _Renamed(logging.Handler):
    """Hands on what datasets log, in other words."""

    def __init__(self, renamed: Callable[[str], str]) -> None:
        super().__init__()
        self.renamed = renamed

    def emit(self, record: logging.LogRecord) -> None:
        told = copy.copy(record)
        told.msg, told.args = self.renamed(record.getMessage()), None
        logging.getLogger("tgap").handle(told)


@dataclass(kw_only=True)
class Dataset(Component):
    """Real images with labels, and where known findings and patients.

    Args:
        domain: The word or words that prompts use for what the images show, e.g. ``chest X-ray``.
    """

    image_size: ClassVar[int | None] = None
    """Height and width of every image, where the class fixes it."""

    domain: str = option("", "what the images show, in the words of a prompt")

    def identity(self) -> dict[str, Any]:
        """Without the domain, which is the prompts' matter: other words for it decode nothing."""
        return {name: value for name, value in super().identity().items() if name != "domain"}

    def image_side(self) -> int | None:
        """Height and width of its images, as far as settings tell them before any is read."""
        return self.image_size

    def channels(self) -> int | None:
        """Of its images, 1 (grey) or 3, as far as settings tell before any is read."""
        return None

    def is_open(self) -> bool:
        """Whether its settings leave the size or the colour of images to others."""
        return False

    def fitted(self, shape: tuple[int, int, int]) -> Self:
        """The same, with what its settings leave open as of images of that shape."""
        return self

    def is_labelled(self) -> bool:
        """Whether labels are known; if not, every image has one and the same."""
        return True

    def stored_bytes(self) -> int | None:
        """Bytes of the array that the images are read into, at most; ``None`` if not known before.

        Raises:
            DataError: If the files cannot be listed.
        """
        return None

    def origin(self) -> Origin:
        """Where its images come from, and their licence, as far as that is known."""
        return Origin()

    def check_split(self, data: ImageSet, split: Split, words: Sequence[str]) -> list[str]:
        """Problems of a split of its images that only the dataset can know.

        Args:
            data: The dataset, read.
            split: Its sets.
            words: The run's words that choose the split, for the remedy.

        Returns:
            A sentence for each, with its remedy.

        Raises:
            DataError: If a file that is needed to tell cannot be read.
        """
        return []

    def listed(self) -> ImageSet | None:
        """All but the pixels, where they are known without reading an image; else ``None``.

        Some images may turn out to be unreadable when they are read.

        Raises:
            DataError: If files or tables cannot be read, or do not say what they must.
        """
        return None

    def originals(self, data: ImageSet) -> Sequence[Original] | None:
        """The files of its images, in their order; ``None`` where they are not known.

        Args:
            data: The dataset or part of it, read; its pixels do not count.

        Raises:
            DataError: If the files cannot be listed.
        """
        return None

    def looked_at(self, data: ImageSet) -> dict[str, str]:
        """Notes of what a person would notice at once on its images; see ``look_at``.

        Raises:
            DataError: If all images are one, black or flat.
        """
        return look_at(data, self.title(), self.remedy())

    def remedy(self) -> str:
        """How images that are black or flat can be mended."""
        return "look at what the files hold; what is transparent becomes black"

    def load(self, new_images: NewImages = in_memory, *, synthetic: bool = False) -> ImageSet:
        """Read all images, in an order that never changes, and look at them.

        Args:
            new_images: Makes the array that the images are put into; the pipeline's lies on disk,
                so that a dataset may be larger than memory.
            synthetic: Whether a generator made the images: that it draws one picture, or black
                ones, is then a finding about it, of which is warned.

        Returns:
            The whole dataset; at least two labels, each with images, or one if none are known.

        Raises:
            DataError: If there are fewer labels, or one without images; if all real images are
                one, black or flat.
        """
        with warned() as texts:
            data = self._load(new_images)
            for name, column in data.metadata.items():
                if column.dtype.kind == "U":
                    warn_of_categories(name, column.tolist())
        empty = [name for name, count in data.label_counts().items() if count == 0]
        if (len(data.label_names) < 2 and self.is_labelled()) or empty:
            raise DataError(
                f"dataset '{self.title()}' needs at least two labels, each with images; got "
                f"{data.label_counts()}"
            )
        told = {WARNED: list(dict.fromkeys(texts))} if texts else {}
        return replace(data, notes={**data.notes, **told, **self._seen(data, synthetic)})

    def _seen(self, data: ImageSet, synthetic: bool) -> dict[str, str]:
        try:
            return self.looked_at(data)
        except DataError as fault:
            if not synthetic:
                raise
            log.warning("%s", fault)
            return {"broken": str(fault)}

    @abstractmethod
    def _load(self, new_images: NewImages) -> ImageSet: ...
