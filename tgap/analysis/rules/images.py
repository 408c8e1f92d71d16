"""What the synthetic images are like."""

from collections.abc import Callable

from tgap.analysis.readings import (
    EQUAL,
    HALF,
    LEFT_OUT,
    Numbers,
    below_chance,
    is_collapsed,
    is_shortcut,
    looks_real,
    looks_unreal,
    real_at_chance,
    unrecognised,
)
from tgap.analysis.rules.phrases import (
    beside_floor,
    on_each_side,
    percent,
    trts_beside_trtr,
    vendi_beside_real,
)
from tgap.metrics.pictures import defects


def _easier_than_reality(m: Numbers) -> str | None:
    surplus, least = m.auroc("trts") - m.auroc("trtr"), "t_gap/easier_than_reality/lo"
    if (
        is_shortcut(m)
        or not surplus > EQUAL
        or m[least] <= 0
        or m.undefined(least)
        or real_at_chance(m)
    ):
        return None
    return (
        f"The labels are easier to tell apart in synthetic images than in real ones ("
        f"{trts_beside_trtr(m)}): they show typical cases and leave out the difficult ones"
    )


def _not_recognised(m: Numbers) -> str | None:
    if not unrecognised(m) or looks_real(m) or below_chance(m, "trts"):
        return None
    return (
        f"The classifier trained on real images does not see the labels in the synthetic ones "
        f"({trts_beside_trtr(m)}): they look different from real images, or do not show what they "
        "are labelled as"
    )


def _wrong_labels(m: Numbers) -> str | None:
    if not unrecognised(m) or is_shortcut(m):  # which turns the real classifier's answers about
        return None
    if below_chance(m, "trts"):
        return (
            f"The classifier trained on real images sees other labels in the synthetic ones than "
            f"they have (TRTS {m.auroc('trts'):.3f}, worse than chance; TRTR "
            f"{m.auroc('trtr'):.3f}): labels may be swapped between the synthetic and the real set"
        )
    if not looks_real(m):
        return None
    return (
        f"Many synthetic images do not show what they are labelled as: they look real (precision "
        f"{beside_floor(m, 'precision')}; coverage {beside_floor(m, 'coverage')}), yet the "
        f"classifier trained on real images does not see their labels ({trts_beside_trtr(m)})"
    )


def _same_picture(m: Numbers) -> str | None:
    sentence = "; ".join(defects(m.pictures()))
    if not sentence:
        return None
    return (
        f"{sentence[0].upper()}{sentence[1:]}: look at them, since a generator that has broken "
        "down draws such, and so does a safety filter or a file that is read wrongly"
    )


def _repeats(m: Numbers) -> str | None:
    images, different = m["diversity/images"], m["diversity/different"]
    if not different < images or defects(m.pictures()):
        return None
    sentence = (
        f"{images - different:,.0f} of the {images:,.0f} synthetic images repeat another one in "
        f"every pixel ({different:,.0f} different ones): a repeat teaches nothing new"
    )
    tested = m["diversity/tested_repeats"]
    if tested > 0:
        sentence += (
            f"; {tested:,.0f} of those that are tested on are trained on too, so TSTS is too high"
        )
    return sentence


def _unrealistic(m: Numbers) -> str | None:
    if not looks_unreal(m):
        return None
    return (
        f"The synthetic images do not look like real ones (density {beside_floor(m, 'density')}; "
        f"precision {beside_floor(m, 'precision')}{on_each_side(m)})"
    )


def _missing_modes(m: Numbers) -> str | None:
    share, prefix = m["fidelity/missing"], "fidelity/missing_"
    if looks_unreal(m) or is_collapsed(m) or not share >= LEFT_OUT:
        return None
    most = sorted((-s, name) for name, s in m.items() if name.startswith(prefix) and s >= HALF)
    named = [f"{name.removeprefix(prefix)} {percent(-s)}" for s, name in most]
    of = f" ({', '.join(named)})".replace("finding_", "finding ") if named else ""
    covered = f" (coverage {beside_floor(m, 'coverage')}{on_each_side(m)})"
    return (
        f"The synthetic images leave out {percent(share)} of what real images show{of}: these are "
        f"of kinds that few or no synthetic images resemble"
        f"{covered if m.of_floor('coverage') >= 0 else ''}, see pictures/fidelity_missing.png"
    )


def _collapsed(m: Numbers) -> str | None:
    if looks_unreal(m) or not is_collapsed(m):
        return None
    return (
        f"The generator draws few different images (coverage {beside_floor(m, 'coverage')}; "
        f"{vendi_beside_real(m)}{on_each_side(m)}): each may "
        "look right, but together they leave out almost all of what real images show"
    )


def _less_varied(m: Numbers) -> str | None:
    if looks_unreal(m) or is_collapsed(m):
        return None
    less = []
    if m.of_floor("recall") < HALF:
        less.append(f"recall {beside_floor(m, 'recall')}")
    if m.diversity() < HALF:
        less.append(vendi_beside_real(m))
    if not less:
        return None
    return f"The synthetic images vary less than real ones ({'; '.join(less)}{on_each_side(m)})"


RULES: dict[str, Callable[[Numbers], str | None]] = {
    "easier_than_reality": _easier_than_reality,
    "not_recognised": _not_recognised,
    "wrong_labels": _wrong_labels,
    "same_picture": _same_picture,
    "repeats": _repeats,
    "unrealistic": _unrealistic,
    "missing_modes": _missing_modes,
    "collapsed": _collapsed,
    "less_varied": _less_varied,
}
