"""What the runs of a sweep differ in, in words."""

import math
from collections.abc import Sequence

SAME = ("prompts",)
"""Keys that are their own plural."""


def varying(jobs: Sequence[Sequence[str]]) -> dict[str, list[str]]:
    """The values that each key takes, in order, of keys with more than one.

    Args:
        jobs: Words of each run.
    """
    values: dict[str, list[str]] = {}
    for job in jobs:
        for word in job:
            key, _, value = word.lstrip("+").partition("=")
            there = values.setdefault(key, [])
            if value not in there:
                there.append(value)
    return {key: there for key, there in values.items() if len(there) > 1}


def what_varies(jobs: Sequence[Sequence[str]]) -> str:
    """How many runs of what, e.g. ``12 runs = 2 selectors x 2 sizes x 3 seeds``.

    >>> what_varies([["size=1", "seed=0"], ["size=2", "seed=0"]])
    '2 runs = 2 sizes'
    """
    counts = {key: len(values) for key, values in varying(jobs).items()}
    runs = f"{len(jobs)} runs" if len(jobs) != 1 else "1 run"
    parts = [f"{count} {_plural(key)}" for key, count in counts.items()]
    if not parts:
        return runs
    if math.prod(counts.values()) == len(jobs):
        return f"{runs} = {' x '.join(parts)}"
    return f"{runs} of {', '.join(parts)}"


LONGEST = 100
"""Letters of a sweep's name."""


def sweep_name(jobs: Sequence[Sequence[str]], dataset: str) -> str:
    """A sweep by its dataset and what varies, e.g. ``digits: selector=a,b size=10,20 seed=0,1``.

    >>> sweep_name([["size=1", "seed=0"], ["size=2", "seed=0"]], "digits")
    'digits: size=1,2'

    Args:
        jobs: Words of each run.
        dataset: Title of the dataset.
    """
    varied = varying(jobs)
    named = " ".join(f"{key}={','.join(values)}" for key, values in varied.items())
    if len(named) > LONGEST - len(dataset):
        named = ", ".join(f"{len(values)} {_plural(key)}" for key, values in varied.items())
    return f"{dataset}: {named or what_varies(jobs)}"[:LONGEST]


def _plural(key: str) -> str:
    if key in SAME:
        return key
    return f"{key}s" if key.isidentifier() else f"of {key}"
