"""Prompts without a sentence around them."""

from collections.abc import Sequence
from dataclasses import dataclass

from tgap.core import option
from tgap.prompts.base import Prompts


@dataclass(kw_only=True)
class PlainWords(Prompts):
    """``handwritten digit, odd``: the domain, then the labels.

    Args:
        separator: What stands between the words.
    """

    separator: str = option(", ", "what stands between the words")

    def _text(self, use: str, domain: str, labels: Sequence[str], findings: Sequence[str]) -> str:
        if use == "prior":  # the class prompt: of no label
            return domain
        return self.separator.join([domain, *(name.replace("_", " ") for name in labels)])
