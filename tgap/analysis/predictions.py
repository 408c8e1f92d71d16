"""What methods would reach with more images, and where that cannot be said."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from tgap.analysis.groups import RunGroup, group_runs
from tgap.analysis.rows import PlannedRun, RunRow
from tgap.analysis.scaling import Predicted, Prediction, predict
from tgap.core import ConfigError, Doubles, Indices
from tgap.metrics.gap import CHANCE

Over = Literal["size", "synthetic", "real"]
Of = Literal["tstr", "utility_lost"]

TSTR, TRTR = "tstr/auroc", "trtr/auroc"
SYNTHETIC = "budget.train_per_label"
POINT = re.compile(r"augmentation/(mixed|pretrained|synthetic)_(\d+)")
"""A point of the augmentation curves; those called ``all`` do not say how many images that is."""
WITH_REAL = ("mixed", "pretrained")
"""Curves over real images that are trained on with all synthetic ones, or after them."""
LEAST_SIZES = 4
"""The law has three numbers, and a fourth with an offset: of fewer sizes than one more nothing is
left that could disagree."""
LEAST_SEEDS = 3
NEAR = 0.05
"""AUROC above chance up to which a size has taught next to nothing, as of ``fter_is_meaningful``:
a power law holds from where learning begins."""
MISFIT = 0.01
"""p-value of lack of fit below which a law is not believed."""
MISFIT_RISING = 0.05
"""The same where more images were worse somewhere. Small rises are chance, and a law fitted in
spite of them covers as well; of curves that do turn the other value lets one in thirteen pass
(experiments/statistics/scaling.py)."""
TIMES = (2, 4)
"""Predicted at so many times the largest size, unless sizes are asked for."""


@dataclass(frozen=True)
class SizeCurve:
    """A method over one number of images, all else being equal.

    Args:
        group: Of its largest size, without the setting that varies.
        over: What varies.
        kind: Of the augmentation curves ``mixed``, ``pretrained`` or ``synthetic``, else empty.
        sizes: ``(K,)`` float64, ascending.
        seeds: S seeds that all sizes have.
        left_out: Those that some size lacks.
        aurocs: ``(S, K)`` float64, trained with synthetic images, tested on real ones.
        ceilings: ``(S, K)`` float64, TRTR beside them.
    """

    group: RunGroup
    over: Over
    kind: str
    sizes: Doubles
    seeds: tuple[int, ...]
    left_out: tuple[int, ...]
    aurocs: Doubles
    ceilings: Doubles

    @property
    def offset(self) -> bool:
        """Whether other images stand beside those that are counted."""
        return self.kind in WITH_REAL

    @property
    def least_sizes(self) -> int:
        """Sizes below which nothing is predicted."""
        return LEAST_SIZES + self.offset

    def only(self, kept: Sequence[int]) -> "SizeCurve":
        """With these of its sizes, by position."""
        return replace(
            self,
            sizes=self.sizes[kept],
            aurocs=self.aurocs[:, kept],
            ceilings=self.ceilings[:, kept],
        )

    def losses(self, of: Of) -> Doubles:
        """``(S, K)``: 1 - TSTR, or TRTR - TSTR."""
        return (1.0 if of == "tstr" else self.ceilings) - self.aurocs

    def least(self, of: Of) -> float:
        """The loss where TSTR is 1."""
        return 0.0 if of == "tstr" else float(self.ceilings.mean()) - 1.0


@dataclass(frozen=True)
class Check:
    """The largest size, predicted from the others.

    Args:
        predicted: By the law of the others.
        measured: Mean loss there.
    """

    predicted: Predicted
    measured: float

    @property
    def holds(self) -> bool:
        """Whether it fell into the interval."""
        return self.predicted.lo <= self.measured <= self.predicted.hi


@dataclass(frozen=True)
class Outlook:
    """What can be said of a curve.

    Args:
        curve: Without the sizes that were left out.
        of: Which loss.
        cannot: Why nothing is predicted; empty if something is.
        told: What must be read with it.
        prediction: Of the whole curve, unless it could not be fitted.
        check: Of its largest size; ``None`` if too few sizes are left without it.
    """

    curve: SizeCurve
    of: Of
    cannot: tuple[str, ...]
    told: tuple[str, ...] = ()
    prediction: Prediction | None = None
    check: Check | None = None


def outlooks(
    rows: Sequence[RunRow],
    missing: Sequence[PlannedRun] = (),
    over: Over = "size",
    of: Of = "tstr",
    at: Sequence[int] = (),
) -> list[Outlook]:
    """What each method would reach with more images.

    Runs make one curve where they differ in that number and the seed only, grouped as in a
    comparison.

    Args:
        rows: One per finished run.
        missing: Runs that were asked for and did not finish.
        over: Tuning images (``size``), synthetic training images per label
            (``budget.train_per_label``, and the augmentation curves), or real images per label
            that are trained on beside the synthetic ones (the augmentation curves; at 0 of them,
            TSTR), where the law has an offset.
        of: The loss: 1 - TSTR, or the utility lost, TRTR - TSTR.
        at: Numbers to predict at, in the unit of ``over``; twice and four times the largest if
            there are none.

    Raises:
        ConfigError: If no method has runs of two such numbers.
    """
    curves = {one: curves_over(rows, missing, one) for one in get_args(Over)}
    if not curves[over]:
        others = [f"--over {one}" for one in get_args(Over) if curves[one]]
        hint = f"; there are such curves with {' and '.join(others)}" if others else ""
        raise ConfigError(f"no method has finished runs of two or more {MEANINGS[over]}{hint}")
    return [outlook(curve, of, at) for curve in curves[over]]


MEANINGS: Mapping[Over, str] = {
    "size": "tuning-set sizes (size=25,50,100,200)",
    "synthetic": "numbers of synthetic images (budget.train_per_label=50,100,200,400, or the "
    "augmentation evaluator)",
    "real": "numbers of real images beside synthetic ones (the augmentation evaluator)",
}


def curves_over(
    rows: Sequence[RunRow], missing: Sequence[PlannedRun], over: Over
) -> list[SizeCurve]:
    """The curves that runs make over one number of images; those of two sizes at least."""
    names = sorted({name for row in rows for name in row.metrics if POINT.fullmatch(name)})
    groups = group_runs(rows, missing, names)
    if over == "size":
        found = _of_groups(groups, over, lambda group: group.size)
    elif over == "synthetic":
        found = _of_groups(groups, over, _trained_on) + _of_points(groups, over, ("synthetic",))
    else:
        found = _of_points(groups, over, WITH_REAL)
    return [curve for curve in found if len(curve.sizes) > 1]


def _trained_on(group: RunGroup) -> int | None:
    text = group.settings.get(SYNTHETIC, "")
    return int(text) if text.isdecimal() else None


def _of_groups(
    groups: Sequence[RunGroup], over: Over, number: Callable[[RunGroup], int | None]
) -> list[SizeCurve]:
    """Groups that differ in one number only."""
    alike: dict[tuple[object, ...], dict[int, RunGroup]] = {}
    for group in groups:
        n = number(group)
        if n is None or not group.seeds:
            continue
        settings = {k: v for k, v in group.settings.items() if over == "size" or k != SYNTHETIC}
        size = None if over == "size" else group.size
        key = (group.method_key, size, tuple(sorted(settings.items())))
        alike.setdefault(key, {})[n] = replace(group, settings=settings)
    return [
        _curve([(n, group, TSTR) for n, group in sorted(those.items())], over, "")
        for those in alike.values()
    ]


def _of_points(groups: Sequence[RunGroup], over: Over, kinds: Sequence[str]) -> list[SizeCurve]:
    """The curves within runs, of ``POINT``."""
    curves = []
    for group in groups:
        for kind in kinds:
            matches = [POINT.fullmatch(name) for name in group.numbers]
            points = [
                (int(match[2]), group, match[0])
                for match in matches
                if match is not None and match[1] == kind and np.isfinite(_mean(group, match[0]))
            ]
            if points and kind in WITH_REAL:
                points.append((0, group, TSTR))
            if points:
                curves.append(_curve(sorted(points, key=lambda point: point[0]), over, kind))
    return curves


def _mean(group: RunGroup, name: str) -> float:
    return group.numbers[name].estimate


def _curve(points: Sequence[tuple[int, RunGroup, str]], over: Over, kind: str) -> SizeCurve:
    values = [group.values(name) for _, group, name in points]
    ceilings = [group.values(TRTR) for _, group, _ in points]
    every = sorted({seed for of_size in values for seed in of_size})
    finite = [
        {seed for seed in one if np.isfinite(one[seed]) and np.isfinite(other[seed])}
        for one, other in zip(values, ceilings, strict=True)
    ]
    seeds = [seed for seed in every if all(seed in those for those in finite)]

    def table(columns: Sequence[Mapping[int, float]]) -> Doubles:
        cells = [[column[seed] for column in columns] for seed in seeds]
        return np.array(cells, dtype=np.float64).reshape(len(seeds), len(points))

    return SizeCurve(
        group=points[-1][1],
        over=over,
        kind=kind,
        sizes=np.array([n for n, _, _ in points], dtype=np.float64),
        seeds=tuple(seeds),
        left_out=tuple(seed for seed in every if seed not in seeds),
        aurocs=table(values),
        ceilings=table(ceilings),
    )


def outlook(curve: SizeCurve, of: Of = "tstr", at: Sequence[float] = ()) -> Outlook:
    """What can be said of a curve; see ``outlooks``."""
    told = []
    if curve.left_out:
        told.append(f"seeds {_listed(curve.left_out)} are not at all sizes and are left out")
    if curve.group.one_set:
        told.append("all seeds train on one synthetic set: nothing is known of other draws")
    if len(curve.seeds) < LEAST_SEEDS:
        why = f"{len(curve.seeds)} seeds in common to all sizes, and {LEAST_SEEDS} are needed"
        return Outlook(curve, of, (why,), tuple(told))
    means = curve.aurocs.mean(axis=0)
    near = means <= CHANCE + NEAR
    if near.any():
        told.append(f"left out, near chance: {_listed(curve.sizes[near])}")
        curve = curve.only(np.flatnonzero(~near).tolist())
    if len(curve.sizes) < curve.least_sizes:
        why = (
            f"{len(curve.sizes)} sizes{' above chance' if near.any() else ''} "
            f"({_listed(curve.sizes) or 'none'}), and {curve.least_sizes} are needed"
        )
        return Outlook(curve, of, (why,), tuple(told))
    return _fitted(curve, of, at, told)


def _fitted(curve: SizeCurve, of: Of, at: Sequence[float], told: list[str]) -> Outlook:
    losses, least = curve.losses(of), curve.least(of)
    asked = list(at) or [times * curve.sizes[-1] for times in TIMES]
    found = predict(curve.sizes, losses, asked, least, curve.offset)
    if len(steps := rises(losses)):
        where = [f"{curve.sizes[i]:g} to {curve.sizes[i + 1]:g}" for i in steps]
        told.append(f"not monotone: more images are worse from {_listed(where)}")
    if far := [size for size in asked if size > max(TIMES) * curve.sizes[-1]]:
        told.append(
            f"{_listed(far)}: beyond {max(TIMES)} times the largest size, which no test covers"
        )
    cannot: tuple[str, ...] = ()
    if misses(found, losses):
        cannot = (f"no such law fits its sizes (p {found.misfit:.2g})",)
    return Outlook(curve, of, cannot, tuple(told), found, _checked(curve, of))


def rises(losses: Doubles) -> Indices:
    """Positions after which the mean over seeds is worse, of ``(S, K)`` losses."""
    return np.flatnonzero(np.diff(losses.mean(axis=0)) > 0).astype(np.int64)


def misses(found: Prediction, losses: Doubles) -> bool:
    """Whether means lie further from the law than seeds make likely."""
    return found.misfit < (MISFIT_RISING if len(rises(losses)) else MISFIT)


def _checked(curve: SizeCurve, of: Of) -> Check | None:
    """The largest size by the law of the others."""
    if len(curve.sizes) <= curve.least_sizes:
        return None
    fewer = curve.only(range(len(curve.sizes) - 1))
    last = curve.sizes[-1:].tolist()
    found = predict(fewer.sizes, fewer.losses(of), last, fewer.least(of), fewer.offset)
    return Check(found.at[0], float(curve.losses(of)[:, -1].mean()))


def _listed(values: Sequence[object] | Doubles) -> str:
    return ", ".join(one if isinstance(one, str) else f"{one:g}" for one in values)
