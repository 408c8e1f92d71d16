"""What a run has to tell, into its journal."""

import posixpath
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from tgap.core.errors import ContractError
from tgap.tracking.journal import Event, Journal, complete

PARAM_LENGTH = 6000
NAME_LENGTH = 250


class RunLog:
    """Takes what a run has to tell.

    What the journal has of an earlier, interrupted attempt is not logged twice: the first value
    of a metric's step stays.

    Args:
        journal: The run's journal, locked.
        push: Brings MLflow up to it.
    """

    def __init__(self, journal: Journal, push: Callable[[Journal], None]) -> None:
        self._journal, self._push = journal, push
        events = journal.events()
        self.new = not events
        """Whether there is no record of it yet."""
        self.done = complete(events)
        """Whether the run was recorded to its end before: whatever is logged is ignored."""
        self.attempt = sum(event["event"] == "end" for event in events)
        """How many earlier attempts came to an end, well or not."""
        self._known = _steps(events)

    def metrics(self, values: Mapping[str, float], step: int = 0, again: bool = False) -> None:
        """Log numbers, NaN and infinities included.

        Args:
            values: By name, e.g. ``tstr/auroc``.
            step: Optimizer step, epoch, ...
            again: Whether values that an earlier attempt logged are logged anew.

        Raises:
            ContractError: If MLflow does not take a name.
        """
        _check_names("metric", values)
        new = {
            name: float(v) for name, v in values.items() if again or (name, step) not in self._known
        }
        if new and not self.done:
            self._journal.append("metrics", step=step, values=new)
            self._known |= {(name, step) for name in new}

    def tags(self, values: Mapping[str, str]) -> None:
        """Set tags; a later value replaces an earlier one."""
        _check_names("tag", values)
        if values and not self.done:
            self._journal.append("tags", tags=dict(values))

    def artifact(self, path: Path, name: str | None = None) -> None:
        """Log a copy of a file.

        Args:
            path: The file.
            name: Its path in MLflow, e.g. ``tables/sweep.md``; by default its own name.

        Raises:
            ContractError: If MLflow does not take the name.
        """
        name = path.name if name is None else name
        _check_names("file", [name])
        if not self.done:
            self._journal.keep(path, name)

    def picture(self, path: Path, name: str | None = None) -> None:
        """Log a picture, as ``pictures/<name>``; its ending follows from the file."""
        stem = path.stem if name is None else name.removesuffix(path.suffix)
        self.artifact(path, f"pictures/{stem}{path.suffix}")

    def text(self, content: str, name: str) -> None:
        """Log a text as a file, e.g. ``sweep.md``."""
        _check_names("file", [name])
        if not self.done:
            self._journal.keep(content, name)

    def config(self, config: Mapping[str, Any]) -> None:
        """Log the resolved configuration as ``config.yaml``."""
        import yaml  # type: ignore[import-untyped]

        self.text(yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True), "config.yaml")

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
            texts = {key: _cut(str(value)) for key, value in params.items()}
            self._journal.append(
                "start", experiment=experiment, name=name, params=texts, tags=dict(tags)
            )
        elif not self.done:
            self._journal.append("resume", tags={"tgap.error": ""})
        self.flush()

    def close(self, status: str, error: str = "") -> None:
        """End the record: ``FINISHED``, ``FAILED`` or ``KILLED``."""
        if not self.done:
            self._journal.append("end", status=status, tags={"tgap.error": error} if error else {})
        self.flush()


def _steps(events: list[Event]) -> set[tuple[str, int]]:
    return {(name, e["step"]) for e in events if e["event"] == "metrics" for name in e["values"]}


def _cut(text: str) -> str:
    return text if len(text) <= PARAM_LENGTH else text[: PARAM_LENGTH - 3] + "..."


def _check_names(what: str, names: Iterable[str]) -> None:
    """MLflow's rule, here so that a wrong name fails at once and not in every later sync."""
    for name in names:
        plain = re.fullmatch(r"[/\w.\- :]+", name) and len(name) <= NAME_LENGTH
        if not plain or posixpath.normpath(name) != name or re.match(r"/|\.\.|\.$", name):
            raise ContractError(
                f"a {what}'s name must be a relative path of letters, digits, '_', '-', '.', ':', "
                f"'/' and spaces, at most {NAME_LENGTH} characters, got {name!r}"
            )
