"""NIH ChestX-ray14: 112,120 frontal chest X-rays of 30,805 patients, from a local folder."""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tgap.core.component import option
from tgap.core.errors import DataError
from tgap.core.types import Bools, Images, ImageSet, Indices, NewImages
from tgap.datasets.base import Dataset
from tgap.datasets.radiographs import nih_folder as nih_layout
from tgap.datasets.radiographs.nih_table import FINDINGS, Metadata, first, parse
from tgap.datasets.radiographs.quality import doubtful
from tgap.datasets.reading import decoding
from tgap.datasets.reading.listing import Listing, list_images

log = logging.getLogger(__name__)

_NOTED = 100
"""How many excluded files of a kind the notes name."""

_WORDS = {
    "duplicate_rows": "rows of the table that repeat another one are left out",
    "ages_above_120": "ages above 120 years are taken for unknown",
}


@dataclass(kw_only=True)
class NihChestxray14(Dataset):
    """Chest X-rays with 14 findings (Wang et al., ChestX-ray8, CVPR 2017), by file name.

    ``path`` holds what NIH publishes: ``Data_Entry_2017_v2020.csv`` or ``Data_Entry_2017.csv``,
    images in ``images/`` or ``images_001/images/`` to ``images_012/images/``, and, if they are to
    be honoured, ``train_val_list.txt`` and ``test_list.txt``. Part of the images, or a smaller
    copy of them, will do. As for ``image_folder``, nothing outside the folder is read.

    ``labels=binary`` tells images without findings from those with any; ``labels=findings`` takes
    the 15 labels as they are, several of which may hold for an image. The 14 findings are kept
    either way; metadata are ``file``, ``view``, ``sex``, ``age`` (years) and ``follow_up``.

    Besides files that are missing or cannot be decoded, images that are near-empty or inverted
    count as bad (see ``tgap.datasets.radiographs.quality.doubtful``). The notes name the first 100
    files that were left out of each kind under ``excluded`` and count all of them under
    ``excluded_counts``; they also count ``unlisted`` images (not in the table, or not in these
    folders), ``duplicate_rows`` and ``ages_above_120``, which become unknown.
    """

    path: str = option("", "folder of the table and the images", in_key=False)
    domain: str = option("chest X-ray", "what the images show, in the words of a prompt")
    labels: str = option(
        "binary", "no_finding and unhealthy, or the 15 labels", choices=("binary", "findings")
    )
    official_split: bool = option(True, "honour the official lists where they are present")
    size: int = option(256, "height and width that images are brought to", low=16)
    bad_files: str = option(
        "error", "what to do about images that cannot be used", choices=decoding.BAD_FILES
    )
    near_empty: float = option(2.0, "lowest standard deviation of grey levels, 0 = any", low=0)
    inverted: float = option(
        -0.5, "lowest correlation with the mean image, -1 = any", low=-1, high=0
    )

    def problems(self) -> list[str]:
        """What can be told without reading a file."""
        if not self.path:
            return ["path must name the folder of ChestX-ray14, got ''"]
        root = self._root
        try:
            if not root.is_dir():
                return [f"path must name an existing folder, got {self.path!r} ({root.absolute()})"]
            lists = nih_layout.find_lists(root) if self.official_split else []
            table = nih_layout.find_table(root)
        except OSError as error:
            return [f"path must name a folder that can be read: {error}"]
        found = []
        if table is None:
            found.append(f"path must hold {' or '.join(nih_layout.TABLES)}, but {root} has neither")
        if len(lists) == 1:
            found.append(
                f"official_split needs both {' and '.join(nih_layout.LISTS)}, but {root} has only "
                f"{lists[0].name}; add the other one, or set official_split=false"
            )
        return found

    def identity(self) -> dict[str, Any]:
        """The fields, and digests of the files instead of the path.

        Images count by relative path, size and time of change; the table and the lists, where
        they are honoured, by their content.

        Raises:
            DataError: If the folder or one of these cannot be read.
        """
        texts = [self._table(), *self._lists()]
        return super().identity() | {
            "files": list_images(self._root).digest(),
            "texts": {
                path.name: hashlib.sha256(nih_layout.read_text(path).encode()).hexdigest()
                for path in texts
            },
        }

    def stored_bytes(self) -> int:
        """Of all image files, used or not."""
        return len(list_images(self._root).files) * self.size * self.size

    @property
    def _root(self) -> Path:
        return Path(self.path).expanduser()

    def _table(self) -> Path:
        table = nih_layout.find_table(self._root)
        if table is None:
            raise DataError(f"{self._root} holds no {' or '.join(nih_layout.TABLES)}")
        return table

    def _lists(self) -> list[Path]:
        return nih_layout.find_lists(self._root) if self.official_split else []

    def _load(self, new_images: NewImages) -> ImageSet:
        table = self._table()
        metadata = parse(nih_layout.read_text(table), table.name)
        lists = self._lists()
        official = nih_layout.official_test(metadata, lists) if lists else None
        listing = list_images(self._root)
        located = nih_layout.locate(listing)
        notes = _reported(metadata, listing, located)
        images, kept, excluded = self._images(metadata, located, new_images)
        if excluded:
            notes["excluded"] = {kind: list(names)[:_NOTED] for kind, names in excluded.items()}
            notes["excluded_counts"] = {kind: len(names) for kind, names in excluded.items()}
        labels, names = _labels(metadata.findings, self.labels)
        return ImageSet(
            images=images,
            labels=labels[kept],
            label_names=names,
            findings=metadata.findings[kept],
            finding_names=FINDINGS,
            patients=metadata.patients[kept],
            metadata={
                "file": metadata.files[kept],
                "view": metadata.view[kept],
                "sex": metadata.sex[kept],
                "age": metadata.age[kept],
                "follow_up": metadata.follow_up[kept],
            },
            official_test=None if official is None else official[kept],
            notes=notes,
        )

    def _images(
        self, metadata: Metadata, located: Mapping[str, str], new_images: NewImages
    ) -> tuple[Images, Indices, dict[str, list[str]]]:
        """The images, their rows in the table, and the files left out by kind."""
        files = metadata.files.tolist()
        missing = {name: "there is no such file" for name in files if name not in located}
        decoding.refuse_or_warn(missing, len(files), self.bad_files)
        rows = np.array([i for i, name in enumerate(files) if name in located], dtype=np.int64)
        names = [files[row] for row in rows]
        decoded = decoding.decode_all(
            [self._root / located[name] for name in names],
            names,
            self.size,
            new_images=new_images,
            bad_files=self.bad_files,
        )
        rows = rows[decoded.kept]
        suspects = doubtful(decoded.images, self.near_empty, self.inverted)
        reasons = {row: reason for kind in suspects.values() for row, reason in kind.items()}
        told = {files[rows[row]]: reasons[row] for row in sorted(reasons)}
        decoding.refuse_or_warn(told, len(rows), self.bad_files)
        by_kind = {"missing": list(missing), "unreadable": list(decoded.bad)} | {
            kind: [files[rows[row]] for row in found] for kind, found in suspects.items()
        }
        excluded = {kind: names for kind, names in by_kind.items() if names}
        if not reasons:
            return decoded.images, rows, excluded
        kept = np.delete(np.arange(len(rows)), list(reasons))
        return _copied(decoded.images, kept, new_images), rows[kept], excluded


def _labels(findings: Bools, mode: str) -> tuple[Bools, tuple[str, ...]]:
    unhealthy = findings.any(axis=1, keepdims=True)
    if mode == "binary":
        return np.hstack([~unhealthy, unhealthy]), ("no_finding", "unhealthy")
    return np.hstack([~unhealthy, findings]), ("no_finding", *FINDINGS)


def _reported(metadata: Metadata, listing: Listing, located: Mapping[str, str]) -> dict[str, Any]:
    """Counts for the notes, and a warning for each."""
    notes: dict[str, Any] = dict(metadata.notes)
    for what, count in notes.items():
        log.warning("%d %s", count, _WORDS[what])
    used = {located[name] for name in metadata.files.tolist() if name in located}
    unlisted = [path for path in listing.files if path not in used]
    if unlisted:
        notes["unlisted"] = len(unlisted)
        log.warning(
            "%d image files are left out, as the table does not name them or they do not lie in "
            "%s: %s",
            len(unlisted),
            nih_layout.FOLDERS,
            first(unlisted),
        )
    return notes


def _copied(images: Images, rows: Indices, new_images: NewImages) -> Images:
    found = new_images((len(rows), *images.shape[1:]))
    for target, row in enumerate(rows):  # one at a time: it may be larger than memory
        found[target] = images[row]
    return found
