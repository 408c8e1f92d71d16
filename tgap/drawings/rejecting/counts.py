"""What a drawing that rejects reports."""

from collections.abc import Iterator, Sequence

import numpy as np

from tgap.core import ImageSet
from tgap.drawings.rejecting.queries import Query
from tgap.metrics.naming import metric_names


def rates(queries: Sequence[Query], asked: ImageSet) -> dict[str, float]:
    """Pass rates: of all trials, and of those for each label and each finding.

    A finding that is called as a label is left out.
    """
    every = {"draw/pass_rate": queries}
    groups = {
        name: [query for query in queries if query.block == block]
        for block, name in enumerate(metric_names(asked.label_names))
    }
    for column, name in enumerate(metric_names(asked.finding_names)):
        own = [query for query in queries if asked.findings[query.rows[0], column]]
        groups.setdefault(name, own)
    every |= {f"draw/pass_rate_{name}": own for name, own in groups.items()}
    return {name: _rate(own) for name, own in every.items() if own}


def _rate(queries: Sequence[Query]) -> float:
    tried = sum(query.tried for query in queries)
    return sum(query.passed for query in queries) / tried if tried else float("nan")


def unfilled(queries: Sequence[Query], asked: ImageSet) -> Iterator[str]:
    """Queries that ended at their limit, as sentences."""
    for query in queries:
        if query.lacking > 0:
            yield (
                f"of {query.tried} images of {words_of(asked, query.rows[0])} {query.passed} "
                f"passed, where {query.quota} were wanted"
            )


def words_of(asked: ImageSet, row: int) -> str:
    """What an image was asked for with, in words."""
    labels = [asked.label_names[i] for i in np.flatnonzero(asked.labels[row])]
    findings = [asked.finding_names[i] for i in np.flatnonzero(asked.findings[row])]
    told = f" ({', '.join(findings)})" if findings else ""
    return f"'{', '.join(labels)}'{told}"
