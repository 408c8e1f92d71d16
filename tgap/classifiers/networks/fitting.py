"""The training loop of networks, which goes on where it was interrupted."""

import copy
import math
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tgap.classifiers.networks.schedules import Schedule
from tgap.core import Checkpoint, ImageSet, Indices, Log, Saved, random_states
from tgap.core.training_state import array_of, below, named_below, of_optimizer, set_optimizer

if TYPE_CHECKING:
    import torch


class Fitting:
    """A network in training, one pass over the images after another.

    Args:
        network: Trained in place.
        forward: A ``(B, H, W, C)`` uint8 batch to its logits, changed at random by ``rng``.
        optimizer: Of its parameters.
        schedule: Of the optimizer.
        train: The images.
        batches: In so many parts a pass.
        rng: Draws their order, and is what ``forward`` draws from.
    """

    def __init__(
        self,
        network: "torch.nn.Module",
        forward: Callable[["torch.Tensor"], "torch.Tensor"],
        optimizer: "torch.optim.Optimizer",
        schedule: Schedule,
        train: ImageSet,
        batches: int,
        rng: np.random.Generator,
    ) -> None:
        self.network, self.forward, self.optimizer = network, forward, optimizer
        self.schedule, self.train, self.batches, self.rng = schedule, train, batches, rng
        self.epoch, self.batch = 0, 0  # that are done; the second of the pass at hand
        self.order: Indices | None = None
        self.losses: list[torch.Tensor] = []
        self.seconds, self.data_seconds = 0.0, 0.0  # of the pass at hand

    def one_pass(self, after_step: Callable[[], None] = lambda: None) -> dict[str, float]:
        """Go over the training images once, or over what is left of them; what is logged of it.

        Args:
            after_step: Called after each optimizer step.
        """
        import torch

        self.network.train()
        if self.order is None:
            self.order = self.rng.permutation(len(self.train)).astype(np.int64)
        start = time.perf_counter()
        for rows in np.array_split(self.order, self.batches)[self.batch :]:
            self._step(rows)
            self.batch += 1
            self.seconds += time.perf_counter() - start
            start = time.perf_counter()
            after_step()
        loss = torch.stack(self.losses).mean().item()  # waits for the device
        values = {
            "loss": loss,
            "learning_rate": self.optimizer.param_groups[0]["lr"],
            "seconds": self.seconds + time.perf_counter() - start,
            "data_seconds": self.data_seconds,
        }
        self.epoch, self.batch, self.order, self.losses = self.epoch + 1, 0, None, []
        self.seconds, self.data_seconds = 0.0, 0.0
        return values

    def _step(self, rows: Indices) -> None:
        import torch
        from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

        device = next(self.network.parameters()).device
        gathering = time.perf_counter()
        images = to_device(self.train.images[rows], device)
        targets = to_device(self.train.labels[rows], device).to(torch.float32)
        self.data_seconds += time.perf_counter() - gathering
        loss = cross_entropy(self.forward(images), targets)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.schedule.after_batch()
        self.losses.append(loss.detach())

    @property
    def steps(self) -> int:
        """Optimizer steps that are done."""
        return self.epoch * self.batches + self.batch

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """All that decides how it goes on, between two steps."""
        adam, groups = of_optimizer(self.optimizer)
        arrays = {
            **below("network", state_arrays(self.network)),
            **below("optimizer", adam),
            **below("random", random_states.of_globals()),
            "rng": random_states.of_generator(self.rng),
            "losses": np.array([loss.item() for loss in self.losses], np.float32),
        }
        if self.order is not None:
            arrays["order"] = self.order
        return arrays, {
            "groups": groups,
            "schedule": self.schedule.state(),
            "at": [self.epoch, self.batch],
            "seconds": [self.seconds, self.data_seconds],
        }

    def restore(self, arrays: Mapping[str, NDArray[Any]], numbers: Mapping[str, Any]) -> None:
        """Go on from a state of another one of the same network and images."""
        import torch

        device = next(self.network.parameters()).device
        load_arrays(self.network, named_below("network", arrays))
        set_optimizer(self.optimizer, named_below("optimizer", arrays), numbers["groups"])
        self.schedule.restore(numbers["schedule"])
        self.epoch, self.batch = numbers["at"]
        self.seconds, self.data_seconds = numbers["seconds"]
        self.order = arrays.get("order")
        self.losses = [*torch.tensor(arrays["losses"], device=device)]
        random_states.set_generator(self.rng, arrays["rng"])
        random_states.set_globals(named_below("random", arrays))


class Passes:
    """So many passes over the training images.

    Args:
        fitting: At its beginning.
        epochs: How many passes.
        log: Told what each epoch logs; it may raise to end the training.
        checkpoint: Keeps how far it is.
    """

    def __init__(self, fitting: Fitting, epochs: int, log: Log, checkpoint: Checkpoint) -> None:
        self.fitting, self.epochs, self.log, self.checkpoint = fitting, epochs, log, checkpoint
        self.told: list[tuple[int, dict[str, float]]] = []
        self.goes_on = True
        if saved := checkpoint.load("step", epochs * fitting.batches):
            self._restore(saved)

    def run(self, on_epoch: Callable[[int], None]) -> None:
        """Train the network; ``on_epoch`` is told how many passes are done."""
        with self.checkpoint.steps():
            while self.goes_on and self.fitting.epoch < self.epochs:
                self._end_epoch(self.fitting.epoch + 1, self.fitting.one_pass(self._offer))
                on_epoch(self.fitting.epoch)
                self._offer()

    def _end_epoch(self, epoch: int, values: dict[str, float]) -> None:
        self._tell(epoch, values)

    def _tell(self, epoch: int, values: dict[str, float]) -> None:
        self.told.append((epoch, values))
        self.log(epoch, dict(values))

    def _offer(self) -> None:
        self.checkpoint.offer(self.fitting.steps, self._state)

    def _state(self) -> Saved:
        arrays, numbers = self.fitting.state()
        known = {"told": self.told, "goes_on": self.goes_on}
        return Saved(self.fitting.steps, arrays, {**numbers, **known})

    def _restore(self, saved: Saved) -> None:
        self.goes_on = saved.numbers["goes_on"]
        for epoch, values in saved.numbers["told"]:
            self._tell(epoch, values)
        self.fitting.restore(saved.arrays, saved.numbers)


class BestEpoch(Passes):
    """Trains until the schedule or the number of epochs ends it, and keeps the best epoch.

    Args:
        fitting: At its beginning.
        epochs: Most passes.
        validate: The validation loss, which chooses; it may raise to end the training.
        log: Told what each epoch logs.
        checkpoint: Keeps how far it is.
    """

    def __init__(
        self,
        fitting: Fitting,
        epochs: int,
        validate: Callable[[int], float],
        log: Log,
        checkpoint: Checkpoint,
    ) -> None:
        self.validate = validate
        self.best, self.best_state = math.inf, copy.deepcopy(fitting.network.state_dict())
        super().__init__(fitting, epochs, log, checkpoint)

    def run(self, on_epoch: Callable[[int], None]) -> None:
        """Leave the network at its best epoch; ``on_epoch`` is told how many are done."""
        super().run(on_epoch)
        self.fitting.network.load_state_dict(self.best_state)

    def _end_epoch(self, epoch: int, values: dict[str, float]) -> None:
        loss = self.validate(epoch)
        self._tell(epoch, {**values, "validation_loss": loss})
        if loss < self.best:
            self.best = loss
            self.best_state = copy.deepcopy(self.fitting.network.state_dict())
        self.goes_on = self.fitting.schedule.after_epoch(loss)

    def _state(self) -> Saved:
        saved = super()._state()
        best = {name: array_of(tensor) for name, tensor in self.best_state.items()}
        arrays = {**saved.arrays, **below("best", best)}
        return Saved(saved.done, arrays, {**saved.numbers, "best": self.best})

    def _restore(self, saved: Saved) -> None:
        import torch

        device = next(self.fitting.network.parameters()).device
        best = named_below("best", saved.arrays)
        self.best_state = {name: torch.tensor(a, device=device) for name, a in best.items()}
        self.best = saved.numbers["best"]
        super()._restore(saved)


def state_arrays(network: "torch.nn.Module") -> dict[str, NDArray[Any]]:
    """A network's arrays by name, on the CPU."""
    return {name: array_of(tensor) for name, tensor in network.state_dict().items()}


def load_arrays(network: "torch.nn.Module", arrays: Mapping[str, NDArray[Any]]) -> None:
    """Put arrays of ``state_arrays`` into a network of the same kind."""
    import torch

    network.load_state_dict({name: torch.tensor(array) for name, array in arrays.items()})


def to_device(array: "np.ndarray", device: "torch.device") -> "torch.Tensor":
    """An array on a device; from the CPU's pinned memory without waiting for it."""
    import torch

    tensor = torch.from_numpy(np.require(array, requirements=["C", "W"]))
    if device.type == "cuda":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)
