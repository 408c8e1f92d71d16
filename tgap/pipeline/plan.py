"""What a run will make: the specification, and so the key, of each of its artifacts.

Keys follow from the configuration alone, so a sweep knows before it starts which runs share what,
and a finished run is recognised without loading anything.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from tgap.composition.config import Run
from tgap.core import Component
from tgap.datasets.base import Dataset
from tgap.generators.base import Generator
from tgap.store import Spec

C = TypeVar("C", bound=Component)
Identity = dict[str, Any]
SCORES: Identity = {"are": "logits"}


@dataclass(frozen=True, kw_only=True)
class DataPlan:
    """Real images, and those made elsewhere: what is read before anything is made."""

    run: Run
    dataset: Spec
    split: Spec
    ready_made: dict[str, Spec]
    external: dict[str, Spec]


@dataclass(frozen=True, kw_only=True)
class Plan(DataPlan):
    """A run and its artifacts, in the order of the stages; ``None`` where there is none.

    Args:
        base: What the untuned generator is: its identity, and the digest of its files.
    """

    base: Identity
    embedding: Spec | None
    selection: Spec | None
    prior: Spec | None
    untuned: Spec | None
    generator: Spec | None
    synthetic: Spec
    synthetic_classifier: Spec
    real_classifier: Spec
    scores: Spec
    external_scores: dict[str, Spec]
    evaluations: dict[str, Spec]
    pictures: Spec | None
    judge: Spec | None = None
    guide: Spec | None = None

    @property
    def result_key(self) -> str:
        """Key of all that a run finds out."""
        parts = [spec.key for _, spec in sorted(self.evaluations.items())]
        return Spec("result", {"parts": [self.scores.key, *parts]}).key

    @property
    def early(self) -> dict[str, Spec]:
        """What needs nothing but data and the untuned generator, by name.

        A run makes it before its turn while another one makes what it needs next.
        """
        # As many real images as a set made elsewhere has: that is known when the set is read.
        real = {} if self.ready_made else {"real_classifier": self.real_classifier}
        return real if self.prior is None else {"prior": self.prior, **real}


def once(ask: Callable[[C], Identity]) -> Callable[[C], Identity]:
    """The same, but equal components are asked only once: one may list 100,000 files for it."""
    answers: list[tuple[C, Identity]] = []

    def answer(component: C) -> Identity:
        for other, identity in answers:
            if other == component:
                return identity
        answers.append((component, ask(component)))
        return answers[-1][1]

    return answer


def base_of(generator: Generator) -> Identity:
    """What an untuned generator is, wherever its files lie."""
    return {"class": generator.identity(), "digest": generator.digest()}


class Identities:
    """What datasets and generators are, each listed and read once however many runs have it."""

    def __init__(self) -> None:
        self.dataset: Callable[[Dataset], Identity] = once(lambda dataset: dataset.identity())
        self.base: Callable[[Generator], Identity] = once(base_of)


def plan_data(run: Run, identities: Identities | None = None) -> DataPlan:
    """Specify what is read: it takes no generator to look at the data."""
    identify = (identities or Identities()).dataset

    def read(source: Dataset) -> Spec:
        return Spec("dataset", {"dataset": identify(source)})

    dataset = read(run.dataset)
    splitting = {"splitting": run.splitting.identity(), "protocol": run.protocol.identity()}
    return DataPlan(
        run=run,
        dataset=dataset,
        split=Spec("split", splitting, {"dataset": dataset.key}),
        ready_made={name: read(other) for name, other in run.generator.ready_made().items()},
        external={name: read(other) for name, other in run.external.items()},
    )


def plan(run: Run, identities: Identities | None = None) -> Plan:
    """Specify every artifact of a run; nothing is computed but digests of files."""
    identities = identities or Identities()
    data = plan_data(run, identities)
    dataset, split = data.dataset, data.split
    base = identities.base(run.generator)
    classifier: Identity = {
        "classifier": run.classifier.identity(),
        "per_label": run.budget.train_per_label,
        "seed": run.seed_of("classify"),
    }
    classifier |= _kept_size(run)
    made = _ready_made(run, data.ready_made["images"], dataset) if data.ready_made else None
    # No method is in it, so all methods of a seed share one real classifier; but how many images
    # a set made elsewhere has is not known before.
    equal = _up(as_many=made) if run.budget.equal else {}
    on_real = Spec("classifier", {**classifier, "side": "real"}, _up(train=split) | equal)
    embedding, selection, prior, untuned, generator, guide = None, None, None, None, None, None
    if run.selects:
        embedding = _embedding(run, dataset, on_real)
        selection = _selection(run, split, embedding)
    if run.finetuner.tunes and selection is not None:
        prior, untuned = _prior(run, base), _untuned(run, base)
        generator = _generator(run, base, selection, prior)
        guide = _generator(run.early_run, base, selection, prior) if run.early_run else None
    # A control draws from the selection itself, and finetuner=none from neither.
    judge = None if made else _judge(run, split, selection)
    source = _up(generator=generator or selection, judge=judge, guide=guide)
    synthetic = made or _synthetic(run, base, source, dataset, split)
    equal = _up(as_many=split) if run.budget.equal else {}
    on_synthetic = Spec(
        "classifier", {**classifier, "side": "synthetic"}, _up(train=synthetic) | equal
    )
    scores = Spec("scores", SCORES, _up(s=on_synthetic, r=on_real, synthetic=synthetic, real=split))
    external_scores = {
        name: Spec("external_scores", SCORES, _up(s=on_synthetic, r=on_real, dataset=other))
        for name, other in data.external.items()
    }
    # Audits compare with the tuning images: another selection is another evaluation, even where
    # the synthetic set is the same.
    tuned_on = data.ready_made.get("tuned_on", selection)
    looked_at = _up(scores=scores, synthetic=synthetic, tuned_on=tuned_on)
    looked_at |= {f"external/{name}": spec.key for name, spec in external_scores.items()}
    pictures = Spec("pictures", {}, _up(scores=scores, synthetic=synthetic))
    return Plan(
        **vars(data),
        base=base,
        embedding=embedding,
        selection=selection,
        prior=prior,
        untuned=untuned,
        generator=generator,
        synthetic=synthetic,
        synthetic_classifier=on_synthetic,
        real_classifier=on_real,
        scores=scores,
        external_scores=external_scores,
        evaluations=_evaluations(run, looked_at),
        pictures=pictures if run.tracking.pictures else None,
        judge=judge,
        guide=guide,
    )


def _evaluations(run: Run, looked_at: Mapping[str, str]) -> dict[str, Spec]:
    seed = run.seed_of("evaluate")
    return {
        name: Spec("evaluation", {"evaluator": evaluator.identity(), "seed": seed}, looked_at)
        for name, evaluator in run.evaluators.items()
    }


def _up(**specs: Spec | None) -> dict[str, str]:
    return {name: spec.key for name, spec in specs.items() if spec is not None}


def _kept_size(run: Run) -> Identity:
    """The size that synthetic images are kept at, and real ones reduced to, if it is set."""
    size = run.storage.image_size
    return {} if size is None else {"image_size": size}


def _embedding(run: Run, dataset: Spec, on_real: Spec) -> Spec | None:
    embedder = run.selector.embedder_used()
    if embedder is None:
        return None
    # Of all images, not of the pool: other splits and pool sizes then share the vectors.
    classifier = on_real if embedder.uses_classifier else None
    upstream = _up(dataset=dataset, classifier=classifier)
    return Spec("embedding", {"embedder": embedder.identity()}, upstream)


def _selection(run: Run, split: Spec, embedding: Spec | None) -> Spec:
    identity = {"selector": run.selector.identity(), "seed": run.seed_of("select")}
    if run.selector.sized:
        identity |= {"size": run.size, "unit": run.unit}
    return Spec("selection", identity, _up(split=split, embedding=embedding))


def _prior(run: Run, base: Identity) -> Spec | None:
    count = run.finetuner.prior_images()
    if count == 0:
        return None
    # Drawn once for all sizes, seeds and selectors: it stands for what the untuned model knows.
    identity = {
        "generator": base,
        "prompts": run.prompts.identity_of("prior"),
        "domain": run.dataset.domain,
        "sampler": run.prior_sampler.identity(),
        "count": count,
    }
    return Spec("prior", identity)


def _untuned(run: Run, base: Identity) -> Spec | None:
    """The untuned model as tuned ones are kept, whose unchanged files they share.

    Only where whole models are kept, in less precision, that is, where their size matters.
    """
    if run.storage.weights == "float32" or run.finetuner.saves_adapter:
        return None
    return Spec("untuned", {"generator": base, "weights": run.storage.weights})


def _generator(run: Run, base: Identity, selection: Spec, prior: Spec | None) -> Spec:
    identity: Identity = {
        "generator": base,
        "finetuner": run.finetuner.identity(),
        # Field by field: how many images are drawn afterwards is no part of a tuned model.
        "budget": {
            "steps": run.budget.steps,
            "limit": run.budget.limit,
            "batch_size": run.budget.batch_size,
            "learning_rate": run.budget.learning_rate,
        },
        "prompts": [run.prompts.identity_of(use) for use in ("tuning", "prior")],
        "domain": run.dataset.domain,
        "seed": run.seed_of("finetune"),
    }
    if run.storage.weights != "float32":
        identity["weights"] = run.storage.weights
    if run.tuning_devices > 1:  # sums of parts are rounded in another way than the sum of all
        identity["devices"] = run.tuning_devices
    return Spec("generator", identity, _up(selection=selection, prior=prior))


def _judge(run: Run, split: Spec, selection: Spec | None) -> Spec | None:
    """What says which drawn images pass: of the reserve, which the selection leaves."""
    judge = run.drawing.judge_used()
    if judge is None:
        return None
    identity: Identity = {
        "judge": judge.identity(),
        "classifier": run.classifier.identity() if judge.learns else None,
        "prompts": run.prompts.identity_of("generation"),
        "domain": run.dataset.domain,
        "seed": run.seed_of("generate"),
    }
    return Spec("judge", identity | _kept_size(run), _up(split=split, selection=selection))


def _synthetic(
    run: Run, base: Identity, source: Mapping[str, str], dataset: Spec, split: Spec
) -> Spec:
    """Of a tuned generator, of a selection that a control draws from, or of neither."""
    identity: Identity = {
        "prompts": run.prompts.identity_of("generation"),
        "domain": run.dataset.domain,
        "sampler": run.sampler.identity(),
        "train_per_label": run.budget.train_per_label,
        "test_per_label": run.budget.test_per_label,
        "seed": run.seed_of("generate"),
    }
    identity |= _kept_size(run)
    if run.tuning_channels is not None:  # a generator of colour, whose images are kept grey again
        identity["channels"] = "the dataset's"
    if "generator" not in source or run.is_control:
        identity["generator"] = base
    if not run.drawing.as_asked:  # plain sets keep the keys that they had before there was a choice
        identity["drawing"] = run.drawing.identity()
    # Labels that occur together, and findings, are taken from images of the pool.
    prompts = run.prompts
    from_pool = prompts.co_occurrence or prompts.names_findings("generation")
    pool = split if from_pool or prompts.columns() else None
    return Spec("synthetic", identity, {**_up(dataset=dataset, pool=pool), **source})


def _ready_made(run: Run, images: Spec, dataset: Spec) -> Spec:
    identity: Identity = {
        "train_per_label": run.budget.train_per_label,
        "seed": run.split_seed,  # there is one set and no other: all seeds divide it alike
        "divided": "by source",
    }
    part, parts = run.generator.part()
    if parts > 1:
        identity["part"] = f"{part} of {parts}"
    identity |= _kept_size(run)
    return Spec("synthetic", identity, _up(dataset=dataset, images=images))
