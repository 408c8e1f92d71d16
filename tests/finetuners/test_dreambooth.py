import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.contracts.toy_models import ToyModel, toy_images, weights_of
from tgap.core import Budget, ConfigError, ContractError, TgapError
from tgap.finetuners.dreambooth import Dreambooth
from tgap.finetuners.none import NoFinetuner
from tgap.generators.base import Model


class NotLatent(Model):
    sample = save = None


NotLatent.__abstractmethods__ = frozenset()
TUNING = toy_images(6, weights=np.array([1, 2, 3, 1, 2, 3.0]))
PRIOR = toy_images(5, ("class",), seed=1)
BUDGET = Budget(steps=7, batch_size=4, learning_rate=0.01)


def tune(finetuner, model, budget=BUDGET, seed=0, prior=PRIOR):
    logged = []
    tuned = finetuner.finetune(
        model,
        TUNING,
        prior if finetuner.prior_images() else None,
        budget,
        np.random.default_rng(seed),
        lambda step, values: logged.append((step, values)),
    )
    return tuned, logged


def reference_step(finetuner, model, rate):
    """One step by hand: draws in the finetuner's order, the paper's loss, clipping, AdamW."""
    rng = np.random.default_rng(0)
    streams = rng.spawn(2)
    size = round(finetuner.prior_share * BUDGET.batch_size)
    rows = streams[0].permutation(len(TUNING))[: BUDGET.batch_size]
    prior_rows = streams[1].permutation(len(PRIOR))[:size]
    pixels = np.concatenate([TUNING.images[rows], PRIOR.images[prior_rows]])
    prompts = [TUNING.prompts[i] for i in rows] + [PRIOR.prompts[i] for i in prior_rows]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**63)))
        mean, deviation = model.moments(pixels).unbind(1)
        latents = mean + deviation * torch.randn(mean.shape)
        noise = torch.randn(mean.shape)
        t = torch.randint(0, 1000, (len(mean),))
    signal = model.noising.scheduler.alphas_cumprod[t][:, None, None, None]
    noisy = signal.sqrt() * latents + (1 - signal).sqrt() * noise
    parameters = [p.requires_grad_(True) for p in model.denoiser.parameters()]
    predicted = model.predict(noisy, t, model.condition(prompts))
    per_image = (predicted - noise).square().mean(dim=(1, 2, 3))
    weights = torch.tensor(TUNING.weights[rows], dtype=torch.float32)
    tuning_loss = sum(weights * per_image[:4]) / 4
    prior_loss = sum(per_image[4:]) / size
    loss = tuning_loss + finetuner.prior_weight * prior_loss
    gradients = torch.autograd.grad(loss, parameters)
    norm = math.sqrt(sum(g.square().sum().item() for g in gradients))
    scale = min(1.0, finetuner.max_norm / norm)
    stepped = []
    for p, g in zip(parameters, gradients, strict=True):
        g = g * scale  # at the first step AdamW's moments give g / |g|
        p = p * (1 - rate * finetuner.weight_decay) - rate * g / (g.abs() + 1e-8)
        stepped.append(p.detach().flatten())
    return torch.cat(stepped), tuning_loss.item(), prior_loss.item(), norm


def test_a_step_is_the_papers():
    finetuner = Dreambooth(
        prior_weight=0.7, prior_share=0.5, unconditional=0.0, warmup=0.0, weight_decay=0.3
    )
    budget = Budget(steps=1, batch_size=4, learning_rate=0.01)
    expected, tuning_loss, prior_loss, norm = reference_step(finetuner, ToyModel(), 0.01)
    tuned, [(step, values)] = tune(finetuner, ToyModel(), budget)
    torch.testing.assert_close(weights_of(tuned), expected)
    assert step == 1
    assert values["tuning_loss"] == pytest.approx(tuning_loss, rel=1e-5)
    assert values["prior_loss"] == pytest.approx(prior_loss, rel=1e-5)
    assert values["loss"] == pytest.approx(tuning_loss + 0.7 * prior_loss, rel=1e-5)
    assert values["norm"] == pytest.approx(norm, rel=1e-5)
    assert values["learning_rate"] == 0.01


def test_without_prior_weight_there_is_no_prior():
    finetuner = Dreambooth(prior_weight=0)
    assert finetuner.prior_images() == 0
    _, logged = tune(finetuner, ToyModel())
    assert all("prior_loss" not in values for _, values in logged)
    assert logged[0][1]["loss"] == logged[0][1]["tuning_loss"]


def test_prior_images_are_required_exactly_when_wanted():
    assert Dreambooth().prior_images() == 200
    with pytest.raises(ContractError, match="wants 200 prior images"):
        tune(Dreambooth(), ToyModel(), prior=None)
    with pytest.raises(ContractError, match="wants 0 prior images"):
        Dreambooth(prior_weight=0).finetune(
            ToyModel(), TUNING, PRIOR, BUDGET, np.random.default_rng(0)
        )


def test_the_input_model_and_all_random_states_stay_as_they_are():
    model = ToyModel()
    before, training = weights_of(model).clone(), model.denoiser.training
    states = torch.get_rng_state(), np.random.get_state()[1].copy()
    tuned, _ = tune(Dreambooth(), model)
    assert torch.equal(weights_of(model), before)
    assert model.denoiser.training == training
    assert not torch.equal(weights_of(tuned), before)
    assert not tuned.denoiser.training
    assert not any(p.requires_grad for p in tuned.denoiser.parameters())
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (np.random.get_state()[1] == states[1]).all()


def test_the_same_generator_gives_the_same_weights_and_another_others():
    first, again, other = (tune(Dreambooth(), ToyModel(), seed=s)[0] for s in (0, 0, 1))
    assert torch.equal(weights_of(first), weights_of(again))
    assert not torch.equal(weights_of(first), weights_of(other))


def test_images_and_prompts_are_encoded_once_whatever_the_steps():
    for steps in (1, 30):
        model = ToyModel()
        tune(Dreambooth(), model, Budget(steps=steps, batch_size=4))
        assert model.calls["moments"] == 2
        assert sorted(model.calls["prompts"]) == ["", "a", "bb", "class"]


def test_every_step_is_logged_in_order():
    _, logged = tune(Dreambooth(), ToyModel(), Budget(steps=23, batch_size=2))
    assert [step for step, _ in logged] == list(range(1, 24))


def test_training_lowers_the_loss():
    budget = Budget(steps=200, batch_size=16, learning_rate=0.02)
    _, logged = tune(Dreambooth(), ToyModel(), budget)
    losses = [values["loss"] for _, values in logged]
    assert np.mean(losses[-30:]) < 0.8 * np.mean(losses[:10])


def test_a_divergence_names_the_step_and_the_remedy():
    model = ToyModel()
    with torch.no_grad():
        model.denoiser.mix.weight.fill_(float("nan"))
    with pytest.raises(TgapError, match=r"diverged: at step 1 .* lower budget\.learning_rate"):
        tune(Dreambooth(), model)


def test_a_divergence_in_the_last_step_is_told_too():
    budget = Budget(steps=3)
    object.__setattr__(budget, "learning_rate", 1e38)  # larger than a person may set
    with pytest.raises(TgapError, match="diverged"):
        tune(Dreambooth(warmup=0.0), ToyModel(), budget)


def test_other_generators_are_refused():
    with pytest.raises(ContractError, match=r"got a NotLatent; use finetuner=none"):
        tune(Dreambooth(), NotLatent())


def test_wrong_fields_are_told_together():
    with pytest.raises(ConfigError) as error:
        Dreambooth(prior_weight=-1, prior_share=0, unconditional=2)
    assert len(error.value.problems) == 3


@given(steps=st.integers(1, 200), warmup=st.floats(0, 1), final=st.floats(0, 1))
def test_the_learning_rate_rises_then_falls_within_its_bounds(steps, warmup, final):
    finetuner = Dreambooth(warmup=warmup, final_rate=final)
    budget = Budget(steps=steps, learning_rate=1.0)
    rates = [finetuner.learning_rate(step, budget) for step in range(steps)]
    rise = round(warmup * steps)
    assert all(0 <= rate <= 1.0 + 1e-12 for rate in rates)
    assert rates[:rise] == sorted(rates[:rise])
    assert rates[rise:] == sorted(rates[rise:], reverse=True)
    assert max(rates) == pytest.approx(1.0)


def test_no_finetuner_passes_the_model_through():
    model = ToyModel()
    assert NoFinetuner.stem() == "none"
    assert not NoFinetuner.tunes
    assert NoFinetuner().prior_images() == 0
    assert tune(NoFinetuner(), model)[0] is model
