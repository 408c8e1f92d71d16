"""Tables as Markdown, CSV, LaTeX and JSON."""

import csv
import io
import json
import math
import re

import pytest

from tests.report.runs.planted import rows
from tgap.analysis.comparison import Asked, compare
from tgap.report.exports import as_json
from tgap.report.headings import COLUMNS
from tgap.report.tables import ShownTable, Value, as_csv, as_latex, as_markdown, leaderboard, words

NASTY = "a_b & 50% $x$ #1 {y} ~^ \\ <z> |p|\nq"


@pytest.fixture(scope="module")
def found():
    return compare(rows({"a": 0.0, NASTY: 0.05}, sizes=(100, 200), seeds=4))


def test_csv_has_the_numbers_in_full(found) -> None:
    read = list(csv.DictReader(io.StringIO(as_csv(leaderboard(found)))))
    assert len(read) == len(found.groups) == 4
    for line, group in zip(read, found.groups, strict=True):
        assert line["size"] == str(group.size)
        assert line["seeds"] == "4"
        for heading, name in COLUMNS.items():
            value = group.numbers[name]
            assert float(line[heading]) == value.estimate
            for end in ("lo", "hi"):
                known = getattr(value, end)
                text = line[f"{heading} {end}"]
                assert text == "" if math.isnan(known) else float(text) == known
    assert read[2]["method"] == NASTY


def test_csv_leaves_empty_what_is_not_known() -> None:
    table = ShownTable("t", "T", {"m": True, "x": False}, [[words("a"), Value(("n/a",))]])
    assert as_csv(table) == "m,x\na,\n"


def test_json_has_rows_seeds_and_differences(found) -> None:
    read = json.loads(as_json(found))
    assert [one["size"] for one in read["rows"]] == [100, 200, 100, 200]
    for one, group in zip(read["rows"], found.groups, strict=True):
        assert one["method"] == group.method
        assert one["settings"] == dict(group.settings)
        value = group.numbers["tstr/auroc"]
        numbers = one["numbers"]["tstr/auroc"]
        assert (numbers["mean"], numbers["lo"]) == (value.estimate, value.lo)
        assert numbers["by_seed"] == {str(s): v for s, v in group.values("tstr/auroc").items()}
    assert len(read["differences"]) == len(found.pairs) == 2
    pair = read["differences"][0]
    assert [read["rows"][place]["size"] for place in pair["rows"]] == [100, 100]
    assert pair["mean"] == found.pairs[0].difference.estimate
    assert pair["p_value"] == found.pairs[0].p_value
    assert read["compared_by"] == ["tstr/auroc"]


def test_json_has_null_where_nothing_is_known() -> None:
    one = compare(rows({"a": 0.0}, seeds=2, resampled={}), asked=Asked())
    text = as_json(one)
    assert "NaN" not in text
    assert json.loads(text)["rows"][0]["numbers"]["tstr/auroc"]["lo"] is None


def test_latex_escapes_names_and_shows_intervals(found) -> None:
    text = as_latex(leaderboard(found))
    assert text.startswith("% \\usepackage{booktabs}\n")
    for mark in ("\\toprule", "\\midrule", "\\bottomrule", "\\end{tabular}"):
        assert text.count(mark) == 1
    name = (
        r"a\_b \& 50\% \$x\$ \#1 \{y\} \textasciitilde{}\textasciicircum{} \textbackslash{} "
        r"\textless{}z\textgreater{} \textbar{}p\textbar{} q"
    )
    body = text.split("\\midrule\n")[1].split("\\bottomrule")[0].splitlines()
    assert len(body) == 4
    assert body[2].startswith(f"{name} & 100 & 4 & ")
    columns = len(leaderboard(found).headings)
    for line in body:
        assert len(re.findall(r"(?<!\\)&", line)) == columns - 1
        assert line.endswith(" \\\\")
        assert not re.search(r"(?<!\\)[#%]", line)
    value = found.groups[0].numbers["tstr/auroc"]
    ends = f"{value.lo:.3f}--{value.hi:.3f}".replace("0.", ".")
    assert f"{value.estimate:.3f}".replace("0.", ".") + f" {{\\scriptsize ({ends})}}" in body[0]


def test_latex_has_a_minus_for_what_is_below_zero() -> None:
    value = Value(("-.010", "-.020 to .001"), (-0.01, -0.02, 0.001))
    line = as_latex(ShownTable("t", "T", {"m": True, "x": False}, [[words("a-b"), value]]))
    assert "a-b & $-$.010 {\\scriptsize ($-$.020 to .001)}" in line


def test_markdown_rows_stay_rows(found) -> None:
    lines = as_markdown(leaderboard(found)).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 2 + 4
    counts = {len(re.findall(r"(?<!\\)\|", line)) for line in table}
    assert counts == {len(leaderboard(found).headings) + 1}
    assert "&lt;z>" in table[4]
    assert "a\\_b" in table[4]
