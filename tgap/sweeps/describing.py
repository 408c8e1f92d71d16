"""A run and a sweep in words, for MLflow's pages: what came out, and how to repeat it."""

import shlex
from collections.abc import Mapping, Sequence

from tgap.analysis.verdicts import verdicts
from tgap.report.summary import headline

NOTE = "mlflow.note.content"
"""The tag that MLflow shows as a run's description, in Markdown."""
LONGEST = 7500
"""Letters of a tag, below MLflow's limit."""


def described(metrics: Mapping[str, float], words: Sequence[str]) -> dict[str, str]:
    """Tags of a run: its verdicts and its description.

    Args:
        metrics: The run's.
        words: Of its command line.
    """
    found = verdicts(metrics)
    lines = [f"**{headline(metrics)}**", *(f"- {one.sentence}." for one in found)]
    lines += [f"To repeat it:\n```\n{shlex.join(['tgap', 'run', *words])}\n```"]
    lines += ["`summary.txt` and `tables/metrics.json` among the artifacts have all numbers."]
    return {
        "tgap.verdicts": ", ".join(one.code for one in found),
        NOTE: "\n\n".join(lines)[:LONGEST],
    }


def sweep_described(table: str, words: Sequence[str]) -> dict[str, str]:
    """Tags of a sweep: its description.

    Args:
        table: In Markdown; empty if no run was finished.
        words: Of its command line.
    """
    command = shlex.join(["tgap", "run", *words, "-m"])
    repeat = f"To repeat it:\n```\n{command}\n```\n\n"
    room = LONGEST - len(repeat)
    if len(table) > room:
        table = table[:room].rpartition("\n")[0] + "\n\nAll of it: `table.md`."
    return {NOTE: repeat[:LONGEST] + (table or "No run was finished.")}
