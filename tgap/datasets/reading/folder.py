"""Base of datasets whose images are files below a folder."""

import dataclasses
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from tgap.core import Bools, ImageSet, Indices, NewImages, option
from tgap.core.files import expanded
from tgap.datasets.base import Original
from tgap.datasets.reading import decoding
from tgap.datasets.reading.listing import list_images
from tgap.datasets.reading.matching import rule_in_words
from tgap.datasets.reading.notes import NOTED, excluded, mostly_of, refuse_or_warn
from tgap.datasets.reading.windowed import WindowedDataset


@dataclass(frozen=True)
class Described:
    """What files and tables say of images, before any is read.

    Args:
        data: All but the pixels; the metadata's ``file`` names each image.
        paths: Where its file lies below the folder; ``None`` if it is missing.
        missing: Names of missing files of which nothing else is said.
    """

    data: ImageSet
    paths: Sequence[str | None]
    missing: Sequence[str] = ()

    @property
    def names(self) -> list[str]:
        """What messages call the images."""
        names: list[str] = self.data.metadata["file"].tolist()
        return names

    def labels(self, rows: Indices | slice = slice(None)) -> dict[str, Bools]:
        """Which of some images have a label, by its name."""
        return dict(zip(self.data.label_names, self.data.labels[rows].T, strict=True))


@dataclass(kw_only=True)
class FolderDataset(WindowedDataset):
    """Images from the files of a folder, nothing outside which is read."""

    _what: ClassVar[str] = "a folder of images"
    _noted: ClassVar[int | None] = NOTED
    """So many of the files that are left out are named in the notes; ``None`` = all."""

    path: str = option("", "folder of the images", in_key=False)
    bad_files: str = option(
        "error",
        "what to do about files that are missing or cannot be used",
        choices=decoding.BAD_FILES,
    )

    def problems(self) -> list[str]:
        """What can be told without reading an image."""
        return super().problems() + self._path_problems()

    def _path_problems(self) -> list[str]:
        if not self.path:
            return [f"path must name {self._what}, got ''"]
        folder = expanded(self.path)
        try:
            if folder.is_dir():
                return self._folder_problems()
            return [f"path must name an existing folder, got {self.path!r} ({folder.absolute()})"]
        except OSError as error:
            return [f"path must name a folder that can be read: {error}"]

    def _folder_problems(self) -> list[str]:
        """What is wrong with the folder, which exists."""
        return []

    def identity(self) -> dict[str, Any]:
        """The fields, and a digest of the files instead of the path.

        Image files count by relative path, size and time of change, as reading all of them at
        each start would take too long: moving the folder, or copying it with its times
        (``cp -a``), keeps the identity. Tables and lists count by their content.

        Raises:
            DataError: If the folder or one of these cannot be read.
        """
        return super().identity() | {"files": list_images(self._root).digest()}

    def stored_bytes(self) -> int:
        """Of all image files, used or not."""
        return len(list_images(self._root).files) * self.side * self.side * self.channels()

    def originals(self, data: ImageSet) -> Sequence[Original] | None:
        """By the metadata's ``file``."""
        fit, names = getattr(self, "fit", "crop"), data.metadata.get("file")
        if names is None:
            return None
        return [Original(self._root / path, fit) for path in self._paths(names.tolist())]

    def _paths(self, files: Sequence[str]) -> Sequence[str]:
        """Where files lie below the folder, by what the metadata call them."""
        return files

    @property
    def _root(self) -> Path:
        return expanded(self.path)

    @abstractmethod
    def _described(self) -> Described: ...

    def listed(self) -> ImageSet:
        """By files and tables; without those that are missing, or an error as ``bad_files`` says.

        Raises:
            DataError: See ``Dataset.listed``.
        """
        described = self._described()
        return described.data.take(self._present(described)[0])

    def _load(self, new_images: NewImages) -> ImageSet:
        described = self._described()
        decoded, left_out = self._decoded(described, new_images)
        data = described.data
        return dataclasses.replace(
            data.take(decoded.kept),
            images=decoded.images,
            notes={**data.notes, **excluded(left_out, self._noted), **decoded.notes},
        )

    def _decoded(
        self, described: Described, new_images: NewImages
    ) -> tuple[decoding.Decoded, dict[str, list[str]]]:
        """Decode the files.

        Returns:
            Images and the rows of ``described`` that they are of; names of the others by kind.
        """
        rows, missing = self._present(described)
        names = described.names
        decoded = decoding.decode_all(
            [self._root / str(described.paths[row]) for row in rows],
            [names[row] for row in rows],
            self.side,
            self.shade,
            getattr(self, "fit", "crop"),
            new_images,
            self.bad_files,
            window=self.window,
            labels=described.labels(rows),
        )
        kinds = {"missing": [*missing, *described.missing], "unreadable": list(decoded.bad)}
        return dataclasses.replace(decoded, kept=rows[decoded.kept]), kinds

    def _present(self, described: Described) -> tuple[Indices, list[str]]:
        """Rows of the images whose files are there, and the names of the others.

        Raises:
            DataError: If some are missing, unless they may be left out.
        """
        names, paths = described.names, described.paths
        there = [row for row, path in enumerate(paths) if path is not None]
        missing = [name for name, path in zip(names, paths, strict=True) if path is None]
        if missing:
            used = {path for path in paths if path is not None}
            others = [file for file in list_images(self._root).files if file not in used]
            reasons = dict.fromkeys(missing, "there is no such file")
            hint = rule_in_words(missing, others)
            most = mostly_of(described.labels(), sorted(set(range(len(names))) - set(there)))
            refuse_or_warn(reasons, len(names), self.bad_files, hint, most)
        return np.array(there, dtype=np.int64), missing
