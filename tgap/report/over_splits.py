"""What a table says of splits that are drawn anew (``split_seed=0,1,2``)."""

from collections.abc import Sequence

from tgap.analysis.groups import RunGroup
from tgap.analysis.splits import listed


def over_splits(groups: Sequence[RunGroup]) -> list[str]:
    """What intervals over several splits are of, and which runs are not averaged over them."""
    averaged = [group for group in groups if group.shares]
    notes = _of_averaged(averaged) if averaged else []
    if averaged and len(averaged) < len(groups):
        notes.append("Rows of one split have intervals given that split.")
    apart = dict.fromkeys(f"{_named(group)}: {group.apart}" for group in groups if group.apart)
    return notes + [f"Not averaged over splits: {reason}." for reason in apart]


def _of_averaged(groups: Sequence[RunGroup]) -> list[str]:
    splits = dict.fromkeys(listed(group.splits) for group in groups)
    fixed = [side for side, share in groups[0].shares.items() if share >= 1]
    sides = [side for side in groups[0].shares if side not in fixed]
    same = f"; all have the same {' and '.join(fixed)}" if fixed else ""
    notes = [
        f"Means over splits ({'; '.join(splits)}): intervals are for another {', '.join(sides)} "
        f"too, and widened because splits share images{same} (docs/statistics.md)."
    ]
    if len(splits) > 1:
        notes.append("Rows differ in their splits, so their means are no paired comparison.")
    return notes


def _named(group: RunGroup) -> str:
    return group.method if group.size is None else f"{group.method} at {group.size}"
