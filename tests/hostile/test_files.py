"""A stranger's files are data: read as what they are, or refused; nothing of them is executed."""

import contextlib
import json
import pickle
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file, save_file

import tgap
import tgap.core.weights
from tests.hostile.conftest import Payload, refusal
from tgap.classifiers.timm import Timm
from tgap.cli.main import command
from tgap.core import TgapError
from tgap.datasets.huggingface import Huggingface
from tgap.datasets.image_folder import ImageFolder
from tgap.datasets.medmnist import Medmnist
from tgap.generators.base import Pretrained
from tgap.generators.stable_diffusion import ASSETS, StableDiffusion
from tgap.store import Spec, Store
from tgap.sweeps.records import record_named, records
from tgap.tracking import Journal


def model() -> Path:
    """A copy of the packaged generator to spoil."""
    return Path(shutil.copytree(ASSETS / "tiny_ldm", "model"))


def loaded(generator: Pretrained) -> None:
    """Checked and loaded as a run does; what is wrong must be told before."""
    if problems := generator.check() or generator.check_weights():
        raise TgapError("; ".join(problems))
    generator.load()


def edited(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize("name", ["x.bin", "x.ckpt", "x.pt", "x.pth", "x.pkl", "x.pickle"])
def test_a_pickle_is_no_generator(name: str, canary: Path) -> None:
    Path(name).write_bytes(pickle.dumps(Payload(canary)))
    assert name in refusal(lambda: loaded(StableDiffusion(path=name)))


def test_pickled_weights_in_a_folder(canary: Path) -> None:
    (unet,) = (model() / "unet").glob("*.safetensors")
    unet.with_suffix(".bin").write_bytes(pickle.dumps(Payload(canary)))
    unet.unlink()
    told = refusal(lambda: loaded(StableDiffusion(path="model")))
    assert "safetensors" in told


CODE = "open('canary', 'w')\nclass Mine: ...\n"


@pytest.mark.parametrize(
    ("part", "named"),
    [
        ("unet", ["evil", "Mine"]),
        ("unet", ["os", "system"]),
        ("unet", ["./unet/evil.py", "Mine"]),
        ("vae", ["subprocess", "Popen"]),
        ("text_encoder", ["transformers", "AutoModel"]),
        ("scheduler", ["evil", "Mine"]),
    ],
)
def test_a_folder_that_names_classes_of_its_own(part: str, named: list[str]) -> None:
    folder = model()
    (folder / "evil.py").write_text(CODE)
    (folder / part / "evil.py").write_text(CODE)
    edited(folder / "model_index.json", **{part: named})
    told = refusal(lambda: loaded(StableDiffusion(path="model")))
    assert part in told or named[1] in told


@pytest.mark.parametrize(
    ("file", "values"),
    [
        ("model_index.json", {"_class_name": "evil.Mine", "custom_pipeline": "evil"}),
        ("model_index.json", {"_class_name": ["evil", "Mine"]}),
    ],
)
def test_a_pipeline_of_its_own(file: str, values: dict[str, object]) -> None:
    folder = model()
    (folder / "evil.py").write_text(CODE)
    (folder / "pipeline.py").write_text(CODE)
    edited(folder / file, **values)
    assert "StableDiffusionPipeline" in refusal(lambda: loaded(StableDiffusion(path="model")))


def test_code_beside_a_sound_model_is_not_looked_at() -> None:
    folder = model()
    mapped = {"AutoModel": "evil.Mine", "AutoTokenizer": ["evil.Mine", None]}
    for name in ("unet/config.json", "tokenizer/tokenizer_config.json", "text_encoder/config.json"):
        edited(folder / name, auto_map=mapped, trust_remote_code=True)
        (folder / name).with_name("evil.py").write_text(CODE)
    loaded(StableDiffusion(path="model", device="cpu"))


def weights_of(folder: Path) -> Path:
    (file,) = (folder / "unet").glob("*.safetensors")
    return file


def nan_weights(file: Path) -> None:
    arrays = load_file(file)
    save_file({name: np.full_like(array, np.nan) for name, array in arrays.items()}, file)


def giant_header(file: Path) -> None:
    file.write_bytes(struct.pack("<Q", 2**62) + b"{}")


def wrong_offsets(file: Path) -> None:
    header = {"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 2**40]}}
    text = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text + b"\0" * 16)


def deep_header(file: Path) -> None:
    text = b"[" * 100_000
    file.write_bytes(struct.pack("<Q", len(text)) + text)


def cut_off(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1000])


@pytest.mark.parametrize(
    "spoil",
    [nan_weights, giant_header, wrong_offsets, deep_header, cut_off],
    ids=lambda f: f.__name__,
)
def test_weights_that_are_none(spoil: Callable[[Path], None]) -> None:
    spoil(weights_of(model()))
    told = refusal(lambda: loaded(StableDiffusion(path="model", device="cpu")))
    assert "unet" in told


@pytest.mark.parametrize("name", ["w.pt", "w.pth", "w.bin", "w.ckpt", "w.tar"])
def test_a_pickle_is_no_weights_of_a_classifier(name: str, canary: Path) -> None:
    torch.save({"a": Payload(canary)}, name)
    told = refusal(lambda: tgap.core.weights.read_state(Path(name)))
    assert name in told
    assert Timm(weights=name).check() != [] or "can run code" in told


def picture(path: Path, size: tuple[int, int] = (16, 16)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.effect_noise(size, 50).save(path)


def pets(*, label: str = "cat") -> Path:
    for kind in ("cat", "dog"):
        for number in range(4):
            picture(Path("pets", kind, f"{number}.png"))
    return Path("pets", label)


@pytest.mark.parametrize(
    "named", ["../secret.png", "cat/../../secret.png", "/etc/passwd", "{secret}", "~/secret.png"]
)
def test_a_table_stays_in_its_folder(named: str) -> None:
    pets()
    picture(Path("secret.png"))
    named = named.format(secret=Path("secret.png").absolute())
    Path("pets/t.csv").write_text(f"file,label\n{named},cat\ndog/1.png,dog\n")
    told = refusal(lambda: ImageFolder(path="pets", table="t.csv", size=16).load())
    assert named in told


def test_a_link_out_of_a_folder_is_not_followed() -> None:
    folder = pets()
    picture(Path("secret.png"))
    (folder / "0.png").unlink()
    (folder / "0.png").symlink_to(Path("secret.png").absolute())
    assert "0.png" in refusal(lambda: ImageFolder(path="pets", size=16).load())


def bomb(side: int = 30_000) -> bytes:
    """A PNG of a gigapixel in a megabyte."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"\0" * (side + 1) * 200)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def test_a_decompression_bomb() -> None:
    (pets() / "0.png").write_bytes(bomb())
    told = refusal(lambda: ImageFolder(path="pets", size=16).load())
    assert "decompression bomb" in told


def medmnist(**arrays: object) -> Path:
    sound = {
        f"{part}_{kind}": np.zeros((6, 28, 28) if kind == "images" else (6, 1), np.uint8)
        for part in ("train", "val", "test")
        for kind in ("images", "labels")
    }
    np.savez("pneumoniamnist.npz", **(sound | arrays))  # type: ignore[arg-type]
    return Path("pneumoniamnist.npz")


def test_an_archive_of_objects(canary: Path) -> None:
    objects = np.empty((6, 1), object)
    objects[:] = Payload(canary)
    file = medmnist(train_labels=objects)
    assert file.name in refusal(lambda: Medmnist(path=str(file)).load())


def test_an_archive_that_claims_to_be_giant() -> None:
    file = medmnist()
    with zipfile.ZipFile(file, "w") as archive, archive.open("train_images.npy", "w") as member:
        header = {"descr": "|u1", "fortran_order": False, "shape": (2**40, 28, 28)}
        np.lib.format.write_array_header_1_0(member, header)
    assert file.name in refusal(lambda: Medmnist(path=str(file)).load())


def test_names_in_an_archive_lead_nowhere() -> None:
    file = medmnist()
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("../../outside.npy", b"x")
    with contextlib.suppress(TgapError):
        Medmnist(path=str(file)).load()
    assert not Path("../../outside.npy").exists()


def test_a_dataset_with_a_script(canary: Path) -> None:
    Path("hub").mkdir()
    Path("hub/hub.py").write_text(CODE)
    Path("hub/dataset_infos.json").write_text("{}")
    Path("hub/data.pkl").write_bytes(pickle.dumps(Payload(canary)))
    assert "hub" in refusal(lambda: Huggingface(path="hub", domain="x", size=16).load())


class TestStore:
    def artifact(self) -> tuple[Store, Spec, Path]:
        store, spec = Store(Path("home/store")), Spec("vectors", {"a": 1}, {})
        made = store.get_or_make(spec, lambda f: np.save(f / "x.npy", np.arange(3)))
        return store, spec, made.folder

    def test_pickled_arrays(self, canary: Path) -> None:
        store, spec, folder = self.artifact()
        objects = np.empty(1, object)
        objects[0] = Payload(canary)
        np.save(folder / "x.npy", objects, allow_pickle=True)
        made = store.get_or_make(spec, lambda f: np.save(f / "x.npy", np.arange(3)))
        assert made.read_array("x.npy").tolist() == [0, 1, 2]

    @pytest.mark.parametrize("mmap", [True, False])
    @pytest.mark.parametrize("head", ["terabytes", "no end", "nested too deeply"])
    def test_arrays_that_claim_what_is_not_there(self, head: str, mmap: bool) -> None:
        store, spec = Store(Path("home/store")), Spec("vectors", {"a": 1}, {})
        made = store.get_or_make(spec, lambda f: (f / "x.npy").write_bytes(npy(HEADS[head])))
        assert "cannot read" in refusal(lambda: made.read_array("x.npy", mmap))

    @pytest.mark.parametrize("text", ["[]", "5", "{}", "[" * 100_000, '{"files": 5}', "\0"])
    def test_a_manifest_of_another_form(self, text: str) -> None:
        store, spec, folder = self.artifact()
        (folder / "manifest.json").write_text(text)
        made = store.get_or_make(spec, lambda f: np.save(f / "x.npy", np.arange(3)))
        assert made.read_array("x.npy").tolist() == [0, 1, 2]


CONFIGS = {
    "a tag": "!!python/object/apply:os.system ['touch canary']\n",
    "a target": "selector: {_target_: os.system}\n",
    "a pickle": "dataset: {_target_: torch.load, f: x.pt, weights_only: false}\n",
    "no mapping": "- 5\n",
}


def npy(head: str) -> bytes:
    """A file of numpy without content."""
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode("latin1")


HEADS = {
    name: f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}}}\n"
    for name, kind, shape in (
        ("terabytes", "<f8", (10**14, 4)),
        ("more than 64 bits", "<f8", (10**30, 4)),
        ("a product of more than 64 bits", "<f8", (2**62, 4)),
        ("less than nothing", "<f8", (-5, 4)),
        ("many of no size", "<U0", (10**14, 4)),
        ("text", "<U1", (0, 4)),
        ("no table", "<f8", (0,)),
    )
}
HEADS |= {"no end": "{'descr': '<f8", "nested too deeply": "-" * 9000 + "1", "a list": "{[]: 1}"}


class TestRecord:
    def record(self, **files: str | bytes) -> Journal:
        journal = Journal(Path("home/journal/single/0123456789abcdef"))
        with journal.locked():
            journal.append(
                "start", experiment="tgap", name="x", params={"method": "m", "seed": "0"}, tags={}
            )
            for name, content in files.items():
                text = content if isinstance(content, str) else ""
                journal.keep(text, name)
                if isinstance(content, bytes):
                    (journal.folder / "files" / name).write_bytes(content)
            journal.append("end", status="FINISHED")
        return journal

    @pytest.mark.parametrize("name", CONFIGS)
    def test_a_configuration_that_would_run_code(self, name: str) -> None:
        self.record(**{"config.yaml": CONFIGS[name], "row.json": json.dumps(ROW)})
        (record,) = records(Path("home"))
        assert refusal(record.run)

    @pytest.mark.parametrize("text", ["[]", "5", "{}", "{", "[" * 100_000, '{"a": 1}'])
    def test_a_row_of_another_form_is_left_out(
        self, text: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        self.record(**{"row.json": text})
        assert records(Path("home")) == []
        assert "row.json is damaged" in caplog.text
        assert "start the run again" in caplog.text

    def test_pickled_numbers(self, canary: Path) -> None:
        self.record(**{"row.json": json.dumps(ROW), "resampled.npy": pickle.dumps(Payload(canary))})
        assert records(Path("home")) == []

    @pytest.mark.parametrize("head", HEADS)
    def test_an_array_that_claims_what_is_not_there(
        self, head: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.record(**{"row.json": json.dumps(ROW), "resampled.npy": npy(HEADS[head])})
        assert command(["runs"]) == 2  # it was the only one
        assert records(Path("home")) == []
        assert "resampled.npy is damaged" in caplog.text + capsys.readouterr().err

    @pytest.mark.parametrize(
        "line",
        [
            '{"event": "artifact", "time": 1, "path": "../../../secret", "name": "x"}',
            '{"event": "artifact", "time": 1, "path": "/etc/passwd", "name": "x"}',
            '{"event": "artifact", "time": 1, "path": "files/x", "name": "../../../x"}',
            '{"event": "metrics", "time": 1, "step": 0, "values": {"a": [1]}}',
            '{"event": "metrics", "time": "now", "values": 5}',
            '{"event": "metrics", "time": 1, "step": 0, "values": {"a": 1' + "0" * 400 + "}}",
            "[" * 100_000,
            "5",
            "null",
        ],
    )
    def test_a_line_of_another_form(self, line: str) -> None:
        journal = self.record()
        with (journal.folder / "journal.jsonl").open("a") as file:
            file.write(line + "\n")
        assert "line 3" in refusal(journal.events)
        assert records(Path("home")) == []
        assert "no run has the key" in refusal(lambda: record_named(Path("home"), "01234567"))


ROW = {"method": "m", "method_key": "k", "size": 1, "seed": 0, "settings": {}, "is_control": False}
ROW |= {"split": {}, "splits": [], "synthetic": "s", "evaluation_key": "e"}


def test_an_exported_classifier_that_was_exchanged(canary: Path) -> None:
    folder = Path("classifier")
    folder.mkdir()
    for name in ("synthetic.safetensors", "real.safetensors", "classifier.json", "config.json"):
        (folder / name).write_bytes(pickle.dumps(Payload(canary)))
    assert refusal(lambda: tgap.load_classifier(folder, "synthetic"))
