"""What every generator must keep, whichever it is."""

import numpy as np
import pytest
import torch

from tgap import registry
from tgap.errors import DataError
from tgap.generators.base import Generator, LatentModel
from tgap.settings import Sampler

GROUP = "generator"
KNOWN = {"latent_diffusion"}
SAMPLER = Sampler(steps=4, batch_size=3)
PROMPTS = ("an image of odd digit", "an image of even digit", "an image of odd digit")

each_generator = pytest.mark.parametrize("name", registry.names(GROUP))


def make(stem: str, **fields: object) -> Generator:
    return registry.component_class(GROUP, stem)(device="cpu", **fields)


def test_known_ones_are_found():
    assert set(registry.names(GROUP)) >= KNOWN


@each_generator
def test_says_what_it_is(name):
    cls = registry.component_class(GROUP, name)
    assert issubclass(cls, Generator)
    assert cls.stem() == name
    assert not (cls.__doc__ or "").startswith(f"{cls.__name__}(")  # the one dataclass writes


@each_generator
def test_the_packaged_weights_are_in_order(name):
    assert make(name).check() == []
    assert make(name).digest() == make(name).digest()


@each_generator
def test_a_missing_folder_is_a_problem_and_cannot_be_loaded(name, tmp_path):
    generator = make(name, path=str(tmp_path / "nowhere"))
    assert any("nowhere" in problem for problem in generator.check())
    with pytest.raises(DataError, match="nowhere"):
        generator.load()


@each_generator
def test_images_follow_prompt_and_seed_alone(name):
    model = make(name).load()
    whole = model.sample(PROMPTS, (1, 2, 3), SAMPLER)
    assert whole.shape[0] == 3
    assert whole.ndim == 4
    assert whole.shape[3] in (1, 3)
    assert whole.dtype == np.uint8
    for i in (2, 0):
        alone = model.sample(PROMPTS[i : i + 1], (i + 1,), SAMPLER)
        assert np.abs(alone[0].astype(int) - whole[i]).max() <= 1
    assert (whole[0] != whole[2]).any(), "the seed must change the image"
    assert (model.sample(PROMPTS[1:2], (1,), SAMPLER)[0] != whole[0]).any(), "so must the prompt"


@each_generator
def test_progress_ends_at_the_number_of_images(name):
    done: list[int] = []
    make(name).load().sample(PROMPTS, (1, 2, 3), Sampler(steps=1, batch_size=2), done.append)
    assert done == sorted(done)
    assert done[-1] == 3


@each_generator
def test_no_random_state_moves(name):
    states = torch.get_rng_state(), np.random.get_state()[1].copy()
    make(name).load().sample(PROMPTS[:1], (1,), SAMPLER)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (np.random.get_state()[1] == states[1]).all()


@each_generator
def test_a_saved_model_is_a_generator_of_the_same_kind(name, tmp_path):
    generator = make(name)
    generator.load().save(tmp_path)
    again = generator.at(tmp_path)
    assert again.check() == []
    drawn = [g.load().sample(PROMPTS[:1], (1,), SAMPLER) for g in (generator, again)]
    assert (drawn[0] == drawn[1]).all()


@each_generator
def test_latent_models_encode_what_they_draw(name):
    model = make(name).load()
    if not isinstance(model, LatentModel):
        pytest.skip("not a latent model")
    images = model.sample(PROMPTS, (1, 2, 3), SAMPLER)
    moments = model.moments(images)
    assert moments.shape[:2] == (3, 2)
    assert moments.dtype == torch.float32
    assert bool((moments[:, 1] > 0).all())
    embeddings = model.text_embeddings(PROMPTS)
    assert embeddings.ndim == 3
    assert torch.equal(embeddings[0], embeddings[2])
    assert not torch.equal(embeddings[0], embeddings[1])
