"""What a part of a report knows no more than: its splits, seeds and tuning images."""

import math
from collections.abc import Sequence

from tgap.analysis.groups import RunGroup
from tgap.analysis.readings import COPIED, EXACT, TUNING_KNOWN, unknown_copies
from tgap.analysis.rows import RunRow
from tgap.report.headings import joined
from tgap.report.runs.numbers import mean_of, percent, together

UNKNOWN_TUNING = "it is not known which real images the generator was tuned on"


def beyond_intervals(groups: Sequence[RunGroup]) -> list[str]:
    """What another split may change: nothing is said of rows whose intervals are over splits.

    Args:
        groups: All rows of the part.
    """
    there = [one for one in groups if one.seeds]
    given = [one for one in there if len(one.splits) < 2]
    sentences = []
    if given:
        of = "" if len(given) == len(there) else f" of {together(given, groups)}"
        new = f"{_new(given)}new test images"
        sentences.append(f"That another split gives the same: intervals{of} are for {new}.")
    for sides in dict.fromkeys(filter(None, map(_fixed, there))):
        those = [one for one in there if _fixed(one) == sides]
        sentences.append(
            f"That another {joined(sides)} gives the same: all splits share it "
            f"({together(those, groups)})."
        )
    return sentences


def _fixed(group: RunGroup) -> tuple[str, ...]:
    """Sides that all its splits share."""
    return tuple(side for side, share in group.shares.items() if share >= 1)


def _new(groups: Sequence[RunGroup]) -> str:
    """What intervals are for beside new test images."""
    several = [one for one in groups if len(one.seeds) > 1]
    if not several:
        return ""
    return "new trainings and " if all(one.one_set for one in several) else "new seeds and "


def copies_told(rows: Sequence[RunRow]) -> tuple[str, bool]:
    """The share of copies in words, and whether it is known.

    Args:
        rows: Of one row of the table.
    """
    share, tuning_known = mean_of(rows, COPIED), mean_of(rows, TUNING_KNOWN)
    unsure = tuning_known < 1  # of a run at least; NaN where it was not recorded: known
    of = "a real image" if unsure else "a tuning image"
    if math.isnan(share) or unknown_copies(share, tuning_known):
        equal = mean_of(rows, EXACT)
        exact = "" if math.isnan(equal) else f"; {percent(equal)} equal {of} exactly"
        why = UNKNOWN_TUNING if unsure else "too few images to tell"
        return f"how many are near-copies is not known ({why}){exact}", False
    alarms = mean_of(rows, "memorization/copied_false_alarms")
    usual = "" if math.isnan(alarms) else f" (of other real images {percent(alarms)})"
    which = f"; {UNKNOWN_TUNING}" if unsure else ""
    return f"{percent(share)} are taken for copies of {of}{usual}{which}", True
