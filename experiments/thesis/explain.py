"""What explains the gap: T-Gap, TSTR and TRTS of all runs against what is known of each.

Usage: ``python -m experiments.thesis.explain [FOLDER]``. Reads its ``runs.csv``, and writes
``explain.csv`` (partial correlations within world and method) and ``foretold.csv`` (how well a
method's numbers are foretold from the other methods'). One run is one point.
"""

import csv
import io
import math
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from experiments.thesis import runs
from experiments.thesis.regression import Partial, explained, foretold, partial
from experiments.thesis.worlds import GUIDANCE, STEPS, world_of
from tgap.analysis.rows import RunRow
from tgap.core import ConfigError, Doubles
from tgap.core.files import write_whole
from tgap.metrics.intervals import LEAST_FREEDOM
from tgap.metrics.significance import LEVEL, holm

OUTCOMES = ("t_gap", "tstr/auroc", "trts/auroc")
FEWEST = 20
"""Runs beyond the number of predictors and groups, below which nothing is said."""

Reading = Callable[[RunRow], float]


def _metric(name: str) -> Reading:
    return lambda row: row.metrics.get(name, math.nan)


def _log2(name: str) -> Reading:
    return lambda row: math.log2(float(row.settings[name])) if name in row.settings else math.nan


def _vendi(row: RunRow) -> float:
    """Effective number of images, as a share of the real ones'."""
    real = row.metrics.get("diversity/vendi_real", math.nan)
    return row.metrics.get("diversity/vendi", math.nan) / real if real > 0 else math.nan


def _leakage(row: RunRow) -> float:
    """How much better synthetic images show their label than real ones do: TSTS - TRTR."""
    return row.metrics.get("tsts/auroc", math.nan) - row.metrics.get("trtr/auroc", math.nan)


def _size(row: RunRow) -> float:
    """Tuning images, in doublings; where all of a pool is tuned on, those in it."""
    number = row.metrics.get("images/pool", math.nan) if row.size is None else float(row.size)
    return math.log2(number) if number > 0 else math.nan


CHEAP: Mapping[str, Reading] = {
    "coverage": _metric("fidelity/coverage"),
    "recall": _metric("fidelity/recall"),
    "vendi": _vendi,
    "copy rate": _metric("memorization/copied_fraction"),
    "guidance": _log2(GUIDANCE),
    "steps": _log2(STEPS),
    "size": _size,
}
"""Known before any classifier is trained."""
PREDICTORS: Mapping[str, Reading] = {**CHEAP, "label leakage": _leakage}
SETTINGS = ("guidance", "steps", "size")
"""What a person sets. Coverage and the like follow from these, so that what a setting does is asked
given the other settings alone, and what is measured given everything else."""


@dataclass(frozen=True)
class Points:
    """Runs as points.

    Args:
        outcomes: ``(N, 3)``, of ``OUTCOMES``.
        predictors: ``(N, K)``, those that vary.
        names: K.
        worlds: N.
        methods: N labels.
        seeds: N.
        left_out: Runs that are no points, and predictors that are none, by reason.
    """

    outcomes: Doubles
    predictors: Doubles
    names: tuple[str, ...]
    worlds: tuple[str, ...]
    methods: tuple[str, ...]
    seeds: tuple[str, ...]
    left_out: Mapping[str, int]

    @property
    def groups(self) -> tuple[str, ...]:
        """World and method of each."""
        return tuple(f"{w}: {m}" for w, m in zip(self.worlds, self.methods, strict=True))

    def column(self, name: str) -> int:
        """Where a predictor stands."""
        return self.names.index(name)

    def given(self, name: str) -> tuple[Doubles, int]:
        """A predictor and those that it is asked beside, and where it stands among them."""
        names = [n for n in self.names if n in SETTINGS] if name in SETTINGS else [*self.names]
        return self.predictors[:, [self.column(n) for n in names]], names.index(name)

    def over(self, name: str) -> str:
        """What an interval is over: methods, or seeds where a predictor varies in few of them."""
        values, groups = self.predictors[:, self.column(name)], np.array(self.groups)
        varying = [g for g in dict.fromkeys(self.groups) if np.ptp(values[groups == g]) > 0]
        return "methods" if len(varying) > LEAST_FREEDOM else "seeds"


@dataclass(frozen=True)
class Found:
    """A predictor and an outcome.

    Args:
        outcome: Of ``OUTCOMES``.
        predictor: Of ``PREDICTORS``.
        over: What the interval is for new ones of: ``methods`` or ``seeds``.
        partial: Their correlation, given the others (``SETTINGS``).
        p_holm: Adjusted for all predictors and outcomes.
        least: Smallest correlation when one method is left out.
        most: Largest one.
    """

    outcome: str
    predictor: str
    over: str
    partial: Partial
    p_holm: float
    least: float
    most: float

    @property
    def holds(self) -> bool:
        """Shown, and of one sign whichever method is left out."""
        return self.p_holm <= LEVEL and self.least * self.most > 0 and self.over == "methods"


@dataclass(frozen=True)
class Forecast:
    """How well outcomes of one method are foretold from the other methods.

    Args:
        outcome: Of ``OUTCOMES``.
        predictors: Used.
        explained: Share of squared error taken away, of all methods together.
        worst: The same of the method that is foretold worst.
        worst_method: Which.
    """

    outcome: str
    predictors: tuple[str, ...]
    explained: float
    worst: float
    worst_method: str


def points_of(rows: Sequence[RunRow]) -> Points:
    """Runs of methods with all that is needed.

    Raises:
        ConfigError: If there are too few of them.
    """
    reasons: Counter[str] = Counter()
    kept, values = [], []
    for row in rows:
        outcome = [row.metrics.get(name, math.nan) for name in OUTCOMES]
        known = {name: read(row) for name, read in PREDICTORS.items()}
        unknown = [name for name, value in known.items() if not math.isfinite(value)]
        if row.is_control:
            reasons["controls"] += 1
        elif row.method.startswith("none"):
            reasons["untuned"] += 1
        elif not np.isfinite(outcome).all() or unknown:
            reasons[f"without {', '.join(unknown) or 'AUROC'}"] += 1
        else:
            kept.append(row)
            values.append([*outcome, *known.values()])
    array = np.array(values, np.float64).reshape(len(kept), len(OUTCOMES) + len(PREDICTORS))
    predictors = array[:, len(OUTCOMES) :]
    varies = np.ptp(predictors, axis=0) > 0 if len(kept) else np.zeros(len(PREDICTORS), bool)
    names = tuple(name for name, there in zip(PREDICTORS, varies, strict=True) if there)
    worlds = tuple(world_of(row) for row in kept)
    methods = tuple(row.method.partition(" ")[0] for row in kept)
    seeds = tuple(f"{w}: {row.seed}" for w, row in zip(worlds, kept, strict=True))
    needed = FEWEST + len(names) + len(set(zip(worlds, methods, strict=True)))
    if len(kept) < needed:
        why = ", ".join(f"{number} {reason}" for reason, number in reasons.items()) or "none"
        raise ConfigError(
            f"explaining takes {needed} runs with fidelity and memorization at least, got "
            f"{len(kept)} (left out: {why}); run more of them, or with these evaluators"
        )
    for name, there in zip(PREDICTORS, varies, strict=True):
        if not there:
            reasons[f"predictor '{name}', which does not vary"] += 1
    outcomes = array[:, : len(OUTCOMES)]
    return Points(outcomes, predictors[:, varies], names, worlds, methods, seeds, dict(reasons))


def explain(points: Points) -> list[Found]:
    """All predictors and outcomes."""
    found = []
    for place, outcome in enumerate(OUTCOMES):
        y = points.outcomes[:, place]
        for name in points.names:
            x, which = points.given(name)
            over = points.over(name)
            units = points.groups if over == "methods" else points.seeds
            whole = partial(y, x, which, points.groups, units)
            left = [r for r in _left_out(points, y, x, which) if math.isfinite(r)]
            least, most = (min(left), max(left)) if left else (math.nan, math.nan)
            found.append(Found(outcome, name, over, whole, math.nan, least, most))
    p_values = holm(np.array([one.partial.p_value for one in found], np.float64))
    return [replace(one, p_holm=float(p)) for one, p in zip(found, p_values, strict=True)]


def _left_out(points: Points, y: Doubles, x: Doubles, which: int) -> list[float]:
    """The correlation without each method, in all worlds, where it varies beyond rounding."""
    methods, groups = np.array(points.methods), np.array(points.groups)
    rest = [methods != method for method in dict.fromkeys(points.methods)]
    return [
        partial(y[rows], x[rows], which, groups[rows].tolist()).r for rows in rest if rows.any()
    ]


def forecasts(points: Points) -> list[Forecast]:
    """Of each cheap predictor alone, and of all of them."""
    cheap = [name for name in points.names if name in CHEAP]
    sets = [(name,) for name in cheap] + ([tuple(cheap)] if len(cheap) > 1 else [])
    return [_forecast(points, place, names) for place in range(len(OUTCOMES)) for names in sets]


def _forecast(points: Points, place: int, names: tuple[str, ...]) -> Forecast:
    y, methods = points.outcomes[:, place], np.array(points.methods)
    columns = [points.column(name) for name in names]
    told = foretold(y, points.predictors[:, columns], points.worlds, points.methods)
    means = foretold(y, points.predictors[:, []], points.worlds, points.methods)
    of_method = {
        method: explained(y[methods == method], told[methods == method], means[methods == method])
        for method in dict.fromkeys(points.methods)
    }
    known = {method: share for method, share in of_method.items() if math.isfinite(share)}
    worst = min(known, key=lambda method: known[method], default="")
    return Forecast(
        OUTCOMES[place], names, explained(y, told, means), known.get(worst, math.nan), worst
    )


def as_csv(points: Points, found: Sequence[Found]) -> str:
    """A line per outcome and predictor."""
    head = [
        *("outcome", "predictor", "interval_over", "partial_r", "lo", "hi", "p_holm"),
        *("least_without_a_method", "most_without_a_method", "holds", "runs", "groups"),
    ]
    size = [len(points.worlds), len(set(points.groups))]
    lines = []
    for one in found:
        numbers = (one.partial.r, one.partial.lo, one.partial.hi, one.p_holm, one.least, one.most)
        told = [*map(_text, numbers), "yes" if one.holds else "no"]
        lines.append([one.outcome, one.predictor, one.over, *told, *size])
    return _written([head, *lines])


def forecasts_as_csv(found: Sequence[Forecast]) -> str:
    """A line per outcome and set of predictors."""
    head = ["outcome", "predictors", "explained_of_other_methods", "of_the_worst", "the_worst"]
    lines = [
        [one.outcome, " + ".join(one.predictors), _text(one.explained), _text(one.worst),
         one.worst_method]
        for one in found
    ]  # fmt: skip
    return _written([head, *lines])


def _written(lines: Sequence[Sequence[object]]) -> str:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(lines)
    return file.getvalue()


def _text(number: float) -> str:
    return "" if math.isnan(number) else f"{number:.4f}"


def main(folder: Path) -> None:
    """Write both tables beside ``runs.csv``, of all its runs."""
    points = points_of(runs.read(folder / runs.FILE.name))
    found = explain(points)
    write_whole(folder / "explain.csv", as_csv(points, found), "the correlations")
    write_whole(folder / "foretold.csv", forecasts_as_csv(forecasts(points)), "the forecasts")
    print(f"{len(points.worlds)} runs, {len(set(points.groups))} groups of world and method")
    for reason, number in points.left_out.items():
        print(f"left out: {number} {reason}")
    for one in found:
        if one.holds:
            print(f"{one.outcome} and {one.predictor}: r {one.partial.r:+.2f}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "experiments/thesis"))
