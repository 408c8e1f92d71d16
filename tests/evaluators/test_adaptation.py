"""A synthetic-trained classifier that looks at real images before it is tested on them."""

import dataclasses

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from tests.contracts.evidence import Made, labelled
from tests.evaluators.test_augmentation import Stubborn, blobs
from tgap.classifiers.logistic_regression import LogisticRegression as Linear
from tgap.classifiers.small_cnn import SmallCnn
from tgap.core import ConfigError, ContractError, ImageSet
from tgap.evaluators.adaptation import AT_ONCE, Adaptation, in_styles_of, with_head
from tgap.metrics.classification import macro_auroc


def squares(count: int, seed: int, dark: float = 1.0) -> ImageSet:
    """16 x 16, noise with a brighter square on the left or on the right; ``dark`` dims them."""
    rng = np.random.default_rng(seed)
    right = np.arange(count) % 2 == 1
    pixels = rng.integers(60, 140, (count, 16, 16, 1)).astype(float)
    pixels[~right, 4:12, 2:7] += 12
    pixels[right, 4:12, 9:14] += 12
    return labelled(
        (pixels * dark).astype(np.uint8), np.stack([~right, right], axis=1), ("left", "right")
    )


@pytest.fixture(scope="module")
def fitted() -> tuple[SmallCnn, dict]:
    classifier = SmallCnn(epochs=8, device="cpu", shift=0)
    return classifier, classifier.fit(squares(200, 0), np.random.default_rng(0))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Looked(Made):
    """Real images are dimmed; scores are those of the fitted classifier."""

    weights: dict = dataclasses.field(default_factory=dict)

    def fitted(self, side):
        return self.weights


def evidence(fitted, dark: float) -> Looked:
    classifier, weights = fitted
    synthetic = squares(200, 0)
    return Looked(
        train=squares(60, 1, dark),
        test=squares(120, 2, dark),
        spare=squares(120, 3, dark),
        parts=(synthetic, squares(60, 4)),
        classifier=classifier,
        weights=weights,
    )


def evaluate(made: Made, **settings) -> dict[str, float]:
    return dict(Adaptation(**settings).evaluate(made, np.random.default_rng(0)).metrics)


def test_batch_norm_of_the_images_it_was_trained_on_changes_little(fitted) -> None:
    classifier, weights = fitted
    images = squares(200, 0).images
    again = classifier.restandardised(weights, images)
    assert np.abs(again["head.weight"] - weights["head.weight"]).max() == 0
    scores = [classifier.score(w, images) for w in (weights, again)]
    assert np.corrcoef(scores[0][:, 0], scores[1][:, 0])[0, 1] > 0.95
    statistics = [name for name in weights if name.endswith("running_mean")]
    assert statistics
    assert any((again[name] != weights[name]).any() for name in statistics)


def test_statistics_are_those_of_the_images(fitted) -> None:
    """Of the first norm's input, by hand."""
    import torch

    classifier, weights = fitted
    images = squares(100, 5, 0.4).images
    again = classifier.restandardised(weights, images)
    network = classifier._restored(weights)
    with torch.no_grad():
        seen = network.features[0](classifier._input(torch.from_numpy(images), weights))
    assert again["features.norm1.running_mean"] == pytest.approx(
        seen.mean(dim=(0, 2, 3)).numpy(), abs=1e-4
    )


def test_statistics_need_two_images(fitted) -> None:
    classifier, weights = fitted
    with pytest.raises(ContractError, match="at least 2 images, got 1"):
        classifier.restandardised(weights, squares(1, 0).images)


def test_dimmed_images_are_told_apart_once_they_were_looked_at(fitted) -> None:
    made = evidence(fitted, 0.25)
    found = evaluate(made)
    classifier, weights = fitted
    before = macro_auroc(classifier.score(weights, made.test.images), made.test.labels)
    assert found["adapted/inductive/batch_norm"] > before + 0.005
    assert found["adapted/transductive/batch_norm"] > before + 0.005
    assert found["adapted/few/10"] > before
    assert found["cost/unlabelled_real"] == 120


def test_where_nothing_is_moved_nothing_is_lost(fitted) -> None:
    made = evidence(fitted, 1.0)
    found = evaluate(made)
    classifier, weights = fitted
    before = macro_auroc(classifier.score(weights, made.test.images), made.test.labels)
    for leg in ("inductive", "transductive"):
        for way in ("batch_norm", "self_training", "neighbours"):
            assert found[f"adapted/{leg}/{way}"] > before - 0.02
        assert found[f"adapted/{leg}/self_trained_on"] > 0.2
        name = f"adapted/{leg}/self_training"
        assert found[f"{name}/lo"] < found[name] < found[f"{name}/hi"]


def test_what_nothing_is_sure_of_trains_nothing(fitted) -> None:
    made = evidence(fitted, 0.25)
    found = evaluate(made, sure=1.0)
    classifier, weights = fitted
    before = macro_auroc(classifier.score(weights, made.test.images), made.test.labels)
    assert found["adapted/inductive/self_training"] == before
    assert found["adapted/inductive/self_trained_on"] < 0.1


def test_labels_of_test_images_change_no_score(fitted) -> None:
    made = evidence(fitted, 0.5)
    swapped = dataclasses.replace(made.test, labels=made.test.labels[:, ::-1])
    found = [evaluate(each) for each in (made, dataclasses.replace(made, test=swapped))]
    for name, value in found[0].items():
        left_out = ("_on", "/lo", "/hi")
        if name.startswith(("adapted/in", "adapted/tr")) and not name.endswith(left_out):
            assert found[1][name] == pytest.approx(1 - value)


def test_amplitudes_of_dimmed_images_bring_their_brightness(fitted) -> None:
    """Seen in the reserve; a synthetic image that keeps its own is brighter than all of these."""
    made = evidence(fitted, 0.25)
    images, real = made.parts[0].images, made.spare.images
    donors = np.arange(len(images)) % len(real)
    changed = in_styles_of(images, real, donors, 0.01)
    means = [part.mean(axis=(1, 2, 3)) for part in (changed, real[donors])]
    assert np.abs(means[0] - means[1]).max() < 4, "some of their darkest pixels are clipped"
    found = evaluate(made)
    assert found["adapted/inductive/fourier"] > found["adapted/none"] + 0.005


def test_own_styles_change_little(fitted) -> None:
    found = evaluate(evidence(fitted, 1.0))
    assert found["adapted/inductive/fourier"] > found["adapted/none"] - 0.02


def test_styles_are_taken_over_in_parts_and_none_by_a_share_of_0() -> None:
    images = np.random.default_rng(0).integers(0, 256, (AT_ONCE + 40, 8, 8, 1)).astype(np.uint8)
    donors = np.random.default_rng(1).integers(0, 30, len(images))
    assert (in_styles_of(images, images[:30], donors, 0.0) == images).all()
    changed = in_styles_of(images, images[:30], donors, 0.2)
    last = in_styles_of(images[-10:], images[:30], donors[-10:], 0.2)
    assert (changed[-10:] == last).all()
    assert (changed != images).any()


def gaussians(count: int, seed: int, moved: float = 0.0) -> ImageSet:
    """Of two kinds in 50 dimensions, 3 deviations apart, in grey levels; all moved in some way."""
    rng, right = np.random.default_rng(seed), np.arange(count) % 2 == 1
    values = rng.normal(size=(count, 50)) + np.where(right, 1.5, -1.5)[:, None] / np.sqrt(50)
    way = np.random.default_rng(0).normal(size=50)
    values += moved * way / np.linalg.norm(way)
    pixels = np.clip(128 + 16 * values, 0, 255).round().astype(np.uint8)
    labels = np.stack([~right, right], axis=1)
    return labelled(pixels.reshape(count, 5, 10, 1), labels, ("left", "right"))


def self_trained(seed: int, unlabelled: int, moved: float = 0.0) -> tuple[float, float]:
    """AUROC by 20 labelled images, before and after it trained itself on others."""
    train, classifier = gaussians(20, seed), Linear(c_grid=[0.01, 0.1])
    weights = classifier.fit(train, np.random.default_rng(seed))
    test, spare = gaussians(1000, 500 + seed, moved), gaussians(unlabelled, 900 + seed, moved)
    made = Looked(
        test=test, spare=spare, parts=(train, train), classifier=classifier, weights=weights
    )
    way = Adaptation(sure=0.6, images=max(unlabelled, 20))
    scores = way._self_trained(made, "inductive", spare.images, test.images, 0)
    before = classifier.score(weights, test.images)
    return macro_auroc(before, test.labels), macro_auroc(scores, test.labels)


def test_two_gaussians_are_told_apart_the_better_the_more_unlabelled_images_there_are() -> None:
    """As theory has it (Saberi et al. 2023, arXiv 2310.00027): m = 20 labelled, d = 50."""
    few, many = (
        np.mean([self_trained(seed, count) for seed in range(6)], axis=0) for count in (40, 2000)
    )
    assert few[1] > few[0]
    assert many[1] > few[1] + 0.005
    assert many[1] > many[0] + 0.02


@pytest.mark.parametrize("moved", [3.0, 10.0])
def test_gaussians_that_are_far_away_are_not_told_apart_worse(moved: float) -> None:
    before, after = np.mean([self_trained(seed, 2000, moved) for seed in range(6)], axis=0)
    assert after > before - 0.005


def test_a_head_is_a_logistic_regression() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(60, 5)).astype(np.float32) * 30
    labels = np.stack([features[:, 0] > 0, np.ones(60, bool)], axis=1)
    old = {"head.weight": np.ones((2, 5), np.float32), "head.bias": np.ones(2, np.float32)}
    made = with_head(old, features, labels)
    scale = np.sqrt((features**2).mean())
    expected = LogisticRegression(max_iter=1000).fit(features / scale, labels[:, 0])
    scores = features @ made["head.weight"].T + made["head.bias"]
    assert scores[:, 0] == pytest.approx(expected.decision_function(features / scale), abs=1e-3)
    assert (made["head.weight"][1] == 1).all(), "a label that all have keeps its layer"
    assert (old["head.weight"] == 1).all()
    assert with_head({"means": features}, features, labels) == {"means": features}


def test_classifiers_without_a_way_leave_it_out() -> None:
    train = blobs(60, 0)
    made = Made(train=train, test=blobs(80, 2), parts=(train, train), spare=blobs(40, 3))
    stubborn = dataclasses.replace(made, classifier=Stubborn(device="cpu"))
    found = evaluate(stubborn)
    assert not any("batch_norm" in name or "self_training" in name for name in found)
    assert not any("few" in name for name in found)
    assert "adapted/inductive/neighbours" in found


def test_without_a_reserve_there_is_no_inductive_leg() -> None:
    train = blobs(60, 0)
    made = Made(train=train, test=blobs(80, 2), parts=(train, train), spare=blobs(10, 3))
    found = evaluate(made)
    assert not any("inductive" in name for name in found)
    assert found["cost/unlabelled_real"] == 0


def test_numbers_that_fall_are_refused() -> None:
    with pytest.raises(ConfigError, match="few must be rising numbers of images per label"):
        Adaptation(few=[3, 1])
