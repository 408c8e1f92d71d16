import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tgap.cli.completion import COMMANDS, SCRIPTS, completion_script, completions
from tgap.cli.terminal import USAGE
from tgap.composition.registry import options
from tgap.core.errors import ConfigError
from tgap.core.settings import SCHEDULERS


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("tgap s", ["sync"]),
        ("tgap ui --p", ["--port"]),
        ("tgap completion ", ["bash", "fish", "zsh"]),
        ("tgap completion bash ", []),
        ("tgap nothing ", []),
        ("tgap run --c", ["--cfg", "--config-dir"]),
        ("tgap run --cfg ", ["all", "hydra", "job"]),
        ("tgap run --config-dir ", []),
        ("tgap run see", ["seed=", "seeds."]),
        ("tgap  run   -m  see", ["seed=", "seeds."]),
        ("tgap run sel", ["selector.", "selector/", "selector="]),
        ("tgap run sampler.gui", ["sampler.guidance="]),
        ("tgap run size=", ["size=500"]),
        ("tgap run tracking.pictures=", ["tracking.pictures=false", "tracking.pictures=true"]),
        ("tgap run tracking.pictures=t", ["tracking.pictures=true"]),
        ("tgap run --cfg job sampler.gui", ["sampler.guidance="]),
        ("tgap run finetuner=none finetuner.", ["finetuner.name="]),
        ("tgap run dataset=medmnist dataset.lab", ["dataset.labels="]),
        ("tgap run sampler.scheduler=ddim,ddpm,e", ["sampler.scheduler=ddim,ddpm,euler"]),
        ("tgap run ~prof", ["~profile"]),
        ("tgap run hydra/launch", ["hydra/launcher="]),
    ],
)
def test_what_may_stand_next(line: str, words: list[str]) -> None:
    assert completions(line) == words


def test_options_of_groups_are_presets_and_components() -> None:
    for group in ("selector", "selector/cluster", "dataset", "profile"):
        expected = [f"{group}={name}" for name in options(group)]
        assert expected
        assert completions(f"tgap run {group}=") == expected


def test_choices_of_a_field() -> None:
    offered = completions("tgap run sampler.scheduler=")
    assert offered == [f"sampler.scheduler={name}" for name in sorted(SCHEDULERS)]


def test_keys_are_those_of_the_components_chosen_before() -> None:
    line = "tgap run selector=clip_spectral selector.cluster."
    assert "selector.cluster.n_clusters=" in completions(line)
    assert completions(f"{line}aff") == ["selector.cluster.affinity="]
    assert completions(f"{line}affinity=") == [
        "selector.cluster.affinity=knn",
        "selector.cluster.affinity=rbf",
    ]
    assert completions("tgap run selector=random selector.cluster.") == []


def test_hydra_s_and_the_registry_s_own_keys_are_not_in_the_way() -> None:
    offered = [*completions("tgap run "), *completions("tgap run dataset.")]
    assert "size=" in offered
    assert "dataset.domain=" in offered
    assert not [word for word in offered if word.startswith("hydra") or "_target_" in word]


def test_a_folder_of_configs_counts(tmp_path: Path) -> None:
    (tmp_path / "profile").mkdir()
    (tmp_path / "profile" / "mine.yaml").write_text("# @package _global_\nsize: 3\n")
    line = f"tgap run --config-dir {tmp_path} profile="
    assert "profile=mine" in completions(line)
    assert "profile=mine" not in completions("tgap run profile=")
    assert completions(f"{line}mine size=") == ["size=3"]


@pytest.mark.parametrize(
    "line",
    [
        "tgap",
        "tgap run 'size=1 ",
        "tgap run size=[ se",
        "tgap run dataset.nothing.at.all=",
        "tgap run dataset.path=./da",
        "tgap run dataset.path=/tm",
        "tgap run dataset.path=a.b",
        "tgap run --config-dir /nowhere/at/all size",
        "tgap run selector=nope selector.",
    ],
)
def test_a_line_that_cannot_be_understood_or_names_a_file_gets_no_answer(line: str) -> None:
    assert completions(line) == []


def test_groups_are_offered_although_another_word_is_wrong() -> None:
    assert completions("tgap run size=abc selector=clip_s") == ["selector=clip_spectral"]
    assert "selector=" in completions("tgap run size=abc sel")


def test_every_sub_command_of_the_usage_is_offered() -> None:
    shown = {line.split()[1] for line in USAGE.splitlines() if line.startswith("  tgap ")}
    assert shown
    assert shown <= set(COMMANDS)


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys; from tgap.cli.completion import completions;"
        "print(completions('tgap run selector=clip_spectral selector.cluster.affinity=k'),"
        "[m for m in ('torch','mlflow','sklearn','scipy','PIL','pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['selector.cluster.affinity=knn'] []"


def test_an_unknown_shell_is_told() -> None:
    with pytest.raises(ConfigError, match="completion is there for bash, fish, zsh, got 'tcsh'"):
        completion_script("tcsh")


@pytest.fixture
def tgap(tmp_path: Path) -> Path:
    """A command named tgap that answers as ``tgap completion query -- <line>`` does."""
    command = tmp_path / "tgap"
    command.write_text(
        f"#!{sys.executable}\n"
        "import sys\n"
        "from tgap.cli.completion import completions\n"
        "assert sys.argv[1:4] == ['completion', 'query', '--'], sys.argv\n"
        "[line] = sys.argv[4:]\n"
        "print(*completions(line), sep='\\n')\n"
    )
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    for shell in SCRIPTS:
        (tmp_path / f"script.{shell}").write_text(completion_script(shell))
    return command


def answer(tgap: Path, shell: str, code: str) -> list[str]:
    """Lines that a shell prints after it has sourced the script."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    bare = {"bash": ["--norc", "--noprofile"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    done = subprocess.run(
        [shell, *bare, "-c", code], cwd=tgap.parent, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.splitlines()


def in_bash(tgap: Path, line: str, breaks: str = "$COMP_WORDBREAKS") -> list[str]:
    """COMPREPLY of a line, as readline gets it."""
    code = f"""
        source script.bash
        complete -p tgap | grep -q -- '-F _tgap tgap' || exit 3
        COMP_WORDBREAKS={breaks} COMP_LINE='{line}' COMP_POINT={len(line)}
        COMP_WORDS=({line}) COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
        _tgap ./tgap
        printf '<%s>\\n' "${{COMPREPLY[@]}}"
    """
    return answer(tgap, "bash", code)


def test_bash_replaces_what_follows_its_last_word_break(tgap: Path) -> None:
    assert in_bash(tgap, "tgap run sel") == ["<selector.>", "<selector/>", "<selector=>"]
    assert in_bash(tgap, "tgap run selector=clip_s") == ["<clip_spectral >"]
    assert in_bash(tgap, "tgap run selector=random,clip_s") == ["<random,clip_spectral >"]
    assert in_bash(tgap, "tgap sy") == ["<sync >"]
    assert in_bash(tgap, "tgap run dataset.path=./x") == ["<>"]  # an empty array


def test_bash_where_an_equals_sign_breaks_no_words(tgap: Path) -> None:
    offered = in_bash(tgap, "tgap run selector=clip_s", breaks="' '")
    assert offered == ["<selector=clip_spectral >"]


def test_bash_looks_at_the_line_up_to_the_cursor(tgap: Path) -> None:
    code = (
        "source script.bash; COMP_LINE='tgap sync --port' COMP_POINT=6; _tgap ./tgap;"
        'printf "<%s>\\n" "${COMPREPLY[@]}"'
    )
    assert answer(tgap, "bash", code) == ["<sync >"]


def test_zsh_offers_whole_words_and_a_space_after_the_last(tgap: Path) -> None:
    code = """
        compdef() { print compdef $@ }
        compadd() { print compadd "$@" }
        source script.zsh
        words=(./tgap run sel) CURRENT=3 PREFIX=sel; _tgap
        words=(./tgap run selector=clip_s) PREFIX=selector=clip_s; _tgap
    """
    assert [line.rstrip() for line in answer(tgap, "zsh", code)] == [
        "compdef _tgap tgap",
        "compadd -S  -- selector. selector/ selector=",
        "compadd --",
        "compadd -S  --",
        "compadd -- selector=clip_spectral",
    ]


def test_zsh_completes_files_where_there_is_no_answer(tgap: Path) -> None:
    code = """
        compdef() { }
        compset() { print compset $@ }
        _files() { print files }
        source script.zsh
        words=(./tgap run dataset.path=./x) CURRENT=3 PREFIX=dataset.path=./x; _tgap
    """
    assert answer(tgap, "zsh", code) == ["compset -P *=", "files"]


def test_fish_offers_whole_words_and_files_where_there_is_no_answer(tgap: Path) -> None:
    source = "set -x PATH . $PATH; source script.fish; "
    assert answer(tgap, "fish", source + "complete -C 'tgap run selector=clip_s'") == [
        "selector=clip_spectral"
    ]
    assert answer(tgap, "fish", source + "complete -C 'tgap run sel'") == [
        "selector.",
        "selector/",
        "selector=",
    ]
    (tgap.parent / "data").mkdir()
    offered = answer(tgap, "fish", source + "complete -C 'tgap run dataset.path=./da'")
    assert [word.split("\t")[0] for word in offered] == ["dataset.path=./data/"]
