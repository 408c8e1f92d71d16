"""Combinations that no component can judge by itself."""

import pytest

import tgap
from tgap.core import ConfigError


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
