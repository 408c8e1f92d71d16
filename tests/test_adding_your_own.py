"""The examples of ``docs/add_a_*.md`` work as those pages say: in tgap's tree, and outside."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "docs" / "examples"
KINDS = {
    "selector": "herding",
    "finetuner": "attention_only",
    "classifier": "nearest_mean",
    "dataset": "shapes",
    "evaluator": "sharpness",
}
CHOICES = {"evaluator": "+evaluator@evaluators.sharpness"}
"""How a component is chosen, where not by its group alone."""
TINY = (
    "pool_size=200 train_size=100 test_size=100 sampler.steps=2 budget.steps=2 "
    "budget.batch_size=4 budget.train_per_label=24 budget.test_per_label=12 size=12 "
    "tracking.pictures=false tracking.report=false"
).split()


def call(*words: str, folder: Path, path: Path, **variables: str) -> str:
    """Run Python in a folder, with a path before all others."""
    environment = os.environ | {"PYTHONPATH": str(path), "TGAP_HOME": str(folder / ".tgap")}
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=environment | variables,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run_all(folder: Path, path: Path) -> None:
    """All examples through one run, but the generator, which the finetuner cannot tune."""
    chosen = [f"{CHOICES.get(kind, kind)}={name}" for kind, name in KINDS.items()]
    words = [*TINY, *chosen, "selector/embedder=pixels"]
    table = call("-m", "tgap.run", *words, folder=folder, path=path)
    assert "herding+attention_only" in table
    (journal,) = (folder / ".tgap").rglob("journal.jsonl")
    assert "sharpness/ratio" in journal.read_text()


def test_inside_the_package(tmp_path: Path) -> None:
    for part in ("tgap", "conf"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / part, tmp_path / part, ignore=ignored)
    for kind, name in {**KINDS, "generator": "gratings"}.items():
        shutil.copy(EXAMPLES / "tgap_example" / f"{name}.py", tmp_path / "tgap" / f"{kind}s")
    run_all(tmp_path, tmp_path)
    table = call("-m", "tgap.run", *TINY, "generator=gratings", folder=tmp_path, path=tmp_path)
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


def test_from_a_package_of_ones_own_by_entry_point(installed: Path, tmp_path: Path) -> None:
    run_all(tmp_path, installed)


def test_contract_tests_find_them(installed: Path, tmp_path: Path) -> None:
    only = " or ".join([*KINDS.values(), "gratings"])
    options = ["-o", "addopts=", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    contracts = str(ROOT / "tests" / "contracts")
    report = call("-m", "pytest", contracts, "-k", only, *options, folder=tmp_path, path=installed)
    passed = re.search(r"(\d+) passed", report)
    assert passed is not None
    assert int(passed[1]) >= 100


def refused(folder: Path, path: Path, *words: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(path), "TGAP_HOME": str(folder / ".tgap")}
    done = subprocess.run(
        [sys.executable, "-m", "tgap.run", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2, done.stdout + done.stderr
    return done.stderr


def test_checks_and_forecasts_from_outside_are_told_like_a_built_ins(
    installed: Path, tmp_path: Path
) -> None:
    words = ["generator=gratings", "dataset=shapes"]
    missing = refused(
        tmp_path, installed, *words, "dataset.ground=no.npy", "generator.path=nowhere"
    )
    assert "3 problems" not in missing
    assert "dataset.ground: cannot read no.npy" in missing
    assert "generator.path: cannot read waves from nowhere/waves.npy" in missing
    much = ["budget.train_per_label=1000000000000", "sampler.steps=1000"]
    lacking = refused(tmp_path, installed, *words, *much, "dataset.count=1000000000000")
    assert "the decoded images of 'shapes' take about 1024000.0 GB" in lacking
    assert "generator 'gratings' would take an estimated" in lacking


def test_by_a_preset_on_hydras_search_path(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES / "tgap_example", tmp_path / "site" / "tgap_example")
    words = ["selector=clip_herding", "generator=copy_tuning_set", f"--config-dir={EXAMPLES}/conf"]
    trusted = {"TGAP_TRUSTED": "tgap_example"}
    site = tmp_path / "site"
    table = call("-m", "tgap.run", *TINY, *words, folder=tmp_path, path=site, **trusted)
    assert "selector=clip_herding" in table.replace("\n", "")
