"""Whether the synthetic images are new."""

from collections.abc import Callable

from tgap.analysis.readings import (
    CLOSER,
    COPIED,
    EXACT,
    FEWEST_COPIES,
    TUNING_KNOWN,
    Numbers,
    are_copies,
    tells_members,
)
from tgap.analysis.rules.phrases import percent


def _tested_on_synthetic(m: Numbers) -> str | None:
    share = m["memorization/in_real_test"]
    if not share > 0:
        return None
    return (
        f"{_counted(m, share)} synthetic images are images of the real test set: what was "
        "trained on is tested on, so TSTR cannot be trusted"
    )


def _patients_on_two_sides(m: Numbers) -> str | None:
    sides = {"tuned_on": "tuning set", "pool": "pool", "real_train": "real training set"}
    shared = [(m[f"leaks/{side}"], name) for side, name in sides.items() if m[f"leaks/{side}"] > 0]
    if not shared:
        return None
    told = ", ".join(f"{percent(share)} in the {name}" for share, name in shared)
    return (
        f"Test images are of patients who stand on another side too ({told}): what was learnt of "
        "these patients is tested, so the AUROCs flatter; protocol=clean keeps patients together"
    )


def _copies(m: Numbers) -> str | None:
    if not are_copies(m):
        return None
    copied = m[COPIED]
    found = _equal_to_tuning(m)
    if copied >= FEWEST_COPIES and m["memorization/copied_false_alarms"] >= 0:
        exactly = f"; {found}" if m[EXACT] > 0 else ""
        found = (
            f"{percent(copied)} of the synthetic images are copies of {_originals(m)} (held-out "
            f"real images taken for copies: {percent(m['memorization/copied_false_alarms'])})"
            f"{exactly}"
        )
    return f"{found}: they hold no further patients, and giving them away gives these images away"


def _exact_copies(m: Numbers) -> str | None:
    """However few: each is a real image that is given away."""
    if not m[EXACT] > 0 or are_copies(m):
        return None
    return f"{_equal_to_tuning(m)}: whoever gets the synthetic set gets these real images"


def _equal_to_tuning(m: Numbers) -> str:
    one = "a real image that may have been tuned on" if m[TUNING_KNOWN] == 0 else "a tuning image"
    return f"{_counted(m, m[EXACT])} synthetic images equal {one} in every pixel"


def _originals(m: Numbers) -> str:
    """What copies are of: that may be known or not."""
    if m[TUNING_KNOWN] == 0:
        return "real images that may have been tuned on"
    return "tuning images"


def _counted(m: Numbers, share: float) -> str:
    """A share of the synthetic images as their number, as far as that is known."""
    images = m["memorization/synthetic_images"]
    if not images > 0:
        return f"{percent(share)} of the"
    return f"{share * images:,.0f} of the {images:,.0f}"


def _closer_than_held_out(m: Numbers) -> str | None:
    closer = m["memorization/closer_than_held_out"]
    if not closer > CLOSER or are_copies(m):
        return None
    return (
        f"In {percent(closer)} of comparisons a synthetic image is closer to the tuning images "
        "than a held-out real one is (50 % where nothing is copied): the generator draws "
        "blends or details of them, or only typical images"
    )


def _members_told(m: Numbers) -> str | None:
    if not tells_members(m):
        return None
    auroc = "memorization/mia_calibrated_auroc"
    counts = [m[f"memorization/mia_{side}"] for side in ("members", "others")]
    of = f", of {counts[0]:.0f} and {counts[1]:.0f} images" if min(counts) > 0 else ""
    return (
        f"Whoever has the synthetic images can tell tuning images from other real ones (AUROC "
        f"{m[auroc]:.3f} [{m[f'{auroc}/lo']:.3f}, {m[f'{auroc}/hi']:.3f}]{of}; "
        f"p {m['memorization/mia_calibrated_p']:.4f}): giving them away gives away whom the "
        "generator was tuned on"
    )


RULES: dict[str, Callable[[Numbers], str | None]] = {
    "tested_on_synthetic": _tested_on_synthetic,
    "patients_on_two_sides": _patients_on_two_sides,
    "copies": _copies,
    "exact_copies": _exact_copies,
    "members_told": _members_told,
    "closer_than_held_out": _closer_than_held_out,
}
