"""Fidelity on sets whose distance and diversity are known."""

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
import pytest

from tests.contracts.evidence import Made, labelled
from tgap.composition import building, registry
from tgap.core import ConfigError
from tgap.embedders.base import Embedder
from tgap.embedders.classifier import ClassifierFeatures
from tgap.embedders.pixels import Pixels
from tgap.evaluators.fidelity import Fidelity
from tgap.evaluators.parts.matching import common_count, draw_images
from tgap.metrics.distances import frechet, kid, vendi
from tgap.metrics.neighbours import clipped, prdc
from tgap.pipeline.preflight.runs import check_components

NAMES = ("even", "odd")
DISTANCES = (
    *("frechet", "kid", "precision", "recall", "density", "coverage"),
    *("clipped_density", "clipped_coverage"),
)


def image_set(counts, seed=0, levels=(60, 180), spread=20.0, names=NAMES):
    """4 x 4 images of each label around its own grey level."""
    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(len(counts)), counts)
    grey = np.array(levels)[label][:, None, None, None] + spread * rng.standard_normal(
        (len(label), 4, 4, 1)
    )
    order = rng.permutation(len(label))
    images = grey.clip(0, 255).astype(np.uint8)[order]
    return labelled(images, label[order][:, None] == np.arange(len(counts)), names)


MISSING = {"fidelity/missing", "fidelity/missing_even", "fidelity/missing_odd"}
COUNTS = {f"diversity/{what}_{name}" for what in ("images", "different", "blank") for name in NAMES}
REPEATS = {f"diversity/{what}" for what in ("images", "different", "tested_repeats")}
WITHIN = {
    f"fidelity/within/label/{name}/{what}{floor}{end}"
    for name in NAMES
    for what in ("kid", "coverage")
    for floor in ("", "_floor")
    for end in ("", "/lo", "/hi")
}


@dataclass(kw_only=True)
class Broken(Embedder):
    def check(self):
        return ["no weights"]

    def _embed(self, images, features):
        raise AssertionError("it is only checked")


def made(synthetic=None, rest=None, train=None, test=None):
    return Made(
        train=image_set((40, 40), 1) if train is None else train,
        test=image_set((40, 40), 2) if test is None else test,
        parts=(
            image_set((40, 40), 3) if synthetic is None else synthetic,
            image_set((10, 10), 4) if rest is None else rest,
        ),
        tells_apart=False,
    )


def evaluated(evidence, seed=0, **fields):
    evaluator = Fidelity(**{"embedder": Pixels(), **fields})
    return evaluator.evaluate(evidence, np.random.default_rng(seed)).metrics


def test_metrics_are_those_of_the_sets_where_all_images_are_used():
    evidence = made(rest=image_set((0, 0), 4))
    found = evaluated(evidence, k=3)
    fake, floor, real = (
        Pixels().embed(s.images) for s in (evidence.parts[0], evidence.train, evidence.test)
    )
    expected = {"fidelity/n": 80.0}
    for suffix, other in (("", fake), ("_floor", floor)):
        values = {"frechet": frechet(real, other), "kid": kid(real, other)}
        values |= prdc(real, other, k=3)._asdict() | clipped(real, other, k=3)._asdict()
        expected |= {f"fidelity/{name}{suffix}": value for name, value in values.items()}
    of_fake, of_real = (
        [vendi(Pixels().embed(s.images[column])) for column in s.labels.T]
        for s in (evidence.parts[0], evidence.test)
    )
    expected["diversity/vendi"] = np.mean(of_fake)
    expected["diversity/vendi_real"] = np.mean(of_real)
    expected["diversity/vendi_even"], expected["diversity/vendi_odd"] = of_fake
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-6)
    assert found.keys() - expected.keys() == COUNTS | REPEATS | MISSING | WITHIN


def test_pictures_are_counted_over_both_parts():
    one = image_set((20, 10), spread=0)  # each label is one grey level
    found = evaluated(made(one, image_set((0, 10), 4)))
    counts = {name: found[name] for name in COUNTS}
    assert counts == {
        "diversity/images_even": 20,
        "diversity/different_even": 1,
        "diversity/blank_even": 20,
        "diversity/images_odd": 20,
        "diversity/different_odd": 11,
        "diversity/blank_odd": 10,
    }


def test_repeats_are_counted_in_both_parts_and_between_them():
    train, test = image_set((20, 10), 3), image_set((6, 0), 4)
    again = dataclasses.replace(test, images=np.concatenate([test.images[:4], train.images[:2]]))
    found = evaluated(made(train.take(np.array([*range(30), 0, 0])), again))
    assert {name: found[name] for name in REPEATS} == {
        "diversity/images": 38,
        "diversity/different": 34,
        "diversity/tested_repeats": 2,
    }


def test_sets_of_one_picture_have_all_the_numbers():
    one = image_set((20, 20), spread=0)
    for evidence in (made(one, one), made(one, one, one, one), made(train=one, test=one)):
        found = evaluated(evidence)
        undefined = {
            name
            for name, value in found.items()
            if not math.isfinite(value) and not name.endswith(("/lo", "/hi"))
        }
        assert undefined <= {"fidelity/missing"}  # one picture has no kinds
    same = evaluated(made(one, one, one, one))
    assert same["fidelity/frechet"] == pytest.approx(0, abs=1e-6)
    assert same["fidelity/precision"] == same["fidelity/coverage"] == 1
    assert same["diversity/vendi"] == same["diversity/vendi_real"] == pytest.approx(1)


def test_images_like_real_ones_are_as_near_as_the_floor():
    runs = [
        evaluated(
            made(
                image_set((60, 60), s),
                None,
                image_set((60, 60), s + 100),
                image_set((60, 60), s + 200),
            )
        )
        for s in range(12)
    ]
    for name in DISTANCES:
        pairs = np.array([(m[f"fidelity/{name}"], m[f"fidelity/{name}_floor"]) for m in runs])
        difference = pairs[:, 0] - pairs[:, 1]
        assert abs(difference.mean()) < 4 * difference.std(ddof=1) / math.sqrt(len(runs)), name


def test_other_images_are_further_away_than_the_floor():
    found = evaluated(made(image_set((40, 40), 3, levels=(110, 230))))
    for name in ("frechet", "kid"):
        assert found[f"fidelity/{name}"] > 2 * abs(found[f"fidelity/{name}_floor"])
    for name in ("precision", "coverage"):
        assert found[f"fidelity/{name}"] < found[f"fidelity/{name}_floor"] - 0.2


def test_one_image_per_label_is_diverse_by_one():
    one = image_set((1, 1), 3, spread=1)
    found = evaluated(made(one.take(np.repeat(np.arange(2), 40))))
    assert found["diversity/vendi"] == pytest.approx(1)
    assert found["diversity/vendi_real"] > 1.1
    assert found["fidelity/recall"] == 0
    assert found["fidelity/recall_floor"] > 0.5


def test_all_black_images_everywhere_are_equal():
    eye = np.eye(2, dtype=np.bool_)
    black = labelled(np.zeros((20, 4, 4, 1), np.uint8), eye[[0, 1] * 10], NAMES)
    found = evaluated(made(black, black, black, black))
    expected = {"frechet": 0, "kid": 0, "precision": 1, "recall": 1, "coverage": 1, "density": 4}
    for name, value in expected.items():
        assert found[f"fidelity/{name}"] == pytest.approx(value), name
    assert found["diversity/vendi"] == found["diversity/vendi_real"] == 1


def test_another_mix_of_labels_is_no_distance():
    """All images of a label are alike, so only a different mix could tell the sets apart."""
    found = evaluated(
        made(
            synthetic=image_set((30, 30), spread=0),
            train=image_set((50, 8), spread=0),
            test=image_set((9, 100), spread=0),
        )
    )
    assert found["fidelity/n"] == 16
    for suffix in ("", "_floor"):
        assert found[f"fidelity/frechet{suffix}"] == pytest.approx(0, abs=1e-9)
        assert found[f"fidelity/coverage{suffix}"] == 1


def test_the_test_part_fills_up_what_the_train_part_lacks():
    """Train images are black, test images white: how many of each were compared is seen."""
    eye = np.eye(2, dtype=np.bool_)
    black = labelled(np.zeros((20, 4, 4, 1), np.uint8), eye[[0, 1] * 10], NAMES)
    white = labelled(np.full((40, 4, 4, 1), 255, np.uint8), eye[[0, 1] * 20], NAMES)
    rng = np.random.default_rng(0)
    enough, lacking = (draw_images([black, white], count, rng) for count in (7, 12))
    assert enough.max() == 0
    white_ones = lacking.any(axis=(1, 2, 3))
    assert (white_ones[:12].sum(), white_ones[12:].sum()) == (2, 2)
    assert evaluated(made(black, white))["fidelity/n"] == 60


def test_images_stand_label_after_label_and_are_drawn_once_per_label():
    labels = np.array([[1, 0], [1, 1], [0, 1], [0, 1], [1, 0], [1, 1]], np.bool_)
    images = np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1)
    drawn = draw_images([labelled(images, labels, NAMES)], 4, np.random.default_rng(0)).ravel()
    assert sorted(drawn[:4]) == [0, 1, 4, 5]
    assert sorted(drawn[4:]) == [1, 2, 3, 5]  # those with both labels stand for each
    assert common_count(labels, np.ones((3, 2), np.bool_)) == 3


def test_a_label_that_is_missing_in_a_set_leaves_nothing_to_compare():
    found = evaluated(made(test=image_set((40, 0), 2)))
    assert found.pop("fidelity/n") == 0
    undefined = {name for name, value in found.items() if math.isnan(value)}
    assert len(undefined) == 2 * len(DISTANCES) + 4 + 1
    assert found.keys() - undefined == COUNTS | REPEATS


def test_too_few_images_for_neighbours_are_nan_and_nothing_else_is():
    few = image_set((2, 2), 3)
    found = evaluated(made(few, rest=image_set((0, 0)), train=few, test=few), k=5)
    missing = {name for name, value in found.items() if math.isnan(value)}
    assert missing == {"fidelity/missing"} | {
        f"fidelity/{name}{suffix}" for name in DISTANCES[2:] for suffix in ("", "_floor")
    }


def test_one_label_alone():
    names = ("real",)  # the name of the real images' own score
    only = [image_set((30,), s, (90,), names=names) for s in range(4)]
    found = evaluated(made(only[0], only[1], only[2], only[3]))
    assert found["fidelity/n"] == 30
    assert found["diversity/vendi_real_1"] == found["diversity/vendi"]
    assert found["diversity/vendi_real"] != found["diversity/vendi"]


def test_an_embedder_that_takes_a_classifier_gets_the_real_one():
    evidence = made(rest=image_set((0, 0)))
    found = evaluated(evidence, embedder=ClassifierFeatures())
    real, fake = (evidence.real_features(s.images) for s in (evidence.test, evidence.parts[0]))
    assert found["fidelity/frechet"] == pytest.approx(frechet(real, fake), rel=1e-6)


def test_another_seed_draws_other_images():
    evidence = made(image_set((90, 90), 5))
    assert evaluated(evidence, seed=1) != evaluated(evidence, seed=2)


def test_check_is_the_embedders():
    assert check_components([{"x": Fidelity(embedder=Broken())}]) == ["x.embedder: no weights"]
    assert Fidelity(embedder=Pixels()).check() == []


def test_is_found_by_its_name_and_wants_an_embedder_and_a_neighbour():
    assert registry.component_class("evaluator", "fidelity") is Fidelity
    with pytest.raises(ConfigError, match="k must be at least 1, got 0"):
        Fidelity(embedder=Pixels(), k=0)
    data = {"_target_": "tgap.evaluators.fidelity.Fidelity", "embedder": None}
    with pytest.raises(ConfigError, match=r"fidelity\.embedder must be chosen, .*, got None"):
        building.build(Fidelity, data, "evaluators.fidelity")


def two_sexes(seed, swapped=False, sexes=("F", "M"), count=80):
    """Images that are brighter of one sex, or of the other if they are swapped; with findings."""
    data = image_set((count // 2, count // 2), seed)
    rng = np.random.default_rng(seed)
    sex, ill = rng.choice(sexes, count), rng.random(count) < 0.5
    bright = (sex == "F") != swapped
    images = np.where(bright[:, None, None, None], data.images // 2 + 120, data.images // 2)
    return dataclasses.replace(
        data,
        images=images.astype(np.uint8),
        findings=ill[:, None],
        finding_names=("ill",),
        metadata={"sex": sex},
    )


def test_parts_that_are_swapped_match_as_a_whole_and_not_within():
    sets = {"train": two_sexes(1), "test": two_sexes(2), "rest": image_set((0, 0), 4)}
    right, wrong = (
        Fidelity(embedder=Pixels()).evaluate(
            made(two_sexes(3, swapped), **sets | {"rest": two_sexes(9, swapped)}),
            np.random.default_rng(0),
        )
        for swapped in (False, True)
    )
    for name in ("kid", "coverage"):
        whole = [found.metrics[f"fidelity/{name}"] for found in (right, wrong)]
        assert abs(whole[0] - whole[1]) < 0.1
    for sex in "FM":
        name = f"fidelity/within/sex/{sex}/kid"
        assert wrong.metrics[f"{name}/lo"] > right.metrics[f"{name}/hi"]
        assert (
            wrong.metrics[f"{name}/lo"] > wrong.metrics[f"fidelity/within/sex/{sex}/kid_floor/hi"]
        )
    first = wrong.tables["parts"][0]
    assert (first["kind"], first["coverage"] < 0.2) == ("sex", True)
    assert {(row["kind"], row["part"]) for row in right.tables["parts"]} == {
        *(("label", name) for name in NAMES),
        ("finding", "ill"),
        *(("sex", value) for value in "FM"),
    }


def test_parts_are_compared_at_equal_numbers_and_not_where_there_are_few():
    found = Fidelity(embedder=Pixels()).evaluate(
        made(two_sexes(3), two_sexes(9), two_sexes(1), two_sexes(2, sexes=["F"] * 9 + ["M"])),
        np.random.default_rng(0),
    )
    sizes = {row["part"]: row["images"] for row in found.tables["parts"]}
    assert "M" not in sizes
    assert sizes["even"] == sizes["odd"] == 40
    assert 30 <= sizes["F"] < 60
    assert not any("sex/M" in name for name in found.metrics)


def test_what_synthetic_images_were_not_asked_to_show_has_no_part():
    data = image_set((40, 40), 3)
    found = Fidelity(embedder=Pixels()).evaluate(
        made(data, image_set((10, 10), 4), two_sexes(1), two_sexes(2)), np.random.default_rng(0)
    )
    assert {row["kind"] for row in found.tables["parts"]} == {"label"}


def test_what_else_is_known_of_each_image_is_no_trouble():
    """Columns, official sides and names of patients, of all images of the dataset."""
    known = {
        "official_test": np.arange(80) % 2 == 0,
        "patient_names": np.array([f"p{number}" for number in range(80)]),
    }
    real = [dataclasses.replace(two_sexes(seed), **known) for seed in (1, 2)]
    found = Fidelity(embedder=Pixels()).evaluate(
        made(two_sexes(3), two_sexes(9), *real), np.random.default_rng(0)
    )
    assert found.metrics["fidelity/n"] == 80
