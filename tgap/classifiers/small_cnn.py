"""A small convolutional network, trained from scratch in seconds."""

import copy
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tgap.classifiers.base import Classifier, Log
from tgap.component import option
from tgap.device import torch_device
from tgap.errors import ContractError, TgapError
from tgap.seeding import isolated
from tgap.types import Floats, Images, ImageSet, Weights

if TYPE_CHECKING:
    import torch

WIDTHS = (16, 32, 64)
SCORED_AT_ONCE = 512
SMALLEST = 16  # three strided convolutions leave 2 x 2 of it


@dataclass(kw_only=True)
class SmallCnn(Classifier):
    """Three strided 3x3 convolutions with batch norm, pooling to 2x2, one linear layer.

    16, 32 and 64 channels; binary cross-entropy per label, AdamW with a one-cycle learning rate,
    random shifts; the epoch with the least validation loss is kept. Any image size from 16 pixels
    on; larger images are pooled to the same 256 features.

    Args:
        epochs: Passes over the training images.
        batch_size: Images per optimizer step.
        learning_rate: Peak learning rate.
        weight_decay: AdamW's.
        shift: Images are moved by up to so many pixels, edges repeated.
    """

    epochs: int = option(12, "passes over the training images", low=1)
    batch_size: int = option(64, "images per optimizer step", low=1)
    learning_rate: float = option(3e-3, "peak learning rate", above=0)
    weight_decay: float = option(0.01, "weight decay", low=0)
    shift: int = option(2, "random shift in pixels", low=0)

    def _fit(
        self, train: ImageSet, validation: ImageSet, rng: np.random.Generator, log: Log
    ) -> Weights:
        size, channels = train.images.shape[1:3], train.images.shape[3]
        if min(size) < SMALLEST:
            raise ContractError(
                f"small_cnn needs images of at least {SMALLEST} x {SMALLEST}, got {size}"
            )
        device = torch_device(self.device)
        pixels = train.images.reshape(-1, channels).astype(np.float64)
        mean = pixels.mean(axis=0)
        std = np.maximum(pixels.std(axis=0), 1.0)  # blank images have none
        scaling: Weights = {
            "input_mean": mean.astype(np.float32),
            "input_std": std.astype(np.float32),
            "input_shape": np.array(train.images.shape[1:], dtype=np.int64),
        }
        with isolated(int(rng.integers(2**63))):
            net = build(channels, len(train.label_names)).to(device)
            self._train(net, train, validation, scaling, rng, log)
        state = {key: value.cpu().numpy() for key, value in net.state_dict().items()}
        return {**state, **scaling}

    def _train(
        self,
        net: "torch.nn.Module",
        train: ImageSet,
        validation: ImageSet,
        scaling: Weights,
        rng: np.random.Generator,
        log: Log,
    ) -> None:
        """Train ``net`` in place and leave it at its best epoch."""
        import torch
        from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

        device = next(net.parameters()).device
        optimizer = torch.optim.AdamW(net.parameters(), weight_decay=self.weight_decay)
        batches = math.ceil(len(train) / self.batch_size)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.learning_rate, total_steps=self.epochs * batches
        )
        targets = torch.from_numpy(train.labels.astype(np.float32)).to(device)
        truth = torch.from_numpy(validation.labels.astype(np.float32))
        best, best_state = math.inf, copy.deepcopy(net.state_dict())
        for epoch in range(1, self.epochs + 1):
            net.train()
            losses = []
            for rows in np.array_split(rng.permutation(len(train)), batches):
                images = shifted(train.images[rows], self.shift, rng)
                loss = cross_entropy(net(to_input(images, scaling, device)), targets[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                losses.append(loss.detach())
            scored = cross_entropy(logits(net, validation.images, scaling), truth).item()
            if not math.isfinite(scored):
                raise TgapError(
                    f"small_cnn diverged: the validation loss of epoch {epoch} is {scored}; "
                    f"lower learning_rate (it is {self.learning_rate:g})"
                )
            log(epoch, {"loss": torch.stack(losses).mean().item(), "validation_loss": scored})
            if scored < best:
                best, best_state = scored, copy.deepcopy(net.state_dict())
        net.load_state_dict(best_state)

    def _score(self, weights: Weights, images: Images) -> Floats:
        import torch

        expected = tuple(weights["input_shape"].tolist())
        if images.shape[1:] != expected:
            raise ContractError(
                f"the classifier was trained on images of shape {expected} (height, width, "
                f"channels), got {images.shape[1:]}; real and synthetic images must be alike"
            )
        labels = len(weights["head.bias"])
        # The initialisation is overwritten; isolated, so that it moves no one's random state.
        with isolated(0):
            net = build(expected[2], labels)
        state = {k: torch.tensor(v) for k, v in weights.items() if not k.startswith("input_")}
        net.load_state_dict(state)
        net.to(torch_device(self.device))
        scores: Floats = logits(net, images, weights).sigmoid().numpy()
        return scores


def build(channels: int, labels: int) -> "torch.nn.Module":
    """The network, with fresh weights: ``(B, channels, H, W)`` -> ``(B, labels)`` logits."""
    from torch import nn

    net = nn.Sequential()
    for number, (width_in, width) in enumerate(
        zip((channels, *WIDTHS[:-1]), WIDTHS, strict=True), start=1
    ):
        net.add_module(f"conv{number}", nn.Conv2d(width_in, width, 3, 2, 1, bias=False))
        net.add_module(f"norm{number}", nn.BatchNorm2d(width))
        net.add_module(f"relu{number}", nn.ReLU())
    net.add_module("pool", nn.AdaptiveAvgPool2d(2))
    net.add_module("flat", nn.Flatten())
    net.add_module("head", nn.Linear(4 * WIDTHS[-1], labels))
    return net


def shifted(images: Images, most: int, rng: np.random.Generator) -> Images:
    """Move each image by up to ``most`` pixels in both directions; its edge is repeated.

    Args:
        images: ``(N, H, W, C)``.
        most: Largest shift in pixels.
        rng: Draws two shifts per image, uniform on the integers.
    """
    n, height, width, _ = images.shape
    down, right = rng.integers(-most, most + 1, size=(2, n, 1))
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    columns = np.clip(np.arange(width) - right, 0, width - 1)
    moved: Images = images[np.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]
    return moved


def to_input(images: Images, scaling: Weights, device: "torch.device") -> "torch.Tensor":
    """Normalised ``(N, C, H, W)`` float32."""
    import torch

    scaled = (images.astype(np.float32) - scaling["input_mean"]) / scaling["input_std"]
    return torch.from_numpy(scaled).permute(0, 3, 1, 2).to(device)


def logits(net: "torch.nn.Module", images: Images, scaling: Weights) -> "torch.Tensor":
    """Logits of all images, in batches, on the CPU."""
    import torch

    device = next(net.parameters()).device
    net.eval()
    with torch.no_grad():
        return torch.cat(
            [
                net(to_input(images[start : start + SCORED_AT_ONCE], scaling, device)).cpu()
                for start in range(0, max(1, len(images)), SCORED_AT_ONCE)
            ]
        )
