"""DICOM files that are not shown alike, or that are not all pictures of one kind."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tests.corpus.case import Case
from tests.corpus.making import grey, put_table
from tgap.core import ImageSet

WORDS = ("dataset=image_folder", "dataset.domain=scan", "dataset.size=32")
HU = {"Modality": "CT", "RescaleSlope": 1, "RescaleIntercept": -1024}
WINDOW = {"WindowCenter": 40, "WindowWidth": 2000}
REPORT = {"Modality": "CT", "ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}
SCALES, WINDOWS = "without a window of their own have", "CT files have"
LOST, HIDDEN = "RescaleIntercept is", "become about black and white by the window"
RARE, LABELS = "DICOM files are ", "files of different labels are of different modalities"
ANY = (SCALES, WINDOWS, RARE, LABELS, LOST, HIDDEN)


def put_scan(file: Path, pixels: Any, bits: int = 12, **elements: Any) -> None:
    """A DICOM file of stored values."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

    scan = Dataset()
    scan.file_meta = FileMetaDataset()
    scan.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    scan.SOPClassUID = SecondaryCaptureImageStorage
    scan.SOPInstanceUID = generate_uid(entropy_srcs=[str(file)])
    scan.Rows, scan.Columns = pixels.shape
    scan.SamplesPerPixel, scan.PixelRepresentation = 1, 0
    scan.PhotometricInterpretation = "MONOCHROME2"
    scan.BitsAllocated, scan.BitsStored, scan.HighBit = 8 * pixels.itemsize, bits, bits - 1
    scan.PixelData = pixels.tobytes()
    for name, value in elements.items():
        setattr(scan, name, value)
    file.parent.mkdir(parents=True, exist_ok=True)
    scan.save_as(file, enforce_file_format=True)


def scans(says: Callable[[int, int], dict[str, Any]]) -> Callable[[Path], None]:
    """Thirty waves of 12 bits for each label, with what a file says by label and number."""

    def make(root: Path) -> None:
        for label, folder in enumerate(("ill", "well")):
            for number in range(30):
                elements = says(label, number)
                pixels = grey(label, number).astype(np.uint16) * 16
                put_scan(root / folder / f"{number}.dcm", pixels, **elements)

    return make


def hounsfield(intercept: Callable[[int], int], lost: bool, **says: Any) -> Callable[[Path], None]:
    """CT of the same tissues; where the intercept is lost, other files' stored values."""

    def make(root: Path) -> None:
        for label, folder in enumerate(("ill", "well")):
            for number in range(30):
                values = grey(label, number).astype(np.uint16) * 2 + 874  # -150 to 360 HU
                added = intercept(number)
                stored = values if lost else values - (added + 1024)
                elements = HU | {"RescaleIntercept": added, "PixelRepresentation": 1} | says
                pixels = stored.astype(np.int16)
                put_scan(root / folder / f"{number}.dcm", pixels, 16, **elements)

    return make


def with_reports(root: Path) -> None:
    """CT of which two are reports of 8 bits, and one a scout view."""
    scans(lambda label, number: HU)(root)
    for number in (3, 4):
        put_scan(root / "ill" / f"{number}.dcm", grey(1, number + 50), 8, **REPORT)
    scout = grey(0, 5).astype(np.uint16) * 16
    kind = {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}
    put_scan(root / "ill" / "5.dcm", scout, **HU, **kind)


def oblong(root: Path) -> None:
    """Every second row of waves, in pixels that are twice as high as wide."""
    for label, folder in enumerate(("ill", "well")):
        for number in range(30):
            pixels = grey(label, number)[::2].astype(np.uint16) * 16
            file = root / folder / f"{number}.dcm"
            put_scan(file, pixels, Modality="MR", PixelSpacing=[2, 1])


def is_not_cropped(data: ImageSet) -> None:
    """Three waves in the whole width, and in the whole height, as they were drawn."""
    for label in (0, 1):
        first = data.images[data.labels[:, label]][0, :, :, 0].astype(float)
        along = first.mean(axis=1 - label)
        assert np.abs(np.fft.rfft(along - along.mean())).argmax() == 3


def with_table(root: Path, says: Callable[[int], tuple[str, str, str]]) -> None:
    """Sixty files of thirty persons, and what a table says of each: patient, sex, age."""
    rows = []
    for number in range(60):
        who = number // 2
        elements = {"PatientID": f"{1000 + who}", "PatientSex": "MF"[who % 2]}
        elements["PatientAge"] = f"{20 + who:03d}Y"
        pixels = grey(who % 2, number).astype(np.uint16) * 16
        put_scan(root / f"{number:02d}.dcm", pixels, **elements)
        rows.append(f"{number:02d}.dcm,{'ab'[who % 2]},{','.join(says(number))}")
    put_table(root, ["file,label,patient,sex,age", *rows])


def _anonymous_pairs(root: Path) -> None:
    """Two nearly equal pictures of each person and label, a patient each by their headers."""
    for number in range(60):
        label, who = number % 2, number // 4
        pixels = grey(label, who).astype(np.uint16) * 16 + number // 2 % 2 * 100
        file = root / ("ill", "well")[label] / f"p{who}_{number}.dcm"
        put_scan(file, pixels, PatientID=f"A{number}", StudyInstanceUID=f"1.2.{number}")


def _persons(number: int) -> dict[str, Any]:
    """Each ``PatientID`` of two files, three of a person."""
    who = number // 6
    return {
        "PatientID": f"S{number // 2}",
        "PatientName": f"Doe{who}^J",
        "PatientBirthDate": f"19{who + 40}0101",
    }


TABLE = (*WORDS, "dataset.table=labels.csv")


def _series(root: Path, **elements: str) -> None:
    """Four slices of each of ten series, of patients who are not named."""
    for series in range(10):
        for number in range(4):
            picture = grey(series % 2, series * 4 + number).astype(np.uint16) * 16
            uids = {name: f"1.2.{series}" for name in elements if elements[name] == "shared"}
            name = f"{(series * 4 + number) * 7919 % 9973:x}.dcm"
            put_scan(root / "ab"[series % 2] / name, picture, PatientID="", **HU, **WINDOW, **uids)


CONTRADICT = "the table and the files' headers"

CASES = (
    *(
        Case(
            name=f"patients who are not named, and their files' {element}",
            make=partial(_series, **{element: "shared"}),
            words=WORDS,
            tells=(
                r"headers name no patients \(PatientID\), but 40 files are of 10 studies or series",
                "40 images of 32 x 32, grey, 10 patients",
            ),
        )
        for element in ("SeriesInstanceUID", "FrameOfReferenceUID", "StudyInstanceUID")
    ),
    Case(
        name="patients of whom nothing is said",
        make=_series,
        words=WORDS,
        tells=(r"patients are not known: the files' headers \(PatientID\) name none, so that",),
    ),
    Case(
        name="a table as the headers say",
        make=partial(
            with_table, says=lambda n: (f"{1000 + n // 2}", "MF"[n // 2 % 2], f"{20 + n // 2}")
        ),
        words=TABLE,
        untold=(CONTRADICT, "different values", "paths"),
    ),
    Case(
        name="patients under other names than in the headers",
        make=partial(with_table, says=lambda n: (f"p{n // 2 * 7 % 30}", "male", "")),
        words=TABLE,
        tells=("PatientSex. say different things of 30 of 60 images: 02.dcm .male; header F.",),
        untold=("PatientID. say",),
    ),
    Case(
        name="a table whose files are sorted by themselves",
        make=partial(
            with_table,
            says=lambda n: (f"{1000 + n * 7 % 60 // 2}", "MF"[n * 7 % 60 // 2 % 2], f"{n}"),
        ),
        words=TABLE,
        tells=(
            r"- The table and the files' headers \(PatientID\) say different things of 5\d of 60",
            r"PatientSex\) say different things",
            r"PatientAge\) say different things of 5\d of 60 images: 00.dcm \(0; header 020Y\)",
        ),
    ),
    Case(
        name="a table that gives the images of one header two patients",
        make=partial(with_table, says=lambda n: (f"p{n // 2}" + "x" * (n == 7), "", "")),
        words=TABLE,
        tells=(r"PatientID\) say different things of 1 of 60 images: 07.dcm \(p3x; header 1003\)",),
    ),
    Case(
        name="a PatientID for each study",
        make=scans(lambda label, number: _persons(30 * label + number)),
        words=WORDS,
        tells=(
            "- 10 persons, by PatientName and PatientBirthDate, have several PatientIDs .S0 and",
        ),
    ),
    Case(
        name="a PatientID for each file",
        make=scans(
            lambda label, number: {
                "PatientID": f"A{30 * label + number}",
                "StudyInstanceUID": f"1.2.{label}.{number // 3}",
            }
        ),
        words=WORDS,
        tells=("- PatientID is new in each of 60 files, although they are of 20 studies",),
        read=lambda data: np.testing.assert_equal(len(np.unique(data.patients)), 20),
    ),
    Case(
        name="a PatientID and a study for each file",
        make=scans(
            lambda label, number: {
                "PatientID": f"A{30 * label + number}",
                "StudyInstanceUID": f"1.2.{label}.{number}",
                "PatientName": "anonymous",
                "PatientBirthDate": "19000101",
            }
        ),
        words=WORDS,
        tells=("- The files' headers .PatientID. name 60 patients of 60 images; dataset.pat",),
        untold=("PatientID is new", "persons, by", "kept together", "its own patient:"),
    ),
    Case(
        name="a PatientID and a study for each file, and names and pictures of fewer",
        make=_anonymous_pairs,
        words=WORDS,
        tells=(
            "- 60 images seem to be of 15 patients",
            r"- \d+ of 60 \w+ resemble one next to them",
        ),
    ),
    Case(
        name="CT of two intercepts",
        make=scans(lambda _, number: HU | {"RescaleIntercept": -1024 if number % 3 else -1000}),
        words=WORDS,
        tells=(
            rf"(?s)Look at this first.*- DICOM files of CT {SCALES} 2 different scales .*"
            r"-1024 to 3071 in 40 files, -1000 to 3095 in 20 files.*set dataset.window=data, or",
        ),
        untold=(WINDOWS, RARE, LABELS, LOST),
        runs=True,
    ),
    Case(
        name="CT of two intercepts, measured",
        make=hounsfield(lambda number: -1024 if number % 3 else 0, lost=False),
        words=(*WORDS, "dataset.window=data"),
        untold=ANY,
    ),
    Case(
        name="CT whose intercept is lost",
        make=hounsfield(lambda number: -1024 if number % 3 else 0, lost=True),
        words=(*WORDS, "dataset.window=data"),
        tells=(
            r"(?s)Look at this first.*- The values of 20 CT files whose RescaleIntercept is 0 are "
            r"about 10[0-4]\d higher than those of 40 whose it is -1024.*: ill/0.dcm",
        ),
        untold=(SCALES, WINDOWS, RARE, LABELS, HIDDEN),
    ),
    Case(
        name="windows of width 1",
        make=scans(lambda _, number: WINDOW | {"WindowWidth": 1 if number % 4 == 0 else 4000}),
        words=WORDS,
        tells=(
            rf"(?s)Look at this first.*- 16 of 60 files looked at {HIDDEN}.*dataset.window=0:4095 "
            r"shows these of all files instead: ill/0.dcm",
        ),
    ),
    Case(
        name="windows of width 1, told so",
        make=scans(lambda *_: WINDOW | {"WindowWidth": 1}),
        words=(*WORDS, "dataset.window=0:4095"),
        untold=ANY,
    ),
    Case(
        name="narrow windows of CT",
        make=hounsfield(lambda _: -1024, lost=True, WindowCenter=40, WindowWidth=80),
        words=WORDS,
        untold=ANY,
    ),
    Case(
        name="CT of several windows",
        make=scans(
            lambda label, number: (
                HU | {"WindowCenter": [40 + 360 * (number % 3), 1], "WindowWidth": [2000, 9]}
            )
        ),
        words=WORDS,
        tells=(
            rf"(?s)Look at this first.*- {WINDOWS} 3 different windows .*-960:1040 in 20 files, "
            r"-600:1400 in 20 files.*such as dataset.window=-\d+:\d+",
        ),
        untold=(SCALES, RARE, LABELS),
    ),
    Case(
        name="CT of several windows, told so",
        make=scans(lambda _, number: HU | {"WindowCenter": number, "WindowWidth": 2000}),
        words=(*WORDS, "dataset.window=-1024:3071"),
        untold=ANY,
    ),
    Case(
        name="radiographs with a window each",
        make=scans(
            lambda _, number: {
                "Modality": ("DX", "CR")[number == 0],
                "WindowCenter": 2000 + number,
                "WindowWidth": 4000,
                "ImageType": ["DERIVED", "SECONDARY" if number < 2 else "PRIMARY"],
            }
        ),
        words=WORDS,
        untold=ANY,
    ),
    Case(
        name="CT of one window",
        make=scans(lambda _, number: HU | WINDOW | {"ImageType": ["DERIVED", "SECONDARY", "MPR"]}),
        words=WORDS,
        untold=ANY,
    ),
    Case(
        name="dose reports among CT",
        make=with_reports,
        words=WORDS,
        tells=(
            r"(?s)Look at this first.*- 2 of 60 DICOM files are CT, captured from a screen, most "
            r"others CT: .*dataset.exclude: ill/3.dcm, ill/4.dcm",
            r"1 of 60 DICOM files are CT, localizer, most others CT: .*ill/5.dcm",
        ),
        untold=(SCALES, WINDOWS, LABELS),
    ),
    Case(
        name="other modalities among radiographs",
        make=scans(lambda _, number: {"Modality": "OT" if number % 3 == 0 else "DX"}),
        words=WORDS,
        tells=(r"20 of 60 DICOM files are OT, most others radiographs \(CR, DX\): .*ill/0.dcm",),
        untold=(SCALES, WINDOWS, LABELS),
    ),
    Case(
        name="exports that are all of modality OT",
        make=scans(lambda *_: {"Modality": "OT", "ImageType": ["DERIVED", "SECONDARY"]}),
        words=WORDS,
        untold=ANY,
    ),
    Case(
        name="a modality for each label",
        make=scans(lambda label, _: {"Modality": ("MR", "DX")[label]}),
        words=WORDS,
        tells=(
            r"(?s)Look at this first.*- Files of different labels are of different modalities \("
            r"ill: MR, well: radiographs \(CR, DX\)\)",
        ),
        untold=(SCALES, WINDOWS, RARE),
    ),
    Case(name="oblong pixels", make=oblong, words=WORDS, read=is_not_cropped),
)
