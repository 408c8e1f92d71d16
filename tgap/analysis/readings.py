"""What numbers mean, one reading at a time; verdicts put them into sentences."""

import math
from typing import Literal

from tgap.metrics.few_errors import ENOUGH_PATIENTS, FLOOR_PATIENTS
from tgap.metrics.gap import CHANCE, fter_is_meaningful
from tgap.metrics.legs import REAL, SYNTHETIC
from tgap.metrics.membership import clopper_pearson
from tgap.metrics.pictures import Pictures

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

TIED = 0.01
"""Share of pairs with equal scores: half of it is at most what breaking ties can move an AUROC."""

OTHER_MIX = 0.1
"""Share by which the labels of an image may differ in number between real and synthetic sets, both
drawn label by label: chance moves it by a few hundredths with 100 images of a label."""

SMALL = 0.1
"""Share of the floor below which next to nothing is left."""

QUARTER = 0.25
"""Share of the floor that one image per label may cover of some fifty."""

LEAST_BELOW = 4.0
"""Independent test images of the rarer label from which worse than chance is said: with three, it
would be in one of ten cases where nothing is learnt, with one in every second."""

HALF = 0.5
"""Share of the floor, or of real images' diversity, below which most is missing."""

COPIES = 3.0
"""A detector that is wrong on 1 % of real images is known to be so within about 0.6 %, from 250 of
them: three times its false alarms are no error of it."""

FEWEST_COPIES = 0.03
"""Share of copies that counts even where not one false alarm was seen."""

COPIED, EXACT = "memorization/copied_fraction", "memorization/equal_to_tuning"
TUNING_KNOWN = "memorization/tuning_known"
"""0 where copies are looked for in images that may have been tuned on or not."""
BETTER = 0.05
"""AUROC that TSTR may be above TRTR or TRTS without a word: other training images of the same
number move it by .03 (digits, 600 images), which no interval of one run shows."""

LEAST_FOR_THRESHOLD = 50.0
"""Independent test images of the rarer label that both sides need before a threshold is called
lost: one that few images choose is anywhere."""

MEMBERS_P = 0.01
"""p of the membership test up to which tuning images are said to be told from others. Together with
the interval, that is said in less than .01 of runs where nothing is given away."""

LEFT_OUT = 0.05
"""Share of real images of kinds that synthetic ones leave out, from which it is told. Of images of
the same distribution it is 0 mostly; where they are those of few patients with many images each, it
is told in one of ten sets."""

ELSEWHERE = 0.5
"""Share of its floor below which a classifier looks at other places on real images: on digits .25
to .4 where a mark or a ground of their own tells the labels, .8 or more elsewhere."""

CLOSER = 0.6
"""Of a probability that is .5 where nothing is copied; real images of other patients come within
.01 of that."""


class Numbers(dict[str, float]):
    """Metrics, NaN where one is missing.

    A comparison with NaN is false. So a rule asks for what speaks for its verdict, and is silent
    where that is not known. An end of an interval that is not known says nothing of the value:
    where that lies far enough out, the rule goes by the value.
    """

    def __missing__(self, name: str) -> float:
        return float("nan")

    def undefined(self, name: str) -> bool:
        """Whether a metric was asked for and could not be known: NaN, and not missing."""
        return name in self and math.isnan(self[name])

    def auroc(self, leg: str) -> float:
        """Macro AUROC of a leg."""
        return self[f"{leg}/auroc"]

    def skill(self, leg: str) -> float:
        """AUROC above chance."""
        return self.auroc(leg) - CHANCE

    def of_floor(self, name: str) -> float:
        """A fidelity metric as a share of what other real images reach."""
        return ratio(self[f"fidelity/{name}"], self[f"fidelity/{name}_floor"])

    def pictures(self) -> dict[str, Pictures]:
        """Counts of the synthetic images of each label, as far as they are known."""
        prefix = "diversity/different_"
        labels = [name.removeprefix(prefix) for name in self if name.startswith(prefix)]
        counts = {
            label: [self[f"diversity/{what}_{label}"] for what in Pictures._fields]
            for label in labels
        }
        return {
            label: Pictures(*map(int, values))
            for label, values in counts.items()
            if not any(map(math.isnan, values))
        }

    def diversity(self) -> float:
        """Vendi score beyond 1, which images that are all alike have, as a share of real ones'."""
        return ratio(self["diversity/vendi"] - 1, self["diversity/vendi_real"] - 1)


def ratio(value: float, reference: float) -> float:
    """``value / reference``; NaN where there is nothing to compare with."""
    return value / reference if reference > 0 else float("nan")


def too_few(m: Numbers) -> bool:
    """Whether the test images are too few to say what synthetic ones are good for.

    Below ``FLOOR_PATIENTS`` they always are, but for a TSTR that is below chance all the same;
    below ``ENOUGH_PATIENTS``, where no loss is seen and more than half may be lost.
    """
    if below_chance(m, "tstr") and not unreadable(m):
        return False
    unseen = utility_lost(m) <= practical_tie(m) and not (
        m["t_gap/utility_lost/hi"] <= HALF * m.skill("trtr")
    )
    return m[REAL] < FLOOR_PATIENTS or (m[REAL] < ENOUGH_PATIENTS and unseen)


def below_chance(m: Numbers, leg: str) -> bool:
    """Whether a leg is worse than chance, by its interval, or by ``SCATTER`` if that is not known.

    A synthetic set with swapped labels has a TSTR of 0 and a TRTS of 0; so has one in two of those
    that are tested on one image.
    """
    if m[SYNTHETIC if leg.endswith("s") else REAL] < LEAST_BELOW:
        return False
    hi = m[f"{leg}/auroc/hi"]
    return m.skill(leg) <= -SCATTER if math.isnan(hi) else hi < CHANCE


def real_at_chance(m: Numbers) -> bool:
    """Whether real images themselves teach next to nothing."""
    return m.auroc("trtr") < NEAR_CHANCE


def utility_lost(m: Numbers) -> float:
    """TRTR - TSTR."""
    return m.auroc("trtr") - m.auroc("tstr")


def practical_tie(m: Numbers) -> float:
    """How much may be lost where training on either side counts as equal."""
    return min(EQUAL, EQUAL_SHARE * m.skill("trtr"))


def beats_real(m: Numbers) -> bool:
    """Whether training on synthetic images is better than training on other real ones would be.

    By ``BETTER``, and by its interval where that is known.
    """
    return -utility_lost(m) > BETTER and not m["t_gap/utility_lost/hi"] >= 0


def standing(m: Numbers) -> Literal["unknown", "luck", "below", "at", "hardly", "above"]:
    """Where TSTR stands to chance, by its interval, or by the value if that is not known.

    ``unknown`` it is where real images teach nothing, or the test images are too few; ``luck`` is
    a TSTR wherever it stands, of images that no classifier reads the labels from.
    """
    tstr, lo = m.auroc("tstr"), m["tstr/auroc/lo"]
    if math.isnan(tstr) or real_at_chance(m) or too_few(m):
        return "unknown"
    if unreadable(m):
        return "luck"
    if below_chance(m, "tstr"):
        return "below"
    if lo <= CHANCE or (math.isnan(lo) and tstr < NEAR_CHANCE):
        return "at"
    return "hardly" if tstr < NEAR_CHANCE else "above"


def unreadable(m: Numbers) -> bool:
    """Whether no classifier reads the labels from synthetic images.

    Then TSTR is that of an arbitrary function of the image, which may be far from .5: five
    classifiers that were trained on noise had .33 to .56 on digits.
    """
    return m.auroc("tsts") < NEAR_CHANCE and m.auroc("trts") < NEAR_CHANCE


def fter_above_one(m: Numbers) -> bool:
    """Whether FTER is above 1 by more than test images or another training explain."""
    sure = not m["fter/lo"] <= 1 and not m.undefined("fter/lo")
    above = m["fter"] > 1 and m.auroc("tstr") - m.auroc("trts") > BETTER
    return sure and above and fter_means_something(m)


def fter_means_something(m: Numbers) -> bool:
    """As the table marks it; by the legs where it was not computed."""
    if "fter/meaningful" in m:
        return m["fter/meaningful"] != 0
    least = [m[f"{leg}/auroc/lo"] for leg in ("tstr", "trts")]
    return fter_is_meaningful(m.auroc("tstr"), m.auroc("trts"), least=least)


def threshold_is_lost(m: Numbers) -> bool:
    """Whether thresholds that tell synthetic images apart are of little use on real ones.

    With ``LEAST_FOR_THRESHOLD`` images at least, and where even the upper end of what they keep, by
    Clopper & Pearson of so many images of either side, is less than half of what the best keeps.
    """
    best = m["tstr/right_at_best_threshold"] - CHANCE
    learnt = m.skill("tsts") >= SCATTER and m.auroc("tstr") >= 0 and best >= NEAR_CHANCE - CHANCE
    enough = all(m[side] >= LEAST_FOR_THRESHOLD for side in (REAL, SYNTHETIC))
    right, images = m["tstr/right_at_synthetic_threshold"], 2 * m[REAL]
    if not (learnt and enough and right >= 0):
        return False
    return clopper_pearson(right * images, images)[1] < CHANCE + HALF * best


def is_shortcut(m: Numbers) -> bool:
    """Whether the synthetic classifier looks at something that real images do not have there.

    The real side must suffer from it: it loses AUROC, or the threshold is of little use. Images
    that are all alike tell the labels by any of their pixels.
    """
    elsewhere = ratio(m["occlusion/overlap"], m["occlusion/overlap_floor"]) < ELSEWHERE
    suffers = threshold_is_lost(m) or utility_lost(m) > practical_tie(m)
    return elsewhere and suffers and m.skill("tsts") >= SCATTER and not is_collapsed(m)


def unrecognised(m: Numbers) -> bool:
    """Whether the real classifier does not see in synthetic images what they are to show."""
    most = "t_gap/easier_than_reality/hi"
    sure = below_chance(m, "trts") or not (m[most] >= 0 or m.undefined(most))
    able = m.auroc("trtr") >= NEAR_CHANCE
    return able and sure and m.skill("trts") < RECOGNISED * m.skill("trtr")


def looks_real(m: Numbers) -> bool:
    """Whether images lie among real ones nearly as other real ones do."""
    return m.of_floor("precision") >= LIKE_REAL and m.of_floor("coverage") >= LIKE_REAL


def looks_unreal(m: Numbers) -> bool:
    """Whether hardly any image lies among real ones."""
    return m.of_floor("density") < SMALL and m.of_floor("precision") < HALF


def is_collapsed(m: Numbers) -> bool:
    """Whether images are nearly all alike."""
    # With few images one of them is near many real ones: coverage is then no small part.
    covers_little = m.of_floor("coverage") < SMALL and m.diversity() < HALF
    return covers_little or (m.of_floor("coverage") < QUARTER and m.diversity() < SMALL)


def unknown_copies(share: float, tuning_known: float, least: float = FEWEST_COPIES) -> bool:
    """Whether a share of copies says nothing, because the images they may be of are not known.

    Args:
        share: Of copies that were found among the real images that were looked at.
        tuning_known: 0 if these are not known to be the tuning images.
        least: Share from which copies are told of all the same.
    """
    return tuning_known == 0 and not share >= least


def tells_members(m: Numbers) -> bool:
    """Whether tuning images are told from others by the synthetic images, and by these alone."""
    auroc = "memorization/mia_calibrated_auroc"
    sure = CHANCE < m[f"{auroc}/lo"] <= m[auroc] <= m[f"{auroc}/hi"]
    means = m["memorization/mia_meaningful"] == 1
    return sure and means and m["memorization/mia_calibrated_p"] <= MEMBERS_P


def are_copies(m: Numbers) -> bool:
    """Whether more images are near-copies of tuning images than errors of the search explain.

    Images that equal one are copies even where nothing is known of such errors.
    """
    if m[EXACT] >= FEWEST_COPIES:
        return True
    share = m[COPIED]
    return share >= FEWEST_COPIES and share >= COPIES * m["memorization/copied_false_alarms"]
