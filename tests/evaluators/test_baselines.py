import dataclasses
import importlib.util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression as SklearnRegression

from tests.contracts.evidence import Made, labelled
from tgap.classifiers.base import Classifier
from tgap.datasets.radiographs.nih_table import read
from tgap.evaluators.baselines import Baselines, brightness
from tgap.metrics.classification import auroc, macro_auroc
from tgap.metrics.metadata import scores_from_columns


@dataclasses.dataclass(kw_only=True)
class Dark(Classifier):
    """Logistic regression on the mean of an image's upper half."""

    def _fit(self, train, validation, rng, log, checkpoint):
        fitted = SklearnRegression(C=1e6).fit(upper(train.images), train.labels[:, 1])
        return {"coef": fitted.coef_[0], "intercept": fitted.intercept_}

    def _score(self, weights, images):
        second = 1 / (1 + np.exp(-(upper(images) @ weights["coef"] + weights["intercept"])))
        return np.stack([1 - second, second], axis=1).astype(np.float32)


def upper(images):
    return images[:, : images.shape[1] // 2].mean(axis=(1, 2, 3))[:, None] / 255


def images(count, seed, metadata=None, brighter=0):
    """Half of the images ill; ill ones are brighter in the upper half by so much."""
    rng = np.random.default_rng(seed)
    ill = np.arange(count) % 2 == 1
    pixels = rng.integers(0, 200, (count, 16, 16, 1)).astype(np.uint8)
    pixels[ill, :8] += np.uint8(brighter)
    labels = np.stack([~ill, ill], axis=1)
    columns = {} if metadata is None else metadata(ill, rng)
    return labelled(pixels, labels, ("well", "mass/ill"), metadata=columns)


def made(train, test, synthetic, classifier=None):
    classifier = Dark(device="cpu") if classifier is None else classifier
    return Made(train=train, test=test, parts=(synthetic, synthetic), classifier=classifier)


def evaluated(train, test, **fields):
    evidence = made(train, test, images(100, 9))
    return Baselines(**fields).evaluate(evidence, np.random.default_rng(0)).metrics


@pytest.fixture(scope="module")
def nih():
    spec = importlib.util.find_spec("torchxrayvision")  # does not import it
    if spec is None or spec.origin is None:
        pytest.skip("torchxrayvision, whose wheel holds NIH's table, is not installed")
    file = Path(spec.origin).parent / "data" / "Data_Entry_2017_v2020.csv.gz"
    return read(file)


def test_metadata_of_nihs_real_table_tell_who_is_ill(nih):
    """In-sample rates of the groups of view, sex and decade of age reach .583."""
    patients = np.random.default_rng(0).permutation(np.unique(nih.patients))
    ours = np.isin(nih.patients, patients[: len(patients) // 2])
    ill = nih.findings.any(axis=1)
    labels = np.stack([~ill, ill], axis=1)

    def reached(*names):
        train, test = ({n: getattr(nih, n)[side] for n in names} for side in (ours, ~ours))
        return macro_auroc(scores_from_columns(train, labels[ours], test), labels[~ours])

    # of a column with two values, by its group rates: the same order of the same two groups
    assert reached("view") == pytest.approx(auroc(nih.view[~ours] == "AP", ill[~ours]))
    assert 0.57 < reached("view", "sex", "age") < 0.59


def test_on_text_it_is_scikit_learns_regression_on_indicators():
    rng = np.random.default_rng(0)
    train, test = rng.choice(["a", "b", "c"], 300), rng.choice(["a", "b", "c"], 50)
    labels = rng.random((300, 2)) < np.stack([train == "a", train == "b"], axis=1) * 0.5 + 0.2
    ours = scores_from_columns({"site": train}, labels, {"site": test})
    indicators, asked = (part[:, None] == np.array(["a", "b", "c"]) for part in (train, test))
    for label in range(2):
        oracle = SklearnRegression().fit(indicators, labels[:, label]).decision_function(asked)
        np.testing.assert_allclose(ours[:, label], oracle, atol=1e-2)


@settings(max_examples=20)
@given(seed=st.integers(0, 99))
def test_only_the_order_of_numbers_counts(seed):
    rng = np.random.default_rng(seed)
    ages = rng.normal(size=60)
    labels = rng.random((60, 1)) < 0.5
    labels[:2, 0] = [True, False]
    ranks = np.argsort(np.argsort(ages)).astype(float)
    np.testing.assert_allclose(
        scores_from_columns({"age": ages}, labels, {"age": ages}),
        scores_from_columns({"age": ranks}, labels, {"age": ranks}),
        atol=1e-6,
    )


def test_a_curve_that_bends_is_followed():
    age = np.linspace(0, 90, 900)
    labels = (np.abs(age - 45) > 30)[:, None]
    assert auroc(scores_from_columns({"age": age}, labels, {"age": age})[:, 0], labels[:, 0]) > 0.95


def test_a_value_that_most_rows_share_has_a_bin_for_itself():
    rng = np.random.default_rng(0)
    severity = np.where(rng.random(400) < 0.7, 0.0, rng.random(400))
    labels = (severity > 0)[:, None]
    scores = scores_from_columns({"severity": severity}, labels, {"severity": severity})
    assert auroc(scores[:, 0], labels[:, 0]) == 1


def test_missing_numbers_are_a_category_of_their_own():
    age = np.where(np.arange(200) % 2 == 0, np.nan, np.arange(200.0))
    labels = np.isnan(age)[:, None]
    scores = scores_from_columns({"age": age}, labels, {"age": np.array([np.nan, 7.0])})
    assert scores[0, 0] > 2
    assert scores[1, 0] < -2
    nothing = np.full(200, np.nan)
    np.testing.assert_allclose(
        scores_from_columns({"age": nothing}, labels, {"age": nothing}), 0, atol=1e-2
    )


def test_categories_never_seen_and_very_many_are_taken():
    site = np.array(["a"] * 50 + ["b"] * 50)
    labels = (site == "a")[:, None]
    a, new, b = scores_from_columns(
        {"site": site}, labels, {"site": np.array(["a", "elsewhere", "b"])}
    )[:, 0]
    assert b < -2 < new < 2 < a
    files = np.array([f"{n}.png" for n in range(100)])
    scores = scores_from_columns({"file": files}, labels, {"file": files + "x"})
    assert np.ptp(scores) == 0  # nothing is known of any of them


def test_metadata_that_know_the_label_are_seen_and_others_are_not():
    def telling(ill, rng):
        return {"view": np.where(ill, "AP", "PA"), "age": rng.random(len(ill)), "note": ill * 1.0}

    train, test = images(100, 0, telling), images(60, 1, telling)
    told = evaluated(train, test, shuffled=False)
    assert told["baseline/metadata_auroc"] == pytest.approx(1)
    assert told["baseline/metadata_auroc_mass_ill"] == pytest.approx(1)
    only_age = evaluated(train, test, shuffled=False, columns=["age", "height"])
    assert 0.3 < only_age["baseline/metadata_auroc"] < 0.7
    none = evaluated(train, test, shuffled=False, columns=[])
    assert np.isnan(none["baseline/metadata_auroc"])
    assert np.isnan(none["baseline/metadata_auroc_well"])


def test_columns_of_one_side_alone_are_left_out():
    train = images(40, 0, lambda ill, rng: {"view": np.where(ill, "AP", "PA")})
    assert np.isnan(evaluated(train, images(40, 1), shuffled=False)["baseline/metadata_auroc"])


def test_brightness_is_mean_and_deviation():
    pixels = images(7, 3).images
    flat = pixels.reshape(7, -1).astype(float)
    ours = brightness(pixels)
    np.testing.assert_allclose(ours["mean"], flat.mean(axis=1))
    np.testing.assert_allclose(ours["deviation"], flat.std(axis=1))


def test_brighter_images_are_told_by_brightness():
    metrics = evaluated(images(200, 0, brighter=50), images(100, 1, brighter=50), shuffled=False)
    assert metrics["baseline/brightness_auroc"] > 0.95
    metrics = evaluated(images(200, 0), images(100, 1), shuffled=False)
    assert 0.3 < metrics["baseline/brightness_auroc"] < 0.7


@dataclasses.dataclass(kw_only=True)
class Memory(Classifier):
    """Knows the images that it was trained on by heart, and nothing of others."""

    validation: float = 0.01

    def _fit(self, train, validation, rng, log, checkpoint):
        return {"images": train.images, "labels": train.labels}

    def _score(self, weights, pixels):
        pairs = zip(weights["images"], weights["labels"], strict=True)
        known = {image.tobytes(): row for image, row in pairs}
        unknown = np.full(weights["labels"].shape[1], 0.5)
        rows = [known.get(image.tobytes(), unknown) for image in pixels]
        return np.array(rows, dtype=np.float32)


def test_labels_are_permuted_by_rows_and_between_images_only():
    """Of images known by heart, the scores are the labels that they were trained with."""
    synthetic = images(60, 4)
    evidence = made(images(40, 0), synthetic, synthetic, Memory(device="cpu"))
    metrics = Baselines().evaluate(evidence, np.random.default_rng(0)).metrics
    # the two labels still exclude each other, so both say the same of the permutation
    well, ill = (metrics[f"baseline/shuffled_auroc_{name}"] for name in ("well", "mass_ill"))
    assert well == pytest.approx(ill, abs=0.02)
    assert 0.2 < metrics["baseline/shuffled_auroc"] < 0.8


def test_nothing_is_learnt_from_permuted_labels():
    """Scores rise with the one number seen or fall with it: over seeds the mean is one half."""
    synthetic, test = images(300, 2, brighter=50), images(200, 3, brighter=50)
    evidence = made(images(40, 0), test, synthetic)
    honest = Dark(device="cpu")
    weights = honest.fit(synthetic, np.random.default_rng(0))
    assert macro_auroc(honest.score(weights, test.images), test.labels) > 0.95
    found = [
        Baselines().evaluate(evidence, np.random.default_rng(s)).metrics["baseline/shuffled_auroc"]
        for s in range(30)
    ]
    assert abs(np.mean(found) - 0.5) < 0.25
    assert min(found) < 0.5 < max(found)


def test_permuted_labels_can_be_left_out():
    assert set(evaluated(images(50, 0), images(50, 1), shuffled=False)) == {
        f"baseline/{what}_auroc{label}{end}"
        for what in ("metadata", "brightness")
        for label in ("", "_well", "_mass_ill")
        for end in ("", "/lo", "/hi")
    }


def test_a_number_lies_within_its_interval():
    metrics = evaluated(images(200, 0), images(200, 1, brighter=20))
    for name in ("baseline/brightness_auroc", "baseline/shuffled_auroc_mass_ill"):
        assert metrics[f"{name}/lo"] < metrics[name] < metrics[f"{name}/hi"]
