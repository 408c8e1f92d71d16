"""Samplers whose images have settings of their own."""

from collections import Counter

import numpy as np
import pytest

from tgap.core import ConfigError, Sampler
from tgap.core.randomised import (
    LEVELS,
    alike,
    drawing_order,
    guidances,
    passes_per_image,
    setting_of,
    step_counts,
)
from tgap.core.seeding import noise_seeds

RANGES = Sampler(guidance=1, guidance_high=5, steps=4, steps_high=6, schedulers=["ddim", "euler"])
SEEDS = noise_seeds(0, 1, 3000)


def test_levels_have_the_mean_and_nearly_the_variance_of_a_uniform_draw():
    scales = guidances(Sampler(guidance=2, guidance_high=8))
    assert len(scales) == LEVELS
    assert np.mean(scales) == pytest.approx(5)
    assert np.var(scales) == pytest.approx(6**2 / 12 * 63 / 64)


def test_a_range_without_width_is_its_value_exactly():
    assert guidances(Sampler(guidance=2.3, guidance_high=2.3)) == (2.3,)
    assert step_counts(Sampler(steps=9, steps_high=9)) == (9,)


@pytest.mark.parametrize("high", [20, 24, 27, 28, 99, 1000])
def test_steps_are_whole_numbers_of_the_range_with_its_ends_and_its_mean(high):
    counts = step_counts(Sampler(steps=20, steps_high=high))
    assert (counts[0], counts[-1]) == (20, high)
    assert list(counts) == sorted(set(counts))
    assert len(counts) == min(LEVELS, high - 19)
    assert np.mean(counts) == pytest.approx((20 + high) / 2)


def test_an_images_setting_follows_from_its_seed_alone():
    one = [setting_of(RANGES, seed) for seed in SEEDS[:50]]
    assert one == [setting_of(RANGES, seed) for seed in reversed(SEEDS[:50])][::-1]
    assert not any(each.is_randomised for each in one)
    plain = Sampler(guidance=2)
    assert setting_of(plain, 5) is plain


def test_all_settings_come_equally_often_and_apart_from_each_other():
    drawn = [setting_of(RANGES, seed) for seed in SEEDS]
    counts = Counter((each.guidance, each.steps, each.scheduler) for each in drawn)
    assert len(counts) == 8 * 3 * 2
    # chi-square with 47 degrees of freedom: its 99.9 % quantile is 82.7
    expected = len(SEEDS) / len(counts)
    assert sum((count - expected) ** 2 / expected for count in counts.values()) < 82.7


def test_an_image_keeps_its_guidance_when_steps_get_a_range():
    only = Sampler(guidance=1, guidance_high=5)
    for seed in SEEDS[:50]:
        assert setting_of(only, seed).guidance == setting_of(RANGES, seed).guidance


def test_images_are_parted_by_their_setting():
    parts = alike(RANGES, SEEDS)
    rows = np.concatenate([rows for _, rows in parts])
    assert sorted(rows) == list(range(len(SEEDS)))
    assert rows.tolist() == drawing_order(RANGES, SEEDS).tolist()
    for own, of_it in parts:
        assert of_it.tolist() == sorted(of_it)
        assert all(setting_of(RANGES, SEEDS[row]) == own for row in of_it)


def test_without_ranges_all_are_alike_and_in_their_order():
    ((own, rows),) = alike(Sampler(), SEEDS)
    assert own == Sampler()
    assert rows.tolist() == list(range(len(SEEDS)))
    assert drawing_order(Sampler(), []).tolist() == []
    assert drawing_order(RANGES, []).tolist() == []


@pytest.mark.parametrize(
    ("sampler", "expected"),
    [
        (Sampler(guidance=1, steps=10), 10),
        (Sampler(guidance=3, steps=10), 20),
        (Sampler(guidance=3, steps=10, guide="untuned"), 20),
        (Sampler(guidance=3, steps=10, guided_to=0.5), 15),
        (Sampler(guidance=1, steps=10, guided_to=0.5), 10),
        (Sampler(guidance=1, guidance_high=2, steps=10, steps_high=20), 30),
    ],
)
def test_passes_are_counted(sampler, expected):
    assert passes_per_image(sampler) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"guidance": 3, "guidance_high": 2}, "guidance_high must be at least guidance=3, got 2"),
        ({"guidance": 0.5}, "guidance must be at least 1, got 0.5"),
        ({"steps": 9, "steps_high": 8}, "steps_high must be at least steps=9, got 8"),
        ({"guided_from": 0.5, "guided_to": 0.2}, "guided_to must be at least guided_from=0.5"),
        ({"guided_to": 1.5}, "guided_to must be at most 1, got 1.5"),
        ({"schedulers": ["ddim", "dimm"]}, "schedulers must be some of ddim, .*, got dimm"),
        ({"schedulers": ["ddim", "ddim"]}, "schedulers must name each once, got ddim repeatedly"),
        ({"guide": "late"}, "guide must be one of empty, untuned, early, dropout, got 'late'"),
        ({"early": 1.0}, "early must be below 1, got 1"),
        ({"dropout": 1}, "dropout must be below 1, which would leave no channel, got 1"),
        ({"guide_dropout": 1.0}, "guide_dropout must be below 1"),
        ({"guide_dropout": 0.0}, "guide_dropout must be above 0, got 0"),
        ({"dropout": float("nan")}, "dropout must be a finite number"),
    ],
)
def test_what_cannot_be_drawn_is_refused(fields, told):
    with pytest.raises(ConfigError, match=told):
        Sampler(**fields)


def test_what_changes_pictures_is_in_the_key_and_what_is_not_asked_for_is_not():
    plain = {"scheduler": "dpm_solver", "steps": 20, "guidance": 3.0}
    assert Sampler(batch_size=7, guide_dropout=0.5).identity() == plain
    changed = {
        "guidance_high": 4.0,
        "steps_high": 30,
        "schedulers": ["ddim"],
        "guided_from": 0.1,
        "guided_to": 0.9,
        "guide": "untuned",
        "dropout": 0.2,
    }
    for name, value in changed.items():
        assert Sampler(**{name: value}).identity() == plain | {name: value}
    of_guide = {"guide": "dropout", "guide_dropout": 0.1}
    assert Sampler(guide="dropout").identity() == plain | of_guide
