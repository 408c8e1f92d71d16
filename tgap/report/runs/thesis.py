"""The thesis's own points of TSTR against TRTS, to be drawn beside a report's."""

from dataclasses import dataclass


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


# Zhang 2024, tables 4.4, 4.5 and 4.9 to 4.13; the TSTR of CLIP clusters is computed from its FTER,
# because the table that had it is lost. Methods with only one of the two are left out.
THESIS = (
    ThesisPoint("random 500", 0.541, 0.575),
    ThesisPoint("random 1,000", 0.587, 0.677),
    ThesisPoint("CLIP 500", 0.575, 0.935),
    ThesisPoint("CLIP 1,000", 0.541, 0.891),
    ThesisPoint("textbook 500", 0.567, 0.893),
    ThesisPoint("active 500", 0.637, 0.957),
    ThesisPoint("active 1,000", 0.591, 0.923),
)
