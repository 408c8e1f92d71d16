"""What a sweep takes with several workers, foreseen; and the order in which its runs are begun.

Runs share artifacts. Of two that need the same one at once, one makes it and the other one waits,
unless there is something else in it to do. So runs that are at work at the same time had better
begin with different things.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

LOOK = 64
"""Of the runs that are not begun, so many are compared when a worker is free."""


@dataclass(frozen=True)
class Step:
    """Making one artifact.

    Args:
        key: Of the artifact.
        seconds: That it takes.
        early: Whether it needs nothing but data: it is made before its turn by a run that would
            have to wait for another one otherwise.
    """

    key: str
    seconds: float
    early: bool = False


@dataclass(frozen=True)
class SweepSchedule:
    """What workers do.

    Args:
        order: Runs by their numbers, as they are begun.
        seconds: From the first one's beginning to the last one's end.
        busy: What all workers work, in seconds.
        waiting: What all workers wait for an artifact that another one makes.
        workers: How many there are.
    """

    order: Sequence[int]
    seconds: float
    busy: float
    waiting: float
    workers: int

    @property
    def idle(self) -> float:
        """Share of the workers' time in which they wait, or have nothing to do any more."""
        return 1 - self.busy / (self.seconds * self.workers) if self.seconds else 0.0


def in_order(runs: Sequence[Sequence[Step]], workers: int) -> SweepSchedule:
    """What becomes of runs that are begun as they come: who is free takes the next one.

    Args:
        runs: What each has to make, in its order. What two runs have in common is made once.
        workers: At least 1.
    """
    return _simulated(runs, workers, lambda left, made, now: left[0])


def least_waiting(runs: Sequence[Sequence[Step]], workers: int) -> SweepSchedule:
    """What becomes of runs of which, whenever a worker is free, that is begun which waits least.

    Among equals the first one; so with one worker, or nothing shared, all stay in their order.

    Args:
        runs: As in ``in_order``.
        workers: At least 1.
    """

    def choose(left: Sequence[int], made: Mapping[str, float], now: float) -> int:
        if workers == 1:  # nobody to wait for
            return left[0]
        return min(left[:LOOK], key=lambda number: _wait(runs[number], made, now))

    return _simulated(runs, workers, choose)


def _wait(run: Sequence[Step], made: Mapping[str, float], now: float) -> float:
    """What a run that is begun now would wait, if no other one were begun."""
    left, waiting = list(run), 0.0
    while left:
        step = _next(left, made, now)
        end = made.get(step.key)
        if end is None:
            now += step.seconds
            left.remove(step)
        else:
            waiting += max(end - now, 0.0)
            now = max(end, now)
            left.remove(step)
    return waiting


def _next(left: Sequence[Step], made: Mapping[str, float], now: float) -> Step:
    """What a run does next: its first step or, if another one is at that, what may be early."""
    if made.get(left[0].key, now) <= now:
        return left[0]
    return next((step for step in left if step.early and step.key not in made), left[0])


def _simulated(
    runs: Sequence[Sequence[Step]],
    workers: int,
    choose: Callable[[Sequence[int], Mapping[str, float], float], int],
) -> SweepSchedule:
    import heapq

    made: dict[str, float] = {}  # when an artifact that was begun stands
    left, order = list(range(len(runs))), list[int]()
    busy = waiting = last = 0.0
    free: list[tuple[float, int, list[Step]]] = [(0.0, worker, []) for worker in range(workers)]
    while free:
        now, worker, steps = heapq.heappop(free)
        if not steps:
            last = max(last, now)
            if not left:
                continue
            chosen = choose(left, made, now)
            left.remove(chosen)
            order.append(chosen)
            heapq.heappush(free, (now, worker, list(runs[chosen])))
            continue
        step = _next(steps, made, now)
        end = made.get(step.key)
        if end is None:
            end = made[step.key] = now + step.seconds
            busy += step.seconds
        else:
            waiting += max(end - now, 0.0)
        steps.remove(step)
        heapq.heappush(free, (max(end, now), worker, steps))
    return SweepSchedule(order, last, busy, waiting, workers)


def distinct(runs: Iterable[Sequence[Step]]) -> float:
    """Seconds that one worker takes."""
    return sum({step.key: step.seconds for run in runs for step in run}.values())
