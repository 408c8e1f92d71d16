"""What several workers take, foreseen; checked by hand, by a clock that ticks, by every order."""

import itertools
import random
from collections.abc import Sequence

import pytest

from tgap.sweeps.schedule import Step, SweepSchedule, distinct, in_order, least_waiting

Runs = list[list[Step]]


def steps(text: str) -> list[Step]:
    """``a3 b2!``: a for three seconds, then b for two, which may be early."""
    return [Step(word[0], float(word[1:].rstrip("!")), word.endswith("!")) for word in text.split()]


@pytest.mark.parametrize(
    ("runs", "workers", "seconds", "waiting"),
    [
        ([], 2, 0, 0),
        (["a3 b2", "a3 c2"], 1, 7, 0),
        (["a3 b2", "a3 c2"], 2, 5, 3),  # the second one waits for a
        (["a3 b2", "a3 c2", "d5"], 2, 10, 3),
        (["a3 b2", "a3 c2 d1!"], 2, 5, 2),  # it does d meanwhile, which takes one of three seconds
        (["a1 b1", "a1 b1", "a1 b1"], 3, 2, 4),
        (["a2", "b4", "c3"], 2, 5, 0),  # who is free first takes c
    ],
)
def test_by_hand(runs: list[str], workers: int, seconds: float, waiting: float) -> None:
    found = in_order([steps(text) for text in runs], workers)
    assert (found.seconds, found.waiting) == (seconds, waiting)
    assert found.order == list(range(len(runs)))


def test_work_of_another_is_not_begun_twice() -> None:
    # The second run makes d while a is made: it is not made again in the first one's turn.
    found = in_order([steps("a3 d2!"), steps("a3 d2! e1")], 2)
    assert (found.busy, found.seconds, found.waiting) == (6, 4, 1)
    assert found.idle == pytest.approx(1 - 6 / 8)


def test_runs_that_share_nothing_begin_first() -> None:
    runs = [steps(text) for text in ("a9 b1", "a9 c1", "d9 e1", "d9 f1")]
    assert in_order(runs, 2).seconds == 20
    found = least_waiting(runs, 2)
    assert list(found.order) == [0, 2, 1, 3]
    assert (found.seconds, found.waiting, found.idle) == (11, 0, 0)


def test_one_worker_and_unknown_times_leave_the_order() -> None:
    runs = some_runs(random.Random(0))
    assert list(least_waiting(runs, 1).order) == list(range(len(runs)))
    nothing = [[Step(step.key, 0.0) for step in run] for run in runs]
    found = least_waiting(nothing, 3)
    assert (list(found.order), found.idle) == (list(range(len(runs))), 0.0)


def some_runs(rng: random.Random) -> Runs:
    """Up to six runs, which share some artifacts; those of one letter take equally long."""
    lasting = {letter: rng.randint(1, 6) for letter in "abcdefghij"}
    return [
        [
            Step(letter, float(lasting[letter]), letter in "ab")
            for letter in rng.sample("abcdefghij", rng.randint(1, 4))
        ]
        for _ in range(rng.randint(1, 6))
    ]


def by_ticks(runs: Runs, workers: int) -> tuple[float, float, float]:
    """Seconds, busy and waiting, second by second."""
    queue, hands = [list(run) for run in runs], [list[Step]() for _ in range(workers)]
    doing: list[Step | None] = [None] * workers
    left: dict[str, int] = {}  # seconds until an artifact stands
    seconds = busy = waiting = 0
    while True:
        waits = [False] * workers
        for worker in range(workers):
            while doing[worker] is None:
                if not hands[worker]:
                    if not queue:
                        break
                    hands[worker] = queue.pop(0)
                first = hands[worker][0]
                if left.get(first.key) == 0:
                    hands[worker].pop(0)
                elif first.key not in left:
                    doing[worker] = first
                else:
                    new = [one for one in hands[worker] if one.early and one.key not in left]
                    if not new:
                        waits[worker] = True
                        break
                    doing[worker] = new[0]
                if (step := doing[worker]) is not None:
                    left[step.key] = int(step.seconds)
                    hands[worker].remove(step)
        if not any(waits) and not any(doing):
            return seconds, busy, waiting
        seconds += 1
        busy, waiting = busy + sum(map(bool, doing)), waiting + sum(waits)
        for worker, step in enumerate(doing):
            if step is not None:
                left[step.key] -= 1
                doing[worker] = None if left[step.key] == 0 else step


def results(found: SweepSchedule) -> tuple[float, float, float]:
    return found.seconds, found.busy, found.waiting


@pytest.mark.parametrize("seed", range(40))
def test_the_same_second_by_second(seed: int) -> None:
    rng = random.Random(seed)
    runs, workers = some_runs(rng), rng.randint(1, 4)
    found = in_order(runs, workers)
    assert results(found) == by_ticks(runs, workers)
    assert found.busy == distinct(runs)
    ordered = least_waiting(runs, workers)
    assert sorted(ordered.order) == list(range(len(runs)))
    assert results(ordered) == by_ticks([runs[number] for number in ordered.order], workers)


def test_the_order_is_near_the_best_of_all() -> None:
    ratios: list[float] = []
    typed: list[float] = []
    for seed in range(30):
        rng = random.Random(seed)
        runs, workers = some_runs(rng), 2
        best = min(_seconds(order, workers) for order in itertools.permutations(runs))
        ratios.append(least_waiting(runs, workers).seconds / best)
        typed.append(in_order(runs, workers).seconds / best)
    assert min(ratios) >= 1
    assert sum(ratios) / len(ratios) < 1.12
    assert sum(ratios) <= sum(typed)


def _seconds(runs: Sequence[list[Step]], workers: int) -> float:
    return in_order(runs, workers).seconds


def test_a_sweep_of_six_methods_is_never_idle_for_long() -> None:
    """6 methods x 2 sizes x 3 seeds, 2 workers, in the worst order of words."""

    def run(selector: str, tunes: bool, size: int, seed: int) -> list[Step]:
        own = f"{selector} {size} {seed}" if tunes else f"untuned {seed}"
        tuning = [Step("prior", 4, early=True), Step(f"generator {own}", 15)] if tunes else []
        return [
            *tuning,
            Step(f"synthetic {own}", 18),
            Step(f"synthetic classifier {own}", 3),
            Step(f"real classifier {seed}", 3, early=True),
            Step(f"evaluation {selector} {own}", 12),
        ]

    runs = [
        run(selector, tunes, size, seed)
        for tunes in (False, True)
        for seed in range(3)
        for selector in "abc"
        for size in (100, 500)
    ]
    typed, ordered = in_order(runs, 2), least_waiting(runs, 2)
    assert typed.idle > 2 * ordered.idle
    assert ordered.idle < 0.05
    assert least_waiting(runs, 8).idle < in_order(runs, 8).idle
