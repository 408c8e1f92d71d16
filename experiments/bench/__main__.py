"""The benchmark: prints a table and writes JSON. No figure fails: speed is looked at, not tested.

python -m experiments.bench                        (or `make bench`; an hour, on an idle machine)
python -m experiments.bench dreambooth drawing     these parts alone
python -m experiments.bench --quick dreambooth     a few seconds, which measure nothing

Both sides of a ratio run in one process, in turn. Cores are chosen by OMP_NUM_THREADS.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from experiments.bench import commands, drawing, growth, scale, sweeps, tuning
from experiments.bench.measure import Row, Scale, machine, write

PARTS: dict[str, Callable[[Scale], list[Row]]] = {
    "start": commands.start,
    "refusals": commands.refusals,
    "dreambooth": tuning.dreambooth,
    "lora": tuning.lora,
    "bfloat16": tuning.bfloat16,
    "drawing": drawing.drawing,
    "batches": drawing.batches,
    "steps": drawing.steps,
    "active": tuning.active,
    "compiled": lambda scale: [*tuning.compiled(scale), *drawing.compiled(scale)],
    "demo": commands.demo,
    "sweep": commands.sweep,
    "sharing": sweeps.sharing,
    "joblib": sweeps.joblib,
    "growth": growth.growth,
}


def main(words: Sequence[str] | None = None) -> None:
    """Run the named parts here, or all of them in processes of their own."""
    parser = argparse.ArgumentParser("experiments.bench")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join([*PARTS, *scale.PARTS]))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, default=Path("bench.json"))
    given = parser.parse_args(words)
    if unknown := sorted(set(given.parts) - {*PARTS, *scale.PARTS}):
        parser.error(f"no part is named {', '.join(unknown)}; {', '.join([*PARTS, *scale.PARTS])}")
    if not given.parts:
        _all(given.json, [*(["--quick"] if given.quick else []), f"--repeats={given.repeats}"])
        return
    about = machine()
    print(", ".join(f"{name}: {value}" for name, value in about.items()), flush=True)
    if given.quick:
        print("--quick: these figures measure nothing")
    rows: dict[str, list[Row]] = {}
    for name in given.parts:
        if name in scale.PARTS:
            scale.PARTS[name]()
            continue
        rows[name] = PARTS[name](Scale(given.quick, 2 if given.quick else given.repeats))
        for row in rows[name]:
            print(row.text(), flush=True)
    write(rows, about, given.json)


def _all(file: Path, words: Sequence[str]) -> None:
    """Each in a fresh process, so that none finds what another left in memory."""
    parts, about = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder) / "part.json"
        for name in PARTS:
            _part(name, "--json", str(own), *words)
            told = json.loads(own.read_text())
            about, parts = told["machine"], parts | told["parts"]
    file.write_text(json.dumps({"machine": about, "parts": parts}, indent=2) + "\n")
    for name in scale.PARTS:  # print their own, and have no quick side
        if "--quick" not in words:
            _part(name)


def _part(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "experiments.bench", *words], check=True)


if __name__ == "__main__":
    main()
