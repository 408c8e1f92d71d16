"""The thesis's own points of TSTR against TRTS, to be drawn beside a report's."""

from dataclasses import dataclass

from tgap.analysis.published import TITLES, thesis


@dataclass(frozen=True)
class ThesisPoint:
    """AUROCs that the thesis reports of chest X-rays, without intervals.

    Args:
        name: Its method and tuning images.
        tstr: Trained on synthetic images.
        trts: Trained on real images.
    """

    name: str
    tstr: float
    trts: float


def thesis_points() -> tuple[ThesisPoint, ...]:
    """Of all its methods and sizes with both numbers; those with only one are left out."""
    legs: dict[str, dict[str, float]] = {}
    for one in thesis():
        name = f"{TITLES[one.method]} {one.size:,}"
        legs.setdefault(name, {})[one.metric] = one.value
    return tuple(
        ThesisPoint(name, of["tstr/auroc"], of["trts/auroc"])
        for name, of in legs.items()
        if {"tstr/auroc", "trts/auroc"} <= of.keys()
    )
