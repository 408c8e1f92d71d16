"""``tgap store``: what is kept, whether it is whole, why keys differ, and what may go."""

import json
import os
import re
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tgap.cli.main import command
from tgap.cli.store import WIDTH
from tgap.core.files import write_json
from tgap.store import Artifact, Spec, Store
from tgap.store.remote import VARIABLE
from tgap.tracking import Journal

DAY = 86_400
SPLIT = Spec("split", {"splitting": {"pool_size": 400}, "protocol": {"class": "tgap.p.clean.C"}})


def selection(size: int, selector: str = "random", split: Spec = SPLIT) -> Spec:
    cls = {"class": f"tgap.selectors.{selector}.{selector.title()}", "version": 1}
    identity = {"selector": cls, "seed": 2946228273150320836, "size": size, "unit": "label"}
    return Spec("selection", identity, {"split": split.key})


def keep(home: Path, spec: Spec, days: float = 0, letters: int = 30_000) -> Artifact:
    """Put an artifact into the store that was made so long ago."""

    def make(folder: Path) -> None:
        write_json(folder / "notes.json", "x" * letters)

    made = Store(home / "store").get_or_make(spec, make)
    os.utime(made.folder, (0, time.time() - days * DAY))
    return made


def record(home: Path, key: str, *specs: Spec, ended: bool = True) -> Journal:
    """Write down a run that used artifacts."""
    folder = home / "journal" / "single" / key
    (folder / "files").mkdir(parents=True)
    begin = {"event": "start", "time": 1, "name": "random", "params": {}, "experiment": "tgap"}
    end = {"event": "end", "time": 2, "status": "FAILED"}
    lines = [json.dumps(event) for event in ([begin, end] if ended else [begin])]
    (folder / "journal.jsonl").write_text("\n".join(lines) + "\n")
    plan = {spec.stage + str(n): {"spec": spec.content()} for n, spec in enumerate(specs)}
    (folder / "files" / "artifacts.json").write_text(json.dumps(plan))
    return Journal(folder)


@pytest.fixture
def kept(home: Path) -> dict[str, Artifact]:
    small, large = selection(50), selection(100, "k_center")
    record(home, "a1" * 8, SPLIT, small)
    record(home, "b2" * 8, SPLIT, large)
    return {
        "split": keep(home, SPLIT, days=40, letters=10_000),
        "small": keep(home, small, days=34),
        "large": keep(home, large, days=1, letters=9_000_000),
    }


def told(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    """What a command prints to where results or mistakes belong, in lines of 80 columns."""
    assert command(["store", *words]) == code
    streams = capsys.readouterr()
    assert all(len(line) <= WIDTH for line in streams.out.splitlines())
    return streams.out if code in (0, 1) else streams.err


def names(home: Path) -> set[str]:
    return {path.parent.name for path in (home / "store").glob("*/*/manifest.json")}


def test_a_list_has_size_age_words_and_runs(
    kept: dict[str, Artifact], capsys: pytest.CaptureFixture[str]
) -> None:
    text = told(capsys, "list")
    assert text.splitlines() == [
        "selection: 2 artifacts, 9.0 MB",
        f"  {kept['small'].key[:8]}    31 kB   34 days  random, size 50",
        "            used by a1a1a1a1",
        f"  {kept['large'].key[:8]}   9.0 MB      24 h  k_center, size 100",
        "            used by b2b2b2b2",
        "split: 1 artifact, 11 kB",
        f"  {kept['split'].key[:8]}    11 kB   40 days  pool size 400, clean",
        "            used by a1a1a1a1, b2b2b2b2",
        "all: 3 artifacts, 9.0 MB",
    ]
    assert told(capsys, "list", "split").startswith("split: 1 artifact")
    assert "nothing of a stage 'splt'; did you mean 'split'?" in told(
        capsys, "list", "splt", code=2
    )


def test_verify_names_what_is_damaged_and_mends(
    kept: dict[str, Artifact], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told(capsys, "verify") == "3 artifacts, 9.0 MB: nothing damaged\n"
    path = kept["large"].folder / "notes.json"
    times = path.stat()
    with path.open("rb+") as file:
        file.seek(8_000_000)
        file.write(b"y")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    (kept["small"].folder / "manifest.json").write_text("{}")
    text = told(capsys, "verify", code=1)
    assert f"damaged: selection {kept['large'].key[:8]}: notes.json has changed since" in text
    assert f"damaged: selection {kept['small'].key[:8]}: its manifest.json cannot be read" in text
    assert "3 artifacts, 9.0 MB: 2 damaged" in text
    assert "1 artifact" in told(capsys, "verify", kept["split"].key[:5])
    assert "damaged: tgap store verify" in told(capsys, "list")
    assert "moved to" in told(capsys, "verify", "--mend", code=1)
    assert names(home) - {"damaged"} == {kept["split"].key} | {
        path.name for path in (home / "store" / "damaged").iterdir()
    }
    assert "nothing damaged" in told(capsys, "verify")
    assert "set aside as damaged: 2, 9.0 MB" in told(capsys, "list")


def test_what_is_made_anew_while_it_is_verified_stays(
    kept: dict[str, Artifact],
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = [["it was damaged"], *[[]] * 3]
    monkeypatch.setattr("tgap.store.catalogue.problems_of", lambda entry: found.pop(0))
    before = names(home)
    text = told(capsys, "verify", "--mend", code=1)
    assert "damaged: " in text
    assert "it was made anew meanwhile, and is whole" in text
    assert names(home) == before


def test_why_follows_inputs_to_the_settings_that_differ(
    kept: dict[str, Artifact], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Spec("split", {**SPLIT.identity, "splitting": {"pool_size": 500}})
    keep(home, other)
    there = keep(home, selection(50, split=other))
    assert told(capsys, "why", kept["small"].key[:6], there.key[:6]).splitlines() == [
        f"selection {kept['small'].key[:8]}",
        f"selection {there.key[:8]}",
        "differ in (first | second):",
        f"  made from another split ({SPLIT.key[:8]} | {other.key[:8]}):",
        "    splitting.pool_size: 400 | 500",
    ]
    text = told(capsys, "why", kept["small"].key, kept["large"].key)
    assert "  selector: random | k_center\n  size: 50 | 100\n" in text
    assert "made from" not in text
    assert "nothing: it is the same key" in told(capsys, "why", there.key, there.key)
    text = told(capsys, "why", SPLIT.key, there.key)
    assert "one is of stage split, the other of selection" in text
    # what was removed is known to the journal, and what no one knows is said so
    told(capsys, "remove", SPLIT.key, other.key, "--yes")
    text = told(capsys, "why", kept["small"].key, there.key)
    assert f"what {other.key[:8]} is, neither store nor journal knows" in text


def test_whole_numbers_and_fractions_differ(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = keep(home, Spec("a", {"rate": 1})), keep(home, Spec("a", {"rate": 1.0}))
    assert "  rate: 1 | 1.0\n" in told(capsys, "why", one.key, other.key)
    more = keep(home, Spec("a", {"rate": 1, "more": None}, {"split": SPLIT.key}))
    text = told(capsys, "why", one.key, more.key)
    assert "  more: (not there) | null\n" in text
    assert f"split: only the second was made from one ({SPLIT.key[:8]})" in text


@pytest.mark.parametrize(
    ("words", "gone"),
    [
        (["--older-than", "30d"], {"split", "small"}),
        (["--older-than", "5w"], {"split"}),
        (["--larger-than", "1MB"], {"large"}),
        (["--larger-than", "0.02 mb"], {"small", "large"}),
        (["--stage", "selection"], {"small", "large"}),
        (["--stage", "selection", "--older-than", "30d"], {"small"}),
        (["--run", "a1a1"], {"small"}),
        (["--run", "b2b2", "--older-than", "30d"], set()),
        (["--keep-below", "9.02MB"], {"split", "small"}),
        (["--keep-below", "9.02MB", "--stage", "selection"], {"small"}),
        (["--keep-below", "1kB"], {"split", "small", "large"}),
        (["--keep-below", "1GB"], set()),
    ],
)
def test_only_what_is_meant_is_removed(
    kept: dict[str, Artifact],
    home: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    gone: set[str],
) -> None:
    text = told(capsys, "remove", *words, "--yes")
    left = {kept[name].key for name in kept.keys() - gone}
    assert names(home) == left
    assert list((home / "store" / "tmp").iterdir()) == []
    assert ("nothing to remove" in text) == (not gone)


def test_it_says_what_it_means_and_asks(
    kept: dict[str, Artifact],
    home: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "Nobody is there to answer: add --yes" in told(
        capsys, "remove", kept["split"].key[:7], code=2
    )
    asked: list[str] = []
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.confirm", asked.append)
    text = told(capsys, "remove", kept["split"].key[:7], code=1)
    assert f"  split        {kept['split'].key[:8]}    11 kB   40 days  pool size 400" in text
    assert "used by 2 recorded runs, 2 kept artifacts came of it" in text
    assert asked == ["remove 1 artifact (11 kB)?"]
    assert "nothing was removed" in text
    assert len(names(home)) == 3
    monkeypatch.setattr("click.confirm", lambda question: True)
    assert "removed 1 artifact, 11 kB" in told(capsys, "remove", kept["split"].key[:7])
    assert len(names(home)) == 2


def test_what_a_job_uses_or_makes_stays(
    kept: dict[str, Artifact], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    going = record(home, "c3" * 8, SPLIT, ended=False)
    with going.locked():
        text = told(capsys, "remove", "--larger-than", "0MB", "--yes")
    assert f"stays: split {SPLIT.key[:8]}, which run c3c3c3c3 uses right now" in text
    assert names(home) == {SPLIT.key}
    cut_off = told(capsys, "remove", "--larger-than", "0MB", "--yes")
    assert "removed 1 artifact" in cut_off

    def remove(folder: Path) -> None:
        write_json(folder / "notes.json", 1)
        (home / "store" / "split" / SPLIT.key).mkdir()
        assert "which is being made or sent right now" in told(
            capsys, "remove", "--stage", "split", "--yes"
        )
        (home / "store" / "split" / SPLIT.key).rmdir()

    assert not Store(home / "store").get_or_make(SPLIT, remove).reused


@pytest.mark.parametrize("planned", [(SPLIT,), ()])
def test_what_a_job_uses_that_begins_while_it_asks_stays(
    kept: dict[str, Artifact],
    home: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    planned: tuple[Spec, ...],
) -> None:
    """Also if it has not written down yet what it uses."""
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    with ExitStack() as going:

        def begin(question: str) -> bool:
            journal = record(home, "c3" * 8, *planned, ended=False)
            if not planned:
                (journal.folder / "files" / "artifacts.json").unlink()
            going.enter_context(journal.locked())
            return True

        monkeypatch.setattr("click.confirm", begin)
        text = told(capsys, "remove", SPLIT.key)
    assert f"stays: split {SPLIT.key[:8]}, which run c3c3c3c3 uses right now" in text
    assert "removed 0 artifacts, 0 B" in text
    assert SPLIT.key in names(home)


@pytest.mark.parametrize(
    ("words", "mistake"),
    [
        (["list"], r"the store .*store is empty; tgap run makes artifacts"),
        (["verify"], "is empty"),
        (["remove", "--older-than", "1d"], "is empty"),
        (["why", "abcd", "abcd"], "the store is empty"),
    ],
)
def test_an_empty_store_is_told(
    capsys: pytest.CaptureFixture[str], words: list[str], mistake: str
) -> None:
    assert re.search(mistake, told(capsys, *words, code=2))


@pytest.mark.parametrize(
    ("words", "mistake"),
    [
        (["why", "zzzz", "abcd"], "no artifact has the key 'zzzz'"),
        (["verify", "ab"], "a key needs at least 4 letters, got 'ab'"),
        (["remove"], "say what to remove: keys, --stage"),
        (["remove", "--older-than", "30"], "one of m, h, d, w, such as 30d; got '30'"),
        (["remove", "--larger-than", "-1GB"], "of kB, MB, GB, TB, such as 1GB; got '-1GB'"),
        (["remove", "--run", "ffff"], "no run has the key or MLflow id 'ffff'"),
        (["remove", "--stage", "x"], "nothing of a stage 'x'"),
        (["push"], "there is no second level: set TGAP_STORE_REMOTE to a URL"),
    ],
)
def test_mistakes_are_told(
    kept: dict[str, Artifact], capsys: pytest.CaptureFixture[str], words: list[str], mistake: str
) -> None:
    assert mistake in told(capsys, *words, code=2)


def test_an_ambiguous_key_is_told(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = ["abcd" + "0" * 16, "abcd" + "1" * 16]
    for key in keys:
        (home / "store" / "split" / key).mkdir(parents=True)
    assert f"'abcd' begins 2 keys: {keys[0]}, {keys[1]}" in told(capsys, "verify", "abcd", code=2)


def test_a_store_that_may_not_be_read_is_told(
    kept: dict[str, Artifact], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*args: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", denied)
    text = told(capsys, "list", code=2)
    assert "cannot read the store" in text
    assert "Permission denied; change the folder's permissions" in text


def test_push_sends_what_is_whole(
    kept: dict[str, Artifact],
    home: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv(VARIABLE, "memory://tgap-tests-push")
    (kept["small"].folder / "notes.json").write_text("{}")
    text = " ".join(told(capsys, "push", code=1).split())
    assert f"damaged, and not sent: selection {kept['small'].key[:8]}: notes.json has" in text
    assert "sent 2 of 3 artifacts to memory://" in text
    assert "sent 0 of 3" in told(capsys, "push", code=1)
    fetched = Store(tmp_path / "other").get_or_make(SPLIT, lambda folder: pytest.fail("made"))
    assert fetched.reused


@pytest.mark.parametrize(
    "damage",
    [
        '{"scores": {"spec": {"layout": 3, "stage": "s", "identity": {"a": NaN}, "upstream": {}}}}',
        '{"scores": {"spec": {"stage": "s"}}}',
        '{"scores": {"spec": 5}}',
        "[" * 100_000,
    ],
)
def test_a_record_that_is_damaged_is_told_and_left_out(
    kept: dict[str, Artifact],
    home: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    damage: str,
) -> None:
    folder = record(home, "c3" * 8, SPLIT).folder
    (folder / "files" / "artifacts.json").write_text(damage)
    small, large = kept["small"].key, kept["large"].key
    for words in (["list"], ["why", small, large], ["remove", small[:8], "--yes"]):
        assert command(["store", *words]) == 0
        assert "artifacts.json is damaged" in caplog.text
        assert f"delete the folder {folder}" in caplog.text
        assert "used by c3" not in capsys.readouterr().out
        caplog.clear()
    assert small not in names(home)
