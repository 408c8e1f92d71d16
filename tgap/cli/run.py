"""``tgap run``: one run or a sweep, or what Hydra says of its configuration."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from tgap.cli.overrides import multirun_flag, takes_overrides
from tgap.cli.terminal import log_to_terminal
from tgap.core import ConfigError
from tgap.core.files import home_folder

INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")


def _help(context: click.Context, option: click.Parameter, extent: str | None) -> None:
    if extent is not None and not context.resilient_parsing:
        from tgap.cli import one_option, overview

        text = context.make_formatter()
        if extent in ("", "all"):
            write = overview.write_all if extent else overview.write_start
            write(context, text)
        else:
            one_option.write_asked(text, extent)
        click.echo(text.getvalue().lstrip("\n"), nl=False)
        context.exit()


def _refused(context: click.Context, option: click.Parameter, value: str | None) -> None:
    if value is not None:
        raise ConfigError("--experimental-rerun reads a pickle, which can run code; it is off")


@click.command(add_help_option=False)
@takes_overrides
@multirun_flag
@click.option("-v", "--verbose", is_flag=True, help="tell of each artifact that is made")
@click.option("--dry-run", is_flag=True, help="only check the runs, and tell what they will take")
@click.option(
    "-c", "--cfg", type=click.Choice(["job", "hydra", "all"]), help="print the configuration only"
)
@click.option("-p", "--package", metavar="PART", help="of --cfg, this part only, e.g. selector")
@click.option("--resolve", is_flag=True, help="of --cfg, with references put in")
@click.option("--hydra-help", is_flag=True, help="print Hydra's own help")
@click.option(
    "-i",
    "--info",
    is_flag=False,
    flag_value="all",
    type=click.Choice(INFO),
    help="print what the configuration is made of",
)
@click.option(
    "-h",
    "--help",
    is_flag=False,
    flag_value="",
    metavar="[all|GROUP[=OPTION]]",
    is_eager=True,
    expose_value=False,
    callback=_help,
    help="print the settings that matter most, all, or those of one option",
)
@click.version_option(package_name="hydra-core", message="Hydra %(version)s", hidden=True)
@click.option("-r", "--run", is_flag=True, hidden=True)
@click.option("-cp", "--config-path", hidden=True)
@click.option("-cn", "--config-name", hidden=True)
@click.option("--experimental-rerun", hidden=True, expose_value=False, callback=_refused)
def run(overrides: tuple[str, ...], config_dir: str | None, **flags: Any) -> int:
    """Do one run, or with -m a sweep over commas."""
    for flag in ("config_name", "config_path"):
        if flags[flag]:
            raise ConfigError(_not_with_a_run(flag))
    asked = [flag for flag in ("cfg", "info", "hydra_help") if flags[flag]]
    if asked:
        _require_one_question(asked, [flag for flag in ("multirun", "run") if flags[flag]])
        return _ask_hydra(overrides, config_dir, flags)
    for flag in ("package", "resolve"):
        if flags[flag]:
            raise ConfigError(_not_with_a_run(flag))
    log_to_terminal(flags["verbose"])  # of the checks; when a run starts, Hydra sets logging up
    words = [*overrides, *(VERBOSE if flags["verbose"] else ())]
    return run_overrides(words, flags["multirun"], config_dir, flags["dry_run"])


VERBOSE = ("hydra.job_logging.handlers.console.level=DEBUG",)


def run_overrides(
    overrides: Sequence[str], sweep: bool, config_dir: str | None, dry_run: bool = False
) -> int:
    """Launch what a command line says, and show what came of it."""
    from tgap.cli.terminal import show_results
    from tgap.sweeps.launch import launch

    launched = launch(overrides, sweep=sweep, config_dir=config_dir, dry_run=dry_run)
    if dry_run:
        return 0
    outcomes = launched.outcomes
    rows = [outcome.row for outcome in outcomes if outcome.row is not None]
    metrics = rows[0].metrics if len(outcomes) == len(rows) == 1 else None
    failures = [outcome.failure for outcome in outcomes if outcome.failure is not None]
    pictures = {one.name: one.pictures for one in outcomes if one.pictures is not None}
    page = launched.report
    show_results(launched.comparison, metrics, failures, pictures, home_folder(), page)
    return 1 if failures else 0


def _not_with_a_run(flag: str) -> str:
    return (
        f"--{flag.replace('_', '-')} does not go with a run; use --config-dir to add a folder of "
        "configs, and group=option to choose among them"
    )


def _require_one_question(asked: Sequence[str], launching: Sequence[str]) -> None:
    first, *others = (f"--{flag.replace('_', '-')}" for flag in asked)
    if others:
        raise ConfigError(f"{first} and {others[0]} are two questions; ask one at a time")
    if launching:
        flag = "-m" if launching[0] == "multirun" else f"--{launching[0]}"
        raise ConfigError(f"{first} shows one run and starts none: leave {flag} out")


def _ask_hydra(overrides: Sequence[str], config_dir: str | None, flags: Mapping[str, Any]) -> int:
    """Hydra's own questions (``--cfg``, ``--info``), answered by Hydra."""
    import hydra

    from tgap.composition import compose
    from tgap.composition.config import Run
    from tgap.composition.config_store import register
    from tgap.composition.registry import conf_folder
    from tgap.composition.typed import readable

    with compose.hydra_ready(config_dir) as ready:  # Hydra would not tell mistakes in our words
        part, resolve = flags["package"], flags["resolve"]
        config = compose.require_composable(ready, overrides, part, resolve)
        if flags["cfg"] == "job" and not (part or "").startswith("hydra"):
            sys.stdout.write(compose.job_in_yaml(config, part, resolve))
            return 0
    words = [*readable(overrides), *(["--config-dir", config_dir] if config_dir else [])]
    for flag in ("cfg", "info", "package"):
        words += [f"--{flag}", flags[flag]] if flags[flag] else []
    words += [f"--{flag.replace('_', '-')}" for flag in ("resolve", "hydra_help") if flags[flag]]
    register(Run)
    sys.argv = ["tgap", *words]
    hydra.main(str(conf_folder()), compose.CONFIG_NAME, version_base="1.3")(lambda config: None)()
    return 0
