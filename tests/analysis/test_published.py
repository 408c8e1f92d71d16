"""The thesis's numbers: one table, and what is said of a broken one."""

import pytest

from tgap.analysis.published import COLUMNS, METRICS, TITLES, read_published, thesis
from tgap.core import DataError
from tgap.report.runs.thesis import thesis_points

HEAD = ",".join(COLUMNS)
LINE = "4.4,random,500,total,tstr/auroc,.541,"


def number(method: str, size: int, metric: str) -> float:
    (value,) = [
        one.value
        for one in thesis()
        if (one.method, one.size, one.metric) == (method, size, metric)
    ]
    return value


def test_the_packaged_table_has_every_method_and_metric() -> None:
    assert {one.method for one in thesis()} == set(TITLES)
    assert {one.metric for one in thesis()} == set(METRICS)
    assert len(thesis()) == 79


@pytest.mark.parametrize("size", [500, 1000])
def test_its_ratios_are_those_of_its_aurocs(size: int) -> None:
    """FTER is a mean of ratios or a ratio of means: both agree to .003 in all tables."""
    for method in ("random", "clip_spectral", "active"):
        tstr, trts = (number(method, size, f"{leg}/auroc") for leg in ("tstr", "trts"))
        assert tstr / trts == pytest.approx(number(method, size, "fter"), abs=0.003)


def test_points_are_those_with_both_numbers() -> None:
    points = {one.name: (one.tstr, one.trts) for one in thesis_points()}
    assert points == {
        "random 500": (0.541, 0.575),
        "random 1,000": (0.587, 0.677),
        "CLIP 500": (0.575, 0.935),
        "CLIP 1,000": (0.541, 0.891),
        "textbook 500": (0.567, 0.893),
        "active 500": (0.637, 0.957),
        "active 1,000": (0.591, 0.923),
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the columns must be tables, method, size, unit, metric, value, note, got none"),
        (HEAD.replace("unit,", ""), "got tables, method, size, metric, value, note (lacks unit)"),
        (f"{HEAD},more", "has others, or in another order"),
        (HEAD, "t.csv has no line below its header"),
        (
            f"{HEAD}\n{LINE.replace('random', 'rndom')}",
            "t.csv, line 2: unknown method 'rndom'; did you mean 'random'? (one of: no_fine_tune,",
        ),
        (
            f"{HEAD}\n{LINE.replace('auroc', 'auc')}",
            "unknown metric 'tstr/auc'; did you mean 'tstr/auroc'?",
        ),
        (
            f"{HEAD}\n{LINE.replace('total', 'all')}",
            "unknown unit 'all'; did you mean 'total'? (one of: total, label, not_said)",
        ),
        (
            f"{HEAD}\n{LINE.replace('500', '5.5')}",
            "size must be a whole number of images, got '5.5'",
        ),
        (f"{HEAD}\n{LINE.replace('.541', '54')}", "from 0 to 1, got '54'; give a fraction, not a"),
        (
            f"{HEAD}\n{LINE.replace('.541', '-')}",
            "tstr/auroc must be a number from 0 to 1, got '-'",
        ),
        (f"{HEAD}\n{LINE}\n{LINE}", "line 3: tstr/auroc of random at 500 stands there before"),
        (f"{HEAD}\n4.4,random,500", "line 2: it must have 7 cells"),
        (f"{HEAD}\n{LINE}a,b", "line 2: it must have 7 cells"),
    ],
)
def test_a_broken_table_is_told(text: str, problem: str) -> None:
    with pytest.raises(DataError) as error:
        read_published(text, "t.csv")
    assert problem in str(error.value)
