"""Judges on images whose labels are known."""

import matplotlib
import numpy as np
from PIL import ImageFont

from experiments.tiny_models.letters import FONTS, NAMED, draw_letter
from tgap.classifiers.logistic_regression import LogisticRegression
from tgap.core import ImageSet
from tgap.drawings.judges.base import Means
from tgap.drawings.judges.clip import Clip
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
