import io
import itertools
import logging
import re
import struct
import threading
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tgap.core import DataError
from tgap.core.types import Resumable
from tgap.datasets.base import in_memory
from tgap.datasets.reading import decoding
from tgap.datasets.reading.decoding import decode, decode_all
from tgap.datasets.reading.depth import chosen_window
from tgap.datasets.reading.originals import read_headers
from tgap.datasets.reading.window import Window, given_window

PICTURE = np.random.default_rng(0).integers(0, 256, (30, 40), dtype=np.uint8)
PICTURE.setflags(write=False)
GREY = Image.fromarray(PICTURE)


def content(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def array_content(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    return content(Image.fromarray(pixels), kind)


def palette(alpha: bool = False) -> Image.Image:
    """The picture by a palette in which no index is its own grey level."""
    image = Image.fromarray(255 - PICTURE, "L").convert("P")
    levels = np.repeat(np.arange(255, -1, -1, dtype=np.uint8)[:, None], 3, axis=1)
    image.putpalette(levels.tobytes())
    if alpha:
        image.info["transparency"] = bytes([255] * 256)
    return image


def png(values: np.ndarray) -> bytes:
    """A PNG of 16 bits per channel, which Pillow reads but does not write."""
    height, width, channels = values.shape
    raw = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    kind = {2: 4, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + tag + data + struct.pack(">I", zlib.crc32(tag + data))
        for tag, data in ((b"IHDR", header), (b"IDAT", zlib.compress(raw)), (b"IEND", b""))
    )


def tiff(pixels: np.ndarray, *tags: tuple[int, int]) -> bytes:
    """One strip of any type, with what its numbers mean in ``tags``."""
    strip = zlib.compress(pixels.tobytes()) if (259, 8) in tags else pixels.tobytes()
    height, width, channels = (*pixels.shape, 1)[:3]
    start = 8 + len(strip)
    bits = 8 * pixels.itemsize
    entries = {256: width, 257: height, 258: bits, 259: 1, 262: 1, 273: 8, 277: channels}
    entries |= {278: height, 279: len(strip)} | dict(tags)
    many = struct.pack(f"<{channels}H", *([bits] * channels)) if channels > 2 else b""
    directory = b"".join(
        struct.pack("<HHII", tag, 3, channels, start)
        if tag == 258 and many
        else struct.pack("<HHII", tag, 4, 1, entries[tag])
        for tag in sorted(entries)
    )
    head = struct.pack("<2sHI", b"II", 42, start + len(many))
    return head + strip + many + struct.pack("<H", len(entries)) + directory + bytes(4)


DEEP_RGB = (PICTURE.astype(np.uint16) * 257)[:, :, None].repeat(3, axis=2)
SAME_PICTURE = {
    "L": content(GREY),
    "L bmp": content(GREY, "BMP"),
    "L tiff": content(GREY, "TIFF"),
    "L pgm": content(GREY, "PPM"),
    "L pgm in text": b"P2\n# a comment\n40 30\n255\n%b\n"
    % " ".join(map(str, PICTURE.ravel())).encode(),
    "RGB ppm": content(GREY.convert("RGB"), "PPM"),
    "I;16 pgm": array_content(PICTURE.astype(np.uint16) * 257, "PPM"),
    "L webp": content(GREY.convert("RGB"), "WEBP", lossless=True),
    "LA": content(GREY.convert("LA")),
    "RGB": content(GREY.convert("RGB")),
    "RGBA": content(GREY.convert("RGBA")),
    "P": content(palette()),
    "P with alpha": content(palette(alpha=True)),
    "I;16": array_content(PICTURE.astype(np.uint16) * 257),
    "I;16 tiff": array_content(PICTURE.astype(np.uint16) * 257, "TIFF"),
    "I;16B tiff": array_content((PICTURE.astype(np.uint16) * 257).astype(">u2"), "TIFF"),
    "I tiff": array_content(PICTURE.astype(np.int32) * 257, "TIFF"),
    "RGB of 16 bits": png(DEEP_RGB),
    "RGB of 16 bits tiff": tiff(DEEP_RGB, (262, 2)),
    "RGBA of 16 bits": png(np.dstack([DEEP_RGB, np.full((30, 40), 65535, np.uint16)])),
    "LA of 16 bits": png(np.dstack([DEEP_RGB[..., 0], np.full((30, 40), 65535, np.uint16)])),
    "CMYK": content(GREY.convert("RGB").convert("CMYK"), "TIFF"),
}


@pytest.mark.parametrize("size", [30, 17, 64])
@pytest.mark.parametrize("fit", decoding.FITS)
@pytest.mark.parametrize("stored", SAME_PICTURE)
def test_only_the_picture_counts_not_how_it_is_stored(stored, fit, size):
    expected = decode(SAME_PICTURE["L"], size, "grey", fit)
    assert np.array_equal(decode(SAME_PICTURE[stored], size, "grey", fit), expected)
    rgb = decode(SAME_PICTURE[stored], size, "rgb", fit)
    assert rgb.shape == (size, size, 3)
    assert np.array_equal(rgb, expected.repeat(3, axis=2))


def test_the_stored_modes_are_those_that_their_names_say():
    modes = {
        name: Image.open(io.BytesIO(data)).mode
        for name, data in SAME_PICTURE.items()
        if name in ("LA", "RGB", "RGBA", "P", "I;16", "CMYK")
    }
    assert modes == {name: name for name in modes}
    assert Image.open(io.BytesIO(SAME_PICTURE["I;16B tiff"])).mode == "I;16B"
    assert Image.open(io.BytesIO(SAME_PICTURE["I tiff"])).mode == "I"
    assert "transparency" in Image.open(io.BytesIO(SAME_PICTURE["P with alpha"])).info


def test_a_bit_per_pixel_is_black_and_white():
    bits = Image.fromarray(PICTURE > 127)
    assert bits.mode == "1"
    expected = np.where(PICTURE[:, 5:35] > 127, 255, 0)
    assert np.array_equal(decode(content(bits), 30)[:, :, 0], expected)


def test_jpeg_is_what_pillow_decodes():
    data = content(GREY, "JPEG", quality=80)
    expected = np.asarray(Image.open(io.BytesIO(data)))[:, 5:35]
    assert np.array_equal(decode(data, 30)[:, :, 0], expected)


def test_a_jpeg_in_ycck_is_not_inverted():
    cmyk = content(GREY.convert("RGB").convert("CMYK"), "JPEG", quality=95)
    difference = decode(cmyk, 30).astype(int) - decode(SAME_PICTURE["L"], 30)
    assert abs(difference).mean() < 10


def test_sixteen_bits_are_scaled_linearly_and_rounded():
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    found = decode(array_content(values), 256)[:, :, 0]
    assert np.array_equal(found, np.rint(values / 65535 * 255).astype(np.uint8))


def test_what_alpha_leaves_open_is_black():
    alpha = np.zeros((30, 40), np.uint8)
    alpha[:, 20:] = 255
    grey_alpha = np.dstack([PICTURE, alpha])
    rgba = np.dstack([PICTURE, PICTURE, PICTURE, alpha])
    for pixels in (grey_alpha, rgba):
        found = decode(array_content(pixels), 40, fit="pad")[5:35, :, 0]
        assert (found[:, :20] == 0).all()
        assert np.array_equal(found[:, 20:], PICTURE[:, 20:])


def test_half_transparent_is_half_as_bright():
    pixels = np.full((8, 8, 2), (200, 128), np.uint8)
    assert abs(int(decode(array_content(pixels), 8)[0, 0, 0]) - 200 * 128 / 255) <= 1


@pytest.mark.parametrize("deep", [False, True])
def test_a_grey_level_that_stands_for_transparent_is_black(deep):
    pixels = np.full((8, 8), 50, np.uint8)
    pixels[0, 0] = 200
    image = Image.fromarray(pixels.astype(np.uint16) * 257 if deep else pixels)
    data = content(image, transparency=200 * 257 if deep else 200)
    found = decode(data, 8)[:, :, 0]
    assert found[0, 0] == 0
    assert (found.ravel()[1:] == 50).all()


def test_grey_of_colour_is_itu_601_luma():
    pixels = np.random.default_rng(1).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    luma = pixels @ np.array([0.299, 0.587, 0.114])
    assert abs(decode(array_content(pixels), 16)[:, :, 0] - luma).max() <= 0.51
    assert np.array_equal(decode(array_content(pixels), 16, "rgb"), pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation):
    square = PICTURE[:30, :30]
    stored = {
        1: square,
        2: square[:, ::-1],
        3: square[::-1, ::-1],
        4: square[::-1],
        5: square.T,
        6: np.rot90(square),
        7: square[::-1, ::-1].T,
        8: np.rot90(square, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = content(Image.fromarray(np.ascontiguousarray(stored)), exif=exif)
    assert np.array_equal(decode(data, 30)[:, :, 0], square)


sides = st.integers(1, 60)


@given(width=sides, height=sides, size=st.integers(1, 40), color=st.sampled_from(decoding.COLORS))
def test_every_fit_gives_the_size_and_keeps_one_level(width, height, size, color):
    data = array_content(np.full((height, width), 137, np.uint8))
    for fit in ("crop", "squash"):
        found = decode(data, size, color, fit)
        assert found.shape == (size, size, 1 if color == "grey" else 3)
        assert found.dtype == np.uint8
        assert (found == 137).all()


@given(width=sides, height=sides, size=st.integers(1, 40))
def test_padding_is_black_centred_and_keeps_the_ratio(width, height, size):
    data = array_content(np.full((height, width), 137, np.uint8))
    found = decode(data, size, fit="pad")[:, :, 0]
    rows, columns = (found == 137).any(axis=1), (found == 137).any(axis=0)
    assert set(np.unique(found)) <= {0, 137}
    assert (found == 137).sum() == rows.sum() * columns.sum()
    for covered, side in ((rows, height), (columns, width)):
        assert abs(covered.sum() - max(1, size * side / max(width, height))) <= 0.5
        before, after = covered.argmax(), covered[::-1].argmax()
        assert after - before in (0, 1)


@given(width=sides, height=sides)
def test_crop_is_the_central_square(width, height):
    pixels = (np.arange(width * height) % 251).astype(np.uint8).reshape(height, width)
    side = min(width, height)
    top, left = (height - side) // 2, (width - side) // 2
    found = decode(array_content(pixels), side, fit="crop")[:, :, 0]
    assert np.array_equal(found, pixels[top : top + side, left : left + side])


def test_reducing_does_not_alias():
    stripes = np.zeros((256, 256), np.uint8)
    stripes[:, ::2] = 255
    assert abs(decode(array_content(stripes), 32).astype(int) - 128).max() < 8


def bomb() -> bytes:
    """A PNG whose header promises 11,000 x 11,000 pixels."""
    header = struct.pack(">IIBBBBB", 11_000, 11_000, 8, 0, 0, 0, 0)
    chunk = b"IHDR" + header
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + chunk
        + struct.pack(">I", zlib.crc32(chunk))
        + struct.pack(">I", 0)
        + b"IDAT"
        + struct.pack(">I", zlib.crc32(b"IDAT"))
    )


def animation(kind: str) -> bytes:
    other = Image.fromarray(255 - PICTURE)
    return content(GREY, kind, save_all=True, append_images=[other])


def inverted_tiff() -> bytes:
    image = Image.fromarray(PICTURE.astype(np.uint16) * 257)
    return content(image, "TIFF", tiffinfo={262: 0})


def twelve_bit_tiff() -> bytes:
    """Two pixels of 12 bits, which Pillow reads as 16 bits without scaling them up."""
    tags = [
        (256, 2),
        (257, 1),
        (258, 12),
        (259, 1),
        (262, 1),
        (273, 8),
        (277, 1),
        (278, 1),
        (279, 3),
    ]
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    pixels = b"\xff\xff\xff\0"
    start = struct.pack("<2sHI", b"II", 42, 8 + len(pixels))
    return start + pixels + struct.pack("<H", len(tags)) + directory + bytes(4)


BAD = {
    "text": (b"a text, no picture", "its content is none of PNG, JPEG, BMP, TIFF, WEBP, PPM"),
    "empty": (b"", r"it is empty \(0 bytes\)"),
    "gif": (content(GREY, "GIF"), "its content is a GIF, .*: convert it to PNG"),
    "pointer": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
        "it is a pointer of Git LFS, and not the file itself: get the files with 'git lfs pull'",
    ),
    "four bands": (
        tiff(np.ones((4, 4, 4), np.uint8), (262, 2)),
        "a TIFF of 4 channels that does not say whether .* near infrared .* save three of them",
    ),
    "four bands of 16 bits": (
        tiff(np.ones((4, 4, 4), np.uint16), (262, 2)),
        "a TIFF of 4 channels that does not say",
    ),
    "cmyk of 16 bits": (
        tiff(np.ones((4, 4, 4), np.uint16), (262, 5)),
        "colours of 16 bits packed as CMYK;16L are not read; save them as 8 bit",
    ),
    "13 channels": (
        tiff(np.ones((4, 4, 13), np.uint16)),
        "a TIFF of 13 channels is not read: write one of them, or three as RGB, to a file",
    ),
    "two pgm": (content(GREY, "PPM") * 2, "it holds more than one picture; split it"),
    "pgm of 12 bits": (
        b"P5 2 1 4095\n\0\1\x0f\xff",
        "a PGM whose largest value is 4095 is not read; save it as PNG of 16 bits",
    ),
    "ppm of 16 bits": (b"P6 1 1 65535\n" + bytes(6), "a PPM of more than 8 bits is not read"),
    "truncated pgm": (content(GREY, "PPM")[:200], "truncated"),
    "truncated pgm in text": (b"P2 2 2 255 1 2 3", "not enough image data"),
    "pfm": (content(Image.new("F", (2, 2)), "PPM"), "with pixels of mode F is not read"),
    "truncated png": (SAME_PICTURE["L"][:600], "truncated|broken"),
    "truncated jpeg": (content(GREY, "JPEG")[:500], "truncated|broken"),
    "truncated tiff": (SAME_PICTURE["I;16 tiff"][:600], "truncated|broken|unpack"),
    "flipped bits": (
        SAME_PICTURE["L"][:300] + bytes(50) + SAME_PICTURE["L"][350:],
        "broken|truncated|crc|decod",
    ),
    "bomb": (bomb(), "11000 x 11000 pixels are more than 100,000,000: a decompression bomb?"),
    "animated png": (animation("PNG"), "it has 2 frames; only single images are read"),
    "two pages": (animation("TIFF"), "it has 2 frames"),
    "floats": (
        array_content(PICTURE.astype(np.float32), "TIFF"),
        "floating point pixels have no full range; name the values .* dataset.window=data or LOW",
    ),
    "lab": (content(Image.new("LAB", (8, 8)), "TIFF"), "pixels of mode LAB are not read"),
    "beyond 16 bit": (
        array_content(np.full((8, 8), 70_000, np.int32), "TIFF"),
        r"values from 70000 to 70000 are beyond 16 bit \(0 to 65535\)",
    ),
    "negative": (array_content(np.full((8, 8), -1, np.int32), "TIFF"), "values from -1 to -1"),
    "not a number": (
        array_content(np.full((8, 8), np.nan, np.float32), "TIFF"),
        "none of its values is a number",
    ),
    "signed bytes": (
        tiff(np.arange(-8, 8, dtype=np.int8).reshape(4, 4), (339, 2)),
        "a TIFF of signed 8-bit values is not read; save it as 16 bit",
    ),
    "beyond 31 bit": (
        tiff(np.full((4, 4), 2**31 + 5, np.uint32)),
        "unsigned 32-bit values above 2147483647 are not read",
    ),
    "64 bit": (
        tiff(np.ones((4, 4)), (339, 3)),
        r"a TIFF of 1 channel of 64 bits \(floating point\) is not read; save it as 16 or 32",
    ),
    "12 bit": (twelve_bit_tiff(), "a TIFF of 12 bits with photometric interpretation 1 is not"),
    "white is zero": (inverted_tiff(), "photometric interpretation 0 is not read; save it as 16"),
}


@pytest.mark.parametrize("what", BAD)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_bad_files_are_told_by_their_reason(what):
    data, reason = BAD[what]
    window = Window(0, 1, eight_bit=False, given=True) if what == "not a number" else None
    with pytest.raises(DataError, match=reason):
        decode(data, 16, window=window)


# Windows

DEEP = {
    "16 bit": PICTURE.astype(np.uint16) * 200,
    "32 bit": PICTURE.astype(np.int32) * 1000 - 70_000,
    "floating point": (PICTURE / 255).astype(np.float32),
}


@pytest.mark.parametrize("what", DEEP)
def test_values_between_two_ends_are_spread_and_others_clipped(what):
    values = DEEP[what]
    low, high = np.quantile(values.astype(float), [0.1, 0.8])
    found = decode(
        array_content(values, "TIFF"), 30, window=Window(low, high, eight_bit=True, given=True)
    )
    share = (values[:, 5:35].astype(float) - low) / (high - low)
    assert np.array_equal(found[:, :, 0], np.rint(255 * share.clip(0, 1)))


@pytest.mark.parametrize("kind", ["png", "tiff", "deflated tiff", "alpha", "grey and alpha"])
def test_colours_of_sixteen_bits_are_read_whole_in_a_window(kind):
    values = np.random.default_rng(3).integers(0, 16384, (30, 30, 3), dtype=np.uint16)
    solid = np.full((30, 30), 65535, np.uint16)
    if kind == "grey and alpha":
        values = values[..., :1].repeat(3, axis=2)
    data = {
        "png": lambda: png(values),
        "tiff": lambda: tiff(values, (262, 2)),
        "deflated tiff": lambda: tiff(values, (262, 2), (259, 8)),
        "alpha": lambda: png(np.dstack([values, solid])),
        "grey and alpha": lambda: png(np.dstack([values[..., 0], solid])),
    }[kind]()
    window = Window(0, 16383, eight_bit=False, given=True)
    found = decode(data, 30, "rgb", window=window)
    assert np.array_equal(found, window.levels(values))
    assert chosen_window("data", [data, SAME_PICTURE["L"]], 1) == Window(
        values.min(), values.max(), eight_bit=False, given=False
    )


def test_headers_tell_the_true_depth_of_colours(tmp_path):
    for name in ("RGB of 16 bits", "RGB of 16 bits tiff", "LA of 16 bits", "RGB"):
        (tmp_path / name).write_bytes(SAME_PICTURE[name])
    kinds = [header.kind for header in read_headers(sorted(tmp_path.iterdir()))]
    assert kinds == [
        "PNG, 16 bit, colour",
        "PNG, 8 bit, colour",
        "PNG, 16 bit, colour",
        "TIFF, 16 bit, colour",
    ]


def test_a_window_of_fractions_leaves_eight_bits_alone():
    assert given_window("0:1") == Window(0, 1, eight_bit=False, given=True)


def test_eight_bits_are_left_alone_or_spread():
    for stored in ("L", "P", "RGB", "LA"):
        data = SAME_PICTURE[stored]
        alone = decode(data, 30, window=Window(0, 4095, eight_bit=False, given=True))
        assert np.array_equal(alone[:, :, 0], PICTURE[:, 5:35])
        for color in decoding.COLORS:
            window = Window(10, 100, eight_bit=True, given=True)
            share = (PICTURE[:, 5:35, None].astype(float) - 10) / 90
            found = decode(data, 30, color, window=window)
            assert (found == np.rint(255 * share.clip(0, 1))).all()


def test_the_range_of_a_data_set_is_that_of_the_deeper_files():
    sources = [SAME_PICTURE["L"], *(array_content(DEEP["32 bit"] + n, "TIFF") for n in (5, 900))]
    low, high = int(DEEP["32 bit"].min()) + 5, int(DEEP["32 bit"].max()) + 900
    measured = chosen_window("data", sources, 2)
    assert measured == Window(low, high, eight_bit=False, given=False)
    only = chosen_window("data", [array_content(PICTURE // 16)], 2)
    assert only == Window(0, 15, eight_bit=True, given=False)
    with pytest.raises(DataError, match="every pixel of all 2 images is 7"):
        chosen_window("data", [array_content(np.full((4, 4), 7, np.uint16))] * 2, 2)


def test_the_same_is_told_after_an_interruption(files):
    """Everything was decoded before, so only what lies there can tell."""
    for file in files:
        deep = np.asarray(Image.open(file)).astype(np.uint16) * 16
        Image.fromarray(deep).save(file)

    class Whole(Resumable):
        images = np.stack([decode(file, 16) for file in files])

        def __call__(self, shape):
            return self.images

        def filled(self, rows):
            return np.ones(rows, bool)

    for new_images in (in_memory, Whole()):
        with pytest.raises(DataError, match=r"60 of 60 images.*dataset.window=0:4095"):
            decode_all(files, names(files), 16, new_images=new_images)


def test_blank_deep_images_among_others_are_only_told(files):
    blank = np.random.default_rng(0).integers(300, 600, (20, 20)).astype(np.uint16)
    for file in files[:10]:
        Image.fromarray(blank).save(file)
    found = decode_all(files, names(files), 16)
    assert found.notes["few_levels"].startswith("10 of 60 images are nearly black or flat")


def test_a_range_measured_with_a_value_far_off_is_refused(files):
    for number, file in enumerate(files):
        deep = np.asarray(Image.open(file)).astype(np.uint16) * 4
        deep[0, 0] = 65535 if number == 7 else 0
        Image.fromarray(deep).save(file)
    with pytest.raises(DataError, match=r"60 of 60 .*=data .*window=0:1023 \(0.01% above it"):
        decode_all(files, names(files), 16, window="data")
    assert decode_all(files, names(files), 16, window="0:1023").notes == {}


def smooth(number):
    """``(256, 256)`` of 0 to 1, that resampling changes little."""
    small = np.random.default_rng(number).integers(0, 256, (6, 6), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((256, 256), Image.Resampling.BICUBIC)) / 255


def with_text(number):
    values = (smooth(number) * 4095).astype(np.uint16)
    letters = np.random.default_rng(number).random((9, 29)) > 0.5
    values[4:40, 4:120] = np.kron(letters, np.ones((4, 4))) * 65535
    return values


def hounsfield(number):
    """Air, a body of soft tissue and a little bone."""
    y, x = np.mgrid[-1:1:256j, -1:1:256j]
    values = np.full((256, 256), -1000.0)
    body = (x / 0.7) ** 2 + (y / 0.55) ** 2 < 1
    values[body] = 20 + 60 * smooth(number)[body]
    values[(x / 0.1) ** 2 + ((y - 0.3) / 0.1) ** 2 < 1] = (400, 600)[number % 2]
    return (values + np.random.default_rng(number).normal(0, 20, values.shape)).round()


def padded(value):
    def make(number):
        values = hounsfield(number)
        y, x = np.mgrid[-1:1:256j, -1:1:256j]
        values[x**2 + y**2 > 1] = value
        return values.astype(np.int32)

    return make


def from_zero(number):
    return (hounsfield(number) + 1024).clip(0).astype(np.uint16)


def hot_pixel(number):
    values = (smooth(number) * 4095).astype(np.uint16)
    values[7, 7] = 60000
    return values


LOST = {
    "text": (with_text, "full", "0:4095", r"\(3.*% above it of their pixels: padding, text, mark"),
    "text, measured": (with_text, "data", "0:4095", "which become 1. of 256"),
    "padding": (padded(-3024), "data", None, r"% below it of their pixels: padding"),
    "padding of 16 bits": (padded(-32768), "data", None, r"% below it"),
    "from zero": (from_zero, "full", "0:2047", "or dataset.window=data for"),
    "a hot pixel": (hot_pixel, "full", "0:4095", r"\(0.01% above it"),
}


@pytest.mark.parametrize("size", [64, 256])
@pytest.mark.parametrize("what", LOST)
def test_the_stored_values_are_judged_and_the_remedy_shows_them(what, size):
    make, window, remedy, told = LOST[what]
    values = [make(number) for number in range(4)]
    data = [array_content(each, "TIFF") for each in values]
    with pytest.raises(DataError, match=told) as caught:
        decode_all(data, list("abcd"), size, window=window)
    setting = re.search(r"set dataset.window=(\S+:[\d.]+)", str(caught.value))[1]
    assert remedy in (None, setting)
    low, high = map(float, setting.split(":"))
    clipped = np.mean([((each < low) | (each > high)) & (each > -2000) for each in values])
    assert clipped < (0.04 if "text" in what else 0.005)
    found = decode_all(data, list("abcd"), 256, window=setting)
    assert found.notes == {}
    assert np.array_equal(found.images[0, :, :, 0], given_window(setting).levels(values[0]))


def test_negative_values_saved_as_positive_ones_are_refused_with_a_way_back(tmp_path, monkeypatch):
    data = [array_content(hounsfield(n).astype(np.int16).view(np.uint16)) for n in range(4)]
    with pytest.raises(DataError, match=r"-1000 as 64536.*dataset.window=-1\d+:[67]\d\d$") as told:
        decode_all(data, list("abcd"), 64)
    assert "both ends" in decode_all(data, list("abcd"), 64, window="0:1000").notes["few_levels"]
    command = re.search(r"in Python (.*?), and set", str(told.value))[1]
    for number, content_of in enumerate(data):
        (tmp_path / "1.png").write_bytes(content_of)
        monkeypatch.chdir(tmp_path)
        exec(f"import numpy, PIL.Image; {command}")
        data[number] = (tmp_path / "1.tif").read_bytes()
    found = decode_all(data, list("abcd"), 256, window="-1000:1000")
    assert found.notes == {}
    expected = given_window("-1000:1000").levels(hounsfield(0))
    assert np.array_equal(found.images[0, :, :, 0], expected)


def test_values_at_both_ends_that_are_few_or_have_others_between_are_no_negative_ones():
    spots = np.zeros((64, 64), np.uint16)
    spots[::2] = 65535
    ramp = np.linspace(0, 65535, 4096).astype(np.uint16).reshape(64, 64)
    for values in (spots, ramp):
        assert decode_all([array_content(values)] * 4, list("abcd"), 16).notes == {}


def test_few_bright_spots_on_black_are_as_they_are():
    spots = np.zeros((256, 256), np.uint16)
    spots[:2, :200] = np.random.default_rng(0).integers(0, 65536, (2, 200))
    assert decode_all([array_content(spots)] * 4, list("abcd"), 16).notes == {}


def test_eight_bits_that_a_window_saturates_are_told(caplog):
    found = decode_all([SAME_PICTURE["L"]] * 4, list("abcd"), 16, window="0:2")
    assert "4 of 4 images are nearly black or flat" in found.notes["few_levels"]
    assert "set dataset.window=0:255" in caplog.text


def test_labels_of_other_brightness_are_told(caplog):
    ramp = np.linspace(0, 32767, 4096).astype(np.uint16).reshape(64, 64)
    odd = np.arange(20) % 2 == 1
    labels = {"cat": ~odd, "dog": odd}
    text = "the brightest pixels of label cat become grey level 127 of 255, those of label dog 255"
    deep, eight = array_content(ramp * 2), array_content((ramp // 128).astype(np.uint8))
    for brighter in (deep, eight):
        data = [brighter if n % 2 else array_content(ramp) for n in range(20)]
        assert decode_all(data, [""] * 20, 16, labels=labels).notes["ranges"].startswith(text)
        few = {name: held[:8] for name, held in labels.items()}
        assert decode_all(data[:8], [""] * 8, 16, labels=few).notes == {}
    assert text in caplog.text
    mixed = {"cat": np.arange(20) < 10, "dog": np.arange(20) >= 10}
    assert decode_all(data, [""] * 20, 16, labels=mixed).notes == {}
    assert decode_all(data, [""] * 20, 16, window="0:65535", labels=labels).notes == {}


@pytest.mark.parametrize(("every", "low"), [(2, 4095), (5, 4095), (2, 1)])
def test_a_window_that_spoils_other_files_is_no_remedy(every, low):
    def values(number):
        return (smooth(number) * (low if number % every == 0 else 65535)).astype(np.float32)

    data = [array_content(values(number), "TIFF") for number in range(20)]
    told = f"; no window shows all: dataset.window=0:{low} makes .* white or flat; bring all files"
    if every == 2:
        with pytest.raises(DataError, match=told):
            decode_all(data, [""] * 20, 16, window="data")
    else:
        found = decode_all(data, [""] * 20, 16, window="data")
        assert re.search(told, found.notes["few_levels"])
    found = decode_all(data, [""] * 20, 16, window=f"0:{low}")
    assert "no window shows all: dataset.window=0:65535" in found.notes["few_levels"]


def test_dim_images_are_told(files):
    for file in files[::2]:
        levels = np.random.default_rng(0).integers(0, 2**14, (20, 20)).astype(np.uint16)
        Image.fromarray(levels).save(file)
    found = decode_all(files, names(files), 16)
    assert found.notes["few_levels"].startswith("30 of 60 images are dark or flat")
    assert "dataset.window=0:16383" in found.notes["few_levels"]


def test_the_first_picture_of_an_mpo_counts():
    preview = Image.new("L", (8, 8), 255)
    data = content(GREY, "MPO", save_all=True, append_images=[preview], quality=95)
    assert np.array_equal(decode(data, 30), decode(content(GREY, "JPEG", quality=95), 30))


def test_a_missing_file_is_bad(tmp_path):
    with pytest.raises(DataError, match="No such file or directory"):
        decode(tmp_path / "absent.png", 16)


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(5)
    paths = []
    for i in range(60):
        path = tmp_path / f"{i:02}.png"
        height, width = rng.integers(8, 50, 2)
        Image.fromarray(rng.integers(0, 256, (height, width), dtype=np.uint8)).save(path)
        paths.append(path)
    return paths


def names(files):
    return [file.name for file in files]


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_in_parallel_as_one_after_another(files, workers):
    found = decode_all(files, names(files), 16, workers=workers)
    assert np.array_equal(found.images, np.stack([decode(file, 16) for file in files]))
    assert np.array_equal(found.kept, np.arange(60))
    assert found.bad == {}


def test_it_fills_the_array_that_it_is_given(files, tmp_path):
    def on_disk(shape):
        return np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.uint8, shape)

    found = decode_all(files, names(files), 8, "rgb", "pad", on_disk)
    assert isinstance(found.images, np.memmap)
    found.images.flush()
    expected = np.stack([decode(file, 8, "rgb", "pad") for file in files])
    assert np.array_equal(np.load(tmp_path / "x.npy"), expected)


def spoiled(files, positions):
    for position in positions:
        files[position].write_text("no picture")
    return files


def test_one_error_names_the_first_bad_files_and_the_total(files):
    spoiled(files, range(0, 24, 2))
    with pytest.raises(DataError) as caught:
        decode_all(files, names(files), 16)
    text = str(caught.value)
    assert text.startswith("12 of 60 image files cannot be used:\n  - 00.png: its content is none")
    assert "  - 18.png" in text
    assert "20.png" not in text
    assert (
        "and 2 more\nrepair or remove them, or leave them out with dataset.bad_files=excl" in text
    )


def test_excluded_files_leave_no_row_and_are_told(files, caplog, monkeypatch):
    monkeypatch.setattr(decoding, "_COPY_BLOCK", 7)
    good = [i for i in range(60) if i not in (0, 31, 59)]
    expected = np.stack([decode(files[i], 16) for i in good])
    spoiled(files, (0, 31, 59))
    shapes = []

    def new_images(shape):
        shapes.append(shape)
        return in_memory(shape)

    with caplog.at_level(logging.WARNING):
        found = decode_all(files, names(files), 16, "grey", "crop", new_images, "exclude")
    assert np.array_equal(found.images, expected)
    assert found.kept.tolist() == good
    assert list(found.bad) == ["00.png", "31.png", "59.png"]
    assert shapes == [(60, 16, 16, 1), (57, 16, 16, 1)]
    assert "3 of 60 image files cannot be used" in caplog.text
    assert "31.png: its content is none of PNG" in caplog.text


def test_no_image_left_is_an_error_also_when_excluding(files):
    spoiled(files, range(60))
    with pytest.raises(DataError, match=r"(?s)60 of 60 image files.*no image is left"):
        decode_all(files, names(files), 16, bad_files="exclude")


class Interrupted:
    """A sequence that knows how far it was read, and is interrupted there."""

    asked = 0

    def __len__(self) -> int:
        return 10_000

    def __getitem__(self, row: int) -> bytes:
        self.asked = row + 1
        if row == 50:
            raise KeyboardInterrupt
        return SAME_PICTURE["L"]


def test_sources_are_read_little_ahead_and_an_interruption_stops_all_threads(monkeypatch):
    done = itertools.count()
    monkeypatch.setattr(decoding, "decode", lambda *_: next(done))
    sources = Interrupted()
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        decode_all(sources, [""] * 10_000, 8, workers=2)
    assert sources.asked == 51
    assert next(done) == 50
    assert threading.active_count() == before


def test_an_error_of_ours_is_no_bad_file(files, monkeypatch):
    def broken(*_):
        raise RuntimeError("a mistake in the program")

    monkeypatch.setattr(decoding, "_fitted", broken)
    with pytest.raises(RuntimeError, match="a mistake in the program"):
        decode_all(files, names(files), 16, bad_files="exclude")
