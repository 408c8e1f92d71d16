"""The examples of ``docs/add_a_*.md`` work as those pages say: in tgap's tree, and outside."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tgap.cli.main import run_command
from tgap.composition import registry

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "docs" / "examples"
KINDS = {
    "selector": "herding",
    "finetuner": "attention_only",
    "classifier": "nearest_mean",
    "dataset": "shapes",
    "evaluator": "sharpness",
    "prompts": "plain_words",
    "protocol": "whole_patients",
    "selector/embedder": "grey_levels",
    "finetuner/oracle": "typical",
    "drawing": "sharpest",
}
FOLDERS = {
    "prompts": "prompts",
    "selector/embedder": "embedders",
    "selector/pick": "selectors/picks",
    "finetuner/oracle": "finetuners/oracles",
}
"""Where a component goes in tgap's tree, where not into ``{group}s``."""
CHOICES = {"evaluator": "+evaluator@evaluators.sharpness"}
"""How a component is chosen, where not by its group alone."""
TINY = (
    "pool_size=200 train_size=100 test_size=100 sampler.steps=2 budget.steps=2 "
    "budget.batch_size=4 budget.train_per_label=24 budget.test_per_label=12 size=12 "
    "tracking.pictures=false tracking.report=false evaluators.two_way.resamples=100 "
    "~evaluators.baselines ~evaluators.fidelity ~evaluators.memorization ~evaluators.occlusion"
).split()


def call(*words: str, folder: Path, path: Path) -> str:
    """Run Python in a folder, with a path before all others."""
    environment = os.environ | {"PYTHONPATH": str(path), "TGAP_HOME": str(folder / ".tgap")}
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


ALL = (*TINY, *(f"{CHOICES.get(kind, kind)}={name}" for kind, name in KINDS.items()))
"""Examples through one run; the finetuner cannot tune the generator, herding has no pick."""
PICK = ("selector=clip_kmeans", "selector.cluster.n_clusters=2", "selector/pick=outermost")
OTHERS = {"generator": "gratings", "selector/pick": "outermost"}


def require_all_ran(table: str, home: Path) -> None:
    assert "herding+attention_only" in table
    journals = [journal.read_text() for journal in home.rglob("journal.jsonl")]
    assert any("sharpness/ratio" in journal for journal in journals)


@pytest.mark.long
def test_inside_the_package(tmp_path: Path) -> None:
    for part in ("tgap", "conf"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / part, tmp_path / part, ignore=ignored)
    for kind, name in (KINDS | OTHERS).items():
        folder = tmp_path / "tgap" / FOLDERS.get(kind, f"{kind}s")
        shutil.copy(EXAMPLES / "tgap_example" / f"{name}.py", folder)
    picked = (*TINY, "generator=copy_tuning_set", *PICK)
    runs = ALL, (*TINY, "generator=gratings"), picked
    code = f"from tgap.cli.main import run_command as r; assert not any(map(r, {runs!r}))"
    table = call("-c", code, folder=tmp_path, path=tmp_path)
    require_all_ran(table, tmp_path / ".tgap")
    assert "gratings" in table


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example package, installed by pip into a folder of its own."""
    folder = tmp_path_factory.mktemp("site")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            "--target",
            str(folder),
            str(EXAMPLES),
        ],
        check=True,
    )
    return folder


@pytest.fixture
def at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], None]]:
    """Puts a folder of packages before all others, in this process, as if it were a fresh one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TGAP_HOME", str(tmp_path / ".tgap"))

    def forget() -> None:
        for name in [name for name in sys.modules if name.partition(".")[0] == "tgap_example"]:
            del sys.modules[name]
        registry.installed_components.cache_clear()
        registry._loaded.cache_clear()

    def put(folder: Path) -> None:
        monkeypatch.syspath_prepend(folder)
        forget()

    yield put
    monkeypatch.undo()
    forget()


def test_from_a_package_of_ones_own_by_entry_point(
    installed: Path,
    at_hand: Callable[[Path], None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    at_hand(installed)
    assert run_command(ALL) == 0
    require_all_ran(capsys.readouterr().out, tmp_path)


def test_contract_tests_find_them(installed: Path, tmp_path: Path) -> None:
    only = " or ".join([*KINDS.values(), *OTHERS.values()])
    options = ["-o", "addopts=", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    contracts = str(ROOT / "tests" / "contracts")
    report = call("-m", "pytest", contracts, "-k", only, *options, folder=tmp_path, path=installed)
    passed = re.search(r"(\d+) passed", report)
    assert passed is not None
    assert int(passed[1]) >= 100


def test_checks_and_forecasts_from_outside_are_told_like_a_built_ins(
    installed: Path, at_hand: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    at_hand(installed)
    words = ["generator=gratings", "dataset=shapes"]
    assert run_command([*words, "dataset.ground=no.npy", "generator.path=nowhere"]) == 2
    missing = capsys.readouterr().err
    assert "3 problems" not in missing
    assert "dataset.ground: cannot read no.npy" in missing
    assert "generator.path: cannot read waves from nowhere/waves.npy" in missing
    much = ["budget.train_per_label=1000000000000", "sampler.steps=1000"]
    assert run_command([*words, *much, "dataset.count=1000000000000"]) == 2
    lacking = capsys.readouterr().err
    assert "the decoded images of 'shapes' take about 1024000.0 GB" in lacking
    assert "generator 'gratings' would take an estimated" in lacking


def test_by_a_preset_on_hydras_search_path(
    tmp_path: Path,
    at_hand: Callable[[Path], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(EXAMPLES / "tgap_example", tmp_path / "site" / "tgap_example")
    at_hand(tmp_path / "site")
    monkeypatch.setenv("TGAP_TRUSTED", "tgap_example")
    words = ["selector=clip_herding", "generator=copy_tuning_set", f"--config-dir={EXAMPLES}/conf"]
    assert run_command([*TINY, *words]) == 0
    assert "selector=clip_herding" in capsys.readouterr().out.replace("\n", "")
