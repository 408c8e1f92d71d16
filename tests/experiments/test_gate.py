"""The gate for faster settings, on runs with planted differences."""

from statistics import mean, stdev
from types import SimpleNamespace

import pytest

from experiments.gate.table import DEFAULT, METRICS, settings_of, shift, table
from tgap.core import ConfigError

TSTR = [0.90, 0.92, 0.94, 0.91, 0.93]
COMMON = ("tracking.experiment=gate", "size=500")


def record(seed: int, words: tuple[str, ...] = (), moved: float = 0.0, **seconds: float):
    """A finished run; ``moved`` is added to its TSTR alone."""
    metrics = dict.fromkeys(METRICS.values(), 0.5 + 0.01 * seed)
    metrics["tstr/auroc"] = TSTR[seed] + moved
    costs = [
        {"kind": f"{kind} tiny_ldm", "seconds": spent}
        for kind, spent in {"generator": 40.0, "synthetic": 60.0, "prior": 9.0}.items()
    ]
    for cost in costs:
        cost["seconds"] = seconds.get(cost["kind"].split()[0], cost["seconds"])
    return SimpleNamespace(
        words=(*words, f"seed={seed}", *COMMON),
        params={"seed": str(seed)},
        metrics=metrics,
        costs=costs,
    )


def test_a_setting_is_what_its_words_add_to_those_of_all():
    runs = [record(seed, words) for words in ((), ("sampler.steps=9", "b=1")) for seed in (0, 1)]
    default, other = settings_of(runs)
    assert (default.words, other.words) == (DEFAULT, "b=1 sampler.steps=9")
    assert sorted(default.metrics) == sorted(other.metrics) == [0, 1]
    assert default.seconds[0] == {"tuning": 40.0, "drawing": 60.0}


def test_differences_are_paired_by_seed_and_the_spread_is_the_defaults():
    moves = [0.01, -0.02, 0.03]
    runs = [record(seed) for seed in range(5)]
    runs += [record(seed, ("fast=1",), move) for seed, move in enumerate(moves)]
    default, other = settings_of(runs)
    found = shift(other, default, "tstr/auroc")
    assert found.mean == pytest.approx(mean(moves))
    assert found.error == pytest.approx(stdev(moves) / 3**0.5)
    assert found.spread == pytest.approx(stdev(TSTR))
    assert found.within
    assert shift(other, default, "trts/auroc").mean == 0.0


@pytest.mark.parametrize(("moved", "verdict"), [(0.01, "yes"), (-0.05, "no: TSTR")])
def test_what_moves_further_than_seeds_does_not_pass(moved, verdict):
    runs = [record(seed) for seed in range(5)]
    runs += [record(seed, ("fast=1",), moved, synthetic=30.0) for seed in range(5)]
    first, *_, default, other = table(settings_of(runs)).splitlines()
    assert first.startswith("| setting | TSTR | TRTS | FTER | Frechet | passes |")
    assert default.startswith("| the default | .9200 (spread .0158) |")
    assert f"| {moved:+.4f} ± .0000 |".replace("0.", ".", 1) in other
    assert other.endswith(f"| {verdict} | 40 (1.00 x) | 30 (2.00 x) |")


def test_what_is_not_known_does_not_pass():
    runs = [record(seed) for seed in range(5)] + [record(0, ("fast=1",))]
    default, other = settings_of(runs)
    assert not shift(other, default, "tstr/auroc").within
    del runs[0].metrics["fter"]
    assert not shift(other, default, "fter").within


@pytest.mark.parametrize("runs", [[], [record(0)], [record(s, (f"a={s}",)) for s in (0, 1)]])
def test_without_two_seeds_of_the_default_it_says_what_to_run(runs):
    with pytest.raises(ConfigError, match=r"two seeds at least, got [01]; run the first command"):
        settings_of(runs)
