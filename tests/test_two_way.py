import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.utils.validation import _validate_metric_name

from tgap.component import Component
from tgap.errors import ConfigError, ContractError
from tgap.evaluators.base import LEGS
from tgap.evaluators.two_way import TwoWay, metric_names
from tgap.types import Scores

NAMES = ("odd", "even")


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
    metrics = TwoWay().evaluate(hand_made())
    tstr, trts, trtr = (7.5 / 9 + 6 / 9) / 2, 1.0, (8 / 9 + 1) / 2
    expected = {
        "tstr/auroc": tstr,
        "tstr/auroc_odd": 7.5 / 9,
        "tstr/auroc_even": 6 / 9,
        "tstr/accuracy": 4 / 6,
        "tstr/accuracy_odd": 2 / 3,
        "tstr/accuracy_even": 2 / 3,
        "tstr/balanced_accuracy": 2 / 3,
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
        "fter": 0.75,
        "fter_chance_corrected": 0.5,
        "fter_meaningful": 1.0,
        "t_gap": 0.25,
        "t_gap_easier": 1 - trtr,
        "t_gap_utility_lost": trtr - 0.75,
    }
    assert tstr == 0.75
    assert trts == 1.0
    assert metrics == pytest.approx(expected)
    assert all(type(value) is float for value in metrics.values())


def test_metric_names_fit_mlflow_and_none_is_a_folder_of_another():
    names = ("No Finding", "mass/nodule: big")
    legs = {name: Scores(it.scores, it.labels, names) for name, it in hand_made().items()}
    metrics = TwoWay().evaluate(legs)
    assert "tstr/auroc_mass_nodule_ big" in metrics
    for name in metrics:
        _validate_metric_name(name)
        assert not any(other.startswith(f"{name}/") for other in metrics)


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
    legs = hand_made()  # TSTR .75, TRTS 1
    assert TwoWay(margin=0.24).evaluate(legs)["fter_meaningful"] == 1.0
    assert TwoWay(margin=0.25).evaluate(legs)["fter_meaningful"] == 0.0
    with pytest.raises(ConfigError, match=r"margin must be at most 0.5, got 0.6"):
        TwoWay(margin=0.6)


def test_a_label_without_images_makes_the_gap_undefined_not_wrong():
    legs = hand_made()
    only_odd = legs["trts"]
    legs["trts"] = Scores(only_odd.scores[:3], only_odd.labels[:3], NAMES)
    metrics = TwoWay().evaluate(legs)
    undefined = {name for name, value in metrics.items() if math.isnan(value)}
    assert undefined == {
        "trts/auroc",
        "trts/auroc_odd",
        "trts/auroc_even",
        "trts/accuracy_even",
        "trts/balanced_accuracy",
        "fter",
        "fter_chance_corrected",
        "t_gap",
        "t_gap_easier",
    }
    assert metrics["fter_meaningful"] == 0.0


def test_labels_that_overlap_have_aurocs_but_no_accuracy():
    legs = hand_made()
    for name, it in legs.items():
        labels = it.labels.copy()
        labels[0] = True
        legs[name] = Scores(it.scores, labels, NAMES)
    metrics = TwoWay().evaluate(legs)
    undefined = {name for name, value in metrics.items() if math.isnan(value)}
    assert undefined == {name for name in metrics if "accuracy" in name}


def test_wrong_legs_are_refused():
    legs = hand_made()
    del legs["trtr"]
    with pytest.raises(ContractError, match="legs missing: trtr"):
        TwoWay().evaluate(legs)
    legs = hand_made()
    legs["trts"] = Scores(legs["trts"].scores, legs["trts"].labels, ("even", "odd"))
    with pytest.raises(
        ContractError,
        match="all legs must have the same labels in the same order, got tstr: odd, even; "
        "trts: even, odd",
    ):
        TwoWay().evaluate(legs)


def test_evaluating_leaves_component_and_scores_unchanged():
    evaluator, legs = TwoWay(), hand_made()
    before = evaluator.identity()
    copies = {name: it.scores.copy() for name, it in legs.items()}
    first, second = evaluator.evaluate(legs), evaluator.evaluate(legs)
    assert first == second
    assert evaluator.identity() == before
    for name in LEGS:
        np.testing.assert_array_equal(legs[name].scores, copies[name])


def test_it_is_a_component_named_after_its_file():
    assert issubclass(TwoWay, Component)
    assert TwoWay.stem() == "two_way" == TwoWay.__module__.rsplit(".", 1)[1]
    assert TwoWay(margin=0.1).identity()["margin"] == 0.1
