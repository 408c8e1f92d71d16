import gzip
import logging
import shutil

import numpy as np
import pytest

from tests.datasets.conftest import replace, write_grey
from tgap.core import ConfigError, DataError
from tgap.datasets.chexpert import Chexpert
from tgap.datasets.radiographs.observations import OBSERVATIONS, PATHOLOGIES, label

HEADER = ("Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *OBSERVATIONS)
NAME = "CheXpert-v1.0-small"


def row(path, side="Frontal", view="AP", sex="Female", age=68, **cells):
    """A line of the table; observations by their names without spaces, empty if not given."""
    given = [cells.pop(name.replace(" ", ""), "") for name in OBSERVATIONS]
    assert not cells
    path = path if path.startswith(("/", "..")) else f"{NAME}/{path}"
    return ",".join(map(str, (path, sex, age, side, view, *given)))


TRAIN = (
    ("train/patient00002/study2/view1_frontal.jpg", {"NoFinding": "1.0"}),
    ("train/patient00002/study1/view1_frontal.jpg", {"Edema": "1.0", "Pneumonia": "0.0"}),
    (
        "train/patient00002/study1/view2_lateral.jpg",
        {"Edema": "1.0", "side": "Lateral", "view": "", "sex": "Male"},
    ),
    (
        "train/patient00001/study1/view1_frontal.jpg",
        {"NoFinding": "1.0", "SupportDevices": "1.0", "view": "PA", "sex": "Unknown", "age": 9},
    ),
    ("train/patient00003/study1/view1_frontal.jpg", {"Edema": "-1.0", "Fracture": "0.0"}),
    ("train/patient00004/study1/view1_frontal.jpg", {"Edema": "1.0", "Fracture": "-1.0"}),
    ("train/patient00005/study1/view1_frontal.jpg", {"SupportDevices": "1.0"}),
    ("train/patient00006/study1/view1_frontal.jpg", {"NoFinding": "1.0", "Edema": "1.0"}),
    ("train/patient00007/study1/view1_frontal.jpg", {"SupportDevices": "-1.0", "NoFinding": "1"}),
)
VALID = (
    ("valid/patient64541/study1/view1_frontal.jpg", {"NoFinding": "1.0"}),
    ("valid/patient64542/study1/view1_frontal.jpg", {"PleuralEffusion": "1.0", "Edema": "0.0"}),
)


def table(rows):
    return "\n".join([",".join(HEADER), *(row(path, **cells) for path, cells in rows), ""])


def put(root, rows, name):
    """A table and its images; the level of an image is 10 times its row, counted from 1."""
    root.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(table(rows))
    for number, (path, _) in enumerate(rows, 1):
        write_grey(root / path, 10 * number, (16, 20))
    return root


@pytest.fixture
def root(tmp_path):
    return put(tmp_path / NAME, TRAIN, "train.csv")


@pytest.fixture
def both(root):
    return put(root, VALID, "valid.csv")


def dataset(path, **fields):
    return Chexpert(path=str(path), size=8, **fields)


def loaded(path, **fields):
    """Each image's row of the training table, and the data."""
    data = dataset(path, **fields).load()
    return (data.images[:, 0, 0, 0] // 10).tolist(), data


# What is read


def test_missing_values_are_not_mentioned(both):
    replace(
        both / "train.csv",
        "frontal.jpg,Female,68,Frontal,AP,1.0,,",
        "frontal.jpg,NaN,n/a,Frontal,NaN,1.0,nan,",
    )
    data = dataset(both).load()
    assert data.findings[0].sum() == 0
    assert data.metadata["sex"][0] == ""
    assert data.metadata["view"][0] == "Frontal"
    assert np.isnan(data.metadata["age"][0])


def test_the_batches_that_stanford_publishes(tmp_path, both):
    batches = tmp_path / "chexpertchestxrays-u20210408"
    first, rest = batches / "CheXpert-v1.0 batch 1 (validate & csv)", {}
    first.mkdir(parents=True)
    for name in ("train.csv", "valid.csv", "valid"):
        (both / name).rename(first / name)
    for patient in sorted((both / "train").iterdir()):
        number = 2 if patient.name < "patient00003" else 3
        rest = batches / f"CheXpert-v1.0 batch {number} (train {number - 1})"
        rest.mkdir(exist_ok=True)
        patient.rename(rest / patient.name)
    rows, data = loaded(batches)
    assert rows == [1, 2, 4, 6, 9, 1, 2]
    assert data.patients.tolist() == [2, 2, 1, 4, 7, 64541, 64542]
    assert data.patient_names.tolist()[:2] == ["patient00002", "patient00002"]
    assert data.official_test.tolist() == [False] * 5 + [True] * 2
    assert data.metadata["file"][0] == (
        "CheXpert-v1.0 batch 2 (train 1)/patient00002/study2/view1_frontal.jpg"
    )
    assert "unlisted" not in data.notes
    with pytest.raises(ConfigError, match="must be the folder that holds all batches of Ch"):
        dataset(first)
    (first / "train.csv").unlink()
    with pytest.raises(ConfigError, match=r"train.csv is in none of them; unpack 'CheXpert-v1.0 b"):
        dataset(batches)


def test_binary_labels_of_frontal_views(root):
    rows, data = loaded(root)
    assert rows == [1, 2, 4, 6, 9]
    assert data.label_names == ("no_finding", "unhealthy")
    assert data.labels[:, 1].tolist() == [False, True, False, True, False]
    assert np.array_equal(data.labels[:, 0], ~data.labels[:, 1])
    assert data.finding_names == PATHOLOGIES
    assert data.findings.sum(axis=1).tolist() == [0, 1, 0, 1, 0]
    assert data.findings[1, PATHOLOGIES.index("Edema")]
    assert data.patients.tolist() == [2, 2, 1, 4, 7]
    assert data.metadata["file"].tolist() == [TRAIN[i - 1][0] for i in rows]
    assert data.metadata["view"].tolist() == ["AP", "AP", "PA", "AP", "AP"]
    assert data.metadata["sex"].tolist() == ["F", "F", "", "F", "F"]
    assert data.metadata["age"].tolist() == [68, 68, 9, 68, 68]
    assert data.official_test is None
    # 5 is negative once uncertain is zero, 7 has a device alone, 8 says both
    assert data.notes == {
        "other_views": 1,
        "contradictory": 1,
        "undecided": 2,
        "warned": data.notes["warned"],
    }


def test_all_views(root):
    rows, data = loaded(root, views="all")
    assert rows == [1, 2, 3, 4, 6, 9]
    assert data.metadata["view"][2] == "Lateral"
    assert data.metadata["sex"][2] == "M"
    assert "other_views" not in data.notes


def test_uncertain_as_positive(root):
    rows, data = loaded(root, uncertain="ones")
    assert rows == [1, 2, 4, 5, 6, 9]
    assert data.labels[3].tolist() == [False, True]
    assert data.findings[4, PATHOLOGIES.index("Fracture")]


def test_uncertain_left_out(root, caplog):
    with caplog.at_level(logging.WARNING):
        rows, data = loaded(root, uncertain="ignore")
    # uncertain devices decide nothing in row 9
    assert rows == [1, 2, 4, 9]
    assert data.notes == {
        "other_views": 1,
        "uncertain": 2,
        "contradictory": 1,
        "undecided": 1,
        "warned": data.notes["warned"],
    }
    assert "2 images with uncertain observations are left out" in caplog.text


def all_observed(tmp_path):
    """A positive image of each observation, one of none, one of uncertain devices."""
    cells = [{name.replace(" ", ""): "1.0"} for name in OBSERVATIONS]
    cells += [{}, {"SupportDevices": "-1.0"}]
    rows = [(f"train/patient{i:05}/study1/view1_frontal.jpg", each) for i, each in enumerate(cells)]
    return put(tmp_path / NAME, rows, "train.csv")


def test_the_observations_as_they_are(tmp_path):
    path = all_observed(tmp_path)
    data = dataset(path, labels="findings").load()
    assert data.label_names == ("no_finding", *OBSERVATIONS[1:])
    expected = np.vstack([np.eye(14, dtype=bool), np.zeros((2, 14), bool)])
    assert np.array_equal(data.labels, expected)
    assert np.array_equal(data.findings, expected[:, 1:13])
    assert data.notes.keys() == {"flat"}  # each has one level
    assert len(dataset(path, labels="findings", uncertain="ignore").load()) == 15


def test_the_validation_set_is_the_official_test(both):
    _, data = loaded(both)
    assert data.official_test.tolist() == [False] * 5 + [True] * 2
    assert data.patients.tolist()[-2:] == [64541, 64542]
    assert data.metadata["file"][-1] == VALID[1][0]
    assert data.labels[-2:].tolist() == [[True, False], [False, True]]


def test_so_is_the_test_set(both):
    rows = [("test/patient64741/study1/view1_frontal.jpg", {"Fracture": "1"})]
    _, data = loaded(put(both, rows, "test.csv"))
    assert data.official_test.tolist() == [False] * 5 + [True] * 3


def test_notes_name_the_first_files_and_count_all(root, monkeypatch):
    monkeypatch.setattr(Chexpert, "_noted", 1)
    for number in (0, 1):
        (root / TRAIN[number][0]).unlink()
    data = dataset(root, bad_files="exclude").load()
    assert data.notes["excluded"] == {"missing": [TRAIN[0][0]]}
    assert data.notes["excluded_counts"] == {"missing": 2}


def test_images_that_are_left_out_need_not_be_there(root):
    (root / TRAIN[2][0]).unlink()  # lateral
    (root / TRAIN[6][0]).unlink()  # devices alone
    assert loaded(root)[0] == [1, 2, 4, 6, 9]


def test_images_are_fitted_as_asked(root):
    padded = Chexpert(path=str(root), fit="pad", size=20).load().images[:, :, :, 0]
    assert (padded[:, :, :2] == 0).all()
    assert (padded[:, :, 2:18] > 0).all()


def test_unlisted_images_are_counted(root):
    shutil.copy(root / TRAIN[0][0], root / "train" / "other.jpg")
    assert dataset(root).load().notes["unlisted"] == 1


# What it is


# Labels from observations


POLICIES = ("zeros", "ones", "ignore")


@pytest.mark.parametrize("uncertain", POLICIES)
@pytest.mark.parametrize("labels", ["binary", "findings"])
def test_labels_as_by_a_loop_over_rows(labels, uncertain):
    rng = np.random.default_rng(7)
    rows = rng.choice([-1, 0, 1], p=[0.05, 0.85, 0.1], size=(500, 14)).astype(np.int8)
    rows.setflags(write=False)
    kept, expected, counts = [], [], {}
    for i, cells in enumerate(rows.tolist()):
        deciding = cells if labels == "findings" else cells[:13]
        value = {1: 1, 0: 0, -1: int(uncertain == "ones")}
        healthy, *sick, device = (value[cell] for cell in cells)
        why = None
        if uncertain == "ignore" and -1 in deciding:
            why = "uncertain"
        elif labels == "binary" and healthy and any(sick):
            why = "contradictory"
        elif labels == "binary" and not healthy and not any(sick):
            why = "undecided"
        if why:
            counts[why] = counts.get(why, 0) + 1
            continue
        kept.append(i)
        expected.append([healthy, *sick, device] if labels == "findings" else [healthy, any(sick)])
    found = label(rows, labels, uncertain)
    assert found.kept.tolist() == kept
    assert found.labels.astype(int).tolist() == [list(map(int, each)) for each in expected]
    assert found.left_out == counts
    positive = (rows == 1) | ((rows == -1) & (uncertain == "ones"))
    assert np.array_equal(found.findings, positive[kept, 1:13])


# Errors


def test_wrong_settings_are_told_together(tmp_path):
    with pytest.raises(ConfigError) as caught:
        Chexpert(path="", uncertain="maybe", labels="both", views="lateral", size=2)
    text = str(caught.value)
    assert "5 problems" in text
    assert "uncertain must be one of zeros, ones, ignore, got 'maybe'" in text
    assert "path must name a folder, got ''" in text


def test_folders_without_the_table(tmp_path):
    with pytest.raises(
        ConfigError, match=r"path must hold train\.csv, but neither .* nor a folder"
    ):
        dataset(tmp_path)
    for name in ("a", "b"):
        put(tmp_path / name, TRAIN, "train.csv")
    with pytest.raises(ConfigError, match=r"has 2 folders with train\.csv: a, b; path must name"):
        dataset(tmp_path)


FIRST = f"{NAME}/{TRAIN[0][0]}"
WRONG = {
    "a column's name": (
        "Lung Opacity",
        "Lung Opacities",
        "train.csv has no column 'Lung Opacity'; did you mean 'Lung Opacities'",
    ),
    "two alike": ("Lung Opacity", "Edema", "no column 'Lung Opacity'.*; two columns named 'Edema'"),
    "another value": (
        ",1.0,",
        ",2.0,",
        r"train.csv: 'No Finding' must be 1 \(positive\), 0 \(negative\), -1 .*'2.0' on line 2",
    ),
    "absolute": (
        FIRST,
        f"/{FIRST}",
        "'Path' must be relative and stay in the folder.*'/CheXpert.*' on line 2",
    ),
    "leaves": (
        FIRST,
        f"../{FIRST}",
        "must be relative and stay in the folder, without '..'; got '../Che",
    ),
    "leaves inside": (
        FIRST,
        f"{NAME}/train/patient00002/../view1_frontal.jpg",
        "stay in the folder, without",
    ),
    "no patient": (
        FIRST,
        f"{NAME}/train/p2/study2/view1_frontal.jpg",
        "'Path' must be like CheXpert-v1.0-small/train/patient00001/study1.*p2/study2.*on line 2",
    ),
    "twice": (FIRST, f"{NAME}/{TRAIN[1][0]}", "lines 2 and 3 both name .*study1/view1_frontal"),
    "a side": ("Lateral,,", "Side,,", "'Frontal/Lateral' must be Frontal or Lateral; got 'Side'"),
    "short line": (",1.0,", ",", "train.csv, line 2: 18 cells, but the header has 19 columns"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_tables_are_told_with_the_line(root, what):
    old, new, message = WRONG[what]
    replace(root / "train.csv", old, new)
    with pytest.raises(DataError, match=f"(?s){message}"):
        dataset(root).load()


def test_many_wrong_cells_are_counted(root):
    text = (root / "train.csv").read_text()
    cells = "\n".join(row(f"train/patient{i:05}/study1/a.jpg", Edema="x") for i in range(100, 115))
    (root / "train.csv").write_text(text + cells + "\n")
    with pytest.raises(DataError, match=r"'x' on line 11, .* and 5 more"):
        dataset(root).load()


def test_a_patient_in_both_sets(both):
    replace(both / "valid.csv", "valid/patient64541", "valid/patient00002")
    with pytest.raises(DataError, match=r"official test set.* also outside it: 2$"):
        dataset(both).load()


def test_no_rows_and_no_image_with_a_label(root):
    (root / "train.csv").write_text(table(TRAIN[6:7]))
    with pytest.raises(DataError, match=r"has no image with a label left: {'undecided': 1"):
        dataset(root).load()
    (root / "train.csv").write_text(table([]))
    with pytest.raises(DataError, match=r"train\.csv has no rows"):
        dataset(root).load()


@pytest.mark.parametrize(
    ("content", "message"),
    [(b'Path,"Sex', "line 1: unexpected end of data"), (b"", "train.csv is empty")],
)
def test_files_that_are_no_table(root, content, message):
    (root / "train.csv").write_bytes(content)
    with pytest.raises(DataError, match=message):
        dataset(root).load()


@pytest.mark.parametrize("cut", [slice(0, 200), slice(4, None)])
def test_a_compressed_table_that_is_broken(root, cut):
    data = gzip.compress((root / "train.csv").read_bytes())
    (root / "train.csv").unlink()
    (root / "train.csv.gz").write_bytes(data[cut])
    with pytest.raises(DataError, match=r"cannot read table .*train\.csv\.gz: "):
        dataset(root).load()


def test_a_table_that_is_a_link_out(root, tmp_path):
    (root / "train.csv").rename(tmp_path / "train.csv")
    (root / "train.csv").symlink_to(tmp_path / "train.csv")
    with pytest.raises(ConfigError, match=r"train\.csv is a link to .*only links to files inside"):
        dataset(root)
