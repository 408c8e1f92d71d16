"""What a generator gets to read: the text of an image, by what the text is for."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tgap.core import Component, ContractError, option

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
        self, use: str, domain: str, labels: Sequence[str] = (), findings: Sequence[str] = ()
    ) -> str:
        """The prompt of one image.

        Args:
            use: One of ``USES``; ``prior`` knows neither label nor findings.
            domain: What the dataset's images show, e.g. ``chest X-ray``.
            labels: The image's labels, by name.
            findings: Its findings, by name.

        Raises:
            ContractError: If labels are one text, or the subclass gives an empty one.
        """
        if isinstance(labels, str):
            raise ContractError(f"labels must be a list of names, got the text '{labels}'")
        text = self._text(use, domain, labels, findings)
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

    @abstractmethod
    def _text(
        self, use: str, domain: str, labels: Sequence[str], findings: Sequence[str]
    ) -> str: ...
