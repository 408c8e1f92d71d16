"""From the words of a sweep to those of its runs."""

import logging
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from tgap.composition.compose import composed, plain_values
from tgap.composition.config import Run
from tgap.composition.explain import UnknownKeyError, WrongValueError, key_of
from tgap.composition.registry import options
from tgap.composition.typed import parsed, readable
from tgap.core import ConfigError, nearest

if TYPE_CHECKING:
    from hydra._internal.hydra import Hydra
    from hydra.core.override_parser.types import Override

log = logging.getLogger(__name__)


def expand(hydra: "Hydra", overrides: Sequence[str]) -> list[list[str]]:
    """The words of each run of a sweep, in Hydra's own order.

    Where options of a group are compared, a word for a part or a setting that some of them lack
    (``selector=random,clip_spectral selector/pick=closest``) goes to those that have it; runs that
    are then the same are one.

    Raises:
        ConfigError: If a word cannot be read, or Hydra would make other runs of them (a sweeper of
            its own, ``hydra.sweeper.params``), which could not be checked beforehand.
    """
    for override in overrides:
        if override.lstrip("+~").startswith(("hydra/sweeper", "hydra.sweeper")):
            raise ConfigError(
                f"{override}: tgap checks every run of a sweep before the first one starts, so "
                "it sweeps over commas on the command line only (key=1,2 -m)"
            )
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser

    words = readable(overrides, several=True)
    swept = OverridesParser.create(hydra.config_loader).parse_overrides(words)
    _require_values(swept, overrides)
    (jobs,) = BasicSweeper.split_arguments(swept, max_batch_size=None)
    return _fitted(hydra, [list(job) for job in jobs])


def _require_values(swept: Sequence["Override"], typed: Sequence[str]) -> None:
    """See that each word of a sweep has a value at least: a pattern may match nothing."""
    from hydra.core.override_parser.types import ValueType

    problems = []
    for override, word in zip(swept, typed, strict=True):
        if override.is_sweep_override() and not override.is_discrete_sweep():
            problems.append(f"{word}: a sweep is over single values: commas, range(...), glob(...)")
        elif override.is_sweep_override() and not list(override.sweep_string_iterator()):
            group = override.key_or_group
            there = options(group) if override.value_type is ValueType.GLOB_CHOICE_SWEEP else []
            problems.append(f"{word} matches nothing" + nearest("", there))
        elif override.is_sweep_override():
            counts = Counter(override.sweep_string_iterator())
            twice = [str(value) for value, count in counts.items() if count > 1]
            if twice:
                problems.append(
                    f"{word} has {', '.join(twice)} more than once; leave it out where it repeats"
                )
    if problems:
        raise ConfigError(*problems)


def repeats(jobs: Sequence[Sequence[str]], runs: Sequence[Run]) -> list[str]:
    """Runs of a sweep that are the same, as a number was written in two ways (``seed=1,01``).

    Args:
        jobs: The words of each run.
        runs: What each is.
    """
    first: dict[tuple[str, ...], int] = {}
    problems = []
    for number, job in enumerate(jobs):
        other = first.setdefault(tuple(map(_by_number, job)), number)
        if jobs[other] != job and runs[other] == runs[number]:
            pairs = zip(jobs[other], job, strict=True)
            problems += [f"{a} and {b} are the same: leave one out" for a, b in pairs if a != b]
    return list(dict.fromkeys(problems))


def _by_number(word: str) -> str:
    """A word that is equal for equal numbers, however they are written."""
    key, _, typed = word.partition("=")
    value: float | str = typed.strip("'\"").lower()
    with suppress(ValueError):
        value = float(value)
    return f"{key}={value}"


def tell_idle(overrides: Sequence[str], *, sweep: bool) -> None:
    """Tell of words for Hydra that do nothing: for a sweep in a single run, and the reverse.

    Args:
        overrides: As typed.
        sweep: Whether it is a sweep.
    """
    for word in overrides:
        key = key_of(word)
        if sweep and key.startswith("hydra.run."):
            log.warning(
                "%s has no effect on a sweep: write hydra.sweep.dir=..., or leave it out", word
            )
        elif not sweep and key.startswith(("hydra.launcher", "hydra.sweep.")):
            instead = "hydra.run.dir=... for its folder, " if key == "hydra.sweep.dir" else ""
            log.warning(
                "%s has no effect on a single run: write %s-m for a sweep, or leave it out",
                word,
                instead,
            )


def _fitted(hydra: "Hydra", jobs: Sequence[list[str]]) -> list[list[str]]:
    """Each run without the words for parts and settings that only other runs have."""
    read = [parsed(word) for word in jobs[0]]  # the others have the same keys
    values = plain_values(hydra, read)
    choosing = [place for place, override in enumerate(read) if override not in values]
    choices = [tuple(job[place] for place in choosing) for job in jobs]
    if len(set(choices)) == 1:
        return list(jobs)
    # All jobs have the same keys, so those with the same choices lack the same.
    first = dict(zip(reversed(choices), reversed(jobs), strict=True))
    absent = {choice: _absent(hydra, job) for choice, job in first.items()}
    everywhere = set.intersection(*absent.values())  # a mistake, which is told when it is composed
    fitted: dict[tuple[str, ...], list[str]] = {}
    dropped: Counter[str] = Counter()
    for number, (choice, job) in enumerate(zip(choices, jobs, strict=True)):
        gone = absent[choice] - everywhere
        kept = [word for place, word in enumerate(job) if place not in gone]
        # What was typed twice stays twice.
        fitted.setdefault((*kept, "") if gone else (*kept, str(number)), kept)
        dropped.update(job[place] for place in gone)
    for word, count in dropped.items():
        log.info("%s: %d of %d runs have no such part or setting", word, count, len(jobs))
    return list(fitted.values())


def _absent(hydra: "Hydra", job: Sequence[str]) -> set[int]:
    """Places of the words whose key a run does not have; none if that cannot be known."""
    left = set(range(len(job)))
    absent: set[int] = set()
    while True:
        try:
            composed(hydra, [job[place] for place in sorted(left)])
            return absent
        except (UnknownKeyError, WrongValueError) as error:
            named = {place for place in left if key_of(job[place]) == error.key}
            if not named:  # it is a file's
                return set()
            left -= named
            absent |= named if isinstance(error, UnknownKeyError) else set()
        except ConfigError:
            return set()
