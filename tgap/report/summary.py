"""One run's numbers beside what they are to be measured by, and what they mean in words."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tgap.analysis.readings import COPIED, EXACT, FEWEST_COPIES, TUNING_KNOWN, unknown_copies
from tgap.analysis.verdicts import verdicts


@dataclass(frozen=True)
class Line:
    """A metric in words.

    Args:
        words: What it is.
        metric: Its MLflow name.
        reference: The metric that it is to be measured by, or none.
        percent: Whether it is shown in percent.
    """

    words: str
    metric: str
    reference: str = ""
    percent: bool = False


def _floored(words: str, name: str) -> Line:
    return Line(words, f"fidelity/{name}", f"fidelity/{name}_floor")


COUNTS = {
    "Fidelity and diversity": ("fidelity/n", "images on each side"),
    "Memorisation": ("memorization/held_out_images", "held-out images"),
    "Membership inference": ("memorization/mia_members", "tuning images"),
    "Baselines (AUROC on real_test)": ("images/real_test", "test images"),
}
"""How many images stand behind a section's numbers."""

SECTIONS: dict[str, tuple[str, Sequence[Line]]] = {
    "Fidelity and diversity": (
        "other real images",
        (
            _floored("Frechet distance", "frechet"),
            _floored("kernel distance (KID)", "kid"),
            _floored("precision", "precision"),
            _floored("recall", "recall"),
            _floored("density", "density"),
            _floored("coverage", "coverage"),
            Line("real images of kinds left out", "fidelity/missing", percent=True),
            Line("Vendi score within a label", "diversity/vendi", "diversity/vendi_real"),
            Line("distance of factors", "factors/distance", "factors/distance_floor"),
        ),
    ),
    "Memorisation": (
        "held-out real images",
        (
            Line(
                "copies of tuning images",
                "memorization/copied_fraction",
                "memorization/copied_false_alarms",
                percent=True,
            ),
            Line("closer to tuning images than these (.5)", "memorization/closer_than_held_out"),
            Line("authenticity", "memorization/authenticity", "memorization/authenticity_floor"),
            Line("data-copying test (z)", "memorization/c_t"),
            Line("equal to a tuning image", "memorization/equal_to_tuning", percent=True),
            Line("equal to an image of real_test", "memorization/in_real_test", percent=True),
        ),
    ),
    "Membership inference": (
        "without synthetic images",
        (
            Line(
                "AUROC (.5 where nothing is given away)",
                "memorization/mia_calibrated_auroc",
                "memorization/mia_blind_auroc",
            ),
            Line("its interval of 95 %, from", "memorization/mia_calibrated_auroc/lo"),
            Line("to", "memorization/mia_calibrated_auroc/hi"),
            Line("p that it is chance", "memorization/mia_calibrated_p"),
            Line(
                "true positives at 1 % false ones",
                "memorization/mia_calibrated_tpr_at_1_fpr",
                "memorization/mia_blind_tpr_at_1_fpr",
                percent=True,
            ),
        ),
    ),
    "Baselines (AUROC on real_test)": (
        "",
        (
            Line("metadata alone", "baseline/metadata_auroc"),
            Line("mean and spread of grey levels alone", "baseline/brightness_auroc"),
            Line("shuffled labels", "baseline/shuffled_auroc"),
        ),
    ),
}
"""What is shown, by heading, and what the reference column is called."""

SEEN = {COPIED: FEWEST_COPIES, EXACT: 1e-9}
"""Shares of copies below which they say nothing where the tuning images are not known."""

WIDTH = 50


def summary(metrics: Mapping[str, float]) -> str:
    """A run's further numbers and its verdicts, as text; sections without any are left out."""
    parts = []
    for heading, (reference, lines) in SECTIONS.items():
        shown = [line for line in lines if line.metric in metrics]
        if shown:
            columns = f"{'synthetic':>12}{reference:>26}" if reference else ""
            metric, words = COUNTS.get(heading, ("", ""))
            if metric in metrics:
                heading += f" ({metrics[metric]:,.0f} {words})"
            parts.append(f"{heading:{WIDTH}}{columns}".rstrip())
            parts += [_line(line, metrics) for line in shown]
            parts.append("")
    findings = verdicts(metrics)
    if findings:
        parts += ["What the numbers say", *(f"- {verdict.sentence}." for verdict in findings), ""]
    return "\n".join(parts)


HEADLINE = {"TSTR": "tstr/auroc", "TRTS": "trts/auroc", "FTER": "fter"}
WORTH_TELLING = 0.5
"""Seconds of a stage; less is left out."""


def headline(metrics: Mapping[str, float]) -> str:
    """``TSTR .934, TRTS .996, FTER .938``, as far as they are defined."""
    numbers = [
        f"{name} {metrics[metric]:.3f}".replace(" 0.", " .")
        for name, metric in HEADLINE.items()
        if not math.isnan(metrics.get(metric, math.nan))
    ]
    return ", ".join(numbers) or "no TSTR, TRTS or FTER"


def in_a_line(
    metrics: Mapping[str, float], seconds: Mapping[str, float], reused: Sequence[str]
) -> str:
    """How a run ended, e.g. ``TSTR .934, TRTS .996, FTER .938; 56 s (finetune 26, generate 30)``.

    Args:
        metrics: The run's.
        seconds: Spent now, by stage.
        reused: Stages of which all was in the store.
    """
    told = headline(metrics)
    if len(reused) == len(seconds):
        return f"{told}; all from the store"
    longest = [f"{stage} {s:.0f}" for stage, s in seconds.items() if s >= WORTH_TELLING]
    details = f" ({', '.join(longest)})" if longest else ""
    store = f"; from the store: {', '.join(reused)}" if reused else ""
    return f"{told}; {sum(seconds.values()):.0f} s{details}{store}"


def rows(heading: str, metrics: Mapping[str, float]) -> list[tuple[str, str, str]]:
    """A section's lines as what each is, its value, and its reference ("" = none)."""
    lines = SECTIONS[heading][1]
    return [(line.words, *_values(line, metrics)) for line in lines if line.metric in metrics]


def _line(line: Line, metrics: Mapping[str, float]) -> str:
    value, reference = _values(line, metrics)
    return f"  {line.words:{WIDTH - 2}}{value:>12}" + (f"{reference:>26}" if reference else "")


def _values(line: Line, metrics: Mapping[str, float]) -> tuple[str, str]:
    """A metric and its reference as text."""
    value = _number(metrics[line.metric], line.percent)
    least = SEEN.get(line.metric)
    if least and unknown_copies(metrics[line.metric], metrics.get(TUNING_KNOWN, math.nan), least):
        value = "not known"
    reference = ""
    if line.reference in metrics:
        reference = _number(metrics[line.reference], line.percent)
    return value, reference


def _number(value: float, percent: bool) -> str:
    if math.isnan(value):
        return "not available"
    return f"{100 * value:.1f} %" if percent else f"{value:.3g}"
