"""Which recorded runs use which artifacts."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import filelock

from tgap.store.spec import key_of
from tgap.sweeps.records import Record, records


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
        every = records(home)
        self._unended = [record for record in every if record.status == "not ended"]
        for record in {record.key: record for record in every}.values():
            for key, content in dict(_specs(record.artifacts_as_json or {})).items():
                self.contents[key] = content
                self.runs.setdefault(key, []).append(record)

    def held(self) -> Mapping[str, Record]:
        """Artifacts of runs that are being done right now, by key."""
        return {
            key: record
            for record in self._unended
            if _goes_on(record)
            for key, _ in _specs(record.artifacts_as_json or {})
        }


def _specs(value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Specifications in a plan that was written down, with their keys."""
    if isinstance(value, Mapping):
        if "spec" in value:
            yield key_of(value["spec"]), value["spec"]
        else:
            for part in value.values():
                yield from _specs(part)


def _goes_on(record: Record) -> bool:
    try:
        with record.journal.locked(wait=False):
            return False
    except filelock.Timeout:
        return True
