"""Folds in place of a single run: what is done where there are few images, unless told otherwise.

One small split says nothing; see ``docs/few_images.md``.
"""

import logging
from collections.abc import Sequence

from tgap.composition.explain import key_of
from tgap.composition.registry import GROUPS
from tgap.core import TgapError
from tgap.pipeline.plan import Plan
from tgap.pipeline.preflight.sizes import FEW, are_few
from tgap.pipeline.preparation import known
from tgap.store import Store

log = logging.getLogger(__name__)
FOLDS = ("profile=few", "protocol.fold=0,1,2,3,4")
"""Words that make folds of a single run; with ``-m``."""
CHOICES = (
    "profile",
    "protocol",
    "selector",
    "size",
    "size_unit",
    "split_seed",
    "pool_size",
    "train_size",
    "test_size",
)
"""Whoever says one of these has chosen how images are divided, and gets that."""


def folds_of(plan: Plan, words: Sequence[str], store: Store) -> list[str]:
    """The words of a sweep over folds that is done in place of a single run; none if it is not.

    Images are counted as they are listed. Where only reading tells, they are read into the store,
    where the checks find them. A set that somebody has made elsewhere stands, as a test set does
    that the dataset names: folds would be dealt from it too.

    Args:
        plan: Of the single run.
        words: Its overrides.
        store: Where its images may be already.
    """
    if any(_chooses(word) for word in words) or plan.ready_made:
        return []
    try:
        images = known(plan, store)
    except TgapError:  # the checks tell
        return []
    if not are_few(plan.run, images) or images.official_test is not None:
        return []
    counts = images.label_counts()
    fewest = min(counts, key=lambda name: counts[name])
    log.warning(
        "label '%s' has %d images, too few (%d to %d) for one split to say much: five runs with "
        "the settings of profile=few are done, so that each image tests once, as with `%s -m` "
        "(docs/few_images.md); for one split add `protocol=clean selector=whole`",
        fewest,
        counts[fewest],
        *FEW,
        " ".join(FOLDS),
    )
    return [*words, *FOLDS]


def _chooses(word: str) -> bool:
    """Whether a word says how images are divided, or may: a preset (``+experiment=mine``) may."""
    key = key_of(word).partition(".")[0].partition("@")[0]
    preset = word.startswith("+") and not word.startswith("++") and key not in GROUPS
    return preset or key in CHOICES
