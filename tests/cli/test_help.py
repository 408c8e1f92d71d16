"""What people see when they ask for help."""

from importlib.metadata import version

import click
import pytest

import tgap
from tgap.cli import overview
from tgap.cli.main import command
from tgap.cli.main import tgap as commands
from tgap.composition import registry


def shown(words: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What a command line prints that asks for something only."""
    assert command(words.split()) == 0
    return capsys.readouterr().out


def test_every_command_is_listed_and_lists_its_flags(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown("--help", capsys)
    for name, subcommand in commands.commands.items():
        assert f"\n  {name} " in text
        details = shown(f"{name} -h", capsys)
        for option in subcommand.params:
            if isinstance(option, click.Option) and not option.hidden:
                assert option.opts[-1] in details


def test_the_command_alone_shows_its_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert command([]) == 2
    assert capsys.readouterr().out == shown("--help", capsys)


def test_the_help_of_run_fits_a_screen_and_begins_with_what_matters(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    lines = shown("run --help", capsys).splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 100
    settings = [line.split("=")[0].strip() for line in lines[3:]]
    assert settings[: len(overview.FIRST)] == list(overview.FIRST)
    text = "\n".join(lines)
    for group in (*(name for name in registry.GROUPS if "/" not in name), "profile"):
        assert f"\n  {group} " in text
    assert shown("run size=3 --help", capsys).splitlines() == lines


def test_the_examples_of_the_help_are_right() -> None:
    first, _, _ = overview.EXAMPLES
    run = tgap.compose(*first.split()[2:])
    assert (run.size, run.selector.title()) == (200, "clip_spectral")


def test_all_help_has_each_group_setting_and_option_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    text = shown("run --help all", capsys)
    for group in registry.GROUPS:
        assert f"{group}=" in text or f"{group}@evaluators." in text
        for name in registry.options(group):
            assert f"\n  {name}  " in text
    for setting in ("size=500", "storage.weights=float32", "selector.cluster.affinity=knn"):
        assert text.count(f" {setting} ") == 1
    assert text.count("mimic_cxr") == 1
    assert "\n    selector/cluster=spectral      findings, kmeans, spectral\n" in text


def test_hydra_shows_the_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown("run -p budget budget.steps=7 --cfg job", capsys)
    assert text.startswith("# @package budget\nsteps: 7\n")


def test_the_version_is_the_package_s(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown("--version", capsys) == f"tgap {version('tgap')}\n"


def test_every_help_says_where_all_commands_are(capsys: pytest.CaptureFixture[str]) -> None:
    for name in commands.commands:
        assert "tgap list" in shown(f"{name} --help", capsys)


def test_list_has_each_command_and_each_option_of_a_group_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    lines = shown("list", capsys).splitlines()
    starts = [line.split()[0] for line in lines if line.startswith("  ")]
    bases = dict.fromkeys(registry.GROUPS.values())
    groups = [next(g for g in registry.GROUPS if registry.GROUPS[g] is base) for base in bases]
    options = [name for group in [*groups, "profile"] for name in registry.options(group)]
    assert starts == [*commands.commands, *options]
    assert max(len(line) for line in lines if line.startswith("  ")) <= 100


def test_list_of_a_group_is_whole(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown("list finetuner", capsys)
    assert "Textual inversion (Gal et al. 2022, arXiv 2208.01618)" in text
    assert "selector" not in text
    assert command(["list", "selectr"]) == 2
    assert "no group 'selectr'; did you mean 'selector'?" in capsys.readouterr().err


def test_help_is_a_command_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown("help", capsys) == shown("--help", capsys)
    for name in ("export", "run", "help"):
        assert shown(f"help {name}", capsys) == shown(f"{name} --help", capsys)
    assert command(["help", "exprt"]) == 2
    assert "no such command 'exprt'; did you mean 'export'?" in capsys.readouterr().err
