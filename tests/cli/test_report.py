"""``tgap report``, the files of ``tgap compare``, and the page at the end of a run."""

import contextlib
import csv
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import logging_kept
from tests.report.runs.reading import check
from tgap.cli.main import command, run_command
from tgap.sweeps import isolation, reporting

TINY = (
    "size=12 pool_size=200 train_size=100 test_size=100 budget.train_per_label=24 "
    "budget.test_per_label=12 sampler.steps=1 classifier.epochs=1 evaluators.two_way.resamples=100 "
    "evaluators.baselines.shuffled=false"
).split()
SWEEP = [*TINY, "generator=tiny_ldm,held_out_real", "finetuner=none", "seed=0,1", "-m"]


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The folder of a sweep, and what it printed."""
    folder, printed = tmp_path_factory.mktemp("swept"), io.StringIO()
    with isolation.kept():  # the worker stays for the other sweep
        with (
            pytest.MonkeyPatch.context() as patch,
            contextlib.redirect_stdout(printed),
            logging_kept(),
        ):
            patch.chdir(folder)
            assert run_command(SWEEP) == 0
        yield folder, printed.getvalue()


@pytest.fixture
def folder(swept: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(swept[0])
    monkeypatch.delenv("TGAP_HOME")
    return swept[0]


def test_a_sweep_ends_with_a_page_about_its_runs(swept: tuple[Path, str], folder: Path) -> None:
    (page,) = folder.glob("multirun/*/*/report.html")
    *_, last = swept[1].splitlines()
    assert last == f"report: {page.relative_to(folder)} (also .tgap/report.html)"
    read = check(page.read_text("utf-8"))
    assert "4 finished runs." in read.text
    assert "tgap run size=12" in read.text
    assert (folder / ".tgap" / "report.html").read_bytes() == page.read_bytes()
    images = [given["alt"] for given in read.of("img")]
    assert any(alt.startswith("8 synthetic images of even") for alt in images)
    assert any("highest similarity" in alt for alt in images)


def test_a_run_that_failed_is_missing_on_the_page(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TGAP_HOME", str(folder / ".tgap"))
    words = [*TINY, "finetuner=none,dreambooth", "budget.steps=2", "budget.batch_size=4", "seed=7"]
    words += ["finetuner.prior_weight=0", "finetuner.warmup=0", "budget.learning_rate=1", "-m"]
    assert run_command(words) == 1
    (page,) = tmp_path.glob("multirun/*/*/report.html")
    read = check(page.read_text("utf-8"))
    assert "1 finished run; 1 asked for and not finished, shown as missing" in read.text


def test_where_all_was_there_no_page_is_written_and_the_latest_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "try_report", lambda *_: pytest.fail("a page was made"))
    assert run_command(SWEEP) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "latest report: .tgap/report.html"


def test_a_run_goes_on_without_a_page_if_that_fails(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no ink")

    monkeypatch.setattr(reporting, "content_of", broken)
    assert run_command([*TINY, "generator=noise", "seed=5"]) == 0
    told = capsys.readouterr()
    assert "noise" in told.out
    assert "no report was written: no ink" in told.out + told.err
    assert not list(folder.glob("outputs/*/*/report.html"))


def test_no_page_is_written_where_nobody_wants_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "try_report", lambda *_: pytest.fail("a page was made"))
    assert run_command([*TINY, "generator=noise", "seed=6", "tracking.report=false"]) == 0


def test_a_report_is_a_folder_of_a_page_and_tables(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report"
    assert command(["report", "seed=0,1", "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"report: {out}/index.html (4 finished runs)\n"
    read = check((out / "index.html").read_text("utf-8"))
    assert f"tgap report seed=0,1 --out {out}" in read.text
    names = {path.name for path in out.iterdir()}
    for table in ("leaderboard", "labels", "likeness", "cost", "runs"):
        assert {f"{table}.md", f"{table}.csv", f"{table}.tex"} <= names
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert command(["report", "seed=0,1", "--out", str(out)]) == 0
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_the_reference_is_compared_with(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "report"
    words = ["--reference", "held_out_real", "--out", str(out)]
    assert command(["report", "seed=0,1", *words]) == 0
    text = (out / "differences.csv").read_text("utf-8")
    assert text.splitlines()[1].startswith("none - held_out_real at 12,")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["size"], "'size' must be name=value, e.g. size=500"),
        (["size=13"], "no run has size=13"),
        (["sise=12"], "no run has a parameter 'sise'; did you mean 'size'?"),
        (["--reference", "nobody"], "no method is called 'nobody'"),
        (["--experiment", "other"], "no run of experiment 'other' was recorded"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_written(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    assert command(["report", *words, "--out", str(tmp_path / "out")]) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_empty_store_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["report", "--out", str(tmp_path / "out")]) == 2
    assert "no run of experiment 'tgap' was recorded" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_of_other_things_is_left_alone(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    assert command(["report", "--out", str(tmp_path)]) == 2
    assert "holds what is no report of tgap (thesis.tex)" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_artifacts_that_were_removed_are_shown_as_missing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    shutil.copytree(folder / ".tgap" / "journal", home / "journal")
    shutil.copytree(folder / ".tgap" / "store", home / "store")
    for stage in ("selection", "scores"):
        shutil.rmtree(home / "store" / stage)
    monkeypatch.setenv("TGAP_HOME", str(home))
    assert command(["report", "--out", str(tmp_path / "out")]) == 0
    read = check((tmp_path / "out" / "index.html").read_text("utf-8"))
    assert "Not shown: tuning images: the run's tuning set is not in the store" in read.text
    assert "ROC curves" not in [text for _, text in read.headings]
    assert read.of("img")  # what is there is shown
    shutil.rmtree(home / "store")
    assert command(["report", "--out", str(tmp_path / "out")]) == 0
    read = check((tmp_path / "out" / "index.html").read_text("utf-8"))
    assert "Not shown: synthetic images: the run's synthetic set is not in the store" in read.text
    assert str(tmp_path) not in read.text.replace(str(tmp_path / "out"), "")
    assert not read.of("img")


def test_compare_writes_what_it_shows(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {end: tmp_path / f"table.{end}" for end in ("csv", "tex", "json")}
    flags = ["--csv", files["csv"], "--latex", files["tex"], "--json", files["json"]]
    assert command(["compare", "seed=0,1", *map(str, flags)]) == 0
    assert "held_out_real" in capsys.readouterr().out  # the table all the same
    lines = list(csv.DictReader(io.StringIO(files["csv"].read_text("utf-8"))))
    rows = json.loads(files["json"].read_text("utf-8"))["rows"]
    assert [line["method"] for line in lines] == [one["method"] for one in rows]
    for line, one in zip(lines, rows, strict=True):
        assert float(line["TSTR"]) == one["numbers"]["tstr/auroc"]["mean"]
    assert "held\\_out\\_real & 12 & 2 & " in files["tex"].read_text("utf-8")


def test_compare_prints_one_text_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["compare", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"]
    assert command(["compare", "--json", "-", "--csv", "-"]) == 2
    assert "--csv and --json both print; give one of them a file" in capsys.readouterr().err
    assert command(["compare", "--latex", "-", "--markdown"]) == 2
    assert "--latex and --markdown both print" in capsys.readouterr().err


@pytest.mark.parametrize("ending", ["svg", "png", "pdf"])
def test_compare_draws_its_figures(folder: Path, tmp_path: Path, ending: str) -> None:
    files = [tmp_path / f"{name}.{ending}" for name in "ab"]
    for file in files:
        assert command(["compare", "--plot", str(file)]) == 0
    start = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}[ending]
    assert files[0].read_bytes().startswith(start)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"a.{ending}", f"b.{ending}"]


@pytest.mark.parametrize(
    ("file", "told"), [("a.txt", "ends in svg, png, pdf; got"), ("no/a.svg", "there is no folder")]
)
def test_compare_says_what_it_cannot_draw(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str, told: str
) -> None:
    assert command(["compare", "--plot", str(tmp_path / file)]) == 2
    assert told in capsys.readouterr().err


def test_compare_says_what_it_cannot_write(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(["compare", "--csv", str(tmp_path / "no" / "a.csv")]) == 2
    assert "cannot write the table" in capsys.readouterr().err


def test_the_thesis_s_numbers_stand_beside_ours(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(["compare", "--with", "thesis"]) == 0
    text = capsys.readouterr().out
    assert "T-Gap" in text  # our own table comes first
    assert "## Beside the thesis" in text
    assert "### Set apart, not to be read as the same experiment: other images: digits" in text
    assert "The thesis gives no interval" in text
    file = tmp_path / "beside.csv"
    assert command(["compare", "--with", "thesis", "--csv", str(file)]) == 0
    lines = list(csv.DictReader(io.StringIO(file.read_text())))
    assert {line["method"].split(" (")[0] for line in lines} == {"none"}
    assert "0.397" in {line["thesis"] for line in lines}
    assert command(["compare", "--with", "thesis", "--json", "-"]) == 2
    assert "--json holds no published numbers" in capsys.readouterr().err
