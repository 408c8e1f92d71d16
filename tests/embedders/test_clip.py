import json
import random
import shutil
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from tests.closed import closed
from tgap.core import ConfigError, ContractError, DataError, network
from tgap.embedders import clip
from tgap.embedders.clip import Clip, batch_preprocess
from tgap.embedders.pixels import Pixels

MODEL = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 8, "vocab_size": 64, "width": 16, "heads": 2, "layers": 1},
}
PREPROCESS = {"mean": [0.2, 0.3, 0.4], "std": [0.5, 0.6, 0.7], "resize_mode": "shortest"}


def noise(n: int, height: int, width: int, channels: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (n, height, width, channels), dtype=np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with random weights, as open_clip writes and reads it."""
    folder = tmp_path_factory.mktemp("clip")
    config = {"model_cfg": MODEL, "preprocess_cfg": PREPROCESS}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = open_clip.CLIP(**MODEL)
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return folder


def test_vectors_equal_open_clips_own_path_through_pillow(folder: Path) -> None:
    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    images = noise(5, 32, 32, 3)
    with torch.no_grad():
        batch = torch.stack([transform(Image.fromarray(image)) for image in images])
        expected = torch.nn.functional.normalize(model.eval().encode_image(batch), dim=-1)
    vectors = Clip(model=f"local-dir:{folder}", batch_size=2).embed(images)
    assert np.allclose(vectors, expected.numpy(), atol=1e-6)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("mode", ["shortest", "squash"])
@pytest.mark.parametrize("shape", [(32, 32), (100, 100), (28, 28), (90, 61), (40, 77)])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_pixels_are_pillows_within_two_grey_levels(
    mode: str, shape: tuple[int, int], interpolation: str
) -> None:
    settings = {
        "size": 32,
        "mode": "RGB",
        "mean": (0.2, 0.3, 0.4),
        "std": (0.5, 0.6, 0.7),
        "interpolation": interpolation,
        "resize_mode": mode,
        "fill_color": 0,
    }
    pillow = open_clip.transform.image_transform_v2(
        open_clip.transform.PreprocessCfg(**settings), is_train=False
    )
    images = noise(3, *shape, 3)
    expected = torch.stack([pillow(Image.fromarray(image)) for image in images])
    got = batch_preprocess(settings, "x")(torch.from_numpy(images).permute(0, 3, 1, 2))
    std = torch.tensor(settings["std"])[:, None, None]
    assert got.shape == (3, 3, 32, 32)
    levels = ((got - expected) * std * 255).abs()
    assert levels.max() <= 2 + 1e-3
    if interpolation == "bicubic":  # bilinear weights give many ties, which round either way
        assert (levels > 0.5).float().mean() < 0.01
    if shape == (32, 32):
        assert torch.allclose(got, expected, atol=1e-6)


def test_grey_counts_as_three_equal_channels(folder: Path) -> None:
    grey = noise(3, 40, 40, 1)
    embedder = Clip(model=f"local-dir:{folder}")
    assert np.allclose(embedder.embed(grey), embedder.embed(grey.repeat(3, axis=3)), atol=1e-6)


def test_batches_do_not_matter(folder: Path) -> None:
    images = noise(7, 32, 32, 1)
    one, all_ = (Clip(model=f"local-dir:{folder}", batch_size=b).embed(images) for b in (1, 256))
    assert np.allclose(one, all_, atol=1e-6)


def test_global_random_states_and_images_are_left_alone(folder: Path) -> None:
    images = noise(2, 32, 32, 1)
    images.setflags(write=False)
    clip._loaded.cache_clear()
    before = (torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate())
    Clip(model=f"local-dir:{folder}").embed(images)
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])
    assert before[2] == random.getstate()


def test_of_a_model_in_a_folder_nobody_asks_the_hub(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = closed(monkeypatch)
    clip._loaded.cache_clear()
    network.answers.cache_clear()
    Clip(model=f"local-dir:{folder}").embed(noise(1, 32, 32, 1))
    assert asked == []


def test_model_is_loaded_once_in_a_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip._loaded.cache_clear()
    loads = []
    create = open_clip.create_model
    monkeypatch.setattr(
        open_clip, "create_model", lambda *a, **k: loads.append(k) or create(*a, **k)
    )
    for _ in range(3):
        Clip(model=f"local-dir:{folder}").embed(noise(1, 32, 32, 1))
    assert len(loads) == 1
    assert loads[0]["weights_only"] is True
    assert loads[0]["require_pretrained"] is True


def test_known_name_with_local_weights(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "small-for-test", MODEL)
    weights = tmp_path / "weights.safetensors"
    shutil.copy(folder / "open_clip_model.safetensors", weights)
    vectors = Clip(model="small-for-test", pretrained=str(weights)).embed(noise(2, 32, 32, 1))
    assert vectors.shape == (2, 16)
    other = Clip(model="small-for-test", pretrained=str(weights))
    before = other.identity()["pretrained"]
    assert str(tmp_path) not in before
    elsewhere = tmp_path / "other.safetensors"
    shutil.copy(weights, elsewhere)
    assert (
        Clip(model="small-for-test", pretrained=str(elsewhere)).identity()["pretrained"] == before
    )
    elsewhere.write_bytes(weights.read_bytes()[:-1] + b"x")
    assert (
        Clip(model="small-for-test", pretrained=str(elsewhere)).identity()["pretrained"] != before
    )


def test_a_folder_counts_by_its_content(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    one, two = (Clip(model=f"local-dir:{place}").identity() for place in (folder, copy))
    assert one == two
    (copy / "open_clip_config.json").write_text("{}")
    assert Clip(model=f"local-dir:{copy}").identity() != one


def test_weights_that_run_code_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Attack:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "it ran",))

    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "small-for-test", MODEL)
    torch.save({"state_dict": Attack()}, tmp_path / "weights.pt")
    with pytest.raises(DataError, match="cannot be loaded"):
        Clip(model="small-for-test", pretrained=str(tmp_path / "weights.pt")).embed(
            noise(1, 32, 32, 1)
        )
    assert not (tmp_path / "it ran").exists()


def test_folder_without_weights_is_no_model_with_random_ones(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "open_clip_config.json", tmp_path)
    with pytest.raises(DataError, match=r"(?s)cannot be loaded: Required pretrained weights"):
        Clip(model=f"local-dir:{tmp_path}").embed(noise(1, 32, 32, 1))


def test_unknown_tag_and_unknown_model() -> None:
    image = noise(1, 32, 32, 1)
    with pytest.raises(DataError, match="'ViT-B-32' with weights 'no_such_tag' cannot be loaded"):
        Clip(model="ViT-B-32", pretrained="no_such_tag").embed(image)
    with pytest.raises(DataError, match="'ViT-Z' with weights 'openai' cannot be loaded"):
        Clip(model="ViT-Z", pretrained="openai").embed(image)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"model": "ViT-B-32"}, "pretrained must be set for model 'ViT-B-32'"),
        ({"pretrained": "openai"}, "pretrained must be null for model 'tiny'"),
        ({"model": "hf-hub:a/b", "pretrained": "x"}, "pretrained must be null for model 'hf-hub:"),
        ({"model": "local-dir:/no/such"}, "model names a folder that does not exist: /no/such"),
        (
            {"model": "ViT-B-32", "pretrained": "no/such"},
            "pretrained names a file that does not exist: no/such",
        ),
        (
            {"model": "ViT-B-32", "pretrained": "nothing.safetensors"},
            "pretrained names a file that does not exist: nothing.safetensors",
        ),
        ({"device": "tpu"}, "device must be one of auto, cpu, cuda, mps, got 'tpu'"),
    ],
)
def test_wrong_fields(fields: dict, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Clip(**fields)
    assert text in str(caught.value)


def test_resizing_that_open_clip_writes_for_single_images_only() -> None:
    settings = {
        "size": 32,
        "mode": "RGB",
        "mean": (0.5,) * 3,
        "std": (0.5,) * 3,
        "interpolation": "bicubic",
        "resize_mode": "longest",
        "fill_color": 0,
    }
    with pytest.raises(DataError, match="'x' resizes with resize_mode 'longest' to 32, which is"):
        batch_preprocess(settings, "x")


def test_the_packaged_model_tells_digits_apart() -> None:
    from sklearn.neighbors import KNeighborsClassifier

    from tgap.datasets.digits import Digits

    digits = Digits().load()
    vectors = Clip().embed(digits.images[::5])
    digit = digits.findings[::5].argmax(axis=1)
    neighbours = KNeighborsClassifier(5).fit(vectors[::2], digit[::2])
    # Chance is .1, random weights give .34; the model has seen printed letters only.
    assert neighbours.score(vectors[1::2], digit[1::2]) > 0.5


def test_texts_have_open_clips_own_vectors() -> None:
    texts = ["an image of a", "an image of b", "an image of odd handwritten digit"]
    model = open_clip.create_model(f"local-dir:{clip.TINY}").eval()
    tokens = open_clip.get_tokenizer(f"local-dir:{clip.TINY}")(texts)
    with torch.no_grad():
        expected = torch.nn.functional.normalize(model.encode_text(tokens), dim=-1)
    vectors = Clip().embed_texts(texts)
    assert vectors.dtype == np.float32
    assert np.allclose(vectors, expected.numpy(), atol=1e-6)
    assert len(np.unique(vectors.round(4), axis=0)) == 3


def test_an_embedder_without_texts_says_so() -> None:
    assert not Pixels.reads_texts
    with pytest.raises(ContractError, match="embedder 'pixels' reads no texts"):
        Pixels().embed_texts(["a"])
