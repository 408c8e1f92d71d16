import dataclasses
import math

import numpy as np
import pytest

from tests.contracts.evidence import Made
from tgap.datasets.digits import Digits
from tgap.datasets.phantom_xray import PhantomXray
from tgap.embedders.pixels import Pixels
from tgap.evaluators.memorization import Memorization
from tgap.evaluators.parts.pairs import picture_of_pairs
from tgap.generators.controls.jitter import jittered

DIGITS = Digits().load()
ORDER = np.random.default_rng(0).permutation(len(DIGITS))
TUNING, OTHERS, HELD_OUT, REAL_TRAIN = (
    DIGITS.take(part) for part in np.split(ORDER[:1100], [150, 450, 850])
)
FRESH = OTHERS.take(np.arange(200))
REAL_TEST = DIGITS.take(ORDER[1100:1300])


def made(synthetic, tuning=TUNING, held_out=HELD_OUT):
    rows = np.split(np.arange(len(synthetic)), [len(synthetic) * 2 // 3])
    parts = tuple(synthetic.take(part) for part in rows)
    return Made(
        tuning=tuning,
        unseen=held_out,
        train=REAL_TRAIN,
        test=REAL_TEST,
        parts=parts,
        tells_apart=False,
    )


def evaluate(evidence, **fields):
    evaluator = Memorization(embedder=Pixels(size=8), **({"changed": False} | fields))
    found = evaluator.evaluate(evidence, np.random.default_rng(0))
    return found, {name.removeprefix("memorization/"): v for name, v in found.metrics.items()}


@pytest.fixture(scope="module")
def of_copies():
    return evaluate(made(TUNING))


@pytest.fixture(scope="module")
def of_fresh():
    return evaluate(made(FRESH))


def test_verbatim_copies(of_copies):
    _, metrics = of_copies
    assert metrics["copied_fraction"] == 1
    assert metrics["tuning_copied_fraction"] == 1
    assert metrics["copied_false_alarms"] <= 0.03
    assert metrics["copied_threshold"] < 0.95
    assert metrics["closer_than_held_out"] == 1
    assert metrics["distance_ratio"] == 0
    assert metrics["c_t"] < -10
    assert metrics["authenticity"] == 0
    assert metrics["mia_auroc"] > 0.99
    assert metrics["mia_calibrated_auroc"] > 0.99
    assert metrics["mia_tpr_at_1_fpr"] == 1
    assert metrics["mia_meaningful"] == 1
    assert metrics["tuning_images"] == 150
    assert metrics["held_out_images"] == 400
    assert metrics["synthetic_images"] > 0
    assert metrics["tuning_known"] == 1


def test_fresh_images_are_no_copies(of_fresh):
    _, metrics = of_fresh
    assert metrics["copied_fraction"] <= 0.03
    assert metrics["tuning_copied_fraction"] <= 0.04
    assert metrics["closer_than_held_out"] == pytest.approx(0.5, abs=0.1)
    assert metrics["distance_ratio"] == pytest.approx(1, abs=0.1)
    assert abs(metrics["c_t"]) < 3
    assert metrics["authenticity"] == pytest.approx(metrics["authenticity_floor"], abs=0.15)
    for attack in ("mia", "mia_calibrated", "mia_blind"):
        assert metrics[f"{attack}_auroc"] == pytest.approx(0.5, abs=0.1)
        assert metrics[f"{attack}_tpr_at_1_fpr"] < 0.06


def test_table_of_a_set_where_a_third_are_copies():
    mixed = DIGITS.take(np.concatenate([ORDER[150 : 150 + 100], ORDER[:50]]))
    found, metrics = evaluate(made(mixed))
    table = found.tables["copies"]
    assert metrics["copied_fraction"] == pytest.approx(len(table) / 150)
    of_copies = {row["synthetic"]: row for row in table if row["synthetic"] >= 100}
    assert sorted(of_copies) == list(range(100, 150))
    for row in of_copies.values():
        assert row["tuning"] == row["synthetic"] - 100
        assert not row["mirrored"]
        assert row["similarity"] > row["threshold"]
        assert row["label"] == TUNING.label_names[TUNING.labels[row["tuning"]].argmax()]
    similarities = [row["similarity"] for row in table]
    assert similarities == sorted(similarities, reverse=True)
    assert len(table) < 60


def test_the_table_has_200_rows_at_most():
    twice = TUNING.take(np.tile(np.arange(150), 2))
    found, metrics = evaluate(made(twice))
    assert metrics["copied_fraction"] == 1
    assert len(found.tables["copies"]) == 200


def test_positions_are_those_of_the_tuning_set_with_its_repeats():
    repeated = TUNING.take(np.repeat(np.arange(100), 2))
    found, metrics = evaluate(made(TUNING.take(np.arange(60)), tuning=repeated))
    assert metrics["tuning_images"] == 100
    assert all(row["tuning"] == 2 * row["synthetic"] for row in found.tables["copies"])
    assert metrics["tuning_copied_fraction"] == pytest.approx(0.6)


def test_mirror_images_if_wanted():
    mirrored = dataclasses.replace(TUNING, images=np.ascontiguousarray(TUNING.images[:, :, ::-1]))
    found, metrics = evaluate(made(mirrored))
    assert metrics["copied_fraction"] == 1
    assert sum(row["mirrored"] for row in found.tables["copies"]) > 140
    _, metrics = evaluate(made(mirrored), mirror=False)
    assert metrics["copied_fraction"] < 0.25


def test_pictures_show_pairs_even_where_none_is_suspected(of_copies, of_fresh):
    for found, _ in (of_copies, of_fresh):
        picture = found.pictures["copies"]
        assert picture.dtype == np.uint8
        assert picture.shape == (8 * 72 + 8, 4 * 138 + 8, 3)
    left = of_copies[0].pictures["copies"][8:72, 8:72]
    right = of_copies[0].pictures["copies"][8:72, 74:138]
    assert (left == right).all()
    assert left.any()
    few, _ = evaluate(made(FRESH.take(np.arange(3))))
    assert few.pictures["copies"].shape == (72 + 8, 3 * 138 + 8, 3)


def test_picture_of_pairs_of_other_shapes():
    wide, coloured = np.full((20, 40, 1), 7, np.uint8), np.full((128, 64, 3), [1, 2, 3], np.uint8)
    picture = picture_of_pairs([(wide, coloured)])
    assert picture.shape == (64 + 16, 2 * 64 + 2 + 16, 3)
    assert (picture[8:40, 8:72] == 7).all()
    assert (picture[8:72, 74:106] == [1, 2, 3]).all()
    assert (picture[8:72, 72:74] == 128).all()


def test_members_that_differ_in_themselves_make_the_attack_meaningless():
    brighter = dataclasses.replace(TUNING, images=np.maximum(TUNING.images, 60))
    _, metrics = evaluate(made(FRESH, tuning=brighter))
    assert metrics["mia_blind_auroc"] > 0.95
    assert metrics["mia_meaningful"] == 0


def small(per_label):
    """A tuning set of so many images a label, which are TUNING's first."""
    return TUNING.take(np.concatenate([np.flatnonzero(has)[:per_label] for has in TUNING.labels.T]))


@pytest.mark.parametrize(("per_label", "excluded"), [(3, 0.4), (10, 0.75)])
def test_a_small_tuning_set_that_is_given_away_is_found(per_label, excluded):
    """A third of the synthetic set is copied, slightly changed; the rest is new."""
    tuning = small(per_label)
    copied = np.resize(np.arange(len(tuning)), 100)
    leaked = jittered(tuning.images[copied], 0.2, np.arange(100))
    synthetic = FRESH.take(np.arange(200))
    mixed = dataclasses.replace(
        synthetic.take(np.arange(200)),
        images=np.concatenate([synthetic.images[:100], leaked]),
        labels=np.concatenate([synthetic.labels[:100], tuning.labels[copied]]),
    )
    _, metrics = evaluate(made(mixed, tuning=tuning))
    assert metrics["mia_members"] == 2 * per_label
    assert metrics["mia_others"] == 400
    assert metrics["mia_calibrated_p"] < 0.01
    assert metrics["mia_calibrated_auroc/lo"] > excluded
    assert metrics["mia_calibrated_tpr_at_1_fpr"] > 0.3
    _, metrics = evaluate(made(synthetic, tuning=tuning))
    assert metrics["mia_calibrated_p"] > 0.05
    assert metrics["mia_calibrated_auroc/lo"] < 0.5


def test_selected_centres_pass_for_members_unless_distances_are_calibrated():
    """Real images stand for the synthetic set, and nothing is given away."""
    middle = OTHERS.images.mean(axis=0)
    order = np.argsort(((OTHERS.images - middle) ** 2).sum(axis=(1, 2, 3)))
    _, metrics = evaluate(made(REAL_TRAIN, tuning=OTHERS.take(order[:24])))
    assert metrics["mia_auroc"] > 0.7
    assert metrics["mia_calibrated_auroc"] == pytest.approx(0.5, abs=0.15)
    assert metrics["mia_calibrated_p"] > 0.05


def test_each_patient_counts_once_among_members():
    """Else ten films of a patient would make one lucky guess ten."""
    tuning = dataclasses.replace(TUNING, patients=np.arange(150, dtype=np.int64) // 10 + 9000)
    _, metrics = evaluate(made(FRESH, tuning=tuning))
    assert metrics["mia_members"] == 15


class TenImagesEach(Made):
    """Of each tuning patient, and one of each held-out one."""

    def images_of(self, patients):
        return np.where(np.isin(patients, self.tuning.patients), 10, 1)


def test_members_are_compared_with_patients_of_as_many_images():
    evidence = TenImagesEach(**vars(made(FRESH)))
    _, metrics = evaluate(evidence)
    assert metrics["mia_members"] == metrics["mia_others"] == 0


def test_an_image_of_both_sides_is_a_member_only():
    repeats = DIGITS.take(np.concatenate([ORDER[:50], ORDER[450:850], ORDER[450:550]]))
    alone = dataclasses.replace(repeats, patients=np.arange(550, dtype=np.int64) + 9000)
    _, metrics = evaluate(made(FRESH, held_out=alone))
    assert (metrics["mia_members"], metrics["mia_others"]) == (150, 400)


def test_nothing_tuned_no_metrics():
    found, metrics = evaluate(made(FRESH, tuning=None))
    assert not metrics
    assert not found.tables
    assert not found.pictures


NEEDS_HELD_OUT = {
    "closer_than_held_out",
    "distance_ratio",
    "c_t",
    "c_t_cells",
    "authenticity_floor",
    "mia_auroc",
    "mia_tpr_at_1_fpr",
    "mia_calibrated_auroc",
    "mia_calibrated_tpr_at_1_fpr",
    "mia_calibrated_p",
    "mia_calibrated_auroc/lo",
    "mia_calibrated_auroc/hi",
    "mia_calibrated_tpr_at_1_fpr/lo",
    "mia_calibrated_tpr_at_1_fpr/hi",
    "mia_blind_auroc",
    "mia_blind_tpr_at_1_fpr",
    "mia_meaningful",
}
COPIES = {"copied_threshold", "copied_fraction", "copied_false_alarms", "tuning_copied_fraction"}


def undefined(metrics):
    return {name for name, value in metrics.items() if math.isnan(value)}


@pytest.mark.parametrize(("images", "lacking"), [(0, NEEDS_HELD_OUT | COPIES), (99, None)])
def test_too_few_held_out_images(images, lacking):
    found, metrics = evaluate(made(TUNING, held_out=HELD_OUT.take(np.arange(images))))
    assert undefined(metrics) == (lacking or NEEDS_HELD_OUT | COPIES)
    assert metrics["authenticity"] == 0
    assert metrics["equal_to_tuning"] == 1  # that needs no other images to be told
    assert metrics["held_out_images"] == images
    assert found.tables["copies"] == []
    assert "copies" in found.pictures


def test_enough_held_out_images_to_compare_but_not_for_a_threshold_of_one_percent():
    few = HELD_OUT.take(np.arange(180))
    _, metrics = evaluate(made(FRESH, held_out=few))
    told = {name for name in NEEDS_HELD_OUT if "tpr_at_1_fpr" in name}  # 99 of each label
    assert undefined(metrics) == COPIES | told
    _, metrics = evaluate(made(FRESH, held_out=few), false_alarms=0.05)
    assert undefined(metrics) == told


def test_all_synthetic_images_the_same():
    _, metrics = evaluate(made(TUNING.take(np.zeros(90, np.int64))))
    assert metrics["copied_fraction"] == 1
    assert metrics["tuning_copied_fraction"] == pytest.approx(1 / 150)
    assert undefined(metrics) == set()


def test_all_tuning_images_the_same():
    _, metrics = evaluate(made(FRESH, tuning=TUNING.take(np.zeros(50, np.int64))))
    assert metrics["tuning_images"] == 1
    assert undefined(metrics) >= {"authenticity", "authenticity_floor", "mia_auroc"}
    assert metrics["copied_fraction"] <= 0.05
    assert metrics["closer_than_held_out"] == pytest.approx(0.5, abs=0.1)


def test_black_synthetic_images_are_no_copies():
    black = dataclasses.replace(FRESH, images=np.zeros_like(FRESH.images))
    _, metrics = evaluate(made(black))
    assert metrics["copied_fraction"] == 0


def test_halves_are_of_whole_patients():
    """Each patient has one image that is a copy: half A cannot be all copies, half B none."""
    of_two = dataclasses.replace(HELD_OUT, patients=np.arange(400, dtype=np.int64) // 200)
    doctored = of_two.images.copy()
    doctored[:150] = TUNING.images  # all of one patient
    _, metrics = evaluate(made(FRESH, held_out=dataclasses.replace(of_two, images=doctored)))
    assert (metrics["copied_false_alarms"] >= 0.7) or (metrics["copied_threshold"] > 0.99)


def test_other_images_of_tuning_patients_are_recognised_if_there_are_any(of_fresh):
    assert "patient_recognised" not in of_fresh[1]
    films = PhantomXray(images=700, size=32).load()
    _, patient = np.unique(films.patients, return_inverse=True)
    ours = np.flatnonzero(patient < 60)
    tuning, others = films.take(ours[::2]), films.take(ours[1::2])
    others = others.take(np.flatnonzero(np.isin(others.patients, tuning.patients)))
    unseen = films.take(np.flatnonzero(patient >= 60)[:240])
    evidence = dataclasses.replace(made(FRESH, tuning=tuning, held_out=unseen), others=others)
    _, metrics = evaluate(evidence)
    assert metrics["patient_recognised_chance"] < 0.15
    assert metrics["patient_recognised"] > 0.5
    assert 0.1 < metrics["other_images_taken"] < 1


def test_copies_that_people_change_are_found_unless_they_are_not_wanted():
    turned = dataclasses.replace(TUNING, images=np.rot90(TUNING.images, 1, (1, 2)).copy())
    _, metrics = evaluate(made(turned), changed=True)
    assert metrics["copied_fraction"] > 0.95
    assert metrics["copied_false_alarms"] <= 0.03
    _, metrics = evaluate(made(turned))
    assert metrics["copied_fraction"] < 0.1
