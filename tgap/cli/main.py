"""The command line: ``tgap`` and its sub-commands.

``--help`` and ``--cfg`` answer without importing torch or MLflow.
"""

import argparse
import signal
import sys
from collections.abc import Sequence
from importlib.metadata import version

from tgap.cli.compare import compare_command
from tgap.cli.completion import completion
from tgap.cli.data import data_command
from tgap.cli.evaluate import evaluate
from tgap.cli.label import label
from tgap.cli.phantom import phantom
from tgap.cli.run import run_command
from tgap.cli.terminal import USAGE, guarded, terminated
from tgap.cli.ui import synchronise, ui


def main() -> None:
    """The console script ``tgap``."""
    sys.exit(command(sys.argv[1:]))


def command(words: Sequence[str]) -> int:
    """Run a sub-command; returns the exit code."""
    if words and words[0] == "run":
        return run_command(words[1:])
    signal.signal(signal.SIGTERM, terminated)
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
