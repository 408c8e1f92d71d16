import math

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.analysis.test_comparison import SETTINGS, planned, row
from tgap.analysis.comparison import Comparison, compare
from tgap.analysis.curves import DRAWN, curves_of
from tgap.analysis.groups import group_runs
from tgap.tracking.run_log import _check_names


def test_a_curve_has_each_size_with_its_interval_and_what_tunes_nothing_is_level():
    rows = [
        row("random+dreambooth", z, s, 0.7 + s / 100, 0.9 + s / 100)
        for z in (100, 500)
        for s in (0, 1)
    ]
    rows += [row("none", None, tstr=math.nan)]
    comparison = compare(rows, [planned("random+dreambooth", 500, 2)])
    tuned, untuned = curves_of(comparison)
    assert (tuned.method, untuned.method) == ("random+dreambooth", "none")
    assert sorted(tuned.points) == sorted(untuned.points) == [100, 500]
    number = comparison.groups[1].numbers["fter"]
    assert tuned.points[500]["by_size/fter"] == number.estimate
    assert tuned.points[500]["by_size/fter_lo"] == number.lo
    assert tuned.points[500]["by_size/fter_hi"] == number.hi
    assert tuned.points[500]["by_size/seeds"] == 2
    assert untuned.points[100] == untuned.points[500]
    assert "by_size/tstr" not in untuned.points[100]  # not defined
    assert "by_size/trts" in untuned.points[100]


def test_methods_of_one_name_are_told_apart_by_their_settings():
    other = SETTINGS | {"sampler.guidance": "1.0"}
    curves = curves_of(compare([row("c"), row("c", settings=other)]))
    assert [curve.method for curve in curves] == ["c (guidance 3.0)", "c (guidance 1.0)"]


def test_without_a_size_the_line_is_a_point():
    (curve,) = curves_of(compare([row("none", None)]))
    assert list(curve.points) == [0]
    assert curves_of(compare([])) == []


@settings(max_examples=50)
@given(st.lists(st.text(min_size=1), min_size=1, max_size=4, unique=True))
def test_mlflow_takes_every_name(methods):
    groups = group_runs([row(method, size) for method in methods for size in (20, 50)])
    curves = curves_of(Comparison(groups))
    assert len(curves) == len(methods)
    for curve in curves:
        for values in curve.points.values():
            _check_names("metric", values)
            assert len(values) <= 3 * len(DRAWN) + 1
