"""Several processes that share each step of a training come to what one comes to.

Equal up to rounding: a sum of parts is not rounded as the sum of all is. On the CPU 12 steps of the
small model agree to 1e-5.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.finetuners.teams import CASES

SIZES = (2, pytest.param(3, marks=pytest.mark.long))
of_teams = pytest.mark.parametrize("size", SIZES)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """What each process came to: by case, size of the team, and number."""
    folder, root = tmp_path_factory.mktemp("teams"), Path(__file__).parents[2]

    trained: set[int] = set()

    def train(sizes: set[int]) -> None:
        if not (new := sizes - trained):
            return
        trained.update(new)
        subprocess.run(
            [sys.executable, "-m", "tests.finetuners.teams", folder, *map(str, sorted(new))],
            cwd=root,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(root)},
            check=True,
            timeout=600,
        )

    def read(case: str, size: int, rank: int = 0) -> dict[str, np.ndarray]:
        train({1, max(size, 2)})
        return dict(np.load(folder / case / f"{size}.{rank}.npz"))

    return read


@of_teams
@pytest.mark.parametrize("case", [name for name in CASES if not name.startswith("dropout")])
def test_a_team_comes_to_what_one_process_comes_to(made, case, size):
    team, alone = made(case, size), made(case, 1)
    assert alone["told"].shape == team["told"].shape
    for name, expected in alone.items():
        np.testing.assert_allclose(team[name], expected, rtol=1e-5, atol=1e-5)
    assert np.abs(alone["told"][:, 0]).min() > 1e-3, "losses that are 0 would show nothing"


@of_teams
@pytest.mark.parametrize("case", CASES)
def test_all_of_a_team_have_the_same_model(made, case, size):
    for rank in range(1, size):
        for name, expected in made(case, size).items():
            assert (made(case, size, rank)[name] == expected).all(), (name, rank)


@of_teams
@pytest.mark.parametrize(
    ("one", "other"), [("dropout", "dropout again"), ("oracle", "oracle, interrupted")]
)
def test_a_team_comes_to_the_same_again(made, one, other, size):
    for name, expected in made(one, size).items():
        assert (made(other, size)[name] == expected).all(), name


@of_teams
def test_dropout_is_each_parts_own(made, size):
    """Other masks than one process draws, and noise that is the same for all."""
    team, alone = made("dropout", size), made("dropout", 1)
    assert np.abs(team["weights"] - alone["weights"]).max() > 1e-5
