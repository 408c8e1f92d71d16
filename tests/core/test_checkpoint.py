"""Checkpoints: whole or not there, nobody else's, and worth their time."""

import logging
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import SafetensorError

from tgap.core import checkpoint as module
from tgap.core import interrupts, random_states
from tgap.core.checkpoint import Checkpoint, Pieces, Saved
from tgap.core.files import read_sealed, write_sealed
from tgap.core.training_state import of_optimizer, set_optimizer

OWNER = {"artifact": "generator 1a2b", "code": "0"}


@pytest.fixture(autouse=True)
def at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(module, "MOST", float("inf"))
    monkeypatch.setattr(module, "CHEAP", float("inf"))


def state(done: int) -> Saved:
    arrays = {"a": np.full((2, 3), done, np.float32), "none": np.empty(0, np.int64)}
    return Saved(done, arrays, {"told": [[1, {"loss": 0.1 + 0.2}], [2, {"norm": float("inf")}]]})


def kept(folder: Path, steps: int) -> Path:
    """A checkpoint of so many steps."""
    checkpoint = Checkpoint(folder, OWNER, "fine-tuning")
    for step in range(1, steps + 1):
        checkpoint.offer(step, lambda step=step: state(step))
    (path,) = folder.iterdir()
    return path


def again(folder: Path, **other: str) -> Checkpoint:
    return Checkpoint(folder, OWNER | other, "fine-tuning")


def test_the_last_state_is_found_again(tmp_path, caplog):
    kept(tmp_path / "there", 3)
    found = again(tmp_path / "there")
    assert found.done == 3
    with caplog.at_level(logging.INFO):
        saved = found.load("step", 8)
    assert "going on with fine-tuning at step 3 of 8" in caplog.text
    assert saved.done == 3
    assert saved.arrays["a"].tolist() == [[3.0] * 3] * 2
    assert saved.arrays["none"].shape == (0,)
    assert saved.numbers == state(3).numbers
    assert found.load("step", 8) is None


def test_nothing_is_found_where_nothing_was_kept(tmp_path):
    assert again(tmp_path / "nowhere").load("step", 8) is None
    Checkpoint().offer(1, lambda: pytest.fail("asked for its state"))
    assert Checkpoint().load("step", 8) is None


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def changed(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [truncated, changed, lambda path: path.write_bytes(b"")])
def test_a_damaged_one_is_told_and_removed(tmp_path, caplog, damage):
    path = kept(tmp_path, 3)
    damage(path)
    found = again(tmp_path)
    assert found.load("step", 8) is None
    assert found.done == 0
    assert f"fine-tuning cannot go on from what an interrupted process left in {path}" in (
        caplog.text
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["artifact", "code"])
def test_a_strangers_is_told_and_removed(tmp_path, caplog, name):
    kept(tmp_path, 3)
    assert again(tmp_path, **{name: "another"}).load("step", 8) is None
    assert f"it is of another {name}" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_what_was_being_written_when_it_was_killed_is_removed(tmp_path):
    path = kept(tmp_path, 3)
    (tmp_path / f"{path.name}.part").write_bytes(b"half")
    assert again(tmp_path).done == 3
    assert list(tmp_path.iterdir()) == [path]


def test_of_two_the_last_counts_and_they_are_never_mixed(tmp_path):
    path = kept(tmp_path, 3)
    first = path.read_bytes()
    kept_later = kept(tmp_path, 5)  # takes the place of the first
    path.write_bytes(first)  # as if it was killed before the first was removed
    found = again(tmp_path)
    assert found.load("step", 8).arrays["a"][0, 0] == 5
    assert list(tmp_path.iterdir()) == [kept_later]


def test_seconds_of_all_sittings_are_counted(tmp_path):
    checkpoint = again(tmp_path)
    checkpoint._begun -= 100
    checkpoint.offer(1, lambda: state(1))
    later = again(tmp_path)
    assert 100 <= later.earlier < 101
    later._begun -= 50
    later.offer(2, lambda: state(2))
    assert 150 <= again(tmp_path).earlier < 152


def test_a_disk_without_room_costs_no_work(tmp_path, caplog, monkeypatch):
    kept(tmp_path, 2)

    def full(*args):
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    caplog.set_level(logging.INFO)
    checkpoint = again(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("safetensors.numpy.save_file", full)
        for step in (3, 4, 5):
            checkpoint.offer(step, lambda step=step: state(step))
    (told,) = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert told == (
        f"cannot write how far fine-tuning is in {tmp_path}: No space left on device; free some "
        "space, or set TGAP_HOME to a folder on another disk; the work goes on, saving is tried "
        "again, and until then an interruption sets it back to 2"
    )
    assert again(tmp_path).done == 2
    checkpoint.offer(6, lambda: state(6))
    assert caplog.messages[-1] == "how far fine-tuning is was saved, after 3 in vain"
    assert again(tmp_path).done == 6


@pytest.mark.parametrize(
    ("took", "expected"), [(None, 10), (0.05, 10), (0.3, 30), (2.0, 60), (20.0, 400)]
)
def test_saving_takes_a_bounded_share_of_the_time(tmp_path, monkeypatch, took, expected):
    monkeypatch.undo()
    checkpoint = again(tmp_path)
    checkpoint._took = took
    checkpoint._saved_at = time.monotonic() - expected + 1
    assert not checkpoint._due()
    checkpoint._saved_at = time.monotonic() - expected - 1
    assert checkpoint._due()


# Pieces


def piece(checkpoint: Pieces, done: int) -> None:
    checkpoint.offer(done, lambda: Saved(done, {"made": np.arange(checkpoint.done, done)}, {}))


def made(checkpoint: Pieces) -> list[int]:
    found = [saved.arrays["made"] for saved in checkpoint.pieces("image", 20)]
    return np.concatenate([np.empty(0, int), *found]).tolist()


def test_pieces_are_all_kept(tmp_path):
    for done in (4, 8, 11):
        piece(Pieces(tmp_path, OWNER, "drawing"), done)
    found = Pieces(tmp_path, OWNER, "drawing")
    assert found.done == 11
    assert made(found) == list(range(11))


def test_a_lost_piece_takes_those_after_it_along(tmp_path, caplog):
    checkpoint = Pieces(tmp_path, OWNER, "drawing")
    for done in (4, 8, 11):
        piece(checkpoint, done)
    sorted(tmp_path.iterdir())[1].unlink()
    assert made(Pieces(tmp_path, OWNER, "drawing")) == [0, 1, 2, 3]
    assert "what was made before it is not there; it is removed, and made again" in caplog.text
    assert len(list(tmp_path.iterdir())) == 1


def test_lost_pieces_are_told_once_with_how_many_they_are(tmp_path, caplog):
    checkpoint = Pieces(tmp_path, OWNER, "drawing")
    for done in (4, 8, 11, 12, 15):
        piece(checkpoint, done)
    first = min(tmp_path.iterdir())
    truncated(first)
    assert made(Pieces(tmp_path, OWNER, "drawing")) == []
    (told,) = caplog.messages
    assert told.startswith(f"drawing cannot go on from what an interrupted process left in {first}")
    assert told.endswith("it is removed with 4 more, and made again")
    assert list(tmp_path.iterdir()) == []


def test_a_piece_that_could_not_be_saved_comes_with_the_next_one(tmp_path, monkeypatch):
    checkpoint = Pieces(tmp_path, OWNER, "drawing")
    piece(checkpoint, 4)
    with monkeypatch.context() as patch:
        patch.setattr(module, "write_sealed", lambda *a: (_ for _ in ()).throw(OSError("full")))
        piece(checkpoint, 8)
    piece(checkpoint, 11)
    assert made(Pieces(tmp_path, OWNER, "drawing")) == list(range(11))


# Interruption


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_waits_for_the_end_of_a_step_and_is_saved(tmp_path, monkeypatch, number):
    monkeypatch.setattr(module, "LEAST_SECONDS", 1000.0)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        checkpoint, reached = again(tmp_path), []

        def work() -> None:
            with checkpoint.steps():
                for step in range(1, 9):
                    if step == 5:
                        signal.raise_signal(number)
                    reached.append(step)
                    checkpoint.offer(step, lambda step=step: state(step))

        with pytest.raises(KeyboardInterrupt):
            work()
        assert reached == [1, 2, 3, 4, 5]
        assert again(tmp_path).done == 5
        assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGTERM, before)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def stopped_at_first_step(
    checkpoint: Checkpoint, times: int = 1, number: int = signal.SIGINT
) -> None:
    """A signal comes in the first step, perhaps twice."""

    def work() -> None:
        with checkpoint.steps():
            for _ in range(times):
                signal.raise_signal(number)
            checkpoint.offer(1, lambda: state(1))

    with pytest.raises(KeyboardInterrupt):
        work()


def test_what_would_take_long_is_not_saved_on_the_way_out(tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(module, "LEAST_SECONDS", 1000.0)
    monkeypatch.setattr(module, "BYTES_PER_SECOND", 1.0)
    stopped_at_first_step(again(tmp_path))
    assert not list(tmp_path.iterdir())
    told = (
        "fine-tuning was interrupted at 1; to save that would take about 24 s, so it goes on at 0"
    )
    assert told in caplog.text


def test_one_signal_that_comes_twice_is_one(tmp_path, monkeypatch):
    """To a process and to its group, as some launchers send it."""
    monkeypatch.setattr(module, "LEAST_SECONDS", 1000.0)
    stopped_at_first_step(again(tmp_path), times=2)
    assert again(tmp_path).done == 1


def slow(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Saving takes so long, and can be interrupted."""
    write = module.write_sealed

    def slowly(*args) -> None:
        for _ in range(20):
            time.sleep(seconds / 20)
        write(*args)

    monkeypatch.setattr(module, "write_sealed", slowly)


@pytest.mark.parametrize(("longest", "done"), [(60.0, 1), (0.1, 0)])
def test_saving_is_waited_for_longer_than_a_step_and_not_for_ever(
    tmp_path, monkeypatch, longest, done
):
    monkeypatch.setattr(interrupts, "HOLD_SECONDS", 0.05)
    monkeypatch.setattr(interrupts, "SAVING_SECONDS", longest)
    slow(0.6, monkeypatch)
    told = []
    with module.saving_told(told.append):
        stopped_at_first_step(again(tmp_path))
    assert told == [True, False]
    monkeypatch.undo()
    assert again(tmp_path).done == done


@pytest.mark.parametrize(("longest", "done"), [(60.0, 1), (0.1, 0)])
def test_a_clusters_saving_has_a_limit_of_its_own(
    tmp_path, monkeypatch, longest, done, told_by_cluster
):
    monkeypatch.setattr(interrupts, "HOLD_SECONDS", 0.02)
    monkeypatch.setattr(interrupts, "SAVING_SECONDS", 0.2)
    monkeypatch.setattr(interrupts, "CLUSTERS_SECONDS", longest)
    slow(0.6, monkeypatch)
    stopped_at_first_step(again(tmp_path), number=signal.SIGUSR2)
    monkeypatch.undo()
    assert again(tmp_path).done == done


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGUSR2])
@pytest.mark.parametrize(("seconds", "saved"), [(14, 1), (16, 0)])
def test_what_is_saved_in_time_is_saved_on_the_way_out(
    tmp_path, monkeypatch, number, seconds, saved, told_by_cluster
):
    monkeypatch.setattr(module, "LEAST_SECONDS", 1000.0)
    size = sum(array.nbytes for array in state(1).arrays.values())
    monkeypatch.setattr(module, "BYTES_PER_SECOND", size / seconds)
    checkpoint = again(tmp_path)

    def work() -> None:
        with checkpoint.steps():
            signal.raise_signal(number)
            checkpoint.offer(1, lambda: state(1))

    with pytest.raises(KeyboardInterrupt):
        work()
    assert again(tmp_path).done == saved


# What is kept


def test_a_generator_goes_on_with_its_next_draw():
    rng = np.random.default_rng(3)
    rng.random(7, np.float32)  # leaves half of a word
    array = random_states.of_generator(rng)
    other = np.random.default_rng(4)
    random_states.set_generator(other, array)
    assert (other.random(5, np.float32) == rng.random(5, np.float32)).all()
    assert (other.integers(100, size=9) == rng.integers(100, size=9)).all()


def test_global_states_go_on_with_their_next_draw():
    import random

    def draws() -> list:
        return [torch.rand(2).tolist(), np.random.normal(), random.gauss(0, 1), random.random()]

    with_halves = draws()  # a second normal number is kept
    arrays = {name: array.copy() for name, array in random_states.of_globals().items()}
    expected = draws()
    assert draws() != expected != with_halves
    random_states.set_globals(arrays)
    assert draws() == expected


@pytest.mark.parametrize("kind", ["AdamW", "SGD"])
def test_an_optimizer_goes_on_with_its_next_step(kind):
    def begun(seed: int):
        weight = torch.nn.Parameter(torch.randn(4, generator=torch.Generator().manual_seed(seed)))
        unused = torch.nn.Parameter(torch.zeros(2))
        further = {"momentum": 0.9} if kind == "SGD" else {}
        return weight, getattr(torch.optim, kind)([weight, unused], lr=0.1, **further)

    def step(weight, optimizer) -> None:
        optimizer.zero_grad()
        weight.pow(3).sum().backward()
        optimizer.step()

    weight, optimizer = begun(0)
    step(weight, optimizer)
    optimizer.param_groups[0]["lr"] = 0.03
    arrays, groups = of_optimizer(optimizer)
    arrays = {name: array.copy() for name, array in arrays.items()}
    other, goes_on = begun(1)
    other.data.copy_(weight.data)
    set_optimizer(goes_on, arrays, groups)
    for each in ((weight, optimizer), (other, goes_on)):
        step(*each)
    assert torch.equal(weight, other)


def test_a_file_is_plain_safetensors(tmp_path):
    head, arrays = read_sealed(kept(tmp_path, 1))
    assert head["owner"] == OWNER
    assert set(arrays) == {"a", "none", module.NUMBERS}


@pytest.mark.parametrize(
    ("head", "numbers"),
    [
        ({}, b"{}"),
        ({"owner": []}, b"{}"),
        ({"done": "1"}, b"{}"),
        ({"seconds": None}, b"{}"),
        (None, b"[]"),
        (None, b"[" * 100_000),
        (None, None),
    ],
)
def test_a_sealed_file_of_another_form_is_told_and_removed(tmp_path, caplog, head, numbers):
    path = kept(tmp_path, 1)
    sound, _ = read_sealed(path)
    arrays = {} if numbers is None else {module.NUMBERS: np.frombuffer(numbers, np.uint8)}
    write_sealed(path, {} if head == {} else sound | (head or {}), arrays)
    assert Checkpoint(tmp_path, OWNER, "drawing").load("image", 3) is None
    assert "drawing cannot go on from what an interrupted process left" in caplog.text
    assert not path.exists()
