"""How much room runs will take in the store, known before they start and without their weights."""

import json
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from tgap.classifiers.logistic_regression import LogisticRegression
from tgap.classifiers.small_cnn import SmallCnn
from tgap.composition.config import Run
from tgap.core.errors import TgapError
from tgap.core.types import ImageSet
from tgap.datasets.base import Dataset
from tgap.embedders.clip import Clip
from tgap.embedders.pixels import Pixels
from tgap.finetuners.dreambooth_lora import DreamboothLora
from tgap.finetuners.textual_inversion import TextualInversion
from tgap.generators.base import Pretrained
from tgap.generators.latent.pretrained import LatentGenerator
from tgap.generators.latent.saving import DENOISERS
from tgap.pipeline.artifacts import read_images, read_split
from tgap.pipeline.plan import Plan
from tgap.store import Spec, Store

MARGIN = 1.05


GB = 1e9


WORTH_TELLING = 1e9
"""Bytes; less is not worth a line."""


NUMBER_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}


LOSS_BYTES = 210
"""Of a step's line in ``losses.json``."""


CLIP_WIDTH = 512
"""Of ViT-B/32's vectors; larger models' have up to 1,024 numbers."""


DENSENET_BYTES = 28_400_000
"""CheXNet's weights; what other networks take is guessed by it."""


OTHER_FILES = 250_000
"""Manifests, metrics, tables and plots of a run."""


log = logging.getLogger(__name__)


Shapes = Mapping[str, Mapping[str, tuple[int, ...]]]
"""Of each network of a model, its tensors by name."""


@dataclass(frozen=True)
class Need:
    """Room for an artifact that is not in the store yet.

    Args:
        what: Its kind, in words.
        key: Its key.
        size: Bytes, as far as they can be known.
        passing: Bytes that are needed besides while it is made.
    """

    what: str
    key: str
    size: float
    passing: float = 0.0


def needs(run: Run, its: Plan, store: Store) -> list[Need]:
    """What a run will add to the store, each artifact with its size.

    Args:
        run: A run whose dataset is in the store.
        its: Its plan.
        store: What is there already takes no more room.

    Returns:
        A need per artifact of note; those of a few kB are left out.
    """
    dataset = store.find(its.dataset)
    split = store.find(its.split)
    if dataset is None or split is None:
        return []
    data, n_test = read_images(dataset), len(read_split(split).real_test)
    asked: list[tuple[str, Spec | None, Callable[[], float]]] = [
        ("embedding", its.embedding, partial(_embedding, run, data)),
        ("prior images", its.prior, partial(_prior, run)),
        ("untuned parts", its.untuned, partial(_untuned, run)),
        ("tuned models", its.tuned, partial(_tuned, run, data)),
        ("synthetic sets", its.synthetic, partial(_synthetic, run, data)),
        ("classifiers", its.synthetic_classifier, partial(_classifier, run)),
        ("real classifiers", its.real_classifier, partial(_classifier, run)),
        ("scores, evaluations, pictures", its.scores, partial(_found, run, data, n_test)),
    ]
    return [
        Need(what, spec.key, size(), _passing(run, what, its))
        for what, spec, size in asked
        if spec is not None and store.find(spec) is None
    ]


def told(found: Sequence[Need], home: Path, free: int) -> str:
    """The needs in a sentence, those that are shared told apart."""
    parts = []
    for what in dict.fromkeys(need.what for need in found):
        sizes = [need.size for need in found if need.what == what]
        number = f"{len(sizes)} x " if len(sizes) > 1 else ""
        parts.append(f"{what} {number}{np.mean(sizes) / GB:.2f} GB")
    passing = max((need.passing for need in found), default=0.0)
    if passing > WORTH_TELLING / 100:
        parts.append(f"for a while {passing / GB:.2f} GB more")
    return (
        f"about {total_of(found) / GB:.1f} GB will be needed in {home} ({', '.join(parts)}); "
        f"{free / GB:.1f} GB are free"
    )


def total_of(found: Sequence[Need]) -> float:
    """Bytes that are needed at once, if one artifact is made after another."""
    return sum(need.size for need in found) + max((need.passing for need in found), default=0.0)


def distinct(found: Sequence[Need]) -> list[Need]:
    """Each artifact once, however many runs share it."""
    return list({(need.what, need.key): need for need in found}.values())


def free_bytes(folder: Path) -> int:
    """Free space of the disk that a folder is, or will be, on."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def shortage(found: Sequence[Need], home: Path) -> list[str]:
    """What is wrong if the free space is less than the needs and a little more."""
    free = free_bytes(home)
    if total_of(found) * MARGIN <= free:
        return []
    return [
        f"{told(found, home, free)}: too little; set TGAP_HOME to a folder on a larger disk, free "
        "some space, or ask for less (budget.train_per_label, storage.image_size, "
        "storage.weights=float16, fewer sizes or seeds at once)"
    ]


def image_bytes(shape: Sequence[int]) -> int:
    """Bytes of one image of a shape, or of a set of them."""
    return int(np.prod(shape, dtype=np.int64))


def shapes_of(generator: Pretrained) -> Shapes:
    """Shapes of a generator's weights, from the headers of its files; none if it has no such files.

    Raises:
        DataError: If a file is missing or broken.
    """
    return generator.source().shapes() if isinstance(generator, LatentGenerator) else {}


def denoiser_numbers(generator: Pretrained) -> int:
    """How many parameters the UNet or transformer has; 0 if nobody knows.

    Raises:
        DataError: If a file is missing or broken.
    """
    if not isinstance(generator, LatentGenerator):
        return 0
    return _numbers(shapes_of(generator).get(generator.layout.denoiser, {}))


def _numbers(shapes: Mapping[str, tuple[int, ...]]) -> int:
    return sum(image_bytes(shape) for shape in shapes.values())


def _kept_parts(run: Run) -> list[int]:
    """Numbers in each part of the model but the denoiser."""
    shapes = shapes_of(run.pretrained)
    return [_numbers(part) for name, part in shapes.items() if name not in DENOISERS]


def _passing(run: Run, what: str, its: Plan) -> float:
    """What lies on the disk for a while: parts are saved in float32, cast, and then shared."""
    if its.untuned is None or what not in ("untuned parts", "tuned models"):
        return 0.0
    numbers = _kept_parts(run)
    at_once = sum(numbers) if what == "tuned models" else max(numbers, default=0)
    return float(NUMBER_BYTES["float32"] * at_once)


def _untuned(run: Run) -> float:
    """All but the denoiser."""
    kept = sum(_kept_parts(run))
    tokenizers = 0
    if isinstance(run.generator, LatentGenerator):
        files = run.generator.source().folder.glob("tokenizer*/*")
        tokenizers = sum(path.stat().st_size for path in files)
    return NUMBER_BYTES[run.storage.weights] * kept + tokenizers


def _tuned(run: Run, data: ImageSet) -> float:
    """The whole model, or its parts that were tuned, or what was learned beside it."""
    width = NUMBER_BYTES[run.storage.weights]
    shapes, finetuner = shapes_of(run.pretrained), run.finetuner
    losses = LOSS_BYTES * run.budget.steps
    if isinstance(finetuner, DreamboothLora):
        layers = shapes.get("unet", shapes.get("transformer", {}))
        return losses + width * _lora_numbers(layers, finetuner)
    if isinstance(finetuner, TextualInversion):
        rows = [
            shape
            for part in shapes.values()
            for name, shape in part.items()
            if name.endswith("token_embedding.weight")
        ]
        words = finetuner.vectors * len(data.label_names)
        return losses + width * words * sum(shape[1] for shape in rows)
    if run.storage.weights != "float32":
        shares = {name for name in shapes if name not in DENOISERS}
        if getattr(finetuner, "text_encoder", False):
            shares = {name for name in shares if not name.startswith("text_encoder")}
        shapes = {name: part for name, part in shapes.items() if name not in shares}
    return losses + width * sum(map(_numbers, shapes.values()))


def _lora_numbers(layers: Mapping[str, tuple[int, ...]], finetuner: DreamboothLora) -> int:
    """Of the two factors of each layer that gets them."""
    found = 0
    for name, shape in layers.items():
        layer = name.removesuffix(".weight")
        if name != layer and len(shape) > 1 and layer.endswith(tuple(finetuner.targets)):
            found += finetuner.rank * (shape[0] + image_bytes(shape[1:]))
    return found


def _prior(run: Run) -> float:
    return run.finetuner.prior_images() * image_bytes(run.pretrained.image_shape())


def _synthetic(run: Run, data: ImageSet) -> float:
    per_label = run.budget.train_per_label + run.budget.test_per_label
    height, width, channels = data.images.shape[1:]
    if run.storage.image_size is not None:
        height = width = run.storage.image_size
    rest = len(data.label_names) + 9  # labels, the patient, whether it trains
    images = per_label * len(data.label_names)
    return images * (image_bytes((height, width, channels)) + rest)


def _embedding(run: Run, data: ImageSet) -> float:
    embedder = run.selector.embedder_used()
    if isinstance(embedder, Pixels):
        height, width = data.images.shape[1:3]
        scale = min(1.0, embedder.size / max(height, width))
        kept = (round(height * scale), round(width * scale), 3 if embedder.color == "rgb" else 1)
        return 4 * len(data) * image_bytes(kept)
    return 4 * len(data) * (_clip_width(embedder) if isinstance(embedder, Clip) else CLIP_WIDTH)


def _clip_width(embedder: Clip) -> int:
    """Of a local model's vectors, as its configuration says; of others a guess."""
    try:
        text = (embedder.folder / "open_clip_config.json").read_text("utf-8")
        return int(json.loads(text)["model_cfg"]["embed_dim"])
    except (OSError, ValueError, KeyError):
        return CLIP_WIDTH


def _classifier(run: Run) -> float:
    if isinstance(run.classifier, SmallCnn):
        return 100_000
    if isinstance(run.classifier, LogisticRegression):
        return 50_000
    return DENSENET_BYTES


def _found(run: Run, data: ImageSet, n_test: int) -> float:
    labels = len(data.label_names)
    tested = 2 * (n_test + labels * run.budget.test_per_label)
    return tested * 5 * labels + OTHER_FILES


def all_needs(runs: Sequence[Run], plans: Sequence[Plan], store: Store) -> list[Need]:
    """What several runs will add to the store, shared artifacts once."""
    return distinct(
        [need for run, its in zip(runs, plans, strict=True) for need in needs(run, its, store)]
    )


def check_disk(runs: Sequence[Run], plans: Sequence[Plan], store: Store, home: Path) -> list[str]:
    """Whether what the runs will make fits on the disk; says how much it is, if it is much."""
    found = all_needs(runs, plans, store)
    if problems := shortage(found, home):
        return problems
    if total_of(found) > WORTH_TELLING:
        log.info("%s", told(found, home, free_bytes(home)))
    return []


def _different(datasets: Sequence[Dataset]) -> list[Dataset]:
    """Each once: to identify one, all its files are listed."""
    found: list[Dataset] = []
    for dataset in datasets:
        if dataset not in found:
            found.append(dataset)
    return found


def check_room_for_data(datasets: Sequence[Dataset], store: Store) -> list[str]:
    """Whether the images of datasets that are not in the store yet fit on the disk, all together.

    Those of a dataset that cannot tell its size beforehand are not counted.
    """
    new: dict[str, Dataset] = {}
    try:
        for dataset in _different(datasets):
            spec = Spec("dataset", {"dataset": dataset.identity()})
            if store.find(spec) is None:
                new[spec.key] = dataset
        sizes = [dataset.stored_bytes() for dataset in new.values()]
    except TgapError as error:
        return [str(error)]
    total, free = sum(size or 0 for size in sizes), free_bytes(store.root)
    text = (
        f"the decoded images of {', '.join(repr(each.title()) for each in new.values())} take "
        f"about {total / GB:.1f} GB in {store.root}, once for all runs (twice that while broken "
        f"images are left out); {free / GB:.1f} GB are free"
    )
    if total * MARGIN > free:
        return [
            f"{text}: too little; set TGAP_HOME to a folder on a larger disk, free some space, or "
            "choose a smaller dataset.size"
        ]
    if total > WORTH_TELLING:
        log.info("%s", text)
    return []
