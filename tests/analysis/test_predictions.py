"""Which runs make a curve, and what is said of it."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.analysis.test_comparison import SETTINGS, row
from tgap.analysis import predictions, scaling
from tgap.analysis.predictions import curves_over, outlooks
from tgap.core import ConfigError

SIZES = (25, 50, 100, 200, 400)
NOISE = np.random.default_rng(0).normal(0, 0.01, (8, 5))


@pytest.fixture(autouse=True, scope="module")
def few_resamples():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(predictions, "predict", partial(scaling.predict, resamples=10))
        yield


def law(size):
    return 1 - (0.05 + 1.0 * size**-0.5)


def runs(method="a", sizes=SIZES, seeds=5, tstr=law, **changes):
    """Runs whose TSTR follows a law."""
    return [
        row(method, size, seed, tstr(size) + NOISE[seed, i], resamples=2, **changes)
        for seed in range(seeds)
        for i, size in enumerate(sizes)
    ]


def test_a_curve_is_predicted_and_its_largest_size_checked():
    (one,) = outlooks(runs())
    assert not one.cannot
    assert one.told == ()
    assert one.curve.seeds == (0, 1, 2, 3, 4)
    assert [at.size for at in one.prediction.at] == [800, 1600]
    for at in one.prediction.at:
        assert at.lo < 1 - law(at.size) < at.hi
    assert one.check.predicted.size == 400
    assert one.check.measured == pytest.approx(one.curve.losses[:, -1].mean())
    assert one.check.holds
    expected = scaling.predict(
        one.curve.sizes[:4], one.curve.losses[:, :4], [400], resamples=10
    ).at[0]
    assert one.check.predicted == expected


def test_a_largest_size_that_leaves_the_law_is_told():
    def broken(size):
        return law(size) - 0.2 * (size == 400)

    (one,) = outlooks(runs(tstr=broken))
    assert not one.check.holds
    assert "no law of this form fits" in one.cannot
    assert "not monotone: more images are worse from 200 to 400" in one.told


@settings(max_examples=6)
@given(st.randoms(use_true_random=False))
def test_the_order_of_runs_and_the_names_of_seeds_change_nothing(random):
    names = random.sample(range(100), 5)
    rows = [replace(one, seed=names[one.seed]) for one in runs()]
    random.shuffle(rows)
    (one,), (other,) = outlooks(runs()), outlooks(rows)
    assert (one.prediction, one.check) == (other.prediction, other.check)


def test_runs_of_other_settings_and_methods_make_curves_of_their_own():
    other = SETTINGS | {"sampler.guidance": "1.0"}
    rows = [*runs(), *runs(settings=other, tstr=lambda n: law(n) - 0.02), *runs("b")]
    found = curves_over(rows, (), "size", "tstr")
    assert [len(curve.sizes) for curve in found] == [5, 5, 5]
    assert [curve.group.method for curve in found] == ["a", "a", "b"]
    one, two = found[:2]
    assert one.losses == pytest.approx(two.losses - 0.02)


def test_a_method_of_one_size_has_no_curve():
    assert len(outlooks([*runs(), row("b", 100), row("none", None)])) == 1
    with pytest.raises(ConfigError, match=r"two or more tuning-set sizes \(size=25,50"):
        outlooks([row("b", 100), row("none", None)])


@pytest.mark.parametrize(
    ("given_runs", "why"),
    [
        (runs(sizes=SIZES[:3]), r"3 sizes \(25, 50, 100\), and 4 are needed"),
        (runs(seeds=2), "2 seeds in common to all sizes, and 3 are needed"),
        (
            runs(tstr=lambda n: 0.5 if n < 100 else law(n)),
            r"3 sizes above chance \(100, 200, 400\), and 4 are needed",
        ),
        (runs(tstr=lambda n: 0.5), r"0 sizes above chance \(none\), and 4 are needed"),
    ],
)
def test_what_is_too_little_is_not_predicted(given_runs, why):
    (one,) = outlooks(given_runs)
    assert one.cannot.startswith(why.replace("\\", ""))
    assert one.prediction is None
    assert one.check is None


def test_a_size_near_chance_is_left_out():
    (one,) = outlooks(runs(tstr=lambda n: 0.52 if n == 25 else law(n)))
    assert not one.cannot
    assert one.told == ("left out, TSTR near chance: 25",)
    assert one.curve.sizes.tolist() == [50, 100, 200, 400]
    assert one.check is None  # three sizes would be left


def test_seeds_that_some_size_lacks_are_left_out():
    rows = [one for one in runs() if (one.seed, one.size) != (1, 100)]
    nan = {**rows[0].metrics, "tstr/auroc": float("nan")}
    rows[0] = replace(rows[0], metrics=nan)
    (one,) = outlooks(rows)
    assert one.curve.seeds == (2, 3, 4)
    assert one.told[0] == "seeds 0, 1 are not at all sizes and are left out"


def test_small_rises_are_told_and_fitted():
    (one,) = outlooks(runs(tstr=lambda n: 0.9))
    assert not one.cannot
    assert one.told[0].startswith("not monotone: more images are worse from")


def test_a_curve_that_turns_is_not_predicted():
    (one,) = outlooks(runs(tstr=lambda n: law(min(n, 100)) - 0.02 * max(0, np.log2(n / 100))))
    assert one.cannot.startswith("no law of this form fits its sizes (p ")


def test_seeds_of_one_synthetic_set_are_told():
    (one,) = outlooks([replace(one, synthetic=f"set of {one.size}") for one in runs()])
    assert "all seeds train on one synthetic set: nothing is known of other draws" in one.told


def test_sizes_that_were_asked_for_are_predicted():
    (one,) = outlooks(runs(), at=(300, 1600, 2000))
    assert [at.size for at in one.prediction.at] == [300, 1600, 2000]
    assert one.told == ("2000: beyond 4 times the largest size, which no test covers",)


def test_the_utility_lost_is_what_tstr_lacks_to_trtr():
    (lost,), (tstr,) = outlooks(runs(), of="utility_lost"), outlooks(runs())
    assert lost.curve.losses == pytest.approx(tstr.curve.losses - 0.05)  # TRTR is .95
    assert lost.curve.least == pytest.approx(-0.05)
    (a, b) = (one.prediction.at[0].estimate for one in (lost, tstr))
    assert a == pytest.approx(b - 0.05, abs=1e-4)


def test_without_trtr_there_is_tstr_and_no_utility_lost():
    rows = [
        replace(one, metrics={"tstr/auroc": one.metrics["tstr/auroc"]}, resampled={})
        for one in runs()
    ]
    assert not outlooks(rows)[0].cannot
    (one,) = outlooks(rows, of="utility_lost")
    assert one.cannot == "0 seeds in common to all sizes, and 3 are needed"


def test_synthetic_images_make_curves_where_all_else_is_equal():
    rows = [
        replace(one, size=size, settings=SETTINGS | {"budget.train_per_label": str(one.size)})
        for size in (20, 50)
        for one in runs(tstr=lambda n, size=size: law(n) + size / 1000)
    ]
    found = curves_over(rows, (), "synthetic", "tstr")
    assert [(curve.group.size, curve.sizes.tolist()) for curve in found] == [
        (20, list(SIZES)),
        (50, list(SIZES)),
    ]
    assert all("budget.train_per_label" not in curve.group.settings for curve in found)
    assert len(curves_over(rows, (), "size", "tstr")) == 5
    with pytest.raises(ConfigError, match="with --over size and --over synthetic"):
        outlooks(rows, over="real")


def augmented(seed):
    """A run whose augmentation curves follow laws: 20 real images are what the set is worth."""
    points = {f"mixed_{n}": 1 - 0.03 - 0.3 * (n + 20) ** -0.5 for n in (1, 3, 10, 30, 100, 300)}
    points |= {f"synthetic_{n}": law(n) for n in (10, 30, 100, 300)}
    points |= {"mixed_all": 0.97, "real_10": 0.8, "real_all": 0.97, "synthetic_all": 0.9}
    tstr = 1 - 0.03 - 0.3 * 20**-0.5
    made = row("a", 100, seed, tstr + NOISE[seed, 0] / 10, resamples=2)
    values = {
        f"augmentation/{name}": value + NOISE[seed, i % 5] / 10
        for i, (name, value) in enumerate(points.items())
    }
    return replace(made, metrics=made.metrics | values)


def test_real_images_beside_the_synthetic_ones_begin_with_tstr():
    rows = [augmented(seed) for seed in range(4)]
    (one,) = outlooks(rows, over="real")
    assert one.curve.kind == "mixed"
    assert one.curve.sizes.tolist() == [0, 1, 3, 10, 30, 100, 300]
    assert one.curve.losses[2, 0] == pytest.approx(1 - rows[2].metrics["tstr/auroc"])
    assert one.prediction.law.offset == pytest.approx(20, rel=0.5)
    assert [at.size for at in one.prediction.at] == [600, 1200]
    (alone,) = outlooks(rows, over="synthetic")
    assert (alone.curve.kind, alone.curve.sizes.tolist()) == ("synthetic", [10, 30, 100, 300])
    assert alone.prediction.law.offset is None
