"""What a run's numbers mean, in words: each verdict is a rule over metrics and a sentence."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

CHANCE = 0.5
NEAR_CHANCE = 0.55
"""AUROC below which little is learnt. Chance may reach it with 250 images per label (two standard
errors above .5), so where no interval is known, it is the border of chance too."""
EQUAL = 0.02
"""AUROCs that differ by no more are the same for all practical purposes: another seed of the same
classifier moves them as far."""
EQUAL_SHARE = 0.1
"""The same as a share of TRTR above chance: of a TRTR of .6, .02 is a fifth of all that real images
teach."""
SCATTER = 0.15
"""AUROC above chance up to which one training proves little: where nothing is learnt, trainings
scatter with a standard deviation of about .1."""
RECOGNISED = 0.75
"""Share of TRTR's AUROC above chance that TRTS must have. If a share r of the labels is wrong (of
two), 1 - 2r is left: so one wrong label in eight."""
LIKE_REAL = 0.8
"""Share of the floor, which is what other real images reach, from which images look real."""
SMALL = 0.1
"""Share of the floor below which next to nothing is left."""
QUARTER = 0.25
"""Share of the floor that one image per label may cover of some fifty."""
HALF = 0.5
"""Share of the floor, or of real images' diversity, below which most is missing."""
COPIES = 3.0
"""A detector that is wrong on 1 % of real images is known to be so within about 0.6 %, from 250 of
them: three times its false alarms are no error of it."""
FEWEST_COPIES = 0.03
"""Share of copies that counts even where not one false alarm was seen."""
CLOSER = 0.6
"""Of a probability that is .5 where nothing is copied; real images of other patients come within
.01 of that."""


@dataclass(frozen=True)
class Verdict:
    """A finding about a run.

    Args:
        code: One of ``CODES``.
        sentence: The numbers, and what they mean.
    """

    code: str
    sentence: str


class _Numbers(dict[str, float]):
    """Metrics, NaN where one is missing.

    A comparison with NaN is false. So a rule asks for what speaks for its verdict, and is silent
    where that is not known.
    """

    def __missing__(self, name: str) -> float:
        return float("nan")

    def undefined(self, name: str) -> bool:
        """Whether a metric was asked for and could not be known: NaN, and not missing."""
        return name in self and math.isnan(self[name])

    def auroc(self, leg: str) -> float:
        return self[f"{leg}/auroc"]

    def skill(self, leg: str) -> float:
        """AUROC above chance."""
        return self.auroc(leg) - CHANCE

    def of_floor(self, name: str) -> float:
        """A fidelity metric as a share of what other real images reach."""
        return _ratio(self[f"fidelity/{name}"], self[f"fidelity/{name}_floor"])

    def diversity(self) -> float:
        """Vendi score beyond 1, which images that are all alike have, as a share of real ones'."""
        return _ratio(self["diversity/vendi"] - 1, self["diversity/vendi_real"] - 1)


def _ratio(value: float, reference: float) -> float:
    return value / reference if reference > 0 else float("nan")


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
    numbers = _Numbers(metrics)
    found = ((code, rule(numbers)) for code, rule in RULES.items())
    return [Verdict(code, sentence) for code, sentence in found if sentence is not None]


# What may be said of the real data, without which little may be said of synthetic ones


def _real_no_better_than_chance(m: _Numbers) -> str | None:
    if not _real_at_chance(m):
        return None
    return (
        f"Even the classifier trained on real images is near chance (TRTR {m.auroc('trtr'):.3f}), "
        "so nothing can be said about synthetic ones: take more real images, or a better classifier"
    )


# What the synthetic images are good for


def _as_useful_as_real(m: _Numbers) -> str | None:
    equal = _equal(m)
    if not (_standing(m) == "above" and _lost(m) <= equal):
        return None
    sentence = (
        f"Training on the synthetic images is as good as training on real ones (TSTR "
        f"{m.auroc('tstr'):.3f}, TRTR {m.auroc('trtr'):.3f})"
    )
    most = "t_gap/utility_lost/hi"
    if m.undefined(most):
        sentence += "; no interval is known of what may be lost"
    elif m[most] > equal:
        sentence += f", as far as the test images can tell: up to {m[most]:.3f} may be lost"
    return sentence + _one_training(m)


def _partly_useful(m: _Numbers) -> str | None:
    if not (_standing(m) == "above" and _lost(m) > _equal(m)):
        return None
    return (
        f"The synthetic images teach {_percent(m.skill('tstr') / m.skill('trtr'))} of what real "
        f"ones teach beyond chance ({_tstr(m)}, TRTR {m.auroc('trtr'):.3f}){_one_training(m)}"
    )


def _hardly_better_than_chance(m: _Numbers) -> str | None:
    if _standing(m) != "hardly":
        return None
    return (
        f"A classifier trained on the synthetic images is hardly better than chance on real ones "
        f"({_tstr(m)}){_one_training(m)}"
    )


def _no_better_than_chance(m: _Numbers) -> str | None:
    if _standing(m) == "luck":
        return (
            f"The labels cannot be read from the synthetic images, neither by the classifier "
            f"trained on real images nor by their own (TRTS {m.auroc('trts'):.3f}, TSTS "
            f"{m.auroc('tsts'):.3f}), so a TSTR of {m.auroc('tstr'):.3f} is luck, good or bad"
        )
    if _standing(m) != "at":
        return None
    known = ", as far as the test images can tell" if m["tstr/auroc/lo"] <= CHANCE else ""
    return (
        f"A classifier trained on the synthetic images is no better than chance on real ones"
        f"{known} ({_tstr(m)})"
    )


def _worse_than_chance(m: _Numbers) -> str | None:
    if _standing(m) != "below":
        return None
    return (
        f"A classifier trained on the synthetic images is worse than chance on real ones "
        f"({_tstr(m)}): labels may be swapped between the synthetic and the real set"
        f"{_one_training(m)}"
    )


def _no_better_than_metadata(m: _Numbers) -> str | None:
    baseline = m["baseline/metadata_auroc"]
    if not (_standing(m) in ("above", "hardly") and m.auroc("tstr") <= baseline + EQUAL):
        return None
    return (
        f"A classifier that sees metadata and no image is as good (AUROC {baseline:.3f}) as one "
        f"trained on the synthetic images (TSTR {m.auroc('tstr'):.3f}): what these teach may be "
        "no more than who is on them"
    )


# What the images are like


def _easier_than_reality(m: _Numbers) -> str | None:
    surplus, least = m.auroc("trts") - m.auroc("trtr"), "t_gap/easier_than_reality/lo"
    if not surplus > EQUAL or m[least] <= 0 or m.undefined(least) or _real_at_chance(m):
        return None
    return (
        f"The labels are easier to tell apart in synthetic images than in real ones (TRTS "
        f"{m.auroc('trts'):.3f}, TRTR {m.auroc('trtr'):.3f}): they show typical cases and "
        "leave out the difficult ones"
    )


def _not_recognised(m: _Numbers) -> str | None:
    if not _unrecognised(m) or _looks_real(m):
        return None
    return (
        f"The classifier trained on real images does not see the labels in the synthetic ones "
        f"(TRTS {m.auroc('trts'):.3f}, TRTR {m.auroc('trtr'):.3f}): they look different from real "
        "images, or do not show what they are labelled as"
    )


def _wrong_labels(m: _Numbers) -> str | None:
    if not (_unrecognised(m) and _looks_real(m)):
        return None
    return (
        f"Many synthetic images do not show what they are labelled as: they look real (precision "
        f"{_beside_floor(m, 'precision')}; coverage {_beside_floor(m, 'coverage')}), yet the "
        f"classifier trained on real images does not see their labels (TRTS "
        f"{m.auroc('trts'):.3f}, TRTR {m.auroc('trtr'):.3f})"
    )


def _unrealistic(m: _Numbers) -> str | None:
    if not _looks_unreal(m):
        return None
    return (
        f"The synthetic images do not look like real ones (density {_beside_floor(m, 'density')}; "
        f"precision {_beside_floor(m, 'precision')})"
    )


def _collapsed(m: _Numbers) -> str | None:
    if _looks_unreal(m) or not _is_collapsed(m):
        return None
    return (
        f"The generator draws few different images (coverage {_beside_floor(m, 'coverage')}; "
        f"{_vendi_beside_real(m)}): each may "
        "look right, but together they leave out almost all of what real images show"
    )


def _less_varied(m: _Numbers) -> str | None:
    if _looks_unreal(m) or _is_collapsed(m):
        return None
    less = []
    if m.of_floor("recall") < HALF:
        less.append(f"recall {_beside_floor(m, 'recall')}")
    if m.diversity() < HALF:
        less.append(_vendi_beside_real(m))
    return f"The synthetic images vary less than real ones ({'; '.join(less)})" if less else None


# Whether they are new


def _tested_on_synthetic(m: _Numbers) -> str | None:
    share = m["memorization/in_real_test"]
    if not share > 0:
        return None
    return (
        f"{_percent(share)} of the synthetic images are images of the real test set: what was "
        "trained on is tested on, so TSTR cannot be trusted"
    )


def _copies(m: _Numbers) -> str | None:
    if not _are_copies(m):
        return None
    return (
        f"{_percent(m['memorization/copied_fraction'])} of the synthetic images are copies of "
        f"tuning images (held-out real images taken for copies: "
        f"{_percent(m['memorization/copied_false_alarms'])}): they hold no further patients, and "
        "giving them away gives the tuning images away"
    )


def _closer_than_held_out(m: _Numbers) -> str | None:
    closer = m["memorization/closer_than_held_out"]
    if not closer > CLOSER or _are_copies(m):
        return None
    return (
        f"In {_percent(closer)} of comparisons a synthetic image is closer to the tuning images "
        "than a held-out real one is (50 % where nothing is copied): the generator draws "
        "blends or details of them, or only typical images"
    )


# What to make of the numbers


def _fter_meaningless(m: _Numbers) -> str | None:
    near = [leg for leg in ("tstr", "trts") if m.auroc(leg) < NEAR_CHANCE]
    if not near or not m["fter"] >= 0:
        return None
    legs = " and ".join(f"{leg.upper()} is {m.auroc(leg):.3f}" for leg in near)
    return (
        f"FTER ({m['fter']:.3f}) means nothing here: {legs}, and the ratio of two legs that are "
        "near chance tends to 1 however bad the images are"
    )


RULES: dict[str, Callable[[_Numbers], str | None]] = {
    "real_no_better_than_chance": _real_no_better_than_chance,
    "as_useful_as_real": _as_useful_as_real,
    "partly_useful": _partly_useful,
    "hardly_better_than_chance": _hardly_better_than_chance,
    "no_better_than_chance": _no_better_than_chance,
    "worse_than_chance": _worse_than_chance,
    "no_better_than_metadata": _no_better_than_metadata,
    "easier_than_reality": _easier_than_reality,
    "not_recognised": _not_recognised,
    "wrong_labels": _wrong_labels,
    "unrealistic": _unrealistic,
    "collapsed": _collapsed,
    "less_varied": _less_varied,
    "tested_on_synthetic": _tested_on_synthetic,
    "copies": _copies,
    "closer_than_held_out": _closer_than_held_out,
    "fter_meaningless": _fter_meaningless,
}
"""The sentence of a code, or nothing where it does not hold or cannot be known."""

CODES = tuple(RULES)


def _real_at_chance(m: _Numbers) -> bool:
    return m.auroc("trtr") < NEAR_CHANCE


def _lost(m: _Numbers) -> float:
    return m.auroc("trtr") - m.auroc("tstr")


def _equal(m: _Numbers) -> float:
    """How much may be lost where training on either side counts as equal."""
    return min(EQUAL, EQUAL_SHARE * m.skill("trtr"))


def _standing(m: _Numbers) -> Literal["unknown", "luck", "below", "at", "hardly", "above"]:
    """Where TSTR stands to chance, by its interval, or by ``NEAR_CHANCE`` if that is not known.

    ``luck`` is a TSTR wherever it stands, of images that no classifier reads the labels from.
    """
    tstr, lo = m.auroc("tstr"), m["tstr/auroc/lo"]
    if math.isnan(tstr) or _real_at_chance(m):
        return "unknown"
    if _unreadable(m):
        return "luck"
    if m["tstr/auroc/hi"] < CHANCE:
        return "below"
    if lo <= CHANCE or (math.isnan(lo) and tstr < NEAR_CHANCE):
        return "at"
    return "hardly" if tstr < NEAR_CHANCE else "above"


def _unreadable(m: _Numbers) -> bool:
    """Whether no classifier reads the labels from synthetic images.

    Then TSTR is that of an arbitrary function of the image, which may be far from .5: five
    classifiers that were trained on noise had .33 to .56 on digits.
    """
    return m.auroc("tsts") < NEAR_CHANCE and m.auroc("trts") < NEAR_CHANCE


def _unrecognised(m: _Numbers) -> bool:
    most = "t_gap/easier_than_reality/hi"
    sure = not (m[most] >= 0 or m.undefined(most))
    able = m.auroc("trtr") >= NEAR_CHANCE
    return able and sure and m.skill("trts") < RECOGNISED * m.skill("trtr")


def _looks_real(m: _Numbers) -> bool:
    return m.of_floor("precision") >= LIKE_REAL and m.of_floor("coverage") >= LIKE_REAL


def _looks_unreal(m: _Numbers) -> bool:
    return m.of_floor("density") < SMALL and m.of_floor("precision") < HALF


def _is_collapsed(m: _Numbers) -> bool:
    # With few images one of them is near many real ones: coverage is then no small part.
    covers_little = m.of_floor("coverage") < SMALL and m.diversity() < HALF
    return covers_little or (m.of_floor("coverage") < QUARTER and m.diversity() < SMALL)


def _are_copies(m: _Numbers) -> bool:
    share = m["memorization/copied_fraction"]
    return share >= FEWEST_COPIES and share >= COPIES * m["memorization/copied_false_alarms"]


def _one_training(m: _Numbers) -> str:
    """What is to be added to a TSTR that is not far from chance."""
    if not abs(m.skill("tstr")) < SCATTER:
        return ""
    return (
        "; this is one training: where nothing is learnt, trainings scatter by about .1, so run "
        "several seeds"
    )


def _tstr(m: _Numbers) -> str:
    """TSTR with its interval, as far as that is known."""
    lo, hi = m["tstr/auroc/lo"], m["tstr/auroc/hi"]
    if m.undefined("tstr/auroc/lo"):
        interval = " without an interval"
    else:
        interval = f" [{lo:.3f}, {hi:.3f}]" if lo <= hi else ""
    return f"TSTR {m.auroc('tstr'):.3f}{interval}"


def _beside_floor(m: _Numbers, name: str) -> str:
    return f"{m[f'fidelity/{name}']:.2f}, real images {m[f'fidelity/{name}_floor']:.2f}"


def _vendi_beside_real(m: _Numbers) -> str:
    return f"Vendi score {m['diversity/vendi']:.1f}, real images {m['diversity/vendi_real']:.1f}"


def _percent(share: float) -> str:
    """In whole percent, in tenths below 10 %.

    >>> _percent(0.984), _percent(0.012)
    ('98 %', '1.2 %')
    """
    return f"{100 * share:.0f} %" if share >= 0.0995 else f"{100 * share:.1f} %"
