"""What a run has to tell, into its journal."""

import posixpath
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from tgap.core import ContractError
from tgap.tracking.journal import Journal, complete
from tgap.tracking.views import SWEEPS, short_name

NAME_LENGTH = 250
MOST_SWEEPS = 300
"""Sweeps of a run that its tag names, so that it stays below MLflow's limit of letters."""
CONFIG = "config.yaml"
"""File of a run's record: its resolved configuration."""


class RunLog:
    """Takes what a run has to tell.

    What the journal has of an earlier, interrupted attempt is not logged twice: the first value
    of a metric's step stays. Names that MLflow does not take raise a ``ContractError``.

    Args:
        journal: The run's journal, locked.
        push: Brings MLflow up to it.
    """

    def __init__(self, journal: Journal, push: Callable[[Journal], None]) -> None:
        self._journal, self._push = journal, push
        self._events = events = journal.events()
        self.new = not events
        """Whether there is no record of it yet."""
        self.done = complete(events)
        """Whether the run was recorded to its end before: whatever is logged is ignored."""
        self._logged = {(name, e["step"]) for e in events for name in e.get("values", {})}

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Log numbers, NaN and infinities included.

        Args:
            values: By name, e.g. ``tstr/auroc``.
            step: Optimizer step, epoch, ...
        """
        _check_names("metric", values)
        new = {k: float(v) for k, v in values.items() if (k, step) not in self._logged}
        if new:
            self._append("metrics", step=step, values=new)
            self._logged |= {(name, step) for name in new}

    def numbers(self, values: Mapping[str, float], step: int = 0) -> None:
        """Log numbers that MLflow's pages are spared: the journal alone has them."""
        _check_names("metric", values)
        if values:
            self._append("numbers", step=step, numbers=values)

    def tags(self, values: Mapping[str, str]) -> None:
        """Set tags; a later value replaces an earlier one."""
        _check_names("tag", values)
        if values:
            self._append("tags", tags=dict(values))

    def artifact(self, path: Path, name: str | None = None) -> None:
        """Log a copy of a file, e.g. as ``tables/sweep.md``; by default under its own name."""
        self._keep(path, name or path.name)

    def picture(self, path: Path, name: str | None = None) -> None:
        """Log a picture as ``pictures/<name>``; by default under its own name."""
        self._keep(path, f"pictures/{name or path.name}")

    def text(self, content: str, name: str) -> None:
        """Log a text as a file, e.g. ``sweep.md``."""
        self._keep(content, name)

    def config(self, config: Mapping[str, Any]) -> None:
        """Log the resolved configuration."""
        import yaml  # type: ignore[import-untyped]

        self.text(yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True), CONFIG)

    def flush(self) -> None:
        """Bring MLflow up to now; its failures are told once and never raised."""
        self._push(self._journal)

    def open(
        self, experiment: str, name: str, params: Mapping[str, object], tags: Mapping[str, str]
    ) -> None:
        """Begin the record, or go on with that of an attempt that did not finish."""
        _check_names("parameter", params)
        _check_names("tag", tags)
        if self.new:
            texts = {key: str(value) for key, value in params.items()}
            self._append("start", experiment=experiment, name=name, params=texts, tags=dict(tags))
        else:
            self._append("resume", tags={"tgap.error": ""})
        self.flush()

    def belongs_to(self, sweep_key: str) -> None:
        """Say that the run is one of a sweep's, also if it was recorded before that."""
        known = [e["tags"][SWEEPS] for e in self._events if SWEEPS in e.get("tags", {})]
        sweeps = known[-1].split() if known else []
        name = short_name(sweep_key)
        if name not in sweeps:
            kept = [*sweeps, name][-MOST_SWEEPS:]
            self._journal.append("tags", tags={SWEEPS: " ".join(kept)})
            self.flush()

    def close(self, status: str, error: str = "") -> None:
        """End the record: ``FINISHED``, ``FAILED`` or ``KILLED``."""
        self._append("end", status=status, tags={"tgap.error": error} if error else {})
        self.flush()

    def _append(self, kind: str, **content: Any) -> None:
        if not self.done:
            self._journal.append(kind, **content)

    def _keep(self, content: Path | str, name: str) -> None:
        _check_names("file", [name])
        if not self.done:
            self._journal.keep(content, name)


def _check_names(what: str, names: Iterable[str]) -> None:
    """MLflow's rule, here so that a wrong name fails at once and not in every later sync."""
    for name in names:
        plain = re.fullmatch(r"[/\w.\- :]+", name) and len(name) <= NAME_LENGTH
        if not plain or posixpath.normpath(name) != name or re.match(r"/|\.\.|\.$", name):
            raise ContractError(
                f"a {what}'s name must be a relative path of letters, digits, '_', '-', '.', ':', "
                f"'/' and spaces, at most {NAME_LENGTH} characters, got {name!r}"
            )
