"""Whether the data has what a run's drawing needs, as far as that is known before it starts."""

import numpy as np

from tgap.composition.config import Run
from tgap.core import ImageSet, Split
from tgap.pipeline.subsets import reserved


def check_drawing(run: Run, data: ImageSet, split: Split) -> list[str]:
    """What a run's drawing asks of the data and cannot have, as sentences.

    Args:
        run: The run.
        data: Its dataset; pixels are not looked at.
        split: Its sets.
    """
    if run.drawing.as_asked:
        return []
    return _lacking_prompts(run, data.take(split.pool)) + _lacking_reserve(run, data, split)


def _lacking_prompts(run: Run, pool: ImageSet) -> list[str]:
    """Prompts among which a label's images could be shared out."""
    setting = run.drawing.needs_prompts()
    together = run.prompts.co_occurrence and (pool.labels.sum(axis=1) > 1).any()
    if not setting or together or run.prompts.names_findings("generation"):
        return []
    return [
        f"{setting} shares a label's images out among its prompts, and with prompts "
        f"'{run.prompts.title()}' each label has one; choose prompts=findings, or "
        "drawing.rule=uniform"
    ]


def _lacking_reserve(run: Run, data: ImageSet, split: Split) -> list[str]:
    """A reserve that is too small even if no image of it were tuned on."""
    judge = run.drawing.judge_used()
    if judge is None:
        return []
    others = np.concatenate([split.real_train, split.real_test])
    rng = np.random.default_rng(0)  # halves alike in their labels, whichever they are
    halves = reserved(data, split.pool, others, rng)
    return judge.check_reserve(*(data.take(rows) for rows in halves))
