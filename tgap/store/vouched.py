"""Large files that were read and found right, so that the next process need not read them again."""

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tgap.core.digest import file_state, remember_digest, remembered_file_digest
from tgap.core.foreign import json_in

SMALL_BYTES = 64 * 2**20
"""Files up to this size are hashed by each process that uses them."""

VOUCHED = "vouched"
"""The folder in the store for what is kept."""

log = logging.getLogger(__name__)


class Vouched:
    """What the large files of an artifact were when their SHA-256 was last seen to be right.

    That is their size, times of change and inode, any of which differs after a change by whatever
    program: then the file is read and hashed again. Hashing takes 0.63 s of one core for a GB
    (measured: an AMD EPYC, which has SHA instructions; the file in memory). What a disk does by
    itself to a file that nobody touches, ``tgap store verify`` finds.

    Args:
        folder: The artifact's: ``<root>/<stage>/<key>``. What is kept lies outside, in
            ``<root>/vouched``: a copy of the artifact has other inodes.
    """

    def __init__(self, folder: Path) -> None:
        name = f"{folder.parent.name}-{folder.name}.json"
        self.folder = folder
        self.path = folder.parents[1] / VOUCHED / name

    def vouch(self, files: Mapping[str, Mapping[str, Any]]) -> None:
        """Keep what large files are that were hashed just now, as a manifest lists them."""
        kept: dict[str, object] = {}
        for name, recorded in files.items():
            if recorded["size"] > SMALL_BYTES and (
                state := file_state((self.folder / name).stat())
            ):
                kept[name] = [recorded["sha256"], *state]
        if kept:
            self._keep(kept)

    def is_same(self, name: str, status: os.stat_result, digest: str) -> bool:
        """Whether a file has the SHA-256 that the manifest has of it.

        Args:
            name: The file's.
            status: What ``stat`` says of it.
            digest: As the manifest has it.
        """
        path = self.folder / name
        state = file_state(status) if status.st_size > SMALL_BYTES else None
        if state is None:
            return remembered_file_digest(path, status) == digest
        kept, vouched = self._kept(), [digest, *state]
        if kept.get(name) == vouched:
            remember_digest(status, digest)
        same = remembered_file_digest(path, status) == digest
        if same and kept.get(name) != vouched:
            self._keep({**kept, name: vouched})
        return same

    def _kept(self) -> dict[str, object]:
        try:
            kept = json_in(self.path)
        except (OSError, ValueError):
            return {}  # not there yet or damaged: files are hashed
        return kept if isinstance(kept, dict) else {}

    def _keep(self, kept: Mapping[str, object]) -> None:
        beside = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            beside.write_text(json.dumps(kept), "utf-8")
            beside.replace(self.path)
        except OSError as error:  # a store that may be read only: each process hashes them
            log.debug("cannot write %s: %s", self.path, error)
