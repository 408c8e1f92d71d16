"""What ``tgap predict`` says below its table."""

from dataclasses import replace

import numpy as np
import pytest

from tests.analysis.test_comparison import row
from tgap.analysis.predictions import Check, Outlook, curves_over
from tgap.analysis.scaling import Law, Predicted, Prediction
from tgap.report.predicted import plain, sentences_of, table_of

SIZES = (25, 50, 100, 200, 400)


def an_outlook(**changes):
    rows = [row("a", size, seed, 0.9 - size**-0.5, resamples=2) for size in SIZES for seed in (0,)]
    (curve,) = curves_over(rows, (), "size", "tstr")
    law = Law(floor=0.05, above=0.05, exponent=0.5, largest=400)
    at = (Predicted(800, 0.085, 0.06, 0.1), Predicted(1600, 0.075, 0.01, 0.2))
    found = Prediction(law, at, (0.04, 0.06), 0.015, 0.5)
    check = Check(Predicted(400, 0.1, 0.08, 0.12), 0.11)
    return replace(Outlook(curve, "", (), found, check), **changes)


def test_it_is_said_what_the_law_is_where_it_ends_and_whether_it_held():
    assert sentences_of([an_outlook()])[1:] == [
        "a: 1 - TSTR = .050 + 1 n^-.5.",
        "a: endless images would reach .950 (.940 to .960), if the law goes on.",
        "a: check: the others predict .900 (.880 to .920) at 400, .890 was measured, inside.",
        "a: at 1600 the interval is wider than all of the loss at 400, so it is of no use; more "
        "seeds or larger sizes narrow it.",
        "a: a single run scatters by .015 about such a mean.",
    ]


def test_a_floor_that_is_not_identified_and_a_check_that_failed_are_told():
    one = an_outlook()
    found = replace(one.prediction, floor=(0.0, 0.08))
    check = replace(one.check, measured=0.2)
    told = sentences_of([replace(one, prediction=found, check=check, told=("and more",))])
    assert told[2] == (
        "a: what endless images would reach is not identified: .920 to 1.000 agree with the runs."
    )
    assert told[3].endswith(
        ".800 was measured, outside: the law does not go on as fitted, do not trust it further."
    )
    assert told[-1] == "a: and more."
    assert "a: no check: without its largest size 4 sizes are left." in sentences_of(
        [replace(one, check=None)]
    )


def test_a_level_law_is_called_so():
    one = an_outlook()
    law = replace(one.prediction.law, above=1e-7)
    (_, told, *_) = sentences_of([replace(one, prediction=replace(one.prediction, law=law))])
    assert told == "a: 1 - TSTR = .050, and more images change nothing."


def test_the_table_has_the_largest_size_and_what_is_predicted():
    table = table_of([an_outlook()])
    shown = [[value.text for value in line[1:]] for line in table.rows]
    assert shown == [
        ["400", "1", "measured", ".850"],
        ["400", "1", "by the others", ".900 .880-.920"],
        ["800", "1", "predicted", ".915 .900-.940"],
        ["1600", "1", "predicted (useless)", ".925 .800-.990"],
    ]
    assert table.rows[2][-1].numbers == pytest.approx((0.915, 0.9, 0.94))


def test_where_nothing_is_predicted_there_is_what_was_measured_and_why():
    one = an_outlook(cannot="3 sizes (1, 2, 3), and 4 are needed", prediction=None, check=None)
    assert len(table_of([one]).rows) == 1
    assert sentences_of([one]) == ["a: cannot predict: 3 sizes (1, 2, 3), and 4 are needed."]
    empty = replace(one.curve, sizes=np.array([]), aurocs=np.zeros((1, 0)))
    assert table_of([replace(one, curve=empty)]).rows == []


def test_real_images_beside_synthetic_ones_have_an_offset_in_words():
    one = an_outlook()
    curve = replace(one.curve, over="real", kind="mixed")
    law = replace(one.prediction.law, offset=20.0)
    one = replace(one, curve=curve, prediction=replace(one.prediction, law=law))
    assert sentences_of([one])[1].endswith(
        "= .050 + 1.02 (n + 20)^-.5, as if the synthetic images were 20 real ones per label."
    )
    assert "a at 400, mixed with all synthetic" in plain([one])
    assert "real per label" in plain([one]).splitlines()[0]


def test_sizes_in_total_are_called_so():
    one = an_outlook()
    group = replace(one.curve.group, settings={"size_unit": "total"})
    table = table_of([replace(one, curve=replace(one.curve, group=group))])
    assert table.rows[2][1].text == "800 in total"


def test_large_numbers_are_written_out():
    one = an_outlook()
    found = replace(one.prediction, at=(Predicted(1234567, 0.07, 0.01, 0.2),))
    outlook = replace(one, prediction=found)
    assert table_of([outlook]).rows[2][1].text == "1234567"
    assert any("at 1234567 the interval" in line for line in sentences_of([outlook]))
