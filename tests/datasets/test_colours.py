"""Colours that are lost or mean something else than those of other files; and those that do not."""

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_images

from tgap.datasets.reading.colours import Shades, shades_of, tell_colours

PHOTOS = [
    photo[y : y + 200, x : x + 200]
    for photo in load_sample_images().images
    for y in (0, 100, 200)
    for x in range(0, 401, 100)
]


def picture(number: int) -> np.ndarray:
    """``(96, 96)`` of 0 to 1."""
    small = np.random.default_rng(number).integers(0, 256, (8, 8), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((96, 96), Image.Resampling.BICUBIC)) / 255


def mapped(name: str, number: int) -> np.ndarray:
    return (mpl.colormaps[name](picture(number))[..., :3] * 255).astype(np.uint8)


def told(
    pictures: list[np.ndarray], caplog: pytest.LogCaptureFixture, color: str = "rgb"
) -> list[str]:
    caplog.clear()
    odd = np.arange(len(pictures)) // 2 % 2 == 1
    names = [str(number) for number in range(len(pictures))]
    shades = [shades_of(each) for each in pictures]
    tell_colours(shades, names, {"cat": odd, "dog": ~odd}, color)
    return caplog.messages


@pytest.mark.parametrize("name", ["jet", "hot", "viridis", "plasma", "inferno", "turbo"])
def test_the_colours_of_a_scale_are_known(name: str) -> None:
    assert sum(shades_of(mapped(name, number)).scale for number in range(10)) >= 8


@pytest.mark.parametrize("name", ["gray", "bone", "copper"])
def test_a_tint_is_no_scale(name: str) -> None:
    assert not any(shades_of(mapped(name, number)).scale for number in range(10))


def test_photographs_are_not_told_of(caplog: pytest.LogCaptureFixture) -> None:
    assert all(shades_of(photo).coloured for photo in PHOTOS)
    assert not any(shades_of(photo).scale or shades_of(photo).single >= 0 for photo in PHOTOS)
    greys = [photo.mean(axis=2).astype(np.uint8) for photo in PHOTOS[::3]]
    assert told([*PHOTOS, *greys], caplog) == []
    (message,) = told([*PHOTOS, *greys], caplog, "grey")
    assert message.startswith("30 of 40 files looked at are in colour (their channels differ), oth")


def test_which_channel_holds_all() -> None:
    zero = np.zeros((96, 96))
    for channel in range(3):
        planes = [zero, zero, zero]
        planes[channel] = picture(channel) * 65535
        assert shades_of(np.dstack(planes).astype(np.uint16)).single == channel
    assert not shades_of(np.zeros((9, 9, 3), np.uint8)).coloured
    assert shades_of(np.zeros((9, 9), np.uint8)) is None


def test_two_stains_are_not_exchanged(caplog: pytest.LogCaptureFixture) -> None:
    """Pink and violet, each a colour times brightness, that nearly match by exchange."""
    stains = np.array([[235, 90, 150], [145, 100, 225]]) / 255
    values = [(150 * picture(number) + 60)[..., None] for number in range(40)]
    slides = [(each * stains[n % 2]).astype(np.uint8) for n, each in enumerate(values)]
    assert told(slides, caplog) == []
    back = [slide[..., ::-1] if n % 2 else slide for n, slide in enumerate(slides)]
    assert told(back, caplog) == []
    one = [(each * stains[0]).astype(np.uint8) for each in values]
    one[4:8] = [slide[..., ::-1] for slide in one[4:8]]
    (message,) = told(one, caplog)
    assert message.startswith("4 of 40 files")
    assert message.endswith(": 4, 5, 6, 7")


def test_hues_at_random_are_not_exchanged(caplog: pytest.LogCaptureFixture) -> None:
    """Few sets of twenty files would seem so: with the old bar some of these did."""
    labels = {name: np.arange(20) % 2 == n for n, name in enumerate(("cat", "dog"))}
    for seed in range(3000):
        slopes = 1 + np.random.default_rng(seed).normal(size=(20, 2)) / 2
        shades = [Shades((red, blue), coloured=True) for red, blue in slopes]
        tell_colours(shades, ["x"] * 20, labels, "rgb")
    assert not caplog.messages


def test_few_files_are_not_told_of(caplog: pytest.LogCaptureFixture) -> None:
    grey, blue = Shades((1, 1), coloured=False), Shades((1, 1), coloured=True, single=2)
    for count, messages in ((1, 0), (2, 1)):
        caplog.clear()
        tell_colours([grey] * 18 + [blue] * count, ["x"] * (18 + count), {}, "grey")
        assert len(caplog.messages) == messages
