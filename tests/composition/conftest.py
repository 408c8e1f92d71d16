"""Here every run is composed by Hydra, as a command's first one is."""

from weakref import WeakKeyDictionary

import pytest

from tgap.composition import compose


@pytest.fixture(autouse=True)
def composed_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compose, "_bases", WeakKeyDictionary())
