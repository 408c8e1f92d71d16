"""Images that are asked for alike, and how far their quota is filled."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from tgap.core import Bools, Images, Indices
from tgap.drawings.base import Wanted


@dataclass(frozen=True)
class Trial:
    """An image that was drawn.

    Args:
        row: The position among the wanted that it was drawn for.
        number: Of the trial there; 0 is what a plain set has.
        seed: Its noise seed.
        image: ``(H, W, C)`` uint8.
    """

    row: int
    number: int
    seed: int
    image: Images


@dataclass
class Query:
    """The images of a label that are asked for with the same labels and findings.

    Trials come in a fixed order: which are kept does not depend on how many are drawn at a time.

    Args:
        block: The label that they are drawn for.
        rows: Their positions among the wanted, whose noise seeds are taken in turn.
        quota: Images that are to be kept.
        limit: Most trials.
    """

    block: int
    rows: Sequence[int]
    quota: int
    limit: int
    tried: int = 0
    passed: int = 0
    kept: list[Trial] = field(default_factory=list)
    rest: list[Trial] = field(default_factory=list)

    @property
    def lacking(self) -> int:
        """Images that are not found yet."""
        return self.quota - len(self.kept)

    def coming(self) -> int:
        """How many trials to draw next: as many as should fill the quota, by the rate so far.

        Never more than the quota, so that what is in memory does not grow with the trials.
        """
        rate = (self.passed + 1) / (self.tried + 1)
        wanted = math.ceil(max(self.lacking, 0) / rate)
        return min(wanted, self.quota, self.limit - self.tried)

    def trials(self, count: int) -> Iterator[tuple[int, int]]:
        """The next trials, each as a position and the number of its trial there."""
        for trial in range(self.tried, self.tried + count):
            number, turn = divmod(trial, len(self.rows))
            yield self.rows[turn], number

    def take(self, trials: Sequence[Trial], passed: Bools) -> None:
        """Keep those that pass, as far as they are wanted, and of the others as many as may be."""
        for trial, good in zip(trials, passed.tolist(), strict=True):
            among = self.kept if good else self.rest
            if len(among) < self.quota:
                among.append(trial)
        self.tried += len(trials)
        self.passed += int(passed.sum())

    def allot(self, quota: int, most: int) -> None:
        """Change the quota after the first trials.

        Args:
            quota: Images that are to be kept now.
            most: Trials for each of them.
        """
        self.quota, self.limit = quota, max(self.tried, most * quota)
        del self.kept[quota:]

    def filled(self) -> list[Trial]:
        """As many as the quota: the kept, then the rest in the order of drawing."""
        return [*self.kept, *self.rest[: max(self.lacking, 0)]]

    def placed(self) -> dict[int, Trial]:
        """The same by positions, where the quota is as many: a plain set's images at their own."""
        placed = {trial.row: trial for trial in self.filled() if trial.number == 0}
        others = iter(trial for trial in self.filled() if trial.number > 0)
        return {row: placed.get(row) or next(others) for row in self.rows}


def queries_of(wanted: Wanted, judged: Bools, most: int) -> list[Query]:
    """The queries among the images that are judged, in the order of their first ones.

    Args:
        wanted: All images.
        judged: ``(N,)`` bool, those that a judge looks at.
        most: Trials for each image that is kept.
    """
    asked, rows = wanted.asked, dict[tuple[int, bytes, bytes], list[int]]()
    for row in np.flatnonzero(judged).tolist():
        key = int(wanted.blocks[row]), asked.labels[row].tobytes(), asked.findings[row].tobytes()
        rows.setdefault(key, []).append(row)
    return [Query(block, own, len(own), most * len(own)) for (block, *_), own in rows.items()]


def in_proportion(weights: Sequence[int], total: int) -> Indices:
    """Whole numbers in proportion to weights, by largest remainders; equal ones, first come first.

    Args:
        weights: Not negative, not all 0.
        total: What they add up to.

    >>> in_proportion([3, 1, 0], 10).tolist()
    [8, 2, 0]
    """
    exact = np.array(weights, np.float64) * total / sum(weights)
    numbers = np.floor(exact).astype(np.int64)
    largest = np.argsort(-(exact - numbers), kind="stable")
    numbers[largest[: total - int(numbers.sum())]] += 1
    return numbers


def by_difficulty(queries: Sequence[Query], most: int) -> None:
    """Share each label's images out again, in proportion to what failed of the first trials.

    There each query had as many trials as images in a plain set, so that this is its share of the
    set times its failure rate. Where nothing failed the shares stay.
    """
    for block in {query.block for query in queries}:
        own = [query for query in queries if query.block == block]
        failed = [query.tried - query.passed for query in own]
        if any(failed):
            total = sum(query.quota for query in own)
            for query, quota in zip(own, in_proportion(failed, total).tolist(), strict=True):
                query.allot(quota, most)
