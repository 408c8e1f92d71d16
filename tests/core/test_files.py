"""Where files lie."""

from pathlib import Path

import pytest

from tgap.core.errors import StoreError
from tgap.core.files import expanded, home_folder


def test_a_tilde_is_the_home_folder_in_every_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TGAP_HOME", "~/runs")
    assert home_folder() == tmp_path / "runs"
    assert expanded("~/x") == tmp_path / "x"
    assert expanded("a/~x") == Path("a/~x")
    assert expanded("~nobody-of-that-name/x") == Path("~nobody-of-that-name/x")
    monkeypatch.setenv("TGAP_HOME", "~nobody-of-that-name/x")
    with pytest.raises(StoreError, match="there is no user of that name; write a whole path"):
        home_folder()
