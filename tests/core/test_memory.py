"""What happens when memory runs out."""

import logging
import weakref

import pytest
import torch

from tgap.core import memory
from tgap.core.memory import OutOfMemoryError, batches_that_fit, memory_told, ran_out_of_memory

ON_CPU = "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."
GIVE_BACK = memory._give_back


@pytest.fixture(autouse=True)
def given_back(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """How often memory was given back; looking for cycles among all that is loaded takes long."""
    times: list[None] = []
    monkeypatch.setattr(memory, "_give_back", lambda: times.append(None))
    return times


def test_torchs_own_error_on_a_cpu_is_known() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**56, dtype=torch.uint8)
    assert ran_out_of_memory(caught.value)


@pytest.mark.parametrize(
    "error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory"), RuntimeError(ON_CPU)]
)
def test_it_is_told_with_what_to_set(error: Exception) -> None:
    words = r"tuning does not fit the memory \(.+\); set x=1"
    with pytest.raises(OutOfMemoryError, match=words), memory_told("tuning", "x=1"):
        raise error


def test_other_errors_are_left_alone() -> None:
    with pytest.raises(RuntimeError, match="shapes"), memory_told("tuning", "x=1"):
        raise RuntimeError("shapes differ")
    with pytest.raises(RuntimeError, match="shapes"):
        list(batches_that_fit(4, 2, fails(RuntimeError("shapes differ"), above=0), "images"))


def fails(error: Exception, above: int):
    def work(part: slice) -> list[int]:
        if part.stop - part.start > above:
            raise error
        return list(range(part.start, part.stop))

    return work


@pytest.mark.parametrize("above", [1, 2, 3, 7])
def test_a_batch_is_halved_until_it_fits(
    above: int, caplog: pytest.LogCaptureFixture, given_back: list[None]
) -> None:
    sizes: list[int] = []
    work = fails(RuntimeError(ON_CPU), above)
    with caplog.at_level(logging.WARNING):
        parts = list(batches_that_fit(11, 8, work, "images", sizes.append))
    assert [item for part in parts for item in part] == list(range(11))
    assert sizes == [size for size in (4, 2, 1) if 2 * size > above]
    assert len(given_back) == len(sizes)
    assert f"{2 * sizes[-1]} images at once do not fit the memory: {sizes[-1]} from" in caplog.text


def test_what_holds_itself_is_given_back() -> None:
    class Batch:
        def __init__(self) -> None:
            self.itself = self

    left = weakref.ref(Batch())
    GIVE_BACK()
    assert left() is None


def test_one_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(OutOfMemoryError, match="one of the images alone does not fit the memory"):
        list(batches_that_fit(3, 2, fails(MemoryError(), 0), "images"))
