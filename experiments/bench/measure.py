"""Timing two sides in turn, and the rows of the benchmark's table."""

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

NOT_MEASURED = "not measured"
LIBRARIES = ("torch", "diffusers", "transformers", "peft", "numpy")


@dataclass(frozen=True)
class Scale:
    """How much is done.

    Args:
        quick: A few seconds, which show that the benchmark works and measure nothing.
        repeats: Times that each side is run, after one that does not count.
    """

    quick: bool = False
    repeats: int = 5


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Args:
        what: Is measured.
        against: The other side, or nothing.
        values: One of each repeat: ratios (``x``) or seconds (``s``).
        unit: ``x``, of which more is better, or ``s``, of which less is.
        target: To be reached by the median on an idle machine with two cores, or ``None``.
        note: What else was seen.
        gpu: The same on a GPU.
    """

    what: str
    against: str
    values: list[float]
    unit: str
    target: float | None
    note: str = ""
    gpu: str = NOT_MEASURED

    def text(self) -> str:
        """The line."""
        middle, sign = statistics.median(self.values), ">=" if self.unit == "x" else "<="
        spread = f"{middle:.2f} {self.unit} [{min(self.values):.2f}, {max(self.values):.2f}]"
        target = "" if self.target is None else f"{sign} {self.target:g} {self.unit}"
        met = "" if self.target is None else ("met" if self.met() else "missed")
        line = f"{self.what:56} {self.against:40} {spread:23} n={len(self.values)} {target:9} {met}"
        return f"{line}  {self.note}".rstrip()

    def met(self) -> bool:
        """Whether the target is."""
        if self.target is None:
            return True
        middle = statistics.median(self.values)
        return middle >= self.target if self.unit == "x" else middle <= self.target


Side = Callable[[], float | None]
"""Does the work once; its seconds if it times itself, because not all of it counts."""


def in_turn(sides: Sequence[Side], scale: Scale) -> list[list[float]]:
    """Seconds of each side in each repeat.

    The sides take turns, and every other repeat begins with the last one, so that what else the
    machine does, and how warm it is, falls on all of them alike.
    """
    for side in sides:
        side()
    taken: list[list[float]] = [[] for _ in sides]
    for repeat in range(scale.repeats):
        order = list(range(len(sides)))
        for number in order if repeat % 2 == 0 else order[::-1]:
            taken[number].append(_seconds(sides[number]))
    return taken


def ratios(theirs: Sequence[float], ours: Sequence[float]) -> list[float]:
    """How many times as fast, repeat by repeat."""
    return [a / b for a, b in zip(theirs, ours, strict=True)]


def _seconds(side: Side) -> float:
    start = time.perf_counter()
    own = side()
    return time.perf_counter() - start if own is None else own


def machine() -> dict[str, object]:
    """What was measured on, and with what."""
    import torch

    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in LIBRARIES},
    }


def has_bfloat16() -> bool:
    """Whether the processor multiplies in it; else it takes several times as long as float32."""
    return bool(_flags_of_bfloat16(_told_of_processor()))


def _processor() -> str:
    """Its name, and what it has for bfloat16."""
    known = _told_of_processor()
    has = ", ".join(_flags_of_bfloat16(known)) or "no bfloat16"
    return f"{known.get('model name', platform.processor())} ({has})"


def _flags_of_bfloat16(known: dict[str, str]) -> list[str]:
    flags = known.get("flags", "").split()
    return [flag for flag in ("avx512_bf16", "amx_bf16") if flag in flags]


def _told_of_processor() -> dict[str, str]:
    """What Linux tells of the last core; nothing elsewhere."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    found = dict(line.split(":", 1) for line in lines if ":" in line)
    return {name.strip(): value.strip() for name, value in found.items()}


def write(rows: dict[str, list[Row]], about: dict[str, object], file: Path) -> None:
    """Everything as JSON."""
    parts = {
        part: [{**asdict(row), "median": statistics.median(row.values)} for row in of_part]
        for part, of_part in rows.items()
    }
    file.write_text(json.dumps({"machine": about, "parts": parts}, indent=2) + "\n")
