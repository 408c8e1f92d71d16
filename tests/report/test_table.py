import dataclasses
import io
import math
import re

import numpy as np
import pytest
from rich.console import Console

from tgap.analysis.comparison import Asked, compare
from tgap.analysis.rows import PlannedRun, RunRow
from tgap.metrics.legs import numbers_with_intervals
from tgap.report.headings import COLUMNS
from tgap.report.table import markdown, plain, render

SETTINGS = {
    "generator.class": "tiny_ldm",
    "sampler.guidance": "3.0",
    "sampler.steps": "20",
    "protocol.class": "clean",
}


def row(method="random+dreambooth", size=100, seed=0, tstr=0.7, trts=0.9, **changes):
    legs = {"tstr": tstr, "trts": trts, "trtr": 0.95, "tsts": 0.9}
    on_real = np.random.default_rng(99).normal(0, 0.005, 100)  # the same patients in every run
    on_synthetic = np.random.default_rng(seed).normal(0, 0.005, 100)
    given = {
        "method": method,
        "method_key": f"key of {method}",
        "size": size,
        "seed": seed,
        "evaluation_key": f"{method} {size} {seed} {tstr}",
        "settings": SETTINGS,
        "metrics": {**numbers_with_intervals(legs), "fter/meaningful": 1.0},
        "resampled": {
            leg: value + (on_real if leg.endswith("r") else on_synthetic)
            for leg, value in legs.items()
        },
    }
    return RunRow(**(given | changes))


def planned(method="random+dreambooth", size=100, seed=0):
    return PlannedRun(
        method=method, method_key=f"key of {method}", size=size, seed=seed, settings=SETTINGS
    )


def text_of(rows, missing=()):
    return plain(compare(rows, missing))


def lines(text, start):
    return [line.split() for line in text.splitlines() if line.strip().startswith(start)]


def test_a_mean_has_its_interval_below_it():
    rows = [row(seed=0), row(seed=1, tstr=0.72, trts=0.92)]
    heading, _, means, ranges = text_of(rows).splitlines()[:4]
    assert heading.split() == ["method", "size", "seeds", *COLUMNS]
    assert means.split() == "random+dreambooth 100 2 .710 .910 .950 .780 .200".split()
    found = compare(rows).groups[0].numbers
    for cell, name in zip(ranges.split(), COLUMNS.values(), strict=True):
        ends = [float(end) for end in cell.split("-")]
        assert ends == pytest.approx([found[name].lo, found[name].hi], abs=5.1e-4)
        assert ranges.index(cell) + len(cell) in [m.end() for m in re.finditer(r"\S+", means)]
    note = " ".join(text_of(rows).split())
    assert "(t over seeds, bootstrap of patients), given the split: another real_train" in note
    assert "One seed" not in text_of(rows)


def test_numbers_below_0_and_above_1_can_be_read():
    text = text_of([row(tstr=0.9, trts=0.88)])
    assert "1.023" in text
    assert "-.020" in text
    number = compare([row(tstr=0.9, trts=0.88)]).groups[0].numbers["t_gap"]
    assert f"{number.lo:.3f} to {number.hi:.3f}".replace("0.", ".") in text


def test_one_seed_says_what_its_interval_lacks():
    text = text_of([row()])
    assert "of the test images only; another seed may lie outside" in text
    assert "over seeds" not in text


def test_where_no_interval_is_justified_the_mean_stands_alone():
    text = text_of([row(resampled={})])
    assert lines(text, "random")[0][3] == ".700"
    assert "No interval where none is justified" in text
    assert "a seed not resampled" in text
    assert "No interval" not in text_of([row()])


def test_missing_seeds_are_told_in_their_row_and_beside_the_comparison():
    rows = [row("a", seed=0), row("a", seed=1), row("b", seed=0)]
    missing = [planned("b", seed=1), planned("c", seed=0)]
    text = text_of(rows, missing)
    assert lines(text, "b ")[0][:5] == ["b", "100", "1", "of", "2"]
    assert "(missing 1)" in text
    assert lines(text, "c")[0] == ["c", "100", "0", "of", "1", *["n/a"] * 5]
    assert "b - a at 100: +.000; no test: 1 seed, and it takes 3" in text
    assert "; not in both: seed 1\n" in text
    assert "c - a at 100: no seed in common\n" in text
    assert "| b | 100 | 1 of 2 (missing 1) |" in markdown(compare(rows, missing))
    assert "missing" not in text_of(rows)


def test_five_seeds_can_differ_and_two_cannot():
    def rows(seeds):
        return [
            row(m, s, seed, 0.7 + 0.002 * seed * (1 + better) + better)
            for m, s, better in (("none", None, 0), ("a", 20, 0.1), ("b", 20, 0.2))
            for seed in range(seeds)
        ]

    text = " ".join(text_of(rows(5)).split())
    assert text.count("differ: p < .001 (5 seeds, 3 comparisons, Holm)") == 3
    assert "Difference of TSTR, paired by seed (95 % interval of each alone; its p adj" in text
    assert "a - none at 20: +.100" in text
    assert "b - a at 20: +.100" in text
    assert "no test: 2 seeds, and it takes 3" in text_of(rows(2))
    assert "Not compared" not in text
    assert "Collapsed" not in text


def test_where_there_is_no_interval_nothing_is_claimed():
    better = {"a": 0.7, "b": 0.8}
    rows = [
        row(m, seed=s, tstr=t + s / 500, resampled={}) for m, t in better.items() for s in range(8)
    ]
    text = " ".join(text_of(rows).split())
    assert "b - a at 100: +.100; no test: no interval is justified" in text


def test_what_was_asked_for_is_told():
    def of(method, tstr, seed, **settings):
        metrics = {"tstr/accuracy": tstr - 0.1 + seed / 99, "mine/sharp": 2.0}
        made = row(method, seed=seed, tstr=tstr + seed / 300, settings=SETTINGS | settings)
        return dataclasses.replace(made, metrics={**made.metrics, **metrics})

    rows = [
        of(m, t, s, pool_size=str(pool))
        for m, t, pool in (("random+unet", 0.7, 9), ("near", 0.8, 7), ("far", 0.75, 7))
        for s in range(3)
    ]
    asked = Asked("random", ("tstr", "tstr/accuracy"), ("pool_size",), ("mine/sharp",))
    text = " ".join(plain(compare(rows, asked=asked)).split())
    assert "T-Gap mine/sharp" in text
    assert "Difference of TSTR, tstr/accuracy to random+unet, paired by seed" in text
    assert "adjusted for all), across pool_size:" in text
    assert "TSTR of near - random+unet at 100: +.100" in text
    assert "tstr/accuracy of far - random+unet at 100: +.050; no test: no interval" in text
    assert "far - near" not in text
    assert "Not compared" not in text


def test_rows_that_are_not_compared_are_named_with_the_reason():
    wide = SETTINGS | {"pool_size": "72000", "size_unit": "total"}
    narrow = SETTINGS | {"pool_size": "10000", "size_unit": "label"}
    rows = [row("random", 500, settings=wide), row("clusters", 500, settings=narrow)]
    text = " ".join(text_of(rows).split())
    assert (
        "Not compared: clusters at 500 and random at 500 in total: they differ in pool_size "
        "(10000; 72000), size_unit (label; total); tgap compare --across pool_size,size_unit does"
    ) in text
    asked = Asked(across=("pool_size", "size_unit"))
    text = " ".join(plain(compare(rows, asked=asked)).split())
    assert "clusters - random at 500 and 500 in total: +.000" in text
    sizes = " ".join(text_of([row("a", 100), row("b", 500)]).split())
    assert "b at 500 and a at 100: they differ in size FTER" not in sizes
    assert "Not compared: b at 500 and a at 100: they differ in size" in sizes
    assert "--across" not in sizes
    other = row("clusters", 500, settings=SETTINGS | {"dataset.class": "nih"})
    text = text_of([other, row("random", 500, settings=SETTINGS | {"dataset.class": "digits"})])
    assert "they differ in dataset.class (digits; nih)\n" in text


def test_tstr_over_sizes_is_told():
    rows = [
        row(size=z, seed=s, tstr=0.6 + math.log2(z) / 50 + s * z / 1e5)
        for z in (20, 40, 80)
        for s in range(4)
    ]
    text = " ".join(text_of(rows).split())
    assert "TSTR over sizes, paired by seed" in text
    assert re.search(
        r"dreambooth at 20, 40, 80, per doubling: \+\.020 \(.*?\); rises: p .*4 seeds, 3 comp", text
    )
    assert "random+dreambooth, 40 - 20: +.020 (" in text
    assert "over sizes" not in text_of([row()])


def test_a_collapsed_seed_is_told_with_the_median():
    better = {"a": 0.0, "b": 0.03}
    rows = [
        row(m, seed=s, tstr=0.9 + d + s / 500 if (m, s) != ("b", 3) else 0.5)
        for m, d in better.items()
        for s in range(5)
    ]
    text = " ".join(text_of(rows).split())
    assert "Collapsed: TSTR of b at 100, .500 (seed 3) beside .938 at best; median .932" in text
    assert "mean .847" in text
    assert re.search(
        r"b - a at 100: -\.05\d \(.*?\), median \+\.030 \(collapsed: seed 3\); no", text
    )


def test_sizes_are_tested_for_the_same_fter():
    rows = [row(size=z, seed=s, tstr=0.7 + s * z / 1e4) for z in (20, 50) for s in range(4)]
    rows += [row("b", z, s, 0.6 + z / 500 + s * z / 1e4) for z in (20, 50) for s in range(4)]
    text = text_of(rows)
    assert "random+dreambooth at 20, 50: equal within .020: p = .003 (4 seeds)" in text
    assert "b at 20, 50: not shown to be equal within .020: p = 1 (4 seeds)" in text
    rows = [row(size=z, seed=s) for z in (20, 50) for s in range(2)]
    assert "a test needs 3 seeds in common, got 2" in text_of(rows)
    undefined = {**row().metrics, "fter": math.nan}
    for changes in ({"metrics": undefined}, {}):
        rows = [row(size=z, seed=s, **changes) for z in (20, 50) for s in range(3)]
        assert "20, 50: no test: FTER is not defined for every seed, or its" in text_of(rows)
    chance = {**row().metrics, "fter/meaningful": 0.0}
    rows = [row(size=z, seed=s, metrics=chance) for z in (20, 50) for s in range(2)]
    assert "20, 50: FTER means nothing at one of the sizes" in text_of(rows)
    assert "TOST" not in text_of([row()])


def test_settings_that_vary_become_a_column_and_others_do_not():
    varied = row(settings=SETTINGS | {"sampler.guidance": "1.0"})
    text = text_of([row(), varied, row("b")])
    heading = next(line.split() for line in text.splitlines() if "method" in line)
    assert heading == ["method", "guidance", "size", "seeds", *COLUMNS]
    assert [cells[1] for cells in lines(text, "random")[:2]] == ["3.0", "1.0"]
    assert "generator tiny_ldm; guidance 3.0, 1.0; protocol clean\n" in text
    assert "b - random+dreambooth (guidance 3.0) at 100: +.000; " in text


def test_what_guidance_means_is_named_where_it_was_asked_for():
    ranged = SETTINGS | {"sampler.guidance_high": "5.0"}
    text = text_of([row(settings=ranged), row(seed=1, settings=ranged)])
    assert "guidance 3.0; protocol clean; guidance_high 5.0\n" in text
    both = text_of([row(settings=ranged), row()])
    assert "protocol clean; guidance_high 5.0, default\n" in both
    assert "guidance_high" not in text_of([row()])


def test_settings_that_vary_together_share_a_column():
    other = {"generator.class": "sd15", "generator.digest": "1"}
    text = text_of(
        [row(settings=SETTINGS | {"generator.digest": "0"}), row(settings=SETTINGS | other)]
    )
    assert "generator " in text
    assert "digest" not in text


def test_a_control_has_no_generator_and_makes_no_column_of_it():
    control = {name: v for name, v in SETTINGS.items() if name != "generator.class"}
    text = text_of([row(), row("noise", None, settings=control)])
    assert text.splitlines()[0].split() == ["method", "size", "seeds", *COLUMNS]
    assert "generator tiny_ldm; guidance 3.0" in text


def test_headings_that_would_be_the_same_are_told_in_full():
    rows = [
        row(settings={"sampler.steps": "1", "budget.steps": "1"}),
        row(settings={"sampler.steps": "2", "budget.steps": "1"}),
        row(settings={"sampler.steps": "1", "budget.steps": "2"}),
    ]
    text = markdown(compare(rows))
    assert text.startswith("| method | sampler.steps | budget.steps | size |")
    assert "guidance not recorded" in text


def test_numbers_that_are_not_defined_are_told():
    metrics = {"tstr/auroc": math.nan, "trts/auroc": 0.9}
    cells = lines(text_of([row(metrics=metrics)]), "random")[0]
    assert cells[3:] == ["n/a", ".900", "n/a", "n/a", "n/a"]
    cells = lines(text_of([row(seed=0), row(seed=1, metrics=metrics)]), "random")[0]
    assert "b - a at 100: TSTR is not defined" in text_of([row("a", metrics=metrics), row("b")])
    assert cells[3:5] == ["n/a", ".900"]  # no mean over fewer seeds than are told


def test_few_test_images_are_told():
    def counted(images):
        return row(metrics={**row().metrics, "images/effective_real_test": images})

    told = "Few test images: 12 independent ones of the rarer label; about 40 would tell an AUROC"
    assert told in text_of([counted(30.0), dataclasses.replace(counted(12.4), method_key="b")])
    assert "Few test images" not in text_of([counted(40.0)])


def test_fter_at_chance_is_marked_with_a_note():
    at_chance = row(seed=1, metrics={**row(seed=1).metrics, "fter/meaningful": 0.0})
    note = "FTER means nothing there"
    text = text_of([row(), at_chance])
    assert note in text
    assert ".778*" in text
    assert r".778\*" in markdown(compare([row(), at_chance]))
    assert "*" not in text_of([row()])
    assert note not in text_of([row()])


def test_seeds_with_the_scores_of_another_are_told():
    rows = [row(seed=s, evaluation_key="same") for s in range(3)]
    text = text_of(rows)
    assert lines(text, "random")[0][2] == "1"
    assert "count once: 1, 2 of random+dreambooth at 100.\n" in text
    assert "count once" not in text_of([row(seed=s) for s in range(3)])


def test_seeds_are_named():
    assert "over seeds (0, 1)" in text_of([row(seed=1), row(seed=0)])
    assert "no paired comparison" in text_of([row("a"), row("b", seed=1)])
    assert "no paired comparison" not in text_of([row("a"), row("b")])


def test_further_columns_are_there_if_a_run_has_them():
    more = {
        **row().metrics,
        "memorization/copied_fraction": 0.25,
        "fidelity/coverage": 0.9,
        "external/kids/tstr/auroc": 0.6,
        "external/kids/trtr/auroc": 0.8,
        "external/kids/tstr/auroc_even": 0.6,
    }
    text = text_of([row(metrics=more), row("none", None)])
    heading = text.splitlines()[0]
    assert heading.split() == [
        "method",
        "size",
        "seeds",
        *COLUMNS,
        "TRTR",
        "kids",
        "TSTR",
        "kids",
        "Copied",
        "Coverage",
    ]
    assert lines(text, "random")[0][-4:] == [".800", ".600", ".250", ".900"]
    assert lines(text, "none")[0][-4:] == ["n/a"] * 4


def wide_rows():
    label = "clip_spectral+dreambooth (n_clusters=20)"
    methods = (label, "random+dreambooth", "none [red]")
    guidances = (1.0, 7.5)
    return [
        row(m, s, seed, settings=SETTINGS | {"sampler.guidance": str(g)})
        for m in methods
        for s in (100, 10_000)
        for seed in (0, 1, 2)
        for g in guidances
    ]


def test_plain_text_is_as_wide_as_its_numbers_need_and_has_no_codes():
    text = text_of(wide_rows(), [planned(seed=s) for s in (3, 4)])
    assert max(map(len, text.splitlines())) <= 120
    assert "T-Gap" in text.splitlines()[0]
    assert ".192-.208" in text  # no end is cut off
    assert "\x1b" not in text
    assert "none [red]" in text  # a label is no markup
    assert ".778" in text


def test_rendering_off_a_terminal_is_plain_and_on_one_fits_it():
    comparison = compare(wide_rows())
    file = io.StringIO()
    render(comparison, Console(file=file, width=40))
    assert file.getvalue() == plain(comparison)
    file = io.StringIO()
    render(comparison, Console(file=file, width=120, force_terminal=True, soft_wrap=True))
    assert "\x1b" in file.getvalue()
    assert ".778" in file.getvalue()


def test_markdown_has_as_many_cells_in_each_line_and_one_line_per_row():
    text = markdown(compare([row("a|b"), row("c", tstr=0.5)]))
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 4
    assert {line.replace(r"\|", "").count("|") for line in table} == {len(COLUMNS) + 4}
    assert r"a\|b" in text
    assert "\n- c - a" in text


def test_copies_of_unknown_tuning_images_are_not_known():
    def shown(share, known):
        further = {"memorization/copied_fraction": share, "memorization/tuning_known": known}
        one = row()
        return text_of([dataclasses.replace(one, metrics={**one.metrics, **further})])

    assert "not known" in shown(0.0, 0.0)
    assert "not known" not in shown(0.0, 1.0)
    assert ".400" in shown(0.4, 0.0)


def test_shares_have_an_interval_over_three_draws():
    def rows(values):
        every = [row(seed=seed) for seed in range(len(values))]
        return [
            dataclasses.replace(one, metrics={**one.metrics, "fidelity/coverage": value})
            for one, value in zip(every, values, strict=True)
        ]

    (group,) = compare(rows([0.5, 0.6, 0.7])).groups
    number = group.numbers["fidelity/coverage"]
    half = 4.302653 * 0.1 / math.sqrt(3)  # t with 2 degrees of freedom
    assert (number.lo, number.hi) == pytest.approx((0.6 - half, 0.6 + half))
    (group,) = compare(rows([0.0, 0.01, 0.1])).groups
    assert group.numbers["fidelity/coverage"].lo == 0
    for values in ([0.5, 0.6], [0.5, 0.5, 0.5]):
        (group,) = compare(rows(values)).groups
        assert math.isnan(group.numbers["fidelity/coverage"].lo)


def test_rows_of_unequal_numbers_of_images_are_told():
    def rows(*numbers):
        bare = {name: value for name, value in SETTINGS.items() if name != "generator.class"}
        every = [row(f"set{n}", None, settings=bare) for n in range(len(numbers))]
        return [
            dataclasses.replace(one, metrics={**one.metrics, "train_images/synthetic": number})
            for one, number in zip(every, numbers, strict=True)
        ]

    text = " ".join(text_of(rows(100.0, 400.0)).split())
    assert "Rows differ in how many synthetic images train: set0 100, set1 400." in text
    assert "Rows differ in how many" not in text_of(rows(100.0, 98.0))


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_a_table_fits_its_terminal_and_loses_no_column_and_no_name(width):
    rows = [
        row(method=method, size=z, seed=s, metrics={**row().metrics, **OTHERS})
        for method in ("random+dreambooth", "clip_spectral+dreambooth_lora (n_clusters=20)")
        for z in (100, 500)
        for s in range(3)
    ]
    text = plain(compare(rows), width)
    assert max(map(len, text.splitlines())) <= width
    headings = [line.split() for line in text.splitlines() if line.startswith("method")]
    found = [word for heading in headings for word in heading]
    for name in (*COLUMNS, "Copied", "Coverage"):
        assert found.count(name) == 1
    assert all(heading[:3] == ["method", "size", "seeds"] for heading in headings)
    assert text.count("random+dreambooth ") >= 2 * len(headings)


OTHERS = {"memorization/copied_fraction": 0.1, "fidelity/coverage": 0.5}
