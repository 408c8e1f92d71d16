"""How much room runs will take in the store, known before they start and without their weights.

To an order of magnitude, and rather too much than too little: components say what they will keep.
"""

import logging
import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tgap.core import TgapError
from tgap.datasets.base import Dataset
from tgap.generators.base import Pretrained
from tgap.pipeline.plan import Identities, Plan
from tgap.pipeline.preflight.extent import Extent, Extents
from tgap.store import Spec, Store

MARGIN = 1.1
GB = 1e9
WORTH_TELLING = 1e9
"""Bytes; less is not worth a line."""
NUMBER_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}
LOSS_BYTES = 210
"""Of a step's line in ``losses.json``."""
OTHER_FILES = 250_000
"""Manifests, metrics, tables and plots of a run."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Need:
    """Room for an artifact that is not in the store yet.

    Args:
        what: Its kind, in words.
        key: Its key.
        size: Bytes, roughly.
    """

    what: str
    key: str
    size: float


def needs(plan: Plan, extents: Extents) -> list[Need]:
    """What a run will add to the store; artifacts of a few kB are left out.

    Args:
        plan: Of a run whose dataset is in the store.
        extents: Of data; what is in their store already takes no more room.
    """
    data = extents.of(plan)
    classifier = plan.run.classifier.stored_bytes(_kept_shape(plan, data), data.labels)
    sizes = [
        ("embedding", plan.embedding, _embedding(plan, data)),
        ("prior images", plan.prior, _prior(plan)),
        ("untuned parts", plan.untuned, _unchanged(plan)),
        ("tuned models", plan.generator, _tuned(plan, data)),
        ("guides", plan.guide, _tuned(plan, data)),
        ("synthetic sets", plan.synthetic, _synthetic(plan, data)),
        ("classifiers", plan.synthetic_classifier, classifier),
        ("real classifiers", plan.real_classifier, classifier),
        ("scores, evaluations, pictures", plan.scores, _scores(plan, data)),
    ]
    return [
        Need(what, spec.key, size)
        for what, spec, size in sizes
        if spec is not None and extents.store.find(spec) is None
    ]


def _embedding(plan: Plan, data: Extent) -> float:
    embedder = plan.run.selector.embedder_used()
    width = 0 if embedder is None else embedder.width(data.shape)
    return 4 * data.images * width


def _prior(plan: Plan) -> float:
    shape = plan.run.generator.image_shape()
    return plan.run.finetuner.prior_images() * (0 if shape is None else math.prod(shape))


def _unchanged(plan: Plan) -> float:
    """All of a model but the denoiser."""
    generator = plan.run.generator
    if not isinstance(generator, Pretrained):
        return 0
    return NUMBER_BYTES[plan.run.storage.weights] * generator.networks().other_numbers()


def _unfinished(plan: Plan, extents: Extents) -> float:
    """What a drawing keeps until its set is whole: all that it drew, of which it is chosen."""
    if plan.synthetic is None or not isinstance(plan.run.generator, Pretrained):
        return 0
    if extents.store.find(plan.synthetic) is not None:
        return 0
    return plan.run.drawing.drawn_each()[0] * _synthetic(plan, extents.of(plan))


def _passing(plan: Plan) -> float:
    """What lies on the disk for a while only."""
    generator = plan.run.generator
    if plan.untuned is None or not isinstance(generator, Pretrained):
        return 0
    return NUMBER_BYTES["float32"] * generator.networks().other_numbers()


def checkpoint_size(plans: Sequence[Plan], extents: Extents) -> float:
    """Bytes of the largest state that fine-tuning keeps while it is at work, to go on from.

    Args:
        plans: Of runs whose datasets are in the store.
        extents: Of data; what is in their store, tuned already, keeps nothing.
    """
    sizes = [0.0]
    for plan in plans:
        generator = plan.run.generator
        tuned = [spec for spec in (plan.generator, plan.guide) if spec is not None]
        if not tuned or not isinstance(generator, Pretrained):
            continue
        if any(extents.store.find(spec) is None for spec in tuned):
            labels = extents.of(plan).labels
            sizes.append(plan.run.finetuner.checkpoint_bytes(generator.networks(), labels))
    return max(sizes)


def _tuned(plan: Plan, data: Extent) -> float:
    """What was tuned; in float32 the rest of the model is saved with each tuned one too."""
    run = plan.run
    if not isinstance(run.generator, Pretrained):
        return 0
    networks, weights = run.generator.networks(), run.storage.weights
    own = run.finetuner.stored_numbers(networks, data.labels)
    whole = weights == "float32" and not run.finetuner.saves_adapter
    return (
        NUMBER_BYTES[weights] * own
        + (_unchanged(plan) if whole else 0)
        + LOSS_BYTES * run.budget.steps
    )


def _kept_shape(plan: Plan, data: Extent) -> tuple[int, ...]:
    side, (height, width, channels) = plan.run.storage.image_size, data.shape
    return (side or height, side or width, channels)


def _synthetic(plan: Plan, data: Extent) -> float:
    per_label = plan.run.budget.train_per_label + plan.run.budget.test_per_label
    return per_label * data.labels * math.prod(_kept_shape(plan, data))


def _scores(plan: Plan, data: Extent) -> float:
    drawn = data.labels * plan.run.budget.test_per_label
    return OTHER_FILES + 10 * data.labels * (data.tested + drawn)


def shared_once(all_needs: Sequence[Need]) -> list[Need]:
    """Each artifact once, however many runs share it."""
    return list({(need.what, need.key): need for need in all_needs}.values())


def total_of(all_needs: Sequence[Need]) -> float:
    """Bytes."""
    return sum(need.size for need in all_needs)


def in_words(all_needs: Sequence[Need], home: Path, free: int) -> str:
    """The needs in a sentence, those that are shared told apart."""
    parts = []
    for what in dict.fromkeys(need.what for need in all_needs):
        sizes = [need.size for need in all_needs if need.what == what]
        number = f"{len(sizes)} x " if len(sizes) > 1 else ""
        parts.append(f"{what} {number}{sum(sizes) / len(sizes) / GB:.2f} GB")
    return (
        f"about {total_of(all_needs) / GB:.1f} GB will be needed in {home} ({', '.join(parts)}); "
        f"{free / GB:.1f} GB are free"
    )


def free_bytes(folder: Path) -> int:
    """Free space of the disk that a folder is, or will be, on."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def check_disk(plans: Sequence[Plan], store: Store, home: Path, at_once: int = 1) -> list[str]:
    """Whether what the runs will make fits on the disk; says how much it is, if it is much.

    Args:
        plans: Of the runs.
        store: Where they are kept.
        home: Its folder's.
        at_once: How many runs are done at a time, each of which keeps what it goes on from.
    """
    extents = Extents(store)
    all_needs = shared_once([need for plan in plans for need in needs(plan, extents)])
    # Parts that tuning leaves alone are saved in float32 before they are cast, one model at a time.
    passing = max((_passing(plan) for plan in plans), default=0)
    checkpoint = checkpoint_size(plans, extents)
    unfinished = max((_unfinished(plan, extents) for plan in plans), default=0)
    # The last one stays until the next one is whole.
    kept = max(2 * checkpoint, unfinished) * min(at_once, max(len(plans), 1))
    room = total_of(all_needs) + max(passing, kept)
    text = in_words(all_needs, home, free_bytes(home))
    if checkpoint > WORTH_TELLING:
        each = f" for each of {at_once} runs at a time" if at_once > 1 else ""
        text += (
            f"; while a model is tuned, {2 * checkpoint / GB:.1f} GB more{each} for checkpoints of "
            f"{checkpoint / GB:.1f} GB (weights and the optimizer's memory), by which it goes on "
            "if it is interrupted"
        )
    if unfinished > WORTH_TELLING:
        text += f"; while a set is drawn, {unfinished / GB:.1f} GB more for what it goes on from"
    return _fitting(
        room,
        text,
        home,
        "ask for less (budget.train_per_label, storage.image_size, storage.weights=float16, fewer "
        "sizes or seeds at once)",
    )


def check_room_for_data(
    datasets: Sequence[Dataset], identities: Identities, store: Store
) -> list[str]:
    """Whether the images of datasets that are not in the store yet fit on the disk, all together.

    Those of a dataset that cannot tell its size beforehand are not counted.
    """
    new: dict[str, Dataset] = {}
    try:
        for dataset in datasets:
            spec = Spec("dataset", {"dataset": identities.dataset(dataset)})
            if store.find(spec) is None:
                new[spec.key] = dataset
        total = sum(dataset.stored_bytes() or 0 for dataset in new.values())
    except TgapError as error:
        return [str(error)]
    text = (
        f"the decoded images of {', '.join(repr(each.title()) for each in new.values())} take "
        f"about {total / GB:.1f} GB in {store.root}, once for all runs (twice that while broken "
        f"images are left out); {free_bytes(store.root) / GB:.1f} GB are free"
    )
    return _fitting(total, text, store.root, "choose a smaller dataset.size")


def _fitting(size: float, text: str, folder: Path, remedy: str) -> list[str]:
    """A sentence if there is too little room; else it is told how much is taken, if it is much."""
    if size * MARGIN > free_bytes(folder):
        return [
            f"{text}: too little; set TGAP_HOME to a folder on a larger disk, free some space, or "
            f"{remedy}"
        ]
    if size > WORTH_TELLING:
        log.info("%s", text)
    return []
