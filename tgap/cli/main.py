"""The command line: ``tgap`` and its commands.

``--help`` and ``--cfg`` answer without importing torch or MLflow.
"""

import os
import sys
from collections.abc import Sequence

import click
from click.shell_completion import shell_complete

from tgap.cli.compare import compare
from tgap.cli.completion import VARIABLE, completion
from tgap.cli.data import data
from tgap.cli.evaluate import evaluate
from tgap.cli.export import export
from tgap.cli.label import label
from tgap.cli.listing import everything, show_help
from tgap.cli.phantom import phantom
from tgap.cli.plan import plan
from tgap.cli.predict import predict
from tgap.cli.rank import rank
from tgap.cli.report import report
from tgap.cli.run import run
from tgap.cli.runs import runs
from tgap.cli.signals import stoppable
from tgap.cli.status import status
from tgap.cli.store import store
from tgap.cli.store_remove import remove
from tgap.cli.terminal import guarded, show_anything
from tgap.cli.ui import sync, ui

ALL_COMMANDS = "All commands: tgap list"
"""The end of each command's help; that of tgap run has it where a screen has room."""


class _InOrder(click.Group):
    """Lists its commands as they were added, the first ones first."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(
    cls=_InOrder,
    invoke_without_command=True,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
        "show_default": True,
    },
    epilog="What a run is made of, and what can be set: tgap run --help; all of it: tgap list",
)
@click.version_option(package_name="tgap", message="tgap %(version)s")
@click.pass_context
def tgap(context: click.Context) -> int:
    """Can a model be trained on what my fine-tuned generator makes?

    tgap chooses a tuning set, fine-tunes a generator on it, draws a labelled synthetic set, trains
    classifiers on synthetic and on real images, and tests each on the other. All that it makes is
    kept in .tgap/ of the current folder, or in the folder that TGAP_HOME names.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
    return 2  # a command's own code takes its place


for _command in (
    run,
    plan,
    evaluate,
    compare,
    predict,
    rank,
    report,
    runs,
    status,
    export,
    data,
    store,
    label,
    phantom,
    ui,
    sync,
    completion,
    everything,
    show_help,
):
    _command.epilog = ALL_COMMANDS
    tgap.add_command(_command)
store.add_command(remove)


def main() -> None:
    """The console script ``tgap``; a shell that completes a line calls it too."""
    if instruction := os.environ.get(VARIABLE):
        show_anything()
        sys.exit(shell_complete(tgap, {}, "tgap", VARIABLE, instruction))
    sys.exit(command(sys.argv[1:]))


def command(words: Sequence[str]) -> int:
    """Run a command.

    Args:
        words: The command line behind ``tgap``.

    Returns:
        The exit code: 0 all well, 1 a run failed, 2 nothing was started, 130 interrupted.
    """
    show_anything()
    with stoppable():
        return guarded(lambda: _invoke(words))


def run_command(words: Sequence[str]) -> int:
    """``tgap run`` with these words; see ``command``."""
    return command(["run", *words])


def _invoke(words: Sequence[str]) -> int:
    # Not click's own main(): it would tell an EOFError of a broken file as an interruption.
    with tgap.make_context("tgap", list(words)) as context:
        code: int = tgap.invoke(context)
        return code
