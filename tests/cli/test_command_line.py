"""What people see when something is wrong, or when they ask for help."""

import json
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tgap
from tgap.cli.main import command
from tgap.cli.run import run_command


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TGAP_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def refused(words: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The message of a command line that must not start anything."""
    assert run_command(shlex.split(words)) == 2
    out = capsys.readouterr()
    assert "Traceback" not in out.err
    assert not Path("outputs").exists()
    assert not Path("multirun").exists()
    assert not list(Path.cwd().glob("home/journal/*"))
    return out.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("selector=clip_spectrl", "no selector is named 'clip_spectrl'; did you mean 'clip_spect"),
        ("profile=tinny", "no profile is named 'tinny'; did you mean 'tiny'?"),
        ("selector=clip_spectral selector/cluster=spectrl", "did you mean 'spectral'?"),
        ("sizze=3", "unknown key 'sizze'; did you mean 'size'?"),
        ("seletor=random", "unknown key 'seletor'; did you mean 'selector'?"),
        ("sampler.stepps=3", "unknown key 'sampler.stepps'; did you mean 'steps'?"),
        ("finetuner.prior_wait=1", "did you mean 'prior_weight'?"),
        ("size=abc", "size must be a whole number, got 'abc'"),
        ("size=0", "size must be at least 1, got 0"),
        ("sampler.guidance=nan", "sampler.guidance must be a finite number, got nan"),
        ("sampler.scheduler=dim", "sampler.scheduler must be one of ddim, ddpm, dpm_solver"),
        ("finetuner.prior_weight=-1", "finetuner.prior_weight must be at least 0, got -1.0"),
        ("size=500,1000", "size=500,1000 has several values: add -m to sweep over them"),
        ("dataset.domain=", "dataset.domain must name what the images show"),
        ("size=[1", "no viable alternative"),
        ("prompts.prior=\"'a {label}'\"", "prompts.prior must not contain {label}"),
        ("prompts.tuning=\"'a {lable}'\"", "may use {label}, {findings} and {domain} only"),
        ("--config-dir=nowhere", "there is no folder"),
        ("--config-name=other", "--config-name does not go with a run"),
        ("hydra.sweeper.params.size=1 -m", "it sweeps over commas on the command line only"),
        ("hydra.run.dir=/dev/null/x size=5", "cannot write Hydra's output folder /dev/null"),
        ("budget.learning_rate=inf", "budget.learning_rate must be a finite number, got inf"),
        ("~selector", "selector must be chosen"),
        ("selector=clip_spectral selector.cluster=null", "selector.cluster must be chosen"),
        ("size='${nope}'", "size"),
        ("prompts.tuning=\"'{label.x} {label}'\"", "may use {label}, {findings} and {domain} only"),
        ("prompts.wordings=\"{odd:' '}\"", "prompts.wordings must have words for 'odd', got ' '"),
        ("prompts.wordings=5", "prompts.wordings must be pairs of a name and a value"),
        ("dataset=image_folder dataset.labels=abc", "dataset.labels: Invalid value assigned"),
        ("dataset=image_folder", "dataset.path must name a folder of images, got ''"),
        ("classifier=timm classifier.model=resnet19", "did you mean resnet"),
        ("classifier=chexnet classifier.weights=gone.pth", "file that does not exist: gone.pth"),
        (
            "classifier=timm classifier.model=vit_tiny_patch16_224",
            "cannot take images of 32 x 32: Input height (32) doesn't match model (224)",
        ),
        (
            "selector=random selector/embedder=clip",
            "selector that is chosen has no part 'embedder'",
        ),
        ("selector=clip_spectral selector.embedder.device=mps", "device 'mps' is not available"),
        (
            "classifier=linear_probe classifier.embedder.model=ViT-B-99 "
            "classifier.embedder.pretrained=openai",
            "classifier.embedder: CLIP model 'ViT-B-99' with weights 'openai' cannot be loaded: "
            "there is no such model; did you mean 'ViT-B-32'?",
        ),
        (
            "selector=clip_spectral selector.embedder.model=ViT-B-32 "
            "selector.embedder.pretrained=opnai",
            "'opnai' is not a known tag",
        ),
        (
            "selector=clip_spectral selector.cluster.n_clusters=9999",
            "selector.cluster.n_clusters must be at most 1500",
        ),
        (
            'prompts.wordings="{even: number, odd: number}"',
            "prompts.tuning must tell labels apart, but is 'an image of number handwritten digit'",
        ),
        ("selector=clip_kmeans selector.pick=null", "selector.pick must be chosen"),
        ("selector=subclass selector/pick=closest", "selector.embedder must be set"),
        (
            "dataset=huggingface dataset.domain=x",
            "dataset.path (a folder written by save_to_disk) or repo",
        ),
        ("dataset=medmnist dataset.size=30", "dataset.size must be"),
        ("prompts.wordings.od=uneven", "is named 'od'; did you mean 'odd'?"),
        ("protocol=thesiss", "no protocol is named 'thesiss'; did you mean 'thesis'?"),
        ("size_unit=all", "size_unit must be one of label, total, got 'all'"),
        ("sampler.steps=x budget.stepss=4", "sampler.steps must be a whole number, got 'x'"),
        ("--experimental-rerun=x.pickle", "reads a pickle"),
    ],
)
def test_a_wrong_word_is_told(words: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert told in refused(words, capsys)


def test_all_wrong_values_are_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    text = refused("size=x seed=-1 sampler.guidance=0 finetuner.prior_weight=-1", capsys)
    assert text.startswith("tgap: 4 problems in the configuration:")
    for told in ("size must be", "seed must be", "sampler.guidance must", "finetuner.prior_weight"):
        assert told in text


def test_every_run_of_a_sweep_is_checked_before_the_first(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = refused("size=100,99999999 sampler.steps=10,0 -m", capsys)
    assert "sampler.steps must be at least 1, got 0" in text
    text = refused("size=100,99999999 -m", capsys)
    assert "size=99999999 asks for 99999999 images of label 'even'" in text
    assert "selector 'random' can pick at most 1500 from the pool's 1500" in text


def test_a_pool_that_cannot_be_drawn_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    text = refused("pool_size=4900", capsys)
    assert "the split asks for pool 4900" in text
    assert "the dataset has 5000" in text


def test_a_generator_without_a_file_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert str(tmp_path / "gone") in refused(f"generator.path={tmp_path / 'gone'}", capsys)


def test_a_generator_of_other_images_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(Path(tgap.__file__).parent / "assets" / "tiny_ldm", tmp_path / "other")
    config = tmp_path / "other" / "unet" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"sample_size": 16}))
    text = refused(f"generator.path={tmp_path / 'other'}", capsys)
    assert "images must be (64, 64, 1)" in text
    assert "dataset 'digits' has (32, 32, 1)" in text


def test_a_prior_prompt_that_is_a_tuning_prompt_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    text = refused("\"prompts.prior='an image of odd handwritten digit'\"", capsys)
    assert "prompts.prior must differ from the tuning prompts" in text
    assert "label 'odd'" in text


def test_a_device_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert "device 'mps' is not available" in refused("classifier.device=mps", capsys)


def test_a_store_that_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TGAP_HOME", str(tmp_path / "file"))
    text = refused("size=10", capsys)
    assert "TGAP_HOME" in text
    assert str(tmp_path / "file") in text


def test_code_from_a_config_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "more" / "selector"
    folder.mkdir(parents=True)
    (folder / "evil.yaml").write_text("_target_: os.system\ncommand: touch owned\n")
    text = refused(f"--config-dir={tmp_path / 'more'} selector=evil", capsys)
    assert "the package 'os' is not trusted" in text
    (folder / "evil.yaml").write_text("_target_: tgap.composition.registry.conf_folder\n")
    assert "only components are built" in refused(
        f"--config-dir={tmp_path / 'more'} selector=evil", capsys
    )


def test_help_names_groups_and_settings(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["--help"]) == 0
    text = capsys.readouterr().out
    groups = ("selector=clip_kmeans|clip_spectral|clustered", "protocol=clean|thesis")
    for told in (*groups, "sampler.guidance=", "size=500"):
        assert told in text


def test_the_command_alone_shows_its_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert command([]) == 2
    assert command(["--help"]) == 0
    assert "tgap ui" in capsys.readouterr().out


def test_ui_without_runs_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["ui"]) == 2
    assert "nothing is logged yet" in capsys.readouterr().err


def test_a_config_file_that_is_no_yaml_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "selector").mkdir()
    (tmp_path / "selector" / "bad.yaml").write_text("a: [1, 2\nb: }")
    text = refused(f"--config-dir={tmp_path} selector=bad", capsys)
    assert "a config file is no YAML" in text


def test_findings_in_prompts_of_data_without_findings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    for label in ("cat", "dog"):
        (tmp_path / "pets" / label).mkdir(parents=True)
        for number in range(20):
            picture = Image.fromarray(rng.integers(0, 256, (32, 32), dtype=np.uint8))
            picture.save(tmp_path / "pets" / label / f"{number}.png")
    words = f"dataset=image_folder dataset.path={tmp_path}/pets dataset.size=32 size=5"
    text = refused(f"{words} dataset.domain=pet prompts=findings", capsys)
    assert "prompts.tuning names findings, but dataset 'image_folder' knows none" in text
