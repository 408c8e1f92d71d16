import math

import numpy as np
import pytest
from scipy.stats import binomtest, mannwhitneyu
from sklearn.metrics import roc_auc_score

from tgap.core import ContractError
from tgap.metrics.membership import (
    LEAST_MEMBERS,
    attack,
    clopper_pearson,
    comparable,
    counted_once,
    one_of_each,
)
from tgap.metrics.memorization import nearest


def drawn(members, others, seed, given_away=0.0, labels=2):
    """Scores of which a share of the members' lie above all others."""
    rng = np.random.default_rng(seed)
    is_member = np.tile(np.arange(members + others) < members, labels)
    scores = rng.random(len(is_member))
    scores[is_member & (rng.random(len(is_member)) < given_away)] += 1
    return scores, is_member, np.repeat(np.arange(labels), members + others)


def rng(seed=0):
    return np.random.default_rng(seed)


def test_auroc_and_p_of_one_stratum_are_those_of_mann_whitney():
    scores, members, strata = drawn(12, 150, 0, 0.2, labels=1)
    found = attack(scores, members, strata, rng())
    exact = mannwhitneyu(scores[members], scores[~members], alternative="greater", method="exact")
    assert found.auroc == pytest.approx(roc_auc_score(members, scores))
    assert found.p == pytest.approx(exact.pvalue, abs=0.01)


def test_ties_count_half():
    members = np.arange(30) < 6
    found = attack(np.zeros(30), members, np.zeros(30, np.int64), rng())
    assert found.auroc == 0.5
    assert found.p == 1


def test_labels_that_are_drawn_better_than_others_do_not_tell_members():
    """All scores of one label are larger, and most members have it."""
    is_member = np.concatenate([np.arange(220) < 20, np.arange(205) < 5])
    label = np.repeat([1, 0], [220, 205])
    scores = rng().random(425) + label
    found = attack(scores, is_member, label, rng())
    assert roc_auc_score(is_member, scores) > 0.6
    assert found.auroc == pytest.approx(0.5, abs=0.12)
    assert found.p > 0.05


@pytest.mark.parametrize("members", [3, 10])
def test_level_is_as_stated_and_the_interval_covers(members):
    """A small tuning set of two labels, of a generator that leaks nothing, 400 times."""
    found = [attack(*drawn(members, 60, seed), rng(seed), draws=199) for seed in range(400)]
    for level in (0.05, 0.2):
        alarms = sum(one.p <= level for one in found)
        assert binomtest(alarms, len(found), level).pvalue > 0.001
    assert np.mean([one.auroc_lo <= 0.5 <= one.auroc_hi for one in found]) >= 0.95
    assert np.mean([one.auroc for one in found]) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    ("members", "given_away", "least"), [(3, 1, 1), (5, 0.7, 0.9), (10, 0.5, 0.9)]
)
def test_a_small_tuning_set_that_leaks_is_found(members, given_away, least):
    """By two labels together: 6, 10 and 20 members."""
    found = [
        attack(*drawn(members, 200, seed, given_away), rng(seed), draws=199) for seed in range(100)
    ]
    assert np.mean([one.p <= 0.05 for one in found]) >= least
    truth = 0.5 + given_away / 2
    assert np.mean([one.auroc_lo <= truth <= one.auroc_hi for one in found]) >= 0.93
    assert np.mean([one.tpr for one in found]) == pytest.approx(given_away, abs=0.06)


def test_fewer_members_have_an_interval_alone():
    scores, members, strata = drawn(LEAST_MEMBERS - 1, 100, 0, 1, labels=1)
    found = attack(scores, members, strata, rng())
    assert math.isnan(found.auroc)
    assert math.isnan(found.p)
    assert 0.3 < found.auroc_lo < 0.5
    assert found.auroc_hi == 1
    nobody = attack(scores, np.zeros_like(members), strata, rng())
    assert all(math.isnan(value) for value in nobody)


def test_true_positives_need_99_others_of_the_same_labels():
    for others, told in ((98, math.nan), (99, 1.0)):
        found = attack(*drawn(6, others, 0, 1, labels=1), rng())
        assert found.tpr == pytest.approx(told, nan_ok=True)
        assert found.tpr_hi == pytest.approx(told, nan_ok=True)
    assert found.tpr_lo == pytest.approx(0.025 ** (1 / 6))


def test_few_others_widen_the_interval():
    wide, narrow = (attack(*drawn(200, others, 0), rng(), draws=9) for others in (20, 400))
    assert wide.auroc_hi - wide.auroc_lo > 2 * (narrow.auroc_hi - narrow.auroc_lo)


def test_one_image_of_each_patient():
    patients = np.array([5, 5, 1, 5, 2, 2])
    drawn = [tuple(one_of_each(patients, rng(seed)).tolist()) for seed in range(60)]
    assert all(sorted(patients[list(rows)]) == [1, 2, 5] for rows in drawn)
    assert len(set(drawn)) == 6


def test_members_without_others_of_their_labels_are_left_out():
    labels = np.array([[1, 0]] * 25 + [[0, 1]] * 25 + [[1, 1]] * 3, bool)
    members = np.zeros(53, bool)
    members[[0, 1, 25, 26, 27, 28, 29, 30, 31, 50]] = True
    rows, strata = comparable(members, labels, np.ones(53, np.int64))
    assert rows.tolist() == list(range(25))
    assert len(np.unique(strata)) == 1


def test_patients_of_other_sizes_are_another_stratum():
    images = np.repeat([1, 2, 3, 4, 6, 7, 11, 12, 90], 25)
    members = np.arange(len(images)) % 25 == 0
    _, strata = comparable(members, np.ones((len(images), 1), bool), images)
    assert strata[::25].tolist() == [0, 1, 1, 2, 2, 3, 3, 4, 4]


def test_patients_with_many_images_are_no_leak_where_images_are_picked():
    """The more images a patient has, the nearer they lie to everything."""
    found = []
    for seed in range(150):
        each = np.minimum(rng(seed).geometric(0.25, 500), 30)
        patients = np.repeat(np.arange(500), each)
        scores = rng(seed + 1000).normal(0.5 * np.log(each)[patients])
        pool = np.flatnonzero(patients < 300)
        tuning = rng(seed + 2000).choice(pool, 40, replace=False)
        rows = np.concatenate([tuning, np.flatnonzero(patients >= 300)])
        members, order = np.arange(len(rows)) < 40, np.arange(len(rows))
        counts = each[patients[rows]]
        once = counted_once(members, patients[rows], order, rng(seed))
        for sizes in (counts, np.ones_like(counts)):
            kept, strata = comparable(members[once], np.ones((len(once), 1), bool), sizes[once])
            kept = once[kept]
            found.append(attack(scores[rows[kept]], members[kept], strata, rng(seed), 199).p)
    mended, before = (np.array(found) <= 0.05).reshape(-1, 2).mean(axis=0)
    assert mended <= 0.1
    assert before >= 0.2


def test_equal_images_under_other_ids_are_no_leak():
    """A third of the held-out images stands there twice; the tuning images are distinct."""
    found = []
    for seed in range(150):
        draw = rng(seed)
        real, synthetic = draw.normal(size=(240, 2)), draw.normal(size=(200, 2))
        contents = np.concatenate([np.arange(240), np.arange(40, 110)])
        members = np.arange(len(contents)) < 40
        once = counted_once(members, np.arange(len(contents)), contents, draw)
        for rows in (once, np.arange(len(contents))):
            x = real[contents[rows]]
            scores = nearest(x, x, among_itself=True)[0] - nearest(x, synthetic)[0]
            judged = attack(scores, members[rows], np.zeros(len(rows), np.int64), draw, 199)
            found.append(judged.p)
    mended, before = (np.array(found) <= 0.05).reshape(-1, 2).mean(axis=0)
    assert mended <= 0.1
    assert before >= 0.2


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ContractError, match="of the same images, got 3, 2 and 3"):
        attack(np.zeros(3), np.zeros(2, bool), np.zeros(3, np.int64), rng())
    with pytest.raises(ContractError, match="every stratum must have images that are no members"):
        attack(np.zeros(3), np.ones(3, bool), np.zeros(3, np.int64), rng())


def test_clopper_pearson_is_scipys():
    expected = binomtest(3, 17).proportion_ci(0.95, "exact")
    assert clopper_pearson(3, 17) == pytest.approx((expected.low, expected.high))
    assert clopper_pearson(0, 5) == pytest.approx((0, 1 - 0.025**0.2))
    assert all(math.isnan(end) for end in clopper_pearson(0, 0))
