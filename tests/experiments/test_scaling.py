"""Intervals of ``tgap predict`` hold what they claim, in fewer worlds than the experiment has."""

import numpy as np
import pytest
from scipy.stats import binom

from experiments.statistics import scaling
from experiments.statistics.scaling import HEADINGS, line, outcome

WORLDS = 60
RESAMPLES = 30


def test_intervals_cover_at_twice_and_four_times_the_largest_size():
    """Each count is one that is not rare (1 in 20) if the coverage is .9."""
    outcomes = [outcome("falling, 5 to 8 seeds", n, RESAMPLES) for n in range(WORLDS)]
    held = np.sum([one.holds(one.came) for one in outcomes], axis=0)
    assert (held >= binom.ppf(0.05, WORLDS, 0.9)).all()
    assert sum(one.refused for one in outcomes) <= binom.ppf(0.99, WORLDS, 0.02)


def test_curves_that_turn_are_refused_and_level_ones_are_not():
    turned = [outcome("rising from 100 on", n, 2) for n in range(20)]
    level = [outcome("level", n, 2) for n in range(20)]
    assert sum(one.refused for one in turned) >= 17
    assert sum(one.refused for one in level) <= 3


@pytest.mark.parametrize("kind", scaling.KINDS)
def test_every_kind_of_world_has_its_line(kind):
    cells = line(kind, [outcome(kind, n, 5) for n in range(2)]).split(" | ")
    assert len(cells) == len(HEADINGS)


def test_the_experiment_prints_its_table(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["scaling", "--worlds", "2"])
    monkeypatch.setattr(scaling, "KINDS", {"level": scaling.level})
    monkeypatch.setattr(scaling, "outcome", lambda kind, n: outcome(kind, n, 2))
    scaling.main()
    assert capsys.readouterr().out.count("\n") == 3
