import math
import re
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.utils.validation import _validate_metric_name
from sklearn.metrics import roc_auc_score

from tests.contracts.evidence import Made, labelled
from tgap.core import ConfigError, ContractError, Scores
from tgap.evaluators.two_way import TwoWay
from tgap.metrics.findings import FEWEST
from tgap.metrics.legs import (
    LABELS_REAL,
    LABELS_SYNTHETIC,
    LEGS,
    REAL,
    SCALES,
    SYNTHETIC,
    image_freedom,
)
from tgap.metrics.naming import metric_names
from tgap.metrics.resampling import effective_images

NAMES = ("odd", "even")


@dataclass(frozen=True, kw_only=True)
class Scored(Made):
    """Evidence of nothing but scores and the rows of the test sets."""

    given: dict
    key: str = "synthetic"

    def legs(self):
        return self.given

    def synthetic_key(self):
        return self.key

    def real_test(self, pixels=True):
        assert not pixels
        return self.test


def scored(legs, key="synthetic", **rows):
    """With patients, findings and finding_names of real_test, if they are not as usual."""
    tests = [legs[leg] for leg in ("tstr", "trts")]
    real, drawn = (
        labelled(
            np.zeros((len(leg.labels), 1, 1, 1), np.uint8), leg.labels, leg.label_names, **extra
        )
        for leg, extra in zip(tests, (rows, {}), strict=True)
    )
    return Scored(given=legs, key=key, test=real, parts=(drawn, drawn))


def found_in(legs, evaluator=None, **fields):
    evaluator = evaluator or TwoWay(resamples=100)
    return evaluator.evaluate(scored(legs, **fields), np.random.default_rng(0))


def metrics_of(legs, evaluator=None):
    """The metrics, without intervals and without what other tests look at."""
    metrics = found_in(legs, evaluator).metrics
    left_out = ("/lo", "/hi", "_lo", "_hi")
    return {name: value for name, value in metrics.items() if not name.endswith(left_out)}


def leg(odd, even, names=NAMES):
    """Six images, the first three odd; scores of both outputs by hand."""
    labels = np.array([[True, False]] * 3 + [[False, True]] * 3)
    return Scores(np.array([odd, even], np.float32).T.copy(), labels, names)


def hand_made():
    return {
        # odd: 7.5 of 9 pairs; even: 6 of 9; the largest score is right for 2 odd and 2 even
        "tstr": leg([0.9, 0.6, 0.3, 0.6, 0.2, 0.1], [0.1, 0.5, 0.7, 0.4, 0.8, 0.6]),
        # all right, twice
        "trts": leg([0.9, 0.8, 0.7, 0.1, 0.1, 0.1], [0.2, 0.1, 0.1, 0.7, 0.8, 0.9]),
        # odd: 8 of 9; even: 9 of 9; right for 3 odd and 3 even
        "trtr": leg([0.9, 0.8, 0.3, 0.4, 0.1, 0.1], [0.2, 0.1, 0.1, 0.7, 0.8, 0.9]),
        # constant: every tie counts for the first label
        "tsts": leg([0.5] * 6, [0.5] * 6),
    }


def test_numbers_of_hand_made_legs():
    metrics = metrics_of(hand_made())
    per_label = [
        name
        for name in metrics
        if re.search("(average|calib|f1|fter.*_(odd|even)|gap.*_(odd|even)|ratio_)", name)
    ]
    for name in per_label:  # each has a test of its own
        del metrics[name]
    tstr, trts, trtr = (7.5 / 9 + 6 / 9) / 2, 1.0, (8 / 9 + 1) / 2
    expected = {
        "tstr/auroc": tstr,
        "tstr/auroc_odd": 7.5 / 9,
        "tstr/auroc_even": 6 / 9,
        "tstr/accuracy": 4 / 6,
        "tstr/accuracy_odd": 2 / 3,
        "tstr/accuracy_even": 2 / 3,
        "tstr/balanced_accuracy": 2 / 3,
        "tstr/right_at_synthetic_threshold": 2 / 3,  # .5, where all of TSTS is
        "tstr/right_at_best_threshold": (5 / 6 + 2 / 3) / 2,
        "trts/auroc": 1.0,
        "trts/auroc_odd": 1.0,
        "trts/auroc_even": 1.0,
        "trts/accuracy": 1.0,
        "trts/accuracy_odd": 1.0,
        "trts/accuracy_even": 1.0,
        "trts/balanced_accuracy": 1.0,
        "trtr/auroc": trtr,
        "trtr/auroc_odd": 8 / 9,
        "trtr/auroc_even": 1.0,
        "trtr/accuracy": 1.0,
        "trtr/accuracy_odd": 1.0,
        "trtr/accuracy_even": 1.0,
        "trtr/balanced_accuracy": 1.0,
        "tsts/auroc": 0.5,
        "tsts/auroc_odd": 0.5,
        "tsts/auroc_even": 0.5,
        "tsts/accuracy": 0.5,
        "tsts/accuracy_odd": 1.0,
        "tsts/accuracy_even": 0.0,
        "tsts/balanced_accuracy": 0.5,
        "tstr/ties": 1 / 9,
        "trts/ties": 0.0,
        "trtr/ties": 0.0,
        "tsts/ties": 1.0,
        "fter": 0.75,
        "fter/chance_corrected": 0.5,
        "fter/meaningful": 0.0,  # of six images the interval of TSTR reaches .5
        "utility_ratio": 0.75 / trtr,
        "t_gap": 0.25,
        "t_gap/easier_than_reality": 1 - trtr,
        "t_gap/utility_lost": trtr - 0.75,
        LABELS_REAL: 1.0,
        LABELS_SYNTHETIC: 1.0,
        REAL: 3.0,
        SYNTHETIC: 3.0,
        "leaks/pool": 0.0,
        "leaks/real_train": 0.0,
    }
    assert tstr == 0.75
    assert trts == 1.0
    assert metrics == pytest.approx(expected)


@given(st.lists(st.text(max_size=12), min_size=1, max_size=6, unique=True))
def test_every_set_of_labels_gets_different_valid_names(labels):
    names = metric_names(labels)
    assert len(set(names)) == len(labels)
    for name in names:
        _validate_metric_name(f"tstr/auroc_{name}")


def test_label_names_that_mlflow_takes_stay_as_they_are():
    labels = ["No Finding", "Pleural_Thickening", "grade-1.5", "肺炎"]
    assert metric_names(labels) == labels


def test_label_names_that_become_alike_are_told_apart():
    assert metric_names(["a/b", "a:b", "a_b_1"]) == ["a_b", "a_b_1", "a_b_1_2"]


def test_margin_decides_whether_fter_is_meaningful():
    legs = {  # TSTR .75, TRTS 1
        name: Scores(np.tile(it.scores, (20, 1)), np.tile(it.labels, (20, 1)), NAMES)
        for name, it in hand_made().items()
    }
    assert metrics_of(legs, TwoWay(margin=0.24))["fter/meaningful"] == 1.0
    assert metrics_of(legs, TwoWay(margin=0.25))["fter/meaningful"] == 0.0
    with pytest.raises(ConfigError, match=r"margin must be at most 0.5, got 0.6"):
        TwoWay(margin=0.6)


def test_a_label_without_images_makes_the_gap_undefined_not_wrong():
    legs = hand_made()
    only_odd = legs["trts"]
    legs["trts"] = Scores(only_odd.scores[:3], only_odd.labels[:3], NAMES)
    legs["tsts"] = Scores(legs["tsts"].scores[:3], legs["tsts"].labels[:3], NAMES)
    metrics = found_in(legs).metrics
    undefined = {name for name, value in metrics.items() if math.isnan(value)}
    both = {"", "_odd", "_even"}
    gap = ("fter", "fter/chance_corrected", "t_gap", "t_gap/easier_than_reality")
    synthetic = set(SCALES) - {"tstr/auroc", "trtr/auroc", "utility_ratio", "t_gap/utility_lost"}
    assert undefined == {
        *(f"trts/auroc{label}" for label in both),
        *(f"trts/{name}{label}" for label in ("", "_even") for name in ("average_precision", "f1")),
        "trts/accuracy_even",
        "trts/balanced_accuracy",
        "trts/ties",
        "tsts/ties",
        *(f"{name}{label}" for name in gap for label in both),
        *(f"{n}{label}/{end}" for n in synthetic for label in both for end in ("lo", "hi")),
        *(f"tsts/{name}{label}" for name in ("average_precision", "f1") for label in ("", "_even")),
        *(f"tsts/auroc{label}" for label in ("", "_odd", "_even")),
        "tsts/accuracy_even",
        "tsts/balanced_accuracy",
        "tstr/right_at_synthetic_threshold",
    }
    assert metrics["fter/meaningful"] == 0.0


def test_labels_that_overlap_have_aurocs_but_no_accuracy():
    legs = hand_made()
    for name, it in legs.items():
        labels = it.labels.copy()
        labels[0] = True
        legs[name] = Scores(it.scores, labels, NAMES)
    metrics = metrics_of(legs)
    undefined = {name for name, value in metrics.items() if math.isnan(value)}
    below_chance = {"fter/chance_corrected_even"}
    assert undefined == {name for name in metrics if "accuracy" in name} | below_chance


def test_legs_of_other_labels_are_refused():
    legs = hand_made()
    legs["trts"] = Scores(legs["trts"].scores, legs["trts"].labels, ("even", "odd"))
    with pytest.raises(
        ContractError,
        match="all evaluations must have the same labels in the same order, got tstr: odd, even; "
        "trts: even, odd",
    ):
        found_in(legs)


def larger(seed, quality, names=NAMES, n=400):
    """Legs of n images that tell labels apart the better, the higher the quality."""
    legs = {}
    for i, name in enumerate(LEGS):
        rng = np.random.default_rng((7, 0) if name.endswith("r") else (seed, i))
        odd = rng.random(n) < 0.5
        noise = np.random.default_rng((seed, i, 1)).normal(size=(n, 2))
        logits = noise + quality[name] * np.stack([odd, ~odd], axis=1)
        scores = (1 / (1 + np.exp(-logits))).astype(np.float32)
        legs[name] = Scores(scores, np.stack([odd, ~odd], axis=1), names)
    return legs


QUALITY = {"tstr": 1.0, "trts": 2.0, "trtr": 1.6, "tsts": 2.2}


def test_intervals_surround_the_numbers():
    metrics = found_in(larger(0, QUALITY), TwoWay()).metrics
    for name in SCALES:
        assert metrics[f"{name}/lo"] < metrics[name] < metrics[f"{name}/hi"], name


def test_real_images_are_resampled_by_patient():
    legs = larger(0, QUALITY)
    truth = legs["tstr"].labels[:, 0]
    by_label = np.where(truth, 0, 10) + np.arange(len(truth)) % 10  # 20 patients
    alone = found_in(legs)
    together = found_in(legs, patients=by_label.astype(np.int64))
    assert alone.metrics[REAL] == min(truth.sum(), (~truth).sum())
    assert together.metrics[REAL] < 11  # ten patients of each label
    assert together.metrics[SYNTHETIC] == alone.metrics[SYNTHETIC]
    # The synthetic legs have no patients; the real ones are resampled by them.
    np.testing.assert_array_equal(
        together.arrays["resampled"][:, 1], alone.arrays["resampled"][:, 1]
    )
    assert (together.arrays["resampled"][:, 0] != alone.arrays["resampled"][:, 0]).all()
    widths = [m["tstr/auroc/hi"] - m["tstr/auroc/lo"] for m in (alone.metrics, together.metrics)]
    assert widths[0] != widths[1]


def test_runs_that_share_a_test_set_draw_the_same_patients_from_it():
    """TRTR is the same in both; TRTS has images of its own in each run."""
    first, second = larger(0, QUALITY), larger(1, QUALITY)
    second["trtr"] = first["trtr"]
    evaluator = TwoWay(resamples=100)
    a = evaluator.evaluate(scored(first), np.random.default_rng(1)).arrays["resampled"]
    b = evaluator.evaluate(scored(second, "other"), np.random.default_rng(2)).arrays["resampled"]
    np.testing.assert_array_equal(a[:, 2], b[:, 2])
    assert abs(np.corrcoef(a[:, 1], b[:, 1])[0, 1]) < 0.5


def test_runs_that_share_a_synthetic_set_draw_the_same_images_from_it():
    first, second = larger(0, QUALITY), larger(1, QUALITY)
    second["trts"] = first["trts"]
    a, b = found_in(first).arrays["resampled"], found_in(second).arrays["resampled"]
    np.testing.assert_array_equal(a[:, 1], b[:, 1])


def test_the_rarer_side_of_a_label_decides_how_much_the_test_images_tell():
    labels = np.zeros((100, 2), bool)
    labels[:4, 0] = labels[10:60, 1] = True
    patients = np.arange(100)
    assert effective_images(labels, patients) == 4
    patients[:4] = 0
    assert effective_images(labels, patients) == 1
    effective = {REAL: 5.0, SYNTHETIC: 9.0}
    freedoms = [image_freedom(name, effective) for name in ("tstr/auroc", "trts/auroc", "fter")]
    assert freedoms == [4, 8, 4]


def test_findings_are_scored_against_the_images_of_other_labels():
    legs = larger(0, QUALITY)
    truth = legs["tstr"].labels
    rng = np.random.default_rng(3)
    one, three = truth[:, 0] & (rng.random(len(truth)) < 0.5), np.zeros(len(truth), bool)
    two = truth[:, 1]
    findings = np.stack([one, two, three], axis=1)
    names = ("one", "two", "three/3")
    metrics = found_in(legs, findings=findings, finding_names=names).metrics
    rows = one | ~truth[:, 0]
    expected = roc_auc_score(one[rows], legs["tstr"].scores[rows, 0])
    assert metrics["tstr/finding_auroc_one"] == pytest.approx(expected)
    assert metrics["tstr/finding_auroc_two"] == pytest.approx(metrics["tstr/auroc_even"])
    assert math.isnan(metrics["tstr/finding_auroc_three_3"])
    lost = metrics["trtr/finding_auroc_one"] - metrics["tstr/finding_auroc_one"]
    assert metrics["t_gap/utility_lost_finding_one"] == pytest.approx(lost)
    counts = [metrics[f"images/finding_{name}"] for name in ("one", "two", "three_3")]
    assert counts == [one.sum(), two.sum(), 0]


def test_a_finding_of_few_images_has_a_count_and_no_auroc():
    legs = larger(0, QUALITY)
    odd, even = (np.flatnonzero(column) for column in legs["tstr"].labels.T)
    findings = np.zeros((len(legs["tstr"].labels), 2), bool)
    findings[odd[: FEWEST - 1], 0] = findings[odd[:FEWEST], 1] = True
    findings[even[:3]] = True  # carried with the other label: these stand behind nothing
    metrics = found_in(legs, findings=findings, finding_names=("few", "enough")).metrics
    assert metrics["images/finding_few"] == FEWEST - 1
    assert metrics["images/finding_enough"] == FEWEST
    for name in ("tstr/finding_auroc", "trtr/finding_auroc", "t_gap/utility_lost_finding"):
        assert math.isnan(metrics[f"{name}_few"])
        assert math.isfinite(metrics[f"{name}_enough"])


def test_a_finding_that_is_not_taught_stands_out():
    """A classifier that scores one finding's images at random, and knows the other."""
    legs = larger(0, {**QUALITY, "trtr": 4.0, "tstr": 4.0})
    truth = legs["tstr"].labels
    unknown = truth[:, 0] & (np.arange(len(truth)) % 2 == 0)
    scores = legs["tstr"].scores.copy()
    scores[unknown, 0] = scores[~truth[:, 0], 0][: unknown.sum()]
    legs["tstr"] = Scores(scores, truth, NAMES)
    findings = np.stack([unknown, truth[:, 0] & ~unknown], axis=1)
    metrics = found_in(legs, findings=findings, finding_names=("unknown", "known")).metrics
    assert metrics["t_gap/utility_lost_finding_unknown"] > 0.4
    assert abs(metrics["t_gap/utility_lost_finding_known"]) < 0.02


def test_findings_that_are_the_labels_are_not_told_twice():
    legs = larger(0, QUALITY)
    metrics = found_in(legs, findings=legs["tstr"].labels, finding_names=NAMES).metrics
    assert not any("finding" in name for name in metrics)


def test_a_finding_below_two_labels_counts_for_the_one_that_most_of_its_images_carry():
    legs = larger(0, QUALITY)
    truth = legs["tstr"].labels
    has = truth[:, 0].copy()
    has[np.flatnonzero(truth[:, 1])[:5]] = True
    metrics = found_in(legs, findings=has[:, None], finding_names=("x",)).metrics
    expected = roc_auc_score(truth[:, 0], legs["tstr"].scores[:, 0])
    assert metrics["tstr/finding_auroc_x"] == pytest.approx(expected)


def test_labels_findings_and_further_test_sets_have_intervals():
    legs = larger(0, {**QUALITY, "tstr": 1.0})
    truth = legs["tstr"].labels
    has = truth[:, 0] & (np.arange(len(truth)) % 2 == 0)
    legs["external/other/tstr"] = legs["tstr"]
    evidence = scored(legs, findings=has[:, None], finding_names=("x",))
    evidence = replace(evidence, further=evidence.test)
    metrics = TwoWay(resamples=400).evaluate(evidence, np.random.default_rng(0)).metrics
    for name in (
        "fter_odd",
        "t_gap_even",
        "t_gap/utility_lost_even",
        "tstr/auroc_odd",
        "tstr/finding_auroc_x",
        "trtr/finding_auroc_x",
        "t_gap/utility_lost_finding_x",
        "external/other/tstr/auroc",
        "external/other/tstr/auroc_even",
    ):
        assert metrics[f"{name}/lo"] < metrics[name] < metrics[f"{name}/hi"], name
    # The same scores of the same images: nearly the same interval, by resamples of its own.
    for end in ("lo", "hi"):
        ours, theirs = metrics[f"tstr/auroc/{end}"], metrics[f"external/other/tstr/auroc/{end}"]
        assert ours != theirs
        assert theirs == pytest.approx(ours, abs=0.02)
    # Half of the positives say less than all of them.
    widths = [
        metrics[f"{n}/hi"] - metrics[f"{n}/lo"] for n in ("tstr/auroc_odd", "tstr/finding_auroc_x")
    ]
    assert widths[0] < widths[1]


def test_a_further_test_set_is_resampled_by_its_own_patients():
    legs = larger(0, {**QUALITY, "tstr": 1.0})
    count = len(legs["tstr"].labels)
    legs["external/other/tstr"] = legs["tstr"]
    evidence = scored(legs)
    few = replace(evidence.test, patients=np.arange(count, dtype=np.int64) // 10)
    found = [
        TwoWay(resamples=400)
        .evaluate(replace(evidence, further=f), np.random.default_rng(0))
        .metrics
        for f in (evidence.test, few)
    ]
    widths = [m["external/other/tstr/auroc/hi"] - m["external/other/tstr/auroc/lo"] for m in found]
    assert widths[0] != widths[1]


def test_a_rare_label_does_not_widen_the_interval_of_another():
    rng = np.random.default_rng(0)
    count = 600
    common, rare = rng.random(count) < 0.5, np.arange(count) < 8
    labels = np.stack([common, rare], axis=1)
    scores = (2.0 * labels + rng.normal(0, 1, labels.shape)).astype(np.float32)
    legs = {leg: Scores(scores, labels, NAMES) for leg in ("tstr", "trts", "trtr", "tsts")}
    metrics = found_in(legs, TwoWay(resamples=400)).metrics
    widths = {n: metrics[f"tstr/auroc_{n}/hi"] - metrics[f"tstr/auroc_{n}/lo"] for n in NAMES}
    assert widths["odd"] < 0.06
    assert widths["even"] > 2 * widths["odd"]
    assert metrics["fter_odd/lo"] > 0.9


def test_findings_that_were_asked_for_have_both_sides_and_the_worst_is_named():
    legs = larger(0, {**QUALITY, "tstr": 1.0})
    evidence = scored(legs)
    real, drawn = evidence.test, evidence.parts[1]
    asked = [
        replace(
            one,
            findings=one.labels[:, :1] & (np.arange(len(one)) % 2 == 0)[:, None],
            finding_names=("x",),
        )
        for one in (real, drawn)
    ]
    evidence = replace(evidence, test=asked[0], parts=(asked[1], asked[1]))
    found = TwoWay(resamples=400).evaluate(evidence, np.random.default_rng(0))
    trts, tstr = (found.metrics[f"{leg}/finding_auroc_x"] for leg in ("trts", "tstr"))
    rows = asked[1].findings[:, 0] | ~asked[1].labels[:, 0]
    expected = roc_auc_score(asked[1].findings[rows, 0], legs["trts"].scores[rows, 0])
    assert trts == pytest.approx(expected)
    assert found.metrics["fter_finding_x"] == pytest.approx(tstr / trts)
    assert found.metrics["t_gap_finding_x"] == pytest.approx(trts - tstr)
    assert found.metrics["t_gap_finding_x/lo"] < trts - tstr < found.metrics["t_gap_finding_x/hi"]
    rows_told = found.tables["parts"]
    assert {(row["kind"], row["part"]) for row in rows_told} == {
        ("finding", "x"),
        *(("label", name) for name in NAMES),
    }
    lost = [row["utility_lost"] for row in rows_told]
    assert lost == sorted(lost, reverse=True)
    assert rows_told[0]["utility_lost/lo"] < lost[0]
