"""What ``tgap predict`` says of larger tuning sets, from ``runs.csv``.

Usage: ``python -m experiments.thesis.larger [WORLD]``, digits unless said. Of methods with four
sizes or more: of all sizes, then without the largest, and what a law of those left would say there
even where the command refuses to (a law of three sizes touches all three, so nothing could speak
against it).
"""

import sys
from typing import get_args

from experiments.thesis.runs import FILE, read
from experiments.thesis.worlds import by_world
from tgap.analysis.predictions import Of, curves_over, outlook
from tgap.report.headings import decimal
from tgap.report.predicted import plain

LEAST = 3


def main(world: str = "digits") -> None:
    """Print the table of all sizes, that without the largest, and what is left unsaid there."""
    rows = [row for row in by_world(read(FILE))[world] if not row.is_control]
    curves, lost = (
        [one for one in curves_over(rows, (), "size", of) if len(one.sizes) > LEAST]
        for of in get_args(Of)
    )
    without = [one.only(range(len(one.sizes) - 1)) for one in curves]
    print(plain([outlook(one) for one in curves]))
    print(plain([outlook(one) for one in lost]))
    print("Without the largest size:\n")
    print(plain([outlook(one) for one in without]))
    for whole, fewer in zip(curves, without, strict=True):
        size, measured = float(whole.sizes[-1]), 1 - float(whole.losses[:, -1].mean())
        (at,) = fewer.predict([size]).at
        estimate, lo, hi = (decimal(1 - loss) for loss in (at.estimate, at.hi, at.lo))
        print(
            f"{whole.group.method}: a law of {len(fewer.sizes)} sizes says {estimate} ({lo} to "
            f"{hi}) at {size:.0f}, where {decimal(measured)} was measured."
        )


if __name__ == "__main__":
    main(*sys.argv[1:2])
