"""Photographs of one moment, by the time that cameras write into their files."""

import datetime
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from tgap.datasets.reading.originals import Header

SECONDS, APART = 2, 10
"""A burst goes on within so many seconds; moments are this many times as far from each other."""
FEWEST, SHARE = 3, 0.25
"""So many moments have several images, and so many of the images are of such a moment."""
NAMED = 3


@dataclass(frozen=True)
class Moments:
    """Bursts of photographs.

    Args:
        dated: How many images have a time.
        moments: How many moments they are of.
        together: How many are of a moment with others.
        named: Images of the first ones.
    """

    dated: int
    moments: int
    together: int
    named: list[list[str]]


def moments_of(headers: Sequence[Header], names: Sequence[str]) -> Moments | None:
    """Images that one camera took within seconds, far from others; ``None`` if there are few.

    Args:
        headers: Of N files.
        names: What messages call them.
    """
    cameras: dict[str, list[tuple[datetime.datetime, int]]] = defaultdict(list)
    for row, header in enumerate(headers):
        if (when := _time(header.taken)) is not None:
            cameras[header.camera].append((when, row))
    moments: list[list[int]] = []
    gaps: list[float] = []
    for taken in cameras.values():
        taken.sort()
        moments.append([taken[0][1]])
        for (before, _), (when, row) in pairwise(taken):
            gap = (when - before).total_seconds()
            if gap > SECONDS:
                gaps.append(gap)
                moments.append([])
            moments[-1].append(row)
    several = [rows for rows in moments if len(rows) > 1]
    together, dated = sum(map(len, several)), sum(map(len, moments))
    if len(several) < FEWEST or together < SHARE * len(headers):
        return None
    if 2 * max(map(len, several)) > dated or statistics.median(gaps) < APART * SECONDS:
        return None
    named = [[names[row] for row in rows] for rows in several[:NAMED]]
    return Moments(dated, len(moments), together, named)


def _time(text: str) -> datetime.datetime | None:
    try:
        return datetime.datetime.strptime(text.strip("\0 ")[:19], "%Y:%m:%d %H:%M:%S")
    except ValueError:  # cameras without a clock write blanks or zeros
        return None
