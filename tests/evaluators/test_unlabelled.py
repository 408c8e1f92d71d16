"""Sets of known use, judged without a label of a real image."""

import math

import numpy as np
import pytest

from tests.contracts.evidence import Made, labelled
from tests.report.test_table import row
from tgap.analysis.groups import group_runs
from tgap.analysis.ranking import NAMES as RANKED_BY
from tgap.analysis.ranking import rank
from tgap.classifiers.logistic_regression import LogisticRegression
from tgap.evaluators.unlabelled import Unlabelled, one_class

NAMES = ("well", "ill")


def images(seed, count=400, kind="real"):
    """14 x 14 pixels of noise; ill ones are bright in the middle, as bright as each happens to be.

    ``shifted`` is lighter and flatter throughout, ``noise`` has nothing to see, ``swapped`` has
    each other's labels, ``copies`` are the same eight images over and over.
    """
    rng = np.random.default_rng(seed)
    ill = np.arange(count) % 2 == 1
    pixels = rng.integers(0, 90, (count, 14, 14, 1))
    if kind != "noise":
        pixels[ill, 5:9, 5:9] += rng.integers(10, 80, (ill.sum(), 1, 1, 1))
    if kind == "shifted":
        pixels = pixels // 2 + 120
    if kind == "copies":
        pixels = pixels[np.arange(count) % 8]
    shown = ~ill if kind == "swapped" else ill
    return labelled(pixels.astype(np.uint8), np.stack([~shown, shown], axis=1), NAMES)


def evidence(kind, **fields):
    given = {"train": images(1), "test": images(2), "tuning": images(5, 60), "spare": images(6)}
    return Made(
        parts=(images(3, kind=kind), images(3 if kind == "copies" else 4, kind=kind)),
        classifier=LogisticRegression(device="cpu", c_grid=[0.001]),
        **(given | fields),
    )


def found(kind, evaluator=None, **fields):
    chosen = evaluator or Unlabelled()
    return chosen.evaluate(evidence(kind, **fields), np.random.default_rng(0)).metrics


@pytest.fixture(scope="module")
def metrics():
    return {kind: found(kind) for kind in ("real", "shifted", "noise", "swapped", "copies")}


def test_real_images_are_nothing_new_to_a_classifier_of_others_like_them(metrics):
    ood = {kind: of["unlabelled/ood"] for kind, of in metrics.items()}
    assert ood["real"] == pytest.approx(0.5, abs=0.06)
    assert metrics["real"]["unlabelled/domain_auroc"] < 0.6
    assert metrics["real"]["unlabelled/weights_mean"] == pytest.approx(1, abs=0.2)
    assert metrics["real"]["unlabelled/weights_effective"] > 0.7
    assert ood["shifted"] > ood["real"] + 0.1
    assert ood["copies"] > 0.9
    assert metrics["shifted"]["unlabelled/domain_auroc"] > 0.95


def test_a_classifier_may_be_surer_of_what_it_has_not_seen(metrics):
    """Real images have twice the contrast here."""
    assert metrics["shifted"]["unlabelled/ood_mahalanobis"] > 0.95
    assert metrics["shifted"]["unlabelled/ood_entropy"] < 0.2
    assert metrics["shifted"]["unlabelled/weights_mean"] < 0.1


def test_noise_teaches_nothing_in_simulation_and_real_images_do(metrics):
    loss = {kind: of["unlabelled/sim_log_loss"] for kind, of in metrics.items()}
    assert loss["real"] < 0.5
    assert loss["noise"] > 0.65


def test_swapped_labels_look_perfect_but_for_the_tuning_images(metrics):
    real, swapped = metrics["real"], metrics["swapped"]
    for name in ("sim_log_loss", "ood", "entropy", "mano", "snd"):
        assert swapped[f"unlabelled/{name}"] == pytest.approx(real[f"unlabelled/{name}"], abs=0.02)
    assert real["unlabelled/tuning_auroc"] > 0.9
    assert swapped["unlabelled/tuning_auroc"] < 0.1
    assert (real["unlabelled/unsafe"], swapped["unlabelled/unsafe"]) == (0, 1)


def test_the_order_of_sets_whose_use_is_known(metrics):
    """As ``tgap rank`` has it, without their TSTR: real ones first, swapped labels last."""
    rows = [row(kind, metrics={**row().metrics, **of}) for kind, of in metrics.items()]
    found = [one.group.method for one in rank(group_runs(rows, further=RANKED_BY)).placed]
    assert found[0] == "real"
    safe = [kind for kind in found if metrics[kind]["unlabelled/unsafe"] == 0]
    assert found[: len(safe)] == safe
    assert "swapped" not in safe


def test_of_an_unknown_tuning_set_nothing_is_claimed():
    for fields in ({"known": False}, {"tuning": None}):
        swapped = found("swapped", **fields)
        assert math.isnan(swapped["unlabelled/tuning_auroc"])
        assert swapped["unlabelled/unsafe"] == 0


def test_a_classifier_that_says_one_thing_of_real_images_is_unsafe(metrics):
    dark = labelled(np.zeros((200, 14, 14, 1), np.uint8), images(6, 200).labels, NAMES)
    constant = found("real", spare=dark)
    assert constant["unlabelled/unsafe"] == 1
    assert constant["unlabelled/one_class"] == 1
    assert math.isnan(constant["unlabelled/mixval"])
    assert metrics["shifted"]["unlabelled/unsafe"] == metrics["shifted"]["unlabelled/one_class"]


def test_a_rare_label_that_is_never_predicted_is_no_sign():
    rng = np.random.default_rng(0)
    below, both = -1 - rng.random((50, 1)), rng.normal(size=(50, 1))
    synthetic, real = np.concatenate([below, both], axis=1), np.concatenate([below, below], axis=1)
    assert one_class(synthetic, real).tolist() == [False, True]
    assert one_class(synthetic, 0 * real - 1).tolist() == [True, True]


def test_the_way_back_is_trained_if_asked_for():
    circular = Unlabelled(circular=True)
    assert found("real", circular)["unlabelled/circular"] > 0.75
    # Swapped on the way there, and again on the way back: to the synthetic labels as they are.
    assert found("swapped", circular)["unlabelled/circular"] > 0.75
    assert "unlabelled/circular" not in found("real")
    dark = labelled(np.zeros((200, 14, 14, 1), np.uint8), images(6, 200).labels, NAMES)
    assert math.isnan(found("real", circular, spare=dark)["unlabelled/circular"])


def test_no_more_real_images_are_looked_at_than_are_told():
    few = Unlabelled(images=50)
    assert found("real", few)["cost/unlabelled_real"] == 50
    assert found("real")["cost/unlabelled_real"] == 400
    assert found("real", spare=images(6, 10)) == {}


def test_labels_of_the_reserve_count_for_nothing(metrics):
    spare = images(6)
    other = labelled(spare.images, ~spare.labels, NAMES)
    assert found("real", spare=other) == pytest.approx(metrics["real"], nan_ok=True)
