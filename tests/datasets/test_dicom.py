import io
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tgap.core import DataError
from tgap.datasets.image_folder import ImageFolder
from tgap.datasets.reading import listing as listing_module
from tgap.datasets.reading.decoding import decode, decode_all
from tgap.datasets.reading.depth import chosen_window
from tgap.datasets.reading.dicom import dicom_header, is_dicom, person
from tgap.datasets.reading.listing import list_images
from tgap.datasets.reading.pixels import read_image
from tgap.datasets.reading.window import Window

pydicom = pytest.importorskip("pydicom", reason="the extra 'dicom' is not installed")
from pydicom.dataset import Dataset, FileMetaDataset  # noqa: E402
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_windowing  # noqa: E402
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian  # noqa: E402

PICTURE = np.random.default_rng(0).integers(0, 256, (20, 20), dtype=np.uint8)
DEEP = np.random.default_rng(1).integers(0, 4096, (20, 20), dtype=np.uint16)
DEEP[0, :2] = 0, 4095
for array in (PICTURE, DEEP):
    array.setflags(write=False)


def dataset(pixels, photometric="MONOCHROME2", bits=None, **elements) -> Dataset:
    """A secondary capture image of these stored values."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = elements.pop("syntax", ExplicitVRLittleEndian)
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.7")
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3")
    ds.Rows, ds.Columns = pixels.shape[:2]
    ds.SamplesPerPixel = pixels.shape[2] if pixels.ndim == 3 else 1
    if pixels.ndim == 3:
        ds.PlanarConfiguration = 0
    ds.PhotometricInterpretation = photometric
    ds.BitsAllocated = 8 * pixels.itemsize
    ds.BitsStored = bits or ds.BitsAllocated
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(pixels.dtype.kind == "i")
    ds.PixelData = pixels.tobytes()
    for name, value in elements.items():
        setattr(ds, name, value)
    return ds


def written(ds: Dataset) -> bytes:
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()


def content(pixels, photometric="MONOCHROME2", bits=None, **elements) -> bytes:
    return written(dataset(pixels, photometric, bits, **elements))


def shown(pixels, *arguments, **elements):
    return decode(content(pixels, *arguments, **elements), len(pixels))[:, :, 0]


def linear(values, low, high):
    """Grey levels of values between two ends, by the formula."""
    return np.rint(255 * np.clip((values.astype(float) - low) / (high - low), 0, 1))


def lut(entries, start, bits, words=True):
    item = Dataset()
    item.LUTDescriptor = [len(entries), start, bits]
    data = np.asarray(entries, dtype="<u2")
    item.add_new(0x00283006, *(("OW", data.tobytes()) if words else ("US", data.tolist())))
    return [item]


# Stored values


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_eight_bits_are_taken_as_they_are(syntax):
    assert np.array_equal(shown(PICTURE, syntax=syntax), PICTURE)


@given(bits=st.integers(8, 16), seed=st.integers(0, 99))
@settings(max_examples=30)
def test_stored_bits_fix_black_and_white(bits, seed):
    pixels = np.random.default_rng(seed).integers(0, 2**bits, (12, 12)).astype(np.uint16)
    assert np.array_equal(shown(pixels, bits=bits), linear(pixels, 0, 2**bits - 1))


def test_the_image_s_own_extremes_do_not_count():
    dark = (DEEP // 16).astype(np.uint16)
    assert shown(dark, bits=12).max() == 16


def test_signed_values():
    pixels = DEEP.astype(np.int16) - 2048
    assert np.array_equal(shown(pixels, bits=12), linear(DEEP, 0, 4095))


def test_bits_above_those_stored_do_not_count():
    overlaid = DEEP | np.uint16(0xA000)
    assert np.array_equal(shown(overlaid, bits=12), shown(DEEP, bits=12))


@pytest.mark.parametrize("signed", [False, True])
def test_stored_bits_may_end_below_the_highest(signed):
    values = DEEP.astype(np.int16) - 2048 if signed else DEEP
    assert np.array_equal(shown(values << 4, bits=12, HighBit=15), shown(values, bits=12))


@pytest.mark.parametrize("meta", [True, False])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_a_file_without_preamble_is_the_same_picture(syntax, meta):
    ds = dataset(DEEP, bits=12, syntax=syntax, PatientID="P7")
    data = written(ds)[132:]
    if not meta:  # and no group 2
        del ds.file_meta
        buffer, implicit = io.BytesIO(), syntax == ImplicitVRLittleEndian
        pydicom.dcmwrite(buffer, ds, implicit_vr=implicit, little_endian=True)
        data = buffer.getvalue()
    assert np.array_equal(decode(data, 20)[:, :, 0], shown(DEEP, bits=12))
    assert person(io.BytesIO(data)).id == "P7"


def groups(**elements):
    """A sequence of one functional group."""
    group, item = Dataset(), Dataset()
    for name, value in elements.items():
        setattr(item, name, value)
    kind = "PixelValueTransformation" if "RescaleSlope" in elements else "FrameVOILUT"
    setattr(group, f"{kind}Sequence", [item])
    return [group]


def test_an_enhanced_image_of_one_frame_is_rescaled_and_windowed_by_its_groups():
    plain = shown(DEEP, bits=12, **HU, **OWN)
    assert np.array_equal(
        shown(
            DEEP,
            bits=12,
            NumberOfFrames=1,
            SharedFunctionalGroupsSequence=groups(**HU),
            PerFrameFunctionalGroupsSequence=groups(**OWN),
        ),
        plain,
    )


def test_a_palette_gives_colours_by_the_upper_bits():
    tables = {
        f"{name}PaletteColorLookupTable{part}": value
        for number, name in enumerate(("Red", "Green", "Blue"))
        for part, value in (
            ("Descriptor", [256, 0, 16]),
            ("Data", ((np.arange(256) ^ number) * 256 + 9).astype("<u2").tobytes()),
        )
    }
    found = decode(content(PICTURE, "PALETTE COLOR", **tables), 20, "rgb")
    assert np.array_equal(found, PICTURE[:, :, None] ^ np.arange(3, dtype=np.uint8))


def test_sixteen_bits_are_those_of_a_png():
    pixels = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    png = io.BytesIO()
    Image.fromarray(pixels).save(png, "PNG")
    assert np.array_equal(shown(pixels), decode(png.getvalue(), 256)[:, :, 0])


# Inversion


def test_monochrome1_is_the_same_picture():
    inverted = 4095 - DEEP
    plain = shown(DEEP, bits=12)
    assert np.array_equal(shown(inverted, "MONOCHROME1", bits=12), plain)
    assert plain[0, :2].tolist() == [0, 255]


def test_an_inverse_presentation_shape_does_not_invert_again():
    found = shown(4095 - DEEP, "MONOCHROME1", 12, PresentationLUTShape="INVERSE")
    assert np.array_equal(found, shown(DEEP, bits=12))


FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")


@given(center=st.integers(0, 4095), width=st.integers(2, 5000), function=st.sampled_from(FUNCTIONS))
@settings(max_examples=40)
def test_monochrome1_in_a_window_is_the_same_picture(center, width, function):
    shift = 4096 if function == "LINEAR" else 4095
    window = {"WindowWidth": width, "VOILUTFunction": function}
    plain = shown(DEEP, bits=12, WindowCenter=center, **window)
    inverted = shown(4095 - DEEP, "MONOCHROME1", 12, WindowCenter=shift - center, **window)
    assert np.array_equal(inverted, plain)


# Modality and window


@pytest.mark.filterwarnings("ignore:overflow encountered in exp")  # in pydicom
@given(
    center=st.integers(-1500, 3000),
    width=st.integers(2, 5000),
    function=st.sampled_from(FUNCTIONS),
    slope=st.sampled_from([None, 1, 0.5, 2.25]),
    signed=st.booleans(),
)
@settings(max_examples=60)
def test_windows_are_those_of_pydicom(center, width, function, slope, signed):
    pixels = DEEP.astype(np.int16) - 2048 if signed else DEEP
    elements = {"WindowCenter": center, "WindowWidth": width, "VOILUTFunction": function}
    if slope:
        elements |= {"RescaleSlope": slope, "RescaleIntercept": -1000}
    ds = dataset(pixels, bits=12, **elements)
    expected = apply_windowing(apply_modality_lut(pixels, ds), ds)
    low, high = (-2048, 2047) if signed else (0, 4095)
    if slope:
        low, high = low * slope - 1000, high * slope - 1000
    exact = 255 * (expected - low) / (high - low)
    assert abs(decode(written(ds), 20)[:, :, 0] - exact).max() <= 0.5 + 1e-6


def test_a_window_by_its_formula():
    found = shown(DEEP, bits=12, WindowCenter=2048, WindowWidth=1001)
    assert np.array_equal(found, linear(DEEP, 1547.5, 2547.5))


def test_the_first_of_several_windows_counts():
    several = {"WindowCenter": [500, 3000], "WindowWidth": [300, 100]}
    one = {"WindowCenter": 500, "WindowWidth": 300}
    assert np.array_equal(shown(DEEP, bits=12, **several), shown(DEEP, bits=12, **one))
    assert not np.array_equal(shown(DEEP, bits=12, **one), shown(DEEP, bits=12))


@pytest.mark.filterwarnings("error")
def test_a_window_of_width_one_is_a_threshold():
    found = shown(DEEP, bits=12, WindowCenter=2048, WindowWidth=1)
    assert np.array_equal(found, np.where(DEEP > 2047.5, 255, 0))


def test_rescaling_without_a_window_keeps_the_picture_and_may_invert_it():
    plain = shown(DEEP, bits=12)
    assert np.array_equal(shown(DEEP, bits=12, RescaleSlope=2, RescaleIntercept=-1000), plain)
    inverse = shown(DEEP, bits=12, RescaleSlope=-1, RescaleIntercept=0)
    assert np.array_equal(inverse, 255 - plain.astype(int))


@pytest.mark.parametrize("words", [True, False])
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_a_voi_table_goes_before_a_window(bits, words):
    entries = np.random.default_rng(2).integers(0, 2**bits, 3000)
    found = shown(
        DEEP,
        bits=12,
        VOILUTSequence=lut(entries, 500, bits, words),
        WindowCenter=100,
        WindowWidth=10,
    )
    looked_up = entries[np.clip(DEEP.astype(int) - 500, 0, 2999)]
    assert np.array_equal(found, linear(looked_up, 0, 2**bits - 1))


def test_a_voi_table_starts_at_a_negative_value():
    entries = np.arange(4096)[::-1]
    item = lut(entries, 0, 12)
    item[0].add_new(0x00283002, "SS", [4096, -2048, 12])
    found = shown(DEEP.astype(np.int16) - 2048, bits=12, VOILUTSequence=item)
    assert np.array_equal(found, linear(4095 - DEEP.astype(int), 0, 4095))


def test_a_table_of_65536_entries_is_announced_by_0():
    entries = np.random.default_rng(6).integers(0, 65536, 65536)
    item = lut(entries[:1], 0, 16)
    item[0].LUTDescriptor = [0, 0, 16]
    item[0].LUTData = entries.astype("<u2").tobytes()
    pixels = np.random.default_rng(7).integers(0, 65536, (20, 20)).astype(np.uint16)
    assert np.array_equal(shown(pixels, VOILUTSequence=item), linear(entries[pixels], 0, 65535))


def test_a_modality_table_then_a_window():
    entries = np.random.default_rng(3).integers(0, 65536, 4096)
    table = {"ModalityLUTSequence": lut(entries, 0, 16)}
    table["ModalityLUTSequence"][0].ModalityLUTType = "US"
    assert np.array_equal(shown(DEEP, bits=12, **table), linear(entries[DEEP], 0, 65535))
    window = {"WindowCenter": 30000, "WindowWidth": 10001}
    assert np.array_equal(
        shown(DEEP, bits=12, **table, **window), linear(entries[DEEP], 24999.5, 34999.5)
    )


# Colours and compression


def test_colours_are_taken_as_they_are():
    pixels = np.random.default_rng(4).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    assert np.array_equal(decode(content(pixels, "RGB"), 20, "rgb"), pixels)
    luma = pixels @ np.array([0.299, 0.587, 0.114])
    assert abs(decode(content(pixels, "RGB"), 20)[:, :, 0] - luma).max() <= 0.51


def test_luma_and_chroma_become_rgb():
    pixels = np.random.default_rng(4).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    stored = np.asarray(Image.fromarray(pixels).convert("YCbCr"))
    found = decode(content(stored, "YBR_FULL"), 20, "rgb").astype(int)
    assert abs(found - pixels).max() <= 3


def test_run_length_encoding_is_read():
    ds = dataset(DEEP, bits=12)
    ds.compress(pydicom.uid.RLELossless)
    assert np.array_equal(decode(written(ds), 20)[:, :, 0], linear(DEEP, 0, 4095))


def encapsulated(pixels, kind, syntax, bits, **options) -> tuple[bytes, bytes]:
    """A file with the pixels as Pillow compresses them, and that file alone."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    ds = dataset(pixels, bits=bits, syntax=syntax)
    ds.PixelData = pydicom.encaps.encapsulate([buffer.getvalue()])
    ds["PixelData"].is_undefined_length = True
    return written(ds), buffer.getvalue()


def test_a_jpeg_inside_is_what_pillow_decodes():
    syntax = pydicom.uid.JPEGBaseline8Bit
    inside, jpeg = encapsulated(PICTURE, "JPEG", syntax, 8, quality=90)
    assert np.array_equal(decode(inside, 20), decode(jpeg, 20))


def test_a_lossless_jpeg_2000_inside():
    pixels, syntax = DEEP * np.uint16(16), pydicom.uid.JPEG2000Lossless
    inside, _ = encapsulated(pixels, "JPEG2000", syntax, 16, no_jp2=True)
    assert np.array_equal(decode(inside, 20)[:, :, 0], linear(pixels, 0, 65535))
    too_few_bits, _ = encapsulated(pixels, "JPEG2000", syntax, 12, no_jp2=True)
    with pytest.raises(DataError, match="values from 0 to 65520 are beyond its 12 bits"):
        decode(too_few_bits, 20)


# A window from outside

HU = {"RescaleSlope": 1, "RescaleIntercept": -1024}
OWN = {"WindowCenter": 500, "WindowWidth": 300}


def given(low, high, **changed):
    return Window(low, high, **({"eight_bit": False, "given": True} | changed))


def within(window, pixels, *arguments, **elements):
    data = content(pixels, *arguments, **elements)
    return decode(data, len(pixels), window=window)[:, :, 0]


@pytest.mark.parametrize("own", [{}, OWN, {"VOILUTSequence": lut(range(4096), 0, 12)}])
def test_given_ends_are_of_the_modality_s_values_and_go_before_the_file_s_own(own):
    found = within(given(-160, 240), DEEP, bits=12, **HU, **own)
    assert np.array_equal(found, linear(DEEP.astype(float) - 1024, -160, 240))


def test_measured_ends_leave_a_file_s_own_window():
    measured = given(-1000, 3000, given=False)
    assert np.array_equal(within(measured, DEEP, bits=12, **OWN), shown(DEEP, bits=12, **OWN))
    assert np.array_equal(within(measured, DEEP, bits=12), linear(DEEP, -1000, 3000))


def test_the_kind_says_whether_a_file_has_a_window_of_its_own():
    kinds = [dicom_header(io.BytesIO(content(DEEP, bits=12, **own)))[2] for own in ({}, OWN)]
    assert kinds == ["DICOM, 12 bit, grey", "DICOM, 12 bit, grey, a window of its own"]


def test_monochrome1_is_white_at_the_lower_end():
    found = within(given(1000, 2000), DEEP, "MONOCHROME1", 12)
    assert np.array_equal(found, 255 - linear(DEEP, 1000, 2000))


def test_eight_bits_have_a_scale_of_their_own():
    assert np.array_equal(within(given(0, 4095), PICTURE), PICTURE)
    assert np.array_equal(within(given(0, 15, eight_bit=True), PICTURE), linear(PICTURE, 0, 15))
    colour = PICTURE[:, :, None].repeat(3, axis=2)
    found = decode(content(colour, "RGB"), 20, "rgb", window=given(0, 15, eight_bit=True))
    assert np.array_equal(found, linear(colour, 0, 15))


def test_the_range_is_measured_over_files_without_a_window_and_padding_aside():
    padded = DEEP.astype(np.int16)
    padded[3] = -2000
    files = [
        content(padded, PixelPaddingValue=-2000, **HU),
        content(np.full((20, 20), 4095, np.uint16), bits=12, WindowCenter=1, WindowWidth=9),
        content(PICTURE),
        b"no picture",
    ]
    found = chosen_window("data", files, 2)
    assert found == Window(-1024, 4095 - 1024, eight_bit=False, given=False)
    assert chosen_window("data", files[1:], 2) == Window(0, 255, eight_bit=True, given=False)
    assert chosen_window("data", files[1:2], 2) is None


def test_flat_ct_is_refused_and_the_remedy_helps():
    rng = np.random.default_rng(8)
    slices = [content(rng.integers(-1000, 2000, (20, 20)).astype(np.int16)) for _ in range(6)]
    names = [str(number) for number in range(6)]
    with pytest.raises(DataError) as caught:
        decode_all(slices, names, 20)
    assert "6 of 6 images are nearly black or flat as dataset.window=full" in str(caught.value)
    setting = re.search(r"dataset.window=(\S+?:\S+?), or", str(caught.value))[1]
    for window in (setting, "data"):
        found = decode_all(slices, names, 20, window=window)
        assert found.notes == {}
        assert len(np.unique(found.images)) > 200


def test_few_flat_files_are_told_and_so_are_those_of_given_ends(caplog):
    dark = content((DEEP // 4).astype(np.uint16))
    files = [dark, *([content(DEEP, bits=12)] * 9)]
    found = decode_all(files, list("abcdefghij"), 20)
    assert "1 of 10 images are nearly black" in found.notes["few_levels"]
    assert "no window shows all: dataset.window=0:1023 makes 90% of the files" in caplog.text
    found = decode_all([dark] * 4, list("abcd"), 20, window="0:65535")
    assert "4 of 4 images are nearly black" in found.notes["few_levels"]


# Files that come with pydicom

OWN_FILES = Path(pydicom.__file__).parent / "data"
NOT_READ = {
    "needs another package": "MR_small_jpeg_ls_lossless SC_rgb_jpeg_gdcm SC_rgb_jls_lossy_sample "
    "SC_rgb_jls_lossy_line JPEGLSNearLossless_08 JPEGLSNearLossless_16",
    "does not support 'JPEG Ext": "JPEG-lossy JPGExtended",
    "broken data stream": "GDCMJ2K_TextGBR",
    "(?s)Unable to decode": "JPEG2000-embedded-sequence-delimiter",
    "fewer|less than expected": "MR_truncated",
    "has 1A frames": "badVR",
    r"has \d+ frames; only single": "SC_rgb_rle_16bit_2frame SC_rgb_rle_2frame rtdose rtdose_expb "
    "SC_rgb_rle_32bit_2frame rtdose_rle examples_ybr_color",
    "pixels of (16|32) bits, (16|32) allocated, are not": "SC_rgb_rle_16bit SC_rgb_rle_32bit "
    "rtdose_1frame rtdose_expb_1frame rtdose_rle_1frame",
    "pixels of 1 bits, 1 allocated": "liver_1frame liver_expb_1frame",
    "header lacks Rows|without pixel data": "meta_missing_tsyntax nested_priv_SQ",
}
"""Those with pixels that are not read: the reason, and the files' names without suffix."""


def expected_of(ds):
    """A picture's levels by pydicom's own functions, not rounded."""
    if ds.PhotometricInterpretation == "PALETTE COLOR":
        return (apply_color_lut(ds.pixel_array, ds) // 256).astype(float)
    if ds.PhotometricInterpretation not in ("MONOCHROME1", "MONOCHROME2"):
        return ds.pixel_array.astype(float)
    low = -(2 ** (ds.BitsStored - 1)) if ds.PixelRepresentation else 0
    ends = np.array([low, low + 2**ds.BitsStored - 1], dtype=float)
    if "RescaleSlope" in ds:
        ends = ends * float(ds.RescaleSlope) + float(ds.RescaleIntercept)
    values = apply_windowing(apply_modality_lut(ds.pixel_array, ds), ds)
    share = (values - ends[0]) / (ends[1] - ends[0])
    return 255 * (1 - share if ds.PhotometricInterpretation == "MONOCHROME1" else share)


@pytest.mark.filterwarnings("ignore")
def test_files_that_come_with_pydicom_are_read_right_or_refused_by_reason():
    reasons = {name: why for why, names in NOT_READ.items() for name in names.split()}
    read, oblong, wrong = 0, 0, []
    for file in sorted(path for path in OWN_FILES.rglob("*") if path.is_file()):
        with file.open("rb") as stream:
            if not is_dicom(stream):
                continue
        ds = pydicom.dcmread(file, force=True)
        has_pixels = "PixelData" in ds
        why = reasons.get(file.stem) if has_pixels else "without pixel data|header lacks"
        try:
            colour = not ds.get("PhotometricInterpretation", "MONOCHROME2").startswith("MONO")
            found = np.asarray(read_image(file, "RGB" if colour else "L"))
            down, across = ds.get("PixelSpacing") or (1, 1)
            if down != across:  # two localizers, whose pixels are 9 % wider than high
                assert found.shape == (ds.Rows, round(ds.Columns * across / down))
                oblong += 1
            elif why or abs(found - expected_of(ds)).max() > 0.5 + 1e-6:
                wrong.append(f"{file.name}: read, expected {why or 'other values'}")
            read += 1
        except DataError as error:
            if why is None or not re.search(why, str(error)):
                wrong.append(f"{file.name}: {error}")
    assert wrong == []
    assert (read >= 70, oblong) == (True, 2)


# Pixels that are not square


def disc(height, width):
    """A disc that fills a picture, or an ellipse."""
    y, x = np.mgrid[:height, :width]
    inside = ((y + 0.5) / height - 0.5) ** 2 + ((x + 0.5) / width - 0.5) ** 2 < 0.25
    return np.where(inside, 255, 0).astype(np.uint8)


def measures(spacing):
    group, item = Dataset(), Dataset()
    item.PixelSpacing = spacing
    group.PixelMeasuresSequence = [item]
    return [group]


@pytest.mark.parametrize(
    "elements",
    [
        {"PixelSpacing": [2, 1]},
        {"ImagerPixelSpacing": [0.4, 0.2]},
        {"PixelAspectRatio": [2, 1]},
        {"PixelSpacing": [0, 0], "PixelAspectRatio": [2, 1]},
        {"NumberOfFrames": 1, "SharedFunctionalGroupsSequence": measures([2, 1])},
    ],
)
def test_oblong_pixels_become_square_ones_and_a_disc_stays_a_disc(elements):
    data = content(disc(40, 80), **elements)
    found = np.asarray(read_image(data, "L")).astype(int)
    assert found.shape == (80, 80)
    assert abs(found - disc(80, 80)).mean() < 5
    assert dicom_header(io.BytesIO(data))[:2] == (80, 80)
    colour = content(disc(40, 80)[:, :, None].repeat(3, axis=2), "RGB", **elements)
    assert np.array_equal(np.asarray(read_image(colour, "RGB"))[:, :, 0], found)


def test_pixels_that_are_wider_than_high_are_widened():
    data = content(disc(80, 40), PixelSpacing=[1, 2])
    assert abs(np.asarray(read_image(data, "L")).astype(int) - disc(80, 80)).mean() < 5


@pytest.mark.parametrize("spacing", [[0.5, 0.5], [0.5, 0.505], [1], [0, 1]])
def test_pixels_that_are_square_or_unknown_are_taken_as_they_are(spacing):
    assert np.array_equal(shown(PICTURE, PixelSpacing=spacing), PICTURE)


def test_a_spacing_that_cannot_be_is_told():
    with pytest.raises(DataError, match=r"in square pixels it would be 20 x 20000000: a wrong sp"):
        shown(PICTURE, PixelSpacing=[1000, 0.001])


# As any other image


@pytest.mark.parametrize("fit", ["crop", "squash", "pad"])
@pytest.mark.parametrize("color", ["grey", "rgb"])
def test_fitted_as_a_png_of_the_same_picture(fit, color):
    pixels = np.random.default_rng(5).integers(0, 256, (30, 44), dtype=np.uint8)
    png = io.BytesIO()
    Image.fromarray(pixels).save(png, "PNG")
    expected = decode(png.getvalue(), 17, color, fit)
    assert np.array_equal(decode(content(pixels), 17, color, fit), expected)


@pytest.fixture
def folder(tmp_path):
    for name, level in {
        "cat/1.dcm": 10,
        "cat/2.png": 20,
        "dog/3.DICOM": 30,
        "dog/4.png": 40,
    }.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        if file.suffix == ".png":
            Image.new("L", (16, 16), level).save(file)
        else:
            file.write_bytes(content(np.full((16, 16), level, np.uint8)))
    return tmp_path


def test_an_image_folder_holds_them_beside_others(folder):
    data = ImageFolder(path=str(folder), size=8).load()
    assert data.images[:, 0, 0, 0].tolist() == [10, 20, 30, 40]
    assert data.labels[:, 0].tolist() == [True, True, False, False]
    assert data.notes == {"own_patients": True}


def test_known_by_its_prefix_whatever_its_name(folder):
    (folder / "cat" / "1.dcm").rename(folder / "cat" / "1.png")
    assert ImageFolder(path=str(folder), size=8).load().images[0, 0, 0, 0] == 10


def test_files_without_the_usual_suffix_are_known_by_their_content(folder):
    names = {"cat/1.dcm": "cat/IM000001", "dog/3.DICOM": "dog/1.2.840.113619.2.5.19"}
    for old, new in names.items():
        (folder / old).rename(folder / new)
    (folder / "dog" / "s.IMA").write_bytes((folder / "cat" / "IM000001").read_bytes())
    (folder / "cat" / "DICOMDIR").write_bytes((folder / "cat" / "IM000001").read_bytes())
    (folder / "cat" / "LICENSE").write_text("no picture")
    listing = list_images(folder)
    found = "cat/2.png cat/IM000001 dog/1.2.840.113619.2.5.19 dog/4.png dog/s.IMA"
    assert list(listing.files) == found.split()
    assert listing.others == ("cat/DICOMDIR", "cat/LICENSE")
    data = ImageFolder(path=str(folder), size=8).load()
    assert data.images[:, 0, 0, 0].tolist() == [20, 10, 30, 40, 10]


def test_other_files_are_not_opened_to_see_what_they_are(folder, monkeypatch):
    for number in range(5):
        (folder / "cat" / f"{number}.txt").write_text("a report")
    opened = []
    monkeypatch.setattr(listing_module, "is_dicom", lambda file: opened.append(file.name))
    (folder / "cat" / "IM7").write_text("one that may be")
    list_images(folder)
    list_images(folder)
    assert [name.rpartition("/")[2] for name in opened] == ["IM7"]


def test_in_parallel_as_one_after_another():
    files = [content((DEEP // (1 + i % 4)).astype(np.uint16), bits=12) for i in range(20)]
    found = decode_all(files, [str(i) for i in range(20)], 16, workers=4)
    assert np.array_equal(found.images, np.stack([decode(file, 16) for file in files]))


# Bad files


def without(name):
    ds = dataset(DEEP, bits=12)
    delattr(ds, name)
    return written(ds)


def compressed(syntax):
    ds = dataset(PICTURE)
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    ds.PixelData = pydicom.encaps.encapsulate([b"\xff\xd8 no picture"])
    ds["PixelData"].is_undefined_length = True
    return written(ds)


def window(width, function="LINEAR"):
    return content(DEEP, bits=12, WindowCenter=100, WindowWidth=width, VOILUTFunction=function)


def short_table():
    items = lut(range(10), 0, 12)
    items[0].LUTDescriptor = [4096, 0, 12]
    return items


BAD = {
    "no pixels": (without("PixelData"), "a DICOM file without pixel data"),
    "no bits": (without("BitsStored"), "^its DICOM header lacks BitsStored$"),
    "frames": (
        content(PICTURE.reshape(10, 40), Rows=10, Columns=20, NumberOfFrames=2),
        "it has 2 frames; only single images are read",
    ),
    "bomb": (
        content(PICTURE, Rows=11_000, Columns=11_000),
        "11000 x 11000 pixels are more than 100,000,000: a decompression bomb",
    ),
    "palette": (
        content(PICTURE, "PALETTE COLOR"),
        "No suitable Palette Color Lookup Table Module found",
    ),
    "other colours": (
        content(PICTURE, "HSV"),
        "interpretation HSV are not read; MONOCHROME1, .*, PALETTE COLOR are",
    ),
    "high bit too low": (
        content(DEEP, bits=12, HighBit=7),
        r"its highest bit is 7 \(HighBit, of 0 to 15\), which does not fit 12 bits stored",
    ),
    "high bit too high": (content(DEEP, bits=12, HighBit=16), "its highest bit is 16"),
    "32 bit": (
        content(DEEP.astype(np.uint32)),
        "MONOCHROME2 pixels of 32 bits, 32 allocated, are not read; 8 to 16 bits are",
    ),
    "7 bit": (content(PICTURE // 2, bits=7), "of 7 bits, 8 allocated, are not read"),
    "more stored than allocated": (content(PICTURE, bits=12), "of 12 bits, 8 allocated"),
    "deep colours": (
        content(DEEP[:, :, None].repeat(3, axis=2), "RGB"),
        "16 allocated, .*; 8 bits are",
    ),
    "jpeg lossless": (
        compressed("1.2.840.10008.1.2.4.70"),
        "transfer syntax JPEG Lossless.* is compressed, and pydicom needs another package .*"
        "install one of: .*pylibjpeg",
    ),
    "video": (compressed("1.2.840.10008.1.2.4.100"), "no decoder for the transfer syntax MPEG2"),
    "cut off": (content(DEEP, bits=12)[:-100], "(?i)bytes|length"),
    "width": (window(0), "width of a LINEAR window must be at least 1, got 0"),
    "exact width": (window(0, "LINEAR_EXACT"), "a LINEAR_EXACT window must be above 0, got 0"),
    "sigmoid width": (window(-1, "SIGMOID"), "a SIGMOID window must be above 0, got -1"),
    "function": (window(9, "CUBIC"), "VOI LUT function CUBIC is not one of LINEAR, LINEAR_EX"),
    "infinite": (
        content(DEEP, bits=12, WindowCenter="1E400", WindowWidth=9),
        "its WindowCenter is inf",
    ),
    "slope alone": (
        content(DEEP, bits=12, RescaleSlope=2),
        "a rescale slope of 2.0 with an intercept of None; both must be given",
    ),
    "slope 0": (
        content(DEEP, bits=12, RescaleSlope=0, RescaleIntercept=1),
        "the slope must not be 0",
    ),
    "short table": (
        content(DEEP, bits=12, VOILUTSequence=short_table()),
        "its VOILUTSequence has 10 entries up to 9, where its descriptor says 4096 of 12 bits",
    ),
    "table of more bits": (
        content(DEEP, bits=12, VOILUTSequence=lut([0, 5000], 0, 12)),
        "has 2 entries up to 5000, where its descriptor says 2 of 12 bits",
    ),
    "the prefix alone": (bytes(128) + b"DICM", "a DICOM file without pixel data"),
    "the first element alone": (b"\x08\0\5\0", "a DICOM file without pixel data|header"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_files_are_told_by_their_reason(what):
    data, reason = BAD[what]
    with pytest.raises(DataError, match=reason):
        decode(data, 16)


def test_without_pydicom_it_is_told_what_to_install(monkeypatch):
    data = content(PICTURE)
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(
        DataError, match=r"needs the package 'pydicom'.*pip install 'tgap\[dicom\]'"
    ):
        decode(data, 16)


@pytest.mark.filterwarnings("ignore:.*JFIF APP marker")
def test_pydicom_does_not_log_for_each_file_that_jpeg_colours_are_called_rgb(caplog):
    from pydicom.encaps import encapsulate

    packed = io.BytesIO()
    Image.new("RGB", (16, 16), (200, 90, 40)).save(packed, "JPEG", quality=95)
    ds = dataset(np.zeros((16, 16, 3), np.uint8), "RGB", PlanarConfiguration=0)
    ds.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.4.50")
    ds.PixelData = encapsulate([packed.getvalue()])
    found = decode(written(ds), 16, "rgb")
    assert abs(found.astype(int) - (200, 90, 40)).max() <= 3
    assert not caplog.records
