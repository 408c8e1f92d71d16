"""What every component may import; its authors import it from here."""

from tgap.core.checkpoint import Checkpoint, Saved
from tgap.core.component import Component, option
from tgap.core.errors import ConfigError, ContractError, DataError, StoreError, TgapError, nearest
from tgap.core.secrets import masked
from tgap.core.seeding import isolated, rng_for
from tgap.core.settings import Budget, Sampler
from tgap.core.types import (
    Bools,
    Doubles,
    Floats,
    Images,
    ImageSet,
    Indices,
    Log,
    NewImages,
    Scores,
    Selection,
    Split,
    Weights,
)

__all__ = [
    "Bools",
    "Budget",
    "Checkpoint",
    "Component",
    "ConfigError",
    "ContractError",
    "DataError",
    "Doubles",
    "Floats",
    "ImageSet",
    "Images",
    "Indices",
    "Log",
    "NewImages",
    "Sampler",
    "Saved",
    "Scores",
    "Selection",
    "Split",
    "StoreError",
    "TgapError",
    "Weights",
    "isolated",
    "masked",
    "nearest",
    "option",
    "rng_for",
]
