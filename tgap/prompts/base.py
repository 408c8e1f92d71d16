"""What a generator gets to read: the text of an image, by what the text is for."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tgap.core import Component, ContractError, ImageSet, Indices, option

USES = ("tuning", "generation", "prior")
"""Of a tuning image; of a synthetic image; the class prompt of prior preservation."""


@dataclass(kw_only=True)
class Prompts(Component):
    """Puts an image's labels, and perhaps its findings, into words.

    Args:
        co_occurrence: Whether an image is asked for by all labels that it has, and has all that it
            is asked for. Which occur together is drawn from the pool. If not, each image has the
            one label that it was picked or is drawn for, and a test on synthetic images is another
            one than that on real images, which may have several.
    """

    co_occurrence: bool = option(True, "images have all labels that occur together in the pool")

    def text(
        self,
        use: str,
        domain: str,
        labels: Sequence[str] = (),
        findings: Sequence[str] = (),
        attributes: str = "",
        template: int = 0,
    ) -> str:
        """The prompt of one image.

        Args:
            use: One of ``USES``; ``prior`` knows neither label nor findings.
            domain: What the dataset's images show, e.g. ``chest X-ray``.
            labels: The image's labels, by name.
            findings: Its findings, by name.
            attributes: What ``attributes_of`` says of it.
            template: Which of ``templates_drawn`` a synthetic image is asked for by.

        Raises:
            ContractError: If labels are one text, or the subclass gives an empty one.
        """
        if isinstance(labels, str):
            raise ContractError(f"labels must be a list of names, got the text '{labels}'")
        told = {"attributes": attributes, "template": template} if self.columns() else {}
        text = self._text(use, domain, labels, findings, **told)
        if not text.strip():
            raise ContractError(
                f"{self.stem()} gave an empty {use} prompt for label '{', '.join(labels)}'; "
                f"set prompts.{use} to the words of one"
            )
        return text

    def names_findings(self, use: str) -> bool:
        """Whether the texts for a use depend on the findings."""
        return False

    def identity_of(self, use: str) -> dict[str, Any]:
        """What the texts for a use depend on, for an artifact's key."""
        return self.identity()

    def names(self) -> list[str]:
        """Labels and findings that the settings speak of, to be checked against the dataset's."""
        return []

    def columns(self) -> tuple[str, ...]:
        """Columns of the dataset's table that texts tell of."""
        return ()

    def templates_drawn(self) -> int:
        """Texts among which one is drawn for each synthetic image."""
        return 1

    def column_problems(self, pool: ImageSet) -> list[str]:
        """What stands in the way of telling of these columns, as sentences.

        Args:
            pool: Has the columns; pixels are not looked at.
        """
        return []

    def attributes_of(self, metadata: Mapping[str, NDArray[Any]]) -> NDArray[np.str_]:
        """``(N,)``, what texts say of N images besides labels and findings.

        Args:
            metadata: ``columns`` of them, ``(N,)`` each.
        """
        raise ContractError(f"{self.stem()} tells of no columns")

    def draw(
        self,
        metadata: Mapping[str, NDArray[Any]],
        members: Indices,
        count: int,
        rng: np.random.Generator,
    ) -> Indices:
        """Images whose labels, findings and attributes synthetic ones have: any of a label's.

        Args:
            metadata: The dataset's columns.
            members: Positions of the pool's images with the label.
            count: How many are drawn, with replacement.
            rng: The only source of randomness.

        Returns:
            ``(count,)`` positions in the dataset.
        """
        return members[rng.integers(len(members), size=count)]

    @abstractmethod
    def _text(
        self, use: str, domain: str, labels: Sequence[str], findings: Sequence[str]
    ) -> str: ...
