import math

from tests.report.test_table import planned, row
from tgap.analysis.comparison import compare
from tgap.analysis.frame import frame


def test_a_row_has_the_numbers_of_its_group() -> None:
    rows = [row(seed=seed, tstr=0.7 + seed / 50) for seed in range(3)]
    rows += [row(method="none", size=None, seed=0)]
    comparison = compare(rows, [planned(seed=3)])
    table = frame(comparison)
    assert list(table["method"]) == [group.method for group in comparison.groups]
    assert list(table["seeds"]) == [3, 1]
    assert list(table["seeds_missing"]) == [1, 0]
    assert table["size"][0] == 100
    assert table["size"].isna()[1]
    for name, number in comparison.groups[0].numbers.items():
        found = [table[f"{name}{end}"][0] for end in ("", "/lo", "/hi")]
        for value, expected in zip(found, (number.estimate, number.lo, number.hi), strict=True):
            assert value == expected or (math.isnan(value) and math.isnan(expected))


def test_settings_that_vary_are_columns_and_nothing_is_an_empty_table() -> None:
    other = row().settings | {"sampler.guidance": "7.0"}
    assert list(frame(compare([row(), row(settings=other)]))["sampler.guidance"]) == ["3.0", "7.0"]
    assert list(frame(compare([])).columns) == ["method", "size", "seeds"]
