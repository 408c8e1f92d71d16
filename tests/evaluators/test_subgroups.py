"""Groups whose truth is planted in scores."""

import dataclasses
import math

import numpy as np
import pytest

from tests.contracts.evidence import Made, labelled
from tgap.analysis.verdicts import verdicts
from tgap.core import ConfigError, Scores
from tgap.evaluators.subgroups import Subgroups
from tgap.metrics.classification import macro_auroc

NAMES = ("ill", "well")
COUNT = 900


class Scored(Made):
    def legs(self):
        return self.given


def world(blind: str | None = None, seed: int = 0, count: int = COUNT):
    """Scores that tell ill from well, in TSTR for one sex only if the other is left out."""
    rng = np.random.default_rng(seed)
    ill, sex = rng.random(count) < 0.4, np.where(rng.random(count) < 0.5, "F", "M")
    sex[:30] = ""
    age = rng.integers(10, 95, count).astype(float)
    age[::9] = np.nan
    labels = np.stack([ill, ~ill], axis=1)
    skill = {"trtr": np.full(count, 2.0), "tstr": np.where(sex == blind, 0.0, 2.0)}
    legs = {}
    for leg in ("tstr", "trtr", "trts", "tsts"):
        logit = skill.get(leg, skill["trtr"]) * (ill - 0.5) + rng.normal(0, 1, count)
        legs[leg] = Scores(np.stack([logit, -logit], axis=1).astype(np.float32), labels, NAMES)
    test = labelled(
        np.zeros((count, 1, 1, 1), np.uint8),
        labels,
        NAMES,
        metadata={"sex": sex, "age": age, "note": rng.permutation(count).astype(str)},
        patients=np.arange(count, dtype=np.int64) // 2,
    )
    made = Scored(test=test)
    object.__setattr__(made, "given", legs)
    return made


def found_in(made, **fields):
    return Subgroups(resamples=200, **fields).evaluate(made, np.random.default_rng(0))


def test_numbers_are_those_of_the_groups_images():
    made = world()
    metrics = found_in(made).metrics
    rows = made.test.metadata["sex"] == "F"
    for leg in ("tstr", "trtr"):
        it = made.given[leg]
        auroc = macro_auroc(it.scores[rows], it.labels[rows])
        assert metrics[f"subgroups/sex/F/{leg}"] == pytest.approx(auroc)
        missed = [(it.scores[rows & has, k] < 0).mean() for k, has in enumerate(it.labels.T)]
        assert metrics[f"subgroups/sex/F/missed_{leg}"] == pytest.approx(np.mean(missed))
    assert metrics["subgroups/sex/F/images"] == rows.sum()
    ages = {name.split("/")[2] for name in metrics if name.startswith("subgroups/age/")}
    assert ages == {"below 20", "20 to 40", "40 to 60", "60 to 80", "from 80"}
    assert not any("note" in name for name in metrics)


def test_the_group_that_synthetic_images_leave_out_is_named():
    found = found_in(world(blind="F"))
    assert found.metrics["subgroups/sex/F/lost_more/lo"] > 0
    assert found.metrics["subgroups/sex/M/lost_more/hi"] < 0
    assert found.tables["groups"][0]["group"] == "F"
    assert found.metrics["subgroups/most_lost"] == found.tables["groups"][0]["utility_lost"]
    (told,) = [v.sentence for v in verdicts(found.metrics) if v.code == "worse_for_a_group"]
    assert told.startswith("Of these two trainings, the one on synthetic images loses 0.")
    assert "more for sex F than for the others" in told
    assert "only if it repeats over seeds does the synthetic set lack them" in told


def test_where_groups_are_alike_none_is_named_but_once_in_twenty():
    named = sum(
        any(v.code == "worse_for_a_group" for v in verdicts(found_in(world(seed=s)).metrics))
        for s in range(20)
    )
    assert named <= 2


def test_few_images_of_a_group_are_counted_only():
    metrics = found_in(world(count=60)).metrics
    assert metrics["subgroups/age/from 80/images"] > 0
    assert "subgroups/age/from 80/tstr" not in metrics


def test_without_columns_there_is_nothing():
    found = found_in(world(), columns=["site"])
    assert (dict(found.metrics), dict(found.tables)) == ({}, {})


def test_columns_of_numbers_are_cut_at_quartiles_or_as_asked():
    metrics = found_in(world(), columns=["age"], bands={}).metrics
    sizes = [value for name, value in metrics.items() if name.endswith("/images")]
    assert len(sizes) == 4
    assert max(sizes) - min(sizes) < 30
    assert not any(math.isnan(value) for value in metrics.values())
    with pytest.raises(ConfigError, match=r"bands.age must be rising numbers, got \[3.0, 2.0\]"):
        Subgroups(bands={"age": [3.0, 2.0]})


def asked_by_sex(made):
    """The same world, whose synthetic test images were asked for by sex."""
    count = len(made.given["trts"].labels)
    rng = np.random.default_rng(5)
    sex = np.where(rng.random(count) < 0.5, "F", "M")
    drawn = labelled(
        np.zeros((count, 1, 1, 1), np.uint8),
        made.given["trts"].labels,
        NAMES,
        metadata={"sex": sex},
    )
    asked = dataclasses.replace(made, parts=(drawn, drawn))
    object.__setattr__(asked, "given", made.given)
    return asked, sex


def test_a_group_that_was_drawn_has_both_sides_and_the_gap():
    made, sex = asked_by_sex(world(blind="F"))
    metrics = found_in(made).metrics
    trts = made.given["trts"]
    rows = sex == "F"
    expected = macro_auroc(trts.scores[rows], trts.labels[rows])
    name = "subgroups/sex/F"
    assert metrics[f"{name}/trts"] == pytest.approx(expected)
    tstr = metrics[f"{name}/tstr"]
    assert metrics[f"{name}/fter"] == pytest.approx(tstr / expected)
    assert metrics[f"{name}/t_gap"] == pytest.approx(expected - tstr)
    assert metrics[f"{name}/t_gap/lo"] > 0  # blind to them
    assert metrics[f"{name}/fter_meaningful"] == 0
    assert metrics["subgroups/sex/M/fter_meaningful"] == 1
    for number in ("trts", "fter", "t_gap"):
        of_m = f"subgroups/sex/M/{number}"
        assert metrics[f"{of_m}/lo"] < metrics[of_m] < metrics[f"{of_m}/hi"]


def test_groups_that_were_not_asked_for_have_no_synthetic_side():
    made, _ = asked_by_sex(world())
    names = found_in(made).metrics
    assert not any(name.startswith("subgroups/age/") and "trts" in name for name in names)
    assert not any("trts" in name for name in found_in(world()).metrics)
