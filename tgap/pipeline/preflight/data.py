"""Whether runs fit the data, which is read and split for it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tgap.composition.config import Run
from tgap.core.digest import image_digests
from tgap.core.errors import TgapError, nearest
from tgap.core.types import ImageSet
from tgap.pipeline.artifacts import read_images, read_split
from tgap.pipeline.plan import Plan
from tgap.pipeline.result import shared_labels
from tgap.pipeline.stages import prepare
from tgap.store import Artifact, Store


def check_size(run: Run, pool: ImageSet) -> list[str]:
    """Whether the selector can pick as many images of each label from such a pool."""
    if not run.selects or not run.selector.sized:
        return []
    counts = run.selector.candidate_counts(pool.labels, pool.patients)
    problems = []
    for label, asked, available in zip(
        pool.label_names, run.sizes(pool.labels), counts, strict=True
    ):
        most = run.selector.capacity(available)
        if most is not None and asked > most:
            problems.append(
                f"size={run.size} asks for {asked} images of label '{label}', but selector "
                f"'{run.selector.title()}' can pick at most {most} from the pool's {available} "
                f"(dataset={run.dataset.title()}); choose a smaller size, a larger pool_size, or "
                "a selector that repeats images"
            )
        if asked:
            problems += [f"{text} (label '{label}')" for text in run.selector.check(available)]
    return problems


def check_prompts(run: Run, pool: ImageSet) -> list[str]:
    """Whether names with words of their own exist, and the prior is apart from tuning prompts."""
    known = [*pool.label_names, *pool.finding_names]
    problems = [
        f"prompts: no label or finding of dataset '{run.dataset.title()}' is named "
        f"'{name}'{nearest(name, known)}"
        for name in run.prompts.names()
        if name not in known
    ]
    for use in ("tuning", "generation"):
        problems += _same_texts(run, pool.label_names, use)
        if run.prompts.names_findings(use) and not pool.finding_names:
            problems.append(
                f"prompts.{use} names findings, but dataset '{run.dataset.title()}' knows none"
            )
    problems += run.generator.check_prompts(_texts(run, pool.label_names))
    if run.finetuner.prior_images() == 0:
        return problems
    prior = run.prompts.text("prior", run.dataset.domain)
    for name in pool.label_names:
        if run.prompts.text("tuning", run.dataset.domain, name) == prior:
            problems.append(
                f"prompts.prior must differ from the tuning prompts, but equals that of label "
                f"'{name}' ({prior!r}): it would be trained back to the untuned model"
            )
    return problems


def _texts(run: Run, label_names: Sequence[str]) -> list[str]:
    """All prompts that the generator is asked for or tuned on, but for what findings add."""
    domain, uses = run.dataset.domain, ["generation"]
    if run.finetuner.tunes:
        uses.append("tuning")
    texts = [run.prompts.text(use, domain, name) for use in uses for name in label_names]
    return texts + ([run.prompts.text("prior", domain)] if run.finetuner.prior_images() else [])


def _same_texts(run: Run, label_names: Sequence[str], use: str) -> list[str]:
    """Labels that have the same prompt, so that nothing could tell them apart."""
    texts: dict[str, str] = {}
    problems = []
    for name in label_names:
        text = run.prompts.text(use, run.dataset.domain, name)
        if text in texts:
            problems.append(
                f"prompts.{use} must tell labels apart, but is {text!r} for '{texts[text]}' and "
                f"'{name}'"
            )
        texts.setdefault(text, name)
    return problems


def check_shape(run: Run, shape: tuple[int, ...]) -> list[str]:
    """Whether the dataset's images are such as the generator draws: classifiers see both."""
    expected, kept = run.generator.image_shape(), run.storage.image_size
    drawn = shape if expected is None else expected
    if kept is not None and kept > min(drawn[:2]):
        return [
            f"storage.image_size must be at most {min(drawn[:2])}, as images are drawn, got {kept}"
        ]
    if expected is None or fits(shape, expected):
        return []
    return [
        f"images must be {expected} (height, width, channels) for generator "
        f"'{run.generator.title()}', but dataset '{run.dataset.title()}' has {shape}; set the "
        "dataset's size or color, where it has them, or choose another dataset or generator"
    ]


def fits(shape: tuple[int, ...], expected: tuple[int, ...]) -> bool:
    """Whether images have a shape, or are grey and can be repeated to it."""
    return shape == expected or shape == (*expected[:2], 1)


def check_external(its: Plan, pool: "Pool", store: Store) -> list[str]:
    """Whether further test sets have images and labels such as the dataset's."""
    problems = []
    for name, spec in its.external.items():
        artifact = store.find(spec)  # the pool's preparation has made it
        if artifact is None:
            continue
        other = read_images(artifact)
        if not fits(other.images.shape[1:], pool.shape):
            problems.append(
                f"images of external.{name} must be {pool.shape} (height, width, channels) as the "
                f"dataset's, got {other.images.shape[1:]}; set its size and color"
            )
        if spec.key == its.dataset.key:
            problems.append(
                f"external.{name} is the run's own dataset, whose images the classifiers are "
                "trained on; name another"
            )
        if not shared_labels(pool.images.label_names, other.label_names):
            problems.append(
                f"external.{name} must share labels by name with the dataset "
                f"({', '.join(pool.images.label_names)}), got {', '.join(other.label_names)}"
            )
    return problems


def check_ready_made(its: Plan, pool: "Pool", store: Store) -> list[str]:
    """Whether a synthetic set made elsewhere has images and labels such as the dataset's."""
    problems = []
    for name, spec in its.ready_made.items():
        artifact = store.find(spec)  # the pool's preparation has made it
        if artifact is None:
            continue
        made = read_images(artifact)
        if not fits(made.images.shape[1:], pool.shape):
            problems.append(
                f"generator.{name} must have images {pool.shape} (height, width, channels) as the "
                f"dataset's, got {made.images.shape[1:]}; set its size and color"
            )
        if name == "images" and set(made.label_names) != set(pool.images.label_names):
            problems.append(
                f"generator.images must have the dataset's labels by name "
                f"({', '.join(pool.images.label_names)}), got {', '.join(made.label_names)}"
            )
        if name == "tuned_on" and not problems:
            problems += _overlap(its, made, store)
    return problems


def _overlap(its: Plan, tuned_on: ImageSet, store: Store) -> list[str]:
    """Whether tuning images train or test classifiers."""
    dataset, split = store.find(its.dataset), store.find(its.split)
    if dataset is None or split is None:
        return []
    data, sides, tuned = (
        read_images(dataset),
        read_split(split),
        set(image_digests(tuned_on.images)),
    )
    used = np.concatenate([sides.real_train, sides.real_test])
    shared = sum(digest in tuned for digest in image_digests(data.images[used]))
    if shared == 0:
        return []
    return [
        f"{shared} of the {len(tuned_on)} images of generator.tuned_on (--tuning) are among the "
        f"{len(used)} real images that train or test the classifiers; leave them out of the "
        "dataset (--real), or nothing that is found could be trusted"
    ]


@dataclass(frozen=True)
class Pool:
    """What the checks need to know of a pool: all but its pixels, and the images' shape."""

    images: ImageSet
    shape: tuple[int, ...]


def pool_of(run: Run, store: Store, its: Plan) -> Pool | str:
    """The run's pool, or what is wrong with the data."""
    artifacts: dict[str, Artifact] = {}
    try:
        prepare(run, store, its, artifacts)
    except TgapError as error:
        return str(error)
    data, split = read_images(artifacts["dataset"]), read_split(artifacts["split"])
    words = [f"protocol={run.protocol.stem()}", f"split_seed={run.split_seed}"]
    words += [] if run.test_size is None else [f"test_size={run.test_size}"]
    try:
        if problems := run.dataset.check_split(data, split, words):
            return problems[0]
    except TgapError as error:
        return str(error)
    return Pool(data.without_images().take(split.pool), data.images.shape[1:])
