"""``tgap run``."""

import argparse
import dataclasses
import signal
import sys
from collections.abc import Sequence

from tgap.cli.terminal import guarded, log_to_terminal, terminated
from tgap.composition import schema
from tgap.core.errors import ConfigError
from tgap.core.files import home_folder


def run_command(words: Sequence[str]) -> int:
    """``tgap run``; returns the exit code: 0 all well, 1 a run failed, 2 nothing was started."""
    if "--help" in words or "-h" in words:
        print(run_help(), end="")
        return 0
    from hydra._internal.utils import get_args_parser

    args = get_args_parser().parse_intermixed_args(list(words))
    if args.cfg or args.info or args.hydra_help or args.shell_completion:
        return guarded(lambda: hydra_main(words))
    signal.signal(signal.SIGTERM, terminated)
    return guarded(lambda: _launch(args))


def _launch(args: argparse.Namespace) -> int:
    if args.experimental_rerun is not None:
        raise ConfigError("--experimental-rerun reads a pickle, which can run code; it is off")
    for flag in ("config_name", "config_path", "package", "resolve"):
        if getattr(args, flag):
            raise ConfigError(
                f"--{flag.replace('_', '-')} does not go with a run; use --config-dir to add "
                "a folder of configs, and group=option to choose among them"
            )
    log_to_terminal()  # of the checks; when a run starts, Hydra sets logging up
    return run_overrides(args.overrides, args.multirun, args.config_dir)


def run_overrides(overrides: Sequence[str], sweep: bool, config_dir: str | None) -> int:
    """Launch what a command line says, and show what came of it."""
    from tgap.cli.terminal import show_results
    from tgap.sweep.launch import launch

    launched = launch(overrides, sweep=sweep, config_dir=config_dir)
    outcomes = launched.outcomes
    rows = [outcome.row for outcome in outcomes if outcome.row is not None]
    metrics = rows[0].metrics if len(outcomes) == len(rows) == 1 else None
    failures = [outcome.failure for outcome in outcomes if outcome.failure is not None]
    pictures = [outcome.pictures for outcome in outcomes if outcome.pictures is not None]
    show_results(launched.comparison, metrics, failures, pictures, home_folder())
    return 1 if failures else 0


def hydra_main(words: Sequence[str]) -> int:
    """Hydra's own questions (``--cfg``, ``--info``), answered by Hydra."""
    import hydra

    from tgap.composition.compose import CONFIG_NAME
    from tgap.composition.config import Run
    from tgap.composition.registry import conf_folder

    schema.register(Run)
    sys.argv = ["tgap", *words]
    hydra.main(str(conf_folder()), CONFIG_NAME, version_base="1.3")(lambda config: None)()
    return 0


def run_help() -> str:
    """Groups with their options, and the run's settings with type, default and meaning."""
    from tgap.composition import registry
    from tgap.composition.config import Run
    from tgap.composition.registry import options

    lines = ["usage: tgap run [group=option ...] [key=value ...] [-m]", "", "groups:"]
    lines += [f"  {group}={'|'.join(options(group))}" for group in (*registry.GROUPS, "profile")]
    lines += ["", "settings (key=value, several values with commas and -m):"]
    lines += _settings(Run, "")
    lines += ["", "a component's own settings: tgap run --cfg job -p selector (or another group)"]
    lines += ["Hydra's flags: --cfg job, --info, --config-dir, --hydra-help", ""]
    return "\n".join(lines)


def _settings(cls: type, prefix: str) -> list[str]:
    from tgap.core.component import Checked

    lines = []
    for f in dataclasses.fields(cls):
        part = f.default_factory
        if isinstance(part, type) and issubclass(part, Checked):
            lines += _settings(part, f"{prefix}{f.name}.")
        elif f.default is not dataclasses.MISSING:
            default = "null" if f.default is None else f.default
            lines.append(f"  {prefix + f.name + '=' + str(default):38} {f.metadata['help']}")
    return lines
