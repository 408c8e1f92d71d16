"""The plan of the house: imports go down, components know no concrete others, start-up is cheap."""

import ast
import inspect
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import tgap
from tgap.composition import registry
from tgap.core import ContractError

ROOT = Path(tgap.__file__).parent
LAYERS = """
run
cli __init__
sweeps labelling
pipeline
composition
finetuners evaluators report drawings
generators selectors classifiers analysis
datasets protocols prompts embedders metrics store tracking
core
""".split("\n")[1:-1]
"""Rooms of the house, top to bottom: each imports only from layers below its own."""
GROUPS = sorted({base.__module__.split(".")[1] for base in registry.GROUPS.values()})
HEAVY = ("torch", "mlflow", "diffusers", "sklearn", "scipy", "matplotlib", "pandas")


def modules() -> dict[str, Path]:
    """Every module of tgap, by its dotted name."""
    found = {}
    for file in sorted(ROOT.rglob("*.py")):
        parts = file.relative_to(ROOT.parent).with_suffix("").parts
        if "conf" not in parts and "contracts" not in parts:
            found[".".join(parts).removesuffix(".__init__")] = file
    assert len(found) > 150
    return found


MODULES = modules()


def imported(file: Path) -> Iterator[str]:
    """Every module that a file names in an import, also inside functions and for types only."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in MODULES else node.module


def ours(module: str) -> set[str]:
    return {name for name in imported(MODULES[module]) if name.startswith("tgap")} - {module}


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else "__init__"


def layer_of(module: str) -> int:
    (layer,) = (n for n, rooms in enumerate(reversed(LAYERS)) if room_of(module) in rooms.split())
    return layer


def test_imports_go_down() -> None:
    assert len(LAYERS) <= 9
    wrong = [
        f"{module} imports {other}"
        for module in MODULES
        for other in sorted(ours(module))
        if room_of(other) != room_of(module) and layer_of(other) >= layer_of(module)
    ]
    assert wrong == []


def test_modules_form_no_circle() -> None:
    """Of a package's ``__init__`` that hands things on, what it hands on is meant."""
    packages = {m for m in MODULES if MODULES[m].name == "__init__.py" and m != "tgap"}
    handed_on = {package: ours(package) - packages for package in packages}
    arrows = {
        module: set().union(*(handed_on.get(other, {other}) for other in ours(module))) - {module}
        for module in MODULES.keys() - packages
    }
    while arrows:
        leaves = {module for module, others in arrows.items() if not others & arrows.keys()}
        assert leaves, f"a circle among {sorted(arrows)}"
        arrows = {module: others for module, others in arrows.items() if module not in leaves}


def components() -> dict[str, str]:
    """The modules of tgap's own components, and their groups."""
    found = {
        registry.component_class(group, name).__module__: group
        for group in registry.GROUPS
        for name in registry.own_components(group)
    }
    assert len(found) >= 60
    return found


def test_a_component_imports_core_metrics_its_group_and_others_bases() -> None:
    library = "tgap.generators.latent"  # finetuners work on the models that it loads
    wrong = [
        f"{module} imports {other}"
        for module in MODULES
        if room_of(module) in GROUPS
        for other in sorted(ours(module))
        if room_of(other) not in ("core", "metrics", room_of(module))
        and not other.endswith(".base")
        and not other.startswith(library)
    ]
    assert wrong == []


def test_nothing_above_a_group_names_a_component() -> None:
    concrete = components()
    wrong = [
        f"{module} imports {other}"
        for module in MODULES
        if room_of(module) not in GROUPS
        for other in sorted(ours(module) & concrete.keys())
    ]
    assert wrong == []


def test_everything_in_core_is_imported_by_a_group() -> None:
    """By way of ``tgap.core``, from the module itself, or by a part of core that they import."""
    in_groups = set().union(*(ours(module) for module in MODULES if room_of(module) in GROUPS))
    core = {module for module in MODULES if room_of(module) == "core"}
    reached = in_groups | ours("tgap.core")
    reached |= set().union(*(ours(module) for module in core & reached))
    assert core - reached == set()


def test_a_groups_folder_holds_its_base_and_its_components(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for group in registry.GROUPS:
        folder = Path(inspect.getfile(registry.GROUPS[group])).parent
        files = {file.stem for file in folder.glob("*.py")} - {"__init__", "base"}
        assert files == registry.own_components(group).keys()
    (tmp_path / "helpers.py").write_text("NUMBER = 1\n")
    package = import_module("tgap.selectors")
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    registry.components_beside.cache_clear()
    with pytest.raises(ContractError, match=r"tgap\.selectors\.helpers holds no Selector"):
        registry.own_components("selector")
    monkeypatch.undo()
    registry.components_beside.cache_clear()


def test_no_two_classes_have_one_name() -> None:
    """Components aside, whose names are unique within their groups."""
    concrete = components()
    names = Counter(
        node.name
        for module, file in MODULES.items()
        if module not in concrete
        for node in ast.parse(file.read_text("utf-8")).body
        if isinstance(node, ast.ClassDef)
    )
    assert [name for name, count in names.items() if count > 1] == []


def test_libraries_of_the_frame_stay_out_of_components() -> None:
    for module, file in MODULES.items():
        roots = {name.partition(".")[0] for name in imported(file)}
        if room_of(module) in GROUPS:
            assert not roots & {"hydra", "omegaconf", "mlflow"}, module
        assert "mlflow" not in roots or module == "tgap.tracking.push", module


@pytest.mark.parametrize(
    "code",
    [
        "import tgap; tgap.compose('selector=clip_spectral', 'size=7')",
        "import tgap.sweeps.launch, tgap.pipeline.stages",  # a run that is in the store
    ],
)
def test_what_starts_a_run_imports_nothing_heavy(code: str) -> None:
    code = f"{code}; import sys; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_one_module_starts_the_processes_that_tgap_talks_to() -> None:
    starting = [module for module, file in MODULES.items() if "subprocess.PIPE" in file.read_text()]
    assert starting == ["tgap.pipeline.sharing.child"]
