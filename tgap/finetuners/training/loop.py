"""The training loop of finetuners that train by the denoising loss."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from tgap.core import Budget, Checkpoint, Indices, Log, Saved, isolated, random_states
from tgap.core.device import warn_of_slow_bfloat16
from tgap.core.seeding import seed_for
from tgap.core.team import current
from tgap.core.training_state import arrays_of, below, named_below, of_optimizer, put, set_optimizer
from tgap.finetuners.base import PromptedImages
from tgap.finetuners.oracles.base import Tuning
from tgap.finetuners.oracles.none import NoOracle
from tgap.finetuners.training.batches import ImageStream, Texts, denoising_losses, noised
from tgap.finetuners.training.gate import Gate
from tgap.finetuners.training.losses import LossRecord
from tgap.finetuners.training.recipe import Recipe
from tgap.generators.latent.base import LatentModel

if TYPE_CHECKING:
    import torch

TRAINED = 3  # denoiser passes that training on an image takes: one forward, backward is two


class Training:
    """One tuning run, alone or as one of a team of processes (``tgap.core.team``).

    In a team each computes its part of a step's batch, of which all draw the same noise; the sum of
    their gradients is that of the whole batch. Only the first one asks an oracle.

    Args:
        recipe: The finetuner's settings.
        model: What is tuned, in place: the parameters that require gradients.
        tuning_set: Images, prompts, weights.
        prior: Images of the untuned model, or ``None``.
        budget: Steps, batch size, learning rate, and what ends the run.
        orders: Random streams of the order of tuning and of prior images.
        judging: The oracle's random stream.
        log: Told the losses and counts of each step.
        checkpoint: Keeps how far it is.
    """

    def __init__(
        self,
        recipe: Recipe,
        model: LatentModel,
        tuning_set: PromptedImages,
        prior: PromptedImages | None,
        budget: Budget,
        orders: Sequence[np.random.Generator],
        judging: np.random.Generator,
        log: Log,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        self.recipe, self.model, self.budget = recipe, model, budget
        self.checkpoint = checkpoint or Checkpoint()
        self.judging, self.team, self.seed = judging, current(), 0
        parts = (model.denoiser, *model.text_encoders)
        self.parameters = [p for part in parts for p in part.parameters() if p.requires_grad]
        sets = [tuning_set] if prior is None else [tuning_set, prior]
        # The empty prompt stands first (EMPTY), whether or not prompts will be left empty.
        self.texts = Texts(model, ["", *(text for each in sets for text in each.prompts)])
        prior_size = max(1, round(recipe.prior_share * budget.batch_size))
        sizes = [budget.batch_size, prior_size][: len(sets)]
        self.streams = [
            ImageStream(model, each, self.texts.rows(each.prompts), size, order)
            for each, size, order in zip(sets, sizes, orders, strict=False)
        ]
        self.loss_weights = [1.0, recipe.prior_weight]
        self.images_per_step = sum(sizes)
        # The oracle gets the moments that are trained on: no image goes through the VAE twice.
        moments = self.streams[0].moments
        self.tuning = Tuning(
            model, tuning_set, moments, budget.steps, autocast=self._autocast, encode=self.texts.of
        )
        # What it keeps decides about rounding errors: two that judge might not agree.
        oracle = recipe.oracle if self.team.leads else NoOracle()
        self.gate = Gate(oracle, self.tuning, judging)
        self.waiting: Indices = np.empty(0, np.int64)  # kept, and not yet trained on
        scaled = recipe.precision == "float16"
        self.record = LossRecord(log, recipe.title(), prior is not None, scaled)

    def run(self, seed: int) -> None:
        """Tune until the budget is spent.

        Args:
            seed: Of noise, timesteps and empty prompts.

        Raises:
            TgapError: If the losses are no longer finite, or the oracle keeps nothing.
        """
        self.seed = seed
        with isolated(seed), _in_training(self.model, self.recipe.gradient_checkpointing):
            self._begin()
            self._resume()
            with self.checkpoint.steps():
                self._run()

    def _begin(self) -> None:
        import torch
        from diffusers.training_utils import EMAModel

        kind, recipe = self.model.device.type, self.recipe
        warn_of_slow_bfloat16(self.model.device, self._precision(), "finetuner.precision")
        self.optimizer = torch.optim.AdamW(
            self.parameters,
            lr=self.budget.learning_rate,
            weight_decay=recipe.weight_decay,
            fused=kind != "mps",
        )
        # Gradients of float16 passes underflow unless the loss is scaled up. Those of bfloat16 do
        # not, and a scaler that is off does nothing.
        self.scaler = torch.amp.GradScaler(kind, enabled=recipe.precision == "float16")
        self.average = EMAModel(self.parameters, decay=recipe.ema) if recipe.ema else None

    def _run(self) -> None:
        recipe = self.recipe
        # The oracle stands before the step, so that what it skips costs no training pass.
        while (following := self._next_step()) is not None:
            rows, at = following
            rate = recipe.learning_rate(at, self.budget)
            losses, norm = self._step(rows, rate)
            self.tuning.step += 1
            total = sum(w * loss for w, loss in zip(self.loss_weights, losses, strict=False))
            self.record.add(self.tuning.step, [total, *losses, norm], rate, self._counts())
            self.checkpoint.offer(self.tuning.step, self._state)
        self.record.flush()
        if self.average is not None:
            self.average.copy_to(self.parameters)

    def _step(
        self, rows: Sequence[Indices], rate: float
    ) -> tuple[list["torch.Tensor"], "torch.Tensor"]:
        """One optimizer step; each stream's loss, and the gradient's norm."""
        import torch

        optimizer, scaler = self.optimizer, self.scaler
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad()
        losses = self._losses(rows, scaler)
        scaler.unscale_(optimizer)  # max_norm is about the true gradient
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.recipe.max_norm)
        scaler.step(optimizer)
        scaler.update()
        if self.average is not None:
            self.average.step(self.parameters)
        return losses, norm

    def _state(self) -> Saved:
        """All that decides how it goes on, between two steps."""
        self.record.flush()
        adam, groups = of_optimizer(self.optimizer)
        counts, gate = self.gate.state()
        arrays = {
            **below("parameters", arrays_of(self.parameters)),
            **below("optimizer", adam),
            **below("gate", counts),
            **below("random", random_states.of_globals()),
            "judging": random_states.of_generator(self.judging),
            "waiting": self.waiting,
        }
        for number, memory in enumerate(self.tuning.memories):
            arrays |= below(f"memory{number}", memory)
        for number, stream in enumerate(self.streams):
            arrays[f"order{number}"] = stream.order.left
            arrays[f"order{number} random"] = random_states.of_generator(stream.order.rng)
        numbers = {
            "groups": groups,
            "gate": gate,
            "scaler": self.scaler.state_dict(),
            "passes": self.tuning.passes,
            "record": self.record.state(),
        }
        if self.average is not None:
            arrays |= below("average", arrays_of(self.average.shadow_params))
            numbers["averaged"] = self.average.optimization_step
        return Saved(self.tuning.step, arrays, numbers)

    def _resume(self) -> None:
        """Put everything into the state of the checkpoint, if there is one."""
        saved = self.checkpoint.load("step", self.budget.steps)
        if saved is None:
            return
        arrays, numbers = saved.arrays, saved.numbers
        put(named_below("parameters", arrays), self.parameters)
        set_optimizer(self.optimizer, named_below("optimizer", arrays), numbers["groups"])
        self.gate.restore(named_below("gate", arrays), numbers["gate"])
        for number, memory in enumerate(self.tuning.memories):
            memory |= named_below(f"memory{number}", arrays)
        random_states.set_generator(self.judging, arrays["judging"])
        self.waiting = arrays["waiting"]
        for number, stream in enumerate(self.streams):
            stream.order.left = arrays[f"order{number}"]
            random_states.set_generator(stream.order.rng, arrays[f"order{number} random"])
        if numbers["scaler"]:
            self.scaler.load_state_dict(numbers["scaler"])
        if self.average is not None:
            put(named_below("average", arrays), self.average.shadow_params)
            self.average.optimization_step = numbers["averaged"]
        self.tuning.step, self.tuning.passes = saved.done, numbers["passes"]
        self.record.restore(numbers["record"])
        random_states.set_globals(named_below("random", arrays))  # last: nothing draws after it

    def _next_step(self) -> tuple[list[Indices], int] | None:
        """The next step's ``_next_rows``, and how far down the learning rate is, in steps."""
        if self.team.size == 1 or not self.recipe.oracle.selects:
            rows = self._next_rows()
            return None if rows is None else (rows, self._at())
        told = np.zeros(2 + self.images_per_step, np.int64)
        if self.team.leads and (rows := self._next_rows()) is not None:
            told = np.concatenate([[1, self._at()], *rows])
        going_on, at, *every = self.team.told(told).tolist()
        size = self.budget.batch_size
        parts = [np.array(part, np.int64) for part in (every[:size], every[size:])]
        return (parts[: len(self.streams)], at) if going_on else None

    def _at(self) -> int:
        # By progress, not by steps: with a limit on work an oracle's passes shorten the run, and
        # the learning rate has to be down at its end all the same. A little more, because
        # 29 / 100 * 100 is less than 29 in floating point.
        return int(self.tuning.progress * self.budget.steps + 1e-6)

    def _next_rows(self) -> list[Indices] | None:
        """Positions of each stream's images in the next step; ``None`` if the budget is spent.

        A step that was begun is made, however much its oracle asks for.
        """
        if self._progress() >= 1:
            return None
        size = self.budget.batch_size
        # What is kept is gathered until it fills a batch, so that runs with and without an oracle
        # make steps of equally many images, and differ in which alone.
        while len(self.waiting) < size:
            kept = self.gate.keep(next(self.streams[0].order))
            self.waiting = np.concatenate([self.waiting, kept])
            self._progress()
        rows, self.waiting = self.waiting[:size], self.waiting[size:]
        return [rows, *(next(stream.order) for stream in self.streams[1:])]

    def _progress(self) -> float:
        """How much of the budget is spent, noted for the oracle."""
        if self.budget.limit == "steps":
            self.tuning.progress = self.tuning.step / self.budget.steps
        else:
            planned = TRAINED * self.images_per_step * self.budget.steps
            self.tuning.progress = self._work() / planned
        return self.tuning.progress

    def _work(self) -> int:
        """Denoiser passes of single images so far, the oracle's and the prior's included."""
        return TRAINED * self.images_per_step * self.tuning.step + self.tuning.passes

    def _counts(self) -> dict[str, float]:
        return self.gate.counts() | {"work": float(self._work())}

    def _losses(self, rows: Sequence[Indices], scaler: Any) -> list["torch.Tensor"]:
        """Each stream's loss in one step, its gradient left at the parameters."""
        import torch

        batches = [stream.batch(own) for stream, own in zip(self.streams, rows, strict=True)]
        if self.recipe.unconditional:
            batches[0] = batches[0].with_empty_prompts(self.recipe.unconditional)
        # All noise of a step is drawn before it is cut into parts, so that ``accumulation`` changes
        # how much memory is needed and nothing else.
        noisy = noised(self.model.noising, batches, self.recipe.min_snr)
        losses = [torch.zeros((), device=self.model.device) for _ in batches]
        team, most = self.team, self.budget.batch_size // self.team.size
        count = min(self.recipe.accumulation, most)  # none of them empty
        for part in range(team.rank * count, (team.rank + 1) * count):
            parts = [each.part(part, team.size * count) for each in noisy]
            with self._own_stream(part), self._autocast():
                part_losses = denoising_losses(self.model, parts, self.texts)
            total = sum(w * loss for w, loss in zip(self.loss_weights, part_losses, strict=False))
            scaler.scale(total).backward()
            # Each is a sum over its part divided by the whole batch's count, so they add up.
            losses = [loss + more.detach() for loss, more in zip(losses, part_losses, strict=True)]
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        team.add_up([*losses, *gradients])
        return losses

    def _own_stream(self, part: int) -> AbstractContextManager[None]:
        """Random draws inside are a part's own, if there is a team.

        Dropout draws as many numbers as there are images, of which not all have equally many: the
        next step's noise would no longer be the same in all processes.
        """
        if self.team.size == 1:
            return nullcontext()
        return isolated(seed_for("part", self.seed, self.tuning.step, part))

    def _autocast(self) -> Any:
        import torch

        kind, precision = self.model.device.type, self._precision()
        return torch.autocast(kind, precision, enabled=precision != torch.float32)

    def _precision(self) -> "torch.dtype":
        import torch

        if self.recipe.precision == "auto":
            return torch.bfloat16 if self.model.device.type == "cuda" else torch.float32
        dtype: torch.dtype = getattr(torch, self.recipe.precision)
        return dtype


@contextmanager
def _in_training(model: LatentModel, checkpointing: bool) -> Iterator[None]:
    """Training mode, with gradient checkpointing if asked for."""
    parts = (model.denoiser, *model.text_encoders)
    trained = [
        encoder
        for encoder in model.text_encoders
        if any(p.requires_grad for p in encoder.parameters())
    ]
    for part in parts:
        part.train()
    if checkpointing:
        model.denoiser.enable_gradient_checkpointing()
        for encoder in trained:  # transformers' name for it
            encoder.gradient_checkpointing_enable()
    try:
        yield
    finally:
        for part in parts:
            part.eval()
        if checkpointing:
            model.denoiser.disable_gradient_checkpointing()
            for encoder in trained:
                encoder.gradient_checkpointing_disable()
