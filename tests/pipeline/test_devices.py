"""Runs that several devices share: what is refused, what enters a key, and what comes out."""

import json
import logging
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
from safetensors.numpy import load_file

import tgap
from tests.pipeline.conftest import CUT
from tgap.composition.config import Run
from tgap.core import ConfigError, TgapError
from tgap.core.progress import watched
from tgap.pipeline import stages
from tgap.pipeline.plan import plan
from tgap.pipeline.preflight.devices import check_devices
from tgap.pipeline.result import Result
from tgap.pipeline.sharing import crew
from tgap.store import Store

ROOT = Path(__file__).parents[2]


def composed(words: str) -> Run:
    return tgap.compose(*shlex.split(words))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("devices=0", "devices must be at least 1, got 0"),
        ("devices=65", "devices must be at most 64, got 65"),
        ("devices=2 generator.device=mps", "devices must be 1 with generator.device=mps, of which"),
        (
            "devices=4 budget.batch_size=3",
            r"devices must be at most budget\.batch_size=3, because each of them takes a part",
        ),
    ],
)
def test_what_cannot_be_shared_is_refused(words, message):
    with pytest.raises(ConfigError, match=message):
        composed(words)


def test_a_finetuner_whose_steps_cannot_be_shared_is_refused(monkeypatch):
    monkeypatch.setattr("tgap.finetuners.dreambooth.Dreambooth.shares_steps", False)
    with pytest.raises(ConfigError, match="must be 1 with finetuner 'dreambooth', whose steps"):
        composed("devices=2")
    assert composed("devices=2 finetuner=none").tuning_devices == 1


@pytest.mark.parametrize("there", [0, 1])
def test_fewer_devices_than_asked_for_are_told(monkeypatch, there):
    monkeypatch.setattr("torch.cuda.device_count", lambda: there)
    (problem,) = check_devices(composed("devices=2"))
    assert problem.startswith(f"devices=2 needs as many CUDA devices, and torch sees {there} on")
    assert "set devices=1," in problem
    assert "set generator.device=cpu to share the work among processes" in problem
    assert check_devices(composed("devices=2 generator.device=cpu")) == []
    assert check_devices(composed("devices=2 generator=noise")) == []
    elsewhere = crew.Crew(plan(composed("devices=2")), Store(Path("none")), "draw", "drawing", 2)
    with pytest.raises(ConfigError, match="devices=2 needs as many CUDA devices"), elsewhere:
        pass
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert check_devices(composed("devices=2")) == []


def test_a_class_of_this_session_is_told(monkeypatch):
    monkeypatch.setattr(sys.modules["tgap.finetuners.dreambooth"], "__spec__", None)
    (problem,) = check_devices(composed("devices=2 generator.device=cpu"))
    assert "cannot know tgap.finetuners.dreambooth.Dreambooth, defined in this session" in problem


def test_devices_enter_the_key_of_a_tuned_generator_and_of_nothing_else():
    one, two = plan(composed("devices=1")), plan(composed("devices=2 generator.device=cpu"))
    assert one.generator.key != two.generator.key
    assert two.generator.identity["devices"] == 2
    assert "devices" not in one.generator.identity
    assert one.prior == two.prior
    drawn = [plan(composed(f"finetuner=none devices={n}")).synthetic for n in (1, 2)]
    assert drawn[0] == drawn[1]


def test_a_member_has_a_device_of_its_own(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    assert [crew._surroundings(n, cpu=False)[crew.VISIBLE] for n in (0, 1)] == ["3", "5"]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert crew._surroundings(1, cpu=False)[crew.VISIBLE] == "1"
    assert crew.VISIBLE not in crew._surroundings(1, cpu=True)


# Members that load torch and the packaged model: many seconds each


WORDS = [
    *CUT,
    *"generator.device=cpu selector=random budget.steps=6 budget.batch_size=7".split(),
    *"prior_sampler.batch_size=16 sampler.batch_size=32".split(),
]


def done(home: Path, *words: str, until: str = "generate") -> Result:
    """A run as far as a stage."""
    store, result = Store(home / "store"), Result(plan(tgap.compose(*WORDS, *words)))
    for stage in ("prepare", "embed", "select", "finetune", "generate"):
        getattr(stages, stage)(result, store)
        if stage == until:
            break
    return result


def tuned_weights(result: Result) -> dict[str, np.ndarray]:
    (file,) = result.artifacts.generator.path("model").glob("unet/*.safetensors")
    return load_file(file)


def members() -> list[psutil.Process]:
    return [
        each
        for each in psutil.Process().children(recursive=True)
        if each.status() != psutil.STATUS_ZOMBIE and crew.PROGRAM in each.cmdline()
    ]


@pytest.mark.long
def test_two_processes_draw_the_same_images_and_tune_the_same_up_to_rounding(tmp_path):
    one = done(tmp_path / "one")
    two, again = (done(tmp_path / home, "devices=2") for home in ("two", "again"))
    for result in (two, again):
        prior = [each.artifacts.prior.read_array("images.npy") for each in (one, result)]
        assert (prior[0] == prior[1]).all()
    for name, expected in tuned_weights(one).items():
        np.testing.assert_allclose(tuned_weights(two)[name], expected, rtol=0, atol=2e-5)
        assert (tuned_weights(two)[name] == tuned_weights(again)[name]).all()
    losses = [
        json.loads(each.artifacts.generator.path("losses.json").read_text()) for each in (one, two)
    ]
    for alone, shared in zip(*losses, strict=True):
        assert alone.keys() == shared.keys()
        assert shared["loss"] == pytest.approx(alone["loss"], rel=1e-4)
    drawn = [each.artifacts.synthetic.read_array("images.npy") for each in (one, two, again)]
    assert (drawn[1] == drawn[2]).all()
    assert np.abs(drawn[0].astype(int) - drawn[1]).max() <= 1
    assert members() == []


@pytest.mark.long
@pytest.mark.parametrize("devices", [2, 3])
def test_the_untuned_models_images_are_the_same_from_any_number(tmp_path, monkeypatch, devices):
    monkeypatch.setattr(
        f"{__name__}.WORDS", [word for word in WORDS if not word.startswith("finetuner.")]
    )
    one = done(tmp_path / "one", "finetuner=none")
    more = done(tmp_path / "more", "finetuner=none", f"devices={devices}")
    files = [each.artifacts.synthetic.manifest["files"] for each in (one, more)]
    assert {name: told["sha256"] for name, told in files[0].items()} == {
        name: told["sha256"] for name, told in files[1].items()
    }


@pytest.mark.long
@pytest.mark.parametrize(
    "words",
    [
        "drawing=value_based sampler.scheduler=ddpm sampler.steps=4 drawing.share=1",
        "drawing=best_of sampler.guidance=1.5 sampler.guidance_high=3 sampler.guide=dropout",
        "drawing=rejection drawing.trials=3",
    ],
)
def test_chosen_images_are_the_same_from_two_processes(tmp_path, monkeypatch, words):
    monkeypatch.setattr(
        f"{__name__}.WORDS", [word for word in WORDS if not word.startswith("finetuner.")]
    )
    words = [*words.split(), "finetuner=none", "drawing.judge.least_auroc=.5"]
    results = [done(tmp_path / str(n), *words, f"devices={n}") for n in (1, 2)]
    files = [each.artifacts.synthetic.manifest["files"] for each in results]
    assert {name: told["sha256"] for name, told in files[0].items()} == {
        name: told["sha256"] for name, told in files[1].items()
    }


@pytest.mark.long
@pytest.mark.parametrize("number", [0, 1])
def test_a_process_that_is_killed_while_it_tunes_is_told_and_none_is_left(tmp_path, number):
    killed: list[int] = []

    def kill(what: str, step: int, steps: int) -> None:
        if what == "fine-tuning" and step >= 3 and not killed:
            killed.append(members()[number].pid)
            os.kill(killed[0], signal.SIGKILL)

    told = (
        rf"^fine-tuning: process {number + 1} of 2 is gone: it was killed by signal 9 \(SIGKILL\)"
    )
    with watched(kill), pytest.raises(TgapError, match=told):
        done(tmp_path, "devices=2", "finetuner.prior_weight=0", "budget.steps=100000")
    assert killed
    assert members() == []


@pytest.mark.long
def test_an_interrupted_run_goes_on(tmp_path, caplog):
    words = ["devices=2", "finetuner.prior_weight=0", "budget.steps=30"]
    expected = tuned_weights(done(tmp_path / "whole", *words, until="finetune"))
    code = (
        "import sys; from pathlib import Path; from tests.pipeline.test_devices import done\n"
        "from tgap.core.progress import watched\n"
        "def told(what, done, total):\n"
        "    if what == 'fine-tuning' and done >= 5: print(done, flush=True)\n"
        "with watched(told): done(Path(sys.argv[1]), *sys.argv[2:], until='finetune')\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path / "cut", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert int(process.stdout.readline()) >= 5
        below = psutil.Process(process.pid).children(recursive=True)
        assert len(below) == 2
        process.send_signal(signal.SIGINT)
        assert process.wait(30) != 0
    assert not any(psutil.pid_exists(each.pid) for each in below)
    saved = [*(tmp_path / "cut" / "store" / "partial").glob("*.checkpoint/checkpoint.*")]
    assert len(saved) == 1
    caplog.set_level(logging.INFO)
    got = tuned_weights(done(tmp_path / "cut", *words, until="finetune"))
    for name, array in expected.items():
        assert (got[name] == array).all(), name
    assert "going on with fine-tuning at step" in caplog.text
