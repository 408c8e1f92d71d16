"""What methods would reach with more images, and where that cannot be said."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
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
"""A point of the augmentation curves; one called ``all`` does not say how many images that is."""
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
"""The same where more images were worse somewhere. Small rises are chance, and curves that have
some are covered as well as others; of 40 simulated ones that do turn the other value let 3 pass
(experiments/statistics/scaling.py)."""
TIMES = (2, 4)
"""Predicted at so many times the largest size, unless sizes are asked for."""
MEANINGS: Mapping[Over, str] = {
    "size": "tuning-set sizes (size=25,50,100,200)",
    "synthetic": "numbers of synthetic images (budget.train_per_label=50,100,200,400, or the "
    "augmentation evaluator)",
    "real": "numbers of real images beside synthetic ones (the augmentation evaluator)",
}

Point = tuple[int, RunGroup, str]
"""A number of images, the runs that have it, and their metric there."""


@dataclass(frozen=True)
class SizeCurve:
    """A method over one number of images, all else being equal.

    Args:
        group: Of its largest size, without the setting that varies.
        over: What varies.
        of: Which loss: 1 - TSTR, or the utility lost, TRTR - TSTR.
        kind: Of the augmentation curves ``mixed``, ``pretrained`` or ``synthetic``, else empty.
        sizes: ``(K,)`` float64, ascending.
        seeds: S seeds that all sizes have.
        left_out: Those that some size lacks.
        aurocs: ``(S, K)`` float64, trained with synthetic images, tested on real ones.
        losses: ``(S, K)`` float64.
    """

    group: RunGroup
    over: Over
    of: Of
    kind: str
    sizes: Doubles
    seeds: tuple[int, ...]
    left_out: tuple[int, ...]
    aurocs: Doubles
    losses: Doubles

    @property
    def offset(self) -> bool:
        """Whether other images stand beside those that are counted."""
        return self.kind in WITH_REAL

    @property
    def least_sizes(self) -> int:
        """Sizes below which nothing is predicted."""
        return LEAST_SIZES + self.offset

    @property
    def least(self) -> float:
        """The loss where TSTR is 1: 0, or mean TRTR - 1."""
        return 0.0 if self.of == "tstr" else float((self.losses + self.aurocs).mean()) - 1.0

    def only(self, kept: Sequence[int]) -> "SizeCurve":
        """With these of its sizes, by position."""
        return replace(
            self, sizes=self.sizes[kept], aurocs=self.aurocs[:, kept], losses=self.losses[:, kept]
        )

    def predict(self, at: Sequence[float]) -> Prediction:
        """Its law, and the loss at these sizes."""
        return predict(self.sizes, self.losses, at, self.least, self.offset)


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
        cannot: Why nothing is predicted; empty if something is.
        told: What must be read with it.
        prediction: Of the whole curve, unless it could not be fitted.
        check: Of its largest size; ``None`` if too few sizes are left without it.
    """

    curve: SizeCurve
    cannot: str = ""
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
    if curves := curves_over(rows, missing, over, of):
        return [outlook(curve, at) for curve in curves]
    others = [one for one in get_args(Over) if curves_over(rows, missing, one, of)]
    flags = " and ".join(f"--over {one}" for one in others)
    hint = f"; there are such curves with {flags}" if others else ""
    raise ConfigError(f"no method has finished runs of two or more {MEANINGS[over]}{hint}")


def curves_over(
    rows: Sequence[RunRow], missing: Sequence[PlannedRun], over: Over, of: Of
) -> list[SizeCurve]:
    """The curves that runs make over one number of images; those of two at least."""
    names = sorted({name for row in rows for name in row.metrics if POINT.fullmatch(name)})
    groups = group_runs(rows, missing, names)
    lines: list[tuple[str, list[Point]]] = []
    if over == "size":
        lines += [("", points) for points in _of_groups(groups, lambda group: group.size)]
    elif over == "synthetic":
        lines += [("", points) for points in _of_groups(groups, _trained_on, SYNTHETIC)]
        lines += _of_points(groups, ("synthetic",))
    else:
        lines += _of_points(groups, WITH_REAL)
    return [_curve(points, over, of, kind) for kind, points in lines if len(points) > 1]


def _trained_on(group: RunGroup) -> int | None:
    text = group.settings.get(SYNTHETIC, "")
    return int(text) if text.isdecimal() else None


def _of_groups(
    groups: Sequence[RunGroup], number: Callable[[RunGroup], int | None], setting: str = ""
) -> list[list[Point]]:
    """Groups that differ in one number only: their size, unless it is that of a setting."""
    alike: dict[tuple[object, ...], list[Point]] = {}
    for group in groups:
        n = number(group)
        if n is None or not group.seeds:
            continue
        settings = {name: value for name, value in group.settings.items() if name != setting}
        key = (group.method_key, setting and group.size, tuple(sorted(settings.items())))
        alike.setdefault(key, []).append((n, replace(group, settings=settings), TSTR))
    return list(alike.values())


def _of_points(
    groups: Sequence[RunGroup], kinds: Sequence[str]
) -> Iterator[tuple[str, list[Point]]]:
    """The curves within runs, of ``POINT``."""
    for group in groups:
        for kind in kinds:
            matches = [POINT.fullmatch(name) for name in group.numbers]
            points = [
                (int(match[2]), group, match[0])
                for match in matches
                if match and match[1] == kind and np.isfinite(group.numbers[match[0]].estimate)
            ]
            if points and kind in WITH_REAL:
                points.append((0, group, TSTR))
            yield kind, points


def _curve(points: Sequence[Point], over: Over, of: Of, kind: str) -> SizeCurve:
    points = sorted(points, key=lambda point: point[0])
    aurocs = [group.values(name) for _, group, name in points]
    if of == "tstr":
        losses = [{seed: 1.0 - one[seed] for seed in one} for one in aurocs]
    else:
        ceilings = [group.values(TRTR) for _, group, _ in points]
        pairs = zip(ceilings, aurocs, strict=True)
        losses = [{seed: top[seed] - one[seed] for seed in one} for top, one in pairs]
    every = sorted({seed for one in losses for seed in one})
    seeds = [seed for seed in every if all(np.isfinite(one.get(seed, np.nan)) for one in losses)]

    def table(columns: Sequence[Mapping[int, float]]) -> Doubles:
        cells = [[column[seed] for column in columns] for seed in seeds]
        return np.array(cells, dtype=np.float64).reshape(len(seeds), len(points))

    return SizeCurve(
        group=points[-1][1],
        over=over,
        of=of,
        kind=kind,
        sizes=np.array([n for n, _, _ in points], dtype=np.float64),
        seeds=tuple(seeds),
        left_out=tuple(seed for seed in every if seed not in seeds),
        aurocs=table(aurocs),
        losses=table(losses),
    )


def outlook(curve: SizeCurve, at: Sequence[float] = ()) -> Outlook:
    """What can be said of a curve; see ``outlooks``."""
    told = []
    if curve.left_out:
        told.append(f"seeds {_listed(curve.left_out)} are not at all sizes and are left out")
    if curve.group.one_set:
        told.append("all seeds train on one synthetic set: nothing is known of other draws")
    if len(curve.seeds) < LEAST_SEEDS:
        why = f"{len(curve.seeds)} seeds in common to all sizes, and {LEAST_SEEDS} are needed"
        return Outlook(curve, why, tuple(told))
    near = curve.aurocs.mean(axis=0) <= CHANCE + NEAR
    if near.any():
        told.append(f"left out, TSTR near chance: {_listed(curve.sizes[near])}")
        curve = curve.only(np.flatnonzero(~near).tolist())
    if len(curve.sizes) < curve.least_sizes:
        what = "sizes above chance" if near.any() else "sizes"
        there = f"{len(curve.sizes)} {what} ({_listed(curve.sizes) or 'none'})"
        return Outlook(curve, f"{there}, and {curve.least_sizes} are needed", tuple(told))
    return _fitted(curve, at, told)


def _fitted(curve: SizeCurve, at: Sequence[float], told: list[str]) -> Outlook:
    largest = float(curve.sizes[-1])
    asked = list(at) or [times * largest for times in TIMES]
    found = curve.predict(asked)
    if len(steps := rises(curve.losses)):
        where = [f"{curve.sizes[i]:.0f} to {curve.sizes[i + 1]:.0f}" for i in steps]
        told.append(f"not monotone: more images are worse from {_listed(where)}")
    if far := [size for size in asked if size > max(TIMES) * largest]:
        told.append(
            f"{_listed(far)}: beyond {max(TIMES)} times the largest size, which no test covers"
        )
    cannot = ""
    if misses(found, curve.losses):
        cannot = f"no law of this form fits its sizes (p {found.misfit:.2g})"
    return Outlook(curve, cannot, tuple(told), found, _checked(curve))


def rises(losses: Doubles) -> Indices:
    """Positions after which the mean over seeds is worse, of ``(S, K)`` losses."""
    return np.flatnonzero(np.diff(losses.mean(axis=0)) > 0).astype(np.int64)


def misses(found: Prediction, losses: Doubles) -> bool:
    """Whether means lie further from the law than seeds make likely."""
    return found.misfit < (MISFIT_RISING if len(rises(losses)) else MISFIT)


def _checked(curve: SizeCurve) -> Check | None:
    """The largest size by the law of the others."""
    if len(curve.sizes) <= curve.least_sizes:
        return None
    found = curve.only(range(len(curve.sizes) - 1)).predict([float(curve.sizes[-1])])
    return Check(found.at[0], float(curve.losses[:, -1].mean()))


def _listed(values: Sequence[object] | Doubles) -> str:
    return ", ".join(one if isinstance(one, str) else f"{one:.0f}" for one in values)
