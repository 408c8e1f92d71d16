import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tgap.core import ContractError, Scores
from tgap.report.figures import (
    BETWEEN_LABELS,
    GAP,
    TRAINING_STYLES,
    augmentation_curves,
    draw_tables,
    image_grid,
    roc_curves,
)


def flat_images(values, size=4, channels=1):
    grey = np.array(values, np.uint8)[:, None, None, None]
    return np.broadcast_to(grey, (len(values), size, size, channels)).copy()


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def test_each_label_shows_its_first_images_in_order(tmp_path):
    images = flat_images([10, 20, 30, 40, 50])
    labels = np.array([[1, 0], [0, 1], [1, 0], [1, 0], [1, 1]], bool)
    image_grid(images, labels, ("a", "b"), tmp_path / "x.png", columns=2, rows=2, tile=8)
    drawn = pixels(tmp_path / "x.png")
    step = 8 + GAP
    left = drawn.shape[1] - BETWEEN_LABELS - 2 * step + GAP
    at = [BETWEEN_LABELS + k for k in (0, step, 2 * step - GAP + BETWEEN_LABELS)]
    corner = [[drawn[top, left + c * step].tolist() for c in (0, 1)] for top in at]
    grey = [[value[0] for value in line] for line in corner]
    assert grey == [[10, 30], [40, 50], [20, 50]]
    # Enlarged by a whole factor: 64 pixels of each value and nothing in between.
    body = drawn[:, left:, 0]
    assert [(body == value).sum() for value in (10, 30, 40, 20)] == [64] * 4


def test_only_as_many_rows_as_asked_for_and_large_images_are_reduced(tmp_path):
    images = flat_images([99] * 50, size=64, channels=3)
    image_grid(images, np.ones((50, 1), bool), ("a",), tmp_path / "x.png", 5, 2, 16)
    drawn = pixels(tmp_path / "x.png")
    assert drawn.shape[0] == 2 * 16 + GAP + 2 * BETWEEN_LABELS
    assert (drawn == 99).all(axis=2).sum() == 10 * 16 * 16


def test_a_label_without_images_keeps_its_row(tmp_path):
    labels = np.array([[True, False]])
    image_grid(flat_images([0]), labels, ("a", "none"), tmp_path / "x.png", tile=8)
    assert pixels(tmp_path / "x.png").shape[0] == 2 * 8 + 3 * BETWEEN_LABELS


def test_a_grid_without_images_is_refused(tmp_path):
    with pytest.raises(ContractError, match=r"got 0 images and labels \(0, 2\)"):
        image_grid(flat_images([]), np.zeros((0, 2), bool), ("a", "b"), tmp_path / "x.png")
    with pytest.raises(ContractError, match=r"labels \(1, 1\); got 1 images and labels \(1, 2\)"):
        image_grid(flat_images([0]), np.zeros((1, 2), bool), ("a",), tmp_path / "x.png")


def legs(n_labels=2, seed=0, undefined=False):
    rng = np.random.default_rng(seed)
    names = tuple(f"label_{k} $x^" for k in range(n_labels))
    truth = rng.random((80, n_labels)) < 0.5
    if undefined:
        truth[:, 0] = False
    return {
        leg: Scores((rng.random(truth.shape) + signal * truth).astype(np.float32), truth, names)
        for leg, signal in zip(("tstr", "trts", "trtr", "tsts"), (0.2, 0.5, 1, 2), strict=True)
    }


@pytest.mark.parametrize("n_labels", [1, 2, 5])
def test_curves_have_the_same_bytes_each_time(tmp_path, n_labels):
    for name in ("a.png", "b.png"):
        roc_curves(legs(n_labels), tmp_path / name)
    data = (tmp_path / "a.png").read_bytes()
    assert data == (tmp_path / "b.png").read_bytes()
    assert b"matplotlib" not in data
    roc_curves(legs(n_labels, seed=1), tmp_path / "c.png")
    assert data != (tmp_path / "c.png").read_bytes()


def panels_of(monkeypatch, tmp_path, its):
    """The axes that were drawn, read from matplotlib's own objects."""
    from matplotlib.figure import Figure

    kept = []
    save = Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda self, *a, **k: (kept.append(self), save(self, *a, **k))[1]
    )
    roc_curves(its, tmp_path / "x.png")
    return kept[0].axes


def test_each_panel_has_four_curves_and_their_auroc(tmp_path, monkeypatch):
    from sklearn.metrics import roc_auc_score

    its = legs(5)
    panels = panels_of(monkeypatch, tmp_path, its)
    assert len(panels) == 8
    assert [panel.axison for panel in panels] == [True] * 5 + [False] * 3
    for label, panel in enumerate(panels[:5]):
        expected = [
            f"{leg.upper()} {roc_auc_score(s.labels[:, label], s.scores[:, label]):.3f}"
            for leg, s in its.items()
        ]
        assert [text.get_text() for text in panel.get_legend().get_texts()] == expected
        for line, text in zip(panel.get_lines()[1:], expected, strict=True):
            area = np.trapezoid(line.get_ydata(), line.get_xdata())
            assert f"{area:.3f}" == text.split()[1]


def test_a_curve_that_is_not_defined_says_so(tmp_path, monkeypatch):
    panel = panels_of(monkeypatch, tmp_path, legs(1, undefined=True))[0]
    assert panel.get_legend().get_texts()[0].get_text() == "TSTR n/a"


def test_figures_leave_pyplot_alone(tmp_path):
    code = f"""
import sys
from pathlib import Path
import numpy as np
from tgap.report.figures import roc_curves
from tgap.core.types import Scores
leg = Scores(np.float32([[0], [1]]), np.array([[False], [True]]), ("a",))
roc_curves(dict.fromkeys(("tstr", "trts", "trtr", "tsts"), leg), Path({str(tmp_path / "x.png")!r}))
sys.exit("matplotlib.pyplot" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def rows(**changed):
    made = []
    for kind in TRAINING_STYLES:
        for n, auroc in ((10, 0.6), (100, 0.8), (500, 0.9)):
            side = "synthetic" if kind == "synthetic" else "real"
            made.append(
                {
                    "trained_on": kind,
                    "real_per_label": 0,
                    "synthetic_per_label": 500,
                    "auroc": auroc,
                }
                | {f"{side}_per_label": n}
                | changed
            )
    return made


def colours(path):
    pixels = np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3)
    return {f"#{r:02X}{g:02X}{b:02X}" for r, g, b in np.unique(pixels, axis=0)}


def test_each_arm_is_drawn_in_its_colour_and_the_bytes_repeat(tmp_path):
    for name in ("first.png", "again.png"):
        augmentation_curves(rows(), tmp_path / name)
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "again.png").read_bytes()
    assert {colour for colour, _, _ in TRAINING_STYLES.values()} <= colours(tmp_path / "first.png")


def test_an_arm_that_is_absent_is_left_out(tmp_path):
    given = [row for row in rows() if row["trained_on"] != "pretrained"]
    augmentation_curves(given, tmp_path / "three.png")
    found = colours(tmp_path / "three.png")
    assert {kind for kind in TRAINING_STYLES if TRAINING_STYLES[kind][0] in found} == {
        "real",
        "mixed",
        "synthetic",
    }


@pytest.mark.parametrize("auroc", [None, float("nan")])
def test_what_is_not_known_has_no_point(tmp_path, auroc):
    augmentation_curves(rows(auroc=auroc), tmp_path / "all.png")
    known = [
        row | {"auroc": 0.9} if row["trained_on"] == "real" else row for row in rows(auroc=auroc)
    ]
    augmentation_curves(known, tmp_path / "real.png")
    assert (tmp_path / "all.png").read_bytes() != (tmp_path / "real.png").read_bytes()


def test_the_order_of_rows_does_not_count(tmp_path):
    augmentation_curves(rows(), tmp_path / "a.png")
    augmentation_curves(rows()[::-1], tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_no_rows_and_unknown_trainings_are_refused(tmp_path):
    with pytest.raises(ContractError, match=r"curves need rows trained on real, .*; got no rows"):
        augmentation_curves([], tmp_path / "x.png")
    with pytest.raises(ContractError, match="; got nonsense"):
        augmentation_curves(rows(trained_on="nonsense"), tmp_path / "x.png")


def test_tables_are_drawn_by_their_name_if_there_is_a_drawing(tmp_path):
    draw_tables({"curves": rows(), "copies": [{"similarity": 1.0}]}, tmp_path)
    augmentation_curves(rows(), tmp_path / "expected.png")
    assert {path.name for path in tmp_path.iterdir()} == {"curves.png", "expected.png"}
    assert (tmp_path / "curves.png").read_bytes() == (tmp_path / "expected.png").read_bytes()
