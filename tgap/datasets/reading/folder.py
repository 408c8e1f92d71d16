"""Base of datasets whose images are files below a folder."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from tgap.core import ImageSet, NewImages, option
from tgap.core.files import expanded
from tgap.datasets.base import Original
from tgap.datasets.reading import decoding
from tgap.datasets.reading.listing import list_images
from tgap.datasets.reading.matching import rule_in_words
from tgap.datasets.reading.notes import refuse_or_warn
from tgap.datasets.reading.windowed import WindowedDataset


@dataclass(kw_only=True)
class FolderDataset(WindowedDataset):
    """Images from the files of a folder, nothing outside which is read."""

    _what: ClassVar[str] = "a folder of images"

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

    def _decoded(
        self,
        names: Sequence[str],
        paths: Sequence[str | None],
        new_images: NewImages,
        fit: str = "crop",
    ) -> tuple[decoding.Decoded, dict[str, list[str]]]:
        """Decode files.

        Args:
            names: What N files are called.
            paths: Where they lie below the folder; ``None`` if they are missing.
            new_images: Makes the array.
            fit: See ``decoding.decode``.

        Returns:
            Images and the rows of ``names`` that they are of; and the names of the others by kind.
        """
        missing = {
            name: "there is no such file"
            for name, path in zip(names, paths, strict=True)
            if path is None
        }
        hint = ""
        if missing:
            used = {path for path in paths if path is not None}
            others = [file for file in list_images(self._root).files if file not in used]
            hint = rule_in_words(list(missing), others)
        refuse_or_warn(missing, len(names), self.bad_files, hint)
        there = [(row, path) for row, path in enumerate(paths) if path is not None]
        rows = np.array([row for row, _ in there], dtype=np.int64)
        decoded = decoding.decode_all(
            [self._root / path for _, path in there],
            [names[row] for row in rows],
            self.side,
            self.shade,
            fit,
            new_images,
            self.bad_files,
            window=self.window,
        )
        kinds = {"missing": list(missing), "unreadable": list(decoded.bad)}
        return dataclasses.replace(decoded, kept=rows[decoded.kept]), kinds
