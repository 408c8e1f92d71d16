"""The training loop itself; what a finetuner trains is in its own file."""

import math

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler
from hypothesis import given
from hypothesis import strategies as st

from tests.contracts.toy_models import ToyModel, toy_images, weights_of
from tgap.core import Budget, DataError, TgapError
from tgap.finetuners.dreambooth import Dreambooth
from tgap.finetuners.oracles.random_skip import RandomSkip
from tgap.finetuners.training.batches import Batch, ShuffledBatches, noised
from tgap.generators.latent.noising import Diffusion

TUNING = toy_images(12)
PRIOR = toy_images(5, ("class",), seed=1)


def tune(finetuner, budget, seed=0, model=None):
    logged = []
    tuned = finetuner.finetune(
        ToyModel() if model is None else model,
        TUNING,
        PRIOR if finetuner.prior_images() else None,
        budget,
        np.random.default_rng(seed),
        lambda step, values: logged.append((step, values)),
    )
    return tuned, logged


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_a_noised_batch_holds_what_makes_it(kind):
    """The target and the noisy latents give the clean latents back."""
    noising = Diffusion(DDPMScheduler(prediction_type=kind))
    latents = torch.randn(50, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    moments = torch.stack([latents, torch.zeros_like(latents)], dim=1)
    batch = Batch(moments, torch.zeros(50, dtype=torch.int64), torch.ones(50))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        (drawn,) = noised(noising, [batch], None)
    again = noising.denoised(drawn.latents, drawn.targets, drawn.timesteps)
    torch.testing.assert_close(again, latents, atol=2e-3, rtol=2e-3)
    assert len(drawn.timesteps.unique()) > 30


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_min_snr_weights_are_the_papers(kind):
    schedule = DDPMScheduler(prediction_type=kind)
    batch = Batch(
        torch.zeros(200, 2, 1, 1, 1), torch.zeros(200, dtype=torch.int64), torch.ones(200)
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        (drawn,) = noised(Diffusion(schedule), [batch], 5.0)
    signal = schedule.alphas_cumprod[drawn.timesteps]
    snr = signal / (1 - signal)
    divisor = snr if kind == "epsilon" else snr + 1
    torch.testing.assert_close(drawn.weights, torch.minimum(snr, torch.tensor(5.0)) / divisor)
    assert drawn.weights.max() <= 1 + 1e-6 or kind == "v_prediction"


def test_min_snr_weighs_prior_images_too():
    """diffusers' script crashes on prior images, because it weighs B of 2B losses."""
    schedule = DDPMScheduler()
    empty = torch.zeros(40, 2, 2, 1, 1)
    batches = [Batch(empty, torch.zeros(40, dtype=torch.int64), torch.ones(40)) for _ in range(2)]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        drawn = noised(Diffusion(schedule), batches, 5.0)
    for batch in drawn:
        signal = schedule.alphas_cumprod[batch.timesteps]
        snr = signal / (1 - signal)
        torch.testing.assert_close(batch.weights, snr.clamp(max=5.0) / snr)
        assert batch.weights.min() < 0.5
    _, logged = tune(Dreambooth(min_snr=5.0), Budget(steps=3, batch_size=4))
    assert all(values["prior_loss"] > 0 for _, values in logged)


def test_another_prediction_type_is_refused():
    with pytest.raises(DataError, match="epsilon or v_prediction, got 'sample'"):
        Diffusion(DDPMScheduler(prediction_type="sample"))


@pytest.mark.parametrize("parts", [2, 3, 7])
def test_accumulation_changes_nothing(parts):
    budget = Budget(steps=5, batch_size=6, learning_rate=0.01)
    whole, _ = tune(Dreambooth(), budget)
    in_parts, _ = tune(Dreambooth(accumulation=parts), budget)
    torch.testing.assert_close(weights_of(in_parts), weights_of(whole), atol=1e-5, rtol=1e-4)


def test_the_average_is_the_recursion():
    """Of each step's parameters, with diffusers' rising decay min(ema, (1 + n) / (10 + n))."""
    budget = Budget(steps=6, batch_size=4, learning_rate=0.01)
    path = [weights_of(tune(Dreambooth(schedule="constant"), budget_of(n))[0]) for n in range(1, 7)]
    average = weights_of(ToyModel())
    for n, weights in enumerate(path):
        decay = min(0.9, (1 + n) / (10 + n)) if n else 0.0
        average = decay * average + (1 - decay) * weights
    averaged, _ = tune(Dreambooth(schedule="constant", ema=0.9), budget)
    torch.testing.assert_close(weights_of(averaged), average, atol=1e-4, rtol=1e-3)


def budget_of(steps):
    return Budget(steps=steps, batch_size=4, learning_rate=0.01)


@pytest.mark.parametrize("schedule", ["cosine", "linear", "constant"])
def test_learning_rates_end_where_they_should(schedule):
    finetuner = Dreambooth(schedule=schedule, warmup=0.0, final_rate=0.2, rate=3.0)
    budget = Budget(steps=11, learning_rate=1.0)
    rates = [finetuner.learning_rate(step, budget) for step in range(11)]
    assert rates[0] == pytest.approx(3.0)
    assert rates[10] == pytest.approx(3.0 if schedule == "constant" else 0.6)
    middle = {"cosine": 1.8, "linear": 1.8, "constant": 3.0}[schedule]
    assert rates[5] == pytest.approx(middle)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_mixed_precision_stays_near_and_parameters_float32(precision):
    budget = Budget(steps=10, batch_size=6, learning_rate=0.01)
    whole, exact = tune(Dreambooth(precision="float32"), budget)
    mixed, logged = tune(Dreambooth(precision=precision), budget)
    norms = np.array([[values["norm"] for _, values in its] for its in (exact, logged)])
    first = np.flatnonzero(np.isfinite(norms[1]))[:2]  # before the two drift apart
    assert norms[1, first] == pytest.approx(norms[0, first], rel=0.2), "the scale is taken out"
    assert weights_of(mixed).dtype == torch.float32
    torch.testing.assert_close(weights_of(mixed), weights_of(whole), atol=0.02, rtol=0.1)
    assert len(logged) == 10


def test_gradients_that_stay_infinite_are_no_training():
    model = ToyModel()
    model.denoiser.register_forward_hook(lambda part, given, out: Broken.apply(out))
    with pytest.raises(TgapError, match=r"diverged: at step 31 .* lower budget\.learning_rate"):
        tune(Dreambooth(precision="float16"), Budget(steps=60, batch_size=4), model=model)


class Broken(torch.autograd.Function):
    """Passes values on, and no gradient that is a number."""

    @staticmethod
    def forward(ctx, values):
        return values.clone()

    @staticmethod
    def backward(ctx, gradient):
        return torch.full_like(gradient, math.nan)


def test_a_trained_text_encoder_changes_and_the_given_one_does_not():
    given_model = ToyModel()
    before = given_model.text_encoders[0].scale.clone()
    tuned, _ = tune(Dreambooth(text_encoder=True), Budget(steps=5), model=given_model)
    assert not torch.equal(tuned.text_encoders[0].scale, before)
    assert torch.equal(given_model.text_encoders[0].scale, before)
    assert not tuned.text_encoders[0].scale.requires_grad


def test_skipping_fills_every_batch_and_counts():
    oracle = RandomSkip(keep=0.5, warmup=0.0)
    _, logged = tune(Dreambooth(oracle=oracle), Budget(steps=40, batch_size=6))
    last = logged[-1][1]
    assert 240 <= last["images_kept"] < 246, "40 full batches, and what waits for the next"
    assert 0.4 < last["images_kept"] / last["images_seen"] < 0.6
    assert last["oracle_passes"] == 0
    assert last["work"] == 40 * 3 * (6 + 2)


def test_the_noise_is_the_same_with_every_oracle():
    """Arms of a comparison differ in their images alone: keeping all is no oracle."""
    budget = Budget(steps=5, batch_size=4, learning_rate=0.01)
    plain, _ = tune(Dreambooth(), budget)
    kept, _ = tune(Dreambooth(oracle=RandomSkip(keep=1.0)), budget)
    assert torch.equal(weights_of(plain), weights_of(kept))


def test_the_same_work_is_the_same_steps_without_an_oracle():
    plain, _ = tune(Dreambooth(), Budget(steps=9, batch_size=4))
    work, logged = tune(Dreambooth(), Budget(steps=9, batch_size=4, limit="work"))
    assert len(logged) == 9
    assert torch.equal(weights_of(plain), weights_of(work))


@pytest.mark.parametrize("limit", ["steps", "work"])
def test_each_step_has_its_own_learning_rate(limit):
    finetuner, budget = Dreambooth(), Budget(steps=100, batch_size=2, limit=limit)
    _, logged = tune(finetuner, budget)
    rates = [values["learning_rate"] for _, values in logged]
    assert rates == [finetuner.learning_rate(step, budget) for step in range(100)]


def test_dropped_prompts_are_the_empty_one():
    batch = Batch(torch.zeros(1000, 2, 1, 1, 1), torch.full((1000,), 3), torch.ones(1000))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        texts = batch.with_empty_prompts(0.3).texts
    assert set(texts.tolist()) == {0, 3}
    assert 0.25 < (texts == 0).float().mean() < 0.35


@given(count=st.integers(1, 12), batch_size=st.integers(1, 30), seed=st.integers(0, 99))
def test_every_image_comes_once_per_epoch(count, batch_size, seed):
    batches = ShuffledBatches(count, batch_size, np.random.default_rng(seed))
    taken = [next(batches) for _ in range(math.ceil(3 * count / batch_size))]
    assert all(len(batch) == batch_size for batch in taken)
    flat = np.concatenate(taken)
    for epoch in range(3):
        assert sorted(flat[epoch * count : (epoch + 1) * count]) == list(range(count))
