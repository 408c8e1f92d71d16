"""AUROCs on further real test sets, over seeds."""

import math
from dataclasses import replace

import numpy as np
import pytest

from tests.analysis.test_comparison import replicates, row
from tgap.analysis.groups import group_runs
from tgap.metrics.intervals import interval
from tgap.metrics.legs import LEGS, by_leg, resampled_legs

KIDS = "external/kids/tstr"


def on_kids(seed, auroc, patients=90.0, resampled=True):
    """A run that was tested on a further set too."""
    made, leg = row(seed=seed), replicates({KIDS: auroc}, seed)
    metrics = {**made.metrics, f"{KIDS}/auroc": auroc, "external/kids/effective": patients}
    further = {**made.resampled, **leg} if resampled else made.resampled
    return replace(made, metrics=metrics, resampled=further)


def test_they_have_the_interval_of_their_own_patients():
    rows = [on_kids(seed, auroc) for seed, auroc in enumerate((0.7, 0.72, 0.78))]
    (group,) = group_runs(rows)
    found = group.numbers[f"{KIDS}/auroc"]
    draws = np.stack([one.resampled[KIDS] for one in rows], axis=1)
    values = np.array([0.7, 0.72, 0.78])
    expected = interval(values, draws, scale="logit", image_freedom=89.0, patients=90.0)
    assert (found.lo, found.hi) == pytest.approx((expected.lo, expected.hi))
    few = group_runs([on_kids(s, v, patients=5.0) for s, v in enumerate(values)])[0]
    assert few.numbers[f"{KIDS}/auroc"].lo < found.lo


def test_runs_of_before_have_none_and_means_all_the_same():
    rows = [on_kids(seed, 0.7, resampled=False) for seed in range(3)]
    (group,) = group_runs(rows)
    found = group.numbers[f"{KIDS}/auroc"]
    assert found.estimate == pytest.approx(0.7)
    assert math.isnan(found.lo)


def test_columns_are_named_by_the_runs_metrics():
    metrics = [f"{KIDS}/auroc", "external/adults/trtr/auroc", "tstr/auroc"]
    names = [*LEGS, "external/adults/trtr", KIDS]
    assert resampled_legs(metrics) == names
    whole = np.arange(2 * len(names)).reshape(2, -1) / 100
    assert {leg: one.tolist() for leg, one in by_leg(whole, metrics).items()} == {
        leg: whole[:, at].tolist() for at, leg in enumerate(names)
    }
    assert list(by_leg(whole[:, :4], metrics)) == list(LEGS)
    with pytest.raises(ValueError, match="shorter"):
        by_leg(whole[:, :3], metrics)
