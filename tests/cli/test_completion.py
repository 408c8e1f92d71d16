"""What TAB offers: commands, flags and their values, groups, options, keys and their values."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest

from tgap.cli.completion import SCRIPTS, VARIABLE, LineCompletion
from tgap.cli.main import command, tgap
from tgap.composition.registry import options

SPECTRAL = "tgap run selector=clip_spectral"


def offered(line: str) -> list[str]:
    """The words that a shell is given for a line."""
    with patch.dict(os.environ, COMP_LINE=line):
        return LineCompletion(tgap, {}, "tgap", VARIABLE).complete().split()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("tgap s", ["status", "store", "sync"]),
        ("tgap ui --p", ["--port"]),
        ("tgap completion ", ["bash", "zsh", "fish"]),
        ("tgap completion bash ", []),
        ("tgap run --c", ["--config-dir", "--cfg"]),
        ("tgap run --cfg ", ["job", "hydra", "all"]),
        ("tgap run --config-dir ", []),
        ("tgap label --fi", ["--fit"]),
        ("tgap label --fit s", ["squash"]),
        ("tgap run see", ["seed=", "seeds."]),
        ("tgap  run   -m  see", ["seed=", "seeds."]),
        ("tgap run sel", ["selector.", "selector/", "selector="]),
        ("tgap evaluate --size 32 sampler.bat", ["sampler.batch_size="]),
        ("tgap run --cfg job sampler.bat", ["sampler.batch_size="]),
        ("tgap run size=", ["size=500"]),
        ("tgap run tracking.pictures=t", ["tracking.pictures=true"]),
        ("tgap run finetuner=none finetuner.", ["finetuner.name="]),
        ("tgap run dataset=medmnist dataset.lab", ["dataset.labels="]),
        ("tgap run sampler.scheduler=ddim,ddpm,e", ["sampler.scheduler=ddim,ddpm,euler"]),
        ("tgap run ~prof", ["~profile"]),
        ("tgap run hydra/launch", ["hydra/launcher="]),
        # Keys and values are those of the components that the line has chosen so far.
        (f"{SPECTRAL} selector.cluster.n_c", ["selector.cluster.n_clusters="]),
        (
            f"{SPECTRAL} selector.cluster.affinity=",
            ["selector.cluster.affinity=knn", "selector.cluster.affinity=rbf"],
        ),
        ("tgap run 'prompts.prior=a b' selector=clip_s", ["selector=clip_spectral"]),
        (
            "tgap run dataset=textbook dataset/real=phantom_xray dataset.real.im",
            ["dataset.real.images="],
        ),
        ("tgap data classifier=lo", ["classifier=logistic_regression"]),
        # Groups are there although another word is wrong.
        ("tgap run size=abc selector=clip_s", ["selector=clip_spectral"]),
        # Where a file may stand, or the line cannot be understood, shells offer files.
        ("tgap run =1 se", []),
        ("tgap run dataset.nothing.at.all=", []),
        ("tgap run dataset.path=./da", []),
        ("tgap run dataset.path=/tm", []),
        ("tgap run dataset.path=a.b", []),
        ("tgap run --config-dir /nowhere/at/all size", []),
        ("tgap run selector=nope selector.", []),
        ("tgap run selector=random selector.cluster.", []),
    ],
)
def test_what_may_stand_next(line: str, words: list[str]) -> None:
    assert offered(line) == words


@pytest.mark.parametrize("group", ["selector", "selector/cluster", "dataset/tuning", "profile"])
def test_options_of_groups_are_presets_and_components(group: str) -> None:
    words = offered(f"tgap run {group}=")
    assert words == [f"{group}={name}" for name in options(group)] != []


def test_hydra_s_and_the_registry_s_own_keys_are_not_in_the_way() -> None:
    words = [*offered("tgap run "), *offered("tgap run dataset.")]
    assert {"size=", "dataset.domain="} <= set(words)
    assert not [word for word in words if word.startswith("hydra") or "_target_" in word]


def test_words_as_people_type_them_count() -> None:
    line = "tgap run 'dataset.domain=Röntgen (a=b)' selector=clip_spectral selector.clus"
    assert offered(line) == offered("tgap run selector=clip_spectral selector.clus") != []


def test_a_folder_of_configs_counts(tmp_path: Path) -> None:
    (tmp_path / "profile").mkdir()
    (tmp_path / "profile" / "mine.yaml").write_text("# @package _global_\nsize: 3\n")
    line = f"tgap run --config-dir {tmp_path} profile="
    assert "profile=mine" in offered(line)
    assert offered(f"{line}mine size=") == ["size=3"]


def test_the_script_of_another_shell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["completion", "tcsh"]) == 2
    assert "'bash', 'zsh', 'fish'" in capsys.readouterr().err


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with each shell's script and the ``tgap`` that it asks.

    That one offers the heavy modules that were imported, too: there must be none.
    """
    script = tmp_path / "tgap"
    script.write_text(
        f"#!{sys.executable}\n"
        "import sys\n"
        "from tgap.cli import main\n"
        "try:\n    main()\n"
        "finally:\n    heavy = {'torch', 'mlflow', 'sklearn', 'scipy'} & set(sys.modules)\n"
        "    print(*heavy, sep='\\n')\n"
    )
    script.chmod(0o755)
    for shell, text in SCRIPTS.items():
        (tmp_path / f"script.{shell}").write_text(text)
    return tmp_path


def answer(folder: Path, shell: str, code: str) -> list[str]:
    """Lines that a shell prints after it has sourced the script."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    bare = {"bash": ["--norc", "--noprofile"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    done = subprocess.run(
        [shell, *bare, "-c", code], cwd=folder, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_bash_replaces_what_follows_its_last_word_break(folder: Path) -> None:
    code = """
        source script.bash
        complete -p tgap | grep -q -- '-F _tgap tgap' || exit 3
        offer() {
            COMP_LINE=$1 COMP_POINT=${2:-${#1}}
            _tgap ./tgap
            printf '<%s>' "${COMPREPLY[@]}"
            echo
        }
        offer 'tgap run sel'
        offer 'tgap run selector=random,clip_s'
        offer 'tgap sync --port' 7                # the line up to the cursor
        offer 'tgap run dataset.path=./x'         # nothing: bash offers files
        COMP_WORDBREAKS=' '                       # no break at "="
        offer 'tgap run selector=clip_s'
    """
    assert answer(folder, "bash", code) == [
        "<selector.><selector/><selector=>",
        "<random,clip_spectral >",
        "<sync >",
        "<>",
        "<selector=clip_spectral >",
    ]


def test_zsh_offers_whole_words_with_a_space_after_the_last_or_files(folder: Path) -> None:
    code = """
        compdef() { print compdef $@ }
        compadd() { print compadd "$@" }
        compset() { print compset $@ }
        _files() { print files }
        source script.zsh
        words=(./tgap run sel) CURRENT=3 PREFIX=sel; _tgap
        words=(./tgap run selector=clip_s) PREFIX=selector=clip_s; _tgap
        words=(./tgap run dataset.path=./x) PREFIX=dataset.path=./x; _tgap
    """
    assert [line.rstrip() for line in answer(folder, "zsh", code)] == [
        "compdef _tgap tgap",
        "compadd -S  -- selector. selector/ selector=",
        "compadd --",
        "compadd -S  --",
        "compadd -- selector=clip_spectral",
        "compset -P *=",
        "files",
    ]


def test_fish_offers_whole_words_or_files(folder: Path) -> None:
    (folder / "data").mkdir()
    code = "set -x PATH . $PATH; source script.fish; " + "; ".join(
        f"complete -C 'tgap run {word}'" for word in ("selector=clip_s", "sel", "dataset.path=./da")
    )
    assert [line.split("\t")[0] for line in answer(folder, "fish", code)] == [
        "selector=clip_spectral",
        "selector.",
        "selector/",
        "selector=",
        "dataset.path=./data/",
    ]
