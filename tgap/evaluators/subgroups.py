"""Whom a classifier serves worse: the gap and missed positives by sex, age, view, site."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tgap.core import Bools, Doubles, Scores, option
from tgap.evaluators.base import Evaluation, Evidence
from tgap.evaluators.parts.groups import ByGroups, Group, group_names, groups_of
from tgap.metrics.few_errors import FLOOR_PATIENTS
from tgap.metrics.gap import fter_is_meaningful
from tgap.metrics.intervals import recovered
from tgap.metrics.tested import RESAMPLES, Resamples, TwoSides, difference, ends

LEGS = ("tstr", "trtr")


@dataclass(kw_only=True)
class Subgroups(ByGroups):
    """TSTR, TRTR and what is lost between them, of the images of each group of real_test.

    Groups are the values of columns of the dataset's table; numbers are cut into bands. Of each,
    ``subgroups/{column}/{group}/...`` has

    - ``images``, and ``tstr``, ``trtr`` (macro AUROC among the group's images), ``utility_lost`` =
      TRTR - TSTR, each with ``.../lo`` and ``.../hi`` (95 %, test images resampled by patient);
    - ``trts``, ``fter`` = TSTR / TRTS and ``t_gap`` = TRTS - TSTR, with their ends, where synthetic
      images were asked to show the column (``prompts=attributes``): TRTS is of those that were
      asked to be of the group, real and synthetic test images being resampled independently;
      ``fter_meaningful`` as of all images;
    - ``missed_tstr``, ``missed_trtr``: the share of a label's images whose logit is below 0, mean
      over labels. Of a finding that is under-diagnosis (Seyyed-Kalantari et al., Nature Medicine
      2021; there the false positives of "No Finding", at a threshold chosen for F1; here both
      classifiers keep the threshold that they were trained with);
    - ``lost_more``: how much more is lost than on the other images of the column; its ``.../lo``
      and ``.../hi`` hold for all groups together (Bonferroni).

    ``subgroups/lowest_tstr`` and ``subgroups/most_lost`` are the extremes, which the table
    ``groups`` names first. A group with fewer than 10 independent images with, or without, some
    label has its number of images only. Without any of the columns there are no metrics.

    Args:
        columns: Columns that are looked at, as far as the dataset has them.
        bands: Ascending borders of a column of numbers, of which each belongs to the band above;
            others are cut at their quartiles.
        resamples: Bootstrap resamples.
    """

    shown: ClassVar[Sequence[str]] = ()
    version: ClassVar[int] = 2

    resamples: int = option(
        RESAMPLES, "bootstrap resamples of the test images", low=100, high=1_000_000
    )

    def _evaluate(self, evidence: Evidence, rng: np.random.Generator) -> Evaluation:
        legs = evidence.legs()
        if not legs:
            return Evaluation({})
        test, (_, drawn) = evidence.real_test(pixels=False), evidence.synthetic()
        groups = list(groups_of(test.metadata, self.columns, self.bands, drawn.metadata))
        if not groups:
            return Evaluation({})
        level = 1 - 0.05 / len(groups)
        real = Resamples.of(test, self.resamples)
        synthetic = Resamples.of(drawn, self.resamples, evidence.synthetic_key())
        found = [_numbers(group, legs, real, synthetic, level) for group in groups]
        metrics = {
            f"subgroups/{name}/{key}": value
            for name, numbers in zip(group_names(groups), found, strict=True)
            for key, value in numbers.items()
        }
        if known := [numbers for numbers in found if "tstr" in numbers]:
            metrics["subgroups/lowest_tstr"] = min(numbers["tstr"] for numbers in known)
            metrics["subgroups/most_lost"] = max(numbers["utility_lost"] for numbers in known)
        lost = [numbers.get("utility_lost", -math.inf) for numbers in found]
        rows = [
            {"column": groups[i].column, "group": groups[i].value, **found[i]}
            for i in sorted(range(len(groups)), key=lost.__getitem__, reverse=True)
        ]
        return Evaluation(metrics, tables={"groups": rows})


def _numbers(
    group: Group, legs: Mapping[str, Scores], real: Resamples, synthetic: Resamples, level: float
) -> dict[str, float]:
    """See ``Subgroups``; ``level`` is of the comparison with the others."""
    numbers = {"images": float(group.rows.sum())}
    own, others = real.part(group.rows), real.part(group.others)
    if own.effective < FLOOR_PATIENTS:
        return numbers
    tstr, trtr = (own.aurocs(legs[leg].scores[group.rows]).mean(axis=1) for leg in LEGS)
    for name, values in (("tstr", tstr), ("trtr", trtr)):
        numbers |= ends(values, own.effective).named(name)
    numbers |= difference(trtr, tstr, own.effective).named("utility_lost")
    numbers |= _two_way(group, legs["trts"], tstr, own.effective, synthetic)
    numbers |= {f"missed_{leg}": _missed(legs[leg], group.rows) for leg in LEGS}
    if others.effective >= FLOOR_PATIENTS:
        theirs = [others.aurocs(legs[leg].scores[group.others]).mean(axis=1) for leg in LEGS]
        more = (trtr - tstr) - (theirs[1] - theirs[0])
        least = min(own.effective, others.effective)
        both = (
            difference(trtr, tstr, own.effective, level),
            difference(theirs[1], theirs[0], others.effective, level),
        )
        number = ends(more, least, "identity", level)
        numbers |= recovered(number, *both, level, "identity").named("lost_more")
    return numbers


def _two_way(
    group: Group, trts: Scores, tstr: Doubles, effective: float, synthetic: Resamples
) -> dict[str, float]:
    """TRTS, FTER and T-Gap of a group; none where too few synthetic images are known to be of it.

    ``tstr`` is ``(1 + B,)``.
    """
    if group.drawn is None:
        return {}
    drawn = synthetic.part(group.drawn)
    if drawn.effective < FLOOR_PATIENTS:
        return {}
    values = drawn.aurocs(trts.scores[group.drawn]).mean(axis=1)
    of = TwoSides.of(tstr, effective, values, drawn.effective)
    certain = fter_is_meaningful(of.tstr.estimate, of.trts.estimate, least=(of.tstr.lo, of.trts.lo))
    return {
        **of.trts.named("trts"),
        **of.fter.named("fter"),
        **of.gap.named("t_gap"),
        "fter_meaningful": float(certain),
    }


def _missed(leg: Scores, rows: Bools) -> float:
    below, has = (leg.scores < 0)[rows], leg.labels[rows]
    return float(np.mean((below & has).sum(axis=0) / has.sum(axis=0)))
