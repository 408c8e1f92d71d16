import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tgap.classifiers.base import Classifier
from tgap.core.errors import ConfigError
from tgap.core.types import ImageSet, Scores
from tgap.evaluators.augmentation import Augmentation, Nested, joined, ranks
from tgap.metrics.classification import macro_auroc


@dataclasses.dataclass(kw_only=True)
class Centroids(Classifier):
    """Nearest mean image; keeps which images it was trained on (their first pixel) in its weights.

    Adapting moves the means towards those of the new images.
    """

    adapts = True

    def _fit(self, train, validation, rng, log):
        means = [train.images[row].mean(axis=0).ravel() for row in train.labels.T]
        seen = np.concatenate([train.images, validation.images])[:, 0, 0, 0]
        return {"means": np.stack(means), "seen": np.sort(seen)}

    def _adapt(self, weights, few, rng, log):
        means = [few.images[row].mean(axis=0).ravel() for row in few.labels.T]
        return {
            "means": (weights["means"] + np.stack(means)) / 2,
            "seen": np.sort(np.concatenate([weights["seen"], few.images[:, 0, 0, 0]])),
        }

    def _score(self, weights, images):
        flat = images.reshape(len(images), -1).astype(float)
        distance = np.linalg.norm(flat[:, None] - weights["means"], axis=2)
        return (distance.min(axis=1, keepdims=True) / distance).astype(np.float32)


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
    pixels.setflags(write=False)
    truth = kind[:, None] == np.arange(labels)
    truth.setflags(write=False)
    return ImageSet(
        pixels,
        truth,
        tuple("abcd"[:labels]),
        np.zeros((count, 1), dtype=bool),
        ("f",),
        np.arange(count, dtype=np.int64),
    )


@dataclasses.dataclass(frozen=True)
class Fake:
    train: ImageSet = dataclasses.field(default_factory=lambda: blobs(60, 0))
    made: ImageSet = dataclasses.field(default_factory=lambda: blobs(90, 1, first=100))
    test: ImageSet = dataclasses.field(default_factory=lambda: blobs(80, 2))
    classifier: Classifier = dataclasses.field(default_factory=lambda: Centroids(device="cpu"))
    tells_apart: bool = True

    def scores(self, weights):
        scores = self.classifier.score(weights, self.test.images)
        return Scores(scores, self.test.labels, self.test.label_names)

    def legs(self):
        if not self.tells_apart:
            return {}
        tstr, trtr = self.scores(self.fitted("synthetic")), self.scores(self.fitted("real"))
        return {"tstr": tstr, "trts": tstr, "trtr": trtr, "tsts": trtr}

    def real_train(self, pixels=True):
        return self.train

    def real_test(self, pixels=True):
        return self.test

    def synthetic(self):
        return self.made, self.made

    def fitted(self, side):
        train = {"real": self.train, "synthetic": self.made}[side]
        return self.classifier.fit(train, np.random.default_rng(0))


def evaluate(fake, seed=0, **fields):
    return Augmentation(**fields).evaluate(fake, np.random.default_rng(seed))


labelled = st.integers(1, 40).flatmap(
    lambda n: st.lists(
        st.tuples(st.booleans(), st.booleans(), st.booleans()), min_size=n, max_size=n
    )
)


@settings(max_examples=100)
@given(rows=labelled, seed=st.integers(0, 99))
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
    real, made = blobs(6, 0), blobs(4, 1)
    both = joined(dataclasses.replace(real, patients=real.patients // 2 * 7), made)
    assert both.patients[:6].tolist() == [0, 0, 1, 1, 2, 2]
    assert len(np.unique(both.patients[6:])) == 4
    assert not np.isin(both.patients[:6], both.patients[6:]).any()
    assert (both.images[6:] == made.images).all()
    assert (both.labels == np.concatenate([real.labels, made.labels])).all()


def test_names_numbers_and_what_is_known_already():
    fake = Fake()
    found = evaluate(fake)
    real, made = ["1", "3", "10", "all"], ["10", "30", "all"]
    assert list(found.metrics) == [
        *(f"augmentation/real_{n}" for n in real[2:]),
        *(f"augmentation/mixed_{n}" for n in real),
        *(f"augmentation/pretrained_{n}" for n in real),
        *(f"augmentation/synthetic_{n}" for n in made),
    ]
    legs = fake.legs()
    for name, leg in (("real_all", "trtr"), ("synthetic_all", "tstr")):
        expected = macro_auroc(legs[leg].scores, legs[leg].labels)
        assert found.metrics[f"augmentation/{name}"] == expected
    rows = found.tables["curves"]
    assert [row["auroc"] for row in rows] == list(found.metrics.values())
    amounts = [(r["arm"], r["real_per_label"], r["synthetic_per_label"]) for r in rows]
    assert amounts == [
        ("real", 10, 0),
        ("real", 30, 0),
        *((arm, n, 45) for arm in ("mixed", "pretrained") for n in (1, 3, 10, 30)),
        ("synthetic", 0, 10),
        ("synthetic", 0, 30),
        ("synthetic", 0, 45),
    ]


TRAININGS = []


@dataclasses.dataclass(kw_only=True)
class Told(Centroids):
    """Notes down what it was trained on."""

    def _fit(self, train, validation, rng, log):
        weights = super()._fit(train, validation, rng, log)
        TRAININGS.append(("fit", weights["seen"]))
        return weights

    def _adapt(self, weights, few, rng, log):
        TRAININGS.append(("adapt", np.sort(few.images[:, 0, 0, 0])))
        return super()._adapt(weights, few, rng, log)


def test_each_arm_is_trained_on_what_it_says():
    TRAININGS.clear()
    fake = Fake(classifier=Told(device="cpu"))
    legs = fake.legs()
    given_legs = dataclasses.make_dataclass("Given", [], bases=(Fake,), frozen=True)
    given_legs.legs = lambda self: legs
    fake = given_legs(classifier=fake.classifier)
    fake.fitted("synthetic")
    of_synthetic = TRAININGS[-1][1]
    TRAININGS.clear()
    evaluate(fake, real=[3, 10], synthetic=[10])
    # marks of synthetic images start at 100; the training of fitted("synthetic") is the fake's own
    kinds = [
        (call, int((seen < 100).sum()), int((seen >= 100).sum()))
        for call, seen in TRAININGS
        if call == "adapt" or not np.array_equal(seen, of_synthetic)
    ]
    assert kinds == [
        ("fit", 20, 0),  # real_10
        *(("fit", n, 90) for n in (6, 20, 60)),  # mixed
        *(("adapt", n, 0) for n in (6, 20, 60)),  # pretrained
        ("fit", 0, 20),  # synthetic_10
    ]
    real = [set(seen[seen < 100]) for call, seen in TRAININGS if call == "adapt"]
    mixed = [set(seen[seen < 100]) for call, seen in TRAININGS if len(seen) > 90]
    assert real == mixed  # the same images in each arm
    assert real[0] < real[1] < real[2]


def test_more_numbers_leave_the_others_as_they_are():
    few = evaluate(Fake(), real=[10], synthetic=[30]).metrics
    many = evaluate(Fake(), real=[1, 5, 10, 20], synthetic=[10, 30]).metrics
    assert few.items() <= many.items()
    assert evaluate(Fake(), real=[10], synthetic=[30], seed=1).metrics != few


def test_bad_synthetic_images_help_less_than_good_ones():
    far = dataclasses.replace(blobs(90, 1), labels=blobs(90, 1).labels[:, ::-1])  # wrong labels
    good, bad = (evaluate(Fake(made=made)).metrics for made in (blobs(90, 1, apart=30), far))
    for name in ("mixed_1", "mixed_all", "pretrained_1", "synthetic_all"):
        assert good[f"augmentation/{name}"] > bad[f"augmentation/{name}"] + 0.05
    assert good["augmentation/real_10"] == bad["augmentation/real_10"]


def test_several_labels_are_drawn_of_each():
    fake = Fake(
        train=blobs(80, 0, labels=4), made=blobs(80, 1, labels=4), test=blobs(40, 2, labels=4)
    )
    rows = evaluate(fake, real=[1, 10], synthetic=[10]).tables["curves"]
    assert {row["real_per_label"] for row in rows} == {0, 1, 10, 20}


def test_classifiers_that_do_not_adapt_have_no_such_arm():
    found = evaluate(Fake(classifier=Stubborn(device="cpu")))
    assert {row["arm"] for row in found.tables["curves"]} == {"real", "mixed", "synthetic"}
    assert not any("pretrained" in name for name in found.metrics)


def test_one_label_has_no_curves():
    found = evaluate(Fake(tells_apart=False))
    assert found.metrics == {}
    assert found.tables == {}


def test_the_same_seed_gives_the_same_and_no_state_moves():
    evaluator, before = Augmentation(), np.random.get_state()[1].copy()
    fields = dataclasses.asdict(evaluator)
    first, again = (evaluator.evaluate(Fake(), np.random.default_rng(3)) for _ in range(2))
    assert first == again
    assert dataclasses.asdict(evaluator) == fields
    assert (np.random.get_state()[1] == before).all()


@pytest.mark.parametrize("real", [[0, 3], [10, 3], [3, 3]])
def test_numbers_that_do_not_rise_are_refused(real):
    with pytest.raises(ConfigError, match=r"real must be rising numbers .* from 1 on, got \["):
        Augmentation(real=real)


def test_too_few_synthetic_images_are_refused():
    with pytest.raises(ConfigError, match=r"synthetic must be rising .* from 10 on, got \[9, 30\]"):
        Augmentation(synthetic=[9, 30])


def test_all_real_images_are_shown_however_few():
    found = evaluate(Fake(train=blobs(12, 0)))
    names = [name.removeprefix("augmentation/") for name in found.metrics]
    assert names[:4] == ["real_all", "mixed_1", "mixed_3", "mixed_all"]
