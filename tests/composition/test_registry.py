"""Every component is found, has a typed schema, and is built from data and from nothing else."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

import tgap
from tgap.composition import building, registry, schema
from tgap.composition.compose import compose_run, hydra_ready
from tgap.composition.config import Run
from tgap.composition.registry import conf_folder, options
from tgap.core import ConfigError, Sampler
from tgap.datasets.phantoms.writing import write_nih
from tgap.selectors.base import Selector
from tgap.selectors.clustered import Clustered
from tgap.selectors.clusterers.spectral import Spectral
from tgap.selectors.random import Random

KNOWN = {
    "dataset": [
        "digits",
        "huggingface",
        "image_folder",
        "medmnist",
        "nih_chestxray14",
        "phantom_xray",
        "textbook",
    ],
    "dataset/tuning": ["image_folder"],
    "dataset/real": ["nih_chestxray14", "phantom_xray"],
    "protocol": ["clean", "cross_fit", "thesis"],
    "selector": ["clustered", "random", "whole"],
    "selector/embedder": ["classifier", "clip", "pixels"],
    "selector/cluster": ["findings", "kmeans", "spectral"],
    "selector/allocate": ["equal", "proportional", "temperature", "water_filling"],
    "selector/pick": ["closest", "farthest_first", "random"],
    "prompts": ["attributes", "template"],
    "generator": [
        "copy_tuning_set",
        "copy_with_jitter",
        "held_out_real",
        "interpolate",
        "noise",
        "one_image_per_label",
        "ready_made",
        "stable_diffusion",
        "stable_diffusion_3",
        "stable_diffusion_xl",
        "wrong_labels",
    ],
    "generator/images": ["digits", "image_folder"],
    "generator/tuned_on": ["digits", "image_folder"],
    "finetuner": [
        "dreambooth",
        "dreambooth_lora",
        "none",
        "textual_inversion",
        "textual_projection",
    ],
    "finetuner/oracle": ["boundary", "inverse", "none", "quantile", "random_skip", "similarity"],
    "finetuner/oracle/score": ["generated", "loss", "one_step"],
    "finetuner/oracle/score/embedder": ["clip", "pixels"],
    "finetuner/oracle/embedder": ["clip", "pixels"],
    "drawing": ["best_of", "plain", "rejection", "value_based", "variation"],
    "drawing/judge": ["classifier", "clip"],
    "drawing/judge/embedder": ["clip", "pixels"],
    "drawing/reward": ["label", "likeness", "novelty", "uncertainty"],
    "drawing/reward/embedder": ["clip", "pixels"],
    "classifier": ["chexnet", "logistic_regression", "small_cnn", "timm"],
    "classifier/augment": ["dsu", "fourier", "mixstyle", "none"],
    "classifier/embedder": ["classifier", "clip", "pixels"],
    "evaluator": [
        "adaptation",
        "augmentation",
        "baselines",
        "factors",
        "fidelity",
        "memorization",
        "occlusion",
        "subgroups",
        "two_way",
        "unlabelled",
    ],
    "evaluator/embedder": ["classifier", "clip", "pixels"],
}
ALL = [(group, name) for group in registry.GROUPS for name in registry.names(group)]


def test_the_known_components_are_found() -> None:
    assert set(KNOWN) == set(registry.GROUPS)
    for group, names in KNOWN.items():
        assert set(names) <= set(registry.names(group))


@pytest.mark.parametrize(("group", "name"), ALL)
def test_a_component_is_documented_and_its_options_have_help(group: str, name: str) -> None:
    import dataclasses

    cls = registry.component_class(group, name)
    assert cls.__doc__
    assert not cls.__doc__.startswith(f"{cls.__name__}(")
    for f in dataclasses.fields(cls):
        assert f.metadata.get("help"), f"{cls.__name__}.{f.name} has no help"


@pytest.fixture(scope="module")
def xrays(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for presets of data that are not packaged."""
    folder = tmp_path_factory.mktemp("data") / "nih"
    write_nih(folder, 4, 16)
    return folder


@pytest.mark.parametrize(
    ("group", "file"),
    [(g, f.stem) for g in registry.GROUPS for f in (conf_folder() / g).glob("*.yaml")],
)
def test_every_preset_composes_and_says_what_it_is(group: str, file: str, xrays: Path) -> None:
    flow = [f"{node}.scheduler=flow_euler" for node in ("sampler", "prior_sampler")]
    needed = {"nih_512": [f"dataset.path={xrays}"], "stable_diffusion_35_medium": flow}
    words = needed.get(file, [])
    with hydra_ready() as hydra:
        run = compose_run(hydra, [f"{group}={file}", *words])
    assert getattr(run, group).title() == file
    header = (conf_folder() / group / f"{file}.yaml").read_text().split("defaults:")[0]
    assert "Command: python -m tgap.run" in header


def test_presets_are_offered_beside_components() -> None:
    assert "clip_spectral" in options("selector")
    assert "tiny_ldm" in options("generator")


def test_hydra_and_the_constructor_make_the_same() -> None:
    run = tgap.compose("selector=clip_spectral", "selector.cluster.n_clusters=7")
    assert isinstance(run.selector, Clustered)
    assert run.selector.cluster == Spectral(n_clusters=7)
    assert run.sampler == Sampler()
    assert tgap.compose("selector=random").selector == Random()


def test_parts_are_overridden_as_groups() -> None:
    run = tgap.compose("selector=clip_spectral", "selector/pick=random", "selector/embedder=clip")
    assert run.selector.embedder_used() is not None


def test_a_saved_config_builds_the_same_run_by_itself() -> None:
    run = tgap.compose("selector=clip_spectral", "size=7", "prompts=findings")
    data = json.loads(json.dumps(schema.data_of(run)))
    assert data["selector"]["cluster"]["_target_"].endswith("spectral.Spectral")
    assert building.build(Run, data) == run


def built(data: dict[str, Any]) -> Any:
    return building.build(Selector, data, "selector")


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("os.system", "the package 'os' is not trusted"),
        ("torch.load", "the package 'torch' is not trusted"),
        ("tgap.core.seeding.seed_for", "only components are built"),
        ("tgap.datasets.digits.Digits", "is no Selector"),
        ("tgap.selectors.base.Selector", "is no Selector"),
        ("tgap.nowhere.Thing", "cannot be imported"),
    ],
)
def test_data_cannot_run_code(target: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        built({"_target_": target})


def test_an_untrusted_package_is_not_even_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "theirs.py").write_text(
        "from tgap.selectors.random import Random\n"
        "open('imported', 'w').close()\n"
        "class Mine(Random):\n    '''Mine.'''\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="TGAP_TRUSTED=theirs"):
        built({"_target_": "theirs.Mine"})
    assert not Path("imported").exists()
    monkeypatch.setenv("TGAP_TRUSTED", "theirs")
    assert built({"_target_": "theirs.Mine"}).stem() == "mine"


def test_all_problems_of_a_node_are_told_together() -> None:
    data = {
        "_target_": "tgap.selectors.clustered.Clustered",
        "clusster": 1,
        "cluster": {"_target_": "tgap.selectors.clusterers.spectral.Spectral", "n_clusters": 1},
    }
    with pytest.raises(ConfigError) as caught:
        built(data)
    assert any("unknown key 'selector.clusster'" in text for text in caught.value.problems)
    assert any("selector.cluster.n_clusters must be at least 2" in t for t in caught.value.problems)


def test_an_unknown_name_tells_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'random'"):
        registry.component_class("selector", "randon")


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Pretends that a package with entry points is installed."""

    def install(code: str, **entry_points: str) -> None:
        lines = [f"{name} = {value}" for name, value in entry_points.items()]
        info = tmp_path / "theirs-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("\n".join(["[tgap.selector]", *lines]))
        (tmp_path / "their_code.py").write_text(code)
        monkeypatch.syspath_prepend(tmp_path)
        registry.installed_components.cache_clear()
        registry._loaded.cache_clear()

    yield install
    sys.modules.pop("their_code", None)
    monkeypatch.undo()
    registry.installed_components.cache_clear()
    registry._loaded.cache_clear()


@pytest.mark.parametrize(
    ("code", "value", "told"),
    [
        ("import no_such_library", "their_code:Mine", "No module named 'no_such_library'"),
        ("1 / 0", "their_code:Mine", "ZeroDivisionError"),
        ("", "their_code:Mine", "has no attribute 'Mine'"),
        ("Mine = dict", "their_code:Mine", "is no Selector; only components are built"),
        (
            "from tgap.selectors.random import Random\nclass Other(Random):\n    'Mine.'",
            "their_code:Other",
            "whose stem is 'other'; entry point and stem must be the same",
        ),
        (
            "from tgap.selectors.random import Random\n"
            "class Mine(Random):\n    'Mine.'\n    k: int = 3",
            "their_code:Mine",
            r"Mine is no dataclass; put @dataclass\(kw_only=True\) above it",
        ),
    ],
)
def test_a_broken_entry_point_is_told_and_stops_nobody_else(
    code: str, value: str, told: str, installed: Any, caplog: pytest.LogCaptureFixture
) -> None:
    installed(code, mine=value)
    assert tgap.compose("selector=random").selector == Random()
    assert "entry point 'mine' (tgap.selector) of 'theirs'" in caplog.text
    with pytest.raises(ConfigError, match=told):
        tgap.compose("selector=mine")


def test_an_entry_point_cannot_take_a_name_of_ours(
    installed: Any, caplog: pytest.LogCaptureFixture
) -> None:
    installed("", random="their_code:Random")
    assert tgap.compose("selector=random").selector == Random()
    assert "entry point 'random' is not used: tgap has a selector of that name" in caplog.text


def test_a_component_outside_counts_by_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "from tgap.selectors.random import Random\nclass Mine(Random):\n    'Mine.'\n"
    (tmp_path / "their_own.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("TGAP_TRUSTED", "their_own")
    before = built({"_target_": "their_own.Mine"}).identity()
    assert built({"_target_": "their_own.Mine"}).identity() == before
    (tmp_path / "their_own.py").write_text(code + "# changed\n")
    assert built({"_target_": "their_own.Mine"}).identity() != before
    assert "source" not in Random().identity()


def test_a_target_without_a_module() -> None:
    with pytest.raises(ConfigError, match="must be a class with its module"):
        built({"_target_": "Random"})


def test_a_trusted_package_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TGAP_TRUSTED", "not_there")
    with pytest.raises(ConfigError, match="is its package installed, or its folder on PYTHONPATH"):
        built({"_target_": "not_there.Mine"})
