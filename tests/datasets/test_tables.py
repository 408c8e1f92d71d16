import csv
import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tgap.core import DataError
from tgap.datasets.reading.tables import read_csv, read_table


def written(folder, text, name="t.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_csv_gives_columns_of_text_and_lines(tmp_path):
    table = read_table(written(tmp_path, 'file,label\na.png,"x, y"\n\nb.png,\n'))
    assert table.columns == {"file": ["a.png", "b.png"], "label": ["x, y", ""]}
    assert table.lines == [2, 4]
    assert table.name == "t.csv"
    assert len(table) == 2


def test_csv_as_spreadsheets_write_it(tmp_path):
    text = "\ufefffile, label,,\r\na.png,é,,\r\nb.png ,x\r\n"
    table = read_table(written(tmp_path, text, "T.CSV"))
    assert table.columns == {"file": ["a.png", "b.png"], "label": ["é", "x"]}


WRITTEN = {
    "semicolons": 'file;label\na.png;"x;y, z"\n',
    "tabs": "file\tlabel\r\na.png\tx;y, z\r\n",
    "Excel's own word": 'sep=;\nfile;label\na.png;"x;y, z"\n',
    "a mark of byte order, quoted": '\ufeff"file","label"\na.png,"x;y, z"\n',
    "a mark of byte order, read as Latin-1": 'ï»¿file,label\na.png,"x;y, z"\n',
    "UTF-16": 'file\tlabel\na.png\t"x;y, z"\n'.encode("utf-16"),
    "UTF-16 without a mark": 'file\tlabel\na.png\t"x;y, z"\n'.encode("utf-16-le"),
    "an index": ',file,label\n0,a.png,"x;y, z"\n',
    "an index, twice": 'Unnamed: 0,file,label\n0,a.png,"x;y, z"\n',
    "empty columns and lines": '\n,file,,label,,\n,,,,,\n,a.png,,"x;y, z",,\n,,,,,\n',
}


@pytest.mark.parametrize("how", WRITTEN)
def test_csv_as_programs_write_it(how, tmp_path):
    table = read_table(written(tmp_path, WRITTEN[how]))
    assert table.columns == {"file": ["a.png"], "label": ["x;y, z"]}


def test_lines_are_counted_behind_the_word_for_what_stands_between_cells(tmp_path):
    assert read_table(written(tmp_path, "sep=;\na;b\n1;2\n\n3;4\n", "t.tsv")).lines == [3, 5]


def test_some_columns_in_the_order_asked_for(tmp_path):
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"a,b,,sex\n1,2,3,M\n"))
    table = read_csv(path, ["gender", "a"], {"sex": "gender"})
    assert table.columns == {"gender": ["M"], "a": ["1"]}
    with pytest.raises(DataError, match=r"has no column 'c'.*; no column 'sex'"):
        read_csv(path, ["c", "a", "sex"], {"sex": "gender"})


def test_wrong_cells_are_told_with_their_lines(tmp_path):
    table = read_table(written(tmp_path, 'a,b\n1,x\n"\n2",y\n1,y\n'))
    table.refuse("a", lambda cell: cell == "3", "must be no 3")
    with pytest.raises(DataError, match=r"'b' must be x; got 'y' on line 4, 'y' on line 5$"):
        table.refuse("b", lambda cell: cell != "x", "must be x")
    with pytest.raises(DataError, match="lines 2 and 5 both name 1 as 'a'; leave one of them"):
        table.refuse_repeats("a")


def test_jsonl_gives_the_same_columns_as_csv(tmp_path):
    rows = [
        '{"file": "a.png", "labels": ["x", "y"], "age": 58}',
        "",
        '{"file": "b.png", "labels": [], "age": null, "view": true}',
    ]
    table = read_table(written(tmp_path, "\n".join(rows), "t.jsonl"))
    assert table.columns == {
        "file": ["a.png", "b.png"],
        "labels": ["x|y", ""],
        "age": ["58", ""],
        "view": ["", "true"],
    }
    assert table.lines == [1, 3]


def test_lists_are_joined_by_the_separator_that_is_asked_for(tmp_path):
    path = written(tmp_path, '{"a": ["x|y", 3]}', "t.jsonl")
    assert read_table(path, ";").columns == {"a": ["x|y;3"]}
    with pytest.raises(DataError, match=r"line 1, 'a': the item 'x\|y' holds the separator '\|'"):
        read_table(path)


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=8)


rows_of_text = st.tuples(texts, texts).filter(lambda row: any(map(str.strip, row)))


@given(rows=st.lists(rows_of_text, min_size=1, max_size=5))
def test_any_text_comes_back_from_both(rows, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    with (folder / "t.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([("a", "b"), *rows])
    lines = [json.dumps({"a": a, "b": b}, ensure_ascii=False) for a, b in rows]
    (folder / "t.jsonl").write_text("\n".join(lines), encoding="utf-8")
    expected = {"a": [a.strip() for a, _ in rows], "b": [b.strip() for _, b in rows]}
    assert read_table(folder / "t.csv").columns == expected
    assert read_table(folder / "t.jsonl").columns == expected


BAD = {
    "no text": ("t.csv", b"file\n\xff\xfe\n", "t.csv is not UTF-8 text: .*; save it as UTF-8"),
    "empty": ("t.csv", "", "t.csv is empty"),
    "header alone": ("t.csv", "file,label\n", "t.csv has no rows"),
    "empty jsonl": ("t.jsonl", "\n", "t.jsonl has no rows"),
    "short row": (
        "t.csv",
        "file,label\na,b\na\n",
        "line 3: 1 cells, but the header has 2 columns; quote",
    ),
    "long row": ("t.csv", "file,label\na,b,c\n", "line 2: 3 cells, but the header has 2"),
    "open quote": ("t.csv", 'file,label\n"a,b\n', "t.csv, line 2: unexpected end of data"),
    "no name": ("t.csv", ",file\nx,a\n", r"column 1 has no name \(x\); .*index=False"),
    "no second name": (
        "t.csv",
        "file,,x\na,1,2\n",
        r"t.csv: column 2 has no name \(1\); write one",
    ),
    "a workbook's content": ("t.csv", b"PK\x03\x04 and more", "is a workbook, .*'CSV UTF-8'"),
    "same name": ("t.csv", "a,b,a\n0,1,2\n", "t.csv has two columns named 'a' \\(rename one"),
    "no json": ("t.jsonl", '{"a": 1}\n{"a": \n', "line 2: no JSON: "),
    "no object": ("t.jsonl", "[1, 2]\n", r"line 1: must be a JSON object, got \[1, 2\]"),
    "nested": ("t.jsonl", '{"a": {"b": 1}}\n', "line 1, 'a': must be text, a number, true"),
    "another kind": ("t.xlsx", "", "t.xlsx must end with .csv, .tsv or .jsonl; save it as CSV"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_tables_are_told_with_the_line(what, tmp_path):
    name, text, message = BAD[what]
    with pytest.raises(DataError, match=message):
        read_table(written(tmp_path, text, name))


def test_a_missing_table_is_told(tmp_path):
    with pytest.raises(DataError, match=r"cannot read table .*t.csv: No such file"):
        read_table(tmp_path / "t.csv")


def test_a_missing_column_is_told_with_the_nearest(tmp_path):
    table = read_table(written(tmp_path, "file,labels\na,b\n"))
    table.require("labels", "label_column")
    message = r"no column 'label'; did you mean 'labels'\? \(one of: file, labels\); dataset\.l"
    with pytest.raises(DataError, match=message):
        table.require("label", "label_column")
