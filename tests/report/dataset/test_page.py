import base64
import dataclasses
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.report.dataset.making import dataset, described
from tgap.core import DataError, ImageSet
from tgap.datasets.base import Original
from tgap.report.dataset import page
from tgap.report.dataset.describing import Description
from tgap.report.dataset.doubts import Doubt
from tgap.report.dataset.page import write_dataset_page
from tgap.report.dataset.prompts import PromptsRead

HOSTILE = "<script>alert('x')</script>"
HEADING = {"title": "Dataset x", "command": "tgap data dataset=x", "digest": "abc"}
UNREAD = PromptsRead("tiny", "Nothing is known of prompts", {}, {}, [])
VOID = {"meta", "img", "br", "line", "circle", "path"}


class Elements(HTMLParser):
    """Tags with their attributes, which must be closed in order, and the text between them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert tag in VOID or self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def written(
    tmp_path: Path,
    counts: Description | None = None,
    data: ImageSet | None = None,
    prompts: PromptsRead = UNREAD,
    doubts: tuple[Doubt, ...] = (),
) -> Elements:
    """The page, which nothing is wrong with as HTML."""
    file = tmp_path / "page.html"
    write_dataset_page(file, counts or described(), doubts, data or dataset(), prompts, HEADING)
    elements = Elements()
    elements.feed(file.read_text("utf-8"))
    assert elements.open == []
    return elements


def test_it_says_what_the_terminal_does(tmp_path: Path) -> None:
    doubt = Doubt("3 things are wrong", "Mend them.", "a.png, b.png")
    text = re.sub(r"\s+", " ", written(tmp_path, doubts=(doubt,)).text)
    assert "tgap data dataset=x" in text
    assert text.index("3 things are wrong. Mend them.a.png, b.png") < text.index("Counts")
    for told in (
        "60 images of 8 x 8, grey, 20 patients",
        "label odd30 (50.0%)15 (50.0%)",
        "view AP20 (33.3%)",
        "age0 to 59, median 30, unknown for 1",
        "excludedunreadable 2 (a.png, b.png)",
        "Nothing is known of prompts.",
        "No two images have the same pixels.",
        "abc",
    ):
        assert told in text


def test_it_loads_nothing_and_runs_nothing(tmp_path: Path) -> None:
    """Whatever labels, files and columns are called."""
    data = dataset()
    counts = dataclasses.replace(described(), notes={HOSTILE: [HOSTILE]})
    counts.labels[HOSTILE] = counts.labels["odd"]
    counts.label_patients[HOSTILE] = counts.label_patients["odd"]
    counts.levels.counts[HOSTILE] = counts.levels.counts["all"]
    counts.metadata['"><img src=x onerror=alert(1)>'] = {HOSTILE: counts.metadata["view"]["AP"]}
    named = np.array([f'"{HOSTILE}{n}.png' for n in range(60)])
    data = dataclasses.replace(data, label_names=("even", HOSTILE), metadata={"file": named})
    prompts = PromptsRead(HOSTILE, "", {HOSTILE: HOSTILE}, {HOSTILE: [HOSTILE]}, [])
    found = written(tmp_path, counts, data, prompts, (Doubt(HOSTILE, HOSTILE, HOSTILE),))
    assert not found.of("script") + found.of("link") + found.of("iframe")
    assert all(image["src"].startswith("data:image/") for image in found.of("img"))
    assert not [name for _, attributes in found.found for name in attributes if name[:2] == "on"]
    assert [a["href"] for _, a in found.found if "href" in a] == ["#content"]
    assert "xlink:href" not in {name for _, a in found.found for name in a}
    assert found.text.count(HOSTILE) > 10


def test_it_can_be_heard(tmp_path: Path) -> None:
    Image.new("L", (9, 9)).save(tmp_path / "a.png")
    found = written(tmp_path, described(originals=[Original(tmp_path / "a.png", "crop")] * 60))
    assert all(image["alt"] for image in found.of("img"))
    assert len(found.of("svg")) == 4
    assert all(svg["role"] == "img" and svg["aria-label"] for svg in found.of("svg"))
    assert all(cell.get("scope") in ("col", "row") for cell in found.of("th"))
    assert len(found.of("caption")) == len(found.of("table")) > 3
    regions = [part for part in found.of("div") if part.get("class") == "wide"]
    assert len(regions) == len(found.of("table"))
    assert all(part["aria-label"] and part["tabindex"] == "0" for part in regions)
    assert found.of("html")[0]["lang"] == "en"


def test_pictures_are_those_of_the_label(tmp_path: Path) -> None:
    found = written(tmp_path)
    pictures = [image for image in found.of("img") if image["alt"] == "1.png"]
    content = base64.b64decode(pictures[0]["src"].partition(",")[2])
    with Image.open(io.BytesIO(content)) as shown:
        assert np.array_equal(np.asarray(shown), dataset().images[1, ..., 0])


def test_many_large_pictures_keep_within_two_megabytes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = tuple(f"label {n}" for n in range(30))
    data = dataclasses.replace(
        dataset(),
        images=rng.integers(0, 256, (60, 200, 200, 3), dtype=np.uint8),
        labels=rng.random((60, 30)) < 0.5,
        label_names=names,
    )
    found = written(tmp_path, data=data)
    assert 0 < len(found.of("img")) < 30 * page.TILES
    assert (tmp_path / "page.html").stat().st_size < 2_000_000


def test_prompts_with_tokens_and_distances(tmp_path: Path) -> None:
    labels = ["cat", "Cat", "dog"]
    prompts = PromptsRead(
        generator="tiny",
        nothing="",
        texts={label: f"an image of {label}" for label in labels},
        tokens={label: ["an", "image", label.lower()] for label in labels},
        problems=[],
        distances=np.array([[0, 0, 0.5], [0, 0, 0.5], [0.5, 0.5, 0]]),
    )
    found = written(tmp_path, prompts=prompts)
    text = re.sub(r"\s+", " ", found.text)
    assert "catan image of catanimagecat3Cat (0.000)" in text
    assert "dogan image of doganimagedog3cat (0.500)" in text
    assert "dog0.5000.5000.000" in text
    (shade,) = {cell["style"] for cell in found.of("td") if "0.4)" in (cell.get("style") or "")}
    assert shade == "background: rgba(86, 180, 233, 0.4)"


def test_a_page_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot write the page .*: No such file"):
        write_dataset_page(tmp_path / "no" / "a.html", described(), [], dataset(), UNREAD, HEADING)
