"""Two identical commands at once: what one makes the other does not, and there is one run."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.sweeps.conftest import SHORT
from tgap.sweeps.records import records

TELLS_WHAT_IT_MAKES = """
import sys
from tgap.cli.main import run_command
from tgap.store import store

call = store._call


def told(make, folder, spec):
    with open(sys.argv[1], "a") as made:
        made.write(f"{spec.stage}/{spec.key}\\n")
    return call(make, folder, spec)


store._call = told
sys.exit(run_command(sys.argv[2:]))
"""


@pytest.mark.long
@pytest.mark.parametrize("sweep", [[], ["-m"]])
def test_each_stage_is_made_once_and_the_run_is_recorded_once(
    sweep: list[str], tables: Path, tmp_path: Path
) -> None:
    """In a sweep the workers make them, so there only the store and MLflow are looked at."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "mlflow.db").write_bytes(tables.read_bytes())
    words = [word for word in SHORT if not word.startswith("selector")] + sweep
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "TGAP_HOME": str(home), "PYTHONPATH": root}
    command = [sys.executable, "-c", TELLS_WHAT_IT_MAKES, str(tmp_path / "made"), *words]
    both = [
        subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    told = [process.communicate(timeout=300)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    stored = {"/".join(path.parts[-3:-1]) for path in home.glob("store/*/*/manifest.json")}
    if not sweep:
        made = (tmp_path / "made").read_text().splitlines()
        assert sorted(made) == sorted(stored) != []
    assert not list(home.glob("store/damaged/*"))
    (record,) = records(home)
    assert record.status == "finished"
    with closing(sqlite3.connect(home / "mlflow.db")) as connection:
        runs = connection.execute("SELECT name, status FROM runs").fetchall()
    names = [record.name, *(("digits: 1 run", "by size: noise") if sweep else ())]
    assert sorted(runs) == sorted((name, "FINISHED") for name in names)
    assert "Traceback" not in "".join(told)
