"""Base of datasets whose images are brought to a size, and some of them to a colour."""

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from tgap.core import option
from tgap.datasets.base import Dataset
from tgap.datasets.reading.decoding import COLORS


@dataclass(kw_only=True)
class ResizedDataset(Dataset):
    """Images of any size, brought to one: the one that is set, or the generator's."""

    usual_size: ClassVar[int] = 256
    """Where it is not set, and nobody else says."""

    size: int | None = option(
        None, "height and width that images are brought to, null = the generator's", low=8
    )

    @property
    def side(self) -> int:
        """Height and width that images are brought to."""
        return self.size or self.usual_size

    @property
    def shade(self) -> str:
        """``grey`` or ``rgb``, which images are brought to."""
        return "grey"

    def identity(self) -> dict[str, Any]:
        """Size (and colour) as images are read, whoever chose them."""
        return super().identity() | {"size": self.side}

    def image_side(self) -> int | None:
        """Images are brought to it."""
        return self.side

    def channels(self) -> int:
        """By the colour that they are brought to."""
        return 3 if self.shade == "rgb" else 1

    def is_open(self) -> bool:
        """Whether the size is not set."""
        return self.size is None

    def fitted(self, shape: tuple[int, int, int]) -> Self:
        """The same at the height of ``shape``, unless its size is set."""
        return dataclasses.replace(self, size=self.size or shape[0])


@dataclass(kw_only=True)
class ColouredDataset(ResizedDataset):
    """Images of grey and of colour, brought to the one or the other."""

    usual_size: ClassVar[int] = 64

    color: str | None = option(None, "grey or rgb, null = the generator's", choices=COLORS)

    @property
    def shade(self) -> str:
        """As it is set, else grey."""
        return self.color or "grey"

    def identity(self) -> dict[str, Any]:
        """With the colour that images are read in."""
        return super().identity() | {"color": self.shade}

    def is_open(self) -> bool:
        """Whether one of both is not set."""
        return super().is_open() or self.color is None

    def fitted(self, shape: tuple[int, int, int]) -> Self:
        """The same at the height and colour of ``shape``, unless they are set."""
        color = self.color or COLORS[shape[2] == 3]
        return dataclasses.replace(super().fitted(shape), color=color)
