"""Faults planted into real digits, through the whole line: the verdicts must name them."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tgap
from tgap.analysis.verdicts import verdicts
from tgap.cli.evaluate import evaluation_overrides
from tgap.core import ImageSet
from tgap.datasets.digits import Digits
from tgap.pipeline.result import Result

WORDS = (
    "classifier=logistic_regression",
    "classifier.c_grid=[0.001,0.01]",
    "evaluator/embedder@evaluators.fidelity.embedder=pixels",
    "evaluators.two_way.resamples=400",
    "evaluators.baselines.shuffled=false",
    "~evaluator@evaluators.memorization",
    "tracking.pictures=false",
    "split_seed=1",
)
REAL, SYNTHETIC = 1500, 900


def table(folder: Path, data: ImageSet) -> Path:
    """The images, and a table of their labels and findings."""
    folder.mkdir()
    with (folder / "table.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "label", "findings"])
        for row, image in enumerate(data.images):
            Image.fromarray(image[..., 0]).save(folder / f"{row}.png")
            label, finding = (
                names[int(has[row].argmax())]
                for names, has in (
                    (data.label_names, data.labels),
                    (data.finding_names, data.findings),
                )
            )
            rows.writerow([f"{row}.png", label, finding])
    return folder / "table.csv"


def honest(images: np.ndarray, odd: np.ndarray) -> np.ndarray:
    return images


def mark(images: np.ndarray, odd: np.ndarray) -> np.ndarray:
    images[odd, 1:5, 1:5] = 255
    return images


def ground(images: np.ndarray, odd: np.ndarray) -> np.ndarray:
    images[odd] = np.maximum(images[odd], 70)
    return images


def dim(images: np.ndarray, odd: np.ndarray) -> np.ndarray:
    return (0.4 * images + 30).astype(np.uint8)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory):
    """Evaluates digits that are changed, or some of them, as a synthetic set."""
    home = tmp_path_factory.mktemp("worlds")
    digits = Digits().load()
    rows = np.random.default_rng(0).permutation(len(digits))
    real = table(home / "real", digits.take(rows[:REAL]))
    others = digits.take(rows[REAL:])
    made: dict[str, Result] = {}

    def evaluated(
        plant: Callable[..., np.ndarray] = honest, shown: str = "", wrong: float = 0
    ) -> Result:
        name = f"{plant.__name__}{shown}{wrong}".replace(" ", "")
        if name not in made:
            kept = [others.finding_names.index(digit) for digit in shown.split()] or list(range(10))
            drawn = others.take(
                np.flatnonzero(others.findings[:, kept].any(axis=1))[:SYNTHETIC].astype(np.int64)
            )
            odd = drawn.labels[:, 1]
            images = plant(drawn.images.copy(), odd)
            labels = drawn.labels ^ (np.random.default_rng(1).random(len(drawn)) < wrong)[:, None]
            planted = ImageSet(
                images,
                labels,
                drawn.label_names,
                drawn.findings,
                drawn.finding_names,
                drawn.patients,
            )
            synthetic = table(home / name, planted)
            words = evaluation_overrides(real, synthetic, None, 32, "grey", WORDS)
            made[name] = tgap.run(*words, track=False)
        return made[name]

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TGAP_HOME", str(home / "home"))
        yield evaluated


def said(result: Result) -> dict[str, str]:
    return {verdict.code: verdict.sentence for verdict in verdicts(result.metrics)}


def test_honest_images_get_no_bad_word(world):
    assert said(world()).keys() == {"as_useful_as_real"}


def test_digits_that_are_missing_are_named(world):
    result = world(shown="two three four")
    found = said(result)
    assert {"partly_useful", "missing_modes"} == found.keys()
    for finding in ("zero", "one", "five", "six", "seven", "eight", "nine"):
        assert f"finding {finding} " in found["missing_modes"]
    for finding in ("two", "three", "four"):
        assert f"finding {finding} " not in found["missing_modes"]
    assert 0.65 < result.metrics["fidelity/missing"] < 0.75
    assert (result.artifacts.evaluations["fidelity"].folder / "missing.png").exists()
    one = said(world(shown="zero one two three four five six eight nine"))
    assert "(finding seven 100 %)" in one["missing_modes"]


@pytest.mark.parametrize("plant", [mark, ground])
def test_what_gives_the_label_away_is_told(world, plant):
    result = world(plant)
    found = said(result)
    assert result.metrics["tsts/auroc"] > 0.999
    assert result.metrics["tstr/right_at_synthetic_threshold"] < 0.55
    assert "on synthetic ones, where chance is 50 %" in found["shortcut"]
    useful = {"as_useful_as_real", "partly_useful"}
    assert found.keys() - {"shortcut", "fter_meaningless"} <= useful  # TRTS may be near chance
    assert (result.artifacts.evaluations["occlusion"].folder / "occlusion.png").exists()


def test_another_brightness_is_no_shortcut_and_leaves_out_no_digit(world):
    assert said(world(dim)).keys() == {"as_useful_as_real", "threshold_lost", "less_varied"}


def test_one_wrong_label_in_ten_is_told(world):
    result = world(wrong=0.1)
    assert result.metrics["fter/lo"] > 1
    useful = {"as_useful_as_real", "partly_useful"}
    assert said(result).keys() - useful == {"fter_above_one"}
    assert "as where some of them are labelled wrongly" in said(result)["fter_above_one"]
