"""A report as one HTML page, and its tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tgap.analysis.comparison import Comparison
from tgap.analysis.groups import RunGroup, varied
from tgap.analysis.rows import RunRow
from tgap.report.differences import differences
from tgap.report.page import page_text
from tgap.report.runs.answers import Answer, answers, findings_of
from tgap.report.runs.content import Content, Sample
from tgap.report.runs.folder import MARK, PAGE
from tgap.report.runs.galleries import Gallery, galleries_of, side_of
from tgap.report.runs.numbers import is_of
from tgap.report.runs.part_charts import Chart, charts_of
from tgap.report.runs.parts import ReportPart, differing, parts_of
from tgap.report.runs.run_tables import (
    KINDS,
    by_name,
    cost_table,
    count_table,
    difference_table,
    further_table,
    run_table,
)
from tgap.report.runs.standing import beside_best, standing_of, tstr_of
from tgap.report.runs.svg import page_style
from tgap.report.tables import FORMATS, ShownTable, leaderboard, words

DRAWN = 6
"""Parts of which figures are drawn, at most; others have their tables."""


@dataclass(frozen=True)
class Section:
    """All that the page has about one part.

    Args:
        anchor: Its id on the page.
        name: The settings of the part; empty if there is one.
        answers: To the first questions.
        leaderboard: With how each row stands to the best.
        charts: By their place on the page.
        tables: The same.
        sentences: Differences in words, by title.
        findings: What runs' own numbers say, by row.
        galleries: Images.
        counts: How many images.
        settings: What all rows agree in.
        unseen: Methods of which no images were read.
    """

    anchor: str
    name: str
    answers: Sequence[Answer]
    leaderboard: ShownTable
    charts: Mapping[str, Chart]
    tables: Mapping[str, ShownTable]
    sentences: Mapping[str, Sequence[str]]
    findings: Mapping[str, Sequence[tuple[str, str]]]
    galleries: Sequence[Gallery]
    counts: Sequence[tuple[str, str]]
    settings: Sequence[tuple[str, str]]
    unseen: Sequence[str]


def report_page(content: Content) -> str:
    """The page."""
    parts = parts_of(content.comparison)
    side = side_of(content.samples)
    with page_style():
        sections = [
            _section(content, part, f"part{number}", side, drawn=number < DRAWN)
            for number, part in enumerate(parts)
        ]
    versions = {
        name: value for sample in content.samples for name, value in sample.versions.items()
    }
    return page_text(
        "report.html",
        mark=MARK,
        content=content,
        sections=sections,
        differing=differing(content.comparison) if len(parts) > 1 else [],
        versions=versions,
        runs=run_table(content.runs),
        drawn=DRAWN,
    )


def report_files(content: Content) -> dict[str, str]:
    """The page and its tables as Markdown, CSV and LaTeX, by name of the file."""
    rows = [run.row for run in content.runs]
    comparison = content.comparison
    found = [leaderboard(comparison), *_tables(comparison, rows).values(), run_table(content.runs)]
    files = {
        f"{table.name}.{ending}": write(table)
        for table in found
        for ending, write in FORMATS.items()
    }
    return {PAGE: report_page(content)} | files


def _tables(comparison: Comparison, rows: Sequence[RunRow]) -> dict[str, ShownTable]:
    made = {
        "differences": difference_table(comparison),
        **{f"{kind}s": by_name(comparison, rows, kind) for kind in KINDS},
        "likeness": further_table(comparison, rows),
        "cost": cost_table(comparison, rows),
    }
    return {name: table for name, table in made.items() if table is not None}


def _section(content: Content, part: ReportPart, anchor: str, side: int, drawn: bool) -> Section:
    comparison = part.comparison
    rows = [run.row for run in content.runs if any(is_of(run.row, g) for g in comparison.groups)]
    samples = [
        sample
        for sample in content.samples
        if any(is_of(sample.run, group) for group in comparison.groups)
    ]
    return Section(
        anchor,
        part.name,
        answers(comparison, rows, _scope(comparison)),
        _ranked(comparison),
        dict(charts_of(anchor, comparison, rows, samples, content.thesis)) if drawn else {},
        _tables(comparison, rows),
        _further(comparison),
        findings_of(comparison, rows),
        list(galleries_of(samples, side)) if drawn else [],
        count_table(rows),
        _settings(comparison.groups),
        _unseen(comparison, samples) if drawn else [],
    )


def _unseen(comparison: Comparison, samples: Sequence[Sample]) -> list[str]:
    read = {sample.run.method_key for sample in samples}
    there = [group for group in comparison.groups if group.seeds and group.method_key not in read]
    return list(dict.fromkeys(group.method for group in there))


def _scope(comparison: Comparison) -> str:
    """Data, generator and protocol in words."""
    first = next(
        (g for g in comparison.groups if "generator.class" in g.settings), comparison.groups[0]
    )
    names = {
        "dataset.class": "dataset",
        "generator.class": "generator",
        "protocol.class": "protocol",
    }
    told = [
        f"{word} {first.settings[name]}" for name, word in names.items() if name in first.settings
    ]
    return ", ".join(told) or "the runs below"


def _ranked(comparison: Comparison) -> ShownTable:
    """The leaderboard by falling TSTR, controls last, with how each row stands to the best."""
    groups, found = comparison.groups, standing_of(comparison)
    table = leaderboard(comparison, "Methods by mean TSTR, controls last")
    order = sorted(
        range(len(groups)), key=lambda place: (groups[place].is_control, -tstr_of(groups[place]))
    )
    rows = [[*table.rows[place], words(beside_best(groups[place], found))] for place in order]
    headings = {**table.headings, "TSTR beside the best": True}
    return ShownTable(table.name, table.title, headings, rows, table.notes)


def _further(comparison: Comparison) -> dict[str, list[str]]:
    """Sentences about what no table of the page has."""
    rest = replace(comparison, pairs=(), over_sizes=())
    return differences(rest)


def _settings(groups: Sequence[RunGroup]) -> list[tuple[str, str]]:
    differ = set(varied(groups))
    names = dict.fromkeys(name for group in groups for name in group.settings)
    values = {n: {g.settings[n] for g in groups if n in g.settings} for n in names}
    return [(n, values[n].pop()) for n in names if n not in differ and len(values[n]) == 1]
