"""What a sweep found: its groups of runs, and which of them differ."""

import difflib
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from tgap.analysis.contrasts import (
    Contrast,
    common,
    common_splits,
    comparable_pairs,
    differences,
    over_sizes,
)
from tgap.analysis.groups import RunGroup, group_runs, varied
from tgap.analysis.rows import PlannedRun, RunRow
from tgap.analysis.splits import short
from tgap.core import ConfigError, nearest
from tgap.metrics.legs import LEGS, SCALES
from tgap.metrics.significance import equivalence

PRIMARY = "tstr/auroc"
"""What methods are compared by, unless something else is asked for."""

FTER = "fter"

MARGIN = 0.02
"""FTERs that differ by less count as equal."""

SHORT = {**{leg: f"{leg}/auroc" for leg in LEGS}, "t-gap": "t_gap"}
"""Metrics as a table's headings call them."""

NAMED_AT_MOST = 8
"""Names that an error offers."""


@dataclass(frozen=True)
class Asked:
    """What to compare, in the words of a command line.

    Args:
        reference: The method that each other one is compared with, e.g. ``random``; each is
            compared with each if ``None``. It may be a control.
        of: Metrics to compare by; TSTR if there is none.
        across: Settings in which compared groups may differ.
        metrics: To average beside those that every table has.
    """

    reference: str | None = None
    of: Sequence[str] = ()
    across: Sequence[str] = ()
    metrics: Sequence[str] = ()


@dataclass(frozen=True)
class SizeEffect:
    """Whether a method's FTER is the same at all sizes.

    Args:
        groups: One per size, ascending, at least two.
        seeds: In common.
        missing: Seeds of any, finished or not, that are not in common.
        margin: FTERs that differ by less count as equal.
        p_value: Of ``equivalence``, the largest over all pairs of sizes: the claim holds only if
            it holds for each (Berger 1982). Of several methods not corrected for their number.
            NaN if it is not defined, or FTER means nothing.
    """

    groups: tuple[RunGroup, ...]
    seeds: tuple[int, ...]
    missing: tuple[int, ...]
    margin: float
    p_value: float


@dataclass(frozen=True)
class Comparison:
    """What a sweep found.

    Args:
        groups: In the order in which their methods came, then by size.
        pairs: Of groups that share size and settings.
        not_compared: Of groups that share them with none of another method, with the nearest.
        over_sizes: Trends and steps of methods with more than one size.
        size_effects: Of the same methods.
        asked: With the full names of what was asked for.
    """

    groups: tuple[RunGroup, ...] = ()
    pairs: tuple[Contrast, ...] = ()
    not_compared: Sequence[tuple[RunGroup, RunGroup]] = ()
    over_sizes: Sequence[Contrast] = ()
    size_effects: tuple[SizeEffect, ...] = ()
    asked: Asked = field(default_factory=Asked)


def compare(
    rows: Sequence[RunRow],
    missing: Sequence[PlannedRun] = (),
    asked: Asked = Asked(),
    margin: float = MARGIN,
) -> Comparison:
    """Group a sweep's runs and compare the groups.

    Groups are compared where size and settings agree; a method that tunes nothing has no size and
    is compared with every size. Controls are not compared: that copies of real images beat noise is
    no question, and each further pair costs the others power (Holm). What is missing is never
    averaged away: groups and pairs name it.

    Args:
        rows: One per finished run.
        missing: Runs that were asked for and did not finish.
        asked: What to compare, and how.
        margin: FTERs that differ by less count as equal between sizes.

    Raises:
        ConfigError: If a method, metric or setting that was asked for is not there.
    """
    known = sorted({*SCALES, *(name for row in rows for name in row.metrics)})
    of = [metric_named(word, known) for word in asked.of] or [PRIMARY]
    metrics = [metric_named(word, known) for word in asked.metrics]
    groups = group_runs(rows, missing, [*of, *metrics])
    _check_settings(asked.across, groups)
    reference = _method(asked.reference, groups)
    pairs, apart = comparable_pairs(
        groups, reference.method_key if reference else None, asked.across
    )
    methods = _by_size(groups)
    return Comparison(
        groups,
        differences(pairs, of),
        apart,
        over_sizes(methods, of),
        tuple(
            SizeEffect(tuple(sizes), *common(sizes), margin, _same_fter(sizes, margin))
            for sizes in methods
        ),
        Asked(
            reference.method if reference else None, tuple(of), tuple(asked.across), tuple(metrics)
        ),
    )


def metric_named(word: str, known: Sequence[str]) -> str:
    """The metric that a word means: its name, a heading, or the end of one name only.

    >>> metric_named("accuracy", ["tstr/accuracy", "tstr/auroc"])
    'tstr/accuracy'
    """
    name = SHORT.get(word.lower(), word)
    ending = [one for one in known if one.endswith(f"/{word}")]
    if name in known or len(ending) == 1:
        return name if name in known else ending[0]
    if ending:
        raise ConfigError(f"'{word}' is the end of several metrics; name one: {_some(ending)}")
    close = difflib.get_close_matches(word, known, NAMED_AT_MOST, 0.3)
    offered = dict.fromkeys([*close, *(one for one in known if word in one)])
    raise ConfigError(f"no run has a metric '{word}'{nearest(word, list(offered)[:NAMED_AT_MOST])}")


def _some(names: Sequence[str]) -> str:
    more = len(names) - NAMED_AT_MOST
    return ", ".join(names[:NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")


def _check_settings(across: Iterable[str], groups: Sequence[RunGroup]) -> None:
    names = sorted({name for group in groups for name in group.settings})
    wrong = [name for name in across if name not in names]
    differing = [
        name for name in names if len({group.settings.get(name, "") for group in groups}) > 1
    ]
    if wrong:
        raise ConfigError(
            *(f"no row has a setting '{name}'{nearest(name, differing)}" for name in wrong)
        )


def _method(word: str | None, groups: Sequence[RunGroup]) -> RunGroup | None:
    """A group of the method that a word names: its label, or a part of one label only."""
    if word is None:
        return None
    labels = {group.method: group for group in groups}
    found = [word] if word in labels else []
    found = found or [one for one in labels if word in re.split(r"[+ ]", one)]
    if len(found) == 1:
        return labels[found[0]]
    if found:
        raise ConfigError(f"'{word}' is part of several methods; name one: {', '.join(found)}")
    parts = [*labels, *dict.fromkeys(part for one in labels for part in re.split(r"[+ ]", one))]
    close = difflib.get_close_matches(word, parts, 1, 0.5)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    raise ConfigError(f"no method is called '{word}'{hint} (there are: {_some(list(labels))})")


def own_settings(group: RunGroup, groups: Sequence[RunGroup]) -> list[str]:
    """What tells a group from others of its method, e.g. ``["guidance 3.0"]``."""
    names = varied([other for other in groups if other.method_key == group.method_key])
    return [f"{short(name)} {group.settings.get(name, 'default')}" for name in names]


def _by_size(groups: Sequence[RunGroup]) -> list[list[RunGroup]]:
    """Groups that differ in their size only, of methods with more than one."""
    of_method: dict[tuple[object, ...], list[RunGroup]] = {}
    for group in groups:
        if group.size is not None:
            key = (group.method_key, tuple(sorted(group.settings.items())))
            of_method.setdefault(key, []).append(group)
    return [sizes for sizes in of_method.values() if len(sizes) > 1]


def _same_fter(groups: Sequence[RunGroup], margin: float) -> float:
    if not all(group.fter_meaningful for group in groups):
        return math.nan
    (seeds, _), splits = common(groups), common_splits(groups)
    fters = [np.array([one[FTER].value for one in group.over(seeds, splits)]) for group in groups]
    if not seeds:
        return math.nan
    return float(np.max([equivalence(a - b, margin) for a, b in combinations(fters, 2)]))
