"""Below a sweep's table, in words: how methods and sizes differ, and what was not compared."""

import math
from collections.abc import Sequence

from tgap.analysis.comparison import Comparison, SizeEffect
from tgap.analysis.contrasts import Contrast, apart
from tgap.analysis.groups import RunGroup
from tgap.analysis.splits import listed
from tgap.metrics.legs import SCALES
from tgap.metrics.significance import FEWEST_SEEDS, LEVEL, in_words, p_text
from tgap.report.headings import (
    decimal,
    heading_of,
    joined,
    label_at_size,
    label_of,
    range_of,
    size_of,
)

AT_MOST = 4
"""Settings, or pairs, that one sentence names."""
NEVER_ACROSS = ("dataset.", "external.", "classifier.")
"""Settings with other numbers altogether, across which no comparison is offered."""


def differences(comparison: Comparison) -> dict[str, list[str]]:
    """Sentences on what differs, by their title."""
    groups, asked = comparison.groups, comparison.asked
    of = joined(heading_of(name) for name in asked.of)
    to = f" to {asked.reference}" if asked.reference else ""
    how = "paired by seed (95 % interval of each alone; its p adjusted for all)"
    across = f", across {joined(asked.across)}" if asked.across else ""
    titled = {
        f"Difference of {of}{to}, {how}{across}:": [
            _pair(pair, comparison) for pair in comparison.pairs
        ],
        "Not compared:": _not_compared(comparison),
        f"{of} over sizes, {how}:": [_over_sizes(one, comparison) for one in comparison.over_sizes],
        "FTER between sizes, paired by seed, on these test images (TOST, each alone):": [
            _size_effect(effect, groups) for effect in comparison.size_effects
        ],
    }
    return {title: sentences for title, sentences in titled.items() if sentences}


def _of(metric: str, asked: Sequence[str]) -> str:
    """The metric that a sentence is of, where its title names several."""
    return f"{heading_of(metric)} of " if len(asked) > 1 else ""


def _pair(pair: Contrast, comparison: Comparison) -> str:
    first, second, groups = pair.first, pair.second, comparison.groups
    sizes = dict.fromkeys(size_of(group) for group in (first, second) if group.size is not None)
    size = f" at {' and '.join(sizes)}" if sizes else ""
    about = f"{label_of(first, groups)} - {label_of(second, groups)}{size}: "
    if why := one_set_told(pair, groups):
        return f"{about}not compared: {why}"
    return _of(pair.metric, comparison.asked.of) + about + _found(pair, "differ", "difference")


def one_set_told(pair: Contrast, groups: Sequence[RunGroup]) -> str:
    """Why two rows are not compared if one has no draws; empty if both have.

    Args:
        pair: The two.
        groups: All rows, by which they are named.
    """
    one_set = [group for group in pair.groups if group.one_set]
    if not one_set:
        return ""
    labels = " and ".join(label_of(group, groups) for group in one_set)
    return (
        f"the seeds of {labels} train on one synthetic set, so how far other draws of its "
        "generator differ is not known; evaluate several of them (--synthetic A B C, or --draws)"
    )


def _over_sizes(trend: Contrast, comparison: Comparison) -> str:
    label = _of(trend.metric, comparison.asked.of) + label_of(trend.first, comparison.groups)
    sizes = [size_of(group) for group in trend.groups]
    if trend.weights == (1.0, -1.0):
        return f"{label}, {' - '.join(sizes)}: {_found(trend, 'differ', 'difference')}"
    verb = "rises" if trend.difference.estimate > 0 else "falls"
    return f"{label} at {joined(sizes)}, per doubling: {_found(trend, verb, 'trend')}"


def _found(one: Contrast, verb: str, noun: str) -> str:
    """The difference or slope with its interval, and what it shows."""
    if not one.seeds:
        shared = set.intersection(*(set(group.seeds) for group in one.groups))
        what = "split" if one.first.shares else "fold"
        return f"no {what if shared else 'seed'} in common"
    if math.isnan(one.difference.estimate):
        return f"{heading_of(one.metric)} is not defined for every seed"
    difference = decimal(one.difference.estimate, "+")
    if not math.isnan(one.difference.lo):
        difference += f" ({range_of(one.difference, '+')})"
    if one.collapsed:
        difference += f", median {decimal(one.median, '+')} (collapsed: seed "
        difference += f"{joined(one.collapsed)})"
    where = "" if one.metric in SCALES else "on these test images"
    words = in_words(one.p_value, len(one.seeds), one.comparisons, where, verb, noun)
    folds = f"; not in both: {listed(one.missing_splits)}" if one.missing_splits else ""
    of = "both" if len(one.groups) == 2 else "all"
    return f"{difference}; {words}{_left_out(one.missing, of)}{folds}"


def _not_compared(comparison: Comparison) -> list[str]:
    """Groups without a partner, by what keeps them apart."""
    groups, by_reason = comparison.groups, dict[tuple[str, ...], list[tuple[str, str]]]()
    for a, b in comparison.not_compared:
        names = apart(a, b, comparison.asked.across)
        values = {n: [one.settings.get(n, "none") for one in (a, b)] for n in names if n != "size"}
        reason = [f"{name} ({'; '.join(both)})" for name, both in values.items()]
        reason = [*_first(reason, ", "), *(["size"] if "size" in names else [])]
        few = len(names) <= AT_MOST and "size" not in names
        few = few and not any(name.startswith(NEVER_ACROSS) for name in names)
        remedy = f"; tgap compare --across {','.join(names)} does" if few else ""
        by_reason.setdefault((", ".join(reason), remedy), []).append(
            (label_at_size(a, groups), label_at_size(b, groups))
        )
    sentences = [
        f"{_first([f'{a} and {b}' for a, b in pairs], '; ')[0]}: they differ in {reason}{remedy}"
        for (reason, remedy), pairs in by_reason.items()
    ]
    more = len(sentences) - 2 * AT_MOST
    return sentences if more <= 0 else [*sentences[: 2 * AT_MOST], f"and {more} more such reasons"]


def _first(words: Sequence[str], between: str) -> list[str]:
    """A few joined, and how many more there are; nothing of nothing."""
    more = f" and {len(words) - AT_MOST} more" if len(words) > AT_MOST else ""
    return [between.join(words[:AT_MOST]) + more] if words else []


def _size_effect(effect: SizeEffect, groups: Sequence[RunGroup]) -> str:
    first = effect.groups[0]
    about = f"{label_of(first, groups)} at {joined([size_of(group) for group in effect.groups])}: "
    margin = f"within {decimal(effect.margin)}"
    if not all(group.fter_meaningful for group in effect.groups):
        finding = "FTER means nothing at one of the sizes"
    elif len(effect.seeds) < FEWEST_SEEDS:
        finding = f"a test needs {FEWEST_SEEDS} seeds in common, got {len(effect.seeds)}"
    elif math.isnan(effect.p_value):
        finding = "no test: FTER is not defined for every seed, or its difference does not vary"
    else:
        shown = "equal" if effect.p_value <= LEVEL else "not shown to be equal"
        finding = f"{shown} {margin}: {p_text(effect.p_value)} ({len(effect.seeds)} seeds)"
    return about + finding + _left_out(effect.missing, "all")


def _left_out(missing: Sequence[int], of: str) -> str:
    return f"; not in {of}: seed {joined(missing)}" if missing else ""
