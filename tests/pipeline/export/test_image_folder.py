"""The synthetic set as others read it."""

import json
from pathlib import Path

import datasets
import numpy as np
import pytest

from tests.pipeline.export.conftest import Made
from tgap.core import DataError, ImageSet
from tgap.datasets.image_folder import ImageFolder
from tgap.pipeline.export.image_folder import DescribedSet, described_set, write_image_folder
from tgap.pipeline.result import Result


def pixels(part: datasets.Dataset) -> np.ndarray:
    return np.stack([np.array(row["image"]) for row in part])


def loaded(folder: Path, cache: Path) -> datasets.DatasetDict:
    return datasets.load_dataset("imagefolder", data_dir=str(folder), cache_dir=str(cache))


def test_datasets_reads_its_splits_images_labels_and_findings(ran: Result, tmp_path: Path) -> None:
    (folder,) = ran.export(tmp_path / "out", ["synthetic"])
    read = loaded(folder, tmp_path / "cache")
    assert set(read) == {"train", "test"}
    for part, data in zip(("train", "test"), ran.synthetic(), strict=True):
        np.testing.assert_array_equal(pixels(read[part]), data.images[..., 0])
        names = np.array(data.label_names)[data.labels.argmax(axis=1)]
        assert read[part]["label"][:] == names.tolist()
        findings = [np.array(data.finding_names)[row].tolist() for row in data.findings]
        assert read[part]["findings"][:] == findings
        assert set(read[part]["split"][:]) == {part}
    by_name = datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))
    assert by_name["train"].features == read["train"].features


def test_tgap_reads_it_too(ran: Result, tmp_path: Path) -> None:
    (folder,) = ran.export(tmp_path / "out", ["synthetic"])
    data = ImageFolder(path=str(folder), domain="x", size=32).load()
    train, test = ran.synthetic()
    for name in ("images", "labels"):  # sorted by path: test/ comes first
        parts = [getattr(part, name) for part in (test, train)]
        np.testing.assert_array_equal(getattr(data, name), np.concatenate(parts))
    assert data.label_names == train.label_names
    columns = [train.finding_names.index(name) for name in data.finding_names]  # sorted by name
    findings = np.concatenate([test.findings, train.findings])[:, columns]
    np.testing.assert_array_equal(data.findings, findings)


def test_an_image_is_drawn_again_by_its_prompt_and_seed(ran: Result) -> None:
    rows, model = described_set(ran), ran.generator().load()
    assert len(set(rows.known["seed"])) == len(rows.data)
    assert len(set(rows.known["prompt"])) >= 10  # a prompt for each digit
    for row in (0, 1, len(rows.data) - 1):
        prompt, seed = rows.known["prompt"][row], rows.known["seed"][row]
        drawn = model.sample([prompt], [seed], ran.run.sampler)[0].astype(int)
        # Other images of a batch round the last bit in another way.
        assert np.abs(drawn - rows.data.images[row]).max() <= 1


def test_a_control_has_no_prompts(made: Made, tmp_path: Path) -> None:
    result = made("generator=noise", "-finetuner.prior_count")
    assert described_set(result).known == {}
    (folder,) = result.export(tmp_path / "out", ["synthetic"], with_copies=True)
    head = (folder / "metadata.csv").read_text().splitlines()[0]
    assert head == "file_name,label,split"


NAMES = ('cat|dog, "x"', "a;b/c~d", "None", "größe <b>", "=1+1", "'it'")


def several(
    names: tuple[str, ...] = NAMES, finding_names: tuple[str, str] = ("f|1", "f 2")
) -> DescribedSet:
    """Of each image one, two or no label, whose names have any characters."""
    labels = np.array([np.roll(np.arange(len(names)) < n, i) for i in range(6) for n in (1, 2, 0)])
    images = np.random.default_rng(0).integers(0, 256, (len(labels), 16, 16, 3), np.uint8)
    findings = labels[:, :2]
    data = ImageSet(images, labels, names, findings, finding_names, np.arange(len(labels)))
    rows = np.arange(len(labels))
    return DescribedSet(data, rows[3:], rows[:3], {"seed": [2**62 + n for n in range(len(rows))]})


def test_several_labels_and_any_characters_are_read_back(tmp_path: Path) -> None:
    rows = several()
    (folder := tmp_path / "set").mkdir()
    write_image_folder(rows, folder)
    order = np.concatenate([rows.train, rows.test])
    data = ImageFolder(path=str(folder), domain="x", size=16, color="rgb").load()
    test_first = np.concatenate([rows.test, rows.train])  # sorted by path
    np.testing.assert_array_equal(data.images, rows.data.images[test_first])
    np.testing.assert_array_equal(data.labels, rows.data.labels[test_first])
    assert data.label_names == NAMES
    read = loaded(folder, tmp_path / "cache")
    assert len(order) == len(read["train"]) + len(read["test"])
    held = [np.array(NAMES)[row].tolist() for row in rows.data.labels[rows.train]]
    assert read["train"]["label"][:] == held
    assert read["train"]["seed"][:] == rows.known["seed"][3:]


def test_a_hugging_face_folder_of_others_is_read_by_its_table(tmp_path: Path) -> None:
    (folder := tmp_path / "set").mkdir()
    write_image_folder(several(("a", "b", "c"), ("d", "e")), folder)
    (folder / "reading.json").unlink()
    table = (folder / "metadata.csv").read_text().replace(",,", ",c,")
    (folder / "metadata.csv").write_text(table)
    read = ImageFolder(path=str(folder), domain="x", size=16)
    assert (read.table, read.file_column, read.labels) == ("metadata.csv", "file_name", [])
    assert read.load().label_names == ("a", "b", "c")
    # Whoever speaks of folders, or of no labels, or names a table, is believed.
    for settings in ({"label_level": 1}, {"labelled": False}, {"official_split": True}):
        assert ImageFolder(path=str(folder), domain="x", size=16, **settings).table is None


def test_a_table_of_something_else_leaves_folders_the_labels(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for text in ("file_name,age\na/1.png,3\n", "x,label\n1,2\n", "", "\xff"):
        (tmp_path / "metadata.csv").write_text(text, "latin-1")
        assert ImageFolder(path=str(tmp_path), domain="x", size=16).table is None


def test_a_damaged_reading_says_what_to_do(tmp_path: Path) -> None:
    write_image_folder(several(), tmp_path)
    (tmp_path / "reading.json").write_text(json.dumps({"labels": 3}))
    with pytest.raises(DataError, match=r"reading\.json does not say how metadata\.csv is read"):
        ImageFolder(path=str(tmp_path), domain="x", size=16)
