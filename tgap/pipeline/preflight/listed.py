"""Whether runs fit what files and tables say of images, before any of these is read."""

import logging
from collections.abc import Sequence

from tgap.core import ImageSet, Split, TgapError
from tgap.pipeline.plan import Plan
from tgap.pipeline.preflight.data import advice_of
from tgap.pipeline.preflight.prompts import check_prompts
from tgap.pipeline.preflight.sizes import check_size
from tgap.pipeline.preflight.training import check_training
from tgap.pipeline.preparation import listed
from tgap.store import Store

log = logging.getLogger(__name__)


def check_listed(plans: Sequence[Plan], store: Store) -> list[str]:
    """Split what datasets list that are not in the store yet, and compare runs with it.

    Once they are read, ``check_data`` asks the same of them.
    """
    known: dict[str, ImageSet | None] = {}
    splits: dict[str, Split] = {}
    advice: list[str] = []
    problems: list[str] = []
    for plan in plans:
        run, dataset, split = plan.run, plan.dataset.key, plan.split.key
        if store.find(plan.dataset) is not None:
            continue
        try:
            if dataset not in known:
                known[dataset] = listed(run.dataset)
            if (images := known[dataset]) is None or plan.ready_made:
                continue
            advice += advice_of(run, images)
            if split not in splits:
                splits[split] = run.protocol.split(images, run.splitting)
        except TgapError as error:
            problems.append(str(error))
            continue
        pool = images.take(splits[split].pool)
        found = check_size(run, pool, images) + check_prompts(run, pool)
        problems += found or check_training(run, images, splits[split])
    for text in dict.fromkeys(advice if problems else []):  # else told when images are read
        log.warning("%s", text)
    return problems
