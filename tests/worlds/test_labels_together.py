"""Images with several labels: a perfect generator must have no gap."""

import numpy as np
import pytest

from tests.worlds.conftest import write_world
from tgap.analysis.verdicts import verdicts

NAMES = ("a", "b", "c", "d")
PLACES = ((4, 4), (4, 8), (8, 8), (8, 4))
"""Blobs overlap, so that a classifier of one label meets the others in its way."""


def several(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise with a blob for each label; one image in four has none, and one in three several."""
    rng = np.random.default_rng(0)
    labels = rng.random((count, 4)) < np.where(rng.random((count, 1)) < 0.5, 0.45, 0.12)
    y, x = np.mgrid[:12, :12]
    blobs = [np.exp(-((y - v) ** 2 + (x - u) ** 2) / 10) for v, u in PLACES]
    strength = labels * rng.gamma(4, 9, labels.shape)
    images = rng.normal(110, 25, (count, 12, 12)) + np.tensordot(strength, blobs, 1)
    return images.clip(0, 255).astype(np.uint8), labels


@pytest.fixture
def held_out(tmp_path, metrics_of):
    images, labels = several(3000)
    write_world(tmp_path / "world", images, labels, NAMES)
    words = "generator=held_out_real size=5 pool_size=1600 budget.train_per_label=60".split()
    return lambda *more: metrics_of(*words, "budget.test_per_label=90", *more)


def test_held_out_real_images_with_all_their_labels_have_no_gap(held_out):
    together = held_out()
    assert together["fter/lo"] < 1 < together["fter/hi"]
    assert together["t_gap/utility_lost"] == pytest.approx(0, abs=0.02)
    assert together["t_gap/easier_than_reality"] == pytest.approx(0, abs=0.04)
    each = [together[f"images/labels_each_{side}"] for side in ("real", "synthetic")]
    assert each[0] == pytest.approx(each[1], rel=0.1)
    codes = {verdict.code for verdict in verdicts(together)}
    assert codes == {"as_useful_as_real"}


def test_with_one_label_each_they_teach_less_and_it_is_told(held_out):
    alone = held_out("prompts.co_occurrence=false")
    assert alone["images/labels_each_synthetic"] == 1
    assert alone["t_gap/utility_lost/lo"] > 0
    assert "other_mix_of_labels" in {verdict.code for verdict in verdicts(alone)}
