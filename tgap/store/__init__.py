"""Artifacts, kept by what they are."""

from tgap.store.artifact import Artifact
from tgap.store.spec import Spec
from tgap.store.store import EARLIER, Store, beside

__all__ = ["EARLIER", "Artifact", "Spec", "Store", "beside"]
