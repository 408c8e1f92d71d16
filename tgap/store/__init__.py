"""Artifacts, kept by what they are."""

from tgap.store.artifact import Artifact
from tgap.store.spec import Spec
from tgap.store.store import Store

__all__ = ["Artifact", "Spec", "Store"]
