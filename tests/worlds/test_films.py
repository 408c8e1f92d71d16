"""390 real test images of 78 patients: five films each, under other names, named or not."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tgap
from tests.worlds.conftest import METRICS_ONLY
from tgap.cli.main import command, run_command
from tgap.core import Images
from tgap.datasets.digits import Digits

PATIENTS, FILMS, TESTED = 390, 5, 390
KNOWN = ("dataset.table=known.csv", "dataset.patient_column=person")
UNKNOWN = ("dataset.table=unknown.csv",)
WORLD = ("dataset=image_folder", "dataset.path=world", "dataset.domain=x", "dataset.size=32")
SIDES = (f"test_size={TESTED}", "train_size=390", "size=20")
SHORT = (
    "generator=held_out_real budget.train_per_label=100 budget.test_per_label=40 "
    "evaluators.two_way.resamples=100"
).split()


def film(image: Images, rng: np.random.Generator) -> Images:
    """Moved by up to a pixel of 32, fainter or brighter, and noisy."""
    down, right = rng.integers(0, 3, 2)
    moved = np.pad(image, 1)[down : down + 32, right : right + 32]
    levels = rng.uniform(0.8, 1) * moved + rng.uniform(0, 30) + rng.normal(0, 4, moved.shape)
    return levels.clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As many odd as even digits; names are numbers in random order."""
    digits, rng = Digits().load(), np.random.default_rng(0)
    of_labels = [rng.permutation(np.flatnonzero(held)) for held in digits.labels.T]
    chosen = np.stack([rows[: PATIENTS // 2] for rows in of_labels], axis=1).ravel()
    names = rng.permutation(PATIENTS * FILMS)
    folder = tmp_path_factory.mktemp("films")
    (folder / "world").mkdir()
    rows = []
    for person, row in enumerate(chosen.tolist()):
        label = digits.label_names[int(digits.labels[row].argmax())]
        for name in names[person * FILMS :][:FILMS].tolist():
            picture = film(digits.images[row, ..., 0], rng)
            Image.fromarray(picture).save(folder / "world" / f"{name:04}.png")
            rows.append((f"{name:04}.png", label, f"p{person:03}"))
    for table, columns in (("known", 3), ("unknown", 2)):
        with (folder / "world" / f"{table}.csv").open("w", newline="") as file:
            written = [("file", "label", "person"), *sorted(rows)]
            csv.writer(file).writerows(row[:columns] for row in written)
    return folder


@pytest.fixture(autouse=True)
def here(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(world)
    monkeypatch.setenv("TGAP_HOME", str(world / "home"))


def effective(*words: str) -> float:
    result = tgap.run(*WORLD, *words, *SIDES, *SHORT, *METRICS_ONLY, track=False)
    assert len(result.split().real_test) == TESTED
    return result.metrics["images/effective_real_test"]


def test_films_of_named_patients_count_as_patients() -> None:
    """Of each label, half of them."""
    assert effective(*KNOWN) == pytest.approx(TESTED / FILMS / 2, abs=1)


def test_that_films_of_nobody_are_of_few_patients_is_told_before_anything_is_made(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert effective(*UNKNOWN) == TESTED / 2, "which is five times too many"
    told = r"(\d+) of 500 images nearly equal one of another patient, (\d+) of them one on another"
    caplog.clear()
    assert command(["data", *WORLD, *UNKNOWN, *SIDES]) == 0
    text = capsys.readouterr().out
    assert run_command([*WORLD, *UNKNOWN, *SIDES, *SHORT, "--dry-run"]) == 0
    for where in (text, "\n".join(caplog.messages)):
        found = re.search(told, where)
        assert found is not None
        # Of 500 of 1,950 images 69 % have another film among them, of whom half are on other sides.
        assert int(found[1]) == pytest.approx(345, abs=45)
        assert int(found[2]) == pytest.approx(0.56 * int(found[1]), abs=45)
        assert "1,950 images counts as its own patient" in where
        assert "intervals are too narrow" in where
        assert "not of one person's different films" in where


def test_of_named_patients_nothing_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["data", *WORLD, *KNOWN, *SIDES]) == 0
    text = capsys.readouterr().out
    assert "390 patients (images of one: median 5, most 5)" in text
    assert re.search(r"patients +390 .* 78", text), text
    assert "nearly equal" not in text
    assert "its own patient" not in text
