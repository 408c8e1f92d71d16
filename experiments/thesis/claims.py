"""Tests the thesis's seven claims on recorded runs, and writes ``claims.csv``.

Usage: ``python -m experiments.thesis.claims [FILE]``, with ``TGAP_HOME`` as for the runs. Lines of
the worlds that are recorded there take the place of the file's; those of other worlds stay. A claim
that says several things (every method, every size) is supported if all of them are shown, after
Holm's correction for all of a claim's tests in a world, and contradicted if the opposite of one is.
Numbers are those of runs by the clean protocol, at the guidance and steps that most groups have.
"""

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np

from experiments.thesis.runs import of_others, written
from experiments.thesis.verdicts import (
    CONTRADICTED,
    NOT_SHOWN,
    SUPPORTED,
    Part,
    adjusted,
    of_contrast,
    of_number,
    together,
)
from experiments.thesis.worlds import STEPS, World, by_world, label, world
from tgap.analysis.comparison import MARGIN
from tgap.analysis.contrasts import differences, over_sizes
from tgap.analysis.groups import RunGroup
from tgap.analysis.rows import RunRow
from tgap.core.files import home_folder, write_whole
from tgap.metrics.significance import FEWEST_SEEDS, LEVEL, equivalence
from tgap.sweeps.history import recorded

TSTR, TRTS, GAP, FTER = "tstr/auroc", "trts/auroc", "t_gap", "fter"
RANDOM = "random+dreambooth"
PIXEL = "pixel_spectral+dreambooth"
CLIP = "clip_spectral+dreambooth"
TYPICAL = ("whole+dreambooth", "typical+dreambooth")
ACTIVE = ("clip_spectral+active_dreambooth", f"{CLIP}+quantile", f"{CLIP}+similarity")
SKIPPED_AT_RANDOM = (f"{CLIP}+random_skip", "clip_spectral+active_dreambooth+random_skip")
AS_MANY = 1.25
"""Two tuning sets are equally large if one has at most so many times the other's images."""


@dataclass(frozen=True)
class Claim:
    """A claim, in a world.

    Args:
        number: As the thesis's claims are numbered.
        text: What is claimed.
        world: Where.
        parts: Its tests.
        verdict: Of all of them.
        lacks: What runs there would have to be; empty if they are there.
        on_xrays: What it would take on X-rays.
    """

    number: int
    text: str
    world: str
    parts: tuple[Part, ...]
    verdict: str
    lacks: str
    on_xrays: str


def gap_of_every_method(of: World) -> tuple[Part, ...]:
    """Claim 1: T-Gap of each method and size."""
    return adjusted(
        [
            of_number(f"T-Gap of {_named(of, group)}", group.numbers[GAP], len(group.seeds))
            for group in of.usual_groups()
            if label(group) != "none"
        ]
    )


def gap_over_quality(of: World) -> tuple[Part, ...]:
    """Claim 2: trends of TRTS, the thesis's quality, and T-Gap over tuning steps."""
    # Steps take the place of sizes, so that the trend is per doubling of the steps.
    rungs = [replace(group, size=int(group.settings[STEPS])) for group in of.ladder()]
    if len(rungs) < 3:
        return ()
    trends = [over_sizes([rungs], [metric])[0] for metric in (TRTS, GAP)]
    steps = ", ".join(str(group.size) for group in rungs)
    names = ("TRTS (quality)", "T-Gap")
    return adjusted(
        [
            of_contrast(f"{name} per doubling of steps ({steps})", trend)
            for name, trend in zip(names, trends, strict=True)
        ]
    )


def optimum_of_size(of: World) -> tuple[Part, ...]:
    """Claim 3: TSTR at the thesis's best size against its neighbours, and against the largest."""
    sizes = of.of(RANDOM)
    parts = []
    if len(sizes) > 2:
        _, *inner, largest = sorted(sizes)
        best = min(inner, key=lambda size: abs(math.log(size / 1000)))
        smaller = max(size for size in sizes if size < best)
        parts += [_difference(of, "TSTR", sizes[best], sizes[smaller], TSTR)]
        parts += [_difference(of, "TSTR", sizes[best], sizes[largest], TSTR)]
    better = of.of(CLIP)
    if len(better) > 1:
        best = min(better, key=lambda size: abs(math.log(size / 500)))
        larger = [size for size in better if size > best]
        parts += [_difference(of, "TSTR", better[best], better[size], TSTR) for size in larger[:1]]
    return adjusted(parts)


def clip_beats_others(of: World) -> tuple[Part, ...]:
    """Claim 4: TSTR of clusters of CLIP vectors minus that of pixels', and of random images."""
    clip = of.of(CLIP)
    return adjusted(
        [
            _difference(of, "TSTR", clip[size], others[size], TSTR)
            for others in (of.of(PIXEL), of.of(RANDOM))
            for size in sorted(clip.keys() & others.keys())
        ]
    )


def typical_images_train_badly(of: World) -> tuple[Part, ...]:
    """Claim 5: TSTR of typical images minus that of about equally many random ones."""
    random = of.of(RANDOM)
    parts = []
    for size, group in of.of(*TYPICAL).items():
        near = min(random, key=lambda other: abs(math.log(other / max(size, 1))), default=0)
        if near and max(near, size) <= AS_MANY * min(near, size):
            parts.append(_difference(of, "TSTR", group, random[near], TSTR, sign=-1))
    return adjusted(parts)


def active_is_best(of: World) -> tuple[Part, ...]:
    """Claim 6: accuracy, AUROC and FTER against skipping as much at random."""
    active, rival = of.of(*ACTIVE), of.of(*SKIPPED_AT_RANDOM)
    return adjusted(
        [
            _difference(of, name, active[size], rival[size], metric)
            for size in sorted(active.keys() & rival.keys())
            for name, metric in (("accuracy", "tstr/accuracy"), ("TSTR", TSTR), ("FTER", FTER))
        ]
    )


def ratio_over_sizes(of: World) -> tuple[Part, ...]:
    """Claim 7: differences of FTER between sizes; see ``equal_ratios`` for equality."""
    return adjusted(
        [
            _difference(of, "FTER", larger, smaller, FTER, sign=0)
            for smaller, larger in _pairs_of_sizes(of)
        ]
    )


def quality_and_gap(of: World, parts: Sequence[Part]) -> str:
    """Claim 2 speaks of the gap where quality rises, and of nothing where that is not shown."""
    if len(parts) < 2 or parts[0].verdict != SUPPORTED:
        return NOT_SHOWN
    return parts[1].verdict


def equal_ratios(of: World, parts: Sequence[Part]) -> str:
    """Claim 7 is supported where all sizes are shown to be equal (TOST, within ``MARGIN``).

    It is contradicted where a difference is shown whose whole interval is beyond the margin: one
    that is there but too small to matter contradicts nothing.
    """
    if any(
        part.p_value <= LEVEL and min(abs(part.number.lo), abs(part.number.hi)) > MARGIN
        for part in parts
    ):
        return CONTRADICTED
    tests = [_equal(smaller, larger) for smaller, larger in _pairs_of_sizes(of)]
    return SUPPORTED if tests and all(p <= LEVEL for p in tests) else NOT_SHOWN


def all_parts(of: World, parts: Sequence[Part]) -> str:
    """A claim that says all of its parts."""
    return together([part.verdict for part in parts])


@dataclass(frozen=True)
class Tested:
    """How a claim is tested."""

    text: str
    parts: Callable[[World], tuple[Part, ...]]
    verdict: Callable[[World, Sequence[Part]], str]
    lacks: str
    on_xrays: str


# Runs are of docs/xray.md, with 8 seeds each, at its estimate of 1.3 hours of an H200.
CLAIMS: Mapping[int, Tested] = {
    1: Tested(
        "there is a gap: TRTS above TSTR, for every method",
        gap_of_every_method,
        all_parts,
        "tuned runs by the clean protocol",
        "12 rows of 8 seeds: 96 runs, some 125 GPU-hours",
    ),
    2: Tested(
        "the gap grows as image quality grows",
        gap_over_quality,
        quality_and_gap,
        "random images of one size with three numbers of steps at least",
        "4 numbers of steps, 8 seeds: 32 runs, some 42 GPU-hours",
    ),
    3: Tested(
        "tuning-set size has an optimum near 1,000 for random, near 500 for better methods",
        optimum_of_size,
        all_parts,
        "random images of three sizes at least",
        "random at 3 sizes, CLIP clusters at 2, 8 seeds: 40 runs, some 52 GPU-hours",
    ),
    4: Tested(
        "clusters of CLIP vectors beat those of pixels, and random images",
        clip_beats_others,
        all_parts,
        "clip_spectral and pixel_spectral or random at one size",
        "3 methods, 2 sizes, 8 seeds, one size_unit: 48 runs, some 62 GPU-hours",
    ),
    5: Tested(
        "textbook images are too typical to train on",
        typical_images_train_badly,
        all_parts,
        "a textbook, or typical images, and equally many random ones",
        "textbook and equally many random images, 8 seeds: 16 runs, some 21 GPU-hours, and "
        "1,000 textbook images",
    ),
    6: Tested(
        "active selection on CLIP clusters is best in accuracy, AUROC and FTER",
        active_is_best,
        all_parts,
        "active selection and random_skip on clip_spectral at one size",
        "2 oracles, 2 sizes, 8 seeds: 32 runs, some 42 GPU-hours and what the oracle draws",
    ),
    7: Tested(
        "FTER hardly depends on size, so it belongs to the method",
        ratio_over_sizes,
        equal_ratios,
        "a method at two sizes",
        "the runs of claims 3 and 6",
    ),
}


def claims_of(rows: Sequence[RunRow]) -> list[Claim]:
    """All claims in all worlds that there are runs of."""
    found = []
    for name, its in by_world(rows).items():
        of = world(name, its)
        for number, tested in CLAIMS.items():
            parts = tested.parts(of)
            verdict = tested.verdict(of, parts) if parts else NOT_SHOWN
            lacks = "" if parts else f"no such runs: it takes {tested.lacks}"
            found.append(Claim(number, tested.text, name, parts, verdict, lacks, tested.on_xrays))
    return found


HEADER = (
    "claim", "text", "world", "verdict", "test", "estimate", "lo", "hi", "p_holm", "seeds",
    "part_verdict", "note", "on_xrays",
)  # fmt: skip


def as_csv(claims: Sequence[Claim], kept: Sequence[Mapping[str, str]] = ()) -> str:
    """A line for each part; of a claim without runs one line with what it takes.

    Args:
        claims: Tested now.
        kept: Lines that stay as they are.
    """
    lines: list[Mapping[str, object]] = [*kept]
    for claim in claims:
        head = {
            "claim": claim.number,
            "text": claim.text,
            "world": claim.world,
            "verdict": claim.verdict,
            "on_xrays": claim.on_xrays,
        }
        lines += [head | _columns(part) for part in claim.parts]
        if not claim.parts:
            lines.append(head | {"note": claim.lacks})
    return written(HEADER, lines)


def _columns(part: Part) -> dict[str, object]:
    return {
        "test": part.what,
        "estimate": _text(part.number.estimate),
        "lo": _text(part.number.lo),
        "hi": _text(part.number.hi),
        "p_holm": _text(part.p_value),
        "seeds": part.seeds,
        "part_verdict": part.verdict,
        "note": part.why_not,
    }


def _text(number: float) -> str:
    return "" if math.isnan(number) else f"{number:.4f}"


def _difference(
    of: World, name: str, first: RunGroup, second: RunGroup, metric: str, sign: int = 1
) -> Part:
    what = f"{name}: {_named(of, first)} - {_named(of, second)}"
    return of_contrast(what, differences([(first, second)], [metric])[0], sign)


def _named(of: World, group: RunGroup) -> str:
    return f"{label(group)} at {of.size_of(group)}"


def _pairs_of_sizes(of: World) -> Iterator[tuple[RunGroup, RunGroup]]:
    """Pairs of sizes of each method, smaller first, where FTER means something of both."""
    methods = dict.fromkeys(label(group) for group in of.usual_groups() if group.size is not None)
    for method in methods:
        sizes = of.of(method)
        for one, other in combinations(sorted(sizes), 2):
            if sizes[one].fter_meaningful and sizes[other].fter_meaningful:
                yield sizes[one], sizes[other]


def _equal(one: RunGroup, other: RunGroup) -> float:
    """P-value of FTERs that are not within ``MARGIN``, over seeds, on these test images."""
    (contrast,) = differences([(one, other)], [FTER])
    if len(contrast.seeds) < FEWEST_SEEDS:
        return math.nan
    ours, theirs = one.values(FTER), other.values(FTER)
    return equivalence(np.array([ours[seed] - theirs[seed] for seed in contrast.seeds]), MARGIN)


def main(out: Path) -> None:
    """Write the table of all recorded runs of the experiment ``thesis``."""
    rows, _ = recorded(home_folder(), "thesis", {})
    claims = claims_of(rows)
    kept = of_others(out, HEADER, {claim.world for claim in claims})
    write_whole(out, as_csv(claims, kept), "the table of claims")
    for claim in claims:
        print(f"{claim.world}: claim {claim.number}, {claim.text}: {claim.verdict}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "experiments/thesis/claims.csv"))
