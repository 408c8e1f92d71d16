"""What every augmentation of training batches must keep, whichever it is."""

import dataclasses

import numpy as np
import pytest
import torch

from tgap.classifiers.augments.base import Augment
from tgap.composition import registry
from tgap.core import ContractError

GROUP = "classifier/augment"
KNOWN = {"dsu", "fourier", "mixstyle", "none"}

each_augment = pytest.mark.parametrize("name", registry.names(GROUP))


def make(name: str) -> Augment:
    """An augmentation that always does what it does."""
    cls = registry.component_class(GROUP, name)
    always = (
        {"probability": 1.0} if "probability" in (f.name for f in dataclasses.fields(cls)) else {}
    )
    return cls(**always)


def batch(channels: int = 1, count: int = 6) -> torch.Tensor:
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.integers(20, 200, (count, 16, 12, channels)).astype(np.uint8))


def maps(count: int = 6) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).normal(2, 3, (count, 5, 4, 3)))


def test_known_ones_are_found() -> None:
    assert set(registry.names(GROUP)) >= KNOWN


@each_augment
def test_says_what_it_is(name: str) -> None:
    cls = registry.component_class(GROUP, name)
    assert issubclass(cls, Augment)
    assert cls.stem() == name
    assert not (cls.__doc__ or "").startswith(f"{cls.__name__}(")  # the one dataclass writes


@each_augment
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("count", [1, 2, 6])
def test_images_stay_images_and_maps_stay_maps(name: str, channels: int, count: int) -> None:
    augment = make(name)
    for call, given in ((augment.images, batch(channels, count)), (augment.maps, maps(count))):
        before = given.clone()
        changed = call(given, np.random.default_rng(0))
        assert torch.equal(given, before)
        assert changed.shape == given.shape
        assert changed.dtype == given.dtype
        assert torch.isfinite(changed).all()


@each_augment
def test_it_changes_what_it_says(name: str) -> None:
    augment, rng = make(name), np.random.default_rng(0)
    changed_images = not torch.equal(augment.images(batch(), rng), batch())
    changed_maps = not torch.equal(augment.maps(maps(), rng), maps())
    assert changed_images == (augment.changes and not augment.on_maps)
    assert changed_maps == (augment.changes and augment.on_maps)


@each_augment
def test_all_randomness_is_the_generators(name: str) -> None:
    augment, states = make(name), (torch.get_rng_state(), np.random.get_state()[1].copy())
    made = [
        (augment.images(batch(), rng), augment.maps(maps(), rng))
        for rng in (np.random.default_rng(3), np.random.default_rng(3))
    ]
    assert all(torch.equal(a, b) for a, b in zip(*made, strict=True))
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (np.random.get_state()[1] == states[1]).all()


@each_augment
def test_gradients_are_finite_where_maps_are_constant(name: str) -> None:
    given = maps().to(torch.float32)
    given[:, 0] = 0  # of all images, as a dead unit's
    given[2, 1] = 5  # of one image
    given.requires_grad_(True)
    (make(name).maps(given, np.random.default_rng(0)) ** 2).sum().backward()
    assert given.grad is not None
    assert torch.isfinite(given.grad).all()


@dataclasses.dataclass(kw_only=True)
class Halving(Augment):
    """Loses half of the batch."""

    def _images(self, batch: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        return batch[::2]


def test_a_batch_of_another_shape_is_refused() -> None:
    with pytest.raises(ContractError, match=r"halving must return torch.uint8 of shape \(6, 16"):
        Halving().images(batch(), np.random.default_rng(0))
