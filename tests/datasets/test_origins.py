"""Where datasets and base models come from, as cards tell it."""

from types import SimpleNamespace

import pytest
import yaml

from tgap.composition.registry import component_class, conf_folder, own_components
from tgap.core.origin import UNKNOWN, Origin
from tgap.generators.latent.pretrained import LICENCES
from tgap.generators.stable_diffusion import StableDiffusion


@pytest.mark.parametrize(
    "name", ["digits", "phantom_xray", "nih_chestxray14", "chexpert", "mimic_cxr"]
)
def test_published_datasets_have_a_source_and_a_licence(name: str) -> None:
    assert name in own_components("dataset")
    origin = component_class("dataset", name).origin(SimpleNamespace())
    assert UNKNOWN not in (origin.source, origin.licence)


def test_a_set_of_several_is_told_by_its_name() -> None:
    medmnist, hub = (
        component_class("dataset", "medmnist"),
        component_class("dataset", "huggingface"),
    )
    assert medmnist.origin(SimpleNamespace(flag="pathmnist")).licence_id == "cc-by-4.0"
    assert medmnist.origin(SimpleNamespace(flag="dermamnist")).licence_id == "cc-by-nc-4.0"
    origin = hub.origin(SimpleNamespace(repo="a/b", revision="c"))
    assert (origin.source, origin.hub_id) == ("a/b on the Hugging Face hub at c", "a/b")
    textbook = component_class("dataset", "textbook")
    one = SimpleNamespace(origin=lambda: Origin("X", "Y"))
    other = SimpleNamespace(origin=lambda: Origin())
    both = textbook.origin(SimpleNamespace(real=one, tuning=other))
    assert both.source == f"tuning images: {UNKNOWN}; real images: X"


def test_the_licences_of_all_presets_are_known() -> None:
    presets = [yaml.safe_load(f.read_text()) for f in (conf_folder() / "generator").glob("*.yaml")]
    paths = {(preset.get("generator") or preset).get("path") for preset in presets} - {None}
    assert paths == LICENCES.keys()
    for path in paths:
        origin = StableDiffusion(path=path, revision="abc").origin()
        assert (origin.hub_id, origin.source) == (path, f"{path} on the Hugging Face hub at abc")
        assert UNKNOWN not in origin.licence


def test_files_of_ones_own_are_told_by_their_last_name(tmp_path) -> None:
    (tmp_path / "sd15").mkdir()
    origin = StableDiffusion(path=str(tmp_path / "sd15")).origin()
    assert origin == Origin("files of the person who ran it 'sd15'")
    assert StableDiffusion(packaged="tiny_ldm").origin().licence_id == "apache-2.0"
