"""Low-frequency amplitudes of one image under the phases of another."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tgap.core import ContractError
from tgap.core.spectra import restyled

SHAPES = [(3, 32, 32, 1), (2, 31, 17, 3), (2, 6, 9, 1)]


def grey(shape: tuple[int, ...], seed: int, low: int = 0, high: int = 256) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.integers(low, high, shape).astype(np.uint8))


def spectrum(images: torch.Tensor) -> np.ndarray:
    return np.fft.fft2(images.numpy().astype(float), axes=(1, 2))


def square(height: int, width: int, share: float) -> np.ndarray:
    """Which frequencies both of whose coordinates are below the edge."""
    down, across = np.meshgrid(np.fft.fftfreq(height), np.fft.fftfreq(width), indexing="ij")
    return np.maximum(np.abs(down), np.abs(across)) < np.sqrt(share) / 2


@pytest.mark.parametrize("shape", SHAPES)
def test_a_share_of_0_and_an_own_donor_change_nothing(shape) -> None:
    images = grey(shape, 0)
    assert torch.equal(restyled(images, grey(shape, 1), 0.0), images)
    assert torch.equal(restyled(images, images, 1.0), images)
    nothing = torch.zeros(len(images))
    assert torch.equal(restyled(images, grey(shape, 1), 1.0, nothing), images)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("share", [0.02, 0.2, 1.0])
def test_amplitudes_are_the_donors_and_phases_stay(shape, share) -> None:
    """Of pixels far from black and white, so that nothing is clipped; rounding is left."""
    images, donors = grey(shape, 0, 110, 146), grey(shape, 1, 118, 138)
    changed = restyled(images, donors, share)
    assert changed.min() > 0
    assert changed.max() < 255
    own, given = spectrum(images), spectrum(donors)
    inside = square(*shape[1:3], share)[None, ..., None]
    expected = np.where(inside, np.abs(given) * np.exp(1j * np.angle(own)), own)
    made = np.fft.ifft2(expected, axes=(1, 2))
    assert np.abs(made.imag).max() < 1e-9
    assert np.abs(changed.numpy() - made.real).max() < 0.501


def test_phases_stay_and_amplitudes_move() -> None:
    shape = (2, 32, 32, 1)
    images, donors = grey(shape, 0, 110, 146), grey(shape, 1, 90, 166)
    changed = restyled(images, donors, 0.2)
    inside = square(32, 32, 0.2)
    own, given, made = (spectrum(part)[:, inside] for part in (images, donors, changed))
    clear = np.abs(given) > 200  # those that rounding cannot turn
    turned = np.angle(made / own)[clear]
    assert np.abs(turned).max() < 0.15
    assert np.abs(np.abs(made) / np.abs(given) - 1)[clear].max() < 0.15


def test_a_mixture_lies_between() -> None:
    shape = (2, 32, 32, 1)
    images, donors = grey(shape, 0, 110, 146), grey(shape, 1, 60, 90)
    half = restyled(images, donors, 0.001, torch.tensor([0.5, 0.0]))  # brightness alone
    own, given, made = (part[0].float().mean().item() for part in (images, donors, half))
    assert made == pytest.approx((own + given) / 2, abs=0.51)  # all pixels are rounded alike
    assert torch.equal(half[1], images[1])


def test_channels_have_amplitudes_of_their_own() -> None:
    images = grey((1, 16, 16, 3), 0, 100, 150)
    donors = images.clone()
    donors[..., 1] = 60
    changed = restyled(images, donors, 0.001)
    assert torch.equal(changed[..., [0, 2]], images[..., [0, 2]])
    assert changed[..., 1].float().mean().item() == pytest.approx(60, abs=0.51)


@settings(max_examples=30)
@given(seed=st.integers(0, 999), share=st.floats(0, 1), high=st.sampled_from([2, 256]))
def test_what_is_made_is_uint8_of_the_same_shape(seed, share, high) -> None:
    shape = (2, 8 + seed % 5, 7 + seed % 3, 1)
    images = grey(shape, seed, 0, high) * (255 // (high - 1))
    before = images.clone()
    changed = restyled(images, grey(shape, seed + 1), share)
    assert changed.dtype == torch.uint8
    assert changed.shape == images.shape
    assert torch.equal(images, before)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("level", [0, 1, 77, 255])
def test_a_constant_image_stays_constant_and_gives_no_contrast(shape, level) -> None:
    plain, others = torch.full(shape, level, dtype=torch.uint8), grey(shape, 1)
    changed = restyled(plain, others, 1.0)
    assert (changed == changed[:, :1, :1]).all()
    expected = others.float().mean(dim=(1, 2)) if level else torch.zeros(shape[0], shape[3])
    torch.testing.assert_close(changed[:, 0, 0].float(), expected, atol=0.51, rtol=0)
    flat = restyled(others, plain, 0.3).float()
    low = np.abs(spectrum(flat)[:, square(*shape[1:3], 0.3)])[:, 1:]  # without the mean
    if level == 77:  # nothing is clipped much
        assert (
            low.mean() < 0.2 * np.abs(spectrum(others)[:, square(*shape[1:3], 0.3)])[:, 1:].mean()
        )


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_shares_that_are_none_are_refused(share) -> None:
    images = grey((1, 4, 4, 1), 0)
    with pytest.raises(ContractError, match=r"share of the spectrum must be in \[0, 1\], got"):
        restyled(images, images, share)


def test_a_donor_for_each_image() -> None:
    with pytest.raises(ContractError, match=r"a donor of its shape, got \(2, 4, 4, 1\) and \(1, 4"):
        restyled(grey((2, 4, 4, 1), 0), grey((1, 4, 4, 1), 0), 0.1)
