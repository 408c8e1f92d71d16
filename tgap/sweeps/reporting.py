"""What a report shows, gathered from records and the store; what is missing is said to be."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from tgap.analysis.comparison import Asked, Comparison, compare
from tgap.analysis.rows import PlannedRun, RunRow
from tgap.core import DataError, Images, ImageSet, Indices, Selection, StoreError, TgapError
from tgap.core.arrays import spread
from tgap.core.files import write_whole
from tgap.metrics.copies import resemblance
from tgap.pipeline.artifacts import read_synthetic
from tgap.pipeline.evidence import RunEvidence
from tgap.pipeline.result import Result
from tgap.report.runs.content import Content, RecordedRun, Sample
from tgap.store import Store
from tgap.sweeps.history import by_end, chosen_records
from tgap.sweeps.identity import Planned
from tgap.sweeps.records import Record, records

LATEST = "report.html"
"""The page at the end of a command; in ``TGAP_HOME`` it is the latest one."""
IMAGES = 8
"""Images of each label, at most."""
LABELS = 8
"""Labels of which images are shown, at most."""
SAMPLES = 12
"""Runs whose images and scores are read, at most."""
LARGEST = 2**30
"""Bytes of a tuning set in which the nearest images are looked for, at most."""

T = TypeVar("T")
Found = tuple[Record, RunRow]
log = logging.getLogger(__name__)


def chosen_content(
    home: Path, experiment: str, chosen: Mapping[str, str], reference: str | None, command: str
) -> Content:
    """The content of a report about recorded runs.

    Args:
        home: ``TGAP_HOME``.
        experiment: Of the runs.
        chosen: Values of their parameters; see ``chosen_records``.
        reference: The method that each other one is compared with.
        command: What makes the report again.

    Raises:
        ConfigError: If no run is left, or there is no such parameter, value or method.
    """
    finished, missing = chosen_records(home, experiment, chosen)
    named = ", ".join(f"{name}={value}" for name, value in chosen.items())
    title = f"Runs of experiment {experiment}" + (f": {named}" if named else "")
    return _content(home, finished, missing, Asked(reference), title, command)


def content_of(home: Path, jobs: Sequence[Planned], command: str) -> Content | None:
    """The content of a report about the runs of one command; ``None`` if none was finished.

    Args:
        home: ``TGAP_HOME``.
        jobs: The runs; those that were not finished are missing.
        command: What was typed.
    """
    keys = {job.key for job in jobs}
    # By key: homes of earlier versions have a record of a run in each of its sweeps.
    those = {one.key: one for one in records(home) if one.key in keys and one.finished}
    finished, _ = by_end(list(those.values()))
    if not finished:
        return None
    missing = [job.row for job in jobs]
    return _content(home, finished, missing, Asked(), "What this command ran", command)


def try_report(home: Path, folder: Path, jobs: Sequence[Planned], command: str) -> Path | None:
    """Write the page about one command's runs, and again as ``<TGAP_HOME>/report.html``.

    What goes wrong is a warning: the runs are finished, and no page is worth them.

    Args:
        home: ``TGAP_HOME``.
        folder: Where the page is to stand.
        jobs: The runs.
        command: What was typed.

    Returns:
        The page; ``None`` if there is none.
    """
    from tgap.report.runs.page import report_page

    try:
        content = content_of(home, jobs, command)
        if content is None:
            return None
        page = report_page(content)
        write_whole(folder / LATEST, page, "the report")
        write_whole(home / LATEST, page, "the report")
    except Exception as error:
        # Whatever it is, a mistake of ours or of a library too: the runs stand in the store.
        full = os.environ.get("HYDRA_FULL_ERROR") == "1"
        log.warning("no report was written: %s", error, exc_info=full)
        return None
    return folder / LATEST


def _content(
    home: Path,
    finished: Sequence[Found],
    missing: Sequence[PlannedRun],
    asked: Asked,
    title: str,
    command: str,
) -> Content:
    rows = [row for _, row in finished]
    comparison = compare(rows, missing, asked)
    store = Store(home / "store")
    samples = [_sample(one, store) for one in _to_show(comparison, finished)]
    listed: dict[str, RecordedRun] = {}
    for one, row in finished:  # of several sweeps' records of a run the first tells what it cost
        words = one.tags.get("tgap.overrides", "")
        listed.setdefault(one.key, RecordedRun(row, one.key, words))
    unfinished = sum(len(group.missing) for group in comparison.groups)
    return Content(title, command, comparison, list(listed.values()), samples, unfinished)


def _to_show(comparison: Comparison, finished: Sequence[Found]) -> list[Found]:
    """One run of each method and kind of settings: of its largest size and first seed."""
    chosen: dict[tuple[object, ...], Found] = {}
    for one, row in finished:
        kind = (row.method_key, tuple(sorted(row.settings.items())))
        other = chosen.get(kind)
        if other is None or _order(row) < _order(other[1]):
            chosen[kind] = (one, row)
    return list(chosen.values())[:SAMPLES]


def _order(row: RunRow) -> tuple[int, int]:
    return -(row.size or 0), row.seed


class _Missing(list[str]):
    """Collects what could not be read, without where the store lies: reports are sent on."""

    def __init__(self, home: Path) -> None:
        super().__init__()
        self.home = str(home)

    def or_none(self, what: str, read: Callable[[], T]) -> T | None:
        """What ``read`` gives; where it cannot be read, the reason is kept."""
        try:
            return read()
        except (TgapError, OSError) as error:
            self.append(f"{what}: {error}".replace(self.home, "TGAP_HOME"))
            return None


def _sample(found: Found, store: Store) -> Sample:
    """A run's images and scores, as far as they are there."""
    one, row = found
    missing = _Missing(store.root.parent)
    result = missing.or_none("artifacts", lambda: one.result(store))
    if result is None:
        return Sample(row, missing=missing)
    synthetic = missing.or_none("synthetic images", lambda: _synthetic(result))
    names, shown = synthetic or ((), [])
    evidence, labels = RunEvidence(result), len(names)
    nearest = missing.or_none("nearest tuning images", lambda: _nearest(evidence, shown))
    legs = missing.or_none("scores", result.legs) or {}
    return Sample(
        row,
        label_names=names,
        real=missing.or_none("real images", lambda: _real(evidence, labels)) or [],
        tuning=missing.or_none("tuning images", lambda: _tuning(evidence, labels)) or [],
        synthetic=shown,
        nearest=nearest[0] if nearest else [],
        similarity=nearest[1] if nearest else [],
        legs={name: legs[name] for name in ("tstr", "trtr") if name in legs},
        versions=next((made.manifest["versions"] for made in result.artifacts), {}),
        missing=missing,
    )


def _synthetic(result: Result) -> tuple[tuple[str, ...], list[Images]]:
    """Labels, and the first images of each that are trained on."""
    data, train = read_synthetic(result.artifacts.synthetic)
    names = data.label_names[:LABELS]
    return names, [data.images[rows] for rows in _rows(data, np.flatnonzero(train), len(names))]


def _rows(data: ImageSet, among: Indices, labels: int) -> list[Indices]:
    found = [among[data.labels[among, label]] for label in range(labels)]
    return [_spread(rows) for rows in found]


def _spread(rows: Indices) -> Indices:
    """Some, from all over: the first ones may be all of one kind."""
    return rows[spread(len(rows), IMAGES)]


def _real(evidence: RunEvidence, labels: int) -> list[Images]:
    """Images of real_train: what the synthetic ones stand in for."""
    data, rows = evidence.result.dataset(), evidence.result.split().real_train
    return [evidence.shown(data, part).images for part in _rows(data, rows, labels)]


def _tuning(evidence: RunEvidence, labels: int) -> list[Images]:
    """Tuning images, in the order of picking; none where nothing was tuned."""
    selection = _selection(evidence.result)
    if selection is None:
        return []
    data, pool = evidence.result.dataset(), evidence.result.split().pool
    rows = [pool[_spread(selection.indices[selection.labels == label])] for label in range(labels)]
    return [evidence.shown(data, part).images for part in rows]


def _nearest(
    evidence: RunEvidence, shown: Sequence[Images]
) -> tuple[list[Images], list[list[float]]]:
    """For each of some images the tuning image that it resembles most, as the audit looks for."""
    tuned_on = _tuned_on(evidence) if shown else None
    if tuned_on is None:
        return [], []
    found = [resemblance(images, tuned_on.images) for images in shown]
    nearest = [tuned_on.images[one.original] for one in found]
    return nearest, [one.similarity.tolist() for one in found]


def _tuned_on(evidence: RunEvidence) -> ImageSet | None:
    """The distinct tuning images, as far as they are known and there are some."""
    selection, made = _selection(evidence.result), evidence.result.artifacts.data.ready_made
    if selection is None and "tuned_on" not in made:
        return None
    if selection is not None:
        size = len(selection.indices) * evidence.result.dataset().images[0].nbytes
        if size > LARGEST:
            raise DataError(
                f"the tuning set has {size / 2**20:,.0f} MB, and in more than {LARGEST // 2**20} "
                "MB a report does not look for them"
            )
    found = evidence.tuned_on()
    return found if found is not None and len(found) else None


def _selection(result: Result) -> Selection | None:
    """The tuning set; ``None`` if nothing was tuned."""
    selection = result.selection()
    if selection is None and result.plan.selection is not None:
        raise StoreError("the run's tuning set is not in the store: it was removed")
    return selection
