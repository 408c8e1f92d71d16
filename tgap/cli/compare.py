"""``tgap compare``."""

import argparse
from collections.abc import Sequence

from tgap.core.errors import ConfigError
from tgap.core.files import home_folder


def compare_command(words: Sequence[str]) -> int:
    """Print one table of all runs that were recorded, from however many commands.

    Runs are chosen by their parameters in MLflow (size=500 dataset=digits); what was begun and not
    finished is shown as missing.
    """
    parser = argparse.ArgumentParser(
        prog="tgap compare",
        description=compare_command.__doc__,
        usage="tgap compare [--experiment NAME] [--markdown] [name=value ...]",
    )
    parser.add_argument("--experiment", default="tgap", help="MLflow experiment")
    parser.add_argument("--markdown", action="store_true", help="print it in Markdown")
    parser.add_argument("chosen", nargs="*")
    args = parser.parse_intermixed_args(words)
    wrong = [word for word in args.chosen if "=" not in word]
    if wrong:
        raise ConfigError(*(f"'{word}' must be name=value, e.g. size=500" for word in wrong))
    from rich.console import Console

    from tgap.analysis.comparison import compare
    from tgap.report.table import markdown, render
    from tgap.sweep.history import recorded

    chosen = dict(word.split("=", 1) for word in args.chosen)
    found = compare(*recorded(home_folder(), args.experiment, chosen))
    if args.markdown:
        print(markdown(found), end="")
    else:
        render(found, Console(highlight=False, soft_wrap=True))
    return 0
