"""Pictures that are dark where others are bright."""

import numpy as np
import pytest
from sklearn.datasets import load_sample_images

from tgap.datasets.digits import Digits
from tgap.datasets.phantom_xray import PhantomXray
from tgap.datasets.reading.negatives import negatives

DIGITS = Digits().load()
XRAYS = PhantomXray(size=64).load()
EVERY = np.arange(0, 1600, 5)


@pytest.mark.parametrize("data", [DIGITS, XRAYS], ids=["digits", "radiographs"])
def test_negatives_are_found_and_others_are_not(data) -> None:
    assert negatives(data.images, EVERY, data.labels) == []
    images = data.images[EVERY].copy()
    rows = np.arange(len(images))
    for every in (20, 4):
        changed = images.copy()
        changed[::every] = 255 - images[::every]
        assert negatives(changed, rows, data.labels[EVERY]) == rows[::every].tolist()
    changed = images.copy()
    changed[7] = 255 - changed[7]
    assert negatives(changed, rows, data.labels[EVERY]) == []  # one may be so by nature


def test_pairs_of_digits_are_not_told_of() -> None:
    for one in range(10):
        for other in range(one):
            shows = DIGITS.findings[:, [one, other]]
            rows = np.flatnonzero(shows.any(axis=1))[::4]
            assert negatives(DIGITS.images, rows, shows) == []
            assert negatives(DIGITS.images, rows, DIGITS.labels | True) == []


def test_photographs_have_nothing_in_common() -> None:
    rng = np.random.default_rng(0)
    images = []
    for photo in load_sample_images().images:
        for _ in range(40):
            y, x = rng.integers(0, 300), rng.integers(0, 500)
            images.append(photo[y : y + 96, x : x + 96])
    labels = (np.arange(80) % 2)[:, None] == np.arange(2)
    assert negatives(np.stack(images), np.arange(80), labels) == []


def test_labels_that_are_opposite_and_mirrored_pictures_are_as_they_are() -> None:
    images, rows = XRAYS.images[:40].copy(), np.arange(40)
    images[20:] = 255 - images[20:]
    labels = (rows // 20)[:, None] == np.arange(2)
    assert negatives(images, rows, labels) == []
    side = np.broadcast_to(np.linspace(0, 255, 64)[None, None, :, None], (40, 64, 64, 1))
    breasts = np.concatenate([side[:20], side[20:, :, ::-1]]).astype(np.uint8)
    assert negatives(breasts, rows, labels[:, [0]] | True) == []
