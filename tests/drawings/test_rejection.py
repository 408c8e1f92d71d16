"""Rejection with a judge whose pass rates are known."""

import logging
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contracts.simulated_drawing import Simulated
from tgap.core import ContractError, DataError
from tgap.drawings.base import DrawnSet, Wanted
from tgap.drawings.judges.base import shown
from tgap.drawings.judges.classifier import ClassifierJudge
from tgap.drawings.plain import Plain
from tgap.drawings.rejecting.queries import in_proportion
from tgap.drawings.rejection import Rejection


def rejection(**settings) -> Rejection:
    return Rejection(judge=ClassifierJudge(), **settings)


def drawn(world: Simulated, seed: int = 0, **settings) -> DrawnSet:
    return rejection(**settings).draw(world.wanted(), np.random.default_rng(seed))


def kinds(made: DrawnSet) -> Counter:
    return Counter(made.images[:, 0, 1, 0].tolist())


def good(made: DrawnSet) -> np.ndarray:
    return made.images[:, 0, 2, 0] == 1


@pytest.mark.parametrize("rate", [0.2, 0.5, 0.8, 1.0])
def test_an_image_that_is_kept_takes_one_over_its_pass_rate_trials(rate: float) -> None:
    world = Simulated((rate,))
    made = drawn(world, trials=20)
    assert good(made).all()
    # of 800 kept images the trials' deviation is sqrt(800 (1 - p)) / p: five of them, and what the
    # last round draws too many
    slack = 5 * np.sqrt(800 * (1 - rate)) / rate + 2 / rate
    assert abs(made.trials - 800 / rate) <= slack
    assert made.trials == len(world.drawn) == world.judged == made.judged
    assert made.metrics["draw/pass_rate"] == pytest.approx(rate, abs=0.06)
    assert made.metrics["draw/filled"] == 0


def test_every_query_has_its_quota_and_its_own_rate() -> None:
    world = Simulated((0.3, 0.9))
    made = drawn(world, trials=20)
    assert kinds(made) == {0: 400, 1: 400}
    places = np.arange(800)
    assert (made.rows % 2 == places % 2).all()  # each image at the place of one of its query
    assert (made.rows // 400 == places // 400).all()
    assert good(made).all()
    for kind, rate in enumerate(world.rates):
        assert made.metrics[f"draw/pass_rate_kind {kind}"] == pytest.approx(rate, abs=0.08)
    assert made.metrics["draw/pass_rate_odd"] == pytest.approx(
        2 / (1 / 0.3 + 1 / 0.9), abs=0.08
    )  # by trials: the harmonic mean


def test_no_image_is_drawn_twice_and_the_first_are_those_of_a_plain_set() -> None:
    world, plain = Simulated((0.4, 0.7)), Simulated((0.4, 0.7))
    drawn(world)
    Plain().draw(plain.wanted(), np.random.default_rng(0))
    assert world.drawn[:800] == plain.drawn
    assert len({seed for _, seed in world.drawn}) == len(world.drawn)


@pytest.mark.parametrize("trials", [1, 2, 5])
def test_it_ends_at_the_most_trials_and_names_what_is_lacking(
    trials: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    world = Simulated((0.0, 1.0), per_label=100)
    made = drawn(world, trials=trials)
    per_query = Counter((row // 100, row % 2) for row, _ in world.drawn)
    assert max(per_query.values()) == 50 * trials
    assert per_query[0, 1] == 50
    assert kinds(made) == {0: 100, 1: 100}
    assert made.metrics["draw/filled"] == 100
    assert made.metrics["draw/pass_rate_kind 0"] == 0
    assert (
        f"of {50 * trials} images of 'odd' (kind 0) 0 passed, where 50 were wanted" in caplog.text
    )
    assert f"(drawing.trials={trials})" in caplog.text


def test_a_judge_that_lets_nothing_pass_stops_the_run() -> None:
    with pytest.raises(DataError, match="let none of 160 drawn images pass"):
        drawn(Simulated((0.0,), per_label=20))


def test_by_difficulty_a_query_has_its_share_of_the_failures() -> None:
    world = Simulated((0.2, 0.6, 1.0), per_label=600)
    made = drawn(world, rule="prop2diff", trials=30)
    for label in (0, 1):
        own = slice(600 * label, 600 * (label + 1))
        failed = Counter(
            row % 3 for row, seed in world.drawn[own] if not world.image_of(row, seed)[0, 2, 0]
        )
        share = {kind: Fraction(count, failed.total()) for kind, count in failed.items()}
        there = Counter(made.images[own, 0, 1, 0].tolist())
        assert there.total() == 600
        assert all(abs(there[kind] - 600 * share[kind]) <= 1 for kind in share)
        assert 2 not in there  # it never failed
        assert there[0] / there[1] == pytest.approx(0.8 / 0.4, rel=0.25)
    assert (made.images[:, 0, 0, 0] == np.repeat([0, 1], 600)).all()
    assert good(made).all()
    # what trains and what tests are alike
    first, last = (
        Counter(made.images[part, 0, 1, 0].tolist()) for part in (range(300), range(300, 600))
    )
    assert abs(first[0] - last[0]) < 60


def test_by_difficulty_what_never_fails_stays_as_it_is() -> None:
    made = drawn(Simulated((1.0, 1.0)), rule="prop2diff")
    assert kinds(made) == {0: 400, 1: 400}
    assert made.trials == 800


@pytest.mark.parametrize("rule", ["uniform", "prop2diff"])
def test_the_twin_draws_and_rejects_as_much_for_no_reason(rule: str) -> None:
    ways = {keep: Simulated((0.3, 0.6)) for keep in ("passed", "random")}
    made = {keep: drawn(world, rule=rule, keep=keep) for keep, world in ways.items()}
    assert ways["passed"].drawn == ways["random"].drawn
    assert made["passed"].metrics == made["random"].metrics
    assert kinds(made["passed"]) == kinds(made["random"])
    for kind, rate in enumerate((0.3, 0.6)):
        own = made["random"].images[:, 0, 1, 0] == kind
        # a lot: as good as the images that were drawn of it
        assert good(made["random"])[own].mean() == pytest.approx(rate, abs=0.1)
        assert good(made["passed"])[own].mean() > 0.95


def test_a_share_is_left_as_it_was_drawn() -> None:
    world = Simulated((0.5,))
    made = drawn(world, keep_any=0.25)
    plain = Plain().draw(Simulated((0.5,)).wanted(), np.random.default_rng(0))
    same = np.array(made.seeds) == np.array(plain.seeds)
    assert made.judged == made.trials - 200
    for half in (slice(0, 200), slice(200, 400)):  # in what trains and in what tests
        assert same[half].mean() == pytest.approx(0.25 + 0.75 * 0.5, abs=0.1)
    assert good(made).mean() == pytest.approx(1 - 0.25 * 0.5, abs=0.05)
    assert good(plain)[~same].sum() == 0  # what passed stays where it was
    everything = drawn(Simulated((0.5,)), keep_any=1.0)
    assert everything.seeds == plain.seeds
    assert everything.judged == 0


def test_the_same_stream_gives_the_same_set_and_the_drawing_stays_as_it_is() -> None:
    drawing = rejection(keep_any=0.2, rule="prop2diff", keep="random")
    before = repr(drawing)
    sets = [
        drawing.draw(Simulated((0.4, 0.7)).wanted(), np.random.default_rng(5)) for _ in range(2)
    ]
    assert sets[0].seeds == sets[1].seeds
    assert (sets[0].images == sets[1].images).all()
    assert repr(drawing) == before


@given(st.lists(st.integers(0, 50), min_size=1, max_size=9), st.integers(0, 500))
def test_shares_are_whole_add_up_and_are_within_one_of_exact(weights, total) -> None:
    if not any(weights):
        weights[0] = 1
    numbers = in_proportion(weights, total)
    assert numbers.sum() == total
    for weight, number in zip(weights, numbers.tolist(), strict=True):
        assert abs(number - Fraction(weight * total, sum(weights))) < 1


@given(st.integers(0, 999))
def test_with_one_label_each_the_largest_score_is_what_passes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(20, 4)).astype(np.float32)
    labels = rng.integers(0, 4, 20)
    passed = shown(scores, np.eye(4, dtype=bool)[labels])
    assert (passed == (scores.argmax(axis=1) == labels)).all()


def test_several_labels_must_all_be_above_the_others() -> None:
    scores = np.array([[3.0, 2, 1], [3, 1, 2], [-1, -2, -3], [-1, 0.1, -3]])
    asked = np.array([[True, True, False]] * 2 + [[False] * 3] * 2)
    assert shown(scores, asked).tolist() == [True, False, True, False]


def test_other_numbers_than_were_wanted_are_no_set() -> None:
    class Short(Plain):
        def _draw(self, wanted: Wanted, rng: np.random.Generator) -> DrawnSet:
            made = super()._draw(wanted, rng)
            return DrawnSet(made.images[1:], made.rows[1:], made.seeds[1:], made.trials)

    class Swapped(Plain):
        def _draw(self, wanted: Wanted, rng: np.random.Generator) -> DrawnSet:
            made = super()._draw(wanted, rng)
            return DrawnSet(made.images, made.rows[::-1], made.seeds, made.trials)

    wanted, rng = Simulated((1.0,), 10).wanted(), np.random.default_rng(0)
    with pytest.raises(ContractError, match=r"short must draw 20 images, got \[19, 19, 19\]"):
        Short().draw(wanted, rng)
    with pytest.raises(ContractError, match="swapped drew images of another label"):
        Swapped().draw(wanted, rng)
