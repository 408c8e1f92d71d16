"""Runs that no number may be compared across, each kind for itself."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tgap.analysis.comparison import Comparison
from tgap.analysis.contrasts import apart
from tgap.analysis.groups import RunGroup, varied
from tgap.analysis.splits import short


@dataclass(frozen=True)
class ReportPart:
    """Rows that agree in all that is neither method nor size.

    Args:
        name: The settings in which it differs from other parts; empty if there is one part.
        comparison: What of the whole comparison is about these rows, with p-values of the whole.
    """

    name: str
    comparison: Comparison


def parts_of(comparison: Comparison) -> list[ReportPart]:
    """The parts, in the order of their first rows; a control may stand in several."""
    blocks: list[list[RunGroup]] = []
    # Those without a generator last: they go with each one.
    for group in sorted(comparison.groups, key=lambda one: "generator.class" not in one.settings):
        fitting = [block for block in blocks if not any(_differs(group, one) for one in block)]
        for block in fitting or [[]]:
            block.append(group)
            if not fitting:
                blocks.append(block)
    names = varied(comparison.groups)
    several = len(blocks) > 1
    return [
        ReportPart(_named(block, names) if several else "", only(comparison, block))
        for block in blocks
    ]


def _differs(a: RunGroup, b: RunGroup) -> bool:
    return bool(set(apart(a, b)) - {"size"})


def _named(block: Sequence[RunGroup], names: Sequence[str]) -> str:
    values = {
        name: list(dict.fromkeys(one.settings.get(name) for one in block if one.has_setting(name)))
        for name in names
    }
    told = [(name, those[0]) for name, those in values.items() if len(those) == 1]
    return ", ".join(f"{short(name)} {value or 'none'}" for name, value in told)


def differing(comparison: Comparison) -> list[str]:
    """Settings by which parts differ, each with its values, e.g. ``guidance (1.0; 3.0)``."""
    told = []
    for name in varied(comparison.groups):
        values = [g.settings.get(name, "none") for g in comparison.groups if g.has_setting(name)]
        told.append(f"{short(name)} ({'; '.join(dict.fromkeys(values))})")
    return told


def only(comparison: Comparison, groups: Sequence[RunGroup]) -> Comparison:
    """What a comparison says about some of its rows, in the comparison's order."""
    kept = {id(group) for group in groups}

    def inside(those: Sequence[RunGroup]) -> bool:
        return all(id(group) in kept for group in those)

    return replace(
        comparison,
        groups=tuple(group for group in comparison.groups if id(group) in kept),
        pairs=tuple(pair for pair in comparison.pairs if inside(pair.groups)),
        not_compared=[pair for pair in comparison.not_compared if inside(pair)],
        over_sizes=[one for one in comparison.over_sizes if inside(one.groups)],
        size_effects=tuple(one for one in comparison.size_effects if inside(one.groups)),
    )
