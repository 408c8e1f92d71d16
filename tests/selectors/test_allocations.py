import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tgap.core import ContractError
from tgap.selectors.allocations.base import highest_averages
from tgap.selectors.allocations.equal import Equal
from tgap.selectors.allocations.proportional import Proportional
from tgap.selectors.allocations.temperature import Temperature
from tgap.selectors.allocations.water_filling import WaterFilling

sizes_of_clusters = st.lists(st.integers(1, 15), min_size=1, max_size=6)


def quotas(allocation, sizes: list[int], size: int) -> list[int]:
    turns = allocation.allocate(np.array(sizes), size)
    return np.bincount(turns, minlength=len(sizes)).tolist()


def sainte_lague(weights: list[int], size: int) -> list[int]:
    """Turn by turn in exact fractions."""
    had, turns = [0] * len(weights), []
    for _ in range(size):
        rank = [(Fraction(w, 2 * h + 1), w) for w, h in zip(weights, had, strict=True)]
        turns.append(max(range(len(weights)), key=lambda c: (*rank[c], -c)))
        had[turns[-1]] += 1
    return turns


@given(sizes=sizes_of_clusters, size=st.integers(1, 60))
def test_proportional_against_exact_fractions(sizes: list[int], size: int) -> None:
    turns = Proportional().allocate(np.array(sizes), size)
    assert turns.tolist() == sainte_lague(sizes, size)


@given(sizes=sizes_of_clusters, times=st.integers(1, 3))
def test_proportional_takes_each_image_once_when_all_are_asked_for(sizes, times) -> None:
    # As turns are a prefix of those of more picks, no cluster gives more than it has before.
    assert quotas(Proportional(), sizes, times * sum(sizes)) == [times * s for s in sizes]


@given(sizes=sizes_of_clusters, data=st.data())
def test_proportional_repeats_no_image_up_to_all_of_them(sizes, data) -> None:
    size = data.draw(st.integers(1, sum(sizes)))
    assert all(q <= s for q, s in zip(quotas(Proportional(), sizes, size), sizes, strict=True))


@given(sizes=sizes_of_clusters, size=st.integers(1, 60))
def test_temperature_1_is_proportional(sizes: list[int], size: int) -> None:
    assert quotas(Temperature(temperature=1.0), sizes, size) == quotas(Proportional(), sizes, size)


@given(sizes=sizes_of_clusters, size=st.integers(1, 60))
def test_a_large_temperature_is_equal_shares(sizes: list[int], size: int) -> None:
    given = quotas(Temperature(temperature=1e6), sizes, size)
    assert sum(given) == size
    assert max(given) - min(given) <= 1


def test_temperature_by_hand() -> None:
    # Square roots 1, 2, 3 of the sizes: a sixth, a third and a half of 60.
    assert quotas(Temperature(), [1, 4, 9], 60) == [10, 20, 30]


def test_low_temperature_stays_finite() -> None:
    assert quotas(Temperature(temperature=0.1), [10**5, 10], 50) == [50, 0]


@given(sizes=sizes_of_clusters, max_repeats=st.integers(1, 3), data=st.data())
def test_water_filling_against_its_level(sizes, max_repeats, data) -> None:
    most = [max_repeats * s for s in sizes]
    size = data.draw(st.integers(1, sum(most)))
    given = quotas(WaterFilling(max_repeats=max_repeats), sizes, size)
    level = max(x for x in range(size + 1) if sum(min(x, m) for m in most) <= size)
    assert sum(given) == size
    for quota, m in zip(given, most, strict=True):
        assert min(level, m) <= quota <= min(level + 1, m)


@given(sizes=sizes_of_clusters, data=st.data())
def test_water_filling_is_equal_while_no_cluster_is_used_up(sizes, data) -> None:
    size = data.draw(st.integers(1, len(sizes) * min(sizes)))
    counts = np.array(sizes)
    assert np.array_equal(WaterFilling().allocate(counts, size), Equal().allocate(counts, size))


@pytest.mark.parametrize(("size", "last"), [(4, [1, 2, 1]), (5, [1, 2, 2]), (8, [1, 4, 3])])
def test_water_filling_gives_the_unfinished_round_to_the_largest(size, last) -> None:
    assert quotas(WaterFilling(), [1, 5, 3], size) == last


def test_water_filling_says_what_it_can_give() -> None:
    with pytest.raises(ContractError) as caught:
        WaterFilling(max_repeats=2).allocate(np.array([3, 4]), 15)
    assert str(caught.value) == (
        "size must be at most 14, what water_filling can share out among clusters of 7 images in "
        "all, got 15"
    )
    assert WaterFilling(max_repeats=2).capacity(7) == 14


@pytest.mark.parametrize("allocation", [Equal(), Proportional(), Temperature()])
def test_the_others_give_any_number(allocation) -> None:
    assert allocation.capacity(7) is None
    assert sum(quotas(allocation, [3, 4], 1000)) == 1000


def test_many_picks_of_many_clusters() -> None:
    weights = np.arange(1.0, 1001.0)
    given = np.bincount(highest_averages(weights, 50_000), minlength=1000)
    shares = 50_000 * weights / weights.sum()
    # Divisor methods may leave the quota by more than one, but not here, nor by much.
    assert np.abs(given - shares).max() < 1
    assert math.isclose(given.sum(), 50_000)
