"""Generator + tuning set -> tuned generator."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tgap.core import Budget, Checkpoint, Component, ContractError, Doubles, Images, Indices, Log
from tgap.generators.base import Model, Networks

FLOAT32 = 4
"""Bytes of a number."""


@dataclass(frozen=True)
class PromptedImages:
    """Images, each with the text it is trained under.

    Args:
        images: ``(N, H, W, C)`` uint8.
        prompts: N texts.
        weights: ``(N,)`` float64 > 0, weight of each image in the loss.
        labels: ``(N,)`` int64 >= 0, position of each image's label.
    """

    images: Images
    prompts: tuple[str, ...]
    weights: Doubles
    labels: Indices

    def __post_init__(self) -> None:
        counts = [len(part) for part in (self.images, self.prompts, self.weights, self.labels)]
        if len(set(counts)) > 1:
            raise ContractError(
                "images, prompts, weights and labels must be equally many, got "
                + ", ".join(map(str, counts))
            )

    def __len__(self) -> int:
        return len(self.images)


@dataclass(kw_only=True)
class Finetuner(Component):
    """Tunes a generator for all labels at once."""

    tunes: ClassVar[bool] = True
    """False if the generator is passed through: no tuning set is drawn then."""

    whole_prompts: ClassVar[bool] = False
    """True if it learns words for whole prompts, so that only tuning prompts can be drawn then."""

    saves_adapter: ClassVar[bool] = False
    """True if its models are saved as what they learned beside the base model, not as a whole."""

    shares_steps: ClassVar[bool] = False
    """True if several processes can share each of its steps (``tgap.core.team``)."""

    def schedulers(self) -> dict[str, str]:
        """Schedulers that it draws with while it tunes, by the names of the settings."""
        return {}

    def prior_images(self) -> int:
        """How many images of the untuned model (class prompt) the finetuner wants; 0 for none."""
        return 0

    def check_networks(self, networks: Networks) -> list[str]:
        """What stands in the way of tuning a model of such networks, as sentences.

        Args:
            networks: Shapes of the untuned model's weights, none where nobody knows them.
        """
        return []

    def stored_numbers(self, networks: Networks, labels: int) -> int:
        """How many numbers of its own a tuned model is saved with, roughly.

        Args:
            networks: Shapes of the untuned model's weights.
            labels: How many labels there are.

        Returns:
            Those of the networks that it changes (the denoiser), or of an adapter.
        """
        return networks.denoiser_numbers()

    def trained_numbers(self, networks: Networks, labels: int) -> int:
        """How many numbers it trains, roughly; by them the size of a checkpoint is foreseen.

        Args:
            networks: Shapes of the untuned model's weights.
            labels: How many labels there are.
        """
        return self.stored_numbers(networks, labels) if self.tunes else 0

    def checkpoint_bytes(self, networks: Networks, labels: int) -> int:
        """Bytes of what it keeps to go on after an interruption: weights and Adam's two moments.

        Args:
            networks: Shapes of the untuned model's weights.
            labels: How many labels there are.
        """
        return 3 * FLOAT32 * self.trained_numbers(networks, labels)

    def finetune(
        self,
        model: Model,
        tuning_set: PromptedImages,
        prior: PromptedImages | None,
        budget: Budget,
        rng: np.random.Generator,
        log: Log = lambda step, values: None,
        checkpoint: Checkpoint | None = None,
    ) -> Model:
        """Tune a copy of ``model``.

        Args:
            model: The loaded generator; left as it is.
            tuning_set: Selected images, repeats kept, with prompts and loss weights.
            prior: Images that the untuned model drew for the class prompt, or ``None``.
            budget: Optimizer steps, batch size, learning rate.
            rng: The only source of randomness.
            log: Told the losses of each step; if it goes on from a checkpoint, those of the steps
                before it again.
            checkpoint: Keeps how far it is, and says what to go on with.

        Returns:
            The tuned model.
        """
        if (prior is None) != (self.prior_images() == 0):
            raise ContractError(f"{self.stem()} wants {self.prior_images()} prior images")
        checkpoint = checkpoint or Checkpoint()
        return self._finetune(model, tuning_set, prior, budget, rng, log, checkpoint)

    @abstractmethod
    def _finetune(
        self,
        model: Model,
        tuning_set: PromptedImages,
        prior: PromptedImages | None,
        budget: Budget,
        rng: np.random.Generator,
        log: Log,
        checkpoint: Checkpoint,
    ) -> Model: ...
