"""What people see when something is wrong."""

import json
import shlex
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tgap
from tgap.analysis.comparison import Comparison
from tgap.cli.main import command, run_command
from tgap.composition import compose
from tgap.core import ConfigError
from tgap.sweeps.launch import Launched
from tgap.sweeps.task import Outcome


def refused(words: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The message of a command line that must not start anything."""
    assert run_command(shlex.split(words)) == 2
    err = capsys.readouterr().err
    assert "Traceback" not in err
    assert not Path("outputs").exists()
    assert not Path("multirun").exists()
    assert not list(Path.cwd().glob("home/journal/*"))
    return err


@pytest.mark.parametrize(
    ("words", "problems"),
    [
        ("selector=clip_spectrl", "no selector is named 'clip_spectrl'; did you mean 'clip_spect"),
        ("profile=tinny", "no profile is named 'tinny'; did you mean 'tiny'?"),
        ("selector=clip_spectral selector/cluster=spectrl", "did you mean 'spectral'?"),
        ("sizze=3", "unknown key 'sizze'; did you mean 'size'?"),
        ("seletor=random", "unknown key 'seletor'; did you mean 'selector'?"),
        (
            "sampler.steps=x sampler.stepps=4",
            "sampler.steps must be a whole number, got 'x'|"
            "unknown key 'sampler.stepps'; did you mean 'steps'?",
        ),
        ("finetuner.prior_wait=1", "did you mean 'prior_weight'?"),
        (
            "size=x seed=-1 size_unit=all sampler.guidance=nan sampler.scheduler=dim "
            "finetuner.prior_weight=-1 budget.learning_rate=inf",
            "tgap: 7 problems in the configuration:|"
            "size must be a whole number, got 'x'|"
            "seed must be at least 0, got -1|"
            "size_unit must be one of label, total, got 'all'|"
            "sampler.guidance must be a finite number, got nan|"
            "sampler.scheduler must be one of ddim, ddpm, dpm_solver|"
            "finetuner.prior_weight must be at least 0, got -1.0|"
            "budget.learning_rate must be a finite number, got inf",
        ),
        ("size=500,1000", "size=500,1000 has several values: add -m to sweep over them"),
        ("size=[1", "size must be a whole number, got '[1'"),
        ("size='${nope}'", "size"),
        ("dataset.domain=", "dataset.domain must name what the images show"),
        (
            "prompts.prior=\"'a {label}'\" prompts.tuning=\"'a {lable}'\" "
            "prompts.generation=\"'{label.x} {label}'\"",
            "prompts.prior must not contain {label}|"
            "prompts.tuning may use {label}, {findings} and {domain} only|"
            "prompts.generation may use {label}, {findings} and {domain} only",
        ),
        ("prompts.wordings=\"{odd:' '}\"", "prompts.wordings must have words for 'odd', got ' '"),
        ("prompts.wordings=5", "prompts.wordings must be pairs of a name and a value"),
        ("prompts.wordings.od=uneven", "is named 'od'; did you mean 'odd'?"),
        (
            'prompts.wordings="{even: number, odd: number}"',
            "prompts.tuning must tell labels apart, but is 'an image of number handwritten digit'",
        ),
        (
            "\"prompts.prior='an image of odd handwritten digit'\"",
            "prompts.prior must differ from the tuning prompts|label 'odd'",
        ),
        ("~selector", "selector must be chosen"),
        ("selector=clip_spectral selector.cluster=null", "selector.cluster must be chosen"),
        ("selector=subclass selector/pick=closest", "selector.embedder must be set"),
        (
            "selector=random selector/embedder=clip",
            "selector that is chosen has no part 'embedder'",
        ),
        (
            "selector=clip_spectral selector.cluster.n_clusters=9999",
            "selector.cluster.n_clusters must be at most 1500",
        ),
        ("selector=clip_spectral selector.embedder.device=mps", "device 'mps' is not available"),
        ("classifier.device=mps", "device 'mps' is not available"),
        (
            "classifier=linear_probe classifier.embedder.model=ViT-B-99 "
            "classifier.embedder.pretrained=openai selector=clip_spectral "
            "selector.embedder.model=ViT-B-32 selector.embedder.pretrained=opnai",
            "classifier.embedder: CLIP model 'ViT-B-99' with weights 'openai' cannot be loaded: "
            "there is no such model; did you mean 'ViT-B-32'?|"
            "'opnai' is not a known tag",
        ),
        ("classifier=timm classifier.model=resnet19", "did you mean resnet"),
        ("classifier=chexnet classifier.weights=gone.pth", "file that does not exist: gone.pth"),
        (
            "classifier=timm classifier.model=vit_tiny_patch16_224",
            "cannot take images of 32 x 32: Input height (32) doesn't match model (224)",
        ),
        ("dataset=image_folder dataset.labels=abc", "dataset.labels must be a list in brackets"),
        ("dataset=image_folder", "dataset.path must name a folder of images, got ''"),
        (
            "dataset=huggingface dataset.domain=x",
            "dataset.path (a folder written by save_to_disk) or repo",
        ),
        ("dataset=medmnist dataset.size=30", "dataset.size must be"),
        ("pool_size=4900", "the split asks for pool 4900|the dataset has 5000"),
        (
            "size=100,99999999 sampler.steps=10,0 -m",  # every run, before the first one
            "sampler.steps must be at least 1, got 0|"
            "size=99999999 asks for 99999999 images of label 'even'|"
            "selector 'random' can pick at most 1500 from the pool's 1500",
        ),
        ("hydra.sweeper.params.size=1 -m", "it sweeps over commas on the command line only"),
        ("hydra.run.dir=/dev/null/x size=5", "cannot write Hydra's output folder /dev/null"),
        ("--config-dir=nowhere", "there is no folder"),
        ("--config-name=other", "--config-name does not go with a run"),
        ("--experimental-rerun=x.pickle", "reads a pickle"),
        ("--cfg job --experimental-rerun x.pickle", "reads a pickle"),
        ("-m --cfg job", "--cfg shows one run and starts none: leave -m out"),
        ("-m --hydra-help", "--hydra-help shows one run and starts none: leave -m out"),
        ("--info config --cfg job", "--cfg and --info are two questions; ask one at a time"),
        ("--cfg job sizze=3", "unknown key 'sizze'; did you mean 'size'?"),
        ("--cfg job --resolve size='${nope}'", "there is no setting 'nope'"),
        ("--cfg job --package bugdet", "there is no 'bugdet'; did you mean 'budget'?"),
        ("-m selector=glob(zzz*)", "selector=glob(zzz*) matches nothing (one of: clip_kmeans"),
        ("dataset@external.b=digits", "to add it, write +dataset@external.b=digits"),
        ("+size=5", "+size: it is there already; to set it, leave the + out: size=5"),
        ("+selector=random", "+selector: one is chosen already"),
        ("~sizze", "~sizze: there is nothing of that name to leave out"),
        ("selector=null", "selector must be one option, got null (one of: clip_kmeans"),
        ("budget=5", "budget has settings of its own"),
        ("dataset.domain=[a]", "dataset.domain must be text, got ['a']"),
        ("size=null", "size must have a value, got null"),
        ("--multirn", "'--multirn'. Did you mean '--multirun'? (see tgap run --help)"),
    ],
)
def test_what_is_wrong_is_told(
    words: str, problems: str, capsys: pytest.CaptureFixture[str]
) -> None:
    err = refused(words, capsys)
    for problem in problems.split("|"):
        assert problem in err


def test_a_generator_s_files_are_looked_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    assert str(other) in refused(f"generator.path={other}", capsys)
    shutil.copytree(Path(tgap.__file__).parent / "assets" / "tiny_ldm", other)
    config = other / "unet" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"sample_size": 16}))
    err = refused(f"generator.path={other}", capsys)
    assert "images must be (64, 64, 1)" in err
    assert "dataset 'digits' has (32, 32, 1)" in err


def test_a_store_that_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TGAP_HOME", str(tmp_path / "file"))
    err = refused("size=10", capsys)
    assert "TGAP_HOME" in err
    assert str(tmp_path / "file") in err


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("_target_: os.system\ncommand: touch owned\n", "the package 'os' is not trusted"),
        ("_target_: tgap.composition.registry.conf_folder\n", "only components are built"),
        ("a: [1, 2\nb: }", "a config file is no YAML"),
        ("defaults:\n- rndom\n", "selector/evil.yaml: no selector is named 'rndom'; did you mean"),
        ("defaults: random\n", "selector/evil.yaml: defaults must be a list"),
        ("defaults:\n- random\n- _self_\nsz: 1\n", "evil.yaml: unknown key 'selector.sz'"),
    ],
)
def test_a_config_that_is_no_component_is_refused(
    text: str, problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "selector").mkdir()
    (tmp_path / "selector" / "evil.yaml").write_text(text)
    assert problem in refused(f"--config-dir={tmp_path} selector=evil", capsys)
    assert not Path("owned").exists()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("size: 3\n", "the first line of its file must be '# @package _global_'"),
        ("# @package _global_\nsize: abc\n", "profile/mine.yaml: size must be a whole number"),
        ("defaults:\n- dataset: digits\n", "by '- override /dataset: digits' in defaults"),
        ("defaults:\n- override /datset: digits\n", "no group is named 'datset'; did you mean 'da"),
    ],
)
def test_a_profile_that_cannot_be_one_is_told_what_it_lacks(
    text: str, problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "profile").mkdir()
    (tmp_path / "profile" / "mine.yaml").write_text(text)
    assert problem in refused(f"--config-dir={tmp_path} profile=mine", capsys)


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
    err = refused(f"{words} dataset.domain=pet prompts=findings", capsys)
    assert "prompts.tuning names findings, but dataset 'image_folder' knows none" in err


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("", ""),
        ("nothing", "No such command 'nothing'"),
        ("ui --prt 3", "Did you mean '--port'? (see tgap ui --help)"),
        ("ui", "nothing is logged yet"),
        ("phantom --size 32", "Missing option '--images'"),
        ("phantom --images -3 --size 5 --out -x", "images must be 1 to 112120, got -3"),
        ("data --config-dir nowhere", "there is no folder"),
        ("compare --experiment -x", "no run of experiment '-x' was recorded"),
        ("label --images a --out b", "dataset= must name the real images"),
        ("evaluate --synthetic a", "--real must name a folder of real images, or dataset="),
    ],
)
def test_other_commands_start_nothing_either(
    words: str, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(words.split()) == 2
    assert problem in capsys.readouterr().err


def test_a_mistake_has_its_traceback_if_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(ConfigError, match="there is no folder"):
        run_command(["--config-dir=nowhere"])


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A shell lets what it starts in the background ignore SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_is_told(
    interruptible: None,
    number: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("tgap.sweeps.launch.launch", lambda *_, **__: signal.raise_signal(number))
    assert run_command([]) == 130
    assert "interrupted; what is finished is kept" in capsys.readouterr().err


def test_a_failed_run_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    launched = Launched([Outcome(failure="no light")], Comparison())
    monkeypatch.setattr("tgap.sweeps.launch.launch", lambda *_, **__: launched)
    assert run_command([]) == 1
    assert "FAILED: no light" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "part", "resolve"),
    [
        ("", None, False),
        ("size=5 selector=clip_spectral classifier=chexnet", None, True),
        ("generator=tiny_ldm generator.image_size=64", "generator", False),
        ("seed=3", "seed", False),
        ("clip.model=ViT-B-32 clip.pretrained=openai", "evaluators.fidelity", True),
    ],
)
def test_a_job_is_shown_as_hydra_shows_it(words, part, resolve, capsys) -> None:
    flags = [*(["--package", part] if part else []), *(["--resolve"] if resolve else [])]
    assert run_command(["--cfg", "job", *flags, *words.split()]) == 0
    ours = capsys.readouterr().out
    with compose.hydra_ready() as hydra:
        hydra.show_cfg(compose.CONFIG_NAME, words.split(), "job", part, resolve)
    assert ours == capsys.readouterr().out
    assert ours
