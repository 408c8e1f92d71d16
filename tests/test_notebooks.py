"""Notebooks run from top to bottom, and are committed without output."""

import os
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

SHORT = ", ".join(
    f'"{word}"'
    for word in (
        "pool_size=300 train_size=100 test_size=100 sampler.steps=2 prior_sampler.steps=2 "
        "budget.batch_size=4 evaluators.two_way.resamples=100 ~evaluators.baselines "
        "~evaluators.fidelity ~evaluators.memorization ~evaluators.occlusion "
        "tracking.pictures=false tracking.report=false"
    ).split()
)
"""Words that shorten a run, and leave out the evaluators that no cell reads."""
KEPT = "from tgap.sweeps import isolation\nisolation._keepers.append(None)"
"""The worker of the first sweep does the others' runs too: another one takes as long as many."""
NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


def test_there_are_some() -> None:
    stems = [path.stem for path in NOTEBOOKS]
    assert stems == ["comparing_methods", "first_look", "own_selector"]


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[NotebookNode]]:
    """The cells of every notebook once they have run, one notebook after another in one process.

    A kernel and torch take longer to start than a short notebook runs.
    """
    folder = tmp_path_factory.mktemp("notebooks")
    kept = nbformat.v4.new_code_cell(KEPT)
    whole, ends = nbformat.v4.new_notebook(cells=[kept]), [1]
    shown = os.environ.get("TGAP_EXECUTED_NOTEBOOKS")  # to be looked at: not in short
    for path in NOTEBOOKS:
        cells = nbformat.read(path, as_version=4).cells
        for cell in cells if not shown else ():
            cell.source = re.sub(r"(budget\.\w+)=\d+", r"\1=12", cell.source)
            cell.source = cell.source.replace("words = [", f"words = [{SHORT}, ")
        whole.cells += [*cells, nbformat.v4.new_code_cell("%reset -f")]
        ends.append(len(whole.cells))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TGAP_HOME", str(folder / ".tgap"))
        patch.setenv("IPYTHONDIR", str(folder))
        NotebookClient(whole, timeout=600, resources={"metadata": {"path": folder}}).execute()
    parts = {
        path.stem: whole.cells[a:b]
        for path, a, b in zip(NOTEBOOKS, ends[:-1], ends[1:], strict=True)
    }
    for stem, cells in parts.items() if shown else ():
        nbformat.write(nbformat.v4.new_notebook(cells=cells[:-1]), Path(shown) / f"{stem}.ipynb")
    return parts


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs(path: Path, executed: dict[str, list[NotebookNode]]) -> None:
    outputs = [output for cell in executed[path.stem] for output in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    for output in outputs:
        assert output.get("output_type") != "error"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_progress_is_shown_as_bars(path: Path, executed: dict[str, list[NotebookNode]]) -> None:
    outputs = [output for cell in executed[path.stem] for output in cell.get("outputs", [])]
    bars = [o for o in outputs if "<progress" in o.get("data", {}).get("text/html", "")]
    assert bars or path.stem == "first_look"  # which finds its run in the store of the one before
    red = [output.text for output in outputs if output.get("name") == "stderr"]
    assert not [text for text in red if " INFO " in text]  # of tgap; others may warn


def shown_by(cells: list[NotebookNode]) -> str:
    """What a notebook's cells show as text."""
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    return "\n".join(output.get("data", {}).get("text/plain", "") for output in outputs)


def test_methods_are_compared_over_their_seeds(executed: dict[str, list[NotebookNode]]) -> None:
    text = shown_by(executed["comparing_methods"])
    for method in ("random+dreambooth", "clip_kmeans+dreambooth", "none", "held_out_real"):
        assert re.search(rf"\b{re.escape(method)}\b.* 3 ", text), method


def test_an_own_selector_is_a_method_of_its_own(executed: dict[str, list[NotebookNode]]) -> None:
    text = shown_by(executed["own_selector"])
    assert "array([4, 5, 3])" in text
    for method in ("random+dreambooth", "near_mean+dreambooth"):
        assert re.search(rf"\b{re.escape(method)}\b.* 3 ", text), method


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_committed_without_output(path: Path) -> None:
    for cell in nbformat.read(path, as_version=4).cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
