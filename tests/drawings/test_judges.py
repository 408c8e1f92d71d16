"""Judges on images whose labels are known."""

import dataclasses

import matplotlib
import numpy as np
import pytest
from PIL import ImageFont

from experiments.tiny_models.letters import FONTS, NAMED, draw_letter
from tgap.classifiers.logistic_regression import LogisticRegression
from tgap.core import DataError, ImageSet
from tgap.drawings.judges.base import Means
from tgap.drawings.judges.clip import Clip
from tgap.drawings.judges.features import Features, readable
from tgap.embedders.clip import Clip as ClipVectors
from tgap.embedders.pixels import Pixels

PAIR = "Ko"


def letters(count: int, seed: int) -> ImageSet:
    """Printed letters of two kinds, in turn, of any of the fonts."""
    rng = np.random.default_rng(seed)
    folder = f"{matplotlib.get_data_path()}/fonts/ttf"
    fonts = [ImageFont.truetype(f"{folder}/{name}.ttf", 60) for name in FONTS]
    kind = np.arange(count) % 2
    images = [draw_letter(PAIR[k], fonts[rng.integers(len(fonts))], rng) for k in kind]
    return ImageSet(
        images=np.stack(images)[..., None],
        labels=np.eye(2, dtype=bool)[kind],
        label_names=tuple(PAIR),
        findings=np.zeros((count, 0), bool),
        finding_names=(),
        patients=np.arange(count, dtype=np.int64),
    )


def test_clip_knows_the_letters_that_it_was_trained_on_by_their_prompts() -> None:
    texts = tuple(NAMED[0].format(x=x, case="capital", style="serif") for x in PAIR)
    means = Means(LogisticRegression(embedder=Pixels()), texts)
    judge, data = Clip(embedder=ClipVectors()), letters(120, 0)
    weights, reached = judge.fit(data, letters(80, 1), means, np.random.default_rng(0))
    assert weights == {}
    assert min(reached.values()) > 0.9
    right = judge.passes(weights, data.images, data.labels, means)
    wrong = judge.passes(weights, data.images, data.labels[:, ::-1], means)
    assert right.mean() > 0.85
    assert (right != wrong).all()


def patches(count: int, seed: int) -> ImageSet:
    """Noise, and a bright patch on the left or on the right."""
    rng, right = np.random.default_rng(seed), np.arange(count) % 2 == 1
    images = rng.integers(0, 120, (count, 16, 20, 1))
    images[~right, 4:10, 2:7] += 100
    images[right, 4:10, 13:18] += 100
    return ImageSet(
        images=images.astype(np.uint8),
        labels=np.stack([~right, right], axis=1),
        label_names=("left", "right"),
        findings=np.zeros((count, 0), bool),
        finding_names=(),
        patients=np.arange(count, dtype=np.int64),
    )


MEANS = Means(LogisticRegression(embedder=Pixels()), ("left", "right"))


def test_features_tell_what_can_be_read_and_say_by_what() -> None:
    judge, data = Features(), patches(200, 0)
    weights, reached = judge.fit(data, patches(80, 1), MEANS, np.random.default_rng(0))
    assert min(reached.values()) > 0.95
    new = patches(100, 2)
    assert judge.passes(weights, new.images, new.labels, MEANS).mean() > 0.9
    assert judge.passes(weights, new.images, ~new.labels, MEANS).mean() < 0.1
    assert judge.passes(weights, new.images[:0], new.labels[:0], MEANS).shape == (0,)
    for label, coefficients in zip((-1, 1), judge.coefficients(weights), strict=True):
        most = max(coefficients, key=lambda name: abs(coefficients[name]))
        assert most == "across"
        assert coefficients[most] * label > 0


def test_features_that_say_nothing_of_the_labels_are_refused() -> None:
    data = patches(400, 0)
    mixed = dataclasses.replace(data, labels=np.random.default_rng(1).permutation(data.labels))
    with pytest.raises(DataError, match=r"judge 'features' tells '(left|right)' with an AUROC of"):
        Features(least_auroc=0.7).fit(mixed, patches(80, 1), MEANS, np.random.default_rng(0))


def test_the_numbers_are_what_they_are_called() -> None:
    images = np.zeros((4, 6, 8, 3), np.uint8)
    images[1] = 255
    images[2, :, 4:] = 255  # the right half
    images[3, :3] = 255  # the upper half
    found = readable(images)
    assert found["brightness"] == pytest.approx([0, 1, 0.5, 0.5])
    assert found["contrast"] == pytest.approx([0, 0, 0.5, 0.5])
    assert found["dark"] == pytest.approx([0, 1, 0, 0])
    assert found["bright"] == pytest.approx([0, 1, 1, 1])
    assert found["changes_across"] == pytest.approx([0, 0, 1 / 7, 0])
    assert found["changes_down"] == pytest.approx([0, 0, 0, 1 / 5])
    assert found["like_its_mirror"] == pytest.approx([0, 0, -1, 1])
    assert found["like_upside_down"] == pytest.approx([0, 0, 1, -1])
    assert found["across"] == pytest.approx([0.5, 0.5, 0.75, 0.5])
    assert found["down"] == pytest.approx([0.5, 0.5, 0.5, 0.25])
    middles = (np.arange(4) + 0.5) / 8
    assert found["width"][2] == pytest.approx(middles.std())
    assert tuple(found) == Features.names
