"""Whom a classifier serves worse: TSTR, TRTR and missed positives by sex, age, view, site."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tgap.core import Bools, Doubles, ImageSet, Scores, option, rng_for
from tgap.core.bands import bands
from tgap.evaluators.base import Evaluation, Evaluator, Evidence
from tgap.metrics.classification import macro_auroc
from tgap.metrics.few_errors import FLOOR_PATIENTS
from tgap.metrics.intervals import Scale, interval
from tgap.metrics.naming import metric_names
from tgap.metrics.resampling import effective_images, multiplicities, resampled_auroc

LEGS = ("tstr", "trtr")
MOST = 12
"""Categories of a text column that are groups; a column of more is none of groups."""


@dataclass(kw_only=True)
class Subgroups(Evaluator):
    """TSTR, TRTR and what is lost between them, of the images of each group of real_test.

    Groups are the values of columns of the dataset's table; numbers are cut into bands. Of each,
    ``subgroups/{column}/{group}/...`` has

    - ``images``, and ``tstr``, ``trtr`` (macro AUROC among the group's images), ``utility_lost`` =
      TRTR - TSTR, each with ``.../lo`` and ``.../hi`` (95 %, test images resampled by patient);
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

    columns: list[str] = option(["sex", "age", "view", "site"], "metadata columns, if there")
    bands: dict[str, list[float]] = field(
        default_factory=lambda: {"age": [20.0, 40.0, 60.0, 80.0]},
        metadata={"help": "borders of columns of numbers, others are cut at quartiles"},
    )
    resamples: int = option(1000, "bootstrap resamples of the test images", low=100, high=1_000_000)

    def problems(self) -> list[str]:
        """Borders that do not rise."""
        return [
            f"bands.{name} must be rising numbers, got {borders}"
            for name, borders in self.bands.items()
            if not borders or sorted(set(borders)) != list(borders)
        ]

    def _evaluate(self, evidence: Evidence, rng: np.random.Generator) -> Evaluation:
        legs = evidence.legs()
        if not legs:
            return Evaluation({})
        test = evidence.real_test(pixels=False)
        groups = list(self._groups(test.metadata))
        # The same draws as for the legs' intervals: of a test set, whatever the seed and method.
        weights = multiplicities(test.patients, self.resamples, rng_for("resample", 0))
        level = 1 - 0.05 / max(1, len(groups))
        found = [_numbers(group, legs, test, weights, level) for group in groups]
        metrics = {
            f"subgroups/{name}/{key}": value
            for name, numbers in zip(_names(groups), found, strict=True)
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
        return Evaluation(metrics, tables={"groups": rows} if rows else {})

    def _groups(self, metadata: Mapping[str, NDArray[Any]]) -> Iterator["Group"]:
        for name in self.columns:
            if name not in metadata:
                continue
            column = metadata[name]
            parts = _values(column) if column.dtype.kind == "U" else self._bands(name, column)
            if 2 <= len(parts) <= MOST:
                known = np.logical_or.reduce(list(parts.values()))
                for value, rows in parts.items():
                    yield Group(name, value, rows, known & ~rows)

    def _bands(self, name: str, column: Doubles) -> dict[str, Bools]:
        known = column[np.isfinite(column)]
        if len(known) == 0:
            return {}
        borders = self.bands.get(name) or np.unique(np.quantile(known, [0.25, 0.5, 0.75])).tolist()
        return bands(column, borders)


@dataclass(frozen=True)
class Group:
    """Some test images, and the others of whom the same is known.

    Args:
        column: Of the table.
        value: In it.
        rows: ``(N,)`` bool.
        others: ``(N,)`` bool.
    """

    column: str
    value: str
    rows: Bools
    others: Bools


def _values(column: NDArray[np.str_]) -> dict[str, Bools]:
    return {value: column == value for value in np.unique(column).tolist() if value.strip()}


def _names(groups: Sequence[Group]) -> list[str]:
    """Parts of metrics' names."""
    columns, values = (
        dict(zip(names, metric_names(names), strict=True))
        for names in (
            list(dict.fromkeys(group.column for group in groups)),
            list(dict.fromkeys(group.value for group in groups)),
        )
    )
    return [f"{columns[group.column]}/{values[group.value]}" for group in groups]


def _numbers(
    group: Group,
    legs: Mapping[str, Scores],
    test: ImageSet,
    weights: NDArray[np.generic],
    level: float,
) -> dict[str, float]:
    """See ``Subgroups``; ``level`` is of the comparison with the others."""
    numbers = {"images": float(group.rows.sum())}
    effective, others = (
        effective_images(test.labels[rows], test.patients[rows]) if rows.any() else 0.0
        for rows in (group.rows, group.others)
    )
    if effective < FLOOR_PATIENTS:
        return numbers
    # Each an array of the value and, behind it, what it is in the resamples.
    tstr, trtr = (_aurocs(legs[leg], group.rows, weights) for leg in LEGS)
    numbers |= _with_ends("tstr", tstr, effective, "logit")
    numbers |= _with_ends("trtr", trtr, effective, "logit")
    numbers |= _with_ends("utility_lost", trtr - tstr, effective, "identity")
    numbers |= {f"missed_{leg}": _missed(legs[leg], group.rows) for leg in LEGS}
    if others >= FLOOR_PATIENTS:
        their_tstr, their_trtr = (_aurocs(legs[leg], group.others, weights) for leg in LEGS)
        more = (trtr - tstr) - (their_trtr - their_tstr)
        numbers |= _with_ends("lost_more", more, min(effective, others), "identity", level)
    return numbers


def _aurocs(leg: Scores, rows: Bools, weights: NDArray[np.generic]) -> Doubles:
    """``(1 + B,)`` macro AUROCs of these images, as they are and resampled."""
    scores, labels = leg.scores[rows], leg.labels[rows]
    each = [
        resampled_auroc(of_label, has, weights[:, rows])
        for of_label, has in zip(scores.T, labels.T, strict=True)
    ]
    return np.concatenate([[macro_auroc(scores, labels)], np.mean(each, axis=0)])


def _with_ends(
    name: str, values: Doubles, effective: float, scale: Scale, level: float = 0.95
) -> dict[str, float]:
    found = interval(values[:1], values[1:, None], level, scale=scale, image_freedom=effective - 1)
    return {name: float(values[0]), f"{name}/lo": found.lo, f"{name}/hi": found.hi}


def _missed(leg: Scores, rows: Bools) -> float:
    below, has = (leg.scores < 0)[rows], leg.labels[rows]
    return float(np.mean((below & has).sum(axis=0) / has.sum(axis=0)))
