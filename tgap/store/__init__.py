"""Artifacts, kept by what they are."""

from tgap.store.spec import Spec
from tgap.store.store import Artifact, Store

__all__ = ["Artifact", "Spec", "Store"]
