"""Combinations that no component can judge by itself."""

import pytest

import tgap
from tgap.core import ConfigError, Sampler
from tgap.generators.base import Pretrained


def test_learned_words_are_drawn_by_the_prompts_they_were_tuned_on() -> None:
    assert tgap.compose("finetuner=textual_inversion").method == "random+textual_inversion"
    for words in ("prompts=findings", "prompts.generation='a {label}'"):
        with pytest.raises(ConfigError, match=r"prompts\.generation must equal prompts\.tuning"):
            tgap.compose("finetuner=textual_inversion", words)


def test_a_sampler_goes_with_the_generators_noise() -> None:
    with pytest.raises(ConfigError, match=r"^sampler\.scheduler must be ddim or .* 'flow_euler'$"):
        tgap.compose("sampler.scheduler=flow_euler")
    with pytest.raises(ConfigError, match=r"- sampler\.scheduler must be flow_euler") as error:
        tgap.compose("generator=stable_diffusion_3", "generator.path=a/b")
    assert len(error.value.problems) == 2, "the prior's sampler too"


def test_an_oracles_sampler_goes_with_it_too() -> None:
    words = ["finetuner/oracle=quantile", "finetuner.oracle.score.scheduler=flow_euler"]
    with pytest.raises(ConfigError, match=r"^finetuner\.oracle\.score\.scheduler must be ddim"):
        tgap.compose(*words)


def test_an_oracle_is_part_of_the_methods_name() -> None:
    run = tgap.compose("finetuner/oracle=quantile", "finetuner/oracle/score=one_step")
    assert run.method == "random+dreambooth+quantile"
    assert tgap.compose("finetuner=active_dreambooth").method == "random+active_dreambooth"


def test_what_ends_tuning_is_checked() -> None:
    with pytest.raises(ConfigError, match=r"budget\.limit must be one of steps, work, got 'time'"):
        tgap.compose("budget.limit=time")


def test_ranges_and_guides_are_typed_as_they_read() -> None:
    run = tgap.compose(
        "sampler.guidance=1",
        "sampler.guidance_high=7.5",
        "sampler.steps_high=40",
        "sampler.schedulers=[ddim,euler]",
        "sampler.guide=untuned",
    )
    words = "ddim or euler, 20 to 40 steps, guidance 1 to 7.5 away from untuned"
    assert run.sampler.in_words() == words
    told = {
        "sampler.guidance_high=2": r"^sampler\.guidance_high must be at least guidance=3, got 2$",
        "sampler.guidance_high=wide": r"sampler\.guidance_high",
        "sampler.schedulers=[ddim,dimm]": r"^sampler\.schedulers must be some of .*, got dimm$",
        "sampler.guide=late": r"^sampler\.guide must be one of empty, .*, got 'late'",
        "sampler.dropout=1": r"^sampler\.dropout must be below 1, which would leave no channel",
        "sampler.schedulers=[ddim,flow_euler]": r"^sampler\.schedulers must be ddim or .*euler'$",
    }
    for word, message in told.items():
        with pytest.raises(ConfigError, match=message):
            tgap.compose(word)


def test_schedulers_stand_in_place_of_the_one() -> None:
    words = ["sampler.schedulers=[flow_euler]", "prior_sampler.scheduler=flow_euler"]
    run = tgap.compose("generator=stable_diffusion_3", "generator.path=a/b", *words)
    assert run.sampler.every_scheduler() == ("flow_euler",)


def test_an_untuned_guide_needs_a_tuned_model() -> None:
    with pytest.raises(ConfigError, match=r"^sampler\.guide=untuned needs a tuned generator: .*"):
        tgap.compose("finetuner=none", "sampler.guide=untuned")
    assert tgap.compose("finetuner=none", "sampler.guide=dropout").sampler.guide == "dropout"
    control = tgap.compose("generator=held_out_real", "sampler.guide=untuned")
    assert control.is_control, "whose samplers mean nothing"


def test_prior_images_have_no_guide() -> None:
    for guide in ("untuned", "dropout"):
        with pytest.raises(ConfigError, match=r"^prior_sampler\.guide must be empty, because"):
            tgap.compose(f"prior_sampler.guide={guide}")
    assert tgap.compose("finetuner=unet", "prior_sampler.guide=untuned"), "which draws none"


def test_compiled_blocks_have_no_dropout() -> None:
    for word, off in {"dropout=0.1": "dropout=0", "guide=dropout": "guide=empty"}.items():
        told = (
            rf"^sampler\.{word.partition('=')[0]}.* set generator\.compile=false or sampler\.{off}$"
        )
        with pytest.raises(ConfigError, match=told):
            tgap.compose("generator.compile=true", f"sampler.{word}")


def test_a_generator_of_ones_own_heeds_no_more_than_it_says() -> None:
    class Own(Pretrained):
        at = digest = image_shape = load = None  # type: ignore[assignment]

    asked = Sampler(guidance_high=5, guide="dropout")
    problems = Own(name="own").sampler_problems("sampler", asked)
    assert len(problems) == 3
    assert problems[0].startswith("sampler.guidance_high has no effect with generator 'own', which")
    assert Own().sampler_problems("sampler", Sampler(guidance=5, batch_size=2)) == []
