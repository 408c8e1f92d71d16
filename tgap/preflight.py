"""What can be known to go wrong before the first run starts."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tgap.artifacts import read_images, read_split
from tgap.classifiers.base import Classifier
from tgap.component import Component
from tgap.config import Run
from tgap.device import torch_device
from tgap.digest import image_digests
from tgap.disk import check_disk, check_room_for_data, denoiser_numbers
from tgap.embedders.base import Embedder
from tgap.errors import ConfigError, TgapError
from tgap.evaluators.base import Evaluator
from tgap.finetuners.base import Finetuner
from tgap.generators.base import Generator, Pretrained
from tgap.learned import problems_with_learned
from tgap.pipeline import prepare
from tgap.plan import Plan, plan
from tgap.result import shared_labels
from tgap.selectors.base import Selector
from tgap.settings import Budget, Sampler
from tgap.spec import canonical_json
from tgap.store import Artifact, Store
from tgap.suggest import nearest
from tgap.types import ImageSet

USUAL = (859_520_964, 512, 512)
"""Parameters, height and width of Stable Diffusion 1.5."""
FLOP = 803.3e9 / math.prod(USUAL)
"""Of a denoiser's pass per parameter and pixel: Stable Diffusion 1.5's, counted."""
CPU_FLOPS = 5e11
"""What a fast CPU reaches in a denoiser, per second (an estimate)."""
LONGEST = 7
"""Days that a CPU may draw without being asked for by name."""
ANY_SHAPE = (512, 512, 3)
"""Of images, where only the weights are asked about: large enough for every network."""


def check_runs(runs: Sequence[Run], home: Path) -> list[str]:
    """Check runs against the store, the generators' files and the data.

    Files, weights, devices and room for the data come first, all told together. Then each dataset
    is read and split once (into the store, where the runs find it).

    Args:
        runs: Runs whose configurations are sound in themselves.
        home: Folder of the store.

    Returns:
        Problems as sentences, each once; none if all runs can start.
    """
    problems = check_files(runs)
    datasets = [
        each
        for run in runs
        for each in (run.dataset, *run.external.values(), *run.ready_made().values())
    ]
    try:
        store = Store(home / "store")
        problems += store.check_writable() or check_room_for_data(datasets, store)
    except TgapError as error:
        return [*problems, str(error), *check_all_weights(runs)]
    if problems := [*problems, *check_all_weights(runs)]:
        return list(dict.fromkeys(problems))
    checked: dict[str, list[str]] = {}
    pools: dict[str, _Pool | str] = {}
    for run in runs:
        its = plan(run)
        key = "+".join(
            spec.key for spec in (its.split, *its.external.values(), *its.ready_made.values())
        )
        if key not in pools:
            pools[key] = _pool(run, store, its)
        pool = pools[key]
        if isinstance(pool, str):
            problems.append(pool)
            continue
        problems += check_size(run, pool.images)
        problems += check_prompts(run, pool.images)
        problems += check_shape(run, pool.shape)
        problems += check_external(its, pool, store)
        problems += check_ready_made(its, pool, store)
        side = run.storage.image_size
        shape = pool.shape if side is None else (side, side, pool.shape[2])
        asked = canonical_json([shape, run.classifier.identity()])
        if asked not in checked:
            checked[asked] = run.classifier.check(shape)
        problems += checked[asked]
    return list(dict.fromkeys(problems)) or check_disk(
        runs, [plan(run) for run in runs], store, home
    )


def check_parts(parts: Mapping[str, Any]) -> list[str]:
    """What is wrong with the sound parts of a run that is not sound as a whole.

    So that whoever lacks the data learns at once that weights and a GPU are missing too.

    Args:
        parts: Components and settings by their names in ``Run``.
    """
    problems: list[str] = []
    generator = parts.get("generator")
    if isinstance(generator, Generator):
        problems += generator.check()
        if isinstance(generator, Pretrained) and {"budget", "sampler"} <= parts.keys():
            problems += check_work(generator, parts["budget"], parts["sampler"])
    return problems + check_weights(parts)


def check_all_weights(runs: Sequence[Run]) -> list[str]:
    """What the components of runs lack, each asked once."""
    checked: dict[str, list[str]] = {}
    for run in runs:
        parts = {
            name: part for name, part in vars(run).items() if run.selects or name != "selector"
        }
        asked = canonical_json([part.identity() for part in _checking(run).values()])
        if asked not in checked:
            checked[asked] = check_weights(parts)
    return list(dict.fromkeys(text for found in checked.values() for text in found))


def check_weights(parts: Mapping[str, Any]) -> list[str]:
    """What classifier, embedders, evaluators and finetuner lack, before any image is read.

    Args:
        parts: Components and settings by their names in ``Run``.
    """
    problems: list[str] = []
    if isinstance(classifier := parts.get("classifier"), Classifier):
        problems += classifier.check(shape_before(parts))
    others: list[Component | None] = [parts.get("finetuner")]
    if isinstance(selector := parts.get("selector"), Selector):
        others.append(selector.embedder_used())
    others += parts.get("evaluators", {}).values()
    for part in others:
        if isinstance(part, Embedder | Evaluator | Finetuner):
            problems += part.check()
    return list(dict.fromkeys(problems))


def shape_before(parts: Mapping[str, Any]) -> tuple[int, int, int]:
    """Of the images that the classifier will get, as far as settings tell it.

    Args:
        parts: Components and settings by their names in ``Run``.
    """
    storage, generator, dataset = (parts.get(name) for name in ("storage", "generator", "dataset"))
    if (kept := getattr(storage, "image_size", None)) is not None:
        return (kept, kept, 3)
    try:
        drawn = generator.image_shape() if isinstance(generator, Generator) else None
    except TgapError:  # its own check tells
        drawn = None
    if drawn is not None:
        return drawn
    side = getattr(dataset, "image_size", None) or getattr(dataset, "size", None)
    return ANY_SHAPE if side is None else (side, side, 3)


def check_work(generator: Pretrained, budget: Budget, sampler: Sampler) -> list[str]:
    """Whether drawing the synthetic set would take a CPU longer than anybody wants to wait.

    Only if the device is left to chance: whoever sets it may wait. Nothing is loaded for it, and
    torch is imported only where it matters.
    """
    try:
        numbers = denoiser_numbers(generator)
        height, width, _ = generator.image_shape()
    except TgapError:  # its own check tells; it may well be of the usual size
        numbers, height, width = USUAL
    images = 2 * (budget.train_per_label + budget.test_per_label)
    passes = images * sampler.steps * (2 if sampler.guidance > 1 else 1)
    days = passes * numbers * height * width * FLOP / CPU_FLOPS / 86_400
    if days < LONGEST or generator.device != "auto" or torch_device("auto").type != "cpu":
        return []
    return [
        f"there is no CUDA device here, and on a CPU generator '{generator.title()}' would take an "
        f"estimated {days:,.0f} days or more to draw {images:,} images of {height} x {width} in "
        f"{sampler.steps} steps; run it on a machine whose torch sees its GPU (python -c 'import "
        "torch; print(torch.cuda.is_available())'), or set generator.device=cpu (or mps) if you "
        "mean it, with budget.train_per_label, budget.test_per_label and sampler.steps cut down"
    ]


def _checking(run: Run) -> dict[str, Component]:
    """Components that know of themselves what can go wrong."""
    parts: dict[str, Component] = {"classifier": run.classifier}
    embedder = run.selector.embedder_used() if run.selects else None
    if embedder is not None:
        parts["selector.embedder"] = embedder
    if run.finetuner.tunes:
        parts["finetuner"] = run.finetuner
    return parts | {f"evaluators.{name}": part for name, part in run.evaluators.items()}


def check_files(runs: Sequence[Run]) -> list[str]:
    """Problems with the generators' files, looked at without loading them."""
    problems = [problem for run in runs for problem in run.generator.check()]
    for run in runs:
        if isinstance(run.generator, Pretrained):
            problems += check_work(run.generator, run.budget, run.sampler)
    return list(dict.fromkeys(problems)) + check_devices(runs)


def check_devices(runs: Sequence[Run]) -> list[str]:
    """Devices that are named and not there; torch is imported only if one is named."""
    asked = {run.classifier.device for run in runs}
    asked |= {run.generator.device for run in runs if isinstance(run.generator, Pretrained)}
    problems: list[str] = []
    for device in sorted(asked - {"auto", "cpu"}):
        try:
            torch_device(device)
        except ConfigError as error:
            problems += error.problems
    return problems


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


def check_external(its: Plan, pool: "_Pool", store: Store) -> list[str]:
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


def check_ready_made(its: Plan, pool: "_Pool", store: Store) -> list[str]:
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
class _Pool:
    """What the checks need to know of a pool: all but its pixels, and the images' shape."""

    images: ImageSet
    shape: tuple[int, ...]


def _pool(run: Run, store: Store, its: Plan) -> _Pool | str:
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
        if problems := problems_with_learned(run.dataset, data, split, words):
            return problems[0]
    except TgapError as error:
        return str(error)
    return _Pool(data.without_images().take(split.pool), data.images.shape[1:])
