"""Steps that choose among several candidates, without a loop of their own."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from tgap.core import Doubles, Images, Indices, rng_for
from tgap.core.randomised import choosing_steps
from tgap.core.seeding import seed_for
from tgap.generators.latent.drawing.aids import Drawable, StepChoice
from tgap.generators.latent.drawing.standing_in import StandIn


class Remembering(StandIn):
    """A denoiser that can be asked about other latents as it was asked last, and told its answer.

    All else that a pipeline asks it for (config, dtype, device) is the denoiser's.

    Args:
        denoiser: Predicts.
    """

    def __init__(self, denoiser: torch.nn.Module) -> None:
        super().__init__(denoiser)
        self.answer: torch.Tensor | None = None
        """What it says next, without a pass: the pass was made already."""
        self._named: dict[str, Any] = {}

    def forward(
        self, latents: torch.Tensor, timestep: torch.Tensor, **named: Any
    ) -> tuple[torch.Tensor]:
        """The prediction, of a pass or as it is known."""
        self._named, answer = named, self.answer
        self.answer = None
        if answer is not None:
            return (answer,)
        predicted: tuple[torch.Tensor] = self.denoiser(latents, timestep, **named)
        return predicted

    def at(self, latents: torch.Tensor, timestep: torch.Tensor, times: int) -> torch.Tensor:
        """What it predicts of latents that are put there as often as a pipeline would."""
        predicted: torch.Tensor = self.denoiser(
            torch.cat([latents] * times), timestep, **self._named
        )[0]
        return predicted


class Choosing:
    """A stochastic scheduler whose steps choose: soft value-based decoding (SVDD-PM).

    Li et al. 2024, arXiv 2408.08252, algorithm 1 with the posterior mean in the value's place: of M
    latents that a step may lead to, one is kept with chance in proportion to exp(v / alpha), where
    v is the value of the clean image that the denoiser predicts from it. Departures: candidates
    and chances follow from an image's noise seed; the chosen candidate's prediction is that of the
    next step, so that no pass is made twice; the steps before the last
    ``share`` of them do not choose; the last step adds no noise, so there is nothing to choose.

    Args:
        model: Decodes.
        denoiser: Predicts.
        scheduler: Adds noise at each step (``DDPMScheduler``).
        seeds: Noise seeds of the batch. The first candidate is what the scheduler does by itself.
        guidance: Scale.
        choice: Among how many, and by what.
    """

    def __init__(
        self,
        model: Drawable,
        denoiser: Remembering,
        scheduler: Any,
        seeds: Sequence[int],
        guidance: float,
        choice: StepChoice,
    ) -> None:
        self.model, self.denoiser, self.scheduler = model, denoiser, scheduler
        self.seeds, self.guidance, self.choice = list(seeds), guidance, choice
        self._further = [
            [torch.Generator("cpu").manual_seed(seed_for("candidate", s, m)) for s in self.seeds]
            for m in range(1, choice.count)
        ]

    def __getattr__(self, name: str) -> Any:
        """The scheduler's, where it is not its own."""
        return getattr(self.__dict__["scheduler"], name)

    def step(
        self,
        model_output: torch.Tensor,
        timestep: torch.Tensor,
        sample: torch.Tensor,
        generator: Any = None,
        return_dict: bool = True,
    ) -> tuple[torch.Tensor]:
        """The latents after a step; arguments as of the scheduler's."""
        times = self.scheduler.timesteps
        at = int((times == timestep).nonzero()[0, 0])
        draws = [generator, *(self._further if at in self._chooses() else [])]
        candidates = [
            self.scheduler.step(model_output, timestep, sample, draw, return_dict=False)[0]
            for draw in draws
        ]
        if len(candidates) == 1:
            return (candidates[0],)
        kept, answer = self._chosen(candidates, times[at + 1], at)
        self.denoiser.answer = answer
        return (kept,)

    def _chooses(self) -> range:
        """Positions of the steps that choose."""
        count = len(self.scheduler.timesteps)
        return range(count - 1 - choosing_steps(count, self.choice.share), count - 1)

    def _chosen(
        self, candidates: Sequence[torch.Tensor], timestep: torch.Tensor, at: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Of each image one of its candidates, and what the denoiser predicts from it."""
        guided = 2 if self.guidance > 1 else 1
        predicted = [self.denoiser.at(each, timestep, guided) for each in candidates]
        pairs = zip(candidates, predicted, strict=True)
        values = np.stack([self._value(*pair, timestep) for pair in pairs])
        rows = torch.from_numpy(picks(values, self.choice.alpha, self.seeds, at))
        images = torch.arange(len(rows))
        kept = torch.stack(list(candidates))[rows, images]
        # (M, N, ...) or (M, 2 N, ...), the halves of which are of the same images
        halves = torch.stack(predicted).unflatten(1, (guided, len(rows)))
        return kept, halves[rows, :, images].transpose(0, 1).flatten(0, 1)

    def _value(
        self, latents: torch.Tensor, predicted: torch.Tensor, timestep: torch.Tensor
    ) -> Doubles:
        """Of the images that noisy latents stand for."""
        if self.choice.value is None:
            return np.zeros(len(latents))
        # In float32 whatever the drawing is in: as images that are drawn are judged.
        with torch.autocast(latents.device.type, enabled=False):
            return self.choice.value(self._clean(latents, predicted, timestep), self.seeds)

    def _clean(
        self, latents: torch.Tensor, predicted: torch.Tensor, timestep: torch.Tensor
    ) -> Images:
        """The images that noisy latents stand for."""
        parts = predicted.float().chunk(2 if self.guidance > 1 else 1)
        guided = parts[0] + self.guidance * (parts[1] - parts[0]) if len(parts) == 2 else parts[0]
        each = timestep.reshape(1).expand(len(latents)).to(latents.device)
        return self.model.decode(self.model.noising.denoised(latents.float(), guided, each))


def picks(values: Doubles, alpha: float, seeds: Sequence[int], step: int) -> Indices:
    """Which candidate of each image is kept: with chance in proportion to exp(v / alpha).

    By the largest of v / alpha + Gumbel noise, which follows from the image's seed and the step.

    Args:
        values: ``(M, N)`` of M candidates of N images.
        alpha: Above 0.
        seeds: N noise seeds.
        step: Number of the step.

    Returns:
        ``(N,)`` int64 in [0, M).
    """
    noise = np.stack([rng_for("pick", seed, step).gumbel(size=len(values)) for seed in seeds])
    rows: Indices = (values / alpha + noise.T).argmax(axis=0).astype(np.int64)
    return rows


def chosen(
    model: Drawable,
    denoiser: torch.nn.Module,
    scheduler: Any,
    seeds: Sequence[int],
    guidance: float,
    choice: StepChoice,
) -> tuple[Remembering, Choosing]:
    """What takes a denoiser's and its scheduler's places in a pipeline; see ``Choosing``."""
    remembering = Remembering(denoiser)
    return remembering, Choosing(model, remembering, scheduler, seeds, guidance, choice)
