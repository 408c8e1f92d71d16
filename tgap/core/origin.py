"""Where images and weights come from, and under which licence: as far as it is known."""

from dataclasses import dataclass

UNKNOWN = "not known to tgap"


@dataclass(frozen=True)
class Origin:
    """A source and its licence, in words.

    Args:
        source: Where it comes from.
        licence: Under which terms.
        licence_id: The licence's name on the Hugging Face hub; ``other`` if it has none there.
        hub_id: ``owner/name`` on the hub, if it comes from there.
    """

    source: str = UNKNOWN
    licence: str = UNKNOWN
    licence_id: str = "unknown"
    hub_id: str = ""
