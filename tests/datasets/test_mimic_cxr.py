import gzip
import io

import numpy as np
import pytest

from tests.datasets.conftest import assert_same, replace, write_grey
from tgap.core import ConfigError, DataError
from tgap.datasets.mimic_cxr import MimicCxr
from tgap.datasets.radiographs.observations import OBSERVATIONS, PATHOLOGIES

ALPHABETICAL = sorted(OBSERVATIONS)
CHEXPERT, METADATA, SPLIT = (f"mimic-cxr-2.0.0-{n}.csv" for n in ("chexpert", "metadata", "split"))

STUDIES = (
    (10000032, 50414267, {"No Finding": "1.0"}),
    (10000032, 53189527, {"Edema": "1.0", "Support Devices": "1.0", "Pneumonia": "0.0"}),
    (11000764, 57375967, {"Cardiomegaly": "-1.0"}),
    (12000898, 50771383, {"Pneumothorax": "1.0", "Fracture": "-1.0"}),
    (19999987, 55368167, {"No Finding": "1.0", "Support Devices": "-1.0"}),
)
IMAGES = (
    ("02aa804e-bde0afdd-112c0b34-7bc16630-4e384014", 10000032, 50414267, "PA", "train"),
    ("174413ec-4ec4c1f7-34ea26b7-c5f994f8-79ef1962", 10000032, 50414267, "LATERAL", "train"),
    ("2a2277a9-b0ded155-c0de8eb9-c124d10e-82c5caab", 10000032, 53189527, "AP", "train"),
    ("096052b7-d256dc40-453a102b-fa7d01c6-1b22c6b4", 11000764, 57375967, "AP", "validate"),
    ("d0b71acc-b5a62046-bbb5f6b8-7b173b85-65cdf738", 12000898, 50771383, "AP", "test"),
    ("bb6ba93e-9a1d0ae4-6b2c2a24-bf2a1b2c-11111111", 19999987, 55368167, "PA", "test"),
    ("cc6ba93e-9a1d0ae4-6b2c2a24-bf2a1b2c-22222222", 19999987, 55368167, "", "test"),
    ("dd6ba93e-9a1d0ae4-6b2c2a24-bf2a1b2c-33333333", 19999987, 58621812, "PA", "test"),
)


def file_of(image, suffix=".jpg"):
    dicom, subject, study, *_ = image
    return f"files/p{str(subject)[:2]}/p{subject}/s{study}/{dicom}{suffix}"


FILES = [file_of(image) for image in IMAGES]


def write(path, header, rows):
    lines = [",".join(header), *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n")


def put_tables(root, studies=STUDIES, images=IMAGES):
    ids = ("subject_id", "study_id")
    observed = [(p, s, *(cells.get(name, "") for name in ALPHABETICAL)) for p, s, cells in studies]
    write(root / CHEXPERT, (*ids, *ALPHABETICAL), observed)
    header = ("dicom_id", *ids, "PerformedProcedureStepDescription", "ViewPosition", "Rows")
    described = [(dicom, p, s, '"CHEST (PA, LAT)"', view, 3056) for dicom, p, s, view, _ in images]
    write(root / METADATA, header, described)
    write(
        root / SPLIT,
        ("dicom_id", "study_id", "subject_id", "split"),
        [(dicom, s, p, part) for dicom, p, s, _, part in reversed(images)],
    )


def put(root):
    for number, name in enumerate(FILES, 1):
        write_grey(root / name, 10 * number, (20, 16))
    put_tables(root)
    return root


@pytest.fixture
def root(tmp_path):
    return put(tmp_path / "mimic-cxr-jpg")


def dataset(path, **fields):
    return MimicCxr(path=str(path), size=8, **fields)


def loaded(path, **fields):
    """Each image's row of the metadata, and the data."""
    data = dataset(path, **fields).load()
    return (data.images[:, 0, 0, 0] // 10).tolist(), data


# What is read


def test_binary_labels_of_frontal_views(root):
    rows, data = loaded(root)
    assert rows == [1, 3, 5, 6]
    assert data.label_names == ("no_finding", "unhealthy")
    assert data.labels.astype(int).tolist() == [[1, 0], [0, 1], [0, 1], [1, 0]]
    found = [[PATHOLOGIES[i] for i in np.flatnonzero(row)] for row in data.findings]
    assert found == [[], ["Edema"], ["Pneumothorax"], []]
    assert data.patients.tolist() == [10000032, 10000032, 12000898, 19999987]
    assert data.patient_names.tolist() == ["10000032", "10000032", "12000898", "19999987"]
    assert data.official_test.tolist() == [False, False, True, True]
    assert data.metadata["file"].tolist() == [FILES[i - 1] for i in rows]
    assert data.metadata["view"].tolist() == ["PA", "AP", "AP", "PA"]
    assert data.metadata["study"].tolist() == ["50414267", "53189527", "50771383", "55368167"]
    # the last image's study has no observations, so its file is none that is read
    assert data.notes == {
        "unlabelled": 1,
        "other_views": 2,
        "undecided": 1,
        "unlisted": 1,
        "warned": data.notes["warned"],
    }


def test_views_in_small_letters(root):
    table = root / METADATA
    table.write_text(table.read_text().replace(",PA,", ",pa,").replace(",AP,", ",Ap,"))
    rows, data = loaded(root)
    assert rows == [1, 3, 5, 6]
    assert data.metadata["view"].tolist() == ["pa", "Ap", "Ap", "pa"]


def test_images_in_the_order_of_the_metadata(root):
    put_tables(root, images=IMAGES[::-1])
    rows, data = loaded(root, uncertain="ones")
    assert rows == [6, 5, 4, 3, 1]
    assert data.labels[:, 1].tolist() == [False, True, True, True, False]
    assert data.official_test.tolist() == [True, True, False, False, False]


def test_all_views(root):
    rows, data = loaded(root, views="all")
    assert rows == [1, 2, 3, 5, 6, 7]
    assert data.labels[0].tolist() == data.labels[1].tolist()
    assert data.metadata["view"].tolist() == ["PA", "LATERAL", "AP", "AP", "PA", ""]


@pytest.mark.parametrize(
    ("uncertain", "rows", "unhealthy"),
    [
        ("zeros", [1, 3, 5, 6], [0, 1, 1, 0]),
        ("ones", [1, 3, 4, 5, 6], [0, 1, 1, 1, 0]),
        ("ignore", [1, 3, 6], [0, 1, 0]),
    ],
)
def test_uncertain_observations(root, uncertain, rows, unhealthy):
    found, data = loaded(root, uncertain=uncertain)
    assert found == rows
    assert data.labels[:, 1].astype(int).tolist() == unhealthy


def test_the_observations_as_they_are(root):
    studies = [
        (p, s, {OBSERVATIONS[i]: "1", OBSERVATIONS[13 - i]: "1.0"})
        for i, (p, s, _) in enumerate(STUDIES)
    ]
    extra = [(13000000 + i, 60000000 + i, {OBSERVATIONS[i]: "1"}) for i in (5, 6, 7, 8)]
    images = [*IMAGES, *((f"e{p}", p, s, "PA", "train") for p, s, _ in extra)]
    for image in images[len(IMAGES) :]:
        write_grey(root / file_of(image), 200)
    put_tables(root, studies + extra, images)
    data = dataset(root, labels="findings").load()
    assert data.label_names == ("no_finding", *OBSERVATIONS[1:])
    held = [np.flatnonzero(row).tolist() for row in data.labels]
    assert held == [[0, 13], [1, 12], [2, 11], [3, 10], [4, 9], [5], [6], [7], [8]]


@pytest.mark.parametrize("change", ["gzip", "one gzip"])
def test_compressed_tables(root, change):
    expected = dataset(root).load()
    for name in (CHEXPERT, METADATA, SPLIT)[: 3 if change == "gzip" else 1]:
        (root / f"{name}.gz").write_bytes(gzip.compress((root / name).read_bytes()))
        (root / name).unlink()
    assert_same(dataset(root).load(), expected)


def test_dicom_files_in_place_of_jpeg(root):
    pydicom = pytest.importorskip("pydicom", reason="the extra 'dicom' is not installed")
    for number, name in enumerate(FILES[:5], 1):
        ds = pydicom.Dataset()
        ds.file_meta = pydicom.dataset.FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        ds.SOPClassUID = pydicom.uid.DigitalXRayImageStorageForPresentation
        ds.SOPInstanceUID = f"1.2.{number}"
        ds.Rows, ds.Columns, ds.SamplesPerPixel = 16, 20, 1
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
        ds.PhotometricInterpretation = "MONOCHROME1" if number == 3 else "MONOCHROME2"
        level = round((10 * number + 5) / 255 * 4095)
        stored = 4095 - level if number == 3 else level
        ds.PixelData = np.full((16, 20), stored, np.uint16).tobytes()
        buffer = io.BytesIO()
        pydicom.dcmwrite(buffer, ds, enforce_file_format=True)
        (root / name).with_suffix(".dcm").write_bytes(buffer.getvalue())
        if number != 1:
            (root / name).unlink()
    rows, data = loaded(root)
    assert rows == [1, 3, 5, 6]
    assert data.images[:, 0, 0, 0].tolist() == [10, 35, 55, 60]  # of the first, the JPEG
    assert data.metadata["file"].tolist() == [
        FILES[0],
        file_of(IMAGES[2], ".dcm"),
        file_of(IMAGES[4], ".dcm"),
        FILES[5],
    ]


# Errors


def test_folders_without_the_tables(root):
    (root / SPLIT).unlink()
    (root / CHEXPERT).unlink()
    with pytest.raises(ConfigError, match=rf"path must hold {CHEXPERT}, {SPLIT} \(or \.csv\.gz\)"):
        dataset(root)


FIRST = IMAGES[0][0]
WRONG = {
    "a column's name": (
        METADATA,
        "ViewPosition",
        "View Position",
        "metadata.csv has no column 'ViewPosition'; did you mean 'View Position'",
    ),
    "another value": (
        CHEXPERT,
        ",1.0,",
        ",yes,",
        "'No Finding' must be 1 .positive.*got 'yes' on line 2",
    ),
    "a split": (
        SPLIT,
        "train",
        "tune",
        "'split' must be one of train, validate, test; got 'tune' on line",
    ),
    "leaves": (
        METADATA,
        FIRST,
        "../x",
        "'dicom_id' must be letters, digits and hyphens; got '../x' on l",
    ),
    "absolute": (METADATA, FIRST, "/x", "'dicom_id' must be letters.*got '/x' on line 2"),
    "a subject": (METADATA, "10000032", "../3", "'subject_id' must be a whole number; got '../3'"),
    "a study": (
        METADATA,
        "50414267",
        "s5",
        "'study_id' must be a whole number; got 's5' on line 2",
    ),
    "a study as a number": (
        METADATA,
        "50414267",
        "50414267.0",
        r"got '50414267.0' on line 2; a tool has made numbers of them \(pandas: dtype=\{'study_id'",
    ),
    "a study twice": (CHEXPERT, "53189527", "50414267", "lines 2 and 3 both name 50414267"),
    "an image twice": (METADATA, IMAGES[1][0], FIRST, f"lines 2 and 3 both name {FIRST}"),
    "no split": (SPLIT, FIRST, "x", f"does not name 1 images of table {METADATA} .*: {FIRST}; are"),
    "another subject": (SPLIT, "19999987", "19999986", "does not name 1 images of .*: dd6ba93e"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_tables_are_told_with_the_line(root, what):
    name, old, new, message = WRONG[what]
    replace(root / name, old, new)
    with pytest.raises(DataError, match=message):
        dataset(root).load()


def test_tables_of_different_releases(root):
    put_tables(root, [(10000099, 50000099, {})])
    with pytest.raises(DataError, match=r"no image of table .*metadata.csv is of a study in table"):
        dataset(root).load()


def test_a_patient_in_both_sets(root):
    images = [*IMAGES[:2], (*IMAGES[2][:4], "test"), *IMAGES[3:]]
    put_tables(root, images=images)
    with pytest.raises(DataError, match=r"official test set and also outside it: 10000032$"):
        dataset(root).load()
