import dataclasses
import io
import re
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from tests.report.dataset.making import described, in_order
from tgap.datasets.base import Original
from tgap.report.dataset.describing import Description
from tgap.report.dataset.doubts import Doubt
from tgap.report.dataset.showing import show_description

LONG = "a label of many words that goes on and on, beyond the width of a table's column"
DOUBT = Doubt("something is " + "very " * 30 + "doubtful", "Mend it.")


def shown(counts: Description, width: int = 100, encoding: str = "utf-8") -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=file, width=width, highlight=False, markup=False)
    show_description(counts, [DOUBT], console)
    file.flush()
    return file.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]


def test_it_is_shown_in_words(tmp_path: Path) -> None:
    Image.new("L", (8, 9)).save(tmp_path / "a.png")
    text = shown(described(originals=[Original(tmp_path / "a.png", "crop")] * 60))
    assert text.startswith("Look at this first (1):\n- something")
    assert "60 images of 8 x 8, grey, 20 patients" in text
    assert re.search(r"label odd +30 \(50.0%\) +15 \(50.0%\)", text)
    assert "  its patients" in text
    assert "label even: 0.png, 28.png, 58.png, ..." in text
    assert "files: 60 PNG, 8 bit, grey" in text
    assert "width 8, height 9, width by height 0.8889" in text
    assert "excluded: unreadable 2 (a.png, b.png)" in text
    assert "unlisted: 3" in text
    assert "age: 0 to 59, median 30, unknown for 1" in text


def test_nothing_doubtful_is_said_too() -> None:
    console = Console(width=100, record=True, file=io.StringIO())
    show_description(in_order(), [], console)
    assert console.export_text().startswith("nothing looks doubtful: no patient and no image")


def with_label(name: str) -> Description:
    counts = in_order()
    renamed = {name if label == "odd" else label: by for label, by in counts.labels.items()}
    patients = {name if label == "odd" else label: by for label, by in counts.labels.items()}
    levels = {k.replace("odd", name): v for k, v in counts.levels.counts.items()}
    return dataclasses.replace(
        counts,
        labels=renamed,
        label_patients=patients,
        examples={name: ["a.png"]},
        levels=dataclasses.replace(counts.levels, counts=levels),
    )


@pytest.mark.parametrize("width", [80, 110])
def test_no_word_is_cut_at_any_width(width: int) -> None:
    text = shown(with_label(LONG), width)
    assert max(map(len, text.splitlines())) <= width
    assert set(LONG.split()) <= set(text.split())
    assert text.split().count("very") == 30


def test_names_are_no_markup() -> None:
    assert "label [red]x" in shown(with_label("[red]x"))


def test_a_plain_console_gets_plain_signs() -> None:
    assert shown(in_order(), encoding="ascii").isascii()
