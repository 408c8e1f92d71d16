"""What neural classifiers share: batches, augmentation, training and scoring."""

import copy
import dataclasses
import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tgap.classifiers.augments.base import Augment
from tgap.classifiers.augments.none import NoAugment
from tgap.classifiers.base import Classifier
from tgap.classifiers.networks.crafted import FAMILIES, crafted
from tgap.classifiers.networks.fitting import BestEpoch, Fitting, Passes, state_arrays, to_device
from tgap.classifiers.networks.moving import shifted
from tgap.classifiers.networks.schedules import OneCycle, Schedule
from tgap.core import (
    Checkpoint,
    ContractError,
    Floats,
    Images,
    ImageSet,
    Log,
    TgapError,
    Weights,
    isolated,
    option,
)
from tgap.core.device import torch_device
from tgap.core.progress import progress

if TYPE_CHECKING:
    import torch

VALIDATE = ("held_back", "shifted")
FEWEST_STEPS = 30
"""Optimizer steps of ``adapt`` at least: fewer leave batch norm with the statistics it had."""
FEW_STEPS = 200
"""Optimizer steps for which ``adapt`` divides few images into small batches."""
SMALL_BATCH = 4
"""As small as these batches get."""


@dataclass(kw_only=True)
class Network(Classifier):
    """A neural network with a linear last layer, trained on binary cross-entropy per label.

    The epoch with the least validation loss is kept. Held back are images of the training side,
    synthetic ones where that is synthetic: with ``validate=shifted`` they are changed by families
    of crafted shifts (``tgap.classifiers.networks.crafted``), and the loss is the mean over the
    families', so that an epoch which goes by what only these images have is not chosen for it
    (Efthymiadis et al. 2024, arXiv 2409.19774, who choose by the mean accuracy over ten families
    of other transformations). An image may be moved a little before it is learnt from, and in
    ``fit`` its batch may change styles (``augment``); it is normalised by the arrays
    ``input_mean`` and ``input_std``, which belong to the fitted weights. Batches reach the device
    as uint8.

    Each epoch logs ``loss``, ``validation_loss``, ``learning_rate`` (at its end), ``seconds`` (of
    training, validation not counted) and ``data_seconds`` (of these, spent gathering images and
    moving them to the device).

    ``adapt`` trains all layers at a tenth of the learning rate, with one cycle of it, over the same
    number of passes, and keeps the last one. Few images come in small batches (of 4 at least, for
    about 200 steps), and very few in more passes (at least 30 steps). Images are normalised as in
    the first training; batch norm's statistics follow the new images. On digits, statistics held
    fast were no better where both domains agreed and far worse where they did not (AUROC .56
    against .92 with one image per label), and 100 steps instead of 30 unlearnt some of what was
    known (.974 against .984 with three images per label).

    Args:
        epochs: Passes over the training images.
        batch_size: Images per optimizer step.
        learning_rate: Peak or initial learning rate, as the schedule has it.
        weight_decay: The optimizer's.
        shift: Images are moved by up to so many pixels, edges repeated.
        validate: What the epoch is chosen on: held-back images as they are, or shifted.
        families: Of shifts; all that there are if none is named. Leave out those that change what
            a label says, e.g. brightness where a label is one of exposure.
        augment: How styles of training batches are changed.
    """

    has_features: ClassVar[bool] = True
    adapts: ClassVar[bool] = True
    restandardises: ClassVar[bool] = True
    smallest: ClassVar[int]
    """The smallest side of an image that the network can take."""
    scored_at_once: ClassVar[int] = 64

    epochs: int = option(12, "passes over the training images", low=1, high=1_000_000)
    batch_size: int = option(64, "images per optimizer step", low=2, high=1_000_000)
    learning_rate: float = option(3e-3, "peak learning rate", above=0, high=1.0)
    weight_decay: float = option(0.01, "weight decay", low=0)
    shift: int = option(2, "random shift in pixels", low=0, high=1_000_000)
    validate: str = option("held_back", "what chooses the epoch", choices=VALIDATE)
    families: list[str] = option([], "shifts of validate=shifted, [] = all")
    augment: Augment = field(
        default_factory=NoAugment, metadata={"help": "how training batches change their styles"}
    )

    def title(self) -> str:
        """The preset's name, or the class's stem and the augmentation's if there is one."""
        if self.name or not self.augment.changes:
            return super().title()
        return f"{super().title()}+{self.augment.title()}"

    def early_stages(self) -> Sequence[str]:
        """Modules of the network whose outputs, ``(B, C, H, W)``, hold styles; none if unknown."""
        return []

    def check(self) -> list[str]:
        """Feature maps that nobody can point to."""
        problems = super().check()
        if self.augment.on_maps and not self.early_stages():
            problems.append(
                f"augment={self.augment.stem()} changes feature maps behind early stages, and "
                f"'{self.title()}' names none; choose classifier/augment=fourier, which changes "
                "images, or another classifier"
            )
        return problems

    def problems(self) -> list[str]:
        """Families that there are not."""
        problems = super().problems()
        if unknown := [name for name in self.families if name not in FAMILIES]:
            problems.append(
                f"families must be some of {', '.join(FAMILIES)}, got {', '.join(unknown)}"
            )
        if self.families and self.validate != "shifted":
            problems.append(
                f"families are of validate=shifted, got validate={self.validate}; set both or none"
            )
        return problems

    def identity(self) -> dict[str, Any]:
        """Without what is not asked for: classifiers of before there was such a choice count."""
        left_out = {"validate", "families"} if self.validate == "held_back" else set()
        left_out |= set() if self.augment.changes else {"augment"}
        return {name: v for name, v in super().identity().items() if name not in left_out}

    @abstractmethod
    def _network(self, channels: int, labels: int) -> "torch.nn.Module":
        """Fresh children ``features`` (``(B, C, H, W)`` -> ``(B, d)``) and ``head`` (linear)."""

    @abstractmethod
    def _scaling(self, images: Images) -> Weights:
        """``input_mean`` and ``input_std``, float32, one value per channel of the network."""

    def _load_pretrained(self, network: "torch.nn.Module") -> None:
        """Put weights from elsewhere into a fresh network; by default there are none."""

    def _optimizer(self, network: "torch.nn.Module") -> "torch.optim.Optimizer":
        import torch

        return torch.optim.AdamW(
            network.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay
        )

    def _schedule(self, optimizer: "torch.optim.Optimizer", steps: int) -> Schedule:
        return OneCycle(optimizer, self.learning_rate, steps)

    def _augmented(self, batch: "torch.Tensor", rng: np.random.Generator) -> "torch.Tensor":
        """A ``(B, H, W, C)`` uint8 batch, changed at random."""
        return shifted(batch, self.shift, rng)

    def _input(self, batch: "torch.Tensor", scaling: Weights) -> "torch.Tensor":
        """A ``(B, H, W, C)`` uint8 batch as ``(B, C', H', W')`` float32, normalised.

        Grey images are repeated where the network has three channels.
        """
        import torch

        mean, std = (
            torch.from_numpy(scaling[name]).to(batch.device)[:, None, None]
            for name in ("input_mean", "input_std")
        )
        return (batch.permute(0, 3, 1, 2).to(torch.float32) - mean) / std

    def check_images(self, shape: tuple[int, ...]) -> list[str]:
        """Images too small for the network."""
        size = shape[:2]
        if min(size) >= self.smallest:
            return []
        return [
            f"{self.stem()} needs images of at least {self.smallest} x {self.smallest}, got {size}"
        ]

    def _check_fit_part(self, train: ImageSet) -> list[str]:
        if len(train) >= 2:
            return []
        return [
            f"{self.stem()} needs at least 2 images beside those held back for validation, got "
            f"{len(train)}: batch norm compares the images of a batch"
        ]

    def _fit(
        self,
        train: ImageSet,
        validation: ImageSet,
        rng: np.random.Generator,
        log: Log,
        checkpoint: Checkpoint,
    ) -> Weights:
        scaling = self._scaling(train.images)
        channels = len(scaling["input_mean"])
        with isolated(int(rng.integers(2**63))):
            network = self._network(channels, len(train.label_names))
            self._load_pretrained(network)
            network.to(torch_device(self.device))
            self._try(network, train.images[:1], scaling)
            self._train(network, train, validation, scaling, rng, log, checkpoint)
        return {**state_arrays(network), **scaling}

    def _adapt(
        self,
        weights: Weights,
        few: ImageSet,
        rng: np.random.Generator,
        log: Log,
        checkpoint: Checkpoint,
    ) -> Weights:
        if len(few) < 2:
            raise ContractError(
                f"{self.stem()} needs at least 2 images to adapt to, got {len(few)}: batch norm "
                "compares the images of a batch"
            )
        network = self._restored(weights)
        batches, epochs = self._adapting(len(few))
        rate = self.learning_rate / 10
        gentle = dataclasses.replace(self, learning_rate=rate, augment=NoAugment())
        optimizer = gentle._optimizer(network)
        schedule = OneCycle(optimizer, rate, epochs * batches)
        fitting = gentle._fitting_of(network, optimizer, schedule, few, batches, weights, rng)

        def told(epoch: int, values: dict[str, float]) -> None:
            if not math.isfinite(values["loss"]):
                raise TgapError(
                    f"{self.stem()} diverged while it adapted: the loss of epoch {epoch} is "
                    f"{values['loss']}; lower learning_rate (it is {self.learning_rate:g})"
                )
            log(epoch, values)

        with isolated(int(rng.integers(2**63))):
            passes = Passes(fitting, epochs, told, checkpoint)
            with progress(f"adapting {self.title()}", epochs, before=fitting.epoch) as advance:
                passes.run(advance)
        scaling = {name: weights[name] for name in ("input_mean", "input_std")}
        return {**state_arrays(network), **scaling}

    def _restandardised(self, weights: Weights, images: Images) -> Weights:
        """By cumulative means over batches of equal size; the network is seen as in training."""
        import torch

        network = self._restored(weights)
        norms = [
            m
            for m in network.modules()
            if isinstance(m, (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d))
        ]
        device = next(network.parameters()).device
        network.eval()
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the mean over all batches
            norm.train()
        # Mixed: a batch of one label alone is no sample of all images.
        order = np.random.default_rng(0).permutation(len(images))
        parts = np.array_split(order, math.ceil(len(images) / max(self.scored_at_once, 2)))
        with torch.no_grad():
            for rows in parts:
                network(self._input(to_device(images[np.sort(rows)], device), weights))
        scaling = {name: weights[name] for name in ("input_mean", "input_std")}
        return {**state_arrays(network), **scaling}

    def _adapting(self, count: int) -> tuple[int, int]:
        """Batches a pass, and passes, when ``count`` images are adapted to."""
        wanted = min(math.ceil(FEW_STEPS / self.epochs), count // SMALL_BATCH)
        batches = min(max(1, wanted, math.ceil(count / self.batch_size)), count // 2)
        return batches, max(self.epochs, math.ceil(FEWEST_STEPS / batches))

    def _try(self, network: "torch.nn.Module", images: Images, scaling: Weights) -> None:
        try:
            self._outputs(network, network, images, scaling)
        except (AssertionError, RuntimeError, ValueError) as error:
            raise ContractError(
                f"{self.stem()} cannot take images of shape {images.shape[1:]}: {error}"
            ) from error

    def _train(
        self,
        network: "torch.nn.Module",
        train: ImageSet,
        validation: ImageSet,
        scaling: Weights,
        rng: np.random.Generator,
        log: Log,
        checkpoint: Checkpoint,
    ) -> None:
        """Train ``network`` in place and leave it at its best epoch."""
        import torch
        from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

        # Batch norm needs two images in each batch.
        batches = min(math.ceil(len(train) / self.batch_size), len(train) // 2)
        truth = torch.from_numpy(validation.labels.astype(np.float32))
        held_back = self._held_back(validation.images, rng)

        def validate(epoch: int) -> float:
            losses = [
                cross_entropy(self._outputs(network, network, images, scaling), truth).item()
                for images in held_back
            ]
            loss = losses[0] if len(losses) == 1 else float(np.mean(losses))
            if not math.isfinite(loss):
                raise TgapError(
                    f"{self.stem()} diverged: the validation loss of epoch {epoch} is {loss}; "
                    f"lower learning_rate (it is {self.learning_rate:g})"
                )
            return loss

        optimizer = self._optimizer(network)
        schedule = self._schedule(optimizer, self.epochs * batches)
        fitting = self._fitting_of(network, optimizer, schedule, train, batches, scaling, rng)
        training = BestEpoch(fitting, self.epochs, validate, log, checkpoint)
        about = f"training {self.title()}"
        with progress(about, self.epochs, before=fitting.epoch) as advance:
            training.run(advance)

    def _held_back(self, images: Images, rng: np.random.Generator) -> list[Images]:
        """The sets on whose mean loss an epoch is chosen; ``rng`` is left as it is."""
        if self.validate == "held_back":
            return [images]
        return crafted(images, self.families or [*FAMILIES], copy.deepcopy(rng))

    def _fitting_of(
        self,
        network: "torch.nn.Module",
        optimizer: "torch.optim.Optimizer",
        schedule: Schedule,
        train: ImageSet,
        batches: int,
        scaling: Weights,
        rng: np.random.Generator,
    ) -> Fitting:
        stages = self.early_stages() if self.augment.on_maps else []

        def forward(images: "torch.Tensor") -> "torch.Tensor":
            batch = self.augment.images(self._augmented(images, rng), rng)
            with self.augment.behind(network, stages, rng):
                outputs: torch.Tensor = network(self._input(batch, scaling))
            return outputs

        return Fitting(network, forward, optimizer, schedule, train, batches, rng)

    def _score(self, weights: Weights, images: Images) -> Floats:
        network = self._restored(weights)
        scores: Floats = self._outputs(network, network, images, weights).numpy()
        return scores

    def _features(self, weights: Weights, images: Images) -> Floats:
        network = self._restored(weights)
        features: Floats = self._outputs(network, network.features, images, weights).numpy()
        return features

    def _restored(self, weights: Weights) -> "torch.nn.Module":
        """The fitted network."""
        import torch

        # The initialisation is overwritten; isolated, so that it moves no one's random state.
        with isolated(0):
            network = self._network(len(weights["input_mean"]), len(weights["head.bias"]))
        network.load_state_dict(
            {k: torch.tensor(v) for k, v in weights.items() if not k.startswith("input_")}
        )
        return network.to(torch_device(self.device))

    def _outputs(
        self,
        network: "torch.nn.Module",
        part: Callable[["torch.Tensor"], "torch.Tensor"],
        images: Images,
        scaling: Weights,
    ) -> "torch.Tensor":
        """What a part of the network makes of all images, in batches, on the CPU."""
        import torch

        device = next(network.parameters()).device
        network.eval()
        with torch.no_grad():
            return torch.cat(
                [
                    part(self._input(to_device(batch, device), scaling)).cpu()
                    for batch in (
                        images[start : start + self.scored_at_once]
                        for start in range(0, max(1, len(images)), self.scored_at_once)
                    )
                ]
            )
