"""What ``tgap predict`` says of larger tuning sets, from ``runs.csv``.

Usage: ``python -m experiments.thesis.larger [FILE]``. Of methods with four sizes or more: of all
sizes, then without the largest, and what a law of those left would say there even where the command
refuses to (a law of three sizes touches all three, so nothing could speak against it).
"""

import sys
from pathlib import Path
from typing import get_args

from experiments.thesis.runs import FILE, read
from tgap.analysis.predictions import Of, curves_over, outlook
from tgap.report.headings import decimal
from tgap.report.predicted import plain

LEAST = 3


def main(file: Path = FILE) -> None:
    """Print the table of all sizes, that without the largest, and what is left unsaid there."""
    rows = [row for row in read(file) if not row.is_control]
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
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FILE)
