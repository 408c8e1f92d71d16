import numpy as np
import pytest

from experiments.changed_copies import CHANGES, changed
from tests.metrics.test_copies import blobs
from tgap.core import ContractError
from tgap.datasets.digits import Digits
from tgap.metrics.changed_copies import changed_resemblance, larger
from tgap.metrics.copies import Resemblance, resemblance, threshold

TUNING, HELD_OUT = 200, 400
LEAST = {
    "turned by 5 degrees": 0.95,
    "turned by 10 degrees": 0.95,
    "upside down": 1,
    "turned by 90 degrees": 1,
    "inverted": 1,
    "cropped to 85 %": 0.8,
    "cropped to 75 %": 0.8,
    "blurred by 3 % of the side": 0.95,
    "blurred by 5 % of the side": 0.7,
    "a quarter erased": 0.4,
}


def both(images, originals):
    return larger(resemblance(images, originals), changed_resemblance(images, originals))


@pytest.fixture(scope="module")
def digits():
    images = Digits().load().images
    order = np.random.default_rng(0).permutation(len(images))[: TUNING + HELD_OUT]
    tuning, held_out = images[order[:TUNING]], images[order[TUNING:]]
    tuning.flags.writeable = held_out.flags.writeable = False
    return tuning, both(held_out, tuning).similarity


def test_false_alarms_of_both_searches_together(digits):
    _, usual = digits
    limit = threshold(usual[::2], 0.01)
    assert (usual[1::2] > limit).mean() <= 0.03  # 1 % of 200, two standard errors more


def test_changes_that_people_make_are_found_with_their_originals(digits):
    tuning, usual = digits
    limit, few = threshold(usual[::2], 0.01), tuning[:50]
    assert LEAST.keys() == CHANGES.keys()
    made = np.concatenate([few, *(changed(few, change) for change in CHANGES.values())])
    found = both(made, tuning)
    right = (found.similarity > limit) & (found.original == np.tile(np.arange(50), len(LEAST) + 1))
    shares = dict(zip(["verbatim", *LEAST], right.reshape(-1, 50).mean(axis=1), strict=True))
    assert shares.pop("verbatim") == 1
    assert {name: share for name, share in shares.items() if share < LEAST[name]} == {}


def test_the_same_images_are_alike_to_the_bit(digits):
    tuning, _ = digits
    one, other = (changed_resemblance(tuning[:20, ::-1], tuning) for _ in range(2))
    assert all((a == b).all() for a, b in zip(one, other, strict=True))


def test_without_mirror_images_only_turned_ones_count():
    pictures = blobs(40)
    turned = np.rot90(pictures[:10], 2, (1, 2))
    found = changed_resemblance(turned, pictures, mirror=False)
    assert found.similarity.min() > 0.95
    assert not found.mirrored.any()
    assert changed_resemblance(pictures[:10, ::-1], pictures, mirror=False).similarity.max() < 0.8
    assert changed_resemblance(pictures[:10, ::-1], pictures).mirrored.all()


def test_few_and_blank_images():
    blank = np.zeros((2, 8, 8, 1), np.uint8)
    assert np.isfinite(changed_resemblance(blank, blobs(3)).similarity).all()
    assert np.isfinite(changed_resemblance(blobs(3), blank[:1]).similarity).all()
    assert changed_resemblance(blobs(1), blobs(1)).similarity[0] == pytest.approx(1, abs=1e-3)
    assert len(changed_resemblance(blobs(0), blobs(3)).similarity) == 0
    with pytest.raises(ContractError, match="originals must be at least one image, got none"):
        changed_resemblance(blobs(1), blobs(0))


def test_the_larger_resemblance():
    def one(similarity, original):
        return Resemblance(np.float32(similarity), np.array(original), np.array([True, False]))

    found = larger(one([0.5, 0.9], [1, 2]), one([0.6, 0.8], [3, 4]))
    assert found.original.tolist() == [3, 2]
    assert found.similarity == pytest.approx([0.6, 0.9])
