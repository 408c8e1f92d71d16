"""What the real data allow to be said, and what the synthetic images are good for."""

import math
from collections.abc import Callable

from tgap.analysis.readings import (
    EQUAL,
    NEAR_CHANCE,
    Numbers,
    beats_real,
    below_chance,
    is_shortcut,
    practical_tie,
    real_at_chance,
    standing,
    threshold_is_lost,
    too_few,
    utility_lost,
)
from tgap.analysis.rules.phrases import of_images, one_training, percent, rarer, tstr
from tgap.metrics.few_errors import ENOUGH_PATIENTS
from tgap.metrics.gap import CHANCE

# What may be said of the real data, without which little may be said of synthetic ones


def _too_few_test_images(m: Numbers) -> str | None:
    if math.isnan(m.auroc("tstr")) or not too_few(m):
        return None
    lo, hi = m["tstr/auroc/lo"], m["tstr/auroc/hi"]
    truth = f"may in truth be anything from {lo:.2f} to {hi:.2f}" if lo <= hi else "may be anything"
    return (
        f"The test images are too few to say what the synthetic ones are good for: with "
        f"{rarer(m)}, a TSTR of {m.auroc('tstr'):.3f} {truth}; about {ENOUGH_PATIENTS:.0f} would "
        "tell it to within .1"
    )


def _real_no_better_than_chance(m: Numbers) -> str | None:
    if not real_at_chance(m) or too_few(m):
        return None
    if below_chance(m, "trtr"):
        return (
            f"Even the classifier trained on real images is worse than chance on real ones (TRTR "
            f"{m.auroc('trtr'):.3f}), so nothing can be said about synthetic ones: labels may be "
            "swapped between the real images that were trained on and those of the test"
        )
    return (
        f"Even the classifier trained on real images is near chance (TRTR "
        f"{m.auroc('trtr'):.3f}{of_images(m)}), so nothing can be said about synthetic ones: take "
        "more real images, or a better classifier"
    )


# What the synthetic images are good for


def _as_useful_as_real(m: Numbers) -> str | None:
    equal = practical_tie(m)
    if beats_real(m) or not (standing(m) == "above" and utility_lost(m) <= equal):
        return None
    sentence = (
        f"Training on the synthetic images is as good as training on real ones (TSTR "
        f"{m.auroc('tstr'):.3f}, TRTR {m.auroc('trtr'):.3f}{of_images(m)})"
    )
    most = "t_gap/utility_lost/hi"
    if m.undefined(most):
        sentence += "; no interval is known of what may be lost"
    elif m[most] > equal:
        sentence += f", as far as the test images can tell: up to {m[most]:.3f} may be lost"
    if threshold_is_lost(m):
        sentence += ", as long as only the order of the images counts"
    return sentence + one_training(m)


def _better_than_real(m: Numbers) -> str | None:
    if not (standing(m) == "above" and beats_real(m)):
        return None
    return (
        f"Training on the synthetic images is better than training on real ones ({tstr(m)}; TRTR "
        f"{m.auroc('trtr'):.3f}): look for a leak first, such as test images or their patients "
        "among the tuning images (tgap data tells of them); or the real images that were trained "
        "on are fewer, worse labelled or of another kind than those of the test"
    )


def _partly_useful(m: Numbers) -> str | None:
    if not (standing(m) == "above" and utility_lost(m) > practical_tie(m)):
        return None
    return (
        f"The synthetic images teach {percent(m.skill('tstr') / m.skill('trtr'))} of what real "
        f"ones teach beyond chance ({tstr(m)}; TRTR {m.auroc('trtr'):.3f}){one_training(m)}"
    )


def _hardly_better_than_chance(m: Numbers) -> str | None:
    if standing(m) != "hardly":
        return None
    return (
        f"A classifier trained on the synthetic images is hardly better than chance on real ones "
        f"({tstr(m)}){one_training(m)}"
    )


def _no_better_than_chance(m: Numbers) -> str | None:
    if standing(m) == "luck":
        return (
            f"The labels cannot be read from the synthetic images, neither by the classifier "
            f"trained on real images nor by their own (TRTS {m.auroc('trts'):.3f}, TSTS "
            f"{m.auroc('tsts'):.3f}), so a TSTR of {m.auroc('tstr'):.3f} is luck, good or bad"
        )
    if standing(m) != "at":
        return None
    if m["tstr/auroc/lo"] <= CHANCE and m.auroc("tstr") >= NEAR_CHANCE:
        return (
            "The test images cannot tell from chance what a classifier trained on the synthetic "
            f"images says of real ones ({tstr(m)}): take more of them"
        )
    limit = ", as far as the test images can tell" if m["tstr/auroc/lo"] <= CHANCE else ""
    return (
        f"A classifier trained on the synthetic images is no better than chance on real ones"
        f"{limit} ({tstr(m)})"
    )


def _worse_than_chance(m: Numbers) -> str | None:
    if standing(m) != "below":
        return None
    return (
        f"A classifier trained on the synthetic images is worse than chance on real ones "
        f"({tstr(m)}): {_why_below(m)}{one_training(m)}"
    )


def _why_below(m: Numbers) -> str:
    if is_shortcut(m) or m.auroc("trts") >= NEAR_CHANCE:
        return "what it goes by says something else in real images, where it is there at all"
    return "labels may be swapped between the synthetic and the real set"


def _no_better_than_metadata(m: Numbers) -> str | None:
    baseline = m["baseline/metadata_auroc"]
    if not (standing(m) in ("above", "hardly") and m.auroc("tstr") <= baseline + EQUAL):
        return None
    return (
        f"A classifier that sees metadata and no image is as good (AUROC {baseline:.3f}) as one "
        f"trained on the synthetic images (TSTR {m.auroc('tstr'):.3f}): what these teach may be "
        "no more than who is on them"
    )


def _shortcut(m: Numbers) -> str | None:
    if not is_shortcut(m):
        return None
    return (
        f"The classifier trained on the synthetic images goes by something that real images do not "
        f"have (TSTS {m.auroc('tsts'):.3f}, TSTR {m.auroc('tstr'):.3f}{_by_threshold(m)}): a mark, "
        "a frame or a ground of its own may give the label away; where it looks on either side has "
        f"{percent(m['occlusion/overlap'])} in common (halves of the synthetic images "
        f"{percent(m['occlusion/overlap_floor'])}), see pictures/occlusion_occlusion.png"
    )


def _threshold_lost(m: Numbers) -> str | None:
    if not threshold_is_lost(m) or is_shortcut(m):
        return None
    return (
        f"What tells the labels apart in synthetic images does so in real ones at another "
        f"threshold (TSTR {m.auroc('tstr'):.3f}{_by_threshold(m)}; "
        f"{percent(m['tstr/right_at_best_threshold'])} at the best): synthetic images may be "
        "brighter, or have a mark that real ones lack, which AUROC does not show"
    )


def _by_threshold(m: Numbers) -> str:
    """How often TSTR is right, as far as that is known."""
    right = m["tstr/right_at_synthetic_threshold"]
    if not right >= 0:
        return ""
    error = m["tstr/calibration_error"]
    calibrated = f", calibration error {error:.2f}" if error >= 0 else ""
    return (
        f", right on {percent(right)} of real images at the threshold that is best on synthetic "
        f"ones, where chance is 50 %{calibrated}"
    )


RULES: dict[str, Callable[[Numbers], str | None]] = {
    "too_few_test_images": _too_few_test_images,
    "real_no_better_than_chance": _real_no_better_than_chance,
    "better_than_real": _better_than_real,
    "as_useful_as_real": _as_useful_as_real,
    "partly_useful": _partly_useful,
    "hardly_better_than_chance": _hardly_better_than_chance,
    "no_better_than_chance": _no_better_than_chance,
    "worse_than_chance": _worse_than_chance,
    "no_better_than_metadata": _no_better_than_metadata,
    "shortcut": _shortcut,
    "threshold_lost": _threshold_lost,
}
