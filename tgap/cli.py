"""The command line: ``tgap`` and its sub-commands.

``--help`` and ``--cfg`` answer without importing torch or MLflow.
"""

import argparse
import dataclasses
import os
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

from tgap.errors import ConfigError, TgapError
from tgap.home import home_folder

USAGE = """\
tgap: can a model be trained on what my fine-tuned generator makes?

  tgap run [group=option ...] [key=value ...] [-m]   one run, or with -m a sweep over commas
  tgap evaluate --synthetic DIR --real DIR           score a synthetic set made elsewhere
  tgap compare [--experiment NAME] [name=value ...]  one table of all runs recorded so far
  tgap data [group=option ...] [key=value ...]       what a dataset and its split hold
  tgap phantom --images N --size S --out DIR         draw X-ray phantoms in the layout of NIH's
  tgap label --images DIR --out DIR dataset=...      label a folder (a textbook's) by a classifier
  tgap ui [--port 5000]                              MLflow's pages on this machine
  tgap sync                                          log to MLflow what could not be logged
  tgap completion bash|zsh|fish                      tab completion: eval "$(tgap completion bash)"
  tgap run --help                                    groups, options and settings
"""


def main() -> None:
    """The console script ``tgap``."""
    sys.exit(command(sys.argv[1:]))


def command(words: Sequence[str]) -> int:
    """Run a sub-command; returns the exit code."""
    if words and words[0] == "run":
        return run_command(words[1:])
    signal.signal(signal.SIGTERM, _terminated)
    if words and words[0] == "phantom":
        return guarded(lambda: phantom(words[1:]))
    if words and words[0] == "label":
        return guarded(lambda: label(words[1:]))
    if words and words[0] == "evaluate":
        return guarded(lambda: evaluate(words[1:]))
    if words and words[0] == "compare":
        return guarded(lambda: compare_command(words[1:]))
    if words and words[0] == "data":
        return guarded(lambda: data_command(words[1:]))
    if words and words[0] == "completion":
        return guarded(lambda: completion(words[1:]))
    parser = argparse.ArgumentParser(prog="tgap", usage=USAGE, add_help=False)
    parser.add_argument("command", nargs="?", choices=("run", "ui", "sync"))
    parser.add_argument("--port", type=int, default=5000)
    parser.add_argument("--help", "-h", action="store_true")
    parser.add_argument("--version", action="store_true")
    args = parser.parse_args(words)
    if args.version:
        print(f"tgap {version('tgap')}")
        return 0
    if args.help or args.command is None:
        print(USAGE, end="")
        return 0 if args.help else 2
    return guarded(lambda: ui(args.port) if args.command == "ui" else synchronise())


def data_command(words: Sequence[str]) -> int:
    """Read a run's dataset into the store, split it, and tell what it holds."""
    parser = argparse.ArgumentParser(prog="tgap data", usage=USAGE)
    parser.add_argument("--config-dir")
    args, overrides = parser.parse_known_intermixed_args(words)
    from rich.console import Console

    from tgap.composition import compose_run, hydra_ready
    from tgap.record import content_digest, described
    from tgap.report.description import show_description
    from tgap.report.terminal import shown
    from tgap.store import Store

    log_to_terminal()
    with hydra_ready(args.config_dir) as hydra:
        run = compose_run(hydra, overrides)
    found, dataset, sheet = described(run, Store(home_folder() / "store"))
    width = None if sys.stdout.isatty() else 110
    console = Console(highlight=False, soft_wrap=True, width=width)
    show_description(found, console)
    size = sum(file["size"] for file in dataset.manifest["files"].values())
    console.print(
        f"on disk: {size / 2**20:,.1f} MB; digest: {content_digest(dataset)}", markup=False
    )
    console.print(f"contact sheet: {shown(sheet)}", markup=False)
    return 0


def evaluate(words: Sequence[str]) -> int:
    """Score a synthetic set that was made elsewhere: nothing is tuned and nothing is drawn.

    DIR holds a folder of images per label; or name a CSV or JSONL file beside the images, with the
    columns file, label, patient and findings, as far as they are known.
    """
    parser = argparse.ArgumentParser(
        prog="tgap evaluate", description=evaluate.__doc__, usage="tgap evaluate --synthetic DIR "
        "--real DIR [--tuning DIR] [--size N] [--color grey|rgb] [key=value ...] [-m]",
    )  # fmt: skip
    parser.add_argument("--synthetic", type=Path, required=True, help="the synthetic set")
    parser.add_argument(
        "--real", type=Path, help="real images of the same labels; or choose a dataset= instead"
    )
    parser.add_argument(
        "--tuning", type=Path, help="what its generator was tuned on, for the audit of copies"
    )
    parser.add_argument("--size", type=int, default=64, help="height and width of all images")
    parser.add_argument("--color", choices=("grey", "rgb"), default="grey")
    parser.add_argument("-m", "--multirun", action="store_true", help="sweep over commas")
    parser.add_argument("--config-dir")
    args, overrides = parser.parse_known_intermixed_args(words)
    if args.real is None and not any(word.startswith("dataset=") for word in overrides):
        raise ConfigError(["--real must name a folder of real images, or dataset= a dataset"])
    from tgap.evaluate import evaluation_overrides

    log_to_terminal()
    told = evaluation_overrides(
        args.real, args.synthetic, args.tuning, args.size, args.color, overrides, args.config_dir
    )
    return _run(told, args.multirun, args.config_dir)


def compare_command(words: Sequence[str]) -> int:
    """Print one table of all runs that were recorded, from however many commands.

    Runs are chosen by their parameters in MLflow (size=500 dataset=digits); what was begun and not
    finished is shown as missing.
    """
    parser = argparse.ArgumentParser(
        prog="tgap compare", description=compare_command.__doc__,
        usage="tgap compare [--experiment NAME] [--markdown] [name=value ...]",
    )  # fmt: skip
    parser.add_argument("--experiment", default="tgap", help="MLflow experiment")
    parser.add_argument("--markdown", action="store_true", help="print it in Markdown")
    parser.add_argument("chosen", nargs="*")
    args = parser.parse_intermixed_args(words)
    wrong = [word for word in args.chosen if "=" not in word]
    if wrong:
        raise ConfigError([f"'{word}' must be name=value, e.g. size=500" for word in wrong])
    from rich.console import Console

    from tgap.comparison import compare
    from tgap.recorded import recorded
    from tgap.report.table import markdown, render

    chosen = dict(word.split("=", 1) for word in args.chosen)
    found = compare(*recorded(home_folder(), args.experiment, chosen))
    if args.markdown:
        print(markdown(found), end="")
    else:
        render(found, Console(highlight=False, soft_wrap=True))
    return 0


def phantom(words: Sequence[str]) -> int:
    """Write X-ray phantoms with the names, table, lists and folders of ChestX-ray14."""
    parser = argparse.ArgumentParser(prog="tgap phantom", description=phantom.__doc__)
    parser.add_argument("--images", type=int, required=True, help="how many; NIH has 112,120")
    parser.add_argument(
        "--size", type=int, required=True, help="height and width in pixels, at most 4096"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to make")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--textbook", action="store_true", help="typical figures without labels instead"
    )
    args = parser.parse_args(words)
    from tgap.datasets.phantoms.writing import write_nih, write_textbook

    log_to_terminal()
    if args.textbook:
        write_textbook(args.out, args.images, args.size, args.seed)
        print(f"{args.images:,} figures in {args.out / 'images'}; label them with: tgap label "
              f"--images {args.out / 'images'} --out DIR dataset=phantom_xray "
              f"dataset.size={args.size}")  # fmt: skip
        return 0
    write_nih(args.out, args.images, args.size, args.seed)
    print(f"{args.images:,} phantoms in {args.out}; look at them with: tgap data "
          f"dataset=nih_chestxray14 dataset.path={args.out} dataset.size={args.size}")  # fmt: skip
    return 0


def label(words: Sequence[str]) -> int:
    """Label the images of a folder by the run's classifier, trained outside real_test.

    Images of which it is not sure are left out; a folder per label is not needed.
    """
    parser = argparse.ArgumentParser(
        prog="tgap label", description=label.__doc__, usage="tgap label --images DIR --out DIR "
        "dataset=... [--floor F] [--fit crop|squash|pad] [classifier=...] [key=value ...]",
    )  # fmt: skip
    parser.add_argument("--images", type=Path, required=True, help="images without labels")
    parser.add_argument("--out", type=Path, required=True, help="folder to make")
    parser.add_argument("--floor", type=float, default=0.8, help="score that a label must reach")
    parser.add_argument("--fit", choices=("crop", "squash", "pad"), default="crop")
    parser.add_argument("--config-dir")
    args, overrides = parser.parse_known_intermixed_args(words)
    _check_label_words(overrides)
    from tgap.composition import compose_run, hydra_ready
    from tgap.label import SIZE, label_folder, next_words
    from tgap.labelled import summary
    from tgap.store import Store

    log_to_terminal()
    with hydra_ready(args.config_dir) as hydra:
        run = compose_run(hydra, overrides)
    store = Store(home_folder() / "store")
    about = label_folder(run, store, args.images, args.out, args.floor, args.fit)
    print(summary(about), end="")
    following, unsized = next_words(about, args.out, run, overrides)
    if args.config_dir is not None:
        following = ["--config-dir", args.config_dir, *following]
    print(f"look at {args.out / 'doubtful.png'}, then: tgap run {shlex.join(following)}")
    if unsized:
        print(f"with the height and width that the run's generator draws for {SIZE} (generator= "
              "among the words above fills it in); the labeller read "
              f"{about['read_as']['size']}")  # fmt: skip
    return 0


def _check_label_words(overrides: Sequence[str]) -> None:
    from tgap.suggest import nearest

    flags = ["--images", "--out", "--floor", "--fit", "--config-dir"]
    unknown = [text.partition("=")[0] for text in overrides if text.startswith("-")]
    if unknown:
        raise ConfigError([f"unknown flag {flag}{nearest(flag, flags)}" for flag in unknown])
    if not any(text.startswith(("dataset=", "profile=")) for text in overrides):
        raise ConfigError(
            ["dataset= must name the real images that the labeller learns from, such as "
             "dataset=nih_chestxray14 dataset.path=DIR dataset.size=224 (or profile=, which "
             "chooses one)"]
        )  # fmt: skip


def log_to_terminal() -> None:
    """Show progress lines and warnings where Hydra has not set logging up."""
    import logging

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s",
                        datefmt="%H:%M:%S")  # fmt: skip


def completion(words: Sequence[str]) -> int:
    """Print a shell's script, or, for that script, what may stand next on a line."""
    from tgap.completion import completion_script, completions

    if len(words) == 3 and words[:2] == ["query", "--"]:
        print("\n".join(completions(words[2])))
    elif len(words) == 1:
        print(completion_script(words[0]), end="")
    else:
        raise ConfigError(["tgap completion takes the name of a shell: bash, zsh or fish"])
    return 0


def ui(port: int) -> int:
    """Open MLflow's UI on localhost with the right store."""
    from tgap.tracking import resolve_uri, serve_ui

    return serve_ui(home_folder(), resolve_uri(home_folder()), port)


def synchronise() -> int:
    """Log what is still in the journal only."""
    from tgap.tracking import resolve_uri, sync

    print(f"{sync(home_folder(), resolve_uri(home_folder()))} runs logged")
    return 0


def run_command(words: Sequence[str]) -> int:
    """``tgap run``; returns the exit code: 0 all well, 1 a run failed, 2 nothing was started."""
    if "--help" in words or "-h" in words:
        print(run_help(), end="")
        return 0
    from hydra._internal.utils import get_args_parser

    args = get_args_parser().parse_intermixed_args(list(words))
    if args.cfg or args.info or args.hydra_help or args.shell_completion:
        return guarded(lambda: hydra_main(words))
    signal.signal(signal.SIGTERM, _terminated)
    return guarded(lambda: _launch(args))


def _launch(args: argparse.Namespace) -> int:
    if args.experimental_rerun is not None:
        raise ConfigError(["--experimental-rerun reads a pickle, which can run code; it is off"])
    for flag in ("config_name", "config_path", "package", "resolve"):
        if getattr(args, flag):
            raise ConfigError(
                [f"--{flag.replace('_', '-')} does not go with a run; use --config-dir to add "
                 "a folder of configs, and group=option to choose among them"]
            )  # fmt: skip
    log_to_terminal()  # of the checks; when a run starts, Hydra sets logging up
    return _run(args.overrides, args.multirun, args.config_dir)


def _run(overrides: Sequence[str], sweep: bool, config_dir: str | None) -> int:
    from tgap.launch import launch
    from tgap.report.terminal import show_results

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

    from tgap import registry
    from tgap.composition import CONFIG_NAME, conf_folder
    from tgap.config import Run

    registry.register(Run)
    sys.argv = ["tgap", *words]
    hydra.main(str(conf_folder()), CONFIG_NAME, version_base="1.3")(lambda config: None)()
    return 0


def guarded(action: Callable[[], int]) -> int:
    """Call, and tell a TgapError without its traceback (unless ``HYDRA_FULL_ERROR=1``)."""
    try:
        return action()
    except TgapError as error:
        if os.environ.get("HYDRA_FULL_ERROR") == "1":
            raise
        print(f"tgap: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("tgap: interrupted; what is finished is kept, run again to go on", file=sys.stderr)
        return 130


def _terminated(number: int, frame: object) -> NoReturn:
    """SIGTERM ends like Ctrl-C: locks are freed and the run is recorded as killed."""
    raise KeyboardInterrupt


def run_help() -> str:
    """Groups with their options, and the run's settings with type, default and meaning."""
    from tgap import registry
    from tgap.composition import options
    from tgap.config import Run

    lines = ["usage: tgap run [group=option ...] [key=value ...] [-m]", "", "groups:"]
    lines += [f"  {group}={'|'.join(options(group))}" for group in (*registry.GROUPS, "profile")]
    lines += ["", "settings (key=value, several values with commas and -m):"]
    lines += _settings(Run, "")
    lines += ["", "a component's own settings: tgap run --cfg job -p selector (or another group)"]
    lines += ["Hydra's flags: --cfg job, --info, --config-dir, --hydra-help", ""]
    return "\n".join(lines)


def _settings(cls: type, prefix: str) -> list[str]:
    from tgap.component import Checked

    lines = []
    for f in dataclasses.fields(cls):
        part = f.default_factory
        if isinstance(part, type) and issubclass(part, Checked):
            lines += _settings(part, f"{prefix}{f.name}.")
        elif f.default is not dataclasses.MISSING:
            default = "null" if f.default is None else f.default
            lines.append(f"  {prefix + f.name + '=' + str(default):38} {f.metadata['help']}")
    return lines
