"""The notes below a sweep's table: what its numbers are of, and where they say little."""

import math
import statistics
from collections.abc import Sequence

from tgap.analysis.groups import NAMED, NAMED_IF_ASKED, RunGroup
from tgap.analysis.splits import short
from tgap.metrics.few_errors import ENOUGH_PATIENTS
from tgap.metrics.intervals import LEAST_FREEDOM
from tgap.metrics.legs import REAL
from tgap.report.headings import COLUMNS, averages, decimal, joined, label_at_size, label_of
from tgap.report.over_splits import over_splits

TRAINED = "train_images/synthetic"


def notes_on(groups: Sequence[RunGroup]) -> list[str]:
    """Sentences on what the rows are of, and on what their numbers cannot bear."""
    named = []
    for title, name in NAMED.items():
        values = [g.settings.get(name, "not recorded") for g in groups if g.has_setting(name)]
        if values or not groups:
            named.append(f"{title} {joined(dict.fromkeys(values or ['not recorded']))}")
    for setting in NAMED_IF_ASKED:
        values = [g.settings.get(setting, "default") for g in groups]
        if set(values) - {"default"}:
            named.append(f"{short(setting)} {joined(dict.fromkeys(values))}")
    notes = [
        "; ".join(named),
        "TSTR, TRTS, TRTR: macro AUROC. FTER = TSTR / TRTS, T-Gap = TRTS - TSTR.",
    ]
    notes += _means(groups)
    shown = [group.numbers[name] for group in groups for name in COLUMNS.values()]
    if any(math.isnan(number.lo) and not math.isnan(number.estimate) for number in shown):
        notes.append(
            "No interval where none is justified: fewer than two test images or patients of a "
            "label (synthetic images that are the same count as one), equal scores, a seed not "
            "resampled."
        )
    fewest = min((group.effective[REAL] for group in groups if group.seeds), default=math.inf)
    if fewest < ENOUGH_PATIENTS:
        notes.append(
            f"Few test images: {math.floor(fewest)} independent ones of the rarer label; about "
            f"{ENOUGH_PATIENTS:.0f} would tell an AUROC of .8 to within .1."
        )
    repeated = [f"{joined(g.repeated)} of {label_at_size(g, groups)}" for g in groups if g.repeated]
    if repeated:
        notes.append(f"Seeds with the scores of another seed count once: {'; '.join(repeated)}.")
    if len({group.seeds for group in groups}) > 1:
        notes.append("Rows differ in their seeds, so their means are no paired comparison.")
    notes += [
        f"Collapsed: {leg.upper()} of {label_at_size(group, groups)}, {_collapsed(group, leg)}. "
        "Intervals of few seeds do not hold what collapses do to a mean."
        for group in groups
        for leg in group.collapsed
    ]
    notes += _unequal_numbers(groups)
    if not all(group.fter_meaningful for group in groups):
        notes.append("* TSTR or TRTS is near or below chance (0.5): FTER means nothing there.")
    return notes


def _unequal_numbers(groups: Sequence[RunGroup]) -> list[str]:
    """That rows are trained on different numbers of images, which sets made elsewhere may be."""
    ready = [group for group in groups if "generator.class" not in group.settings]
    known = [(g, g.numbers[TRAINED].estimate) for g in ready if TRAINED in g.numbers]
    numbers = [number for _, number in known if not math.isnan(number)]
    if not numbers or min(numbers) >= 0.9 * max(numbers):
        return []
    told = joined(f"{label_of(g, groups)} {number:,.0f}" for g, number in known)
    return [f"Rows differ in how many synthetic images train: {told}."]


def _means(groups: Sequence[RunGroup]) -> list[str]:
    """What the numbers are means over, and what their intervals are of."""
    counts = {len(group.seeds) for group in groups if not group.one_set}
    kinds, notes = {averages(group) for group in groups}, []
    folded = "folds" in kinds
    if max(counts, default=0) > 1:
        drawn = [group for group in groups if not group.one_set]
        seeds = joined(sorted({seed for group in drawn for seed in group.seeds}))
        of = "t over seeds, bootstrap of patients), given the split: another real_train or pool is "
        of += "not in them."
        if folded:
            of = "t over seeds and folds), for other tuning and training images as far as folds "
            of += "differ in these."
        elif "splits" in kinds:
            of = "t over seeds and splits)."
        notes.append(
            f"Means over seeds ({seeds}), a draw of the synthetic set each; 95 % intervals for new "
            f"seeds and test images ({of}"
        )
    notes += over_splits(groups)
    if averaged := [label_of(group, groups) for group in groups if group.averaged]:
        notes.append(
            f"Seeds that train on one synthetic set are averaged and count once: "
            f"{joined(averaged)}."
        )
    if trained := [label_of(group, groups) for group in groups if group.one_set]:
        notes.append(
            f"Seeds of {joined(trained)} are trainings on one synthetic set: the 95 % interval is "
            "for new trainings and test images; another set of the same generator may lie outside."
        )
    if 1 in counts:
        of = "new test images (t over folds)" if folded else "the test images only"
        of = "new splits and test images" if kinds == {"splits"} else of
        notes.append(f"One seed: the 95 % interval is of {of}; another seed may lie outside.")
    return notes + _of_folds(groups)


def _of_folds(groups: Sequence[RunGroup]) -> list[str]:
    """What means over folds are, and where they lack some."""
    notes = []
    if any(averages(group) == "folds" for group in groups):
        notes.append("Numbers are of AUROCs averaged over folds (docs/few_images.md).")
    few = [g for g in groups if 1 < len(g.splits) <= LEAST_FREEDOM and not g.shares]
    if any(math.isnan(group.numbers[name].lo) for group in few for name in COLUMNS.values()):
        notes.append(
            f"Fewer than {LEAST_FREEDOM + 1} folds bear an interval of AUROCs near 1 only."
        )
    if any(group.splits and group.missing_splits for group in groups):
        notes.append("Where folds are missing, not all images were tested: no mean over the whole.")
    return notes


def _collapsed(group: RunGroup, leg: str) -> str:
    """Seeds that learnt next to nothing, and what the others make of the mean."""
    values = group.values(f"{leg}/auroc")
    low = group.collapsed[leg]
    seeds = ", ".join(f"{decimal(value)} (seed {seed})" for seed, value in low.items())
    middle, mean = statistics.median(values.values()), statistics.fmean(values.values())
    return (
        f"{seeds} beside {decimal(max(values.values()))} at best; median {decimal(middle)}, "
        f"mean {decimal(mean)}"
    )
