"""Whether runs fit the data, which is read and split for it."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from tgap.classifiers.base import Classifier
from tgap.composition.config import Run
from tgap.core import ImageSet, Split, TgapError
from tgap.core.digest import image_digests
from tgap.core.files import write_json
from tgap.datasets.base import NOTED, OWN_PATIENTS, WARNED
from tgap.datasets.reading.alike import other_spellings
from tgap.datasets.reading.patients import own_patients
from tgap.pipeline.artifacts import read_images
from tgap.pipeline.evidence import shared_labels, shared_patients
from tgap.pipeline.plan import Plan
from tgap.pipeline.preflight.answers import Answers
from tgap.pipeline.preflight.drawing import check_drawing
from tgap.pipeline.preflight.prompts import (
    check_embeddings,
    check_prompts,
    prompt_advice,
    prompted_by,
)
from tgap.pipeline.preflight.sizes import check_size
from tgap.pipeline.preflight.training import check_training, few_to_train
from tgap.pipeline.preparation import Data, prepared
from tgap.report.dataset.duplicates import SEARCH, SHARE, copies_elsewhere, duplicates_of
from tgap.store import Spec, Store

log = logging.getLogger(__name__)
DUPLICATES = "duplicates.json"


@dataclass(frozen=True)
class Pool:
    """What the checks need to know of a run's data.

    Args:
        data: What was read.
        dataset: All images, without their pixels.
        split: Which of them are pool, real_train and real_test.
        images: The pool's.
        shape: Height, width and channels of an image.
    """

    data: Data
    dataset: ImageSet
    split: Split
    images: ImageSet
    shape: tuple[int, ...]


def check_data(plans: Sequence[Plan], store: Store, *, loading: bool = True) -> list[str]:
    """Read and split what runs are made from, each dataset once, and compare runs with it.

    Args:
        plans: Of the runs.
        store: Where datasets are read into.
        loading: Whether tokenizers and text encoders may be loaded, which takes seconds.
    """
    pools: dict[str, Pool | str] = {}
    advice: list[str] = []
    problems: list[str] = []
    few: dict[tuple[str, int], list[str]] = {}
    seen: list[tuple[Classifier, tuple[int, ...]]] = []
    answers = Answers()
    for plan in plans:
        sources = (plan.split, *plan.external.values(), *plan.ready_made.values())
        key = "+".join(spec.key for spec in sources)
        if key not in pools:
            pools[key] = pool_of(plan, store)
            advice += _leaks(pools[key], store)
        pool = pools[key]
        if isinstance(pool, str):
            problems.append(pool)
            continue
        advice += advice_of(plan.run, pool.dataset) + _read_before(pool)
        parts = (plan.run, pool.dataset, pool.split, _made(pool))
        prompted, found = (key, *prompted_by(plan.run)), list[str]()
        # What is drawn already was asked for by prompts that passed, and to read them again takes
        # libraries that load for longer than all else that is left to do.
        drawn = store.find(plan.synthetic) is not None
        if loading and not drawn:
            found = answers.once(("read", *prompted), partial(check_prompts, plan.run, pool.images))
        found = [*found, *check_pool(plan, pool)] or check_training(*parts)
        # folds and seeds of a sweep differ by an image or so, and are told of once
        training = (plan.dataset.key, plan.run.budget.train_per_label)
        if not found and not few.get(training):
            few[training] = few_to_train(*parts)
        if loading and not found and not drawn:
            found, told = answers.once(
                ("told apart", *prompted), partial(_told_apart, plan.run, pool)
            )
            advice += told
        problems += found
        side = plan.run.storage.image_size
        shape = pool.shape if side is None else (side, side, pool.shape[2])
        seen.append((plan.run.classifier, shape))
    advice += [text for texts in few.values() for text in texts]
    for text in dict.fromkeys(advice):
        log.warning("%s", text)
    for pool in pools.values():
        if isinstance(pool, Pool) and OWN_PATIENTS in pool.dataset.notes:
            log.warning("%s", own_patients(len(pool.dataset)))
    return problems + check_shapes(seen)


def _told_apart(run: Run, pool: Pool) -> tuple[list[str], list[str]]:
    """What its text encoder makes of the labels' prompts: what is wrong, and what may go wrong."""
    return check_embeddings(run, pool.images), prompt_advice(run, pool.images)


def _duplicates(pool: Pool, store: Store) -> list[str]:
    """What is told of nearly equal images on several sides, which are looked for once a split."""

    def make(folder: Path) -> None:
        split = pool.split
        same = duplicates_of(pool.data.images(), (split.pool, split.real_train, split.real_test))
        across = [] if same is None or not same.across else [str(same)]
        write_json(folder / DUPLICATES, across)

    upstream = {"dataset": pool.data.dataset.key, "split": pool.data.split.key}
    spec = Spec("duplicates", {"version": SEARCH}, upstream)
    return [
        f"{same}, so tests may flatter: 'tgap data' names some; if they are one patient's, say "
        "so (dataset.patient_column, dataset.patient_pattern)"
        for same in store.get_or_make(spec, make).read_json(DUPLICATES)
    ]


def _leaks(pool: Pool | str, store: Store) -> list[str]:
    """Patients and nearly equal images that test what was trained or tuned on; only told."""
    if isinstance(pool, str):
        return []
    data, split, told = pool.data.images(), pool.split, _duplicates(pool, store)
    if "tuned_on" not in pool.data.ready_made:
        return told
    tuned_on = read_images(pool.data.ready_made["tuned_on"])
    if tuned_on.images.shape[1:3] != pool.shape[:2]:
        return told
    used = np.concatenate([split.real_train, split.real_test])
    where = f"of the {len(used)} real images that train or test the classifiers"
    if shared := int(shared_patients(data, tuned_on)[used].sum()):
        told.append(
            f"{shared} {where} are of patients whose images the generator was tuned on (--tuning), "
            "by their names: TSTR may flatter; leave these patients out of --real"
        )
    alike = copies_elsewhere(data.images[used], tuned_on.images)
    if alike > SHARE * len(used):
        told.append(
            f"{alike} {where} nearly equal a tuning image (--tuning), perhaps resized, "
            "compressed anew, mirrored or turned: leave them out of --real, or TSTR may flatter"
        )
    return told


def _read_before(pool: Pool) -> list[str]:
    """What was warned of when the images were read, if that was in another run."""
    if not pool.data.dataset.reused:
        return []
    notes = pool.dataset.notes
    seen = [notes[name] for name in NOTED if name in notes]
    return [str(text) for text in (*notes.get(WARNED, []), *seen)]


def _made(pool: Pool) -> ImageSet | None:
    made = pool.data.ready_made.get("images")
    return None if made is None else read_images(made).without_images()


def advice_of(run: Run, images: ImageSet) -> list[str]:
    """What its protocol says of such a dataset, if images are chosen to tune on."""
    return run.protocol.advice(images) if run.selects else []


def check_shapes(pairs: Iterable[tuple[Classifier, tuple[int, ...]]]) -> list[str]:
    """Whether classifiers can take images of a shape; equal questions are asked once.

    To answer, some try their network.
    """
    asked: list[tuple[Classifier, tuple[int, ...]]] = []
    for pair in pairs:
        asked += [pair] if pair not in asked else []
    return [text for classifier, shape in asked for text in classifier.check_images(shape)]


def pool_of(plan: Plan, store: Store) -> Pool | str:
    """A run's pool, or what is wrong with the data."""
    run = plan.run
    words = [f"protocol={run.protocol.stem()}", f"split_seed={run.split_seed}"]
    words += [] if run.test_size is None else [f"test_size={run.test_size}"]
    try:
        data = prepared(plan, store)
        images, split = data.images(), data.sides()
        if problems := run.dataset.check_split(images, split, words):
            return problems[0]
    except TgapError as error:
        return str(error)
    dataset = images.without_images()
    return Pool(data, dataset, split, dataset.take(split.pool), images.images.shape[1:])


def check_pool(plan: Plan, pool: Pool) -> list[str]:
    """What a run asks of its data and cannot have, besides prompts."""
    run = plan.run
    problems = check_size(run, pool.images, pool.dataset)
    problems += check_shape(run, pool.shape)
    problems += check_external(plan, pool)
    problems += check_drawing(run, pool.dataset, pool.split)
    return problems + check_ready_made(pool)


def check_shape(run: Run, shape: tuple[int, ...]) -> list[str]:
    """Whether the dataset's images are such as the generator draws: classifiers see both."""
    expected, kept = run.generator.image_shape(), run.storage.image_size
    drawn = shape if expected is None else expected
    if kept is not None and kept > min(drawn[:2]):
        return [
            f"storage.image_size must be at most {min(drawn[:2])}, as images are drawn, got {kept}"
        ]
    if expected is None or fits(shape, expected):
        return run.generator.check_images(shape)
    return [
        f"images must be {expected} (height, width, channels) for generator "
        f"'{run.generator.title()}', but dataset '{run.dataset.title()}' has {shape}; leave "
        "dataset.size and dataset.color out, or set the generator's size "
        f"(generator.image_size={shape[0]}), where they have them, or choose another dataset or "
        "generator"
    ]


def check_declared_shape(run: Run) -> list[str]:
    """``check_shape`` as far as the dataset's settings tell the shape: nothing is read for it."""
    side, channels = run.dataset.image_side(), run.dataset.channels()
    return [] if side is None or channels is None else check_shape(run, (side, side, channels))


def fits(shape: tuple[int, ...], expected: tuple[int, ...]) -> bool:
    """Whether images have a shape, or are grey and can be repeated to it."""
    return shape == expected or shape == (*expected[:2], 1)


def _other_shape(where: str, others: ImageSet, pool: Pool) -> list[str]:
    shape = others.images.shape[1:]
    if fits(shape, pool.shape):
        return []
    return [
        f"images of {where} must be {pool.shape} (height, width, channels) as the dataset's, got "
        f"{shape}; set its size and color"
    ]


def check_external(plan: Plan, pool: Pool) -> list[str]:
    """Whether further test sets have images and labels such as the dataset's."""
    problems = []
    for name, artifact in pool.data.external.items():
        other = read_images(artifact)
        problems += _other_shape(f"external.{name}", other, pool)
        if artifact.key == plan.dataset.key:
            problems.append(
                f"external.{name} is the run's own dataset, whose images the classifiers are "
                "trained on; name another"
            )
        elsewhere = other_spellings(other.label_names, pool.images.label_names)
        if elsewhere or not shared_labels(pool.images.label_names, other.label_names):
            problems.append(
                f"external.{name} must share labels by name with the dataset "
                f"({', '.join(pool.images.label_names)}), got {', '.join(other.label_names)}"
                f"{elsewhere}"
            )
    return problems


def check_ready_made(pool: Pool) -> list[str]:
    """Whether a synthetic set made elsewhere has images and labels such as the dataset's."""
    problems = []
    for role, artifact in pool.data.ready_made.items():
        made = read_images(artifact)
        problems += _other_shape(f"generator.{role}", made, pool)
        if role == "images" and set(made.label_names) != set(pool.images.label_names):
            problems.append(
                f"generator.images must have the dataset's labels by name "
                f"({', '.join(pool.images.label_names)}), got {', '.join(made.label_names)}"
                f"{other_spellings(made.label_names, pool.images.label_names)}"
                f"{_other_names(made.label_names, pool.images.label_names)}"
            )
        if role == "tuned_on" and not problems:  # pixels of another size could not be equal
            problems += _overlap(pool.data, made)
    return problems


def _other_names(made: Sequence[str], real: Sequence[str]) -> str:
    """What to do about labels of which one side only has images."""
    extra, lacking = sorted(set(made) - set(real)), sorted(set(real) - set(made))
    told = []
    if extra and lacking:
        told.append(
            f"rename {', '.join(extra)} as {', '.join(lacking)}, whichever is meant (folders, or "
            "the table's cells)"
        )
    elif lacking:
        told.append(
            f"synthetic images of {', '.join(lacking)} are lacking: draw some, or leave these "
            "labels out of the dataset (dataset.exclude=[...], or the table's rows)"
        )
    elif extra:
        told.append(
            f"the dataset has no {', '.join(extra)}: leave it out of the synthetic set "
            "(generator.images.exclude=[...], or the table's rows)"
        )
    return "".join(f"; {sentence}" for sentence in told)


def _overlap(data: Data, tuned_on: ImageSet) -> list[str]:
    """Whether tuning images train or test classifiers."""
    split, tuned = data.sides(), set(image_digests(tuned_on.images))
    used = np.concatenate([split.real_train, split.real_test])
    shared = sum(digest in tuned for digest in image_digests(data.images().images[used]))
    if shared == 0:
        return []
    return [
        f"{shared} of the {len(tuned_on)} images of generator.tuned_on (--tuning) are among the "
        f"{len(used)} real images that train or test the classifiers; leave them out of the "
        "dataset (--real), or nothing that is found could be trusted"
    ]
