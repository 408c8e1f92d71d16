"""Tables of runs beside the thesis's numbers: one for what compares, one for each reason not to."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tgap.analysis.beside import Matched, beside, method_of
from tgap.analysis.groups import RunGroup, group_runs
from tgap.analysis.published import METRICS, TITLES, thesis
from tgap.analysis.rows import PlannedRun, RunRow
from tgap.metrics.gap import CHANCE
from tgap.metrics.legs import SCALES
from tgap.report.headings import joined, label_of, size_of
from tgap.report.tables import ShownTable, as_markdown, number, with_interval, words

TITLE = "Beside the thesis"
NO_INTERVALS = (
    "The thesis gives no interval and no spread (means of 5 runs, in some tables perhaps 3), so a "
    "difference has only the interval of ours, and no test is made of it."
)
APART = "Set apart, not to be read as the same experiment: "


@dataclass(frozen=True)
class PublishedTables:
    """Our runs beside the thesis's numbers.

    Args:
        tables: First that of runs as the thesis's, then one for each set of reasons (its notes)
            that keep others apart.
        sentences: What must be read with them, and what has no counterpart.
    """

    tables: Sequence[ShownTable]
    sentences: Sequence[str]

    def markdown(self) -> str:
        """All tables below their titles, then the sentences."""
        parts = [
            f"### {one.title}\n\n{as_markdown(replace(one, notes=())).rstrip()}\n"
            for one in self.tables
        ]
        return "\n".join([f"## {TITLE}\n", *parts, *(f"- {one}" for one in self.sentences), ""])

    def in_one(self) -> ShownTable:
        """The same rows in one table, for a file, each with what sets it apart."""
        headings = {**HEADINGS, "set apart": True}
        rows = [(*row, words("; ".join(one.notes))) for one in self.tables for row in one.rows]
        return ShownTable("beside_thesis", TITLE, headings, rows, self.sentences)


def tables_beside(rows: Sequence[RunRow], missing: Sequence[PlannedRun] = ()) -> PublishedTables:
    """Our runs beside the thesis's numbers, row by row, with differences.

    Args:
        rows: Finished runs.
        missing: Runs that were asked for and did not finish.
    """
    groups = group_runs(rows, missing, [name for name in METRICS if name not in SCALES])
    pairs = beside(groups, thesis())
    by_reason: dict[tuple[str, ...], list[Matched]] = {(): []}
    for pair in pairs:
        by_reason.setdefault(pair.apart, []).append(pair)
    tables = [_table(reason, of, groups) for reason, of in by_reason.items() if of]
    return PublishedTables(tables, (NO_INTERVALS, *_left_out(groups, pairs)))


HEADINGS = {
    "method": True,
    "size": False,
    "metric": True,
    "thesis": False,
    "its table": True,
    "ours": False,
    "seeds": False,
    "ours - thesis": False,
    "note": True,
}


def _table(
    reasons: tuple[str, ...], pairs: Sequence[Matched], groups: Sequence[RunGroup]
) -> ShownTable:
    title = f"{APART}{'; '.join(reasons)}" if reasons else "Run as the thesis ran"
    rows = [
        (
            words(label_of(pair.group, groups)),
            words(size_of(pair.group)),
            words(pair.theirs.metric),
            number(pair.theirs.value),
            words(pair.theirs.tables.replace(" ", ", ")),
            with_interval(pair.ours),
            words(len(pair.group.seeds)),
            with_interval(pair.difference, "+"),
            words(_note(pair)),
        )
        for pair in pairs
    ]
    return ShownTable("beside_thesis", title, HEADINGS, rows, reasons)


def _note(pair: Matched) -> str:
    """What must be known of a row beside its numbers."""
    group, theirs = pair.group, pair.theirs
    notes = [theirs.note] if theirs.note else []
    if theirs.unit == "not_said":
        notes.append("the thesis does not say what its size counts; taken as per label")
    if theirs.metric == "fter" and not group.fter_meaningful:
        notes.append("FTER means nothing here: ours has a TSTR or TRTS near chance")
    if theirs.metric.endswith("/auroc") and theirs.value < CHANCE:
        notes.append("the thesis's is below chance")
    if group.missing:
        notes.append(f"missing: seed {joined(group.missing)}")
    return "; ".join(notes)


def _left_out(groups: Sequence[RunGroup], pairs: Sequence[Matched]) -> list[str]:
    """What has no counterpart, on either side."""
    there = {id(pair.group) for pair in pairs}
    lone = [
        f"{label_of(group, groups)}{'' if group.size is None else f' at {size_of(group)}'}"
        for group in groups
        if id(group) not in there and not group.is_control
    ]
    ran = {method for group in groups if (method := method_of(group)) is not None}
    unseen = [title for name, title in TITLES.items() if name not in ran]
    sentences = []
    if lone:
        sentences.append(f"The thesis has no row for: {'; '.join(dict.fromkeys(lone))}.")
    if unseen:
        sentences.append(f"Of the thesis's methods, no run is there of: {joined(unseen)}.")
    known = {pair.theirs.metric for pair in pairs}
    absent = [name for name in METRICS if name not in known]
    if pairs and absent:
        sentences.append(f"In the thesis, and of no run here: {joined(absent)}.")
    return sentences
