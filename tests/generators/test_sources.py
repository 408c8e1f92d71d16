import json
import os
import re
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.contracts.small_pipelines import write_3, write_pipeline, write_xl
from tgap.core import DataError, Sampler
from tgap.generators.latent.files import fit
from tgap.generators.stable_diffusion import STABLE_DIFFUSION, StableDiffusion
from tgap.generators.stable_diffusion_3 import STABLE_DIFFUSION_3, StableDiffusion3
from tgap.generators.stable_diffusion_xl import StableDiffusionXL

HUB_ID = "somebody/small-diffusion"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
WEIGHTS = "diffusion_pytorch_model.safetensors"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of the hub."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def put_into_cache(cache, folder, without=()):
    """As huggingface_hub lays it out: links in a commit's folder to blobs, and the branch."""
    place = cache / f"models--{HUB_ID.replace('/', '--')}"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text(COMMIT)
    (place / "blobs").mkdir()
    for number, path in enumerate(sorted(p for p in folder.rglob("*") if p.is_file())):
        name = path.relative_to(folder)
        if str(name) in without:
            continue
        blob = place / "blobs" / str(number)
        shutil.copyfile(path, blob)
        link = place / "snapshots" / COMMIT / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(blob, link.parent))
    return place / "snapshots" / COMMIT


def only_problem(**fields):
    generator = StableDiffusion(packaged="tiny_ldm", device="cpu", **fields)
    (problem,) = generator.check() or generator.check_weights()
    return problem


class TestHubId:
    def test_what_is_in_the_cache_is_found_by_branch_and_by_commit(self, folder, cache):
        put_into_cache(cache, folder)
        local = StableDiffusion(path=str(folder))
        for revision in (None, "main", COMMIT):
            generator = StableDiffusion(path=HUB_ID, revision=revision, device="cpu")
            assert generator.check() + generator.check_weights() == []
            assert generator.image_shape() == (16, 16, 1)
            assert generator.digest() == local.digest()
        assert generator.source().title == f"{HUB_ID} at commit {COMMIT}"
        assert generator.load().sample(["a"], [1], Sampler(steps=2)).shape == (1, 16, 16, 1)

    def test_loading_logs_the_commit(self, folder, cache, caplog):
        snapshot = put_into_cache(cache, folder)
        note = snapshot / "scheduler" / "scheduler_config.json"
        note.write_text(note.read_text() + " ")  # so that nobody has loaded it before
        with caplog.at_level("INFO", logger="tgap"):
            StableDiffusion(path=HUB_ID, device="cpu").load()
        assert f"loading {HUB_ID} at commit {COMMIT}" in caplog.text

    def test_what_is_not_in_the_cache_is_told_with_the_remedies(self, cache):
        problem = only_problem(path=HUB_ID, revision="v1")
        assert f"'{HUB_ID}' (generator.path) is no folder here" in problem
        assert f"{HUB_ID} at revision v1 is not in the hub's cache {cache}" in problem
        assert "generator.download=true" in problem
        assert f"`hf download {HUB_ID} --revision v1`" in problem
        assert "generator.path=<local folder> generator.revision=null" in problem
        with pytest.raises(DataError, match="is not in the hub's cache"):
            StableDiffusion(path=HUB_ID).load()

    def test_another_commit_than_that_in_the_cache_is_told(self, folder, cache):
        put_into_cache(cache, folder)
        assert "at revision " + "f" * 40 in only_problem(path=HUB_ID, revision="f" * 40)

    def test_offline_nothing_is_fetched_even_if_told_so(self, cache, monkeypatch):
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
        offline = StableDiffusion(path=HUB_ID, download=True)
        assert offline.check() == []
        (problem,) = offline.fetch()
        assert "HF_HUB_OFFLINE is set: nothing is fetched until it is unset" in problem
        assert "generator.download=true" not in problem

    def test_a_file_that_is_missing_in_the_cache_is_told_with_the_remedies(self, folder, cache):
        put_into_cache(cache, folder, without=(f"unet/{WEIGHTS}",))
        problem = only_problem(path=HUB_ID)
        assert f"unet/{WEIGHTS}' is missing; get {HUB_ID} at revision main by" in problem
        assert "generator.download=true" in problem

    @pytest.mark.parametrize("path", ["no folder", "a/b/c", "../x", "/tmp/nowhere/x", "-a/b"])
    def test_what_is_no_hub_id_is_told_as_a_missing_folder(self, path):
        assert f"generator folder '{path}' does not exist" in only_problem(path=path)
        assert "or a hub id (owner/name)" in only_problem(path=path)

    def test_a_tuned_model_is_no_longer_of_the_hub(self, tmp_path):
        generator = StableDiffusion(path=HUB_ID, revision=COMMIT, config="x/y").at(tmp_path)
        assert (generator.path, generator.revision, generator.config) == (str(tmp_path), None, None)


class Hub(BaseHTTPRequestHandler):
    """As much of the hub as downloads ask for."""

    root: Path
    asked: list[str]

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, body):
        path = self.path.partition("?")[0]
        files = sorted(p for p in self.root.rglob("*") if p.is_file())
        names = [p.relative_to(self.root).as_posix() for p in files]
        head = {"X-Repo-Commit": COMMIT}
        if path == f"/api/models/{HUB_ID}/revision/main":
            siblings = [{"rfilename": name} for name in names]
            content = json.dumps({"id": HUB_ID, "sha": COMMIT, "siblings": siblings}).encode()
        elif path.startswith(f"/api/models/{HUB_ID}/tree/"):
            content = json.dumps(
                [
                    {"type": "file", "path": n, "size": p.stat().st_size, "oid": f"{i:040}"}
                    for i, (n, p) in enumerate(zip(names, files, strict=True))
                ]
            ).encode()
        elif path.startswith(f"/{HUB_ID}/resolve/"):
            name = path.split("/", 5)[5]
            self.asked.append(name)
            content = (self.root / name).read_bytes()
            head["ETag"] = f'"{names.index(name):040}"'
        else:
            self.send_error(404)
            return
        self.send_response(200)
        for key, value in {**head, "Content-Length": str(len(content))}.items():
            self.send_header(key, value)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def hub(broken):
    """A hub whose repository also has what nobody needs."""
    for name in (
        "README.md",
        "v1-5-pruned.ckpt",
        "v1-5-pruned.safetensors",
        "safety_checker/config.json",
        "safety_checker/model.safetensors",
        "unet/diffusion_pytorch_model.bin",
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "text_encoder/model.fp16.safetensors",
        "unet/diffusion_pytorch_model.non_ema.safetensors",
        "vae/diffusion_pytorch_model.msgpack",
    ):
        (broken / name).parent.mkdir(exist_ok=True)
        (broken / name).write_bytes(b"x")
    handler = type("Handler", (Hub,), {"root": broken, "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server, handler
    server.shutdown()
    server.server_close()


def found_in_a_process(server, cache, find="check() or generator.fetch()", **fields):
    """Problems and digest; in a process, because hub settings are read at import."""
    code = f"""
import json
from tgap.generators.stable_diffusion import StableDiffusion
generator = StableDiffusion(path={HUB_ID!r}, **{fields!r})
problems = generator.{find}
print(json.dumps([problems, "" if problems else generator.digest()]))
"""
    address = f"http://127.0.0.1:{server.server_address[1]}"
    env = {
        **os.environ,
        "HF_ENDPOINT": address,
        "HF_HUB_CACHE": str(cache),
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
        "no_proxy": "*",
        "NO_PROXY": "*",
        "HF_HUB_ETAG_TIMEOUT": "5",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_what_is_needed_is_fetched_once_and_nothing_else(hub, folder, tmp_path):
    server, handler = hub
    problems, _ = found_in_a_process(server, tmp_path / "hub")
    assert "generator.download=true" in problems[0]
    checked = found_in_a_process(server, tmp_path / "hub", "check() or ['none']", download=True)
    assert (checked[0], handler.asked) == (["none"], [])
    problems, digest = found_in_a_process(server, tmp_path / "hub", download=True)
    assert problems == []
    assert digest == StableDiffusion(path=str(folder)).digest()
    needed = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert set(handler.asked) == needed
    handler.asked.clear()
    again = found_in_a_process(server, tmp_path / "hub", download=True)
    assert again == [[], digest]
    assert handler.asked == []


def test_half_weights_are_fetched_where_there_are_no_others(hub, tmp_path):
    server, handler = hub
    (handler.root / "unet" / WEIGHTS).replace(
        handler.root / "unet" / "diffusion_pytorch_model.fp16.safetensors"
    )
    (handler.root / "text_encoder" / "model.fp16.safetensors").unlink()
    problems, _ = found_in_a_process(server, tmp_path / "hub", download=True)
    assert problems == []
    assert "unet/diffusion_pytorch_model.fp16.safetensors" in handler.asked
    assert "text_encoder/model.safetensors" in handler.asked


def test_a_repository_without_safetensors_is_told(hub, tmp_path):
    server, handler = hub
    for path in (handler.root / "unet").glob("*.safetensors"):
        path.unlink()
    problems, _ = found_in_a_process(server, tmp_path / "hub", download=True)
    assert f"{HUB_ID} at revision main has no safetensors weights of its unet" in problems[0]
    assert handler.asked == []


def test_what_the_hub_has_not_is_told(hub, tmp_path):
    server, _ = hub
    problems, _ = found_in_a_process(server, tmp_path / "hub", download=True, revision="gone")
    assert f"{HUB_ID} at revision gone cannot be fetched" in problems[0]
    assert f"`hf download {HUB_ID} --revision gone`" in problems[0]


class TestSingleFile:
    def test_it_draws_what_the_folder_draws(self, sd1):
        folder, file = sd1
        whole = StableDiffusion(path=str(folder), device="cpu")
        single = StableDiffusion(path=str(file), config=str(folder), device="cpu")
        assert single.check() + single.check_weights() == []
        assert single.image_shape() == whole.image_shape() == (64, 64, 3)
        models = whole.load(), single.load()
        for name in ("unet", "vae", "text_encoder"):
            theirs, ours = (model.pipeline.components[name].state_dict() for model in models)
            assert theirs.keys() == ours.keys()
            assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
        drawn = [model.sample(["ab"], [3], Sampler(steps=2)) for model in models]
        # equal weights may lie otherwise in memory, which changes the last bits of sums
        assert abs(drawn[0].astype(int) - drawn[1]).max() <= 1

    def test_configs_come_from_the_hubs_cache_too_without_weights(self, sd1, cache):
        folder, file = sd1
        put_into_cache(cache, folder, without=(f"unet/{WEIGHTS}", f"vae/{WEIGHTS}"))
        single = StableDiffusion(path=str(file), config=HUB_ID)
        assert single.check() + single.check_weights() == []
        assert single.digest() == StableDiffusion(path=str(file), config=str(folder)).digest()
        assert COMMIT in single.source().title

    def test_without_configs_the_remedy_is_told(self, sd1):
        problem = only_problem(path=str(sd1[1]))
        assert "holds weights only; set generator.config to a diffusers folder or hub id" in problem
        assert "`hf download" in only_problem(path=str(sd1[1]), config=HUB_ID)

    def test_its_digest_follows_weights_and_configs(self, sd1, tmp_path):
        folder, file = sd1
        before = StableDiffusion(path=str(file), config=str(folder)).digest()
        copy = Path(shutil.copy(file, tmp_path / "renamed.safetensors"))
        assert StableDiffusion(path=str(copy), config=str(folder)).digest() == before
        tensors = load_file(copy)
        tensors["model.diffusion_model.out.2.bias"] += 1
        save_file(tensors, copy)
        assert StableDiffusion(path=str(copy), config=str(folder)).digest() != before

    def test_configs_of_another_architecture_are_told(self, sd1, folder):
        problems = StableDiffusion(path=str(sd1[1]), config=str(folder)).check_weights()
        assert any(
            "'encoder.conv_in.weight' is (8, 3, 3, 3) and by the config (8, 1, 3, 3)" in text
            for text in problems
        )

    def test_a_file_of_another_kind_is_told(self, folder):
        file = str(folder / "unet" / WEIGHTS)
        problems = StableDiffusion(path=file, config=str(folder)).check()
        assert any("holds no vae: no tensor's name begins with 'first_stage" in p for p in problems)

    def test_a_truncated_file_is_told(self, sd1, tmp_path):
        folder, file = sd1
        cut = tmp_path / "cut.safetensors"
        cut.write_bytes(file.read_bytes()[:-10])
        assert "or not a whole one: incomplete" in only_problem(path=str(cut), config=str(folder))

    @pytest.mark.parametrize("name", ["model.ckpt", "model.bin", "model.pt", "model.pth"])
    def test_a_pickle_is_refused_unread(self, name, tmp_path):
        (tmp_path / name).write_bytes(b"\x80\x04cos\nsystem\n")
        problem = only_problem(path=str(tmp_path / name))
        assert "can run code" in problem
        assert "take the .safetensors file that is published beside it, or convert it" in problem
        assert "can run code" in only_problem(path=f"{tmp_path}/gone_{name}")

    def test_a_pickle_is_converted_as_told(self, sd1, tmp_path):
        folder, file = sd1
        torch.save({"state_dict": load_file(file), "epoch": 3}, tmp_path / "v1.ckpt")
        problem = only_problem(path=str(tmp_path / "v1.ckpt"), config=str(folder))
        code = re.search(r'python -c "(.+)"', problem)[1]
        subprocess.run([sys.executable, "-c", code], check=True)
        made = StableDiffusion(path=str(tmp_path / "v1.safetensors"), config=str(folder))
        assert made.check() + made.check_weights() == []

    def test_other_files_are_refused(self, tmp_path):
        (tmp_path / "notes.txt").write_text("?")
        assert "a folder or a .safetensors file" in only_problem(path=str(tmp_path / "notes.txt"))
        assert "does not exist" in only_problem(path=str(tmp_path / "gone.safetensors"))
        (problem,) = StableDiffusionXL(path=str(tmp_path / "notes.txt")).check()
        assert "a diffusers folder or a hub id of a StableDiffusionXLPipeline, got the" in problem


class TestFolder:
    def test_files_that_are_not_read_do_not_count(self, folder, broken):
        (broken / "README.md").write_text("...")
        (broken / "unet" / "diffusion_pytorch_model.fp16.safetensors").write_bytes(b"x")
        generator = StableDiffusion(path=str(broken))
        assert generator.check() + generator.check_weights() == []
        assert generator.digest() == StableDiffusion(path=str(folder)).digest()

    @pytest.mark.parametrize(
        "name",
        ["model_index.json", f"unet/{WEIGHTS}", "tokenizer/tokenizer.json", "scheduler/x", "vae/y"],
    )
    def test_files_that_are_read_count(self, folder, broken, name):
        name = {"scheduler/x": "scheduler/scheduler_config.json", "vae/y": "vae/config.json"}.get(
            name, name
        )
        path = broken / name
        if path.suffix == ".json":
            path.write_text(path.read_text() + " ")
        else:
            tensors = load_file(path)
            tensors["conv_out.bias"] += 1
            save_file(tensors, path)
        assert (
            StableDiffusion(path=str(broken)).digest() != StableDiffusion(path=str(folder)).digest()
        )

    def test_half_weights_alone_are_loaded(self, folder, broken):
        for part, stem in (("unet", WEIGHTS), ("text_encoder", "model.safetensors")):
            tensors = {k: v.half() for k, v in load_file(broken / part / stem).items()}
            (broken / part / stem).unlink()
            save_file(tensors, broken / part / stem.replace(".safe", ".fp16.safe"))
        halved, whole = (StableDiffusion(path=str(path), device="cpu") for path in (broken, folder))
        assert halved.check() + halved.check_weights() == []
        assert halved.load().denoiser.dtype == torch.float32
        drawn = [g.load().sample(["a"], [1], Sampler(steps=2)).astype(int) for g in (halved, whole)]
        assert abs(drawn[0] - drawn[1]).max() <= 2

    def test_weights_in_shards_are_loaded_and_missing_shards_told(self, folder, broken):
        from diffusers import UNet2DConditionModel

        unet = UNet2DConditionModel.from_pretrained(broken / "unet")
        (broken / "unet" / WEIGHTS).unlink()
        unet.save_pretrained(broken / "unet", max_shard_size="100KB")
        shards = sorted((broken / "unet").glob("*-of-*.safetensors"))
        assert len(shards) >= 2
        sharded, whole = (
            StableDiffusion(path=str(path), device="cpu") for path in (broken, folder)
        )
        assert sharded.check() + sharded.check_weights() == []
        drawn = [g.load().sample(["a"], [1], Sampler(steps=2)) for g in (sharded, whole)]
        assert (drawn[0] == drawn[1]).all()
        shards[-1].unlink()
        assert f"{shards[-1].name}' is missing" in only_problem(path=str(broken))
        (index,) = (broken / "unet").glob("*.index.json")
        index.write_text(index.read_text().replace(shards[-1].name, "../../x.safetensors"))
        assert "'../../x.safetensors', which is not beside it" in only_problem(path=str(broken))


def set_field(path, **fields):
    """Change a configuration; a field that is None is taken out."""
    config = {**json.loads(path.read_text()), **fields}
    path.write_text(json.dumps({k: v for k, v in config.items() if v is not None}))


def changed(path, change):
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, {"format": "pt"})


def without(start):
    def change(tensors):
        for name in [name for name in tensors if name.startswith(start)]:
            del tensors[name]

    return change


class TestTensors:
    """Weights are compared with the networks that the configs describe, tensor by tensor."""

    @pytest.mark.parametrize(
        ("part", "field", "value", "told"),
        [
            ("unet", "in_channels", 9, r"'conv_in.weight' is \(8, 4, .* \(8, 9, 3, 3\)"),
            ("unet", "layers_per_block", 1, r"unknown to the config, 244 tensors"),
            ("unet", "up_block_types", ["UpBlock2D"], "describes no unet .*same number"),
            ("vae", "in_channels", 1, r"'encoder.conv_in.weight' is \(8, 3, .* \(8, 1, 3, 3\)"),
            ("vae", "layers_per_block", 3, r"they lack 64 tensors, e.g. 'encoder.down"),
            ("vae", "up_block_types", ["NoSuchBlock"] * 4, "describes no vae .*NoSuchBlock"),
            ("text_encoder", "vocab_size", 10, r"is \(54, 16\) and by the config \(10, 16\)"),
            ("text_encoder", "num_hidden_layers", 3, "lack 16 tensors, e.g. 'encoder.layers.2.sel"),
            ("text_encoder", "num_hidden_layers", 1, "unknown to the config, 16 tensors"),
        ],
    )
    @pytest.mark.parametrize("single", [False, True])
    def test_configs_of_other_networks_are_told_before_a_run(
        self, sd1, tmp_path, single, part, field, value, told
    ):
        folder = Path(shutil.copytree(sd1[0], tmp_path / "copy"))
        path = folder / part / "config.json"
        set_field(path, **{field: value})
        where = {"path": str(sd1[1]), "config": str(folder)} if single else {"path": str(folder)}
        problem = only_problem(**where)
        differs = "they lack|of other shapes|unknown to the config|can be built"
        assert re.search(differs if single else told, problem)
        assert f"do not fit its config '{path}'" in problem or "can be built" in problem
        assert ("that belongs to it" in problem) == (single and "do not fit" in problem)

    @pytest.mark.parametrize(
        ("file", "change", "told"),
        [
            (f"unet/{WEIGHTS}", without("mid_block."), r"they lack \d+ tensors, e\.g\. 'mid_block"),
            (
                f"vae/{WEIGHTS}",
                without("decoder.conv_norm_out.bias"),
                r"they lack 1 tensor, e\.g\. 'decoder\.conv_norm_out\.bias'; copy or download",
            ),
            (
                "text_encoder/model.safetensors",
                lambda tensors: tensors.update(novel=torch.zeros(2)),
                r"they have, unknown to the config, 1 tensor, e\.g\. 'novel'",
            ),
            (
                f"unet/{WEIGHTS}",
                lambda tensors: tensors.update({"conv_out.bias": torch.zeros(5)}),
                r"1 tensor, e\.g\. 'conv_out\.bias' is \(5,\) and by the config \(4,\)",
            ),
        ],
        ids=["lacking", "lacking-one", "unknown", "shape"],
    )
    def test_weights_of_other_networks_are_told_before_a_run(self, broken, file, change, told):
        changed(broken / file, change)
        generator = StableDiffusion(path=str(broken), device="cpu")
        (problem,) = generator.check_weights()
        assert re.search(told, problem)
        with pytest.raises(DataError, match=told):
            generator.load()

    def test_numbers_that_are_none_are_told_when_they_are_loaded(self, broken):
        changed(broken / "unet" / WEIGHTS, lambda t: t["conv_in.weight"].fill_(float("nan")))
        generator = StableDiffusion(path=str(broken), device="cpu")
        assert generator.check() + generator.check_weights() == []
        told = r"weights of unet in \S+ are not finite in float32: 'conv_in\.weight' has NaN"
        with pytest.raises(DataError, match=told):
            generator.load()

    def test_what_fits_is_compared_once(self, broken, monkeypatch):
        generator = StableDiffusion(path=str(broken), device="cpu")
        assert generator.check() + generator.check_weights() == []
        monkeypatch.setattr(fit, "_differences", None)
        assert generator.check() + generator.check_weights() == []
        changed(broken / "unet" / WEIGHTS, lambda t: t["conv_in.weight"].fill_(1.0))
        with pytest.raises(TypeError, match="not callable"):
            generator.check_weights()

    @pytest.mark.parametrize(
        ("start", "told"),
        [
            (
                "cond_stage_model.transformer.text_model.final_layer_norm",
                r"of text_encoder in .+ lack 2 tensors, e\.g\. 'final_layer_norm\.weight'; copy",
            ),
            ("model.diffusion_model.out.2.bias", "of unet in .+ lack 1 tensor, e.g. 'conv_out.b"),
            ("first_stage_model.decoder.mid.attn_1", "of vae in .+ lack 10 tensors, e.g. 'decode"),
        ],
        ids=["text_encoder", "unet", "vae"],
    )
    def test_a_single_file_that_lacks_tensors_is_told(self, sd1, tmp_path, start, told):
        folder, file = sd1
        cut = Path(shutil.copy(file, tmp_path / "cut.safetensors"))
        changed(cut, without(start))
        assert re.search(told, only_problem(path=str(cut), config=str(folder)))

    def test_names_of_older_libraries_fit(self, sd1, tmp_path):
        """As Stable Diffusion 1.5 is published."""
        folder = Path(shutil.copytree(sd1[0], tmp_path / "old"))
        old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
        attention = "mid_block.attentions.0."

        def rename_attention(tensors):
            for name in [name for name in tensors if attention in name]:
                tensor = tensors.pop(name)
                for new, known in old.items():
                    name = name.replace(f"{attention}{new}.", f"{attention}{known}.")
                tensors[name] = tensor

        def add_level_and_positions(tensors):
            for name in list(tensors):
                tensors[f"text_model.{name.removeprefix('text_model.')}"] = tensors.pop(name)
            tensors["text_model.embeddings.position_ids"] = torch.arange(16)[None]

        changed(folder / "vae" / WEIGHTS, rename_attention)
        changed(folder / "text_encoder" / "model.safetensors", add_level_and_positions)
        assert "encoder.mid_block.attentions.0.proj_attn.bias" in load_file(
            folder / "vae" / WEIGHTS
        )
        models = [StableDiffusion(path=str(p), device="cpu").load() for p in (folder, sd1[0])]
        for part in ("vae", "text_encoder"):
            theirs, ours = (model.pipeline.components[part].state_dict() for model in models)
            assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


class TestDefaultsOfLibraries:
    """What a configuration does not say is not taken from a library's defaults."""

    @pytest.mark.parametrize(
        ("cls", "write", "file", "field"),
        [
            (StableDiffusion, write_pipeline, "unet/config.json", "attention_head_dim"),
            (StableDiffusion, write_pipeline, "vae/config.json", "block_out_channels"),
            (StableDiffusion, write_pipeline, "scheduler/scheduler_config.json", "beta_end"),
            (StableDiffusionXL, write_xl, "vae/config.json", "scaling_factor"),
            (StableDiffusion3, write_3, "vae/config.json", "shift_factor"),
            (StableDiffusion3, write_3, "scheduler/scheduler_config.json", "shift"),
        ],
    )
    def test_what_is_lacking_is_told(self, cls, write, file, field, tmp_path):
        write(tmp_path)
        set_field(tmp_path / file, **{field: None})
        (problem,) = cls(path=str(tmp_path), device="cpu").check()
        assert re.search(rf"'{tmp_path / file}' lacks {field}.*\bdefault", problem)
        assert "correct it by what the model's publisher says" in problem

    def test_the_first_releases_autoencoder_has_no_scaling_factor(self, broken):
        set_field(broken / "vae" / "config.json", scaling_factor=None)
        generator = StableDiffusion(path=str(broken), device="cpu")
        assert generator.check() == []
        assert generator.load().pipeline.vae.config.scaling_factor == 0.18215

    def test_a_size_is_asked_for_where_the_denoiser_does_not_say_one(self, broken):
        set_field(broken / "unet" / "config.json", sample_size=None)
        assert "(sample_size is None); set generator.image_size to" in only_problem(
            path=str(broken)
        )
        sized = StableDiffusion(path=str(broken), device="cpu", image_size=16)
        assert sized.check() == []
        assert sized.image_shape() == (16, 16, 1)
        assert sized.load().sample(["a"], [1], Sampler(steps=2)).shape == (1, 16, 16, 1)

    def test_height_and_width_may_differ(self, broken):
        set_field(broken / "unet" / "config.json", sample_size=[4, 8])
        generator = StableDiffusion(path=str(broken), device="cpu")
        assert generator.image_shape() == (16, 32, 1)
        assert generator.load().sample(["a"], [1], Sampler(steps=2)).shape == (1, 16, 32, 1)


class TestPrompts:
    LONG = "abcd " * 7

    @pytest.mark.parametrize(
        ("cls", "write"),
        [
            (StableDiffusion, write_pipeline),
            (StableDiffusionXL, write_xl),
            (StableDiffusion3, lambda folder: write_3(folder, t5=True)),
        ],
    )
    def test_those_that_are_too_long_are_told_once(self, cls, write, tmp_path, caplog):
        write(tmp_path)
        generator = cls(path=str(tmp_path))
        with caplog.at_level("WARNING"):
            problems = generator.check_prompts(["ab", self.LONG, "abcdefghijklmn", self.LONG])
        assert problems == [
            f"prompt must have at most 16 tokens for this generator, got 30: '{self.LONG}'; "
            "shorten the prompt template or the domain"
        ]
        assert not caplog.records
        with pytest.raises(DataError) as caught:
            cls(path=str(tmp_path), device="cpu").load().condition([self.LONG])
        assert str(caught.value) == problems[0]

    def test_the_second_tokenizer_may_read_fewer(self, tmp_path):
        write_xl(tmp_path)
        set_field(tmp_path / "tokenizer_2" / "tokenizer_config.json", model_max_length=8)
        generator = StableDiffusionXL(path=str(tmp_path), device="cpu")
        (problem,) = generator.check_prompts(["abcdefghi"])
        assert "at most 8 tokens" in problem
        with pytest.raises(DataError, match="at most 8 tokens"):
            generator.load().condition(["abcdefghi"])

    def test_of_t5_so_many_count_as_the_pipeline_hands_on(self, tmp_path):
        write_3(tmp_path, t5=True)
        for name in ("tokenizer", "tokenizer_2", "tokenizer_3"):
            set_field(tmp_path / name / "tokenizer_config.json", model_max_length=512)
        for name in ("text_encoder", "text_encoder_2"):
            set_field(tmp_path / name / "config.json", max_position_embeddings=512)
        (problem,) = StableDiffusion3(path=str(tmp_path)).check_prompts(["a" * 400])
        assert "at most 256 tokens" in problem

    @pytest.mark.parametrize("said", [None, 10**30])
    def test_a_tokenizer_that_does_not_say_it_makes_as_many_as_are_read(self, said, folder, broken):
        set_field(broken / "tokenizer" / "tokenizer_config.json", model_max_length=said)
        silent, whole = (StableDiffusion(path=str(path), device="cpu") for path in (broken, folder))
        assert silent.check() == []
        assert "at most 16 tokens" in silent.check_prompts([self.LONG])[0]
        drawn = [g.load().sample(["ab"], [1], Sampler(steps=2)) for g in (silent, whole)]
        assert (drawn[0] == drawn[1]).all()
        with pytest.raises(DataError, match="at most 16 tokens"):
            silent.load().condition([self.LONG])

    def test_a_tokenizer_of_another_model_is_told_before_a_run(self, broken):
        set_field(broken / "text_encoder" / "config.json", vocab_size=50)
        tensors = load_file(broken / "text_encoder" / "model.safetensors")
        name = next(name for name in tensors if name.endswith("token_embedding.weight"))
        tensors[name] = tensors[name][:50].contiguous()
        save_file(tensors, broken / "text_encoder" / "model.safetensors", {"format": "pt"})
        problem = only_problem(path=str(broken))
        assert "tokenizer' has 54 tokens, and" in problem
        assert "text_encoder' reads 50 (vocab_size): they are of two models" in problem

    def test_a_broken_tokenizer_is_told_before_a_run(self, broken):
        (broken / "tokenizer" / "tokenizer.json").write_text("{}")
        (broken / "tokenizer" / "vocab.json").unlink(missing_ok=True)
        with pytest.raises(DataError, match=r"tokenizer '.*tokenizer' cannot be read \("):
            StableDiffusion(path=str(broken), device="cpu").check_weights()

    def test_where_nothing_says_it_the_place_is_told(self, broken):
        set_field(broken / "tokenizer" / "tokenizer_config.json", model_max_length=None)
        set_field(broken / "text_encoder" / "config.json", max_position_embeddings=None)
        problem = only_problem(path=str(broken))
        assert "nothing says how many tokens a prompt may have: neither model_max_l" in problem
        assert "set the former (77 for CLIP)" in problem

    def test_no_torch_is_imported(self, folder):
        code = (
            "import sys; from tgap.generators.stable_diffusion import StableDiffusion;"
            f"g = StableDiffusion(path={str(folder)!r}); assert not g.check_prompts(['a']);"
            "assert 'transformers' not in sys.modules;"
            f"assert g.check_prompts([{self.LONG!r}]); assert 'torch' not in sys.modules"
        )
        subprocess.run([sys.executable, "-c", code], check=True)


class TestSettingsThatDoNotApply:
    def test_a_revision_of_a_local_folder_is_told(self, folder):
        problem = only_problem(path=str(folder), revision="v1")
        assert f"revision is for hub ids, and generator.path '{folder}' is a local f" in problem
        assert "generator.revision=null" in problem

    def test_a_revision_of_a_files_local_config_is_told(self, sd1):
        problem = only_problem(path=str(sd1[1]), config=str(sd1[0]), revision="v1")
        assert f"and generator.config '{sd1[0]}' is a local folder" in problem

    @pytest.mark.parametrize("path", [None, HUB_ID])
    def test_a_config_of_what_has_its_own_is_told(self, path, folder, cache):
        put_into_cache(cache, folder)
        problem = only_problem(path=path, config=str(folder))
        assert "generator.config is for a single file" in problem

    def test_the_packaged_model_has_no_revision(self):
        assert "generator.revision is for hub ids" in only_problem(revision="v1")


def test_the_published_layouts_files_are_chosen():
    """Names as in the repositories of Stable Diffusion 1.5 and 3.5."""
    names = [
        "model_index.json",
        "README.md",
        "v1-5-pruned-emaonly.safetensors",
        "v1-5-pruned.ckpt",
        "scheduler/scheduler_config.json",
        "safety_checker/model.safetensors",
        "tokenizer/merges.txt",
        "tokenizer/vocab.json",
        "tokenizer/tokenizer_config.json",
        "tokenizer/special_tokens_map.json",
        "text_encoder/config.json",
        "text_encoder/model.safetensors",
        "text_encoder/model.fp16.safetensors",
        "text_encoder/pytorch_model.bin",
        "unet/config.json",
        f"unet/{WEIGHTS}",
        "unet/diffusion_pytorch_model.non_ema.safetensors",
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "vae/config.json",
        f"vae/{WEIGHTS}",
    ]
    assert STABLE_DIFFUSION.used(names) == sorted(
        [
            "model_index.json",
            "scheduler/scheduler_config.json",
            "tokenizer/merges.txt",
            "tokenizer/vocab.json",
            "tokenizer/tokenizer_config.json",
            "tokenizer/special_tokens_map.json",
            "text_encoder/config.json",
            "text_encoder/model.safetensors",
            "unet/config.json",
            f"unet/{WEIGHTS}",
            "vae/config.json",
            f"vae/{WEIGHTS}",
        ]
    )
    assert not any("safetensors" in name for name in STABLE_DIFFUSION.used(names, weights=False))
    names = [
        f"text_encoder_3/{name}"
        for name in (
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "model.safetensors.index.json",
            "model.fp16-00001-of-00002.safetensors",
            "model.fp16-00002-of-00002.safetensors",
            "model.safetensors.index.fp16.json",
        )
    ]
    assert STABLE_DIFFUSION_3.weights("text_encoder_3", names) == [
        "text_encoder_3/model-00001-of-00002.safetensors",
        "text_encoder_3/model-00002-of-00002.safetensors",
        "text_encoder_3/model.safetensors.index.json",
    ]
