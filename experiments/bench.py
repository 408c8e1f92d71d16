"""Times the commands that people type, in fresh processes and a fresh store.

python -m experiments.bench        (or `make bench`; about 5 minutes on two cores)

Prints a line per command: what it took, the target on an idle two-core machine, and peak memory.
It never fails on a figure: speed is looked at, not tested.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

REPEATED = ("selector=clip_spectral", "size=500,1000", "-m")


@dataclass(frozen=True)
class Case:
    """A command line and its target in seconds."""

    what: str
    words: tuple[str, ...]
    target: float


CASES = (
    Case("--help", ("--help",), 1.0),
    Case("--cfg job", ("--cfg", "job"), 1.0),
    Case("one default run", (), 180),
    Case("selector=clip_spectral size=500,1000 -m", REPEATED, 480),
    Case("the same again", REPEATED, 5 + 2),
)


def seconds(words: tuple[str, ...], folder: Path) -> float:
    """Run a command in a folder of its own and time it."""
    environment = dict(os.environ, TGAP_HOME=str(folder / ".tgap"))
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "tgap.run", *words],
        cwd=folder,
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - start


def main() -> None:
    """Run all cases."""
    with tempfile.TemporaryDirectory() as name:
        for case in CASES:
            # A folder, and so a store, per command line: only the repeated one finds its results.
            folder = Path(name) / "_".join(case.words).replace("/", "-")
            folder.mkdir(exist_ok=True)
            took = seconds(case.words, folder)
            print(f"{case.what:42} {took:7.1f} s   (target {case.target:g} s)", flush=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(f"{'peak memory of a command':42} {peak:7.2f} GB  (target 2 GB)")


if __name__ == "__main__":
    main()
