"""What explains the gap, on runs with a planted truth."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from experiments.thesis import claims, explain, runs
from experiments.thesis.explain import Found, points_of
from experiments.thesis.regression import explained, foretold, partial, partial_correlation
from tests.experiments.planted import run
from tgap.analysis.rows import RunRow
from tgap.core import ConfigError, DataError

METHODS = [f"m{number}+dreambooth" for number in range(6)]
Truth = Callable[[dict[str, float], str, np.random.Generator], float]


def rows(
    truth: Truth, seeds: int = 8, worlds: tuple[str, ...] = ("digits", "phantom_xray")
) -> list[RunRow]:
    """Runs whose TSTR is what ``truth`` makes of their coverage, recall and so on."""
    rng = np.random.default_rng(0)
    found = []
    for world in worlds:
        for place, method in enumerate(METHODS):
            for seed in range(seeds):
                coverage = 0.5 + 0.05 * place + rng.normal(0, 0.08)
                known = {
                    "fidelity/coverage": coverage,
                    "fidelity/recall": coverage + rng.normal(0, 0.03),  # no effect of its own
                    "diversity/vendi": 20 + place + rng.normal(0, 1),
                    "diversity/vendi_real": 40.0,
                    "memorization/copied_fraction": abs(rng.normal(0, 0.02)),
                }
                tstr = truth(known, method, rng)
                size = [100, 500, 1000][seed % 3]
                settings = {
                    "dataset.class": world,
                    "sampler.guidance": ["1.0", "3.0", "7.5"][(seed + place) % 3],
                    "budget.steps": ["100", "300"][seed % 2],
                }
                found.append(run(method, size, seed, tstr, 0.95, settings=settings, metrics=known))
                found[-1].metrics["tsts/auroc"] = 0.9 + rng.normal(0, 0.01)
    return found


def found(these: list[RunRow]) -> dict[str, Found]:
    points = points_of(these)
    return {one.predictor: one for one in explain.explain(points) if one.outcome == "tstr/auroc"}


def by_coverage(known: dict[str, float], method: str, rng: np.random.Generator) -> float:
    return 0.6 + 0.3 * known["fidelity/coverage"] + rng.normal(0, 0.005)


def test_what_has_an_effect_is_found_and_what_goes_along_with_it_is_not() -> None:
    one = found(rows(by_coverage))
    assert one["coverage"].holds
    assert one["coverage"].partial.r > 0.7
    assert {name for name, it in one.items() if it.holds} == {"coverage"}
    assert abs(one["recall"].partial.r) < 0.3


def test_a_difference_between_methods_alone_is_no_explanation() -> None:
    def by_method(known: dict[str, float], method: str, rng: np.random.Generator) -> float:
        return 0.7 + 0.02 * int(method[1]) + rng.normal(0, 0.01)

    assert not any(it.holds for it in found(rows(by_method)).values())


def test_what_was_set_in_one_method_alone_has_an_interval_over_seeds_and_does_not_hold() -> None:
    def by_guidance(known: dict[str, float], method: str, rng: np.random.Generator) -> float:
        return 0.8 + rng.normal(0, 0.01)

    these = rows(by_guidance)
    for row in these:
        ladder = row.method == METHODS[0]
        scale = [1.0, 3.0, 7.5][row.seed % 3] if ladder else 3.0
        row.settings["sampler.guidance"] = str(scale)
        row.metrics["tstr/auroc"] -= 0.02 * np.log2(scale) if ladder else 0.0
        # What follows from guidance must not take its effect away.
        row.metrics["fidelity/coverage"] = 0.7 - 0.05 * np.log2(scale) + 0.001 * row.seed
    one = found(these)["guidance"]
    assert one.over == "seeds"
    assert one.partial.r < -0.5
    assert one.partial.hi < 0
    assert not one.holds


def test_an_effect_of_one_method_only_does_not_hold() -> None:
    def in_one(known: dict[str, float], method: str, rng: np.random.Generator) -> float:
        effect = 6.0 if method == METHODS[0] else -0.8
        return 0.8 + 0.1 * effect * (known["fidelity/coverage"] - 0.6) + rng.normal(0, 0.001)

    one = found(rows(in_one, worlds=("digits",)))["coverage"]
    assert one.least < 0 < one.most
    assert not one.holds


def test_guidance_that_costs_tstr_is_found_in_the_gap() -> None:
    these = rows(lambda *_: 0.8)
    for row in these:
        cost = 0.05 * np.log2(float(row.settings["sampler.guidance"]))
        row.metrics["tstr/auroc"] -= cost
        row.metrics["t_gap"] += cost
    holding = {
        (f.outcome, f.predictor): f.partial.r for f in explain.explain(points_of(these)) if f.holds
    }
    assert holding["t_gap", "guidance"] > 0.7
    assert holding["tstr/auroc", "guidance"] < -0.7
    assert ("trts/auroc", "guidance") not in holding


def test_a_method_is_foretold_from_the_others_by_what_matters() -> None:
    told = {
        (one.outcome, one.predictors): one.explained
        for one in explain.forecasts(points_of(rows(by_coverage)))
    }
    assert told["tstr/auroc", ("coverage",)] > 0.9
    assert told["tstr/auroc", ("copy rate",)] < 0.1
    every = [names for outcome, names in told if len(names) > 1]
    assert every
    assert all("label leakage" not in names for names in every)  # known after training only


def test_runs_that_are_no_points_are_counted() -> None:
    these = rows(by_coverage)
    del these[0].metrics["fidelity/recall"]
    control = run("noise", 500, 0, 0.5, 0.5, is_control=True)
    untuned = run("none", None, 0, 0.5, 0.6)
    points = points_of([*these, control, untuned])
    assert points.left_out == {"without recall": 1, "controls": 1, "untuned": 1}
    assert len(points.worlds) == len(these) - 1


def test_too_few_runs_are_refused() -> None:
    these = rows(by_coverage, seeds=2, worlds=("digits",))
    with pytest.raises(ConfigError) as error:
        points_of(these)
    assert "explaining takes 34 runs with fidelity and memorization at least, got 12" in str(
        error.value
    )


def test_a_predictor_that_the_others_say_is_not_told_apart() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 2))
    x[:, 1] = 2 * x[:, 0]
    x -= x.mean(axis=0)
    assert np.isnan(partial_correlation(x[:, 0] + rng.normal(size=60), x, 0))


def test_few_groups_bear_no_interval() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 2))
    groups = ["a", "b", "c", "d"] * 10
    one = partial(x[:, 0] + rng.normal(0, 0.1, 40), x, 0, groups)
    assert one.r > 0.9
    assert np.isnan([one.lo, one.p_value]).all()


def test_an_interval_holds_what_it_says() -> None:
    """Of no correlation in clustered data, some 95 of 100 intervals hold 0."""
    rng = np.random.default_rng(1)
    groups = [str(number) for number in range(10) for _ in range(12)]
    covered = 0
    for _ in range(200):
        x = rng.normal(size=(120, 2)) + np.repeat(rng.normal(size=(10, 2)), 12, axis=0)
        y = rng.normal(size=120) + np.repeat(rng.normal(size=10), 12)
        one = partial(y, x, 0, groups)
        covered += one.lo <= 0 <= one.hi
    assert 180 <= covered <= 200


def test_a_method_alone_in_its_world_is_not_foretold() -> None:
    y = np.array([1.0, 2.0, 3.0])
    told = foretold(y, np.zeros((3, 0)), ["a", "a", "b"], ["m", "n", "o"])
    assert told[:2].tolist() == pytest.approx([2.0, 1.0])
    assert np.isnan(told[2])
    assert explained(y, told, told) == 0


def test_both_scripts_write_their_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    these = rows(by_coverage)
    for module in (claims, runs):
        monkeypatch.setattr(module, "recorded", lambda *_: (these, []))
    claims.main(tmp_path / "claims.csv")
    runs.main(tmp_path / "runs.csv")
    explain.main(tmp_path)
    assert "digits: claim 1, there is a gap" in capsys.readouterr().out
    for name in ("claims", "explain", "foretold"):
        assert len(list(csv.reader(io.StringIO((tmp_path / f"{name}.csv").read_text())))) > 10
    points = points_of(these)
    of_all = explain.as_csv(points, explain.explain(points))
    assert (tmp_path / "explain.csv").read_text() == of_all


def test_a_world_that_is_recorded_takes_the_place_of_its_lines_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def written(these: list[RunRow]) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
        for module in (claims, runs):
            monkeypatch.setattr(module, "recorded", lambda *_: (these, []))
        claims.main(tmp_path / "claims.csv")
        runs.main(tmp_path / "runs.csv")
        tables = [(tmp_path / f"{name}.csv").read_text() for name in ("claims", "runs")]
        first, second = (list(csv.DictReader(io.StringIO(text))) for text in tables)
        return first, second

    def of(world: str, lines: list[dict[str, str]]) -> list[dict[str, str]]:
        return [line for line in lines if line["world"] == world]

    before = written(rows(by_coverage))
    after = written(rows(by_coverage, seeds=3, worlds=("digits",)))
    for old, new in zip(before, after, strict=True):
        assert of("phantoms", old) == of("phantoms", new) != []
        assert of("digits", old) != of("digits", new) != []
    assert len(of("digits", after[1])) == 18


def test_a_table_of_runs_without_a_column_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "runs.csv"
    file.write_text("world,method\ndigits,random\n")
    with pytest.raises(DataError, match=r"runs.csv has no column size, seed, .*; write it anew"):
        runs.read(file)
    assert runs.read(tmp_path / "none.csv") == []
