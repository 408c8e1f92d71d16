"""Prints the table of README.md: faster settings against the default, paired by seed.

Usage: ``python -m experiments.gate.table EXPERIMENT``, with ``TGAP_HOME`` as for the runs. A
setting is what a run's command line said beyond that of all runs and its seed; the default said
nothing.
"""

import statistics
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tgap.core import ConfigError, Doubles
from tgap.core.files import home_folder
from tgap.sweeps.records import Record, records

METRICS = {
    "TSTR": "tstr/auroc",
    "TRTS": "trts/auroc",
    "FTER": "fter",
    "Frechet": "fidelity/frechet",
}
COSTS = {"tuning": "generator ", "drawing": "synthetic "}
"""What begins the kind of an artifact, by what is done for it."""
DEFAULT = "the default"


@dataclass
class Setting:
    """Runs that said the same, by seed.

    Args:
        words: What they said, ``DEFAULT`` if nothing.
        metrics: Of each seed.
        seconds: Of each seed, by ``COSTS``.
    """

    words: str
    metrics: dict[int, Mapping[str, float]] = field(default_factory=dict)
    seconds: dict[int, Mapping[str, float]] = field(default_factory=dict)

    def values(self, metric: str, seeds: Sequence[int]) -> Doubles:
        """Of these seeds; NaN where the run has none."""
        return np.array([self.metrics[seed].get(metric, np.nan) for seed in seeds])

    def typical(self, what: str) -> float:
        """Median of the seconds over seeds."""
        return statistics.median(one[what] for one in self.seconds.values())


@dataclass(frozen=True)
class Shift:
    """How far a setting moves a number.

    Args:
        mean: Of the differences, setting minus default, over the seeds that both have.
        error: Standard error of that mean.
        spread: Standard deviation of the default over its seeds.
    """

    mean: float
    error: float
    spread: float

    @property
    def within(self) -> bool:
        """Whether it moves by less than seeds do; never if that is not known."""
        return abs(self.mean) < self.spread


def settings_of(runs: Sequence[Record]) -> list[Setting]:
    """The default, then the others in the order in which they were begun.

    Args:
        runs: Finished ones of one experiment.

    Raises:
        ConfigError: If no run has the default, or two seeds of it.
    """
    said = [frozenset(one.words or ()) for one in runs]
    common = frozenset.intersection(*said) if said else frozenset()
    settings: dict[str, Setting] = {}
    for record, words in zip(runs, said, strict=True):
        own = sorted(word for word in words - common if not word.startswith("seed="))
        name = " ".join(own) or DEFAULT
        setting = settings.setdefault(name, Setting(name))
        seed = int(record.params["seed"])
        setting.metrics[seed] = record.metrics
        setting.seconds[seed] = _seconds(record)
    default = settings.pop(DEFAULT, Setting(DEFAULT))
    if len(default.metrics) < 2:
        raise ConfigError(
            f"the default needs runs of two seeds at least, got {len(default.metrics)}; run the "
            "first command of experiments/gate/README.md"
        )
    return [default, *settings.values()]


def _seconds(record: Record) -> dict[str, float]:
    seconds: dict[str, float] = defaultdict(float)
    for cost in record.costs:
        for what, kind in COSTS.items():
            if cost["kind"].startswith(kind):
                seconds[what] += cost["seconds"]
    return seconds


def shift(setting: Setting, default: Setting, metric: str) -> Shift:
    """How far a setting moves a metric from the default."""
    seeds = sorted(setting.metrics.keys() & default.metrics.keys())
    spread = float(np.std(default.values(metric, sorted(default.metrics)), ddof=1))
    if len(seeds) < 2:
        return Shift(np.nan, np.nan, spread)
    moved = setting.values(metric, seeds) - default.values(metric, seeds)
    return Shift(float(moved.mean()), float(moved.std(ddof=1) / np.sqrt(len(seeds))), spread)


def table(settings: Sequence[Setting]) -> str:
    """In Markdown: the default's means with their spread, and the others' differences from it."""
    default, *others = settings
    heads = [*METRICS, "passes", *(f"{what}, s" for what in COSTS)]
    lines = [f"| setting | {' | '.join(heads)} |", "| --- |" + " ---: |" * len(heads)]
    means = []
    for metric in METRICS.values():
        values = default.values(metric, sorted(default.metrics))
        means.append(f"{_text(values.mean())} (spread {_text(values.std(ddof=1))})")
    lines.append(_line(DEFAULT, [*means, "", *_times(default, default)]))
    for one in others:
        shifts = {name: shift(one, default, metric) for name, metric in METRICS.items()}
        moved = [f"{_text(each.mean, sign=True)} ± {_text(each.error)}" for each in shifts.values()]
        beyond = [name for name, each in shifts.items() if not each.within]
        verdict = f"no: {', '.join(beyond)}" if beyond else "yes"
        lines.append(_line(f"`{one.words}`", [*moved, verdict, *_times(one, default)]))
    return "\n".join(lines)


def _line(name: str, cells: Sequence[str]) -> str:
    return f"| {name} | {' | '.join(cells)} |"


def _times(setting: Setting, default: Setting) -> list[str]:
    """Seconds, and how many times as fast as the default, both medians over seeds."""
    if setting is default:
        return [f"{default.typical(what):.0f}" for what in COSTS]
    both = setting.seconds.keys() & default.seconds.keys()
    cells = []
    for what in COSTS:
        ratios = [default.seconds[seed][what] / setting.seconds[seed][what] for seed in both]
        cells.append(f"{setting.typical(what):.0f} ({statistics.median(ratios):.2f} x)")
    return cells


def _text(value: float, *, sign: bool = False) -> str:
    """``+.003``, of numbers above 1 with a nought before the point."""
    text = f"{value:{'+' if sign else ''}.4f}"
    return text.replace("0.", ".", 1) if abs(value) < 1 else text


def main(experiment: str) -> None:
    """Print the table of an experiment's finished runs."""
    finished = [one for one in records(home_folder(), experiment) if one.finished]
    settings = settings_of(finished)
    seeds = sorted(settings[0].metrics)
    print(f"{len(settings) - 1} settings, seeds {', '.join(map(str, seeds))} of the default\n")
    print(table(settings))


if __name__ == "__main__":
    main(sys.argv[1])
