"""What is known of copies in a run's synthetic images, and of who was tuned on, in words."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from tgap.analysis.readings import COPIED, EXACT, TUNING_KNOWN
from tgap.analysis.verdicts import verdicts
from tgap.metrics.significance import p_text
from tgap.pipeline.result import Result

COPIES = ("copies", "exact_copies")
"""Codes of the verdicts that refuse an export."""
MEMBERS_TOLD = "members_told"
"""Code of the verdict that is warned of: no image is given away, but who was tuned on."""
ATTACK = tuple(
    f"mia_{name}"
    for name in (
        "calibrated_auroc",
        "calibrated_auroc/lo",
        "calibrated_auroc/hi",
        "calibrated_p",
        "calibrated_tpr_at_1_fpr",
        "blind_auroc",
        "meaningful",
    )
)
"""What is told of membership inference, as metrics call it."""


@dataclass(frozen=True)
class Audit:
    """What is to be said to those who get the images.

    Args:
        warnings: Why they had better not be given away, because real images are among them; none
            if nothing speaks against it. They refuse an export.
        told: The same, because they give away who was tuned on.
        copies: Whether tuning images are among them, or that it is not known.
        membership: Whether it can be told who was tuned on, or that it is not known.
    """

    warnings: tuple[str, ...]
    told: tuple[str, ...]
    copies: str
    membership: str


def audit_of(result: Result) -> Audit:
    """The audit of a run.

    Args:
        result: Of the run, with its metrics.
    """
    metrics = result.metrics
    found = [f"{v.sentence}." for v in verdicts(metrics) if v.code in COPIES]
    if result.run.is_control:
        found.append(
            f"The images are those of the control '{result.run.generator.title()}', which is no "
            "model: they are real images, or may be made of real ones."
        )
    told = tuple(f"{v.sentence}." for v in verdicts(metrics) if v.code == MEMBERS_TOLD)
    return Audit(tuple(found), told, _copies(result), _membership(result))


def _copies(result: Result) -> str:
    metrics = result.metrics
    told = [f"{v.sentence}." for v in verdicts(metrics) if v.code in COPIES]
    if told:
        return " ".join(told)
    if unknown := _not_made(result):
        return unknown
    copied, exact = metrics.get(COPIED, math.nan), metrics.get(EXACT, math.nan)
    if metrics.get(TUNING_KNOWN) == 0:
        return (
            "Not known: it is not known which images the generator was tuned on. Among the real "
            f"images that it may have been tuned on, {_share(copied)} of the synthetic images "
            f"seem to have an original, and {_share(exact)} equal one in every pixel."
        )
    sure = f"{_share(exact)} of the synthetic images equal a tuning image in every pixel"
    if math.isnan(copied):
        return (
            f"Not known but for exact copies: {sure}; too few held-out real images to tell copies "
            "that were changed."
        )
    alarms = metrics.get("memorization/copied_false_alarms", math.nan)
    return (
        f"None found beyond what the search errs: {_share(copied)} of the synthetic images seem "
        f"to be copies of a tuning image, also changed ones, and {_share(alarms)} of real images "
        f"that were not tuned on; {sure}. What the search does not find is in tgap's "
        "docs/memorization.md."
    )


def _membership(result: Result) -> str:
    if unknown := _not_made(result):
        return unknown
    metrics = result.metrics
    auroc, low, high, p_value, rate, blind, means = (
        metrics.get(f"memorization/{name}", math.nan) for name in ATTACK
    )
    if metrics.get(TUNING_KNOWN) == 0:
        return "Not known: it is not known which images the generator was tuned on."
    if math.isnan(auroc):
        return "Not known: too few held-out real images to try an attack."
    if means == 0:
        return (
            f"Not known: an attack that sees no synthetic image tells tuning images from others "
            f"too (AUROC {blind:.3f}), so that the one that sees them (AUROC {auroc:.3f}) proves "
            "nothing."
        )
    ends = (
        "no interval" if math.isnan(low + high) else f"95 % interval {low:.3f} to {high:.3f}"
    ) + ("" if math.isnan(p_value) else f", {p_text(p_value)}")
    return (
        f"An attack that sees the synthetic images alone tells tuning images from other real ones "
        f"with an AUROC of {auroc:.3f} ({ends}; .5 = not at all; without synthetic images "
        f"{blind:.3f}), allowing for images that lie near everything, and finds {_share(rate)} of "
        "them while it is wrong on 1 % of the others. Stronger attacks, that know the generator, "
        "were not tried."
    )


def _not_made(result: Result) -> str:
    """Why nothing is known; empty if an audit was made."""
    metrics: Mapping[str, float] = result.metrics
    if any(name.startswith("memorization/") for name in metrics):
        return ""
    made_elsewhere = bool(result.plan.ready_made)
    if result.plan.selection is None and not made_elsewhere:
        return (
            "Nothing was tuned, so there are no tuning images; what the base generator remembers "
            "of its own training is not known."
        )
    return "Not known: no audit was made in this run (evaluators.memorization)."


def _share(value: float) -> str:
    return "an unknown share" if math.isnan(value) else f"{100 * value:.1f} %"
