"""Pictures whose values wrapped around, or whose lower part is missing; and those that look so."""

import numpy as np
import pytest
from PIL import Image, ImageDraw
from sklearn.datasets import load_sample_images

from tgap.datasets.digits import Digits
from tgap.datasets.phantom_xray import PhantomXray
from tgap.datasets.reading.damage import cut_off, is_swapped, is_wrapped

PHOTOS = [photo[:, :, :1] for photo in load_sample_images().images]


def texture(power: float, deviation: float) -> np.ndarray:
    """256 x 256 of a spectrum that falls like that of natural images (2) or of noise (0)."""
    rng, side = np.random.default_rng(0), 256
    distance = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None])
    distance[0, 0] = 1
    picture = np.fft.ifft2(np.fft.fft2(rng.normal(size=(side, side))) / distance**power).real
    return deviation * (picture - picture.mean()) / picture.std()


def eight_bit(values: np.ndarray) -> np.ndarray:
    return values.clip(0, 255).astype(np.uint8)


def with_text(picture: np.ndarray, level: int) -> np.ndarray:
    image = Image.fromarray(picture[:, :, 0])
    for line in range(0, picture.shape[0], 24):
        ImageDraw.Draw(image).text((4, line), "PORTABLE AP 12:30 " * 4, fill=level, font_size=14)
    return np.asarray(image)


ORDINARY = {
    "digits": Digits().load().images[::50],
    "phantoms": PhantomXray(images=50, size=128).load().images,
    "phantoms with text": [
        with_text(image, level)
        for image in PhantomXray(images=50, size=256).load().images[:20]
        for level in (255, 240)
    ],
    "photographs": [photo[::step, ::step] for photo in PHOTOS for step in (1, 4)],
    "textures": [eight_bit(128 + texture(p, s)) for p in (0, 1, 1.5, 2) for s in (30, 60, 200)],
    "black and white": [eight_bit(1000 * texture(power, 200)) for power in (0, 1, 2)],
}


@pytest.mark.parametrize("what", ORDINARY)
def test_ordinary_pictures_are_not_wrapped(what: str) -> None:
    assert not any(is_wrapped(picture) for picture in ORDINARY[what])


@pytest.mark.parametrize(("bits", "noise"), [(10, 0), (10, 25), (12, 0), (12, 25)])
def test_the_lower_byte_of_smooth_pictures_is_known(bits: int, noise: float) -> None:
    deep = 2**bits * (0.5 + texture(2, 0.15)).clip(0, 1)
    deep += np.random.default_rng(1).normal(0, noise, deep.shape)
    assert is_wrapped(deep.astype(np.int64).astype(np.uint8))
    assert not is_wrapped(eight_bit(deep / 2 ** (bits - 8)))


def test_the_lower_byte_of_real_scans_is_known() -> None:
    pydicom = pytest.importorskip("pydicom", reason="the extra 'dicom' is not installed")
    names = ("CT_small", "MR_small", "693_J2KI", "J2K_pixelrep_mismatch", "examples_overlay")
    for name in names:
        values = pydicom.dcmread(pydicom.data.get_testdata_file(f"{name}.dcm")).pixel_array
        assert is_wrapped(values.astype(np.uint8)), name
        low, high = np.quantile(values, (0.01, 0.99))
        assert not is_wrapped(eight_bit(255 * (values - low) / (high - low))), name


def photos(count: int = 40, side: int = 64) -> np.ndarray:
    """Parts of photographs, which have neither black nor white pixels."""
    rng, parts = np.random.default_rng(0), []
    for number in range(count):
        photo = PHOTOS[number % 2]
        y, x = rng.integers(0, [photo.shape[0] - side, photo.shape[1] - side])
        parts.append(photo[y : y + side, x : x + side])
    return np.stack(parts).clip(2, 253)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_lower_part_of_one_level_is_found(level: int) -> None:
    images = photos()
    images[3, 40:] = images[7, 57:] = level
    images[9, 60:] = level  # less than 10 %
    assert cut_off(images) == {level: [3, 7]}


def test_what_is_of_one_level_on_other_sides_too_is_a_border() -> None:
    images = photos()
    images[:3, 50:] = 0
    assert cut_off(images) == {0: [0, 1, 2]}
    images[4:6, :, :10] = 0  # collimated on the left
    assert cut_off(images) == {}
    images = photos()
    images[:3, 50:] = images[:3, :14] = 0  # letterbox
    assert cut_off(images) == {}


def test_a_drawing_of_two_colours_is_whole() -> None:
    images = photos()
    images[3, :40], images[3, 40:] = 200, 90
    assert cut_off(images) == {}


def test_what_most_have_is_as_it_should_be() -> None:
    images = photos()
    images[:30, 50:] = 0
    assert cut_off(images) == {}


@pytest.mark.parametrize("what", ["digits", "phantoms"])
def test_ordinary_pictures_are_whole(what: str) -> None:
    assert cut_off(np.asarray(ORDINARY[what])) == {}
    assert cut_off(photos(400)) == {}


@pytest.mark.parametrize("top", [4095, 65535])
def test_swapped_bytes_are_found_and_noise_is_none(top: int) -> None:
    for power, found in ((2, True), (1.5, True), (0, False)):
        values = (texture(power, 0.15) + 0.5).clip(0, 1)
        stored = (values * top).astype(np.uint16)
        assert not is_swapped(stored)
        assert is_swapped(stored.byteswap()) == found
        assert not is_swapped((values * 255).astype(np.uint16).byteswap())  # 8 bits in the upper
    signed = (texture(2, 400)).astype(np.int16)
    assert not is_swapped(signed)
    assert is_swapped(signed.byteswap())
    assert not is_swapped(np.zeros((9, 9), np.uint16))
