"""The training loop of finetuners that train by the denoising loss."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tgap.errors import TgapError
from tgap.finetuners.base import Log, PromptedImages
from tgap.finetuners.oracles.base import Gate, Oracle, Tuning
from tgap.generators.latent.base import Conditioning, LatentModel, Noising
from tgap.seeding import isolated
from tgap.settings import Budget
from tgap.types import Indices

if TYPE_CHECKING:
    import torch

    from tgap.finetuners.denoising import DenoisingFinetuner

LOG_EVERY = 10  # steps between two readings of the losses, each of which waits for a GPU
TRAINED = 3  # denoiser passes that training on an image takes: one forward, backward is two
EMPTY = 0  # position of the empty prompt among a training's prompts


class Training:
    """One tuning run.

    Args:
        how: The finetuner's settings.
        model: What is tuned, in place: the parameters that require gradients.
        tuning_set: Images, prompts, weights.
        prior: Images of the untuned model, or ``None``.
        budget: Steps, batch size, learning rate, and what ends the run.
        orders: Random streams of the order of tuning and of prior images.
        judging: The oracle's random stream.
        log: Told the losses and counts of each step.
    """

    def __init__(
        self,
        how: "DenoisingFinetuner",
        model: LatentModel,
        tuning_set: PromptedImages,
        prior: PromptedImages | None,
        budget: Budget,
        orders: Sequence[np.random.Generator],
        judging: np.random.Generator,
        log: Log,
    ) -> None:
        self.how, self.model, self.budget = how, model, budget
        parts = (model.denoiser, *model.text_encoders)
        self.parameters = [p for part in parts for p in part.parameters() if p.requires_grad]
        sets = [tuning_set] if prior is None else [tuning_set, prior]
        self.texts = _Texts(model, ["", *(text for each in sets for text in each.prompts)])
        sizes = [budget.batch_size, max(1, round(how.prior_share * budget.batch_size))][: len(sets)]
        self.sources = [
            _Source(model, each, self.texts.rows(each.prompts), size, order)
            for each, size, order in zip(sets, sizes, orders, strict=False)
        ]
        self.loss_weights = [1.0, how.prior_weight]
        self.images_per_step = sum(sizes)
        moments = self.sources[0].moments
        tuning = Tuning(model, tuning_set, moments, budget.steps, autocast=self._autocast)
        self.stream = _Stream(self.sources[0], how.oracle, tuning, judging)
        self.tuning = tuning
        self.record = _Record(log, how.title(), prior is not None, how.precision == "float16")

    def run(self, seed: int) -> None:
        """Tune until the budget is spent.

        Args:
            seed: Of noise, timesteps and empty prompts.

        Raises:
            TgapError: If the losses are no longer finite, or the oracle keeps nothing.
        """
        with isolated(seed), _in_training(self.model, self.how.gradient_checkpointing):
            self._run()

    def _run(self) -> None:
        import torch
        from diffusers.training_utils import EMAModel

        kind = self.model.device.type
        optimizer = torch.optim.AdamW(
            self.parameters, lr=self.budget.learning_rate, weight_decay=self.how.weight_decay,
            fused=kind != "mps",
        )  # fmt: skip
        scaler = torch.amp.GradScaler(kind, enabled=self.how.precision == "float16")
        average = EMAModel(self.parameters, decay=self.how.ema) if self.how.ema else None
        while (at := self._position()) is not None:
            rate = self.how.learning_rate(at, self.budget)
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.zero_grad()
            losses = self._losses(scaler)
            scaler.unscale_(optimizer)
            norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.how.max_norm)
            scaler.step(optimizer)
            scaler.update()
            if average is not None:
                average.step(self.parameters)
            self.tuning.step += 1
            total = sum(w * loss for w, loss in zip(self.loss_weights, losses, strict=False))
            self.record.add(self.tuning.step, [total, *losses, norm], rate, self._counts())
        self.record.flush()
        if average is not None:
            average.copy_to(self.parameters)

    def _position(self) -> int | None:
        """Where the run is in its budget, in steps; ``None`` at its end."""
        steps = self.budget.steps
        if self.budget.limit == "steps":
            return self.tuning.step if self.tuning.step < steps else None
        spent = self._work() / (TRAINED * self.images_per_step)
        return int(spent) if spent < steps else None

    def _work(self) -> int:
        """Denoiser passes of single images so far, the oracle's and the prior's included."""
        return TRAINED * self.images_per_step * self.tuning.step + self.tuning.passes

    def _counts(self) -> dict[str, float]:
        return self.stream.gate.counts() | {"work": float(self._work())}

    def _losses(self, scaler: Any) -> list["torch.Tensor"]:
        """Each source's loss in one step, its gradient left at the parameters."""
        import torch

        batches = [
            source.batch(rows) for source, rows in zip(self.sources, self._rows(), strict=True)
        ]
        if self.how.unconditional:
            batches[0] = batches[0].with_empty_prompts(self.how.unconditional)
        noisy = noised(self.model.noising, batches, self.how.min_snr)
        losses = [torch.zeros((), device=self.model.device) for _ in batches]
        for part in range(self.how.accumulation):
            parts = [each.part(part, self.how.accumulation) for each in noisy]
            with self._autocast():
                found = denoising_losses(self.model, parts, self.texts)
            total = sum(w * loss for w, loss in zip(self.loss_weights, found, strict=False))
            scaler.scale(total).backward()
            losses = [loss + more.detach() for loss, more in zip(losses, found, strict=True)]
        return losses

    def _rows(self) -> list[Indices]:
        return [self.stream.next(), *(next(source.order) for source in self.sources[1:])]

    def _autocast(self) -> Any:
        import torch

        kind, precision = self.model.device.type, self._precision()
        return torch.autocast(kind, precision, enabled=precision != torch.float32)

    def _precision(self) -> "torch.dtype":
        import torch

        if self.how.precision == "auto":
            return torch.bfloat16 if self.model.device.type == "cuda" else torch.float32
        dtype: torch.dtype = getattr(torch, self.how.precision)
        return dtype


@dataclass
class Batch:
    """Images of one optimizer step.

    Args:
        moments: ``(B, 2, c, h, w)``, mean and standard deviation of each image's latent.
        texts: ``(B,)`` int64, positions of their prompts.
        weights: ``(B,)``, weights in the loss.
    """

    moments: "torch.Tensor"
    texts: "torch.Tensor"
    weights: "torch.Tensor"

    def with_empty_prompts(self, share: float) -> "Batch":
        """Each image's prompt replaced by the empty one with probability ``share``."""
        import torch

        dropped = torch.rand(len(self.weights), device=self.weights.device) < share
        return Batch(self.moments, torch.where(dropped, EMPTY, self.texts), self.weights)


@dataclass
class NoisyBatch:
    """A batch as the denoiser sees it.

    Args:
        latents: ``(B, c, h, w)``, noised.
        timesteps: ``(B,)``.
        targets: ``(B, c, h, w)``.
        texts: ``(B,)`` int64, positions of their prompts.
        weights: ``(B,)``, weights in the loss, those of min-SNR included.
        count: How many images the loss is a mean over: B, or of those that this is a part of.
    """

    latents: "torch.Tensor"
    timesteps: "torch.Tensor"
    targets: "torch.Tensor"
    texts: "torch.Tensor"
    weights: "torch.Tensor"
    count: int

    def part(self, number: int, of: int) -> "NoisyBatch":
        """One of so many parts; some may be empty."""
        own = slice(number * self.count // of, (number + 1) * self.count // of)
        return NoisyBatch(
            self.latents[own], self.timesteps[own], self.targets[own], self.texts[own],
            self.weights[own], self.count,
        )  # fmt: skip


def noised(noising: Noising, batches: Sequence[Batch], min_snr: float | None) -> list[NoisyBatch]:
    """Draw latents, noise and timesteps for batches, from torch's global random state.

    Args:
        noising: The model's.
        batches: Whatever stands in one optimizer step.
        min_snr: gamma of the min-SNR weights, or ``None``.
    """
    import torch

    moments = torch.cat([batch.moments for batch in batches])
    mean, deviation = moments.unbind(dim=1)
    latents = mean + deviation * torch.randn_like(mean)
    noise = torch.randn_like(latents)
    timesteps = noising.timesteps(len(latents), latents.device)
    weights = torch.cat([batch.weights for batch in batches])
    if min_snr is not None:
        snr = noising.snr(timesteps)
        weights = weights * snr.clamp(max=min_snr) * noising.error_of_x0(timesteps)
    drawn = (
        noising.noised(latents, noise, timesteps), timesteps,
        noising.target(latents, noise, timesteps),
        torch.cat([batch.texts for batch in batches]), weights,
    )  # fmt: skip
    sizes = [len(batch.weights) for batch in batches]
    parts = zip(*(tensor.split(sizes) for tensor in drawn), sizes, strict=True)
    return [
        NoisyBatch(latents, times, targets, texts, own_weights, count)
        for latents, times, targets, texts, own_weights, count in parts
    ]


def denoising_losses(
    model: LatentModel, batches: Sequence[NoisyBatch], texts: "_Texts"
) -> list["torch.Tensor"]:
    """Weighted denoising loss of each batch, from one pass of the denoiser over all of them.

    Returns:
        Scalars: the sum of weight times mean squared error, over ``count``.
    """
    import torch
    from torch.nn.functional import mse_loss

    predicted = model.predict(
        torch.cat([batch.latents for batch in batches]),
        torch.cat([batch.timesteps for batch in batches]),
        texts.conditioning(torch.cat([batch.texts for batch in batches])),
    )
    target = torch.cat([batch.targets for batch in batches])
    errors = mse_loss(predicted.float(), target, reduction="none").flatten(1).mean(dim=1)
    parts = errors.split([len(batch.weights) for batch in batches])
    return [
        (batch.weights * part).sum() / batch.count
        for batch, part in zip(batches, parts, strict=True)
    ]


class _Texts:
    """The distinct prompts of a training, encoded once if no text encoder is trained."""

    def __init__(self, model: LatentModel, prompts: Sequence[str]) -> None:
        import torch

        self.model, self.prompts = model, list(dict.fromkeys(prompts))
        self.row = {prompt: row for row, prompt in enumerate(self.prompts)}
        trained = any(p.requires_grad for part in model.text_encoders for p in part.parameters())
        self.encoded: Conditioning | None = None
        if not trained:
            with torch.no_grad():
                self.encoded = model.condition(self.prompts)

    def rows(self, prompts: Sequence[str]) -> "torch.Tensor":
        """Positions of prompts, ``(n,)`` int64."""
        import torch

        return torch.tensor([self.row[prompt] for prompt in prompts], device=self.model.device)

    def conditioning(self, rows: "torch.Tensor") -> Conditioning:
        """What the text encoders make of the prompts at these positions."""
        if self.encoded is not None:
            return {name: tensor[rows] for name, tensor in self.encoded.items()}
        return self.model.condition([self.prompts[row] for row in rows.tolist()])


class _Source:
    """A set of images on the device, and the batches that they come in."""

    def __init__(
        self,
        model: LatentModel,
        images: PromptedImages,
        texts: "torch.Tensor",
        batch_size: int,
        rng: np.random.Generator,
    ) -> None:
        import torch

        self.moments, self.texts, self.batch_size = model.moments(images.images), texts, batch_size
        self.weights = torch.tensor(images.weights, dtype=torch.float32, device=self.moments.device)
        self.order = shuffled_batches(len(images), batch_size, rng)

    def batch(self, rows: Indices) -> Batch:
        import torch

        at = torch.from_numpy(rows).to(self.moments.device)
        return Batch(self.moments[at], self.texts[at], self.weights[at])


class _Stream:
    """Batches of the tuning images that an oracle keeps, always full."""

    def __init__(
        self, source: _Source, oracle: Oracle, tuning: Tuning, rng: np.random.Generator
    ) -> None:
        self.source, self.gate = source, Gate(oracle, tuning, rng)
        self.waiting: Indices = np.empty(0, np.int64)

    def next(self) -> Indices:
        """Positions of the next batch's images."""
        size = self.source.batch_size
        while len(self.waiting) < size:
            kept = self.gate.keep(next(self.source.order))
            self.waiting = np.concatenate([self.waiting, kept])
        batch, self.waiting = self.waiting[:size], self.waiting[size:]
        return batch


def shuffled_batches(count: int, batch_size: int, rng: np.random.Generator) -> Iterator[Indices]:
    """Batches without end in which every image comes once per epoch, each epoch in a new order.

    A batch runs on into the next epoch, so it is always full.

    >>> batches = shuffled_batches(3, 2, np.random.default_rng(0))
    >>> sorted(i for _ in range(3) for i in next(batches).tolist())
    [0, 0, 1, 1, 2, 2]
    """
    left: Indices = np.empty(0, dtype=np.int64)
    while True:
        while len(left) < batch_size:
            left = np.concatenate([left, rng.permutation(count).astype(np.int64)])
        yield left[:batch_size]
        left = left[batch_size:]


@contextmanager
def _in_training(model: LatentModel, checkpointing: bool) -> Iterator[None]:
    """Training mode, with gradient checkpointing if asked for."""
    parts = (model.denoiser, *model.text_encoders)
    for part in parts:
        part.train()
        if checkpointing and hasattr(part, "enable_gradient_checkpointing"):
            part.enable_gradient_checkpointing()
    try:
        yield
    finally:
        for part in parts:
            part.eval()
            if checkpointing and hasattr(part, "disable_gradient_checkpointing"):
                part.disable_gradient_checkpointing()


class _Record:
    """Hands losses and counts to the log, reading the device only now and then.

    Args:
        log: Told the values of each step.
        title: The finetuner's, for the error.
        with_prior: Whether there is a prior loss.
        scaled: With loss scaling a norm may be infinite: that step is left out, and the scale
            falls.
    """

    def __init__(self, log: Log, title: str, with_prior: bool, scaled: bool) -> None:
        self.log, self.title, self.scaled = log, title, scaled
        self.names = ["loss", "tuning_loss", *(["prior_loss"] if with_prior else []), "norm"]
        self.waiting: list[tuple[int, torch.Tensor, Mapping[str, float]]] = []

    def add(
        self,
        step: int,
        values: Sequence["torch.Tensor"],
        rate: float,
        counts: Mapping[str, float],
    ) -> None:
        """Note a step's losses and norm (on the device) and counts."""
        import torch

        told = {"learning_rate": rate, **counts}
        self.waiting.append((step, torch.stack(list(values)).detach(), told))
        if len(self.waiting) >= LOG_EVERY:
            self.flush()

    def flush(self) -> None:
        """Read what waits, and tell the log.

        Raises:
            TgapError: If a loss is not finite.
        """
        import torch

        if not self.waiting:
            return
        rows = torch.stack([values for _, values, _ in self.waiting]).tolist()
        for (step, _, told), row in zip(self.waiting, rows, strict=True):
            checked = row[:-1] if self.scaled else row
            if not all(math.isfinite(value) for value in checked):
                raise TgapError(
                    f"fine-tuning diverged: at step {step} of {self.title} loss and gradient norm "
                    f"are {row[0]:g} and {row[-1]:g}; lower budget.learning_rate (the learning "
                    f"rate was {told['learning_rate']:g})"
                )
            self.log(step, {**dict(zip(self.names, row, strict=True)), **told})
        self.waiting.clear()
