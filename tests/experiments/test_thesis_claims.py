"""The seven claims on runs with a planted truth: supported, contradicted, not shown."""

import csv
import io
from typing import Any

import pytest

from experiments.thesis.claims import CLAIMS, as_csv, claims_of
from experiments.thesis.verdicts import CONTRADICTED, NOT_SHOWN, SUPPORTED
from tests.experiments.planted import run, runs
from tgap.analysis.rows import RunRow
from tgap.core import ConfigError

RANDOM, PIXEL, CLIP = (
    f"{name}+dreambooth" for name in ("random", "pixel_spectral", "clip_spectral")
)
ACTIVE, SKIPPED = f"{CLIP}+quantile", f"{CLIP}+random_skip"


def verdicts(rows: list[RunRow]) -> dict[int, str]:
    return {claim.number: claim.verdict for claim in claims_of(rows)}


def of_methods(tstr: dict[str, float], trts: float = 0.95, **more: Any) -> list[RunRow]:
    return runs(lambda method, size: (tstr[method], trts), dict.fromkeys(tstr, (500,)), **more)


def at_sizes(method: str, tstr: dict[int, float], gap: float = 0.1) -> list[RunRow]:
    return runs(lambda _, size: (tstr[size or 0], tstr[size or 0] + gap), {method: tuple(tstr)})


def over_steps(gaps: dict[int, float], trts: dict[int, float]) -> list[RunRow]:
    return [
        row
        for steps, gap in gaps.items()
        for row in runs(
            lambda *_, s=steps, g=gap: (trts[s] - g, trts[s]),
            {RANDOM: (500,)},
            settings={"budget.steps": str(steps)},
        )
    ]


TRTS_RISES = {30: 0.8, 100: 0.86, 300: 0.92, 1000: 0.97}
FLAT = dict.fromkeys(TRTS_RISES, 0.9)
GROWS = {30: 0.05, 100: 0.1, 300: 0.15, 1000: 0.2}
SHRINKS = {30: 0.2, 100: 0.15, 300: 0.1, 1000: 0.05}
STAYS = dict.fromkeys(TRTS_RISES, 0.1)


@pytest.mark.parametrize(
    ("number", "rows", "verdict"),
    [
        (1, of_methods({RANDOM: 0.8, CLIP: 0.85}), SUPPORTED),
        (1, of_methods({RANDOM: 0.8, CLIP: 0.97}, trts=0.9), CONTRADICTED),
        (1, of_methods({RANDOM: 0.8, CLIP: 0.9}, trts=0.9), NOT_SHOWN),
        (2, over_steps(GROWS, TRTS_RISES), SUPPORTED),
        (2, over_steps(SHRINKS, TRTS_RISES), CONTRADICTED),
        (2, over_steps(STAYS, TRTS_RISES), NOT_SHOWN),
        (2, over_steps(GROWS, FLAT), NOT_SHOWN),  # no quality that it could grow with
        (3, at_sizes(RANDOM, {100: 0.7, 1000: 0.8, 10000: 0.72}), SUPPORTED),
        (3, at_sizes(RANDOM, {100: 0.7, 1000: 0.8, 10000: 0.88}), CONTRADICTED),
        (3, at_sizes(RANDOM, {100: 0.7, 1000: 0.8, 10000: 0.8}), NOT_SHOWN),
        (3, at_sizes(CLIP, {500: 0.7, 1000: 0.8}), CONTRADICTED),
        (4, of_methods({RANDOM: 0.8, PIXEL: 0.8, CLIP: 0.85}), SUPPORTED),
        (4, of_methods({RANDOM: 0.88, PIXEL: 0.8, CLIP: 0.84}), CONTRADICTED),
        (4, of_methods({RANDOM: 0.84, PIXEL: 0.8, CLIP: 0.84}), NOT_SHOWN),
        (5, of_methods({RANDOM: 0.85, "typical+dreambooth": 0.8}), SUPPORTED),
        (5, of_methods({RANDOM: 0.8, "typical+dreambooth": 0.85}), CONTRADICTED),
        (5, of_methods({RANDOM: 0.8, "typical+dreambooth": 0.8}), NOT_SHOWN),
        (6, of_methods({ACTIVE: 0.85, SKIPPED: 0.8}), SUPPORTED),
        (6, of_methods({ACTIVE: 0.8, SKIPPED: 0.85}), CONTRADICTED),
        (6, of_methods({ACTIVE: 0.8, SKIPPED: 0.8}), NOT_SHOWN),
        (7, at_sizes(RANDOM, {500: 0.8, 1000: 0.8}), SUPPORTED),
        (7, at_sizes(RANDOM, {500: 0.8}, 0.02) + at_sizes(RANDOM, {1000: 0.8}, 0.15), CONTRADICTED),
        (7, at_sizes(RANDOM, {500: 0.8}) + at_sizes(RANDOM, {1000: 0.8}, 0.12), NOT_SHOWN),
    ],
)
def test_verdicts_are_the_planted_ones(number: int, rows: list[RunRow], verdict: str) -> None:
    assert verdicts(rows)[number] == verdict


def test_too_few_seeds_show_nothing_and_that_is_said() -> None:
    rows = of_methods({RANDOM: 0.7, CLIP: 0.9}, seeds=2)
    claim = next(one for one in claims_of(rows) if one.number == 4)
    assert claim.verdict == NOT_SHOWN
    assert [part.why_not for part in claim.parts] == ["no test: 2 seeds, and it takes 3"]


def test_a_claim_without_runs_says_what_it_takes() -> None:
    lines = list(csv.DictReader(io.StringIO(as_csv(claims_of(of_methods({RANDOM: 0.8}))))))
    assert {int(line["claim"]) for line in lines} == set(CLAIMS)
    textbook = next(line for line in lines if line["claim"] == "5")
    assert textbook["verdict"] == NOT_SHOWN
    assert textbook["note"] == (
        "no such runs: it takes a textbook, or typical images, and equally many random ones"
    )
    assert all(line["on_xrays"] for line in lines)


def test_worlds_are_told_apart_and_a_textbook_is_of_its_real_images() -> None:
    phantoms = {"dataset.class": "phantom_xray"}
    book = {
        "dataset.class": "textbook",
        "dataset.real.class": "tgap.datasets.phantom_xray.PhantomXray",
    }
    rows = of_methods({RANDOM: 0.85}) + of_methods({RANDOM: 0.85}, settings=phantoms)
    rows += [
        run(
            "whole+dreambooth", None, seed, 0.8, 0.95, settings=book, metrics={"images/pool": 540.0}
        )
        for seed in range(8)
    ]
    found = {(one.world, one.number): one for one in claims_of(rows)}
    assert found["phantoms", 5].verdict == SUPPORTED
    (part,) = found["phantoms", 5].parts
    assert part.what == "TSTR: whole+dreambooth at 540 - random+dreambooth at 500"
    assert found["digits", 5].lacks


def test_unequally_many_random_images_are_no_comparison() -> None:
    rows = at_sizes(RANDOM, {1000: 0.85}) + of_methods({"typical+dreambooth": 0.8})
    assert next(one for one in claims_of(rows) if one.number == 5).lacks


def test_other_protocols_and_guidance_are_no_part_of_it() -> None:
    rows = of_methods({RANDOM: 0.8, PIXEL: 0.8, CLIP: 0.85})
    leaky = of_methods({CLIP: 0.5}, settings={"protocol.class": "thesis"})
    guided = of_methods({CLIP: 0.5}, settings={"sampler.guidance": "7.5"})
    assert verdicts([*rows, *leaky, *guided]) == verdicts(rows)


def test_two_groups_of_one_method_are_refused() -> None:
    twice = of_methods({CLIP: 0.8}) + of_methods({CLIP: 0.8}, settings={"sampler.steps": "5"})
    with pytest.raises(ConfigError) as error:
        claims_of(twice)
    assert "clip_spectral+dreambooth at 500 was run twice, with other sampler.steps" in str(
        error.value
    )
