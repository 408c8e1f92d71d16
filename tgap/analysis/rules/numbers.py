"""What to make of a run's numbers."""

from collections.abc import Callable

from tgap.analysis.readings import (
    EQUAL,
    NEAR_CHANCE,
    OTHER_MIX,
    TIED,
    Numbers,
    below_chance,
    fter_above_one,
    fter_means_something,
)
from tgap.analysis.rules.phrases import percent
from tgap.metrics.gap import CHANCE
from tgap.metrics.legs import LABELS_REAL, LABELS_SYNTHETIC, LEGS
from tgap.metrics.pictures import defects


def _worse_for_a_group(m: Numbers) -> str | None:
    lost = {
        name.removesuffix("/lost_more/lo"): m[name.removesuffix("/lo")]
        for name in m
        if name.startswith("subgroups/") and name.endswith("/lost_more/lo") and m[name] > 0
    }
    if not lost or max(lost.values()) < EQUAL:
        return None
    worst = max(lost, key=lambda name: lost[name])
    column, _, group = worst.removeprefix("subgroups/").partition("/")
    further = f"; {len(lost) - 1} further groups too" if len(lost) > 1 else ""
    return (
        f"Of these two trainings, the one on synthetic images loses {lost[worst]:.3f} more for "
        f"{column} {group} than for the others (TSTR {m[f'{worst}/tstr']:.3f}, TRTR "
        f"{m[f'{worst}/trtr']:.3f}, of {m[f'{worst}/images']:.0f} images{further}), as two "
        "trainings on equal real sets often do: only if it repeats over seeds does the synthetic "
        "set lack them, or show them otherwise"
    )


def _other_mix_of_labels(m: Numbers) -> str | None:
    real, synthetic = m[LABELS_REAL], m[LABELS_SYNTHETIC]
    if not abs(synthetic - real) > OTHER_MIX * real:
        return None
    return (
        f"Real training images have {real:.2f} labels each and synthetic ones {synthetic:.2f}: "
        "TSTR and TRTS are tests on different mixes of labels, and their ratio and gap say so too "
        "(synthetic images get all labels that occur together with prompts.co_occurrence=true)"
    )


def _tied_scores(m: Numbers) -> str | None:
    tied = {leg: m[f"{leg}/ties"] for leg in LEGS if m[f"{leg}/ties"] > TIED}
    if not tied or (m.pictures() and defects(m.pictures())):
        return None
    shares = ", ".join(f"{leg.upper()} {percent(share)}" for leg, share in tied.items())
    return (
        f"Many images with a label score exactly as images without it ({shares} of pairs, which "
        "count one half): AUROCs say less of these classifiers than they seem to"
    )


def _some_not_as_asked(m: Numbers) -> str | None:
    trts, trtr = m.auroc("trts"), m.auroc("trtr")
    drawn, judged = m["cost/draw_passes"] > 0, m["cost/judge_passes"] > 0
    worse = trts < trtr - EQUAL and not m["trts/auroc/hi"] >= trtr - EQUAL
    if not (drawn and worse and trts > NEAR_CHANCE) or judged:
        return None
    return (
        f"Synthetic images are read less well than real ones (TRTS {trts:.3f}, TRTR {trtr:.3f}): "
        "some do not show what they were asked for. drawing=rejection keeps those that a "
        "classifier of other pool images recognises, for their labels; without guidance, that "
        "raised TSTR by 0.025 to 0.056 in two small worlds, and on digits so did three times as "
        "many images"
    )


def _fter_above_one(m: Numbers) -> str | None:
    if not fter_above_one(m):
        return None
    tstr, trts, trtr, tsts = (m.auroc(leg) for leg in ("tstr", "trts", "trtr", "tsts"))
    known, harder = trtr >= 0, trtr - trts > EQUAL
    if harder and tsts < trtr - EQUAL:
        why = (
            "the synthetic images are read worse than real ones, by their own classifier too "
            f"(TSTS {tsts:.3f}), as where some of them are labelled wrongly"
        )
    elif harder:
        why = "the synthetic images look different from real ones, or some are labelled wrongly"
    elif known:
        why = (
            "the real classifier is no better on real images than on synthetic ones, so that the "
            "test is easy for what the synthetic images teach, or was seen by their generator"
        )
    else:
        why = "synthetic images may be labelled wrongly, or the test is easy"
    beside = f", TRTR {trtr:.3f}" if known else ""
    legs = f"TSTR {tstr:.3f}, TRTS {trts:.3f}{beside}"
    return f"FTER ({m['fter']:.3f}) above 1, of one training, is no praise ({legs}): {why}"


def _fter_meaningless(m: Numbers) -> str | None:
    legs = [leg for leg in ("tstr", "trts") if m.auroc(leg) >= 0]
    if not m["fter"] >= 0 or len(legs) < 2 or fter_means_something(m):
        return None
    unsure = [leg for leg in legs if m[f"{leg}/auroc/lo"] <= CHANCE]
    near = [leg for leg in legs if m.auroc(leg) < NEAR_CHANCE] or unsure or legs
    named = " and ".join(f"{leg.upper()} is {m.auroc(leg):.3f}" for leg in near)
    if any(below_chance(m, leg) for leg in near):
        why = "an AUROC below chance counts for what it has learnt the wrong way round"
    elif near == unsure:
        why = "that is not told from chance by the test images"
    else:
        why = "the ratio of two AUROCs near chance tends to 1 however bad the images are"
    return f"FTER ({m['fter']:.3f}) means nothing here: {named}, and {why}"


RULES: dict[str, Callable[[Numbers], str | None]] = {
    "worse_for_a_group": _worse_for_a_group,
    "other_mix_of_labels": _other_mix_of_labels,
    "tied_scores": _tied_scores,
    "some_not_as_asked": _some_not_as_asked,
    "fter_above_one": _fter_above_one,
    "fter_meaningless": _fter_meaningless,
}
