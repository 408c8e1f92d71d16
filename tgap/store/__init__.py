"""Artifacts, kept by what they are."""

from tgap.store.artifact import Artifact
from tgap.store.left import beside
from tgap.store.spec import Spec
from tgap.store.store import EARLIER, Store

__all__ = ["EARLIER", "Artifact", "Spec", "Store", "beside"]
