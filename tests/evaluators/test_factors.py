"""Factors on phantoms, whose factors are known."""

import functools
import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance
from sklearn.linear_model import RidgeCV

from tests.contracts.evidence import Made, bare
from tgap.core import ConfigError, ImageSet
from tgap.datasets.phantom_xray import PhantomXray
from tgap.embedders.base import Embedder
from tgap.embedders.pixels import Pixels
from tgap.evaluators.factors import Factors
from tgap.metrics.probes import LinearProbe, fit_probes
from tgap.pipeline.preflight.runs import check_components


@functools.cache
def phantoms() -> ImageSet:
    return PhantomXray(images=2400, size=32, seed=1).load()


def rows_of(part: int) -> np.ndarray:
    """real_train (0), real_test (1) or others that pass for synthetic (2), by patient."""
    return np.flatnonzero(np.array([0, 0, 0, 1, 2])[phantoms().patients % 5] == part)


@dataclass(kw_only=True)
class Broken(Embedder):
    def check(self):
        return ["no weights"]

    def _embed(self, images, features):
        raise AssertionError("it is only checked")


def evidence(synthetic_rows, **columns):
    data = phantoms()
    train = data.take(rows_of(0))
    train = replace(train, metadata={**train.metadata, **{k: v(train) for k, v in columns.items()}})
    return made(train, data.take(rows_of(1)), data.take(synthetic_rows))


def made(train, test, synthetic):
    """A run's sets; the synthetic one, in halves, knows no metadata."""
    rows = np.split(np.arange(len(synthetic)), [len(synthetic) // 2])
    parts = tuple(bare(synthetic.take(part)) for part in rows)
    return Made(train=train, test=test, parts=parts, tells_apart=False)


def evaluated(found, seed=0, **fields):
    evaluator = Factors(**{"embedder": Pixels(), **fields})
    return evaluator.evaluate(found, np.random.default_rng(seed))


def ratio(found, name):
    return (
        found.metrics[f"factors/distance_{name}"] / found.metrics[f"factors/distance_{name}_floor"]
    )


@functools.cache
def equal():
    return evaluated(evidence(rows_of(2)))


def test_what_can_be_seen_is_read_and_what_cannot_is_left_out():
    metrics = equal().metrics
    for name in ("shift_x", "zoom", "build", "heart_width", "view", "effusion_severity"):
        assert metrics[f"factors/r2_{name}"] >= 0.3
    for name in ("follow_up", "hernia_severity", "nodule_side", "file", "vessel_contrast"):
        assert f"factors/r2_{name}" not in metrics
        assert f"factors/distance_{name}" not in metrics
    read = [name for name in metrics if name.startswith("factors/r2_")]
    assert metrics["factors/read"] == len(read) >= 15


def test_the_table_says_of_each_column_what_became_of_it():
    table = {row["factor"]: row for row in equal().tables["factors"]}
    assert list(table) == list(phantoms().metadata)
    assert table["file"] == {"factor": "file", "r2": None, "left_out": "too many values"}
    assert table["follow_up"]["left_out"] == "cannot be read"
    assert table["follow_up"]["r2"] < 0.3
    row, metrics = table["build"], equal().metrics
    assert row["left_out"] == ""
    assert row["r2"] == metrics["factors/r2_build"]
    of_labels = [row["distance_no_finding"], row["distance_unhealthy"]]
    assert metrics["factors/distance_build"] == pytest.approx(np.mean(of_labels))
    floors = [row["floor_no_finding"], row["floor_unhealthy"]]
    assert metrics["factors/distance_build_floor"] == pytest.approx(np.mean(floors))


def test_phantoms_like_the_real_ones_stay_near_the_floor():
    metrics = equal().metrics
    assert metrics["factors/distance"] < 1.5 * metrics["factors/distance_floor"]
    means = [v for k, v in metrics.items() if k.startswith("factors/distance_")]
    assert metrics["factors/distance_floor"] in means
    own = [
        v
        for k, v in metrics.items()
        if k.startswith("factors/distance_") and not k.endswith("_floor")
    ]
    assert metrics["factors/distance"] == pytest.approx(np.mean(own))
    assert metrics["factors/n"] % 2 == 0


@pytest.mark.parametrize("name", ["heart_width", "effusion_severity", "shift_x", "exposure"])
def test_phantoms_with_a_shifted_factor_are_far_in_that_factor(name):
    rows = rows_of(2)
    column = phantoms().metadata[name][rows]
    # within each label, so that only the factor's own distribution is another one
    labels = phantoms().labels[rows]
    high = np.zeros(len(rows), np.bool_)
    for of_label in labels.T:
        high |= of_label & (column >= np.quantile(column[of_label], 0.8))
    found = evaluated(evidence(rows[high]))
    assert ratio(found, name) > 2
    assert found.metrics[f"factors/distance_{name}"] > 0.6
    assert ratio(found, "zoom") < 1.5


def test_only_frontal_views_are_far_in_view():
    rows = rows_of(2)
    found = evaluated(evidence(rows[phantoms().metadata["view"][rows] == "PA"]))
    assert found.metrics["factors/distance_view"] > 0.25
    assert found.metrics["factors/distance_view_floor"] < 0.12


def test_a_larger_shift_is_further_away():
    rows = rows_of(2)
    column = phantoms().metadata["shift_x"][rows]
    distances = [
        evaluated(evidence(rows[column >= np.quantile(column, q)])).metrics[
            "factors/distance_shift_x"
        ]
        for q in (0, 0.4, 0.8)
    ]
    assert distances == sorted(distances)
    assert distances[2] > 2 * distances[1] > 4 * distances[0]


def test_unknown_values_are_left_out_of_the_fit_only():
    def half_unknown(train):
        column = train.metadata["shift_x"].copy()
        column[::2] = np.nan
        return column

    found = evaluated(evidence(rows_of(2), half=half_unknown)).metrics
    assert found["factors/r2_half"] == pytest.approx(found["factors/r2_shift_x"], abs=0.05)
    assert found["factors/distance_half"] == pytest.approx(
        found["factors/distance_shift_x"], abs=0.05
    )


def test_columns_that_say_nothing_are_left_out():
    columns = {
        "same": lambda train: np.full(len(train), 3.0),
        "unknown": lambda train: np.full(len(train), np.nan),
        "word": lambda train: np.full(len(train), "x"),
    }
    found = evaluated(evidence(rows_of(2), **columns))
    table = {row["factor"]: row["left_out"] for row in found.tables["factors"]}
    assert [table[name] for name in columns] == ["constant"] * 3
    assert not any(name in key for name in columns for key in found.metrics)


def test_names_of_columns_are_made_fit_for_metrics():
    columns = {
        "a/b": lambda train: train.metadata["shift_x"],
        "a:b": lambda train: train.metadata["zoom"],
    }
    found = evaluated(evidence(rows_of(2), **columns)).metrics
    assert found["factors/r2_a_b"] == pytest.approx(found["factors/r2_shift_x"])
    (other,) = [k for k in found if k.startswith("factors/r2_a_b_")]
    assert found[other] == pytest.approx(found["factors/r2_zoom"])


def test_without_metadata_there_are_no_metrics():
    plain = evidence(rows_of(2))
    found = evaluated(replace(plain, train=replace(plain.train, metadata={})))
    assert (found.metrics, found.tables) == ({}, {})


def test_nothing_readable_is_said_and_its_mean_is_nan():
    plain = evidence(rows_of(2))
    kept = {"follow_up": plain.train.metadata["follow_up"]}
    found = evaluated(replace(plain, train=replace(plain.train, metadata=kept)))
    assert found.metrics["factors/read"] == 0
    assert math.isnan(found.metrics["factors/distance"])
    assert math.isnan(found.metrics["factors/distance_floor"])
    assert [row["left_out"] for row in found.tables["factors"]] == ["cannot be read"]


def test_a_label_without_images_leaves_no_distance():
    healthy = rows_of(2)[phantoms().labels[rows_of(2), 0]]
    found = evaluated(evidence(healthy))
    assert found.metrics["factors/n"] == 0
    assert found.metrics["factors/r2_shift_x"] > 0.9
    distances = [v for k, v in found.metrics.items() if "distance" in k]
    assert len(distances) > 10
    assert all(math.isnan(v) for v in distances)


def test_another_seed_divides_other_patients():
    assert evaluated(evidence(rows_of(2)), seed=1).metrics != equal().metrics


def test_a_patients_images_are_not_on_both_sides_of_the_fit():
    """A column that only a patient known from the fit gives away cannot be read."""
    rng = np.random.default_rng(0)
    patient = np.repeat(np.arange(60), 6)
    images = rng.integers(0, 256, (60, 8, 8, 1), dtype=np.uint8)[patient]
    data = ImageSet(
        images=images,
        labels=np.ones((360, 1), np.bool_),
        label_names=("any",),
        findings=np.zeros((360, 0), np.bool_),
        finding_names=(),
        patients=patient,
        metadata={"number": rng.standard_normal(60)[patient]},
    )
    (row,) = evaluated(made(data, data, data)).tables["factors"]
    assert row["left_out"] == "cannot be read"


def test_check_is_the_embedders_and_the_threshold_is_a_share():
    assert check_components([{"x": Factors(embedder=Broken())}]) == ["x.embedder: no weights"]
    with pytest.raises(ConfigError, match=r"readable must be above 0, got 0"):
        Factors(embedder=Pixels(), readable=0)


# Probes


def test_a_probe_is_scikit_learns_ridge_on_standardised_vectors():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((90, 5)).astype(np.float32) * np.array([1, 10, 0.1, 1, 0], np.float32)
    y = x @ [1.0, 0.1, 3.0, 0.0, 0.0] + 5 + 0.5 * rng.standard_normal(90)
    first = np.arange(90) < 60
    probes, left_out = fit_probes(x, {"y": y}, first)
    varying = x[:, :4].astype(np.float64)
    scaled = (varying - varying[first].mean(0)) / varying[first].std(0)
    model = RidgeCV(alphas=10.0 ** np.arange(-1, 6)).fit(scaled[first], y[first])
    assert probes["y"].read(x) == pytest.approx(model.predict(scaled), rel=1e-6)
    assert probes["y"].r2 == pytest.approx(model.score(scaled[~first], y[~first]))
    assert left_out == {}


def test_text_is_read_as_the_likeliest_class():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 200)
    x = (3 * np.eye(3)[truth] + rng.standard_normal((200, 3))).astype(np.float32)
    names = np.array(["b", "a", "c"])[truth]
    first = np.arange(200) < 100
    probes, _ = fit_probes(x, {"name": names}, first)
    probe = probes["name"]
    read = np.array(probe.classes)[probe.read(x).astype(int)]
    assert (read[~first] == names[~first]).mean() > 0.85
    outputs = x[~first] @ probe.weights + probe.bias
    one_hot = (names[~first, None] == np.array(probe.classes)) * 1.0
    brier, reference = ((outputs - one_hot) ** 2).sum(), ((one_hot - one_hot.mean(0)) ** 2).sum()
    assert probe.r2 == pytest.approx(1 - brier / reference)
    assert 0.4 < probe.r2 < 1


def test_what_is_not_in_the_images_has_no_r2():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 20)).astype(np.float32)
    columns = {"y": rng.standard_normal(300), "t": np.array(["a", "b"])[rng.integers(0, 2, 300)]}
    probes, _ = fit_probes(x, columns, np.arange(300) < 150)
    assert all(probe.r2 < 0.1 for probe in probes.values())


def test_a_column_that_is_constant_where_it_is_tested_has_no_r2():
    x = np.arange(20, dtype=np.float32)[:, None]
    first = np.arange(20) < 10
    probes, _ = fit_probes(x, {"y": np.where(first, x[:, 0], 7.0).astype(np.float64)}, first)
    assert math.isnan(probes["y"].r2)


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.floats(0.01, 100), st.floats(-100, 100))
def test_distances_of_numbers_know_no_unit_or_origin(seed, scale, shift):
    rng = np.random.default_rng(seed)
    real, other = ([rng.standard_normal((9, 1)).astype(np.float32) for _ in "ab"] for _ in "rs")
    plain = LinearProbe((), np.ones((1, 1)), np.zeros(1), 1.0)
    scaled = LinearProbe((), np.full((1, 1), scale), np.array([shift]), 1.0)
    unit = np.concatenate(real).astype(np.float64).std()
    expected = [
        wasserstein_distance(x[:, 0], y[:, 0]) / unit for x, y in zip(real, other, strict=True)
    ]
    assert plain.distances(real, other) == pytest.approx(expected)
    assert scaled.distances(real, other) == pytest.approx(expected, rel=1e-5)
    assert plain.distances(real, real) == [0, 0]


def test_distances_of_classes_are_total_variation():
    def of(*counts):
        return np.repeat(np.eye(3, dtype=np.float32), counts, axis=0)

    probe = LinearProbe(("a", "b", "c"), np.eye(3), np.zeros(3), 1.0)
    assert probe.distances([of(4, 0, 0), of(1, 1, 2)], [of(0, 2, 2), of(2, 2, 4)]) == [1, 0]
    assert probe.distances([of(5, 5, 0)], [of(8, 0, 2)]) == pytest.approx([0.5])


def test_readings_that_are_all_the_same_have_no_unit():
    probe = LinearProbe((), np.ones((1, 1)), np.zeros(1), 1.0)
    same = [np.ones((4, 1), np.float32)]
    assert math.isnan(probe.distances(same, [np.zeros((4, 1), np.float32)])[0])
