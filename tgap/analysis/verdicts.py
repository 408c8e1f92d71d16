"""What a run's numbers mean, in words: each verdict is a rule over metrics and a sentence."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tgap.analysis.readings import (
    CLOSER,
    COPIED,
    EQUAL,
    EXACT,
    FEWEST_COPIES,
    HALF,
    LEFT_OUT,
    NEAR_CHANCE,
    OTHER_MIX,
    SCATTER,
    TIED,
    TUNING_KNOWN,
    Numbers,
    are_copies,
    beats_real,
    below_chance,
    fter_above_one,
    fter_means_something,
    is_collapsed,
    is_shortcut,
    looks_real,
    looks_unreal,
    practical_tie,
    real_at_chance,
    standing,
    threshold_is_lost,
    too_few,
    unrecognised,
    utility_lost,
)
from tgap.metrics.few_errors import ENOUGH_PATIENTS
from tgap.metrics.gap import CHANCE
from tgap.metrics.legs import LABELS_REAL, LABELS_SYNTHETIC, LEGS, REAL, SYNTHETIC
from tgap.metrics.pictures import defects


@dataclass(frozen=True)
class Verdict:
    """A finding about a run.

    Args:
        code: One of ``CODES``.
        sentence: The numbers, and what they mean.
    """

    code: str
    sentence: str


def verdicts(metrics: Mapping[str, float]) -> list[Verdict]:
    """All verdicts that a run's metrics support.

    Args:
        metrics: By name, as evaluators give them. Any may be missing or NaN: what cannot be known
            without it is left unsaid.

    Returns:
        In the order of ``CODES``: what the images are good for, what is wrong with them, and what
        to make of the numbers.

    >>> legs = {"tstr/auroc": 0.541, "trts/auroc": 0.575, "fter": 0.941}
    >>> [verdict.code for verdict in verdicts(legs)]
    ['no_better_than_chance', 'fter_meaningless']
    """
    numbers = Numbers(metrics)
    sentences = ((code, rule(numbers)) for code, rule in RULES.items())
    return [Verdict(code, sentence) for code, sentence in sentences if sentence is not None]


# What may be said of the real data, without which little may be said of synthetic ones


def _too_few_test_images(m: Numbers) -> str | None:
    if math.isnan(m.auroc("tstr")) or not too_few(m):
        return None
    lo, hi = m["tstr/auroc/lo"], m["tstr/auroc/hi"]
    truth = f"may in truth be anything from {lo:.2f} to {hi:.2f}" if lo <= hi else "may be anything"
    return (
        f"The test images are too few to say what the synthetic ones are good for: with "
        f"{_rarer(m)}, a TSTR of {m.auroc('tstr'):.3f} {truth}; about {ENOUGH_PATIENTS:.0f} would "
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
        f"{m.auroc('trtr'):.3f}{_of(m)}), so nothing can be said about synthetic ones: take "
        "more real images, or a better classifier"
    )


# What the synthetic images are good for


def _as_useful_as_real(m: Numbers) -> str | None:
    equal = practical_tie(m)
    if beats_real(m) or not (standing(m) == "above" and utility_lost(m) <= equal):
        return None
    sentence = (
        f"Training on the synthetic images is as good as training on real ones (TSTR "
        f"{m.auroc('tstr'):.3f}, TRTR {m.auroc('trtr'):.3f}{_of(m)})"
    )
    most = "t_gap/utility_lost/hi"
    if m.undefined(most):
        sentence += "; no interval is known of what may be lost"
    elif m[most] > equal:
        sentence += f", as far as the test images can tell: up to {m[most]:.3f} may be lost"
    if threshold_is_lost(m):
        sentence += ", as long as only the order of the images counts"
    return sentence + _one_training(m)


def _better_than_real(m: Numbers) -> str | None:
    if not (standing(m) == "above" and beats_real(m)):
        return None
    return (
        f"Training on the synthetic images is better than training on real ones ({_tstr(m)}; TRTR "
        f"{m.auroc('trtr'):.3f}): look for a leak first, such as test images or their patients "
        "among the tuning images (tgap data tells of them); or the real images that were trained "
        "on are fewer, worse labelled or of another kind than those of the test"
    )


def _partly_useful(m: Numbers) -> str | None:
    if not (standing(m) == "above" and utility_lost(m) > practical_tie(m)):
        return None
    return (
        f"The synthetic images teach {_percent(m.skill('tstr') / m.skill('trtr'))} of what real "
        f"ones teach beyond chance ({_tstr(m)}; TRTR {m.auroc('trtr'):.3f}){_one_training(m)}"
    )


def _hardly_better_than_chance(m: Numbers) -> str | None:
    if standing(m) != "hardly":
        return None
    return (
        f"A classifier trained on the synthetic images is hardly better than chance on real ones "
        f"({_tstr(m)}){_one_training(m)}"
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
            f"images says of real ones ({_tstr(m)}): take more of them"
        )
    limit = ", as far as the test images can tell" if m["tstr/auroc/lo"] <= CHANCE else ""
    return (
        f"A classifier trained on the synthetic images is no better than chance on real ones"
        f"{limit} ({_tstr(m)})"
    )


def _worse_than_chance(m: Numbers) -> str | None:
    if standing(m) != "below":
        return None
    return (
        f"A classifier trained on the synthetic images is worse than chance on real ones "
        f"({_tstr(m)}): {_why_below(m)}{_one_training(m)}"
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
        f"{_percent(m['occlusion/overlap'])} in common (halves of the synthetic images "
        f"{_percent(m['occlusion/overlap_floor'])}), see pictures/occlusion_occlusion.png"
    )


def _threshold_lost(m: Numbers) -> str | None:
    if not threshold_is_lost(m) or is_shortcut(m):
        return None
    return (
        f"What tells the labels apart in synthetic images does so in real ones at another "
        f"threshold (TSTR {m.auroc('tstr'):.3f}{_by_threshold(m)}; "
        f"{_percent(m['tstr/right_at_best_threshold'])} at the best): synthetic images may be "
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
        f", right on {_percent(right)} of real images at the threshold that is best on synthetic "
        f"ones, where chance is 50 %{calibrated}"
    )


# What the images are like


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
        f"{_trts_beside_trtr(m)}): they show typical cases and leave out the difficult ones"
    )


def _not_recognised(m: Numbers) -> str | None:
    if not unrecognised(m) or looks_real(m) or below_chance(m, "trts"):
        return None
    return (
        f"The classifier trained on real images does not see the labels in the synthetic ones "
        f"({_trts_beside_trtr(m)}): they look different from real images, or do not show what they "
        "are labelled as"
    )


def _wrong_labels(m: Numbers) -> str | None:
    if not unrecognised(m):
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
        f"{_beside_floor(m, 'precision')}; coverage {_beside_floor(m, 'coverage')}), yet the "
        f"classifier trained on real images does not see their labels ({_trts_beside_trtr(m)})"
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
        f"The synthetic images do not look like real ones (density {_beside_floor(m, 'density')}; "
        f"precision {_beside_floor(m, 'precision')}{_on_each_side(m)})"
    )


def _missing_modes(m: Numbers) -> str | None:
    share, prefix = m["fidelity/missing"], "fidelity/missing_"
    if looks_unreal(m) or is_collapsed(m) or not share >= LEFT_OUT:
        return None
    most = sorted((-s, name) for name, s in m.items() if name.startswith(prefix) and s >= HALF)
    named = [f"{name.removeprefix(prefix)} {_percent(-s)}" for s, name in most]
    of = f" ({', '.join(named)})".replace("finding_", "finding ") if named else ""
    covered = f" (coverage {_beside_floor(m, 'coverage')}{_on_each_side(m)})"
    return (
        f"The synthetic images leave out {_percent(share)} of what real images show{of}: these are "
        f"of kinds that few or no synthetic images resemble"
        f"{covered if m.of_floor('coverage') >= 0 else ''}, see pictures/fidelity_missing.png"
    )


def _collapsed(m: Numbers) -> str | None:
    if looks_unreal(m) or not is_collapsed(m):
        return None
    return (
        f"The generator draws few different images (coverage {_beside_floor(m, 'coverage')}; "
        f"{_vendi_beside_real(m)}{_on_each_side(m)}): each may "
        "look right, but together they leave out almost all of what real images show"
    )


def _less_varied(m: Numbers) -> str | None:
    if looks_unreal(m) or is_collapsed(m):
        return None
    less = []
    if m.of_floor("recall") < HALF:
        less.append(f"recall {_beside_floor(m, 'recall')}")
    if m.diversity() < HALF:
        less.append(_vendi_beside_real(m))
    if not less:
        return None
    return f"The synthetic images vary less than real ones ({'; '.join(less)}{_on_each_side(m)})"


# Whether they are new


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
    told = ", ".join(f"{_percent(share)} in the {name}" for share, name in shared)
    return (
        f"Test images are of patients who stand on another side too ({told}): what was learnt of "
        "these patients is tested, so the legs flatter; protocol=clean keeps patients together"
    )


def _copies(m: Numbers) -> str | None:
    if not are_copies(m):
        return None
    copied = m[COPIED]
    found = _equal_to_tuning(m)
    if copied >= FEWEST_COPIES and m["memorization/copied_false_alarms"] >= 0:
        exactly = f"; {found}" if m[EXACT] > 0 else ""
        found = (
            f"{_percent(copied)} of the synthetic images are copies of {_originals(m)} (held-out "
            f"real images taken for copies: {_percent(m['memorization/copied_false_alarms'])})"
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
        return f"{_percent(share)} of the"
    return f"{share * images:,.0f} of the {images:,.0f}"


def _closer_than_held_out(m: Numbers) -> str | None:
    closer = m["memorization/closer_than_held_out"]
    if not closer > CLOSER or are_copies(m):
        return None
    return (
        f"In {_percent(closer)} of comparisons a synthetic image is closer to the tuning images "
        "than a held-out real one is (50 % where nothing is copied): the generator draws "
        "blends or details of them, or only typical images"
    )


# What to make of the numbers


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
        f"Training on the synthetic images loses {lost[worst]:.3f} more for {column} {group} than "
        f"for the others (TSTR {m[f'{worst}/tstr']:.3f}, TRTR {m[f'{worst}/trtr']:.3f}, of "
        f"{m[f'{worst}/images']:.0f} images{further}): the synthetic set may lack them, or show "
        "them otherwise"
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
    shares = ", ".join(f"{leg.upper()} {_percent(share)}" for leg, share in tied.items())
    return (
        f"Many images with a label score exactly as images without it ({shares} of pairs, which "
        "count one half): AUROCs say less of these classifiers than they seem to"
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
    return f"FTER ({m['fter']:.3f}) above 1 is no praise ({legs}): {why}"


def _fter_meaningless(m: Numbers) -> str | None:
    legs = [leg for leg in ("tstr", "trts") if m.auroc(leg) >= 0]
    if not m["fter"] >= 0 or len(legs) < 2 or fter_means_something(m):
        return None
    unsure = [leg for leg in legs if m[f"{leg}/auroc/lo"] <= CHANCE]
    near = [leg for leg in legs if m.auroc(leg) < NEAR_CHANCE] or unsure or legs
    named = " and ".join(f"{leg.upper()} is {m.auroc(leg):.3f}" for leg in near)
    if any(below_chance(m, leg) for leg in near):
        why = "a leg below chance counts for what it has learnt the wrong way round"
    elif near == unsure:
        why = "that is not told from chance by the test images"
    else:
        why = "the ratio of two legs that are near chance tends to 1 however bad the images are"
    return f"FTER ({m['fter']:.3f}) means nothing here: {named}, and {why}"


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
    "easier_than_reality": _easier_than_reality,
    "not_recognised": _not_recognised,
    "wrong_labels": _wrong_labels,
    "same_picture": _same_picture,
    "repeats": _repeats,
    "unrealistic": _unrealistic,
    "missing_modes": _missing_modes,
    "collapsed": _collapsed,
    "less_varied": _less_varied,
    "tested_on_synthetic": _tested_on_synthetic,
    "patients_on_two_sides": _patients_on_two_sides,
    "copies": _copies,
    "exact_copies": _exact_copies,
    "closer_than_held_out": _closer_than_held_out,
    "worse_for_a_group": _worse_for_a_group,
    "other_mix_of_labels": _other_mix_of_labels,
    "tied_scores": _tied_scores,
    "fter_above_one": _fter_above_one,
    "fter_meaningless": _fter_meaningless,
}
"""The sentence of a code, or nothing where it does not hold or cannot be known."""

CODES = tuple(RULES)


def _one_training(m: Numbers) -> str:
    """What is to be added to a TSTR that is not far from chance."""
    if not abs(m.skill("tstr")) < SCATTER:
        return ""
    return (
        "; this is one training: where nothing is learnt, trainings scatter by about .1, so run "
        "several seeds"
    )


def _tstr(m: Numbers) -> str:
    """TSTR with its interval, as far as that is known."""
    lo, hi = m["tstr/auroc/lo"], m["tstr/auroc/hi"]
    if m.undefined("tstr/auroc/lo"):
        interval = " without an interval"
    else:
        interval = f" [{lo:.3f}, {hi:.3f}]" if lo <= hi else ""
    return f"TSTR {m.auroc('tstr'):.3f}{interval}{_of(m)}"


def _trts_beside_trtr(m: Numbers) -> str:
    """With how many synthetic test images there are, as far as that is known."""
    of = f", of {_rarer(m, SYNTHETIC)}" if m[SYNTHETIC] >= 0 else ""
    return f"TRTS {m.auroc('trts'):.3f}{of}, TRTR {m.auroc('trtr'):.3f}"


def _of(m: Numbers) -> str:
    """How many test images an AUROC on real_test is of, as far as that is known."""
    return f", of {_rarer(m)}" if m[REAL] >= 0 else ""


def _rarer(m: Numbers, side: str = REAL) -> str:
    """Images of one patient say little more than one."""
    number = math.floor(m[side])
    kind = "synthetic test" if side == SYNTHETIC else "test"
    return f"{number} independent {kind} {'image' if number == 1 else 'images'} of the rarer label"


def _beside_floor(m: Numbers, name: str) -> str:
    return f"{m[f'fidelity/{name}']:.2f}, real images {m[f'fidelity/{name}_floor']:.2f}"


def _on_each_side(m: Numbers) -> str:
    """How many images stand behind a finding on fidelity, as far as that is known."""
    return f"; {m['fidelity/n']:.0f} images on each side" if m["fidelity/n"] >= 0 else ""


def _vendi_beside_real(m: Numbers) -> str:
    return f"Vendi score {m['diversity/vendi']:.1f}, real images {m['diversity/vendi_real']:.1f}"


def _percent(share: float) -> str:
    """In whole percent, in tenths below 10 %.

    >>> _percent(0.984), _percent(0.012)
    ('98 %', '1.2 %')
    """
    return f"{100 * share:.0f} %" if share >= 0.0995 else f"{100 * share:.1f} %"
