"""Where a classifier looks, where that is known."""

import math

import numpy as np
import pytest

from tests.contracts.evidence import Made, labelled
from tgap.classifiers.logistic_regression import LogisticRegression
from tgap.evaluators.occlusion import Occlusion, overlap, patches
from tgap.evaluators.parts.pairs import GAP, TILE

NAMES = ("well", "ill")


def images(seed, marked=False, count=600):
    """Ill ones are bright in the middle of 14 x 14 pixels; a mark is in the upper left corner."""
    rng = np.random.default_rng(seed)
    ill = np.arange(count) % 2 == 1
    pixels = rng.integers(0, 90, (count, 14, 14, 1))
    pixels[ill, 6:8, 6:8] += 40
    if marked:
        pixels[ill, :2, :2] = 250
    return labelled(pixels.astype(np.uint8), np.stack([~ill, ill], axis=1), NAMES)


def evaluated(marked, **fields):
    evidence = Made(
        train=images(1),
        test=images(2),
        parts=(images(3, marked), images(4, marked)),
        classifier=LogisticRegression(device="cpu", c_grid=[0.001]),
        **fields,
    )
    return Occlusion().evaluate(evidence, np.random.default_rng(0))


def test_a_mark_that_real_images_lack_draws_the_look_away():
    honest, marked = (evaluated(marked).metrics for marked in (False, True))
    assert honest["occlusion/overlap"] > 0.8 * honest["occlusion/overlap_floor"]
    assert marked["occlusion/overlap"] < 0.75 * marked["occlusion/overlap_floor"]


def test_the_picture_is_reddest_where_the_mark_is():
    picture = evaluated(True).pictures["occlusion"].astype(int)
    red = picture[..., 0] - picture[..., 1]
    gap, side = 3 * GAP, 3 * TILE
    synthetic = red[gap : gap + side, gap : gap + side]
    rows, columns = np.nonzero(synthetic == synthetic.max())
    assert rows.max() < side / 6
    assert columns.max() < side / 6


def test_patches_cover_each_pixel_once():
    for size in ((14, 14), (5, 9), (3, 40)):
        seen = np.zeros(size, int)
        for place in patches(size, 7):
            seen[place] += 1
        assert (seen == 1).all()


def test_overlap_is_of_shares():
    one = np.array([[3.0, 1.0], [1.0, 3.0]])
    assert overlap(one, 10 * one) == 1
    assert overlap(one[:1], one[1:]) == pytest.approx(0.5)
    assert math.isnan(overlap(one, np.zeros((1, 2))))
    assert math.isnan(overlap(one[:0], one))


def test_a_label_without_images_is_not_defined():
    only = images(2).take(np.arange(0, 600, 2))
    evidence = Made(
        train=images(1),
        test=images(2),
        parts=(images(3), only),
        classifier=LogisticRegression(device="cpu", c_grid=[0.001]),
    )
    found = Occlusion().evaluate(evidence, np.random.default_rng(0))
    assert all(math.isnan(value) for value in found.metrics.values())
    assert not found.pictures
