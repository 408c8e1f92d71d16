"""What every generator must keep, whichever it is."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
import torch

from tgap.analysis import verdicts
from tgap.composition import registry
from tgap.core import ConfigError, ContractError, DataError, Images, ImageSet, Sampler
from tgap.core.settings import SCHEDULERS
from tgap.generators.base import Generator, Pretrained
from tgap.generators.controls.base import Control, Examples
from tgap.generators.latent.base import LatentModel
from tgap.generators.latent.drawing.aids import Aids
from tgap.generators.latent.pretrained import LatentGenerator

from .small_pipelines import write_3, write_xl

GROUP = "generator"
KNOWN = {
    "stable_diffusion",
    "stable_diffusion_xl",
    "stable_diffusion_3",
    "held_out_real",
    "copy_tuning_set",
    "copy_with_jitter",
    "one_image_per_label",
    "wrong_labels",
    "noise",
    "interpolate",
}
WRITERS = {"stable_diffusion_xl": write_xl, "stable_diffusion_3": write_3}
PROMPTS = ("an odd one", "an even one", "an odd one")


def names_of(base: type[Generator]) -> list[str]:
    every = registry.names(GROUP)
    return [name for name in every if issubclass(registry.component_class(GROUP, name), base)]


each_generator = pytest.mark.parametrize("name", registry.names(GROUP))
each_pretrained = pytest.mark.parametrize("name", names_of(Pretrained))
each_control = pytest.mark.parametrize("name", names_of(Control))


@pytest.fixture(scope="module")
def make(tmp_path_factory):
    """Makes a generator of packaged weights, or of small ones where none are packaged."""
    written: dict[str, str] = {}

    def made(stem: str, **fields: object) -> Pretrained:
        if stem in WRITERS and stem not in written:
            folder = tmp_path_factory.mktemp(stem)
            WRITERS[stem](folder)
            written[stem] = str(folder)
        fields = {"path": written.get(stem), **fields}
        if stem == "stable_diffusion":
            fields = {"packaged": "tiny_ldm", **fields}  # else a path is asked for
        return registry.component_class(GROUP, stem)(device="cpu", **fields)

    return made


def sampler(generator: Pretrained, steps: int = 4, batch_size: int = 3) -> Sampler:
    return Sampler(scheduler=generator.schedulers[0], steps=steps, batch_size=batch_size)


def control(stem: str) -> Control:
    return registry.component_class(GROUP, stem)()


def test_known_ones_are_found():
    assert set(registry.names(GROUP)) >= KNOWN
    assert len(names_of(Pretrained)) >= 1
    assert len(names_of(Control)) >= 7


@each_generator
def test_says_what_it_is(name):
    cls = registry.component_class(GROUP, name)
    assert issubclass(cls, Generator)
    assert isinstance(cls.tunable, bool)
    assert cls.stem() == name
    assert not (cls.__doc__ or "").startswith(f"{cls.__name__}(")  # the one dataclass writes


# Pretrained ones


@each_pretrained
def test_good_weights_are_in_order(name, make):
    assert make(name).check() == []
    assert make(name).digest() == make(name).digest()
    assert len(make(name).image_shape()) == 3


@each_pretrained
def test_a_missing_folder_is_a_problem_and_cannot_be_loaded(name, make, tmp_path):
    generator = make(name, path=str(tmp_path / "nowhere"))
    assert any("nowhere" in problem for problem in generator.check())
    with pytest.raises(DataError, match="nowhere"):
        generator.load()


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_where_no_weights_are_packaged_a_path_is_asked_for(name, make):
    (problem,) = make(name, path=None).check()
    assert f"generator.path must be set for generator '{name}'" in problem


@each_pretrained
def test_its_schedulers_are_those_that_it_draws_with(name, make):
    generator = make(name)
    assert generator.schedulers
    assert set(generator.schedulers) <= set(SCHEDULERS)
    for scheduler in SCHEDULERS:
        how = Sampler(scheduler=scheduler, steps=2)
        if scheduler in generator.schedulers:
            assert len(generator.load().sample(PROMPTS[:1], (1,), how)) == 1
        else:
            with pytest.raises(ConfigError, match=f"for this generator, got '{scheduler}'"):
                generator.load().sample(PROMPTS[:1], (1,), how)


@each_pretrained
def test_images_follow_prompt_and_seed_alone(name, make):
    generator = make(name)
    model, how = generator.load(), sampler(generator)
    whole = model.sample(PROMPTS, (1, 2, 3), how)
    assert whole.shape == (3, *generator.image_shape())
    assert whole.dtype == np.uint8
    for i in (2, 0):
        alone = model.sample(PROMPTS[i : i + 1], (i + 1,), how)
        assert np.abs(alone[0].astype(int) - whole[i]).max() <= 1
    assert (whole[0] != whole[2]).any(), "the seed must change the image"
    assert (model.sample(PROMPTS[1:2], (1,), how)[0] != whole[0]).any(), "so must the prompt"


FURTHER = (
    {"guidance_high": 6.0, "steps_high": 6},
    {"guided_to": 0.6},
    {"guide": "untuned"},
    {"guide": "dropout"},
    {"dropout": 0.2},
)


@each_pretrained
@pytest.mark.parametrize("asked", FURTHER, ids=lambda asked: "-".join(asked))
def test_further_options_of_the_sampler_are_heeded_or_refused(name, make, asked):
    generator = make(name)
    how = dataclasses.replace(sampler(generator), **asked)
    if problems := generator.sampler_problems("sampler", how):
        assert all(problem.startswith("sampler.") for problem in problems)
        return
    model = generator.load()
    if not isinstance(model, LatentModel):
        pytest.skip("not a latent model")
    images = model.aided(Aids(guide=model)).sample(PROMPTS, (1, 2, 3), how)
    alone = model.aided(Aids(guide=model)).sample(PROMPTS[2:], (3,), how)
    assert np.abs(alone[0].astype(int) - images[2]).max() <= 1, "whatever the batch"
    plain = model.sample(PROMPTS, (1, 2, 3), sampler(generator))
    assert (images != plain).any()
    if asked == {"guide": "untuned"}:  # which is the model itself
        off = dataclasses.replace(sampler(generator), guidance=1.0)
        own = dataclasses.replace(how, guidance=2.0)
        drawn = [
            model.aided(Aids(guide=model)).sample(PROMPTS, (1, 2, 3), each) for each in (own, off)
        ]
        assert (drawn[0] == drawn[1]).all()


@each_pretrained
def test_progress_ends_at_the_number_of_images(name, make):
    done: list[int] = []
    generator = make(name)
    generator.load().sample(PROMPTS, (1, 2, 3), sampler(generator, 1, 2), done.append)
    assert done == sorted(done)
    assert done[-1] == 3


@each_pretrained
def test_no_random_state_moves(name, make):
    generator = make(name)
    states = torch.get_rng_state(), np.random.get_state()[1].copy()
    generator.load().sample(PROMPTS[:1], (1,), sampler(generator))
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (np.random.get_state()[1] == states[1]).all()


@each_pretrained
def test_a_saved_model_is_a_generator_of_the_same_kind(name, make, tmp_path):
    generator = make(name)
    generator.load().save(tmp_path)
    again = generator.at(tmp_path)
    assert again.check() + again.check_weights() == []
    drawn = [g.load().sample(PROMPTS[:1], (1,), sampler(g)) for g in (generator, again)]
    assert (drawn[0] == drawn[1]).all()


@each_pretrained
def test_latent_models_encode_what_they_draw(name, make):
    generator = make(name)
    model = generator.load()
    if not isinstance(model, LatentModel):
        pytest.skip("not a latent model")
    images = model.sample(PROMPTS, (1, 2, 3), sampler(generator))
    moments = model.moments(images)
    assert moments.shape[:2] == (3, 2)
    assert moments.dtype == torch.float32
    assert bool((moments[:, 1] > 0).all())
    said = model.condition(PROMPTS)
    for tensor in said.values():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor[0], tensor[2])
    assert any(not torch.equal(tensor[0], tensor[1]) for tensor in said.values())
    timesteps = model.noising.at(0.5, 3, model.device)
    predicted = model.predict(moments[:, 0], timesteps, said)
    assert predicted.shape == moments[:, 0].shape
    assert predicted.dtype == torch.float32


@each_pretrained
@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_draws_nearly_the_same(name, make, precision):
    if not issubclass(registry.component_class(GROUP, name), LatentGenerator):
        pytest.skip("no latent model of diffusers")
    whole, half = make(name), make(name, precision=precision)
    assert half.load().denoiser.dtype == getattr(torch, precision)
    drawn = [g.load().sample(PROMPTS, (1, 2, 3), sampler(g)).astype(int) for g in (whole, half)]
    assert np.abs(drawn[0] - drawn[1]).mean() <= 2


@each_pretrained
def test_checks_and_plans_of_it_need_no_torch(name, make):
    generator = make(name)
    module, cls = type(generator).__module__, type(generator).__name__
    packaged = {"packaged": generator.packaged} if name == "stable_diffusion" else {}
    code = (
        f"import sys; from {module} import {cls};"
        f"g = {cls}(path={generator.path!r}, **{packaged!r});"
        "assert not g.check(); g.digest(); g.image_shape(); g.check_prompts(['a']);"
        "assert not {'torch', 'diffusers', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# Controls

PER_LABEL = 6
SEEDS = (range(100, 104), range(104, 110))
"""Of four even and six odd images."""


def images_of(labels: list[int], first_patient: int, seed: int = 0) -> ImageSet:
    """Random 12 x 12 colour images, even ones dark and odd ones bright."""
    of = np.array(labels)
    dark = np.random.default_rng(seed).integers(0, 100, (len(of), 12, 12, 3), dtype=np.uint8)
    images = dark + (150 * of).astype(np.uint8)[:, None, None, None]
    images.setflags(write=False)
    return ImageSet(
        images=images,
        labels=np.eye(2, dtype=bool)[of],
        label_names=("even", "odd"),
        findings=np.zeros((len(of), 0), dtype=bool),
        finding_names=(),
        patients=np.arange(first_patient, first_patient + len(of), dtype=np.int64),
    )


def examples(**labels: list[int]) -> Examples:
    return Examples(
        images_of(labels.get("tuning", [0, 1] * 4), 0),
        images_of(labels.get("held_out", [0, 1] * 10), 1000, seed=1),
        PER_LABEL,
    )


def draw(stem: str, given: Examples, seed: int = 0) -> Images:
    return control(stem).draw(given, SEEDS, np.random.default_rng(seed)).images


@each_control
def test_a_control_expects_verdicts_that_there_are_and_cannot_be_tuned(name):
    cls = registry.component_class(GROUP, name)
    assert set(cls.expected) <= set(verdicts.CODES)
    assert cls.tunable is False
    assert cls.implies["finetuner"] == "none"


@each_control
def test_a_control_draws_images_like_the_datasets(name):
    drawn = draw(name, examples())
    assert drawn.shape == (10, 12, 12, 3)
    assert drawn.dtype == np.uint8
    assert control(name).image_shape() is None
    assert control(name).check() == []


@each_control
def test_a_control_draws_the_same_again_and_follows_its_random_generator(name):
    given = examples()
    first = draw(name, given)
    assert (draw(name, given) == first).all()
    others = [draw(name, given, seed) for seed in range(1, 5)]
    with_other_seeds = control(name).draw(given, (range(4), range(6)), np.random.default_rng(0))
    assert any((other != first).any() for other in (*others, with_other_seeds.images))


@each_control
def test_a_control_draws_label_by_label(name):
    bright = draw(name, examples()).mean(axis=(1, 2, 3)) > 125
    agrees = bright == (np.arange(10) >= 4)
    if name == "noise":
        return  # whose truth is that it does not
    if name == "wrong_labels":
        assert (~agrees).sum() <= 4  # 2 of each label's 6, of which 4 and 6 are asked for
    else:
        assert agrees.all()


@each_control
def test_a_control_gives_images_the_labels_of_their_sources_or_none(name):
    labels = control(name).draw(examples(), SEEDS, np.random.default_rng(0)).labels
    if name == "noise":
        assert labels is None
    else:
        assert labels.tolist() == [[True, False]] * 4 + [[False, True]] * 6


@each_control
def test_a_control_leaves_everything_as_it_is(name):
    given = examples()  # its arrays are locked
    before = repr(control(name)), torch.get_rng_state(), np.random.get_state()[1].copy()
    chosen = control(name)
    chosen.draw(given, SEEDS, np.random.default_rng(0))
    assert repr(chosen) == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])
    assert (np.random.get_state()[1] == before[2]).all()


@each_control
def test_a_control_tells_how_far_it_is(name):
    done: list[int] = []
    control(name).draw(examples(), SEEDS, np.random.default_rng(0), done.append)
    assert done == [1, 2]


@each_control
def test_a_control_refuses_a_label_without_images(name):
    source = registry.component_class(GROUP, name).draws_from
    lacking = examples(**{source: [0] * 12})
    with pytest.raises(
        DataError,
        match=f"'{name}' needs {source.replace('_', '-')} images of every label, "
        "got none of 'odd'; change size",
    ):
        draw(name, lacking)


@each_control
def test_a_control_refuses_what_was_not_announced(name):
    for seeds, got in (((range(7), range(6)), r"\[7, 6\]"), ((range(6),), r"\[6\]")):
        with pytest.raises(ContractError, match=f"up to 6 images of each of 2 labels, .* {got}"):
            control(name).draw(examples(), seeds, np.random.default_rng(0))


def test_examples_that_do_not_fit_together_are_refused():
    tuning, held_out = images_of([0, 1], 0), images_of([0, 1], 10)
    smaller = dataclasses.replace(held_out, images=held_out.images[:, :, :6])
    renamed = dataclasses.replace(held_out, label_names=("even", "three"))
    with pytest.raises(ContractError, match="of patients that have no tuning image"):
        Examples(tuning, images_of([0, 1], 1), 3)
    with pytest.raises(ContractError, match="per_label must be at least 1, got 0"):
        Examples(tuning, held_out, 0)
    with pytest.raises(ContractError, match=r"must have one shape, got \(12, 12, 3\) and \(12, 6"):
        Examples(tuning, smaller, 3)
    with pytest.raises(ContractError, match="same labels, got even, odd and even, three"):
        Examples(tuning, renamed, 3)
