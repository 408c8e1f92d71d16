"""Embedders of published networks against references, on random weights in the real format."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from tests.contracts.network_files import fid_network, needed, saved, timm_network, xrv_network
from tgap.core import ConfigError, DataError
from tgap.embedders.fid_inception import FidInception
from tgap.embedders.networks.network import NetworkEmbedder
from tgap.embedders.networks.resizing import as_tensorflow
from tgap.embedders.timm import Timm, _dinov2_positions
from tgap.embedders.xrv_densenet import XrvDensenet

KINDS = {"fid_inception": FidInception, "xrv_densenet": XrvDensenet, "timm": Timm}
each_kind = pytest.mark.parametrize("kind", KINDS)


def noise(n: int, height: int, width: int, channels: int = 3) -> np.ndarray:
    """Blocks of 8 x 8 pixels, so that networks see more than a grey average."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (n, -(-height // 8), -(-width // 8), channels), dtype=np.uint8)
    return coarse.repeat(8, axis=1).repeat(8, axis=2)[:, :height, :width]


def make(kind: str, **fields: object) -> NetworkEmbedder:
    return KINDS[kind](**{**needed(kind), **fields})


# The network of FID


class Reference:
    """TensorFlow's Inception of 2015, from its definition: what each branch does, in words.

    ``1x1`` and the like are convolutions by name with stride 1 and equal size, each with batch norm
    (eps .001) and ReLU; the last branch of a block pools first.
    """

    def __init__(self, state: dict[str, torch.Tensor]) -> None:
        self.state = state

    def conv(self, x: torch.Tensor, name: str, stride: int = 1, same: bool = True) -> torch.Tensor:
        weight = self.state[f"{name}.conv.weight"]
        padding = [side // 2 for side in weight.shape[2:]] if same else 0
        norm = (self.state[f"{name}.bn.{n}"] for n in ("running_mean", "running_var"))
        scale = (self.state[f"{name}.bn.{n}"] for n in ("weight", "bias"))
        return F.relu(
            F.batch_norm(F.conv2d(x, weight, None, stride, padding), *norm, *scale, eps=1e-3)
        )

    def chain(self, x: torch.Tensor, block: str, branch: str, *steps: str) -> torch.Tensor:
        for step in steps:
            x = self.conv(x, f"{block}.{branch}_{step}")
        return x

    def pool(self, x: torch.Tensor, block: str) -> torch.Tensor:
        if block == "Mixed_7c":
            pooled = F.unfold(F.pad(x, [1] * 4, value=-torch.inf), 3)
            pooled = pooled.view(*x.shape[:2], 9, *x.shape[2:]).amax(2)
        else:  # the mean of those pixels that there are
            ones = torch.ones(x.shape[1], 1, 3, 3)
            total = F.conv2d(x, ones, padding=1, groups=x.shape[1])
            pooled = total / F.conv2d(torch.ones_like(x[:, :1]), ones[:1], padding=1)
        return self.conv(pooled, f"{block}.branch_pool")

    def same_size(self, x: torch.Tensor, block: str) -> torch.Tensor:
        parts = [self.conv(x, f"{block}.branch1x1")]
        if block < "Mixed_6":
            parts.append(self.chain(x, block, "branch5x5", "1", "2"))
            parts.append(self.chain(x, block, "branch3x3dbl", "1", "2", "3"))
        elif block < "Mixed_7":
            parts.append(self.chain(x, block, "branch7x7", "1", "2", "3"))
            parts.append(self.chain(x, block, "branch7x7dbl", "1", "2", "3", "4", "5"))
        else:
            for branch, stem, ends in (
                ("branch3x3", ["1"], ["2a", "2b"]),
                ("branch3x3dbl", ["1", "2"], ["3a", "3b"]),
            ):
                common = self.chain(x, block, branch, *stem)
                parts += [self.chain(common, block, branch, end) for end in ends]
        return torch.cat([*parts, self.pool(x, block)], 1)

    def smaller(self, x: torch.Tensor, block: str, *branches: tuple[str, str]) -> torch.Tensor:
        parts = []
        for branch, steps in branches:
            before = self.chain(x, block, branch, *steps[:-1])
            last = f"{block}.{branch}_{steps[-1]}" if steps else f"{block}.{branch}"
            parts.append(self.conv(before, last, stride=2, same=False))
        return torch.cat([*parts, F.max_pool2d(x, 3, 2)], 1)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x, "Conv2d_1a_3x3", stride=2, same=False)
        x = self.conv(self.conv(x, "Conv2d_2a_3x3", same=False), "Conv2d_2b_3x3")
        x = self.conv(F.max_pool2d(x, 3, 2), "Conv2d_3b_1x1")
        x = F.max_pool2d(self.conv(x, "Conv2d_4a_3x3", same=False), 3, 2)
        for block in ("Mixed_5b", "Mixed_5c", "Mixed_5d"):
            x = self.same_size(x, block)
        x = self.smaller(x, "Mixed_6a", ("branch3x3", ""), ("branch3x3dbl", "123"))
        for block in ("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"):
            x = self.same_size(x, block)
        x = self.smaller(x, "Mixed_7a", ("branch3x3", "12"), ("branch7x7x3", "1234"))
        return self.same_size(self.same_size(x, "Mixed_7b"), "Mixed_7c").mean((2, 3))


def tensorflow_1(image: np.ndarray, side: int) -> np.ndarray:
    """``tf.image.resize_bilinear`` of TensorFlow 1, pixel by pixel."""
    height, width = image.shape[:2]
    out = np.empty((side, side, image.shape[2]))
    for i in range(side):
        for j in range(side):
            y, x = i * height / side, j * width / side
            top, left = int(y), int(x)
            low, right = min(top + 1, height - 1), min(left + 1, width - 1)
            dy, dx = y - top, x - left
            upper = image[top, left] * (1 - dx) + image[top, right] * dx
            lower = image[low, left] * (1 - dx) + image[low, right] * dx
            out[i, j] = upper * (1 - dy) + lower * dy
    return out


@pytest.mark.parametrize("shape", [(8, 8), (28, 20), (100, 90)])
def test_tensorflows_way_of_resizing(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.float64)
    got = as_tensorflow(torch.from_numpy(image).permute(2, 0, 1)[None], 61)
    assert np.allclose(got[0].permute(1, 2, 0).numpy(), tensorflow_1(image, 61))


def test_fid_features_are_those_of_the_definition() -> None:
    images = noise(2, 64, 48)
    pixels = np.stack([(tensorflow_1(image.astype(float), 299) - 128) / 128 for image in images])
    with torch.no_grad():
        expected = Reference(fid_network().state_dict()).features(
            torch.from_numpy(pixels).permute(0, 3, 1, 2).float()
        )
        plain = fid_network()
        head, plain.fc = plain.fc, torch.nn.Identity()
        torchvisions = plain(torch.from_numpy(pixels).permute(0, 3, 1, 2).float()).numpy()
        plain.fc = head
    got = make("fid_inception").embed(images)
    assert got.shape == (2, 2048)
    assert np.allclose(got, expected.numpy(), atol=1e-4)
    assert np.abs(got - torchvisions).max() > 0.01  # the pooling matters


def test_a_checkpoint_and_files_without_counters_are_read(tmp_path: Path) -> None:
    state = fid_network().state_dict()
    older = {f"module.{k}": v for k, v in state.items() if "num_batches" not in k}
    torch.save({"state_dict": older, "epoch": 3}, tmp_path / "older.pt")
    images = noise(1, 32, 32)
    embedder = FidInception(weights=str(tmp_path / "older.pt"), device="cpu")
    assert embedder.check() == []
    assert np.array_equal(embedder.embed(images), make("fid_inception").embed(images))


# torchxrayvision


@pytest.mark.parametrize("shape", [(224, 224), (64, 64), (300, 260)])
def test_xrv_features_are_torchxrayvisions(shape: tuple[int, int]) -> None:
    xrv = pytest.importorskip("torchxrayvision")
    theirs = xrv.models.DenseNet()
    theirs.load_state_dict(xrv_network().state_dict())  # its names, all of them
    theirs.eval().input_resolution = 224
    images = noise(2, *shape, 1)
    crop = xrv.datasets.XRayCenterCrop()
    grey = [crop(xrv.datasets.normalize(image[None, ..., 0], 255)) for image in images]
    with torch.no_grad():
        expected = theirs.features2(torch.from_numpy(np.stack(grey)).float()).numpy()
    got = make("xrv_densenet").embed(images)
    assert got.shape == (2, 1024)
    assert np.allclose(got, expected, rtol=1e-4, atol=1e-3 * np.abs(expected).max())
    assert np.array_equal(make("xrv_densenet").embed(images.repeat(3, axis=3)), got)


def test_xrvs_thresholds_are_left_out_and_its_modules_are_refused(tmp_path: Path) -> None:
    xrv = pytest.importorskip("torchxrayvision")
    whole = xrv.models.DenseNet(op_threshs=torch.full((18,), 0.5))
    torch.save(whole.state_dict(), tmp_path / "xrv.pt")
    assert XrvDensenet(weights=str(tmp_path / "xrv.pt"), device="cpu").check() == []
    torch.save(whole, tmp_path / "pickled.pt")
    (told,) = XrvDensenet(weights=str(tmp_path / "pickled.pt"), device="cpu").check()
    assert "hold more than arrays" in told
    assert "torch.save(model.state_dict(), path)" in told


# timm and DINOv2


def cubic(distance: np.ndarray) -> np.ndarray:
    """Keys's kernel with a = -0.75, PyTorch's."""
    d, a = np.abs(distance), -0.75
    near = (a + 2) * d**3 - (a + 3) * d**2 + 1
    far = a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0))


def test_dinov2s_position_embeddings_are_resized_as_by_its_authors() -> None:
    """Bicubic at ``(i + 1/2) / scale - 1/2``, where the scale is ``(side + 0.1) / before``."""
    embeddings = torch.from_numpy(np.random.default_rng(0).standard_normal((1, 1 + 37 * 37, 3)))
    at = (np.arange(16) + 0.5) * 37 / 16.1 - 0.5
    taps = np.floor(at)[:, None] + np.arange(-1, 3)
    matrix = np.zeros((16, 37))
    for row, (where, columns) in enumerate(zip(at, taps, strict=True)):
        np.add.at(matrix[row], columns.clip(0, 36).astype(int), cubic(where - columns))
    grid = embeddings[0, 1:].reshape(37, 37, 3).numpy()
    expected = np.einsum("ia,jb,abc->ijc", matrix, matrix, grid).reshape(-1, 3)
    got = _dinov2_positions(embeddings, 16)[0].numpy()
    assert np.array_equal(got[0], embeddings[0, 0].numpy())
    assert np.allclose(got[1:], expected, atol=1e-9)
    assert _dinov2_positions(embeddings, 37) is embeddings


def test_dinov2_gives_its_class_token_of_whole_images(tmp_path: Path) -> None:
    """The smallest of the family, with its authors' file: a mask token and no last layer."""
    import timm

    model = "vit_small_patch14_dinov2.lvd142m"
    network = timm_network(model)
    torch.save(network.state_dict() | {"mask_token": torch.zeros(1, 384)}, tmp_path / "vits14.pth")
    embedder = Timm(model=model, weights=str(tmp_path / "vits14.pth"), device="cpu")
    assert embedder.check() == []
    assert embedder.width((64, 64, 1)) == 384
    images = noise(2, 300, 200)
    resized = [Image.fromarray(i).resize((224, 224), Image.Resampling.BICUBIC) for i in images]
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    pixels = np.stack([(np.asarray(image) / 255 - mean) / std for image in resized])
    theirs = timm.create_model(model, img_size=224, num_classes=0)
    positions = _dinov2_positions(network.pos_embed, 16)
    theirs.load_state_dict(network.state_dict() | {"pos_embed": positions})
    with torch.no_grad():
        tokens = theirs.eval().forward_features(
            torch.from_numpy(pixels).permute(0, 3, 1, 2).float()
        )
    got = embedder.embed(images)
    assert got.shape == (2, 384)
    assert np.allclose(got, tokens[:, 0].numpy(), atol=0.05)
    assert np.corrcoef(got.ravel(), tokens[:, 0].numpy().ravel())[0, 1] > 0.9999


def test_timms_models_and_sizes_are_checked_before_the_run() -> None:
    (told,) = make("timm", model="vit_large_patch14_dino2").check()
    assert "none of timm's" in told
    assert "did you mean" in told
    (told,) = make("timm", model="test_resnet").check()
    assert "do not fit timm: missing:" in told
    assert "timm/test_resnet" in told
    own_size = make("timm", image_size=None)
    assert own_size.check() == []
    assert own_size.embed(noise(1, 40, 40)).shape == (1, 64)
    (told,) = make("timm", image_size=50).check()
    assert "cannot take images of 50 x 50" in told


def test_published_weights_without_a_network_are_refused_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    small = "vit_small_patch14_dinov2.lvd142m"
    (told,) = Timm(model=small).fetch()
    assert f"'{small}' cannot be loaded" in told
    assert "set its weights to a file" in told
    assert "model.safetensors" in told
    assert "dinov2_vitl14_pretrain.pth" in told


# All


WANTED = {
    FidInception: "pt_inception-2015-12-05-6726825d.pth",
    XrvDensenet: "densenet121-res224-all",
    Timm: "'hub'",
}


@pytest.mark.parametrize("cls", WANTED)
@pytest.mark.parametrize("weights", [None, "absent.pth", "notes.txt"])
def test_without_weights_it_says_which_file_and_where_from(
    cls: type[NetworkEmbedder], weights: str | None, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").touch()
    given = weights and str(tmp_path / weights)
    with pytest.raises(ConfigError) as told:
        cls(weights=given)
    assert "weights" in str(told.value)
    assert WANTED[cls] in str(told.value)
    assert str(given or "null") in str(told.value)


@each_kind
def test_another_networks_file_is_refused_before_the_run(kind: str, tmp_path: Path) -> None:
    wrong = saved(torch.nn.Sequential(torch.nn.Linear(2, 3)), tmp_path)
    embedder = make(kind, weights=wrong)
    (told,) = embedder.check()
    assert f"do not fit {kind}: missing:" in told
    assert WANTED[KINDS[kind]] in told
    with pytest.raises(DataError, match="do not fit"):
        embedder.embed(noise(1, 32, 32))


@each_kind
def test_a_file_counts_by_its_content(kind: str, tmp_path: Path) -> None:
    plain = make(kind)
    copy = tmp_path / "other name.pth"
    copy.write_bytes(Path(str(plain.weights)).read_bytes())
    assert make(kind, weights=str(copy)).identity() == plain.identity()
    assert make(kind, device="auto", batch_size=1).identity() == plain.identity()
    copy.unlink()
    with pytest.raises(DataError, match="cannot read the weights"):
        KINDS[kind].identity(_at(plain, copy))


def test_a_file_that_is_overwritten_is_loaded_anew(tmp_path: Path) -> None:
    file = Path(saved(network := timm_network("test_vit"), tmp_path))
    embedder, images = make("timm", weights=str(file)), noise(1, 32, 32)
    before = embedder.embed(images)
    torch.save({k: v * 2 for k, v in network.state_dict().items()}, file)
    assert not np.allclose(embedder.embed(images), before)
    assert embedder.embed(images).shape == before.shape


def _at(embedder: NetworkEmbedder, file: Path) -> NetworkEmbedder:
    embedder.weights = str(file)
    return embedder


@each_kind
def test_the_width_is_that_of_the_vectors(kind: str) -> None:
    embedder = make(kind)
    assert embedder.embed(noise(1, 64, 64)).shape[1] == embedder.width((64, 64, 3))
