"""The truth of each control, on real digits and on small sets made to be awkward."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest

from tgap.core import ConfigError, ContractError, DataError, Images, ImageSet
from tgap.core.seeding import noise_seeds
from tgap.core.settings import Splitting
from tgap.datasets.digits import Digits
from tgap.generators.controls.base import Control, Drawn, Examples
from tgap.generators.controls.jitter import jittered
from tgap.generators.copy_tuning_set import CopyTuningSet
from tgap.generators.copy_with_jitter import CopyWithJitter
from tgap.generators.held_out_real import HeldOutReal
from tgap.generators.interpolate import Interpolate
from tgap.generators.noise import Noise
from tgap.generators.one_image_per_label import OneImagePerLabel
from tgap.generators.wrong_labels import WrongLabels
from tgap.protocols.clean import Clean

SIZE = 200
PER_LABEL = 300


@pytest.fixture(scope="module")
def digits() -> Examples:
    data = Digits().load()
    pool = data.take(Clean().split(data, Splitting()).pool)
    order = np.random.default_rng(0).permutation(len(pool))
    tuning = np.concatenate([order[pool.labels[order, label]][:SIZE] for label in (0, 1)])
    rest = np.setdiff1d(np.arange(len(pool)), tuning)
    examples = Examples(pool.take(tuning), pool.take(rest), PER_LABEL)
    for part in (examples.tuning, examples.held_out):
        part.images.setflags(write=False)
    return examples


def numbered(labels: Sequence[Sequence[int]], patients: Sequence[int], first: int) -> ImageSet:
    """2 x 2 grey images that can be told apart: each holds its own number."""
    n, n_labels = len(labels), len(labels[0])
    return ImageSet(
        images=np.broadcast_to(
            np.arange(first, first + n, dtype=np.uint8)[:, None, None, None], (n, 2, 2, 1)
        ),
        labels=np.array(labels, dtype=bool),
        label_names=("a", "b", "c")[:n_labels],
        findings=np.zeros((n, 0), dtype=bool),
        finding_names=(),
        patients=np.array(patients, dtype=np.int64),
    )


def drawn_with_labels(control: Control, examples: Examples, seed: int = 1) -> Drawn:
    """``per_label`` images of each label, one label after another."""
    labels = range(len(examples.tuning.label_names))
    seeds = [noise_seeds(seed, label, examples.per_label) for label in labels]
    return control.draw(examples, seeds, np.random.default_rng(seed))


def drawn(control: Control, examples: Examples, seed: int = 1) -> list[Images]:
    """``per_label`` images of each label."""
    images = drawn_with_labels(control, examples, seed).images
    return np.split(images, len(examples.tuning.label_names))


def contents(images: Images) -> list[bytes]:
    return [image.tobytes() for image in images]


def labels_by_content(data: ImageSet) -> dict[bytes, int]:
    return dict(zip(contents(data.images), data.labels.argmax(axis=1).tolist(), strict=True))


# held_out_real


def test_held_out_real_shows_different_held_out_images_of_the_label(digits):
    known = labels_by_content(digits.held_out)
    for label, images in enumerate(drawn(HeldOutReal(), digits)):
        assert len(set(contents(images))) == PER_LABEL
        assert {known[content] for content in contents(images)} == {label}


def test_held_out_real_shows_other_images_with_another_seed(digits):
    first, other = (drawn(HeldOutReal(), digits, seed)[0] for seed in (1, 2))
    shared = len(set(contents(first)) & set(contents(other)))
    assert shared < 0.5 * PER_LABEL  # 300 of about 1,300: a quarter by chance


def shown_patients(labels, patients, per_label, train):
    held_out = numbered(labels, patients, first=50)
    tuning = numbered(np.eye(len(labels[0]), dtype=int), [-1, -2, -3][: len(labels[0])], first=0)
    examples = Examples(tuning, held_out, per_label, train)
    return [
        patients[images[:, 0, 0, 0].astype(int) - 50] for images in drawn(HeldOutReal(), examples)
    ]


def test_no_patient_of_held_out_real_trains_and_tests():
    patients = np.random.default_rng(0).integers(10, 60, size=200)
    sides = shown_patients(np.eye(2, dtype=int)[np.arange(200) % 2], patients, 45, 30)
    train, test = (
        np.concatenate([one[part] for one in sides]) for part in (np.s_[:30], np.s_[30:])
    )
    assert not set(train) & set(test)
    assert len(set(train)) > 20, "of many patients, not of those that come first"


def test_a_rare_label_of_held_out_real_has_its_own_border():
    """Nine images of three patients, three each, and 150 of others."""
    labels = np.array([[0, 1]] * 9 + [[1, 0]] * 150)
    patients = np.concatenate([np.arange(9) // 3, 10 + np.arange(150)])
    common, rare = shown_patients(labels, patients, 9, 6)
    assert len(set(rare[:6])) == 2
    assert len(set(rare[6:])) == 1
    assert not set(rare[:6]) & set(rare[6:])
    assert len(set(common)) == 9


def test_a_patient_of_held_out_real_is_divided_where_there_is_one_only():
    patients = np.concatenate([np.zeros(9, int), 10 + np.arange(90)])
    _, rare = shown_patients(np.array([[0, 1]] * 9 + [[1, 0]] * 90), patients, 9, 6)
    assert len(rare) == 9


def test_how_many_train_is_checked(digits):
    with pytest.raises(ContractError, match=r"between 0 and per_label \(300\), got 301"):
        dataclasses.replace(digits, train_per_label=301)


def test_held_out_real_says_that_there_are_too_few(digits):
    wanted = dataclasses.replace(digits, per_label=5000)
    with pytest.raises(
        DataError,
        match=r"'held_out_real' needs 5000 held-out images of label 'even' "
        r"\(budget.train_per_label \+ budget.test_per_label\), but the pool has \d+ .*lower",
    ):
        drawn(HeldOutReal(), wanted)


# copies


def test_copy_tuning_set_goes_through_the_labels_images_again_and_again(digits):
    known = labels_by_content(digits.tuning)
    for label, images in enumerate(drawn(CopyTuningSet(), digits)):
        shown = contents(images)
        assert {known[content] for content in shown} == {label}
        assert len(set(shown[:SIZE])) == SIZE
        assert len(set(shown[SIZE:])) == PER_LABEL - SIZE
        own = digits.tuning.images[digits.tuning.labels[:, label]]
        assert shown[:SIZE] != contents(own), "in random order"


def test_copy_tuning_set_shows_an_image_twice_that_was_picked_twice():
    tuning = numbered([[1, 0]] * 2 + [[0, 1]], [1, 2, 3], first=0)
    tuning = tuning.take(np.array([0, 0, 1, 2]))
    held_out = numbered([[1, 0]], [4], first=9)
    shown, _ = drawn(CopyTuningSet(), Examples(tuning, held_out, 9))
    assert np.bincount(shown[:, 0, 0, 0]).tolist() == [6, 3]


def test_an_image_with_two_labels_is_an_image_of_both():
    tuning = numbered([[1, 1]], [1], first=7)
    examples = Examples(tuning, numbered([[1, 0]], [4], first=9), 2)
    for control in (CopyTuningSet(), OneImagePerLabel()):
        assert [set(images.ravel()) for images in drawn(control, examples)] == [{7}, {7}]


def test_copy_with_jitter_is_copy_tuning_set_jittered_by_the_noise_seeds(digits):
    copies = drawn(CopyTuningSet(), digits)
    for label, changed in enumerate(drawn(CopyWithJitter(strength=0.4), digits)):
        kinds = ("shift", "zoom", "contrast")
        seeds = noise_seeds(1, label, PER_LABEL)
        assert (changed == jittered(copies[label], 0.4, seeds, kinds)).all()
        assert (changed != copies[label]).any(axis=(1, 2, 3)).all()


def test_copy_with_jitter_of_strength_0_is_copy_tuning_set_and_flips_only_if_asked(digits):
    verbatim, still, mirrored = (
        np.concatenate(drawn(control, digits))
        for control in (
            CopyTuningSet(),
            CopyWithJitter(strength=0.0),
            CopyWithJitter(strength=0.0, flip=True),
        )
    )
    assert (still == verbatim).all()
    flipped = (mirrored == verbatim[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (flipped | (mirrored == verbatim).all(axis=(1, 2, 3))).all()
    assert 0.4 < flipped.mean() < 0.6


def test_copy_with_jitter_goes_through_the_autoencoder(digits):
    few = dataclasses.replace(digits, per_label=20)
    verbatim = drawn(CopyTuningSet(), few)[0].astype(float)
    decoded = drawn(CopyWithJitter(strength=0.0, autoencoder=True), few)[0].astype(float)
    error = np.abs(decoded - verbatim).mean()
    assert 0.1 < error < 20
    assert np.corrcoef(decoded.ravel(), verbatim.ravel())[0, 1] > 0.95


def test_the_autoencoder_takes_colour_channel_by_channel_and_other_square_sizes(digits):
    def larger(data: ImageSet) -> ImageSet:
        padded = np.pad(data.images, ((0, 0), (4, 4), (4, 4), (0, 0)))
        rgb = np.concatenate([padded, padded[:, ::-1], padded // 2], axis=3)
        return dataclasses.replace(data, images=rgb)

    some = dataclasses.replace(digits, per_label=4)
    colour = dataclasses.replace(some, tuning=larger(some.tuning), held_out=larger(some.held_out))
    verbatim = drawn(CopyTuningSet(), colour)[0]
    decoded = drawn(CopyWithJitter(strength=0.0, autoencoder=True), colour)[0]
    assert decoded.shape == (4, 40, 40, 3)
    for channel in range(3):
        pair = decoded[..., channel].ravel(), verbatim[..., channel].ravel()
        assert np.corrcoef(*pair)[0, 1] > 0.9


@pytest.mark.parametrize(("height", "width"), [(30, 30), (32, 36)])
def test_sizes_that_the_autoencoder_cannot_take_are_refused(digits, height, width):
    def cut(data: ImageSet) -> ImageSet:
        images = np.pad(data.images, ((0, 0), (0, 0), (0, 4), (0, 0)))[:, :height, :width]
        return dataclasses.replace(data, images=images)

    odd = dataclasses.replace(digits, tuning=cut(digits.tuning), held_out=cut(digits.held_out))
    with pytest.raises(DataError, match=f"square images .* of 4 pixels, got {height} x {width};"):
        drawn(CopyWithJitter(autoencoder=True), odd)


def test_the_autoencoders_files_count_only_if_it_is_wanted():
    assert CopyWithJitter().digest() == ""
    assert len(CopyWithJitter(autoencoder=True).digest()) == 64
    assert CopyWithJitter(autoencoder=True).check() == []


# one_image_per_label


def test_one_image_per_label_shows_one_tuning_image_of_each_label(digits):
    known = labels_by_content(digits.tuning)
    for label, images in enumerate(drawn(OneImagePerLabel(), digits)):
        (only,) = set(contents(images))
        assert known[only] == label
    other = drawn(OneImagePerLabel(), digits, seed=2)
    assert (other[0][0] != drawn(OneImagePerLabel(), digits)[0][0]).any()


# labels that occur together


def overlapping() -> Examples:
    """Three labels; of the images with a, half have b too, and a third have c."""
    numbers = np.arange(120)
    labels = np.stack([numbers < 60, numbers % 2 == 0, numbers % 3 == 0], axis=1).astype(int)
    labels = labels[labels.any(axis=1)]
    tuning = numbered(labels[::4], range(0, len(labels), 4), first=0)
    return Examples(tuning, numbered(labels, range(500, 500 + len(labels)), first=100), 15)


@pytest.mark.parametrize(
    "control", [HeldOutReal(), CopyTuningSet(), OneImagePerLabel(), Interpolate()]
)
def test_images_have_all_labels_of_the_real_ones_that_they_are(control):
    examples = overlapping()
    made = drawn_with_labels(control, examples)
    for label, has in enumerate(np.split(made.labels, 3)):
        assert has[:, label].all()
    source = examples.held_out if control == HeldOutReal() else examples.tuning
    known = {c: row.tolist() for c, row in zip(contents(source.images), source.labels, strict=True)}
    if control != Interpolate():
        shown = [known[content] for content in contents(made.images)]
        assert made.labels.tolist() == shown
    assert (made.labels.sum(axis=1) > 1).any()


def test_a_blend_has_the_labels_of_its_heavier_image():
    tuning = numbered([[1, 1], [1, 0], [0, 1]], [1, 2, 3], first=0)
    grey = np.array([0, 200, 1], np.uint8)[:, None, None, None]
    tuning = dataclasses.replace(tuning, images=np.tile(grey, (1, 2, 2, 1)))
    made = drawn_with_labels(Interpolate(), Examples(tuning, numbered([[1, 1]], [9], first=0), 50))
    of_a, heavy_b = made.images[:50, 0, 0, 0], made.labels[:50, 1]
    assert (heavy_b == (of_a <= 100)).all()
    assert 10 < heavy_b.sum() < 40


def test_held_out_real_deals_an_image_for_one_label_while_others_are_left():
    shown = contents(drawn_with_labels(HeldOutReal(), overlapping()).images)
    assert len(set(shown)) == len(shown) == 45


def test_wrong_labels_have_all_labels_of_the_images_they_stand_for():
    right, wrong = (
        drawn_with_labels(control, overlapping()) for control in (HeldOutReal(), WrongLabels())
    )
    assert (right.labels == wrong.labels).all()
    assert (right.images != wrong.images).any(axis=(1, 2, 3)).sum() == 3 * round(0.3 * 15)


def test_noise_has_the_labels_that_it_is_asked_for():
    assert drawn_with_labels(Noise(), overlapping()).labels is None


# wrong_labels


@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_wrong_labels_are_exactly_the_share_asked_for_and_spread_out(digits, rate):
    known = labels_by_content(digits.held_out)
    sides = drawn(WrongLabels(rate=rate), digits)
    for label, images in enumerate(sides):
        wrong = np.array([known[content] != label for content in contents(images)])
        assert wrong.sum() == round(rate * PER_LABEL)
        for third in np.split(wrong, 3):
            assert abs(third.mean() - rate) < 0.15  # three standard errors of a hundred
    everything = contents(np.concatenate(sides))
    assert len(set(everything)) == len(everything), "no image comes twice"
    right = drawn(HeldOutReal(), digits)
    assert set(everything) == set(contents(np.concatenate(right)))


def test_wrong_labels_of_three_that_exclude_each_other():
    held_out = numbered(np.eye(3, dtype=int)[np.arange(60) % 3], range(10, 70), first=100)
    tuning = numbered(np.eye(3, dtype=int), [1, 2, 3], first=0)
    for label, images in enumerate(drawn(WrongLabels(rate=0.25), Examples(tuning, held_out, 20))):
        shown = (images[:, 0, 0, 0].astype(int) - 100) % 3
        assert (shown != label).sum() == 5


def test_an_image_that_carries_the_label_too_is_not_taken_for_a_wrong_one():
    labels = [[1, 0]] * 10 + [[0, 1]] * 5 + [[1, 1]] * 5
    held_out = numbered(labels, range(10, 30), first=100)
    tuning = numbered([[1, 0], [0, 1]], [1, 2], first=0)
    for seed in range(20):
        sides = drawn(WrongLabels(rate=0.4), Examples(tuning, held_out, 10), seed)
        for label, images in enumerate(sides):
            carried = held_out.labels[images[:, 0, 0, 0].astype(int) - 100, label]
            assert (~carried).sum() == 4
    with pytest.raises(
        DataError,
        match=r"to show 9 images of '(a' as 'b|b' as 'a)', but of 10 only \d are not '[ab]' too; l",
    ):
        drawn(WrongLabels(rate=0.9), Examples(tuning, held_out, 10))


def test_one_label_cannot_be_mistaken():
    held_out = numbered([[1]] * 9, range(10, 19), first=100)
    examples = Examples(numbered([[1]], [1], first=0), held_out, 9)
    with pytest.raises(DataError, match=r"only 0 are not 'a' too; .* dataset with another label"):
        drawn(WrongLabels(), examples)
    assert len(drawn(WrongLabels(rate=0.0), examples)[0]) == 9


# noise


def test_noise_is_uniform_over_all_grey_levels_and_follows_from_the_seed(digits):
    even, odd = drawn(Noise(), digits)
    counts = np.bincount(even.ravel(), minlength=256)
    expected = even.size / 256
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert chi_square < 255 + 6 * np.sqrt(2 * 255)
    assert abs(even.mean() - odd.mean()) < 1
    images = Noise().draw(digits, [[3, 4], [4]], np.random.default_rng(5)).images
    assert (images[1] == images[2]).all()


# interpolate


def test_blends_are_the_weighted_mean_of_two_tuning_images_of_the_label():
    tuning = numbered([[1, 0]] * 3 + [[0, 1]] * 2, range(5), first=0)
    rows = np.zeros((5, 5, 5, 1), np.uint8)
    rows[range(5), range(5)] = 200  # image i is white in row i, so a blend tells its parts
    tuning = dataclasses.replace(tuning, images=rows)
    held_out = numbered([[1, 0]], [9], first=0)
    held_out = dataclasses.replace(held_out, images=rows[:1])
    for label, images in enumerate(drawn(Interpolate(), Examples(tuning, held_out, 200))):
        shares = images[:, :, 0, 0] / 200
        own = np.flatnonzero(tuning.labels[:, label])
        assert (shares[:, np.setdiff1d(range(5), own)] == 0).all()
        assert ((shares > 0).sum(axis=1) == 2).all()
        np.testing.assert_allclose(shares.sum(axis=1), 1, atol=0.01)
        weights = shares[shares > 0]
        assert 0.295 <= weights.min() < 0.32
        assert 0.68 < weights.max() <= 0.705
        pairs = {tuple(np.flatnonzero(image)) for image in shares}
        assert len(pairs) == len(own) * (len(own) - 1) / 2, "all pairs come"


def test_blends_are_of_two_different_images_however_often_one_was_picked():
    tuning = numbered([[1, 0], [1, 0], [0, 1]], [1, 2, 3], first=100)
    tuning = tuning.take(np.array([0] * 30 + [1, 2]))
    held_out = numbered([[1, 0]], [9], first=0)
    both = dataclasses.replace(tuning, labels=np.ones_like(tuning.labels))
    only_a = dataclasses.replace(both, images=np.minimum(both.images, 101))
    images = drawn(Interpolate(), Examples(only_a, held_out, 50))[0]
    assert set(images.ravel()) <= {100, 101}
    with pytest.raises(
        DataError, match=r"'interpolate' needs two different tuning images of label 'b', got 1; ra"
    ):
        drawn(Interpolate(), Examples(tuning, held_out, 5))


def test_blends_of_digits_are_none_of_the_tuning_images(digits):
    verbatim = set(contents(digits.tuning.images))
    for images in drawn(Interpolate(), digits):
        assert not verbatim & set(contents(images))
        assert len(set(contents(images))) == PER_LABEL


def test_fields_out_of_range_are_refused():
    with pytest.raises(ConfigError, match=r"rate must be at most 1, got 1\.5"):
        WrongLabels(rate=1.5)
    with pytest.raises(ConfigError, match=r"strength must be at least 0, got -0\.1"):
        CopyWithJitter(strength=-0.1)
