"""How long a piece of work takes: measured here, by a packaged rate, or by counted operations."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tgap.composition.config import Run
from tgap.core import ConfigError, nearest
from tgap.pipeline.plan import Plan
from tgap.pipeline.preflight.extent import Extents
from tgap.pipeline.preflight.operations import CPU, SPEEDS, Speed, seconds_of
from tgap.store import Store
from tgap.sweeps.records import UNIT, records

NEWEST = 50
"""Records that are looked into."""
RATES = 5
"""Of equal artifacts, the newest so many count; the median of their rates is taken."""
REFERENCE: Mapping[str, float] = {
    "generator tiny_ldm dreambooth": 0.0016,
    "synthetic tiny_ldm": 0.0003,
    "prior tiny_ldm": 0.00045,
    "classifier small_cnn": 0.0005,
    "evaluation two_way": 1.0,
    "evaluation baselines": 0.6,
    "evaluation fidelity": 0.7,
    "evaluation memorization": 10.0,
    "evaluation occlusion": 0.1,
}
"""Seconds for a unit of work: of one default run on two cores (AMD EPYC), nothing beside it."""
COUNTED_OTHERWISE = ("synthetic ", "prior ", "classifier ")
"""Kinds of which amounts had another unit."""
DEVICES = ", devices="
"""Between a kind of work and the number of devices that share it, if there are several."""
MEASURED, PACKAGED, COUNTED = "measured here", "another machine", "counted"
"""Where a time comes from."""


@dataclass(frozen=True)
class Time:
    """How long a piece of work takes.

    Args:
        seconds: That long.
        source: ``MEASURED``, ``PACKAGED`` or ``COUNTED``.
    """

    seconds: float
    source: str


def check_gpu(gpu: str | None) -> None:
    """See that something is known of a GPU, if one is named.

    Raises:
        ConfigError: If not.
    """
    if gpu is not None and gpu not in SPEEDS:
        raise ConfigError(
            f"--on: nothing is published of '{gpu}'{nearest(gpu, [*SPEEDS])}; leave it out "
            "for times that were measured here"
        )


class Rates:
    """What is known of times.

    Args:
        home: Folder of earlier records.
        gpu: The GPU that the work is planned for, a key of ``SPEEDS``: what can be counted is then
            told of that one, whatever was measured here.

    Raises:
        ConfigError: If nothing is known of that GPU.
    """

    def __init__(self, home: Path, gpu: str | None = None) -> None:
        check_gpu(gpu)
        self._home, self._gpu = home, gpu
        self._extents = Extents(Store(home / "store"))

    def time(self, plan: Plan, kind: str, amount: float, run: Run | None = None) -> Time | None:
        """How long a run's piece of work takes, if anything is known of it.

        Args:
            plan: Of the run.
            kind: What takes the same time for as much work. Of what several devices share and was
                not measured so, GPUs are taken to need that part of one's time; processes on the
                CPU are no faster.
            amount: Of work.
            run: Whose work it is, if not the plan's: fewer steps, of a guide.
        """
        alone, _, devices = kind.partition(DEVICES)
        on_cpu = getattr(plan.run.generator, "device", "") == "cpu" and self._gpu is None
        part = 1 if on_cpu or not devices else 1 / int(devices)
        rates = (
            (MEASURED, self._measured.get(kind), 1),
            (MEASURED, self._measured.get(alone), part),
            (PACKAGED, reference(alone), part),
        )
        known = (Time(r * amount * of, source) for source, r, of in rates if r is not None)
        time = next(known, None)
        if time is not None and self._gpu is None:
            return time
        counted = self._counted(plan, alone.partition(" ")[0], run or plan.run)
        return Time(counted.seconds * part, COUNTED) if counted else time

    def _counted(self, plan: Plan, kind: str, run: Run) -> Time | None:
        data = self._extents.of(plan)
        size = data.images, data.labels
        # Of most kinds nothing is counted: torch is not asked for a GPU then.
        if seconds_of(run, kind, CPU, *size) is None or self._speed is None:
            return None
        seconds = seconds_of(run, kind, self._speed, *size)
        return None if seconds is None else Time(seconds, COUNTED)

    @cached_property
    def _measured(self) -> Mapping[str, float]:
        return measured_rates(self._home)

    @cached_property
    def _speed(self) -> Speed | None:
        """Of the GPU that was named, or of what is here; ``None`` of a GPU that nobody counted."""
        return SPEEDS[self._gpu] if self._gpu is not None else _here()


def _here() -> Speed | None:
    from tgap.core.device import torch_device

    if torch_device("auto").type == "cpu":
        return CPU
    import torch

    name = torch.cuda.get_device_name().lower()
    return next((speed for gpu, speed in SPEEDS.items() if gpu in name), None)


def measured_rates(home: Path) -> dict[str, float]:
    """Seconds for a unit of work by kind, as the newest records have it."""
    rates: dict[str, list[float]] = {}
    for record in reversed(records(home)[-NEWEST:]):
        for cost in record.costs if record.finished else ():  # those of others nobody has checked
            found = rates.setdefault(cost.kind, [])
            same = cost.unit == UNIT or not cost.kind.startswith(COUNTED_OTHERWISE)
            if len(found) < RATES and same:
                found.append(cost.seconds / cost.amount)
    return {kind: statistics.median(found) for kind, found in rates.items() if found}


def reference(kind: str) -> float | None:
    """The rate of a kind that is packaged, or of what it begins with."""
    return next((rate for name, rate in REFERENCE.items() if kind.startswith(name)), None)
