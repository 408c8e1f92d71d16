"""What the tests keep of Hydra's work: without it they take twice as long."""

import pytest

from tests.conftest import ComposedOnce
from tgap.composition import compose


def test_what_hydra_composed_for_one_test_is_there_for_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[str, ...]] = []

    def counted(hydra, overrides):
        asked.append(tuple(overrides))
        return by_hydra(hydra, overrides)

    by_hydra = compose._composed_by_hydra
    monkeypatch.setattr(compose, "_composed_by_hydra", counted)
    monkeypatch.setattr(compose, "_bases", ComposedOnce())
    for size in (3, 4):
        with compose.hydra_ready() as hydra:
            assert compose.compose_run(hydra, ["selector=random", f"size={size}"]).size == size
    assert len(asked) == 1
