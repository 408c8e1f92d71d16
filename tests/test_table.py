import io
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tgap.report.table import COLUMNS, RunRow, markdown, plain, render, summarise

SETTINGS = {
    "generator.class": "tiny_ldm", "sampler.guidance": "3.0", "sampler.steps": "20",
    "protocol.class": "clean",
}  # fmt: skip


def row(method="random+dreambooth", size=100, seed=0, tstr=0.7, trts=0.9, **changes):
    metrics = {
        "tstr/auroc": tstr, "trts/auroc": trts, "trtr/auroc": 0.95,
        "fter": tstr / trts, "t_gap": trts - tstr, "fter_meaningful": 1.0,
    }  # fmt: skip
    given = {
        "method": method, "method_key": f"key of {method}", "size": size, "seed": seed,
        "evaluation_key": f"{method} {size} {seed} {tstr}", "metrics": metrics,
        "settings": SETTINGS,
    }  # fmt: skip
    return RunRow(**(given | changes))


def lines(text, start):
    return [line.split() for line in text.splitlines() if line.strip().startswith(start)]


def test_seeds_are_averaged_and_fter_is_the_mean_of_ratios():
    (group,) = summarise([row(seed=1, tstr=0.9, trts=0.6), row(seed=0, tstr=0.6, trts=0.8)])
    assert group.seeds == (0, 1)
    assert group.spreads["TSTR"].mean == pytest.approx(0.75)
    assert (group.spreads["TSTR"].low, group.spreads["TSTR"].high) == (0.6, 0.9)
    assert group.spreads["FTER"].mean == pytest.approx((1.5 + 0.75) / 2)  # not 0.75 / 0.7
    assert group.spreads["T-Gap"].mean == pytest.approx(-0.05)


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 1)), min_size=1, max_size=8))
def test_runs_of_one_seed_are_averaged_first(runs):
    by_seed = {}
    for seed, value in runs:
        by_seed.setdefault(seed, set()).add(value)
    expected = [sum(values) / len(values) for values in by_seed.values()]
    rows = [row(seed=s, evaluation_key=str(v), metrics={"tstr/auroc": v}) for s, v in runs]
    (group,) = summarise(rows)
    assert len(group.seeds) == len(by_seed)
    spread = group.spreads["TSTR"]
    assert spread.mean == pytest.approx(sum(expected) / len(expected))
    assert spread.low <= spread.mean + 1e-12
    assert spread.mean <= spread.high + 1e-12


def test_a_result_that_two_runs_share_counts_once():
    shared = [row("none", None, seed=0, evaluation_key="x") for _ in range(3)]
    other = row("none", None, seed=0, tstr=0.5, evaluation_key="y")
    (group,) = summarise([*shared, other])
    assert group.seeds == (0,)
    assert group.spreads["TSTR"].mean == pytest.approx(0.6)
    assert lines(plain([*shared, other]), "none")[0][:3] == ["none", "-", "1"]


def test_methods_with_one_label_are_not_averaged():
    rows = [row(method_key="aaaaaaaa"), row(method_key="bbbbbbbb", tstr=0.8)]
    found = summarise(rows)
    assert [group.method for group in found] == [
        "random+dreambooth #aaaaaa", "random+dreambooth #bbbbbb",
    ]  # fmt: skip
    assert [group.spreads["TSTR"].mean for group in found] == [0.7, 0.8]


def test_rows_keep_the_methods_order_and_sizes_ascend():
    rows = [row("b", 500), row("b", 100), row("a", None), row("b", 20)]
    assert [(g.method, g.size) for g in summarise(rows)] == [
        ("b", 20), ("b", 100), ("b", 500), ("a", None),
    ]  # fmt: skip


def test_settings_that_vary_become_a_column_and_others_do_not():
    varied = row(settings=SETTINGS | {"sampler.guidance": "1.0"})
    text = plain([row(), varied])
    heading = next(line.split() for line in text.splitlines() if "method" in line)
    assert heading == ["method", "guidance", "size", "n", *COLUMNS]
    assert [cells[1] for cells in lines(text, "random")] == ["3.0", "1.0"]
    assert "generator tiny_ldm; guidance 3.0, 1.0; protocol clean\n" in text


def test_settings_that_vary_together_share_a_column():
    other = {"generator.class": "sd15", "generator.digest": "1"}
    rows = [row(settings=SETTINGS | {"generator.digest": "0"}), row(settings=SETTINGS | other)]
    assert "generator " in plain(rows)
    assert "digest" not in plain(rows)


def test_headings_that_would_be_the_same_are_told_in_full():
    rows = [
        row(settings={"sampler.steps": "1", "budget.steps": "1"}),
        row(settings={"sampler.steps": "2", "budget.steps": "1"}),
        row(settings={"sampler.steps": "1", "budget.steps": "2"}),
    ]
    text = markdown(rows)
    assert text.startswith("| method | sampler.steps | budget.steps | size |")
    assert "generator not recorded; guidance not recorded" in text


def test_numbers_that_are_not_defined_are_told():
    metrics = {"tstr/auroc": math.nan, "trts/auroc": 0.9}
    (cells,) = lines(plain([row(metrics=metrics)]), "random")
    assert cells[3:] == ["n/a", "0.900", "n/a", "n/a", "n/a"]
    (group,) = summarise([row(seed=0), row(seed=1, metrics=metrics)])
    assert math.isnan(group.spreads["TSTR"].mean)  # no mean over fewer seeds than n


def test_fter_at_chance_is_marked_with_a_note():
    at_chance = row(seed=1)
    at_chance = row(seed=1, metrics=dict(at_chance.metrics) | {"fter_meaningful": 0.0})
    note = "FTER means nothing there"
    text = plain([row(), at_chance])
    assert note in text
    assert "±.000*" in text
    assert note not in plain([row()])
    assert "*" not in plain([row()])


def test_seeds_are_named():
    assert "over n seeds (0, 1)" in plain([row(seed=1), row(seed=0)])
    assert "a single seed" in plain([row()])
    assert "no paired comparison" in plain([row("a"), row("b", seed=1)])
    assert "no paired comparison" not in plain([row("a"), row("b")])


def wide_rows():
    label = "clip_spectral+dreambooth (n_clusters=20)"
    methods = (label, "random+dreambooth", "none [red]")
    guidances = (1.0, 7.5)
    return [
        row(m, s, seed, settings=SETTINGS | {"sampler.guidance": str(g)})
        for m in methods for s in (100, 10_000) for seed in (0, 1, 2) for g in guidances
    ]  # fmt: skip


def test_plain_text_fits_100_columns_and_has_no_codes():
    text = plain(wide_rows())
    assert max(map(len, text.splitlines())) <= 100
    assert "\x1b" not in text
    assert "none [red]" in text  # a label is no markup
    assert "0.778±.000" in text


def test_rendering_off_a_terminal_is_plain_and_on_one_fits_it():
    file = io.StringIO()
    render(wide_rows(), Console(file=file, width=40))
    assert file.getvalue() == plain(wide_rows())
    file = io.StringIO()
    render(wide_rows(), Console(file=file, width=120, force_terminal=True, soft_wrap=True))
    assert "\x1b" in file.getvalue()
    assert "0.778±.000" in file.getvalue()


def test_markdown_has_as_many_cells_in_each_line():
    text = markdown([row("a|b"), row("c", tstr=0.5)])
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 4
    assert {line.replace(r"\|", "").count("|") for line in table} == {len(COLUMNS) + 4}
    assert r"a\|b" in text
