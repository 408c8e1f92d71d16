"""How a planted world is written, run and read back."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tgap
from tgap.core import Bools, Images

METRICS_ONLY = (
    "classifier=logistic_regression",
    "classifier.c_grid=[0.001]",
    "~evaluators.baselines",
    "~evaluators.fidelity",
    "~evaluators.memorization",
)
"""A quick classifier, and AUROCs alone."""


def write_world(folder: Path, images: Images, labels: Bools, names: tuple[str, ...]) -> None:
    """Images ``(N, H, W)`` and a table with their labels, ``healthy`` where they have none."""
    folder.mkdir(parents=True)
    rows = ["file,label"]
    for number, (image, held) in enumerate(zip(images, labels, strict=True)):
        Image.fromarray(image).save(folder / f"{number:05}.png")
        rows.append(f"{number:05}.png,{'|'.join(np.array(names)[held]) or 'healthy'}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n", "utf-8")


@pytest.fixture
def metrics_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs a world of ``tmp_path / "world"`` with some words, and gives its metrics."""
    monkeypatch.setenv("TGAP_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> dict[str, float]:
        return tgap.run(
            "dataset=image_folder",
            "dataset.path=world",
            "dataset.table=labels.csv",
            "dataset.domain=x",
            "dataset.patient_column=",
            *METRICS_ONLY,
            *words,
            track=False,
        ).metrics

    return run
