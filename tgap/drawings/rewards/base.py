"""What makes one drawn image better than another."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tgap.core import Bools, Component, ContractError, DataError, Doubles, Floats, Images
from tgap.embedders.base import Embedder


@dataclass(frozen=True)
class Grounds:
    """What a reward goes by: never real_train or real_test.

    Args:
        scores: The judge's, ``(N, L)`` of N images; only where the reward uses one.
        distances: ``(N,)``, how far N images are from the nearest tuning image by the reward's
            embedder, in units of what tuning images are from each other; only where it has one.
    """

    scores: Callable[[Images], Floats] | None = None
    distances: Callable[[Images], Doubles] | None = None


@dataclass(kw_only=True)
class Reward(Component):
    """Gives each image a value: the higher, the rather it is kept."""

    uses_judge: ClassVar[bool] = False
    """Whether it goes by the drawing's judge."""

    def embedder_used(self) -> Embedder | None:
        """The embedder by which it tells how far an image is from the tuning images, if it does."""
        return None

    def values(self, images: Images, asked: Bools, grounds: Grounds) -> Doubles:
        """Of each image.

        Args:
            images: ``(N, H, W, C)`` uint8.
            asked: ``(N, L)`` bool, the labels (or findings) that each was asked for.
            grounds: What it goes by.

        Returns:
            ``(N,)`` float64.

        Raises:
            ContractError: If the subclass breaks this.
            DataError: If a value is no finite number.
        """
        values = np.asarray(self._values(images, asked, grounds), np.float64)
        if values.shape != (len(images),):
            raise ContractError(
                f"reward {self.stem()} must give {len(images)} values, got {values.shape}"
            )
        if wrong := np.count_nonzero(~np.isfinite(values)):
            raise DataError(
                f"reward '{self.title()}' gave {wrong} of {len(values)} images a value that is no "
                "finite number; choose another drawing/reward, or look at what the model draws "
                "with drawing=plain"
            )
        return values

    @abstractmethod
    def _values(self, images: Images, asked: Bools, grounds: Grounds) -> Doubles: ...


def margins(scores: Floats, asked: Bools) -> Doubles:
    """By how much the lowest score that was asked for is above the highest that was not.

    Where all labels were asked for, above 0; where none was, how far the highest is below 0.

    Args:
        scores: ``(N, L)``.
        asked: ``(N, L)`` bool.

    Returns:
        ``(N,)`` float64: above 0 exactly where ``shown``, but for scores of 0 and none asked for.

    >>> scores = np.array([[2.0, 1.0], [1.0, 3.0], [1.0, 3.0], [-1.0, -2.0]], np.float32)
    >>> asked = np.array([[True, False], [True, False], [True, True], [False, False]])
    >>> margins(scores, asked).tolist()
    [1.0, -2.0, 1.0, 1.0]
    """
    lowest = np.where(asked, scores, np.inf).min(axis=1)
    highest = np.where(asked, -np.inf, scores).max(axis=1)
    lowest = np.where(asked.any(axis=1), lowest, 0.0)
    highest = np.where(asked.all(axis=1), 0.0, highest)
    return (lowest - highest).astype(np.float64)


def margins_by(images: Images, asked: Bools, grounds: Grounds) -> Doubles:
    """The same, of images by the judge.

    Raises:
        ContractError: If there is no judge.
    """
    if grounds.scores is None:
        raise ContractError("this reward needs a judge")
    return margins(grounds.scores(images), asked)


def distances_by(images: Images, grounds: Grounds) -> Doubles:
    """How far images are from the nearest tuning image.

    Raises:
        ContractError: If nothing tells.
    """
    if grounds.distances is None:
        raise ContractError("this reward needs distances from tuning images")
    return grounds.distances(images)
