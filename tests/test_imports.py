"""Imports go one way, and configurations are cheap."""

import ast
import subprocess
import sys
from pathlib import Path

import tgap
from tgap.composition.registry import GROUPS

ROOT = Path(tgap.__file__).parent
LIBRARIES = ("tgap.generators.latent",)
"""Packages in a group's that hold no components: finetuners work on the models that they load."""
PACKAGES = sorted({ROOT.parent / group.package.replace(".", "/") for group in GROUPS.values()})
LEAVES = {"core"}


def imported(file: Path) -> set[str]:
    """Every module that a file names in an import, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def component_files() -> list[Path]:
    files = [file for package in PACKAGES for file in package.rglob("*.py")]
    assert len(files) > 20
    return sorted(set(files))


def test_components_know_no_hydra_no_mlflow_and_no_pipeline() -> None:
    for file in component_files():
        for module in imported(file):
            root = module.partition(".")[0]
            assert root not in ("hydra", "omegaconf", "mlflow"), f"{file} imports {module}"


def test_components_import_leaves_their_own_group_and_other_groups_bases() -> None:
    for file in component_files():
        own = "tgap." + file.relative_to(ROOT).parts[0]
        for module in imported(file):
            if not module.startswith("tgap.") or module.startswith(own):
                continue
            part = module.split(".")[1]
            if module.startswith(LIBRARIES):
                continue
            assert part in LEAVES or "base" in module.split(".") or part == "metrics", (
                f"{file} imports {module}"
            )


def test_only_one_file_imports_mlflow() -> None:
    for file in ROOT.rglob("*.py"):
        if file.name == "push.py":
            continue
        assert not any(name.startswith("mlflow") for name in imported(file)), file


def test_metrics_import_core_only() -> None:
    for file in (ROOT / "metrics").glob("*.py"):
        ours = {name.split(".")[1] for name in imported(file) if name.startswith("tgap.")}
        assert ours <= {"core", "metrics"}, file


def test_composing_a_run_imports_nothing_heavy() -> None:
    code = (
        "import sys, tgap; tgap.compose('selector=clip_spectral', 'size=7');"
        "print([m for m in ('torch','mlflow','diffusers','sklearn','scipy','matplotlib')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
