import json
import os
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tgap.core import ContractError, DataError
from tgap.core.digest import canonical_json, folder_digest


def rewrite(path, content):
    """Change a file, with a time of change that surely differs."""
    path.write_bytes(content)
    os.utime(path, ns=(0, time.time_ns() + 10**9))


# JSON

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def reversed_mappings(value):
    if isinstance(value, dict):
        return {key: reversed_mappings(value[key]) for key in reversed(value)}
    return [reversed_mappings(v) for v in value] if isinstance(value, list) else value


@settings(max_examples=50)
@given(JSON)
def test_canonical_json_keeps_the_value_and_not_the_order(value):
    text = canonical_json(value)
    assert json.loads(text) == value
    assert canonical_json(reversed_mappings(value)) == text
    assert text.isascii()


def test_canonical_json_tells_types_apart():
    assert len({canonical_json(v) for v in (1, 1.0, "1", True, [1], None)}) == 6
    assert canonical_json((1, 2)) == canonical_json([1, 2])


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"a": [0.0, float("nan")]}, r"value\.a\[1\] must be a finite number, got nan"),
        (float("inf"), "value must be a finite number, got inf"),
        ({1: 2}, "value must have text as keys, got 1"),
        ({"n": np.int64(3)}, r"value\.n must be a JSON value .* got int64: .*need int\(\)"),
        ([{1, 2}], r"value\[0\] must be a JSON value .* got set"),
    ],
)
def test_canonical_json_refuses_other_values(value, words):
    with pytest.raises(ContractError, match=words):
        canonical_json(value)


# Folders


def fill(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


FILES = {"a.txt": "1", "sub/b.txt": "2"}


def test_a_folder_counts_by_its_content_wherever_it_lies(tmp_path):
    one, two = fill(tmp_path / "one", FILES), fill(tmp_path / "two", dict(reversed(FILES.items())))
    assert folder_digest(one) == folder_digest(two)
    (tmp_path / "link").symlink_to(one)
    assert folder_digest(tmp_path / "link") == folder_digest(one)


@pytest.mark.parametrize(
    "other",
    [
        {"a.txt": "1", "sub/b.txt": "3"},
        {"a.txt": "1", "sub/c.txt": "2"},
        {"a.txt": "1", "b.txt": "2"},
        {"a.txt": "1"},
        {"a.txt": "2", "sub/b.txt": "1"},
        {**FILES, "c.txt": ""},
    ],
)
def test_a_folders_digest_changes_with_names_and_content(tmp_path, other):
    one, two = fill(tmp_path / "one", FILES), fill(tmp_path / "two", other)
    assert folder_digest(one) != folder_digest(two)


def test_a_changed_file_is_read_again(tmp_path):
    folder = fill(tmp_path / "one", FILES)
    before = folder_digest(folder)
    rewrite(folder / "a.txt", b"9")
    assert folder_digest(folder) != before


def test_hidden_files_do_not_count(tmp_path):
    folder = fill(tmp_path / "one", FILES)
    before = folder_digest(folder)
    fill(folder, {".DS_Store": "x", ".git/config": "y", "sub/.cache/z": "z"})
    assert folder_digest(folder) == before


def test_links_are_followed_within_the_folder_only(tmp_path):
    folder = fill(tmp_path / "one", FILES)
    (folder / "c.txt").symlink_to(folder / "a.txt")
    assert folder_digest(folder) == folder_digest(fill(tmp_path / "two", {**FILES, "c.txt": "1"}))
    (folder / "out.txt").symlink_to(fill(tmp_path, {"secret": "s"}) / "secret")
    with pytest.raises(DataError, match=r"out\.txt is a link to .*secret; .*cp -rL"):
        folder_digest(folder)
    (folder / "out.txt").unlink()
    (folder / "round").symlink_to(folder)
    with pytest.raises(DataError, match=r"round is a link"):
        folder_digest(folder)


def test_folders_without_files_are_refused(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        folder_digest(tmp_path / "none")
    with pytest.raises(DataError, match="holds no files"):
        folder_digest(tmp_path)
