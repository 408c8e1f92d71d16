"""Small pipelines with random weights, written once."""

import shutil
from pathlib import Path

import pytest

from tests.contracts.small_pipelines import write_pipeline, write_sd1, write_xl
from tgap.generators.latent.model import StableDiffusionModel
from tgap.generators.stable_diffusion import StableDiffusion


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stable Diffusion's format: 16x16 grey images."""
    path = tmp_path_factory.mktemp("pipeline")
    write_pipeline(path)
    return path


@pytest.fixture(scope="session")
def base(folder: Path) -> StableDiffusion:
    return StableDiffusion(path=str(folder), device="cpu")


@pytest.fixture(scope="module")
def model(base: StableDiffusion) -> StableDiffusionModel:
    return base.load()


@pytest.fixture
def broken(folder: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(folder, tmp_path / "copy"))


@pytest.fixture(scope="session")
def sd1(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder in the layout of Stable Diffusion 1.x, and the same weights in one file."""
    path = tmp_path_factory.mktemp("sd1")
    write_sd1(path / "folder", path / "original.safetensors")
    return path / "folder", path / "original.safetensors"


@pytest.fixture(scope="session")
def xl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stable Diffusion XL's format: 16x16 colour images."""
    path = tmp_path_factory.mktemp("xl")
    write_xl(path)
    return path
