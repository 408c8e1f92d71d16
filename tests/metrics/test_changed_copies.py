import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from experiments.changed_copies import CHANGES, changed
from tests.metrics.test_copies import blobs
from tgap.core import ContractError
from tgap.datasets.digits import Digits
from tgap.metrics import changed_copies as search
from tgap.metrics.changed_copies import Originals, larger
from tgap.metrics.copies import Resemblance, resemblance, threshold
from tgap.metrics.overlaying import laid_over, reduced

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
    return larger(resemblance(images, originals), Originals(originals).resemblance(images))


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
    one, other = (Originals(tuning).resemblance(tuning[:20, ::-1]) for _ in range(2))
    assert all((a == b).all() for a, b in zip(one, other, strict=True))


def one_by_one(images, originals, poses, symmetries):
    """Nearest originals and their changes, by every change of every pair in turn."""
    posed = [search._coarse(search._even(search._posed(originals, pose))) for pose in poses]
    moments = sum((one.T @ one).double() for one in posed) / (len(posed) * len(originals))
    variances, axes = torch.linalg.eigh(moments)
    whiten = (axes / (variances.clamp(min=0) + 0.05 * variances.mean()).sqrt()).float()
    whiten = whiten[:, -search.DIMENSIONS :]
    nearness, change = np.full((2, len(images), len(originals)), -1.0)
    for row, image in enumerate(images):
        for symmetry in range(symmetries):
            turned = search._symmetric(image[None], symmetry)
            vector = normalize(search._coarse(search._even(turned)) @ whiten)[0]
            for number, pose in enumerate(posed):
                for column, cosine in enumerate((normalize(pose @ whiten) @ vector).tolist()):
                    if abs(cosine) > nearness[row, column]:
                        nearness[row, column] = abs(cosine)
                        code = 2 * (symmetry * len(poses) + number) + (cosine < 0)
                        change[row, column] = code
    return nearness, change


@pytest.mark.parametrize("symmetries", [4, 8])
def test_the_nearest_poses_are_those_of_every_pair_in_turn(digits, monkeypatch, symmetries):
    monkeypatch.setattr(search, "_QUERIES", 5)
    monkeypatch.setattr(search, "_PICTURES", 9)
    images, originals = (
        torch.from_numpy(reduced(digits[0][part])) for part in (np.s_[:8], np.s_[6:40])
    )
    poses = search._poses()[::5]
    monkeypatch.setattr(search, "_poses", lambda: poses)
    found = Originals(digits[0][6:40], mirror=symmetries == 8)._nearest_poses(images)
    nearness, change = one_by_one(images, originals, poses, symmetries)
    for row in range(len(images)):
        nearest = found.original[row].tolist()
        assert set(nearest) == set(np.argsort(-nearness[row])[:8].tolist())
        assert found.change[row].tolist() == change[row, nearest].tolist()


def test_pairs_laid_over_together_are_those_laid_over_alone(digits):
    images = reduced(digits[0])
    alone = [
        laid_over(images[n : n + 1], images[n + 1 : n + 2], changed=True)[0] for n in range(70)
    ]
    together = laid_over(images[:70], images[1:71], changed=True)
    assert together == pytest.approx(np.array(alone), abs=1e-4)


def test_without_mirror_images_only_turned_ones_count():
    pictures = blobs(40)
    turned = np.rot90(pictures[:10], 2, (1, 2))
    found = Originals(pictures, mirror=False).resemblance(turned)
    assert found.similarity.min() > 0.95
    assert not found.mirrored.any()
    assert Originals(pictures, mirror=False).resemblance(pictures[:10, ::-1]).similarity.max() < 0.8
    assert Originals(pictures).resemblance(pictures[:10, ::-1]).mirrored.all()


def test_few_and_blank_images():
    blank = np.zeros((2, 8, 8, 1), np.uint8)
    assert np.isfinite(Originals(blobs(3)).resemblance(blank).similarity).all()
    assert np.isfinite(Originals(blank[:1]).resemblance(blobs(3)).similarity).all()
    assert Originals(blobs(1)).resemblance(blobs(1)).similarity[0] == pytest.approx(1, abs=1e-3)
    assert len(Originals(blobs(3)).resemblance(blobs(0)).similarity) == 0
    with pytest.raises(ContractError, match="originals must be at least one image, got none"):
        Originals(blobs(0)).resemblance(blobs(1))


def test_the_larger_resemblance():
    def one(similarity, original):
        return Resemblance(np.float32(similarity), np.array(original), np.array([True, False]))

    found = larger(one([0.5, 0.9], [1, 2]), one([0.6, 0.8], [3, 4]))
    assert found.original.tolist() == [3, 2]
    assert found.similarity == pytest.approx([0.6, 0.9])
