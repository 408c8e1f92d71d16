"""An installed tgap works from any folder, with its configs, weights and contract tests."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TINY = (
    "selector=clip_spectral pool_size=200 train_size=100 test_size=100 sampler.steps=2 "
    "budget.steps=2 budget.batch_size=4 budget.train_per_label=24 budget.test_per_label=12 size=12 "
    "tracking.pictures=false evaluators.two_way.resamples=100 ~evaluators.baselines "
    "~evaluators.memorization ~evaluators.occlusion"
).split()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that tgap's wheel was installed into."""
    folder = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(folder), str(ROOT)], check=True)
    return folder


def call(site: Path, folder: Path, *words: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(site)}
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_is_the_installed_one_that_runs(site: Path, tmp_path: Path) -> None:
    told = call(site, tmp_path, "-c", "import tgap; print(tgap.__file__)")
    assert Path(told.strip()) == site / "tgap" / "__init__.py"
    assert (site / "bin" / "tgap").is_file()


@pytest.mark.long
def test_presets_weights_and_contract_tests_are_there(site: Path, tmp_path: Path) -> None:
    assert "clip_spectral" in call(site, tmp_path, "-m", "tgap.run", "--help")
    options = ["-o", "addopts=", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    options += ["--pyargs", "tgap.contracts", "-k", "pixels"]
    code = "import sys, pytest; from tgap.cli.main import run_command; "
    code += f"sys.exit(run_command({TINY!r}) or pytest.main({options!r}))"
    told = call(site, tmp_path, "-c", code)  # one process, as imports take most of the time
    assert "clip_spectral+dreambooth" in told
    assert (tmp_path / ".tgap" / "store").is_dir()
    assert "TSTR against TRTS" in (tmp_path / ".tgap" / "report.html").read_text("utf-8")
    assert " passed" in told
