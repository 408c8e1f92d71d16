"""The page: whole, readable offline and by everyone, with the comparison's numbers."""

import re
from dataclasses import replace

import numpy as np
import pytest

from tests.report.runs.planted import SETTINGS, content_of, images, row, rows, sample, without
from tests.report.runs.reading import check
from tgap.analysis.comparison import compare
from tgap.analysis.rows import PlannedRun
from tgap.report.headings import COLUMNS, decimal
from tgap.report.runs.page import DRAWN, report_files, report_page

NASTY = "a</title><script>alert(1)</script>\"' & $x_1^2$ |*`\\"


def planted(**changes):
    finished = rows({"a": 0.0, "b": 0.05}, sizes=(100, 200), **changes)
    finished += rows({"none": -0.1}, sizes=(None,))
    finished += [row("real", 200, seed, 0.94, is_control=True) for seed in range(3)]
    return content_of(finished)


@pytest.fixture(scope="module")
def page():
    return report_page(planted())


def test_a_page_can_be_read_offline_and_by_everyone(page: str) -> None:
    read = check(page)
    names = [text for _, text in read.headings]
    for heading in (
        "In short",
        "Leaderboard",
        "TSTR against TRTS",
        "Over the size of the tuning set",
        "Paired differences",
        "By label",
        "ROC curves",
        "Images",
        "Copies and likeness",
        "Cost",
        "Every run",
        "How it was made",
    ):
        assert heading in names
    assert "tgap 0.1.0, torch 2.0" in read.text
    assert "{{" not in page


def test_numbers_are_those_of_the_comparison(page: str) -> None:
    content, read = planted(), check(page)
    board = read.tables[0]
    heading = board[0]
    assert heading[:3] == ["method", "size", "seeds"]
    cells = {tuple(line[:2]): line for line in board[1:]}
    groups = compare([run.row for run in content.runs]).groups
    assert len(cells) == len(groups) == 6
    for group in groups:
        line = cells[group.method, "-" if group.size is None else str(group.size)]
        for name, metric in COLUMNS.items():
            value = group.numbers[metric]
            shown = line[heading.index(name)]
            assert shown.startswith(decimal(value.estimate))
            if not np.isnan(value.lo):
                assert decimal(value.lo) in shown
                assert shown.endswith(decimal(value.hi))


def test_rows_fall_by_tstr_and_controls_come_last(page: str) -> None:
    board = check(page).tables[0][1:]
    tstr = [float(line[3].split()[0]) for line in board]
    assert board[-1][0] == "real"
    assert tstr[:-1] == sorted(tstr[:-1], reverse=True)
    beside = [line[-1] for line in board]
    assert beside[0] == "highest mean"
    assert beside[-1] == "control"
    assert beside.count("lower") == 2  # the same size, and the untuned one
    assert beside.count("other size") == 2


def test_texts_in_place_of_figures_have_the_numbers(page: str) -> None:
    labels = [given["aria-label"] for given in check(page).of("svg")]
    (legs,) = [label for label in labels if label.startswith("TSTR against TRTS")]
    (group,) = [g for g in planted().comparison.groups if (g.method, g.size) == ("b", 200)]
    assert f"b at 200: TSTR {decimal(group.numbers['tstr/auroc'].estimate)}" in legs
    (pairs,) = [label for label in labels if label.startswith("Differences of TSTR")]
    assert "b at 200 minus a at 200: +.0" in pairs
    assert "shown, p " in pairs
    assert any(re.match(r"TSTR by label. even: a \.\d+ ", label) for label in labels)
    assert any(label.startswith("ROC curves of even on real test images") for label in labels)


def test_figures_take_the_page_s_colour(page: str) -> None:
    assert "currentColor" in page
    assert "#000000" not in page
    drawn = re.sub(r"<pattern.*?</pattern>", "", page, flags=re.DOTALL)  # strokes on bars are white
    assert "fill: #ffffff" not in drawn.lower()
    assert "DejaVu" not in page


def test_the_same_content_makes_the_same_bytes() -> None:
    assert report_files(planted()) == report_files(planted())


def test_names_may_hold_any_characters() -> None:
    finished = rows({NASTY: 0.0, "_hidden": 0.02}, labels=("<b>", NASTY[:12]))
    html = report_page(content_of(finished, labels=("<b>", "ü\n$&")))
    read = check(html)
    assert NASTY in [line[0] for line in read.tables[0]]
    assert "<script" not in html
    assert "<b>" not in html


def test_kinds_that_may_not_be_compared_stand_apart_with_the_reason() -> None:
    other = SETTINGS | {"sampler.guidance": "1.0"}
    control = {name: SETTINGS[name] for name in SETTINGS if name != "generator.class"}
    finished = rows({"a": 0.0, "b": 0.05}) + rows({"a": 0.02}, settings=other)
    finished += rows({"real": 0.1}, settings=control, is_control=True)
    read = check(report_page(content_of(finished)))
    assert "These runs are of 2 kinds, shown apart" in read.text
    assert "They differ in guidance (3.0; 1.0). No number of one kind may be compared" in read.text
    assert [t for _, t in read.headings if t.startswith("guidance")] == [
        "guidance 3.0",
        "guidance 1.0",
    ]
    boards = [table for table in read.tables if "TSTR beside the best" in table[0]]
    assert [[line[0] for line in board[1:]] for board in boards] == [["b", "a", "real"], ["a"]]


def test_figures_of_many_kinds_are_left_out_and_that_is_said() -> None:
    finished = [
        row("a", seed=seed, settings=SETTINGS | {"sampler.guidance": f"{guidance}.0"})
        for guidance in range(1, DRAWN + 3)
        for seed in range(2)
    ]
    read = check(report_page(content_of(finished, samples=False)))
    legs = [g for g in read.of("svg") if (g["aria-label"] or "").startswith("TSTR against")]
    assert len(legs) == DRAWN
    assert f"Figures and images are of the first {DRAWN} kinds" in read.text


def test_missing_runs_and_images_are_shown_as_missing() -> None:
    finished = rows({"a": 0.0, "b": 0.05})
    plans = [
        PlannedRun(method=name, method_key=f"key of {name}", size=100, seed=seed, settings=SETTINGS)
        for name, seed in (("b", 7), ("c", 0))
    ]
    content = content_of(finished, plans, samples=False)
    lost = replace(sample(finished[0]), tuning=[], nearest=[], missing=["tuning images: removed"])
    read = check(report_page(replace(content, samples=[lost])))
    assert "2 asked for and not finished, shown as missing" in read.text
    assert "Runs are missing, and the means are of the others: b at 100; c at 100." in read.text
    assert "Not shown: tuning images: removed" in read.text
    board = read.tables[0]
    assert any(line[0] == "c" and line[3] == "n/a" for line in board)


def test_the_thesis_s_points_are_drawn_where_they_are_asked_for() -> None:
    content = content_of(rows({"a": 0.0}), samples=False)
    text = report_page(replace(content, thesis=True))
    assert "thesis, active 500: TSTR .637, TRTS .957" in text
    assert "Crosses are the thesis" in check(text).text
    assert "thesis" not in report_page(content)


def test_methods_without_images_are_named() -> None:
    content = content_of(rows({"a": 0.0, "b": 0.05, "c": 0.1}))
    read = check(report_page(replace(content, samples=content.samples[:1])))
    assert "No room for images and ROC curves of: b, c." in read.text


def test_a_stage_that_a_method_has_not_costs_nothing() -> None:
    finished = rows({"a": 0.0})
    finished += [replace(one, costs=one.costs[:1]) for one in rows({"b": 0.0})]
    read = check(report_page(content_of(finished)))
    (cost,) = [table for table in read.tables if "denoiser passes" in table[0]]
    column = cost[0].index("finetune")
    assert [line[column] for line in cost[1:]] == ["11 s", "-"]


def test_a_dataset_of_one_label_has_a_page_without_tstr() -> None:
    legs = ("tstr", "trts", "trtr", "tsts", "fter", "t_gap", "utility")
    finished = [without(row("a", seed=seed, resampled={}), *legs) for seed in range(2)]
    read = check(report_page(content_of(finished, labels=("shell",))))
    assert "No method has a finished TSTR." in read.text
    assert "Nothing to rank" in read.text
    assert [line[3] for line in read.tables[0][1:]] == ["n/a"]


def test_a_page_of_very_many_images_stays_small() -> None:
    labels = tuple(f"label {number}" for number in range(14))
    finished = rows({f"m{number}": 0.0 for number in range(12)}, (100, 200), 3, labels=labels)
    content = content_of(finished, samples=False)
    big = [images(8, 96, 3, seed=at) for at in range(8)]  # noise: nothing takes more room
    one = sample(finished[0], labels)
    full = replace(one, real=big, tuning=big, synthetic=big, nearest=big, similarity=[[0.1]] * 8)
    first = {run.method: run for run in finished}
    samples = [replace(full, run=run) for run in first.values()]
    html = report_page(replace(content, samples=samples))
    assert 1e6 < len(html.encode()) < 5e6
    check(html)
