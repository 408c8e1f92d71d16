"""How the row with the highest mean stands to the others."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tgap.analysis.comparison import PRIMARY, Comparison
from tgap.analysis.contrasts import Contrast
from tgap.analysis.groups import RunGroup
from tgap.metrics.significance import LEVEL, p_text
from tgap.report.headings import decimal, joined, label_at_size, size_of


@dataclass(frozen=True)
class Standing:
    """The best row, and the pairs that it is in.

    Args:
        best: With the highest mean TSTR; no control.
        better: Pairs in which it is shown to be better.
        worse: In which it is shown to be worse, though its mean over all of its seeds is higher.
        alike: In which no difference is shown.
        untested: In which there was no test.
    """

    best: RunGroup | None
    better: Sequence[Contrast] = ()
    worse: Sequence[Contrast] = ()
    alike: Sequence[Contrast] = ()
    untested: Sequence[Contrast] = ()

    @property
    def pairs(self) -> list[Contrast]:
        """All."""
        return [*self.better, *self.worse, *self.alike, *self.untested]

    @property
    def sure(self) -> bool:
        """Whether it is shown to be better than each one that it is compared with."""
        return bool(self.better) and len(self.better) == len(self.pairs)

    def in_short(self) -> str:
        """Whether the difference is shown."""
        others = len(self.pairs)
        if len(self.untested) == others:
            return "It cannot be tested"
        if self.sure:
            return "Yes" if others == 1 else f"Yes, from all {others} others"
        return f"From {len(self.better)} of {others} others" if self.better else "No"


def standing_of(comparison: Comparison) -> Standing:
    """How the best row stands."""
    best = best_of(comparison.groups)
    if best is None:
        return Standing(None)
    pairs = [one for one in comparison.pairs if one.first is best or one.second is best]
    shown = [one for one in pairs if one.p_value <= LEVEL]
    return Standing(
        best,
        better=[one for one in shown if ahead(one, best) > 0],
        worse=[one for one in shown if ahead(one, best) <= 0],
        alike=[one for one in pairs if one.p_value > LEVEL],
        untested=[one for one in pairs if math.isnan(one.p_value)],
    )


def compared(groups: Sequence[RunGroup]) -> list[RunGroup]:
    """Rows of methods with a TSTR, without controls."""
    return [one for one in groups if not one.is_control and tstr_of(one) > -math.inf]


def best_of(groups: Sequence[RunGroup]) -> RunGroup | None:
    """The row with the highest mean TSTR; no control."""
    return max(compared(groups), key=tstr_of, default=None)


def tstr_of(group: RunGroup) -> float:
    """Mean TSTR to sort by; minus infinity where it is not known."""
    value = group.numbers[PRIMARY].estimate
    return -math.inf if math.isnan(value) else value


def ahead(pair: Contrast, best: RunGroup) -> float:
    """The difference as the best minus the other."""
    return pair.difference.estimate * (1 if pair.first is best else -1)


def other_than(best: RunGroup, pair: Contrast, groups: Sequence[RunGroup]) -> str:
    """The other row of a pair."""
    return label_at_size(pair.second if pair.first is best else pair.first, groups)


def difference_told(pair: Contrast, best: RunGroup) -> str:
    """Number, interval and p-value of the best minus the other."""
    sign = 1 if pair.first is best else -1
    ends = sorted((sign * pair.difference.lo, sign * pair.difference.hi))
    interval = "" if math.isnan(ends[0]) else f" ({' to '.join(decimal(e, '+') for e in ends)})"
    collapsed = f"; collapsed: seed {joined(pair.collapsed)}" if pair.collapsed else ""
    return f"{decimal(ahead(pair, best), '+')}{interval}, {p_text(pair.p_value)}{collapsed}"


def beside_best(group: RunGroup, found: Standing) -> str:
    """How a row of the leaderboard stands to the best one."""
    if group is found.best:
        return "highest mean"
    if group.is_control:
        return "control"
    for words, pairs in (
        ("lower", found.better),
        ("higher", found.worse),
        ("no difference shown", found.alike),
        ("not tested", found.untested),
    ):
        if any(group is pair.first or group is pair.second for pair in pairs):
            return words
    best_size = None if found.best is None else found.best.size
    sized = None not in (group.size, best_size)
    return "other size" if sized and group.size != best_size else "not compared"


def trends_told(comparison: Comparison, best: RunGroup) -> list[str]:
    """Whether more tuning images help the best method."""
    found = []
    for trend in comparison.over_sizes:
        is_step = trend.weights == (1.0, -1.0)
        if is_step or trend.first.method_key != best.method_key:
            continue
        slope = decimal(trend.difference.estimate, "+")
        if any(one.one_set for one in trend.groups):
            said = "not tested, as seeds train on one synthetic set"
        elif math.isnan(trend.p_value):
            seeds = len(trend.seeds)
            said = f"not tested, with {seeds} seed{'' if seeds == 1 else 's'} in common"
        elif trend.p_value <= LEVEL:
            said = f"TSTR {'rises' if trend.difference.estimate > 0 else 'falls'}"
            said += f", {slope} per doubling, {p_text(trend.p_value)}"
        else:
            said = f"no trend is shown ({slope} per doubling, {p_text(trend.p_value)})"
        found.append(f"Over its sizes {joined(size_of(one) for one in trend.groups)}: {said}.")
    return found
