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
    monkeypatch.setenv("COLUMNS", "80")
    lines = shown("run --help", capsys).splitlines()
    assert len(lines) <= 48
    assert max(map(len, lines)) <= 80
    assert len(overview.FIRST) == 10
    settings = [line.split("=")[0].strip() for line in lines[3:] if "=" in line]
    assert settings[: len(overview.FIRST)] == list(overview.FIRST)
    text = "\n".join(lines)
    assert text.index("  tgap run size=200") < text.index("\n  dataset ")  # examples, then groups
    for group in (*(name for name in registry.GROUPS if "/" not in name), "profile"):
        assert f"\n  {group} " in text
    assert shown("run size=3 --help", capsys).splitlines() == lines


def test_help_of_a_component_has_its_source_settings_ranges_and_parts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = shown("run --help finetuner=dreambooth_lora", capsys)
    assert max(map(len, text.splitlines())) <= 80
    assert text.startswith("finetuner=dreambooth_lora\n\n  LoRA (Hu et al. 2021, arXiv 2106.09685)")
    words = " ".join(text.split())
    assert "finetuner.rank=16 rank of the learned changes [at least 1, at most 1000000]" in words
    assert "finetuner.prior_share=0.25 prior images per tuning image of a step [at most 1" in words
    assert "finetuner.schedule=cosine how the learning rate falls (cosine, linear, const" in words
    assert "finetuner/oracle=none boundary, inverse, none, quantile" in words
    assert "finetuner.oracle.patience=2000" in words
    assert "Args:" not in text


def test_help_of_a_preset_has_what_it_sets_and_the_values_that_come_of_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = shown("run --help finetuner=active_dreambooth", capsys)
    assert "  Source: Zhang 2024, section 4.8.\n" in text
    assert "\n  finetuner/oracle/score=generated\n" in text
    assert text.count("finetuner.oracle.patience=320") == 2  # what it sets; the settings of all
    assert "It is finetuner=dreambooth with these settings" in text
    profile = shown("run --help profile=few", capsys)
    assert "\n  protocol=cross_fit\n" in profile
    assert "\n  budget.steps=400\n" in profile
    across = shown("run --help generator=stable_diffusion_35_medium", capsys)
    assert "\n  sampler.scheduler=flow_euler\n" in across  # a preset that sets other groups too


def test_every_option_has_help_that_fits(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    groups = {base: group for group, base in reversed(registry.GROUPS.items())}
    for group in [*groups.values(), "profile"]:
        for name in registry.options(group):
            text = shown(f"run --help {group}={name}", capsys)
            assert f"={name}\n" in text
            lines = [line for line in text.splitlines() if " " in line.strip()]
            assert max(map(len, lines)) <= 80, text  # one long value is not broken


@pytest.mark.parametrize("asked", ["list", "help", "--help", "list selector", "run --help all"])
def test_lists_fit_80_columns(
    asked: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = shown(asked, capsys).splitlines()
    assert len(lines) >= 10
    assert max(map(len, lines)) <= 80, max(lines, key=len)


def test_every_command_has_help_that_fits(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for name in commands.commands:
        lines = shown(f"{name} --help", capsys).splitlines()
        assert max(map(len, lines)) <= 80, (name, max(lines, key=len))


def test_help_of_a_group_is_its_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown("run --help selector", capsys) == shown("list selector", capsys)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("selectr", "a group or group=option, got 'selectr'; did you mean 'selector'?"),
        ("selectr=random", "got 'selectr=random'; did you mean 'selector'?"),
        ("selector/clust=kmeans", "did you mean 'selector/cluster'?"),
        ("selector=clip_spectrl", "no selector is named 'clip_spectrl'; did you mean 'clip_spec"),
        ("profile=xrays", "no profile is named 'xrays'; did you mean 'xray'? (one of: few, tiny"),
    ],
)
def test_help_refuses_what_there_is_not(
    asked: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(["run", "--help", asked]) == 2
    assert told in capsys.readouterr().err


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
