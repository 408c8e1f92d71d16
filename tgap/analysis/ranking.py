"""Methods in an order that no label of a real test image has a part in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tgap.analysis.groups import RunGroup
from tgap.core import ConfigError, Doubles, rng_for
from tgap.metrics.agreement import kendall_tau, tau_of_chance
from tgap.metrics.significance import FEWEST_SEEDS

OUTSIDE, SIMULATION, UNSAFE = (f"unlabelled/{n}" for n in ("ood", "sim_log_loss", "unsafe"))
"""What orders, lower being better, and what makes a method come last."""
TSTR = "tstr/auroc"
ALONE: Mapping[str, tuple[str, int]] = {
    "out-of-distribution alone": (OUTSIDE, -1),
    "simulation alone": (SIMULATION, -1),
    "coverage alone": ("fidelity/coverage", 1),
    "KID alone": ("fidelity/kid", -1),
}
"""What the order is compared with: a metric, and whether more of it is better or worse."""
NAMES = (OUTSIDE, SIMULATION, UNSAFE, TSTR, *(name for name, _ in ALONE.values()))
"""Metrics that are read."""
FEWEST = 5
"""Methods below which no agreement with TSTR is told: of four, two random orders are equal or
reversed in 1 of 12 cases."""
RESAMPLES = 2000
SAME = (
    "dataset.",
    "protocol.",
    "classifier.",
    "pool_size",
    "train_size",
    "test_size",
    "split_seed",
)
"""Starts of settings that runs must share: TSTR and scores of other images, or by other
classifiers, differ for that reason alone."""


@dataclass(frozen=True)
class Placed:
    """A method and where it stands.

    Args:
        group: Its runs.
        place: From 1; methods that tie have the same.
        outside: Its rank by the score of out-of-distribution alone; ties have their mean rank.
        simulation: The same by that in simulation.
        unsafe: In how many of its seeds it is marked unsafe; in more than half, it comes behind all
            that are not.
    """

    group: RunGroup
    place: int
    outside: float
    simulation: float
    unsafe: int

    @property
    def comes_last(self) -> bool:
        """Whether it stands behind all safe methods, whatever its scores."""
        return 2 * self.unsafe > len(self.group.seeds)


@dataclass(frozen=True)
class Agreement:
    """Kendall's tau of an order with that by TSTR.

    Args:
        order: In words.
        tau: NaN where it is not defined.
        lo: End of the 95 % percentile interval, seeds being resampled within each method; NaN where
            a method has fewer than ``FEWEST_SEEDS``.
        hi: The other end.
        methods: It is over.
    """

    order: str
    tau: float
    lo: float
    hi: float
    methods: int


@dataclass(frozen=True)
class Ranking:
    """Methods in their order.

    Args:
        placed: The best first.
        left_out: Methods that were not judged by unlabelled images.
        agreements: First of this order; empty where TSTR is known of fewer than ``FEWEST``.
        chance: |tau| that one random order in 20 reaches, of as many methods as the first.
    """

    placed: Sequence[Placed]
    left_out: Sequence[RunGroup]
    agreements: Sequence[Agreement]
    chance: float


def rank(groups: Sequence[RunGroup]) -> Ranking:
    """Order methods by the mean of two ranks, and say how well that agrees with TSTR.

    The ranks are by ``unlabelled/ood`` and ``unlabelled/sim_log_loss``, means over seeds, the least
    first. TSTR is looked at afterwards only. That both count, and the same, is our reading of VSDR
    (arXiv 2111.00765); nothing is fitted.

    Args:
        groups: With the means of ``NAMES``.

    Raises:
        ConfigError: If they are of several datasets, splits or classifiers, or fewer than two were
            judged by unlabelled images.
    """
    judged = [one for one in groups if _is_judged(one)]
    left_out = [one for one in groups if one.seeds and not _is_judged(one)]
    if len(judged) < 2:
        raise ConfigError(
            f"an order needs two methods that were judged by unlabelled images, got {len(judged)}; "
            "evaluate them with +evaluator@evaluators.unlabelled=unlabelled: what was made is "
            "reused (a run whose pool has fewer than 20 images of other patients cannot be)"
        )
    _check_same(judged)
    samples = _resampled(judged)
    keys = _keys(samples)
    places = _ranks(keys[:1], "min")[0]
    of_parts = [_ranks(samples[name][:1])[0] for name in (OUTSIDE, SIMULATION)]
    unsafe = [sum(value > 0 for value in one.values(UNSAFE).values()) for one in judged]
    placed = [
        Placed(judged[i], int(places[i]), float(of_parts[0][i]), float(of_parts[1][i]), unsafe[i])
        for i in np.argsort(keys[0], kind="stable")
    ]
    agreements = _agreements(judged, samples, keys)
    chance = tau_of_chance(agreements[0].methods) if agreements else float("nan")
    return Ranking(placed, left_out, agreements, chance)


def _is_judged(group: RunGroup) -> bool:
    return not any(np.isnan(group.numbers[name].estimate) for name in (OUTSIDE, SIMULATION))


def _check_same(groups: Sequence[RunGroup]) -> None:
    names = dict.fromkeys(name for group in groups for name in group.settings)
    values = {
        name: list(dict.fromkeys(group.settings.get(name, "none") for group in groups))
        for name in names
    }
    differing = [name for name in names if len(values[name]) > 1 and name.startswith(SAME)]
    # Of two datasets every setting differs: the class says it.
    classes = [name for name in differing if name.endswith(".class")]
    if told := classes or differing:
        raise ConfigError(
            *(
                f"methods are ordered on one dataset, split and classifier, and these runs differ "
                f"in {name} ({', '.join(values[name])}); choose one, e.g. tgap rank "
                f"{name}={values[name][0]}"
                for name in told
            )
        )


def _resampled(groups: Sequence[RunGroup]) -> dict[str, Doubles]:
    """``(1 + RESAMPLES, n)`` by metric: means over the seeds, and over seeds drawn with repeats.

    The same seeds of a method for all metrics; other methods have draws of their own.
    """
    rng = rng_for("resample", 0, "rank")
    columns: dict[str, list[Doubles]] = {name: [] for name in NAMES}
    for group in groups:
        count = len(group.seeds)
        drawn = rng.integers(count, size=(RESAMPLES, count))
        for name, means in columns.items():
            values = np.array([*group.values(name).values()])
            means.append(np.concatenate([[values.mean()], values[drawn].mean(axis=1)]))
    return {name: np.stack(means, axis=1) for name, means in columns.items()}


def _ranks(values: Doubles, ties: str = "average") -> Doubles:
    """``(B, n)``: ranks within each row, the least is 1."""
    from scipy.stats import rankdata

    return np.asarray(rankdata(values.round(12), method=ties, axis=1), np.float64)


def _keys(samples: Mapping[str, Doubles]) -> Doubles:
    """``(B, n)``: mean of the two ranks; behind all others where most seeds are unsafe."""
    mean = (_ranks(samples[OUTSIDE]) + _ranks(samples[SIMULATION])) / 2
    keys: Doubles = mean + mean.shape[1] * (samples[UNSAFE] > 1 / 2)
    return keys


def _agreements(
    groups: Sequence[RunGroup], samples: Mapping[str, Doubles], keys: Doubles
) -> list[Agreement]:
    orders = {"both": -keys}
    orders |= {words: sign * samples[name] for words, (name, sign) in ALONE.items()}
    found = []
    for words, values in orders.items():
        known = ~np.isnan(samples[TSTR][0] + values[0])
        if known.sum() < FEWEST:
            continue
        taus = kendall_tau(values[:, known].round(12), samples[TSTR][:, known].round(12))
        seeds = min(len(g.seeds) for g, counts in zip(groups, known, strict=True) if counts)
        ends = _ends(taus[1:]) if seeds >= FEWEST_SEEDS else (float("nan"), float("nan"))
        found.append(Agreement(words, float(taus[0]), *ends, int(known.sum())))
    return found if found and found[0].order == "both" else []


def _ends(taus: Doubles) -> tuple[float, float]:
    """The middle 95 % of what is defined."""
    defined = taus[~np.isnan(taus)]
    if len(defined) == 0:
        return float("nan"), float("nan")
    lo, hi = np.percentile(defined, [2.5, 97.5])
    return float(lo), float(hi)
