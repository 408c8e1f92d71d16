"""What a run's numbers mean, in words: each verdict is a rule over metrics and a sentence."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tgap.analysis.readings import Numbers
from tgap.analysis.rules import images, novelty, numbers, useful


@dataclass(frozen=True)
class Verdict:
    """A finding about a run.

    Args:
        code: One of ``CODES``.
        sentence: The numbers, and what they mean.
    """

    code: str
    sentence: str


def verdicts(metrics: Mapping[str, float]) -> list[Verdict]:
    """All verdicts that a run's metrics support.

    Args:
        metrics: By name, as evaluators give them. Any may be missing or NaN: what cannot be known
            without it is left unsaid.

    Returns:
        In the order of ``CODES``: what the images are good for, what is wrong with them, and what
        to make of the numbers.

    >>> legs = {"tstr/auroc": 0.541, "trts/auroc": 0.575, "fter": 0.941}
    >>> [verdict.code for verdict in verdicts(legs)]
    ['no_better_than_chance', 'fter_meaningless']
    """
    known = Numbers(metrics)
    sentences = ((code, rule(known)) for code, rule in RULES.items())
    return [Verdict(code, sentence) for code, sentence in sentences if sentence is not None]


RULES: dict[str, Callable[[Numbers], str | None]] = {
    **useful.RULES,
    **images.RULES,
    **novelty.RULES,
    **numbers.RULES,
}
"""The sentence of a code, or nothing where it does not hold or cannot be known."""

CODES = tuple(RULES)
