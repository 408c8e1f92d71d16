"""Steps that choose among candidates."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.generators.conftest import base, folder, model
from tgap.core import Sampler
from tgap.generators.latent.drawing.aids import Aids, StepChoice
from tgap.generators.latent.drawing.choosing import Choosing, Remembering, picks

__all__ = ["base", "folder", "model"]  # fixtures
PROMPTS, SEEDS = ["odd", "even", "odd", "even"], [11, 12, 13, 14]


def light(images, seeds) -> np.ndarray:
    return images.mean((1, 2, 3)) / 255


def draw(model, choice: StepChoice | None = None, **asked) -> np.ndarray:
    sampler = Sampler(**{"scheduler": "ddpm", "steps": 5, "batch_size": 4, **asked})
    return model.aided(Aids(choice=choice)).sample(PROMPTS, SEEDS, sampler)


def furthest(one, other) -> int:
    return int(np.abs(one.astype(int) - other).max())


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_one_candidate_draws_as_the_scheduler_does(model, guidance: float) -> None:
    choice = StepChoice(1, 0.1, 1.0, light)
    assert (draw(model, choice, guidance=guidance) == draw(model, guidance=guidance)).all()


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_the_first_candidate_is_what_the_scheduler_does(model, guidance: float) -> None:
    """Whose value is far above the others': the clean image of a step is valued, pass by pass."""
    calls: list[int] = []

    def first(images, seeds) -> np.ndarray:
        calls.append(len(images))
        return np.full(len(images), 1e6 if len(calls) % 3 == 1 else 0.0)

    assert (
        draw(model, StepChoice(3, 1.0, 1.0, first), guidance=guidance)
        == draw(model, guidance=guidance)
    ).all()
    assert calls == [4] * 3 * 4


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_an_image_does_not_depend_on_its_batch(model, guidance: float) -> None:
    choice = StepChoice(3, 0.01, 0.5, light)
    images = draw(model, choice, guidance=guidance)
    assert furthest(images, draw(model, guidance=guidance)) > 10
    assert furthest(images, draw(model, choice, guidance=guidance, batch_size=1)) <= 1


def test_the_more_is_chosen_among_the_more_is_reached(model) -> None:
    reached = [
        light(draw(model, StepChoice(m, 1e-4, 1.0, light)), SEEDS).mean() for m in (1, 4, 16)
    ]
    assert reached[0] < reached[1] < reached[2]


def test_passes_are_those_that_are_counted(model) -> None:
    """A pass for each candidate of a step that chooses, and none twice."""
    seen: list[int] = []
    hook = model.denoiser.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    try:
        draw(model, StepChoice(3, 0.1, 0.5, light), guidance=3.0)
    finally:
        hook.remove()
    assert seen == [8] * (5 + 2 * 2)


def test_candidates_are_kept_by_their_chances() -> None:
    values, seeds = np.array([[0.0], [0.1], [0.3]]).repeat(20_000, axis=1), range(20_000)
    counts = np.bincount(picks(values, 0.1, seeds, 3), minlength=3) / 20_000
    expected = np.exp([0, 1, 3]) / np.exp([0, 1, 3]).sum()
    assert counts == pytest.approx(expected, abs=0.015)
    assert (picks(values, 1e-9, seeds, 3) == 2).all()
    again = picks(values[:, :5], 0.1, [4, 3, 2, 1, 0], 3)
    assert (again[::-1] == picks(values[:, :5], 0.1, range(5), 3)).all()


def test_at_random_no_image_is_decoded_before_its_end(model, monkeypatch) -> None:
    decoded: list[int] = []
    decode = type(model).decode
    monkeypatch.setattr(
        type(model), "decode", lambda self, z: decoded.append(len(z)) or decode(self, z)
    )
    draw(model, StepChoice(3, 0.1, 1.0, None))
    assert decoded == [4]


def test_values_are_taken_in_float32_whatever_is_drawn_in(model) -> None:
    autocast: list[bool] = []

    def value(images, seeds) -> np.ndarray:
        autocast.append(torch.is_autocast_enabled("cpu"))
        return light(images, seeds)

    half = type(model)(model.pipeline_with(), precision=torch.bfloat16)
    draw(half, StepChoice(2, 0.1, 1.0, value))
    assert autocast
    assert not any(autocast)


def test_a_normal_is_moved_by_its_slope_over_alpha() -> None:
    """One step from x = 0 to N(0, 1), of which the clean image is itself, and v = c x.

    Chances in proportion to exp(c x / alpha) move its mean by c / alpha, and leave its variance.
    """
    count, slope, alpha = 3000, 0.5, 0.5
    scheduler = SimpleNamespace(
        timesteps=torch.tensor([2, 1, 0]),
        step=lambda *_, return_dict: (torch.from_numpy(next(noise)),),
    )
    rng = np.random.default_rng(0)
    noise = (rng.normal(size=(count, 1, 1, 1)) for _ in range(60))
    model = SimpleNamespace(
        noising=SimpleNamespace(denoised=lambda latents, *_: latents),
        decode=lambda latents: latents.numpy(),
    )
    denoiser = Remembering(lambda latents, *_, **__: (latents,))
    choice = StepChoice(
        60, alpha, 1.0, lambda images, seeds: slope * images[:, 0, 0, 0].astype(float)
    )
    choosing = Choosing(model, denoiser, scheduler, list(range(count)), 1.0, choice)
    kept = choosing.step(None, torch.tensor(1), None)[0].numpy().ravel()
    assert kept.mean() == pytest.approx(slope / alpha, abs=0.08)
    assert kept.var() == pytest.approx(1, abs=0.12)
