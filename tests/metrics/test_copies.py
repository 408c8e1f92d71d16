import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, norm

from tgap.core import ContractError
from tgap.datasets.digits import Digits
from tgap.generators.controls.jitter import jittered
from tgap.generators.stable_diffusion import StableDiffusion
from tgap.metrics.copies import distinct, resemblance, resemblance_among, threshold

LIGHT = 0.3
TUNING, HELD_OUT = 300, 800


@pytest.fixture(scope="module")
def digits():
    """Tuning and held-out images, and the threshold of half of the latter; all write-locked."""
    images = Digits().load().images
    order = np.random.default_rng(0).permutation(len(images))[: TUNING + HELD_OUT]
    tuning, held_out = images[order[:TUNING]], images[order[TUNING:]]
    tuning.flags.writeable = held_out.flags.writeable = False
    usual = resemblance(held_out, tuning).similarity
    return tuning, held_out, usual, threshold(usual[::2], 0.01)


def blobs(n, seed=0, side=32):
    """Smooth random pictures, no two alike."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (n, 8, 8))
    return np.kron(coarse, np.ones((side // 8, side // 8))).astype(np.uint8)[..., None]


def test_every_verbatim_copy_is_found_with_its_original(digits):
    tuning, _, _, limit = digits
    found = resemblance(tuning[::-1], tuning)
    assert found.similarity.dtype == np.float32
    assert found.original.tolist() == list(range(TUNING))[::-1]
    assert found.similarity == pytest.approx(1, abs=2e-3)
    assert (found.similarity > limit).all()


def test_false_alarms_on_the_other_half_are_few(digits):
    _, _, usual, limit = digits
    assert (usual[1::2] > limit).mean() <= 0.02  # 1 % of 400, two standard errors more
    assert (usual[::2] > limit).mean() <= 0.01


def test_light_jitter_is_found(digits):
    tuning, _, _, limit = digits
    kinds = ("shift", "zoom", "contrast", "noise", "flip")
    found = resemblance(jittered(tuning, LIGHT, np.arange(TUNING), kinds), tuning)
    assert (found.similarity > limit).mean() >= 0.95
    assert (found.original == np.arange(TUNING)).mean() >= 0.95


def test_an_autoencoders_round_trip_is_found(digits):
    tuning, _, _, limit = digits
    copies = jittered(tuning[:80], LIGHT, np.arange(80))
    model = StableDiffusion(packaged="tiny_ldm").load()
    for images in (tuning[:80], copies):
        decoded = model.decode(model.moments(images)[:, 0])
        assert (resemblance(decoded, tuning).similarity > limit).mean() >= 0.85


def test_mirror_images_count_only_if_wanted(digits):
    tuning, _, _, limit = digits
    mirrored = tuning[:50, :, ::-1]
    assert (resemblance(mirrored, tuning).similarity > limit).all()
    found = resemblance(mirrored, tuning)
    symmetric = (mirrored == tuning[:50]).all(axis=(1, 2, 3))
    assert found.mirrored[~symmetric].all()
    without = resemblance(mirrored, tuning, mirror=False)
    assert not without.mirrored.any()
    assert (without.similarity > limit).mean() < 0.2


def test_contrast_and_brightness_do_not_matter():
    originals = blobs(20)
    fainter = (originals / 3 + 100).astype(np.uint8)
    found = resemblance(fainter, originals)
    assert found.original.tolist() == list(range(20))
    assert found.similarity.min() > 0.98


def test_a_negative_is_no_copy():
    """Arithmetic in uint8 would wrap: 0 - 255 would be 1, and black would lie next to white."""
    originals = blobs(20)
    assert resemblance(255 - originals, originals, mirror=False).similarity.max() < 0.6
    one_grey_level = np.where(originals > 127, 200, 199).astype(np.uint8)
    inverted = np.where(originals > 127, 199, 200).astype(np.uint8)
    assert resemblance(inverted, one_grey_level[:1], mirror=False).similarity[0] < 0.1


def test_another_size_and_channels_of_the_same_picture():
    originals = blobs(30)
    larger = np.kron(originals[..., 0], np.ones((3, 3), np.uint8))[..., None]
    coloured = np.repeat(larger, 3, axis=3)
    found = resemblance(coloured, originals)
    assert found.original.tolist() == list(range(30))
    assert found.similarity.min() > 0.97
    assert resemblance(larger, larger).similarity == pytest.approx(1, abs=2e-3)


def test_unlike_pictures_are_far_below_copies():
    assert resemblance(blobs(100, seed=1), blobs(100, seed=2)).similarity.max() < 0.6


@pytest.mark.parametrize("level", [0, 128, 255])
def test_constant_images_resemble_nothing(level):
    constant = np.full((3, 32, 32, 1), level, np.uint8)
    pictures = blobs(12)
    assert (resemblance(constant, pictures).similarity == 0).all()
    assert (resemblance(constant, constant[:1]).similarity == 0).all()
    assert (resemblance(pictures, constant[:1]).similarity <= 0).all()
    among = resemblance(pictures, np.concatenate([constant[:1], pictures]))
    assert among.original.tolist() == list(range(1, 13))


def test_a_single_original_is_found():
    originals = blobs(9)
    found = resemblance(originals, originals[4:5])
    assert found.original.tolist() == [0] * 9
    assert found.similarity.argmax() == 4
    assert found.similarity[4] == pytest.approx(1, abs=1e-4)


def test_a_few_originals_that_are_nearly_equal_do_not_hide_a_copy(digits):
    """One person's images; the median of the other candidates overlooks three of them."""
    tuning, _, _, limit = digits
    alike = [jittered(tuning[:40], 0.1, np.arange(40) + 1000 * k) for k in range(3)]
    together = np.concatenate([tuning, *alike])
    copies = jittered(tuning[:40], LIGHT, np.arange(40))
    assert (resemblance(copies, together).similarity > limit).mean() >= 0.9


def test_images_are_looked_at_one_by_one(digits):
    tuning, held_out, usual, _ = digits
    few = resemblance(held_out[300:310], tuning)
    assert few.similarity == pytest.approx(usual[300:310], abs=1e-4)


def test_each_image_is_compared_with_those_of_other_groups_alone():
    pictures = blobs(25)
    pictures[20:] = np.roll(pictures[:5], 1, axis=2)
    found = resemblance_among(pictures, np.arange(25))
    assert found.original[[0, 1, 2, 3, 4, 20, 21, 22, 23, 24]].tolist() == [
        *range(20, 25),
        *range(5),
    ]
    partners = np.r_[:5, 20:25]
    assert found.similarity[partners].min() > 0.9 > 0.6 > found.similarity[5:20].max()
    assert resemblance_among(pictures, np.arange(25) % 20).similarity.max() < 0.6


def test_no_images_resemble_nothing():
    found = resemblance(blobs(0), blobs(3))
    assert [len(part) for part in found] == [0, 0, 0]


def test_what_is_no_image_is_refused():
    with pytest.raises(ContractError, match="originals must be at least one image, got none"):
        resemblance(blobs(1), blobs(0))
    with pytest.raises(ContractError, match=r"images must be \(N, H, W, C\) uint8, got .* float64"):
        resemblance(blobs(1) / 255, blobs(1))
    with pytest.raises(ContractError, match=r"originals must be .* got \(1, 32, 32\) uint8"):
        resemblance(blobs(1), blobs(1)[..., 0])


def test_distinct_contents_in_order():
    images = blobs(5)[[3, 1, 3, 0, 1]]
    assert distinct(images).tolist() == [0, 1, 3]
    assert distinct(images[:0]).tolist() == []


@pytest.mark.parametrize("n", [99, 150, 240, 500, 999, 3000])
def test_threshold_keeps_its_promise_for_further_images(n):
    """On average, and from 230 images on in nine draws of ten; no stricter than that takes."""
    values = np.random.default_rng(n).uniform(size=(300, n)).astype(np.float32)
    rates = np.array([1 - threshold(row, 0.01) for row in values])  # of uniform values, exactly
    assert rates.mean() < 0.01 + 4 * rates.std() / np.sqrt(len(rates))
    if n < 230:
        assert [threshold(row, 0.01) for row in values] == values.max(axis=1).tolist()
        return
    assert (rates > 0.01).mean() < 0.1 + 4 * 0.018
    # The limit that is one rank looser is too loose: by the binomial of how many lie above.
    rank = int((values[0] >= threshold(values[0], 0.01)).sum())
    assert binom.cdf(rank - 1, n, 0.01) <= 0.1 < binom.cdf(rank, n, 0.01)


ONE_OF_MANY = [1] * 600 + [400]
FEW_OF_MANY = [1] * 900 + [100] * 5


@pytest.mark.parametrize("images", [[3] * 300, [5] * 400, ONE_OF_MANY, FEW_OF_MANY])
@pytest.mark.parametrize("alike", [0.5, 0.9, 1.0])
def test_threshold_keeps_its_promise_for_images_of_patients(images, alike):
    """Images of a patient are as much alike as that; the rate of a normal variable is known."""
    rng, whose = np.random.default_rng(len(images)), np.arange(len(images)).repeat(images)
    limits = []
    for _ in range(300):
        usual = np.sqrt(alike) * rng.normal(size=len(images))[whose]
        usual += np.sqrt(1 - alike) * rng.normal(size=len(whose))
        limits.append([threshold(usual, 0.01, known) for known in (whose, None)])
    known, unknown = (norm.sf(limits) > 0.01).mean(axis=0)
    assert known < 0.1 + 4 * 0.018
    if alike == 1:
        assert unknown > 0.15, "as if each image were another patient's"


@given(
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 40)), min_size=99, max_size=200),
    st.randoms(use_true_random=False),
)
def test_a_threshold_knows_no_order_and_never_falls(pairs, random):
    """Many are equal, so that ties lie at the threshold too."""
    found = threshold(*_columns(pairs))
    random.shuffle(pairs)
    assert threshold(*_columns(pairs)) == found
    pairs[0] = (pairs[0][0] + 1, pairs[0][1])
    assert threshold(*_columns(pairs)) >= found


def _columns(pairs):
    similarity, patients = np.array(pairs).T
    return similarity.astype(np.float32), 0.05, patients


def test_threshold_needs_enough_images():
    assert np.isnan(threshold(np.zeros(98, np.float32), 0.01))
    assert threshold(np.arange(99, dtype=np.float32), 0.01) == 98
    assert np.isnan(threshold(np.zeros(0, np.float32), 0.01))


def test_real_images_that_are_equal_raise_the_threshold():
    usual = np.concatenate([np.linspace(0, 0.8, 980), np.ones(20)]).astype(np.float32)
    limit = threshold(usual, 0.01)
    assert limit == 1
    assert not (usual > limit).any()
