"""A stranger's configuration is data: Hydra's own node runs nothing and writes nowhere."""

import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra.types import RunMode

from tests.hostile.conftest import Payload, refusal
from tgap.composition.compose import CONFIG_NAME, compose_run, hydra_ready
from tgap.composition.config import Run
from tgap.composition.hydra_node import composed_safely

G = "# @package _global_\n"
UNLINK = "{_target_: os.unlink, path: victim}"
HANDLER = "{version: 1, handlers: {x: {class: logging.handlers.SocketHandler, host: h, port: 1}}}"
FACTORY = "{version: 1, formatters: {x: {(): os.unlink, path: victim}}}"
STREAM = "{version: 1, handlers: {x: {class: logging.StreamHandler, stream: 'ext://stranger.x'}}}"


def composed(*words: str, config_dir: str | None = "confs") -> Run:
    with hydra_ready(config_dir) as hydra:
        return compose_run(hydra, words)


def write(files: dict[str, str]) -> None:
    for name, text in files.items():
        Path("confs", name).parent.mkdir(parents=True, exist_ok=True)
        Path("confs", name).write_text(text)


@pytest.fixture(autouse=True)
def pieces(canary: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What attacks would use: a file to delete, a pickle, a module whose import leaves a trace."""
    Path("victim").write_text("")
    Path("model.pt").write_bytes(pickle.dumps(Payload(canary)))
    Path("stranger.py").write_text(f"open({str(canary)!r}, 'w')\n")
    monkeypatch.syspath_prepend(".")
    yield
    assert Path("victim").exists(), "a file was deleted"
    assert not Path("outputs").exists()
    assert not Path("home").exists()


PICKLE = "{_target_: torch.load, f: model.pt, weights_only: false}"
IN_FILES = {
    "callback in a profile": ("profile/x.yaml", G + f"hydra: {{callbacks: {{a: {UNLINK}}}}}"),
    "pickle in a callback": ("profile/x.yaml", G + f"hydra: {{callbacks: {{a: {PICKLE}}}}}"),
    "callback in a preset": ("selector/x.yaml", G + f"hydra: {{callbacks: {{a: {UNLINK}}}}}"),
    "callback by its package": ("selector/x.yaml", f"# @package hydra.callbacks\na: {UNLINK}"),
    "launcher": ("profile/x.yaml", G + "hydra: {launcher: {_target_: os.system, command: x}}"),
    "part of a launcher": ("profile/x.yaml", G + f"hydra: {{launcher: {{name: {UNLINK}}}}}"),
    "commands of a launcher": ("profile/x.yaml", G + "hydra: {launcher: {setup: [touch canary]}}"),
    "lines of a script": (
        "profile/x.yaml",
        G + 'hydra: {launcher: {partition: "a\\ntouch canary"}}',
    ),
    "sweeper": ("profile/x.yaml", G + f"hydra: {{sweeper: {UNLINK}}}"),
    "handler of a log": ("profile/x.yaml", G + f"hydra: {{job_logging: {HANDLER}}}"),
    "factory of a log": ("profile/x.yaml", G + f"hydra: {{hydra_logging: {FACTORY}}}"),
    "stream of a log": ("profile/x.yaml", G + f"hydra: {{job_logging: {STREAM}}}"),
    "log elsewhere": (
        "profile/x.yaml",
        G + "hydra: {job_logging: {handlers: {file: {filename: ../log}}}}",
    ),
    "output elsewhere": ("profile/x.yaml", G + "hydra: {run: {dir: ../elsewhere}}"),
    "sweep elsewhere": ("profile/x.yaml", G + "hydra: {sweep: {dir: /tmp/elsewhere}}"),
    "environment": ("profile/x.yaml", G + "hydra: {job: {env_set: {TGAP_TRUSTED: stranger}}}"),
    "copied environment": ("profile/x.yaml", G + "hydra: {job: {env_copy: [PATH]}}"),
    "another folder": ("profile/x.yaml", G + "hydra: {job: {chdir: true}}"),
    "help": ("profile/x.yaml", G + "hydra: {help: {template: x}}"),
    "a group of Hydra's": (
        "hydra/callbacks/x.yaml",
        f"a: {UNLINK}",
        "profile/x.yaml",
        G + "defaults: [{override /hydra/callbacks: x}]",
    ),
    "logging's group": (
        "hydra/job_logging/x.yaml",
        HANDLER,
        "profile/x.yaml",
        G + "defaults: [{override /hydra/job_logging: x}]",
    ),
    "a component shadowed": (
        "dataset/digits.yaml",
        G + f"hydra: {{callbacks: {{a: {UNLINK}}}}}",
        "profile/x.yaml",
        G,
    ),
}


@pytest.mark.parametrize("name", IN_FILES)
def test_a_file_sets_nothing_of_hydras(name: str) -> None:
    texts = IN_FILES[name]
    write(dict(zip(texts[::2], texts[1::2], strict=True)))
    group = "selector" if texts[0].startswith("selector") else "profile"
    told = refusal(lambda: composed(f"{group}=x"))
    assert "a file may not set hydra." in told
    assert ".yaml: " in told
    assert "in the command" in told


@pytest.mark.parametrize(
    "word",
    [
        "+hydra.callbacks.a={_target_: os.unlink, path: victim}",
        "+hydra.callbacks.a={_target_: torch.load, f: model.pt, weights_only: false}",
        "+hydra.callbacks.a={_target_: tgap.core.files.write_json, path: canary, value: 1}",
        "+hydra.callbacks.a={_target_: stranger.x}",
        "+hydra.callbacks.a='${prompts}'",
        "hydra.job_logging='${prompts}'",
        "hydra.launcher._target_=os.system",
        "+hydra.launcher.a={_target_: os.unlink, path: victim}",
        "hydra.sweeper._target_=os.system",
        "++hydra={callbacks: {a: {_target_: os.unlink, path: victim}}}",
        "++hydra.job_logging.handlers.x={class: logging.handlers.SocketHandler}",
        "++hydra.job_logging.handlers.console.stream='ext://stranger.x'",
        "++hydra.hydra_logging.formatters.simple.class=stranger.x",
    ],
)
def test_what_is_typed_names_known_classes_only(word: str) -> None:
    told = refusal(lambda: composed(word, config_dir=None))
    assert "is not loaded, because a configuration may not run code" in told
    assert "hydra." in told


def test_a_sweep_composes_no_further_file_unseen() -> None:
    """Of a swept group Hydra first composes the default, which no run has."""
    write({"dataset/digits.yaml": G + f"hydra: {{callbacks: {{a: {UNLINK}}}}}\n"})
    words = ["dataset=phantom_xray,medmnist"]
    with hydra_ready("confs") as hydra:
        told = refusal(lambda: composed_safely(hydra, CONFIG_NAME, words, RunMode.MULTIRUN))
    assert "dataset/digits.yaml: a file may not set hydra.callbacks.a._target_" in told


def test_a_launcher_may_be_described_in_a_file() -> None:
    write({"profile/x.yaml": G + "hydra: {launcher: {n_jobs: 2}}\nsize: 7\n"})
    told = refusal(lambda: composed("profile=x"))  # the basic launcher has no such setting
    assert "a file may not set" not in told
    write({"profile/x.yaml": G + "defaults: [{override /hydra/job_logging: stdout}]\nsize: 7\n"})
    assert composed("profile=x").size == 7


@pytest.mark.parametrize("place", ["confs", "earlier/.hydra"])
def test_a_saved_configuration_that_was_altered(place: str) -> None:
    """``.hydra/config.yaml`` sent by somebody, loaded through ``--config-dir``."""
    saved = "selector: {_target_: os.unlink}\nsize: 5\n"
    folder = Path(place) / "profile"
    folder.mkdir(parents=True)
    (folder / "saved.yaml").write_text(G + saved)
    told = refusal(lambda: composed("profile=saved", config_dir=place))
    assert "selector: 'os.unlink' is not built" in told


@pytest.mark.parametrize(
    "target",
    [
        "os.system", "torch.load", "torch.hub.load", "joblib.load", "pathlib.Path.unlink",
        "logging.os.system", "transformers.AutoModel.from_pretrained", "mlflow.pyfunc.load_model",
        "stranger.x", "tgap.core.files.os.unlink", "tgap.cli.main.command",
    ],
)  # fmt: skip
def test_no_part_is_built_from_a_target(target: str) -> None:
    write({"selector/x.yaml": f"_target_: {target}\npath: victim\n"})
    told = refusal(lambda: composed("selector=x"))
    assert (
        f"selector: '{target}' is not built" in told
        or "only components are built" in told
        or ("cannot be imported" in told)
    )


@pytest.mark.parametrize("name", ["HF_TOKEN", "AWS_SECRET_ACCESS_KEY"])
def test_a_secret_of_the_environment_is_not_read(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "hunter2")
    write({"profile/x.yaml": G + f"dataset: {{domain: '${{oc.env:{name}}}'}}\n"})
    told = refusal(lambda: composed("profile=x"))
    assert f"dataset.domain: the environment variable {name} may be a secret" in told
    assert "hunter2" not in told
    for value in (f"${{oc.env:{name}}}", f"'of ${{oc.env:{name}}}'"):
        told = refusal(lambda value=value: composed(f"dataset.domain={value}", config_dir=None))
        assert f"the environment variable {name} may be a secret" in told
    monkeypatch.setenv("PICTURES", "photo")
    assert composed("dataset.domain=${oc.env:PICTURES}", config_dir=None).dataset.domain == "photo"
