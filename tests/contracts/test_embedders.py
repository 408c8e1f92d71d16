"""What every embedder must keep, whichever it is."""

import dataclasses

import numpy as np
import pytest
import torch

from tgap.composition import registry
from tgap.core import ContractError, Floats, Images
from tgap.embedders.base import Embedder

from .network_files import needed

GROUP = "selector/embedder"
KNOWN = {"clip", "pixels", "classifier", "fid_inception", "timm", "xrv_densenet"}

each_embedder = pytest.mark.parametrize("name", registry.names(GROUP))


class Ready:
    """An embedder with what it needs: one that wants a classifier's features gets some."""

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder

    def embed(self, given: Images) -> Floats:
        features = mean_and_spread if self.embedder.uses_classifier else None
        return self.embedder.embed(given, features)


def mean_and_spread(given: Images) -> Floats:
    flat = given.reshape(len(given), -1).astype(np.float32)
    return np.stack([flat.mean(axis=1), flat.std(axis=1)], axis=1)


def make(stem: str, **fields: object) -> Ready:
    return Ready(registry.component_class(GROUP, stem)(**{**needed(stem), **fields}))


def images(n: int = 6, size: int = 32, channels: int = 1) -> Images:
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, 256, (n, size, size, channels), dtype=np.uint8)
    drawn.setflags(write=False)  # an embedder that writes into its input fails here
    return drawn


def test_known_ones_are_found() -> None:
    assert set(registry.names(GROUP)) >= KNOWN


@each_embedder
def test_says_what_it_is(name: str) -> None:
    cls = registry.component_class(GROUP, name)
    assert issubclass(cls, Embedder)
    assert cls.stem() == name
    assert not (cls.__doc__ or "").startswith(f"{cls.__name__}(")  # the one dataclass writes


@each_embedder
@pytest.mark.parametrize("channels", [1, 3])
def test_one_finite_float32_vector_per_image(name: str, channels: int) -> None:
    vectors = make(name).embed(images(channels=channels))
    assert vectors.dtype == np.float32
    assert vectors.shape[0] == 6
    assert vectors.shape[1] >= 1
    assert np.isfinite(vectors).all()


@each_embedder
def test_same_images_same_vectors(name: str) -> None:
    assert np.array_equal(make(name).embed(images()), make(name).embed(images()))


@each_embedder
def test_a_vector_does_not_depend_on_the_other_images(name: str) -> None:
    embedder, all_ = make(name), images()
    order = np.random.default_rng(1).permutation(6)
    vectors = embedder.embed(all_)
    assert np.allclose(embedder.embed(all_[order]), vectors[order], atol=1e-5)
    assert np.allclose(embedder.embed(all_[2:3]), vectors[2:3], atol=1e-5)


@each_embedder
def test_batch_size_does_not_matter(name: str) -> None:
    small, large = (make(name, batch_size=size).embed(images()) for size in (1, 4))
    assert np.allclose(small, large, atol=1e-5)


@each_embedder
def test_black_and_white_images(name: str) -> None:
    constant = np.zeros((2, 32, 32, 1), np.uint8)
    constant[1] = 255
    assert np.isfinite(make(name).embed(constant)).all()


@each_embedder
def test_global_random_states_are_left_alone(name: str) -> None:
    np.random.seed(0)
    state, torch_state = np.random.get_state()[1].copy(), torch.get_rng_state()
    make(name).embed(images())
    assert np.array_equal(np.random.get_state()[1], state)
    assert torch.equal(torch.get_rng_state(), torch_state)


@each_embedder
def test_instance_is_left_as_it_is(name: str) -> None:
    ready = make(name)
    before = dataclasses.asdict(ready.embedder)
    ready.embed(images())
    assert dataclasses.asdict(ready.embedder) == before


@each_embedder
def test_identity_leaves_out_what_does_not_change_the_result(name: str) -> None:
    changed, plain = make(name, batch_size=3, name="x"), make(name)
    assert changed.embedder.identity() == plain.embedder.identity()


@each_embedder
def test_a_classifier_is_given_exactly_if_wanted(name: str) -> None:
    embedder = make(name).embedder
    features = None if embedder.uses_classifier else mean_and_spread
    with pytest.raises(ContractError, match=r"(needs the|takes no) features of a .*classifier"):
        embedder.embed(images(), features)
