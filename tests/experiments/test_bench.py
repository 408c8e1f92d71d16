"""The benchmark works, and its other side does the same mathematics."""

import json
from pathlib import Path

import numpy as np
import pytest

import experiments.bench.__main__ as bench
from experiments.bench import growth, pipelines, scale, sweeps, tuning
from experiments.bench.__main__ import PARTS, main
from experiments.bench.commands import refusals
from experiments.bench.measure import Row, Scale, in_turn, ratios
from tgap.core import Budget

QUICK = ("dreambooth", "lora", "bfloat16", "drawing", "batches", "steps", "active")


@pytest.mark.parametrize("kind", ["dreambooth", "lora"])
def test_the_reference_gives_the_loss_curve_of_ours(kind, tmp_path):
    """From the same seeds: its autoencoder in every step, and plain AdamW."""
    model = pipelines.loaded(tmp_path, small=True)
    sets = [tuning.images(model, 6, prompts) for prompts in (("tuned", "more"), ("class",))]
    budget = Budget(steps=6, batch_size=2, learning_rate=1e-3)
    ours, _ = tuning.ours(model, tuning.finetuner(kind), *sets, budget)
    theirs, _ = tuning.theirs(kind, model, *sets, budget)
    np.testing.assert_allclose(theirs, ours, rtol=1e-5)
    other, _ = tuning.ours(
        model, tuning.finetuner(kind), *sets, Budget(steps=6, batch_size=2, learning_rate=2e-3)
    )
    # what is compared depends on what was learned, and not on the first draw alone
    assert not np.allclose(other[1:], ours[1:], rtol=1e-5)


def test_every_part_prints_its_rows_and_writes_them(tmp_path, capsys):
    file = tmp_path / "bench.json"
    main([*QUICK, "--quick", "--json", str(file)])
    printed, written = capsys.readouterr().out, json.loads(file.read_text())
    assert "measure nothing" in printed
    assert set(written["parts"]) == set(QUICK)
    assert {"processor", "cores", "threads", "gpu", "versions"} <= set(written["machine"])
    for rows in written["parts"].values():
        for row in rows:
            assert len(row["values"]) == 2
            assert min(row["values"]) > 0
            assert row["gpu"] == "not measured"
            assert row["what"] in printed
    exact, half = written["parts"]["drawing"][:2]
    assert "at least 99" in exact["note"]  # not a pixel differs from the stock pipeline's
    assert "at least 99" not in half["note"]


def test_without_words_every_part_runs_in_a_process_of_its_own(tmp_path, monkeypatch, capsys):
    done = []

    def part(name, *words):
        done.append((name, words[2:]))
        if words:
            told = {"machine": {"cores": 2}, "parts": {name: [{"what": name}]}}
            Path(words[1]).write_text(json.dumps(told))

    monkeypatch.setattr(bench, "_part", part)
    file = tmp_path / "bench.json"
    main(["--quick", "--json", str(file)])
    assert done == [(name, ("--quick", "--repeats=5")) for name in PARTS]
    assert set(json.loads(file.read_text())["parts"]) == set(PARTS)
    done.clear()
    main(["--json", str(file)])
    assert [name for name, _ in done] == [*PARTS, *scale.PARTS]
    with pytest.raises(SystemExit):
        main(["drawin"])
    assert "no part is named drawin; start, refusals, dreambooth" in capsys.readouterr().err


@pytest.mark.long
def test_whole_sweeps_are_timed():
    (shared,), (workers,) = sweeps.sharing(Scale(quick=True)), sweeps.joblib(Scale(quick=True))
    assert 1 < shared.values[0] < 2  # two runs, of two sizes
    assert workers.values[0] > 0


@pytest.mark.long
def test_refusals_are_timed_in_processes_of_their_own():
    (row,) = refusals(Scale(quick=True))
    assert row.values[0] > 0
    assert "of 2 commands" in row.note


@pytest.mark.long
def test_growth_is_told_of_each_stage(tmp_path, capsys):
    file = tmp_path / "bench.json"
    main(["growth", "--quick", "--json", str(file)])
    printed, rows = capsys.readouterr().out, json.loads(file.read_text())["parts"]["growth"]
    assert [row["what"] for row in rows] == list(growth.STAGES)
    for row in rows:
        assert len(row["values"]) == len(row["megabytes"]) == len(row["counts"]) == 2
        assert min(row["values"]) > 0
        assert f"{row['what']} " in printed
        assert f"{row['counts'][0]}: {row['values'][0]:.2f} s" in printed


def test_a_power_is_the_slope_of_logarithms():
    counts = (250, 500, 1000, 2000)
    square = growth.Power.of(counts, [3e-6 * count**2 for count in counts])
    assert (square.exponent, square.error) == (pytest.approx(2), pytest.approx(0, abs=1e-6))
    values = [1.0, 2.1, 3.8, 8.3]
    power = growth.Power.of(counts, values)
    (slope, _), covariance = np.polyfit(np.log(counts), np.log(values), 1, cov=True)
    assert power.exponent == pytest.approx(slope)
    assert power.error == pytest.approx(covariance[0, 0] ** 0.5)
    assert str(power) == f"n^{slope:.2f} ± {power.error:.2f}"
    assert np.isnan(growth.Power.of(counts, [0.0, 1.0, 2.0, 3.0]).exponent)


def test_sides_take_turns_and_the_first_round_does_not_count():
    seen = []
    sides = [lambda: seen.append("a") or 6.0, lambda: seen.append("b") or 3.0]
    taken = in_turn(sides, Scale(repeats=2))
    assert "".join(seen) == "ababba"
    assert taken == [[6.0, 6.0], [3.0, 3.0]]
    assert ratios(*taken) == [2.0, 2.0]


def test_a_row_says_whether_the_median_meets_its_target():
    row = Row("drawing", "the stock pipeline", [1.0, 1.2, 9.0], "x", 1.15)
    assert row.text().split() == (
        "drawing the stock pipeline 1.20 x [1.00, 9.00] n=3 >= 1.15 x met".split()
    )
    assert not Row("start", "", [0.5, 0.9, 0.8], "s", 0.6).met()
    assert Row("start", "", [0.5, 0.9, 0.6], "s", 0.6).met()
