"""Methods in an order without labels, where the better order is known."""

import dataclasses
import math

import numpy as np
import pytest

from tests.report.test_table import SETTINGS, planned, row
from tgap.analysis.groups import group_runs
from tgap.analysis.ranking import NAMES, OUTSIDE, SIMULATION, UNSAFE, rank
from tgap.core import ConfigError
from tgap.report import ranked
from tgap.report.tables import as_csv

ON_DIGITS = SETTINGS | {"dataset.class": "digits", "classifier.class": "small_cnn"}


def judged(method, seed=0, ood=0.5, loss=0.1, unsafe=0.0, tstr=0.7, **further):
    """A run and its unlabelled scores, which a little noise of the seed moves."""
    noise = np.random.default_rng([seed, *method.encode()]).normal(0, 0.002, 3)
    made = row(method, seed=seed, tstr=tstr + noise[0], settings=ON_DIGITS)
    scores = {OUTSIDE: ood + noise[1], SIMULATION: loss + noise[2], UNSAFE: unsafe}
    further = {name.replace("_", "/", 1): value for name, value in further.items()}
    return dataclasses.replace(made, metrics={**made.metrics, **scores, **further})


def ranking(rows, missing=()):
    return rank(group_runs(rows, missing, NAMES))


def names(found):
    return [one.group.method for one in found.placed]


def six(seeds=3, **changes):
    """Six methods, each next one worse in all respects."""
    return [
        judged(
            f"m{i}",
            seed,
            ood=0.5 + i / 20,
            loss=0.1 + i / 10,
            tstr=0.95 - i / 20,
            fidelity_coverage=0.9 - i / 10,
            fidelity_kid=0.3 - i / 50,
            **changes,
        )
        for i in range(6)
        for seed in range(seeds)
    ]


def test_the_order_is_by_both_ranks_and_tells_how_it_agrees_with_tstr():
    found = ranking(six())
    assert names(found) == [f"m{i}" for i in range(6)]
    assert [one.place for one in found.placed] == [1, 2, 3, 4, 5, 6]
    agreements = {one.order: one for one in found.agreements}
    assert agreements["both"].tau == 1
    assert agreements["coverage alone"].tau == 1
    assert agreements["KID alone"].tau == -1  # worse methods have the lower KID here
    assert all(one.lo <= one.tau <= one.hi for one in found.agreements)
    assert agreements["both"].methods == 6
    assert found.chance < 0.8


def test_tstr_has_no_part_in_the_order():
    rows = six()
    turned = [
        dataclasses.replace(
            one, metrics={**one.metrics, "tstr/auroc": 1 - one.metrics["tstr/auroc"]}
        )
        for one in rows
    ]
    unknown = [
        dataclasses.replace(one, metrics={**one.metrics, "tstr/auroc": math.nan}) for one in rows
    ]
    assert names(ranking(turned)) == names(ranking(unknown)) == names(ranking(rows))
    assert ranking(turned).agreements[0].tau == -1
    assert ranking(unknown).agreements == []
    assert "TSTR is known of fewer than 5 of these methods" in ranked.text_of(ranking(unknown))


def test_one_rank_against_the_other_is_a_tie_and_said():
    rows = [judged("a", ood=0.5, loss=0.9), judged("b", ood=0.9, loss=0.1)]
    found = ranking(rows)
    assert [one.place for one in found.placed] == [1, 1]
    assert [(one.outside, one.simulation) for one in found.placed] == [(1, 2), (2, 1)]
    text = ranked.text_of(found)
    assert "| 1= | a |" in text
    assert "these tie" in text


def test_what_is_unsafe_comes_last_however_good_its_scores():
    rows = [*six(), *(judged("constant", seed, 0.4, 0.0, 1.0, tstr=0.5) for seed in range(3))]
    rows += [judged("once", seed, 0.45, 0.05, float(seed == 0), tstr=0.96) for seed in range(3)]
    found = ranking(rows)
    assert names(found)[0] == "once"
    assert names(found)[-1] == "constant"
    assert found.placed[-1].comes_last
    assert not found.placed[0].comes_last
    text = ranked.text_of(found)
    assert "| 3 of 3 |" in text
    assert "| 1 of 3 |" in text
    assert "a method with more than half of them comes last" in text


def test_fewer_than_five_methods_or_three_seeds_bear_no_claim():
    four = [one for one in six() if one.method in ("m0", "m1", "m2", "m3")]
    assert ranking(four).agreements == []
    assert names(ranking(four)) == ["m0", "m1", "m2", "m3"]
    found = ranking(six(seeds=2))
    assert math.isnan(found.agreements[0].lo)
    assert "No interval: a method has fewer than 3 seeds." in ranked.text_of(found)


def test_a_comparison_without_its_metric_is_left_out():
    rows = [judged(f"m{i}", ood=0.5 + i / 20, tstr=0.9 - i / 20) for i in range(5)]
    orders = [one.order for one in ranking(rows).agreements]
    assert orders == ["both", "out-of-distribution alone", "simulation alone"]
    assert "Coverage" not in ranked.text_of(ranking(rows))


def test_methods_that_were_not_judged_are_named():
    plain = row("untold", settings=ON_DIGITS)
    found = ranking([*six(), plain], [planned("m0", seed=9)])
    assert [one.method for one in found.left_out] == ["untold"]
    assert "left out: untold at 100" in ranked.text_of(found)
    with pytest.raises(
        ConfigError, match="two methods that were judged by unlabelled images, got 0"
    ):
        ranking([plain])


@pytest.mark.parametrize("setting", ["dataset.class", "classifier.class", "pool_size"])
def test_other_data_and_classifiers_are_refused(setting):
    other = dataclasses.replace(judged("b"), settings=ON_DIGITS | {setting: "other"})
    told = rf"differ in {setting} \(\w+, other\); choose one, e.g. tgap rank {setting}=\w+$"
    with pytest.raises(ConfigError, match=told):
        ranking([judged("a"), other])


def test_guidance_and_size_may_differ():
    other = dataclasses.replace(judged("a"), settings=ON_DIGITS | {"sampler.guidance": "7.0"})
    small = dataclasses.replace(judged("a"), size=20, evaluation_key="small")
    found = ranking([judged("a"), other, small])
    assert len(found.placed) == 3
    assert "guidance 7.0" in ranked.text_of(found)


def test_the_csv_has_numbers_in_full():
    lines = as_csv(ranked.as_table(ranking(six()))).splitlines()
    assert lines[0].startswith("place,method,size,seeds,ood,rank by ood,simulation")
    assert len(lines) == 7
    assert lines[1].startswith("1,m0,100,3,0.")
