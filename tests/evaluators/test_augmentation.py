import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contracts.evidence import Centroids, Made, labelled
from tgap.core import ConfigError
from tgap.evaluators.augmentation import Augmentation, Nested, joined, ranks
from tgap.metrics.classification import macro_auroc


@dataclasses.dataclass(kw_only=True)
class Stubborn(Centroids):
    """Does not adapt."""

    adapts = False


def blobs(count, seed, apart=8, labels=2, first=0):
    """Noise, brighter in another corner for each label."""
    rng = np.random.default_rng(seed)
    kind = np.arange(count) % labels
    pixels = rng.integers(0, 100, (count, 8, 8, 1)).astype(np.uint8)
    for label in range(labels):
        pixels[kind == label, 4 * (label // 2) :, 4 * (label % 2) :] += np.uint8(apart)
    pixels[:, 0, 0, 0] = first + np.arange(count) % 100  # a mark
    return labelled(pixels, kind[:, None] == np.arange(labels), tuple("abcd"[:labels]))


def made(train=None, synthetic=None, test=None, **others):
    synthetic = blobs(90, 1, first=100) if synthetic is None else synthetic
    return Made(
        train=blobs(60, 0) if train is None else train,
        test=blobs(80, 2) if test is None else test,
        parts=(synthetic, synthetic),
        **others,
    )


def evaluate(evidence, seed=0, **fields):
    return Augmentation(**fields).evaluate(evidence, np.random.default_rng(seed))


rows_of_labels = st.integers(1, 40).flatmap(
    lambda n: st.lists(
        st.tuples(st.booleans(), st.booleans(), st.booleans()), min_size=n, max_size=n
    )
)


@settings(max_examples=100)
@given(rows=rows_of_labels, seed=st.integers(0, 99))
def test_draws_are_nested_and_as_large_as_asked(rows, seed):
    labels = np.array(rows)
    found = ranks(labels, np.random.default_rng(seed))
    kinds = np.column_stack([labels, ~labels.any(axis=1)])
    for n in range(1, len(rows) + 2):
        drawn = found <= n
        assert ((drawn[:, None] & kinds).sum(axis=0) >= np.minimum(n, kinds.sum(axis=0))).all()
        assert drawn.sum() <= n * 4
        if not (labels.sum(axis=1) > 1).any():  # labels that exclude each other: exactly so many
            assert ((drawn[:, None] & kinds).sum(axis=0) == np.minimum(n, kinds.sum(axis=0))).all()
    assert (found >= 1).all()
    assert found.max() <= kinds.sum(axis=0).max()


def test_draws_by_hand_match_a_walk_through_the_order():
    labels = np.random.default_rng(0).random((50, 3)) < 0.3
    order, taken = np.random.default_rng(7).permutation(50), np.zeros(4, dtype=int)
    expected = np.zeros(50, dtype=int)
    for image in order:
        kinds = [*np.flatnonzero(labels[image])] or [3]
        taken[kinds] += 1
        expected[image] = taken[kinds].min()
    assert (ranks(labels, np.random.default_rng(7)) == expected).all()


def test_a_draw_keeps_images_in_their_order():
    nested = Nested(blobs(20, 0), np.random.default_rng(0))
    assert nested.most == 10
    assert len(nested.first(3)) == 6
    assert (np.diff(nested.first(3).patients) > 0).all()
    assert nested.first(10).images is not nested.images.images
    assert (nested.first(10).images == nested.images.images).all()


def test_nobody_is_a_patient_of_both_sides():
    real, synthetic = blobs(6, 0), blobs(4, 1)
    both = joined(dataclasses.replace(real, patients=real.patients // 2 * 7), synthetic)
    assert both.patients[:6].tolist() == [0, 0, 1, 1, 2, 2]
    assert len(np.unique(both.patients[6:])) == 4
    assert not np.isin(both.patients[:6], both.patients[6:]).any()
    assert (both.images[6:] == synthetic.images).all()
    assert (both.labels == np.concatenate([real.labels, synthetic.labels])).all()


def test_names_numbers_and_what_is_known_already():
    evidence = made()
    found = evaluate(evidence)
    real, synthetic = ["1", "3", "10", "all"], ["10", "30", "all"]
    points = [name for name in found.metrics if not name.endswith(("/lo", "/hi"))]
    assert points == [
        *(f"augmentation/real_{n}" for n in real[2:]),
        *(f"augmentation/mixed_{n}" for n in real),
        *(f"augmentation/pretrained_{n}" for n in real),
        *(f"augmentation/synthetic_{n}" for n in synthetic),
    ]
    legs = evidence.legs()
    for name, leg in (("real_all", "trtr"), ("synthetic_all", "tstr")):
        expected = macro_auroc(legs[leg].scores, legs[leg].labels)
        assert found.metrics[f"augmentation/{name}"] == expected
    rows = found.tables["curves"]
    values = [row[number] for row in rows for number in ("auroc", "lo", "hi")]
    assert values == list(found.metrics.values())
    assert all(row["lo"] < row["auroc"] < row["hi"] for row in rows if row["auroc"] < 1)
    amounts = [(r["trained_on"], r["real_per_label"], r["synthetic_per_label"]) for r in rows]
    assert amounts == [
        ("real", 10, 0),
        ("real", 30, 0),
        *((kind, n, 45) for kind in ("mixed", "pretrained") for n in (1, 3, 10, 30)),
        ("synthetic", 0, 10),
        ("synthetic", 0, 30),
        ("synthetic", 0, 45),
    ]


TRAININGS = []


@dataclasses.dataclass(kw_only=True)
class Noting(Centroids):
    """Notes down the marks of what it was trained on."""

    def _fit(self, train, validation, rng, log, checkpoint):
        marks = np.concatenate([train.images, validation.images])[:, 0, 0, 0]
        TRAININGS.append(("fit", np.sort(marks)))
        return super()._fit(train, validation, rng, log, checkpoint)

    def _adapt(self, weights, few, rng, log, checkpoint):
        TRAININGS.append(("adapt", np.sort(few.images[:, 0, 0, 0])))
        return super()._adapt(weights, few, rng, log, checkpoint)


def test_each_arm_is_trained_on_what_it_says():
    evidence = made(classifier=Noting(device="cpu"))
    evidence.fitted("synthetic")
    of_synthetic = TRAININGS[-1][1]
    TRAININGS.clear()
    evaluate(evidence, real=[3, 10], synthetic=[10])
    # the legs' four trainings come first; marks of synthetic images start at 100
    kinds = [
        (call, int((marks < 100).sum()), int((marks >= 100).sum()))
        for call, marks in TRAININGS[4:]
        if call == "adapt" or not np.array_equal(marks, of_synthetic)
    ]
    assert kinds == [
        ("fit", 20, 0),  # real_10
        *(("fit", n, 90) for n in (6, 20, 60)),  # mixed
        *(("adapt", n, 0) for n in (6, 20, 60)),  # pretrained
        ("fit", 0, 20),  # synthetic_10
    ]
    real = [set(marks) for call, marks in TRAININGS if call == "adapt"]
    mixed = [set(marks[marks < 100]) for call, marks in TRAININGS if len(marks) > 90]
    assert real == mixed  # the same images in each training
    assert real[0] < real[1] < real[2]


def test_more_numbers_leave_the_others_as_they_are():
    few = evaluate(made(), real=[10], synthetic=[30]).metrics
    many = evaluate(made(), real=[1, 5, 10, 20], synthetic=[10, 30]).metrics
    assert few.items() <= many.items()
    assert evaluate(made(), real=[10], synthetic=[30], seed=1).metrics != few


def test_bad_synthetic_images_help_less_than_good_ones():
    far = dataclasses.replace(blobs(90, 1), labels=blobs(90, 1).labels[:, ::-1])  # wrong labels
    good, bad = (evaluate(made(synthetic=x)).metrics for x in (blobs(90, 1, apart=30), far))
    for name in ("mixed_1", "mixed_all", "pretrained_1", "synthetic_all"):
        assert good[f"augmentation/{name}"] > bad[f"augmentation/{name}"] + 0.05
    assert good["augmentation/real_10"] == bad["augmentation/real_10"]


def test_several_labels_are_drawn_of_each():
    sets = [blobs(count, seed, labels=4) for seed, count in enumerate((80, 80, 40))]
    rows = evaluate(made(*sets), real=[1, 10], synthetic=[10]).tables["curves"]
    assert {row["real_per_label"] for row in rows} == {0, 1, 10, 20}


def test_classifiers_that_do_not_adapt_have_no_such_training():
    found = evaluate(made(classifier=Stubborn(device="cpu")))
    assert {row["trained_on"] for row in found.tables["curves"]} == {"real", "mixed", "synthetic"}
    assert not any("pretrained" in name for name in found.metrics)


@pytest.mark.parametrize("real", [[0, 3], [10, 3], [3, 3]])
def test_numbers_that_do_not_rise_are_refused(real):
    with pytest.raises(ConfigError, match=r"real must be rising numbers .* from 1 on, got \["):
        Augmentation(real=real)


def test_too_few_synthetic_images_are_refused():
    with pytest.raises(ConfigError, match=r"synthetic must be rising .* from 10 on, got \[9, 30\]"):
        Augmentation(synthetic=[9, 30])


def test_all_real_images_are_shown_however_few():
    found = evaluate(made(train=blobs(12, 0)))
    points = [name for name in found.metrics if not name.endswith(("/lo", "/hi"))]
    names = [name.removeprefix("augmentation/") for name in points]
    assert names[:4] == ["real_all", "mixed_1", "mixed_3", "mixed_all"]
