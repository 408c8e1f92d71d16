"""Which recorded runs use which artifacts, and which runs that go on hold them."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tgap.core import StoreError
from tgap.sweeps.records import Record, journals, records
from tgap.tracking import CURVE, SWEEP, Journal
from tgap.tracking.ghosts import is_running

log = logging.getLogger(__name__)


class Uses:
    """What the journal knows of artifacts.

    Args:
        home: Folder of the journal.
    """

    def __init__(self, home: Path) -> None:
        self.contents: dict[str, Mapping[str, Any]] = {}
        """What artifacts are that runs have or had, by key."""
        self.runs: dict[str, list[Record]] = {}
        """Runs that use an artifact, by its key; the last record of each."""
        for record in {record.key: record for record in records(home)}.values():
            try:
                specs = record.specs()
            except StoreError as error:
                log.warning("%s; until then what it uses is not known", error)
                continue
            for key, content in specs.items():
                self.contents[key] = content
                self.runs.setdefault(key, []).append(record)


class Held:
    """What runs hold that are being done at this moment.

    Args:
        home: Folder of the journal.

    Raises:
        StoreError: If the record of one of them cannot be read: what it holds is not known.
    """

    def __init__(self, home: Path) -> None:
        going = [
            journal
            for journal in journals(home)
            if not journal.run_key.startswith((SWEEP, CURVE))
            if not journal.ended() and is_running(journal)
        ]
        self._keys = {journal.run_key: _planned_keys(journal) for journal in going}

    def by(self, key: str) -> str | None:
        """The run that holds an artifact, by their keys; one that has just begun holds all."""
        return next((run for run, keys in self._keys.items() if keys is None or key in keys), None)


def _planned_keys(journal: Journal) -> set[str] | None:
    """Keys of a run's artifacts; ``None`` if they are not written down yet."""
    record = Record(journal, ())
    return None if record.artifacts_as_json is None else set(record.specs())
