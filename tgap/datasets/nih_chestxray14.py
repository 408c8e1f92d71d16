"""NIH ChestX-ray14: 112,120 frontal chest X-rays of 30,805 patients, from a local folder."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from tgap.core import Bools, DataError, ImageSet, NewImages, option
from tgap.core.digest import text_digest
from tgap.core.origin import Origin
from tgap.core.types import no_pixels
from tgap.datasets.radiographs import nih_folder, nih_table
from tgap.datasets.radiographs.nih_table import FINDINGS
from tgap.datasets.radiographs.quality import doubtful
from tgap.datasets.reading import decoding
from tgap.datasets.reading.folder import Described, FolderDataset
from tgap.datasets.reading.listing import list_images
from tgap.datasets.reading.notes import counted, refuse_or_warn


@dataclass(kw_only=True)
class NihChestxray14(FolderDataset):
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

    version: ClassVar[int] = 4
    _what: ClassVar[str] = "the folder of ChestX-ray14"

    path: str = option("", "folder of the table and the images", in_key=False)
    domain: str = option("chest X-ray", "what the images show, in the words of a prompt")
    labels: str = option(
        "binary", "no_finding and unhealthy, or the 15 labels", choices=("binary", "findings")
    )
    official_split: bool = option(True, "honour the official lists where they are present")
    size: int | None = option(
        None, "height and width that images are brought to, null = the generator's", low=16
    )
    near_empty: float = option(2.0, "lowest standard deviation of grey levels, 0 = any", low=0)
    inverted: float = option(
        -0.5, "lowest correlation with the mean image, -1 = any", low=-1, high=0
    )

    def origin(self) -> Origin:
        """As the NIH publishes it."""
        return Origin(
            "ChestX-ray14 of the NIH Clinical Center (Wang et al. 2017, arXiv 1705.02315)",
            # cloud.google.com/healthcare-api/docs/resources/public-datasets/nih-chest
            "no restrictions of use; the NIH Clinical Center must be named as the provider, its "
            "download site linked (https://nihcc.app.box.com/v/ChestXray-NIHCC), the paper cited",
            "other",
        )

    def _folder_problems(self) -> list[str]:
        root, problems = self._root, []
        lists = nih_folder.find_lists(root) if self.official_split else []
        if nih_folder.find_table(root) is None:
            names = " or ".join(nih_folder.TABLES)
            problems.append(f"path must hold {names}, but {root} has neither")
        if len(lists) == 1:
            problems.append(
                f"official_split needs both {' and '.join(nih_folder.LISTS)}, but {root} has only "
                f"{lists[0].name}; add the other one, or set official_split=false"
            )
        return problems

    def identity(self) -> dict[str, Any]:
        """As of every folder; table and lists, where they are honoured, count by their content."""
        texts = [self._table(), *self._lists()]
        return super().identity() | {
            "texts": {path.name: text_digest(nih_folder.read_text(path)) for path in texts}
        }

    def _table(self) -> Path:
        table = nih_folder.find_table(self._root)
        if table is None:
            raise DataError(f"{self._root} holds no {' or '.join(nih_folder.TABLES)}")
        return table

    def _lists(self) -> list[Path]:
        return nih_folder.find_lists(self._root) if self.official_split else []

    def _paths(self, files: Sequence[str]) -> Sequence[str]:
        located = nih_folder.locate(list_images(self._root))
        return [located[name] for name in files]

    def _described(self) -> Described:
        metadata = nih_table.read(self._table())
        lists = self._lists()
        listing = list_images(self._root)
        located = nih_folder.locate(listing)
        used = {located[name] for name in metadata.files.tolist() if name in located}
        unlisted = [path for path in listing.files if path not in used]
        labels, names = _labels(metadata.findings, self.labels)
        columns = {"file": metadata.files} | {
            name: getattr(metadata, name) for name in ("view", "sex", "age", "follow_up")
        }
        data = ImageSet(
            images=no_pixels(len(metadata.files)),
            labels=labels,
            label_names=names,
            findings=metadata.findings,
            finding_names=FINDINGS,
            patients=metadata.patients,
            patient_names=metadata.patients.astype(np.str_),
            metadata=columns,
            official_test=nih_folder.official_test(metadata, lists) if lists else None,
            notes=counted(**metadata.notes, unlisted=unlisted),
        )
        return Described(data, [located.get(name) for name in metadata.files.tolist()])

    def _decoded(
        self, described: Described, new_images: NewImages
    ) -> tuple[decoding.Decoded, dict[str, list[str]]]:
        """As of every folder, without images that are near-empty or inverted."""
        decoded, left_out = super()._decoded(described, new_images)
        files, images, rows = described.names, decoded.images, decoded.kept
        suspects = doubtful(images, self.near_empty, self.inverted)
        reasons = {row: reason for kind in suspects.values() for row, reason in kind.items()}
        refuse_or_warn(
            {files[rows[row]]: reasons[row] for row in sorted(reasons)}, len(rows), self.bad_files
        )
        left_out |= {kind: [files[rows[row]] for row in bad] for kind, bad in suspects.items()}
        if reasons:
            good = np.delete(np.arange(len(rows)), list(reasons))
            images, rows = decoding.copied(images, good, new_images), rows[good]
        return replace(decoded, images=images, kept=rows), left_out


def _labels(findings: Bools, mode: str) -> tuple[Bools, tuple[str, ...]]:
    unhealthy = findings.any(axis=1, keepdims=True)
    if mode == "binary":
        return np.hstack([~unhealthy, unhealthy]), ("no_finding", "unhealthy")
    return np.hstack([~unhealthy, findings]), ("no_finding", *FINDINGS)
