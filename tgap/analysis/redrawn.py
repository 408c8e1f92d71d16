"""Random splits of one data set (``split_seed=0,1,2``): which runs are averaged over them, and how
far their spread falls short of that between data sets.

A mean over J splits of its own data set each would have the variance ``s^2 / J``. But random
splits of one data set share images, and what a side adds is alike in two splits as far as they
share it. A side that takes a share f of the images that it is drawn from shares a part f of itself
with that of another split, so what it adds, V, has the covariance f V (exact where it is a mean
over images; of anything that is smooth in the images' distribution, in large samples). The sample
variance over splits is then (1 - f) V on average, and that of the mean over splits ::

    V (f + (1 - f) / J) = s^2 (1 / J + f / (1 - f))

Nadeau & Bengio (Machine Learning 52:239-281, 2003) have this with n_test / n_train for
f / (1 - f): their f is the test part, as if training images did not matter. Here three sides are
drawn, and the pool (.6 of the images by default) is shared more than the test set is (.2).

An image that does harm both where it trains and where it tests, a mislabelled one say, makes two
splits alike up to the sum of the shares of both sides.

Departure: f is the largest share of the sides that a number is made of: pool and real_test for
TSTR, real_train and pool for TRTS. That assumes that what an image adds as one of the pool has
nothing to do with what it adds as a test image. TRTR takes the sum of real_train and real_test,
which is never too small. It is the pool's share also where few of its images are tuned on: a
selector that picks by rule picks the same of those that two pools share, and one that picks at
random adds variance that is a seed's own. Sides that every split has (official ones) are no part of
it.

How often such intervals hold: ``experiments/statistics/splits.py``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tgap.analysis.rows import PlannedRun, RunRow
from tgap.metrics.legs import MADE_OF, SIDE_SHARES, sides_of

SPLIT_SEED = "split_seed"
LEAST_SPLITS = 3
"""Two say next to nothing of their spread: t with one degree of freedom is 12.7."""

Family = tuple[object, ...]


def family_of(run: PlannedRun) -> Family:
    """What runs have in common that differ in seed and split only."""
    settings = {name: value for name, value in run.settings.items() if name != SPLIT_SEED}
    return (run.method_key, run.size, tuple(sorted(settings.items())))


def averaged_over_draws(runs: Sequence[PlannedRun]) -> tuple[list[PlannedRun], dict[Family, str]]:
    """Make ``split_seed`` a run's split, instead of a setting, where runs are averaged over it.

    They are where each seed has a finished run of each ``split_seed`` that any has, at least
    ``LEAST_SPLITS``: means over different splits are no paired comparison. Folds are dealt by
    their own protocol, and of these each dealing is a row.

    Returns:
        The runs in their order, and why runs of several ``split_seed`` stay apart, by family.
    """
    families: dict[Family, list[PlannedRun]] = {}
    for run in runs:
        if SPLIT_SEED in run.settings and len(run.splits) <= 1 and not run.split:
            families.setdefault(family_of(run), []).append(run)
    reasons = {family: _reason(members) for family, members in families.items()}
    splits = {family: _draws(members) for family, members in families.items()}
    return [
        _on_its_split(run, splits[family])
        if reasons.get(family := family_of(run)) == "" and len(splits[family]) > 1
        else run
        for run in runs
    ], {family: reason for family, reason in reasons.items() if reason}


def _draws(runs: Sequence[PlannedRun]) -> list[str]:
    return sorted({run.settings[SPLIT_SEED] for run in runs}, key=int)


def _on_its_split(run: PlannedRun, draws: Sequence[str]) -> PlannedRun:
    settings = {name: value for name, value in run.settings.items() if name != SPLIT_SEED}
    return replace(
        run,
        settings=settings,
        split={SPLIT_SEED: run.settings[SPLIT_SEED]},
        splits=[{SPLIT_SEED: draw} for draw in draws],
    )


def _reason(runs: Sequence[PlannedRun]) -> str:
    """Why runs are not averaged over their splits; empty where they are, or there is one split."""
    draws, finished = _draws(runs), [run for run in runs if isinstance(run, RunRow)]
    if len(draws) < 2:
        return ""
    there = {(run.seed, run.settings[SPLIT_SEED]) for run in finished}
    lacking = {
        seed: [draw for draw in draws if (seed, draw) not in there]
        for seed in sorted({run.seed for run in runs})
    }
    words = [
        f"seed {seed} lacks {SPLIT_SEED} {', '.join(of)}" for seed, of in lacking.items() if of
    ]
    if words:
        return "; ".join(words)
    if len(draws) < LEAST_SPLITS:
        return f"{len(draws)} splits, and it takes {LEAST_SPLITS}"
    if not all(name in run.metrics for run in finished for name in SIDE_SHARES.values()):
        return (
            "recorded by an earlier version; the sweep's own command, typed again, averages them "
            "(nothing is computed anew)"
        )
    return ""


def shares_of(rows: Sequence[RunRow]) -> dict[str, float]:
    """The largest share of each side; empty unless splits are drawn anew."""
    if not rows or SPLIT_SEED not in rows[0].split:
        return {}
    return {side: max(row.metrics[name] for row in rows) for side, name in SIDE_SHARES.items()}


def correction(name: str, shares: Mapping[str, float]) -> float:
    """``f / (1 - f)``, see above; 0 for the folds of one dealing, whose shares are not given.

    >>> round(correction("tstr/auroc", {"pool": 0.6, "real_train": 0.2, "real_test": 0.2}), 3)
    1.5
    """
    partial = {side: shares[side] for side in sides_of(name) if shares.get(side, 1.0) < 1}
    share = max(partial.values(), default=0.0)
    real = partial.get("real_train", 0.0) + partial.get("real_test", 0.0)
    if "trtr" in MADE_OF[name] and real < 1:  # 1 or more: no image can stand on both sides
        share = max(share, real)
    return share / (1 - share)


def shares_test(name: str, shares: Mapping[str, float]) -> bool:
    """Whether all splits test on the same real images, so that none shows what others would do."""
    return "real_test" in sides_of(name) and shares.get("real_test", 0.0) >= 1


def own_share(name: str, shares: Mapping[str, float], splits: int) -> float:
    """``1 / J`` beside ``1 / J + f / (1 - f)``: what is a run's own is no more alike in two splits
    that share images.
    """
    return 1 / (1 + splits * correction(name, shares)) if splits > 1 else 1.0
