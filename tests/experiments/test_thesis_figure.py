"""The figure of what moves the gap."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from experiments.thesis import figure

RUNS = Path(figure.__file__).parent / "runs.csv"


def rows() -> list[dict[str, str]]:
    with RUNS.open(encoding="utf-8", newline="") as file:
        return [*csv.DictReader(file)]


class Axes:
    """Keeps what is drawn on it."""

    def __init__(self) -> None:
        self.drawn: list[dict[str, object]] = []

    def errorbar(self, x, y, up=None, across=None, **look) -> None:
        self.drawn.append({"x": x, "y": y, "up": up, "across": across, **look})

    def __getattr__(self, name: str):
        return lambda *_, **__: None


def test_means_have_t_intervals() -> None:
    values = [0.1, 0.4, 0.3, 0.35]
    found = figure.mean(values)
    low, high = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert (found.value - found.half, found.value + found.half) == pytest.approx((low, high))
    assert figure.mean([0.5]) == (0.5, 0.0)


def test_a_line_is_over_the_scales_of_one_row() -> None:
    axes = Axes()
    figure.over_guidance(axes, figure.tuned(rows(), "digits"))
    assert [line["label"] for line in axes.drawn] == ["TSTR", "TRTS"]
    for line in axes.drawn:
        assert len(line["x"]) == len(line["y"]) == 3
    assert axes.drawn[1]["y"] == sorted(axes.drawn[1]["y"]), "guidance raises TRTS on digits"


def test_each_row_of_the_table_is_a_point() -> None:
    axes, own = Axes(), figure.tuned(rows(), "digits")
    figure.over_coverage(axes, own)
    assert len(axes.drawn) == len(
        {(r["method"], r["size"], r["steps"], r["guidance"]) for r in own}
    )
    labels = [point["label"] for point in axes.drawn if point["label"]]
    assert len(labels) == len(set(labels))
    assert "random" in labels


def test_it_is_a_picture(tmp_path: Path) -> None:
    figure.draw(rows(), tmp_path / "explained.png")
    with Image.open(tmp_path / "explained.png") as picture:
        assert picture.width > 500
        assert np.asarray(picture.convert("L")).std() > 5
