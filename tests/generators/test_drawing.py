"""Drawing with ranges, in an interval of noise levels, away from other models, with dropout."""

import copy

import numpy as np
import pytest
import torch

from tgap.core import ContractError, DataError, Images, Sampler
from tgap.core.randomised import setting_of
from tgap.generators.latent.drawing.aids import Aids
from tgap.generators.latent.drawing.dropout import with_dropout
from tgap.generators.latent.drawing.guided import Guided
from tgap.generators.latent.model import StableDiffusionModel
from tgap.generators.stable_diffusion import StableDiffusion

PROMPTS = ["an image of a", "b", "an image of a", "odd", "b"]
SEEDS = [2**63 + 5, 1, 2, 3, 4]
ALONE = Sampler(scheduler="ddim", steps=3, guidance=1.0)


@pytest.fixture(scope="module")
def model() -> StableDiffusionModel:
    """The packaged miniature."""
    return StableDiffusion(packaged="tiny_ldm", device="cpu").load()


@pytest.fixture(scope="module")
def tuned(model: StableDiffusionModel) -> StableDiffusionModel:
    """A model of other weights that knows the miniature as what it was."""
    denoiser = copy.deepcopy(model.denoiser)
    denoiser.conv_out.weight.mul_(0.9)
    return model.with_parts(denoiser).aided(Aids(guide=model))


def draw(model: StableDiffusionModel, **asked: object) -> Images:
    return model.sample(PROMPTS, SEEDS, Sampler(scheduler="ddim", steps=3, **asked))


def furthest(one: Images, other: Images) -> int:
    return int(np.abs(one.astype(int) - other).max())


def widths(model: StableDiffusionModel, **asked: object) -> list[int]:
    """Images in each pass of the denoiser."""
    seen: list[int] = []
    hook = model.denoiser.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    try:
        draw(model, **asked)
    finally:
        hook.remove()
    return seen


class TestRanges:
    @pytest.mark.parametrize("guidance", [1.0, 2.5])
    def test_without_width_they_draw_what_the_scalar_draws(self, model, guidance):
        asked = {"guidance": guidance, "guidance_high": guidance, "steps_high": 3}
        same = draw(model, **asked, schedulers=["ddim"])
        assert (same == draw(model, guidance=guidance)).all()

    def test_an_image_is_drawn_with_its_own_setting(self, model):
        sampler = Sampler(
            guidance=1, guidance_high=9, steps=2, steps_high=4, schedulers=["ddim", "ddpm"]
        )
        images = model.sample(PROMPTS, SEEDS, sampler)
        assert len({repr(setting_of(sampler, seed)) for seed in SEEDS}) > 1
        for row, seed in enumerate(SEEDS):
            own = setting_of(sampler, seed)
            assert furthest(model.sample([PROMPTS[row]], [seed], own)[0], images[row]) <= 1
        backwards = model.sample(PROMPTS[::-1], SEEDS[::-1], sampler)[::-1]
        assert furthest(backwards, images) <= 1

    def test_progress_ends_at_the_number_of_images(self, model):
        done: list[int] = []
        sampler = Sampler(steps=1, guidance=1, guidance_high=3, batch_size=1)
        model.sample(PROMPTS, SEEDS, sampler, done.append)
        assert done == [1, 2, 3, 4, 5]


class TestInterval:
    def test_everywhere_is_plain_guidance(self, model):
        asked = {"guidance": 4.0, "guided_from": 0.0, "guided_to": 1.0}
        assert (draw(model, **asked) == draw(model, guidance=4.0)).all()

    def test_of_everything_but_the_last_bit_it_is_plain_guidance_too(self, model):
        asked = {"guidance": 4.0, "guided_to": 0.9999}
        assert (draw(model, **asked) == draw(model, guidance=4.0)).all()

    def test_of_nothing_it_is_no_guidance(self, model):
        nowhere = draw(model, guidance=4.0, guided_from=0.99999)
        assert (nowhere == draw(model, guidance=1.0)).all()

    def test_outside_it_there_is_one_pass_of_each_image(self, model):
        scheduler = model.scheduler_named("ddim")
        scheduler.set_timesteps(3)
        shares = [float(t) / 1000 for t in scheduler.timesteps]
        assert shares[0] > shares[1] > shares[2]
        inside = {"guided_from": shares[1] - 0.01, "guided_to": shares[1] + 0.01}
        assert widths(model, guidance=4.0, **inside) == [5, 10, 5]
        assert widths(model, guidance=4.0, guided_to=shares[1]) == [5, 10, 10]
        assert widths(model, guidance=4.0) == [10, 10, 10]

    def test_it_changes_images_which_do_not_depend_on_their_batch(self, model):
        images = draw(model, guidance=9.0, guided_to=0.7)
        assert furthest(images, draw(model, guidance=9.0)) > 10
        assert furthest(images, draw(model, guidance=9.0, guided_to=0.7, batch_size=2)) <= 1


class TestGuides:
    @pytest.mark.parametrize("scheduler", ["ddim", "ddpm", "dpm_solver", "euler", "pndm"])
    def test_a_model_that_is_its_own_guide_draws_as_without_guidance(self, model, scheduler):
        itself = model.aided(Aids(guide=model))
        own = Sampler(scheduler=scheduler, steps=3, guidance=2, guide="untuned")
        alone = Sampler(scheduler=scheduler, steps=3, guidance=1)
        drawn = [itself.sample(PROMPTS, SEEDS, how) for how in (own, alone)]
        assert (drawn[0] == drawn[1]).all()

    @pytest.mark.parametrize("guide", ["untuned", "dropout", "empty"])
    def test_at_scale_1_no_guide_plays_a_part(self, tuned, guide):
        assert (draw(tuned, guidance=1, guide=guide) == draw(tuned, guidance=1)).all()

    @pytest.mark.parametrize("guide", ["untuned", "dropout"])
    def test_a_guide_changes_images_which_do_not_depend_on_their_batch(self, tuned, guide):
        images = draw(tuned, guidance=3, guide=guide)
        assert furthest(images, draw(tuned, guidance=1)) > 10
        assert furthest(images, draw(tuned, guidance=3)) > 10
        assert furthest(images, draw(tuned, guidance=3, guide=guide, batch_size=2)) <= 1

    def test_one_step_is_the_formula(self, tuned, model):
        """By predictions of the two models, without a pipeline."""
        network = Guided(tuned.denoiser, model.denoiser)
        noisy = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
        said, t = tuned.condition(["odd", "b"]), torch.tensor(500)
        states = said["encoder_hidden_states"]
        with torch.no_grad():
            both = network(
                noisy.repeat(2, 1, 1, 1), t, encoder_hidden_states=states.repeat(2, 1, 1)
            )
            expected = [each.predict(noisy, t, said) for each in (model, tuned)]
        assert torch.equal(both[0], torch.cat(expected))

    def test_the_untuned_model_reads_the_prompt_by_itself(self, tuned, model):
        """So that tuned text encoders and learned words are led away from too."""
        encoder = copy.deepcopy(model.text_encoders[0])
        for weights in encoder.parameters():
            weights.mul_(0.8)
        other = model.with_parts(text_encoders=(encoder,))
        reads_otherwise = model.aided(Aids(guide=other))
        assert furthest(draw(reads_otherwise, guidance=3, guide="untuned"), draw(model, guidance=1))

    def test_learned_words_are_led_away_from_their_prompt(self, model):
        learned = model._around(model.pipeline_with(), {"odd": "b"}).aided(Aids(guide=model))
        asked = Sampler(scheduler="ddim", steps=3, guidance=2, guide="untuned")
        away = learned.sample(["odd"], [1], asked)
        assert furthest(away, model.sample(["b"], [1], ALONE)) > 1
        assert furthest(away, model.sample(["odd"], [1], ALONE)) > 1

    def test_the_untuned_model_must_be_known(self, model):
        with pytest.raises(ContractError, match="aided"):
            draw(model, guidance=3, guide="untuned")

    def test_a_guide_takes_two_passes_of_each_image(self, tuned):
        assert widths(tuned, guidance=3, guide="untuned") == [5, 5, 5]
        assert widths(tuned.aids.guide, guidance=3) == [10, 10, 10]

    def test_what_a_pipeline_asks_a_denoiser_for_is_the_denoisers(self, model):
        network = Guided(model.denoiser)
        assert network.config is model.denoiser.config
        assert (network.dtype, network.device) == (model.denoiser.dtype, model.denoiser.device)
        with pytest.raises(AttributeError):
            _ = network.nothing_of_that_name


class TestDropout:
    def test_of_nothing_it_is_the_network_itself(self, model):
        assert with_dropout(model.denoiser, 0, SEEDS, "dropout") is model.denoiser
        assert (draw(model, dropout=0.0) == draw(model)).all()

    @pytest.mark.parametrize("guidance", [1.0, 3.0])
    def test_an_image_does_not_depend_on_its_batch(self, model, guidance):
        images = draw(model, guidance=guidance, dropout=0.1)
        assert furthest(images, draw(model, guidance=guidance)) > 10
        alone = draw(model, guidance=guidance, dropout=0.1, batch_size=1)
        assert furthest(images, alone) <= 1

    def test_masks_are_of_the_seed_the_layer_and_the_name_and_stay(self):
        network = torch.nn.Sequential(torch.nn.Dropout(), torch.nn.Dropout()).eval()
        ones = torch.ones(2, 3, 5000)
        first = with_dropout(network, 0.25, [1, 2], "dropout")
        one = [first[0](ones), first[1](ones)]
        assert torch.equal(first[0](ones), one[0]), "the same at every step"
        assert not torch.equal(one[0], one[1]), "each layer has its own"
        assert not torch.equal(one[0][0], one[0][1]), "and each image"
        assert not torch.equal(with_dropout(network, 0.25, [1, 2], "guide")[0](ones), one[0])
        assert torch.equal(with_dropout(network, 0.25, [2], "dropout")[0](ones[:1])[0], one[0][1])
        twice = first[0](torch.ones(4, 3, 5000))
        assert torch.equal(twice, one[0].repeat(2, 1, 1)), "both halves of a guided batch"

    def test_masks_are_of_channels_and_keep_the_mean(self):
        network = with_dropout(torch.nn.Dropout().eval(), 0.25, [1], "dropout")
        maps, tokens = network(torch.ones(1, 5000, 2, 2)), None
        assert torch.equal(maps, maps[:, :, :1, :1].expand(maps.shape))
        network = with_dropout(torch.nn.Dropout().eval(), 0.25, [1], "dropout")
        tokens = network(torch.ones(1, 7, 5000))
        assert torch.equal(tokens, tokens[:, :1].expand(tokens.shape))
        assert set(np.unique(maps)) == {0, np.float32(1 / 0.75)}
        assert float((maps == 0).float().mean()) == pytest.approx(0.25, abs=0.03)

    def test_the_model_is_left_as_it_is_and_its_weights_are_shared(self, model):
        before = draw(model)
        copied = with_dropout(model.denoiser, 0.5, SEEDS, "dropout")
        weights = zip(copied.parameters(), model.denoiser.parameters(), strict=True)
        assert all(one is other for one, other in weights)
        assert not any(module._forward_hooks for module in model.denoiser.modules())
        assert (draw(model) == before).all()

    def test_a_network_without_such_layers_is_told(self):
        with pytest.raises(DataError, match=r"its Linear has none; set sampler\.dropout=0"):
            with_dropout(torch.nn.Linear(2, 2), 0.1, [1], "dropout")
