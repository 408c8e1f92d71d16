"""What a run will make: the specification, and so the key, of each of its artifacts.

Keys follow from the configuration alone, so a sweep knows before it starts which runs share what,
and a finished run is recognised without loading anything.
"""

from dataclasses import dataclass

from tgap.config import Run
from tgap.store import Spec


@dataclass(frozen=True)
class Plan:
    """The artifacts of one run, in the order of the stages; ``None`` where there is none."""

    dataset: Spec
    split: Spec
    embedding: Spec | None
    selection: Spec | None
    prior: Spec | None
    tuned: Spec | None
    synthetic: Spec
    synthetic_classifier: Spec
    real_classifier: Spec
    scores: Spec
    external: dict[str, Spec]
    external_scores: dict[str, Spec]
    evaluation: Spec
    pictures: Spec | None


def plan(run: Run) -> Plan:
    """Specify every artifact of a run; nothing is computed but the digest of the generator."""
    dataset = Spec("dataset", {"dataset": run.dataset.identity()})
    splitting = {"splitting": run.splitting.identity(), "protocol": run.protocol.identity()}
    split = Spec("split", splitting, {"dataset": dataset.key})
    base: dict[str, object] = {"class": run.generator.identity(), "digest": run.generator.digest()}
    classifier = {
        "classifier": run.classifier.identity(),
        "per_label": run.budget.train_per_label,
        "seed": run.seed_of("classify"),
        # Grey images are repeated for a generator of colour, and so is what classifiers read.
        "channels": run.generator.image_shape()[2],
    }
    on_real = Spec("classifier", {**classifier, "side": "real"}, _up(train=split))
    embedding, selection, prior, tuned = None, None, None, None
    if run.finetuner.tunes:
        embedding = _embedding(run, dataset, on_real)
        selection = _selection(run, split, embedding)
        prior = _prior(run, base)
        tuned = _tuned(run, base, selection, prior)
    synthetic = _synthetic(run, base, tuned, dataset, split)
    on_synthetic = Spec("classifier", {**classifier, "side": "synthetic"}, _up(train=synthetic))
    scores = Spec("scores", {}, _up(s=on_synthetic, r=on_real, synthetic=synthetic, real=split))
    external = {
        name: Spec("dataset", {"dataset": other.identity()}) for name, other in run.external.items()
    }
    external_scores = {
        name: Spec("external_scores", {}, _up(s=on_synthetic, r=on_real, dataset=other))
        for name, other in external.items()
    }
    further = {f"external/{name}": spec.key for name, spec in external_scores.items()}
    evaluator = {"evaluator": run.evaluator.identity()}
    evaluation = Spec("evaluation", evaluator, _up(scores=scores) | further)
    pictures = None
    if run.tracking.pictures:
        pictures = Spec("pictures", {}, _up(scores=scores, synthetic=synthetic))
    return Plan(
        dataset, split, embedding, selection, prior, tuned, synthetic,
        on_synthetic, on_real, scores, external, external_scores, evaluation, pictures,
    )  # fmt: skip


def _up(**specs: Spec | None) -> dict[str, str]:
    return {name: spec.key for name, spec in specs.items() if spec is not None}


def _embedding(run: Run, dataset: Spec, on_real: Spec) -> Spec | None:
    embedder = run.selector.embedder_used()
    if embedder is None:
        return None
    classifier = on_real if embedder.uses_classifier else None
    upstream = _up(dataset=dataset, classifier=classifier)
    return Spec("embedding", {"embedder": embedder.identity()}, upstream)


def _selection(run: Run, split: Spec, embedding: Spec | None) -> Spec:
    identity = {"selector": run.selector.identity(), "seed": run.seed_of("select")}
    if run.selector.sized:
        identity |= {"size": run.size, "unit": run.unit}
    return Spec("selection", identity, _up(split=split, embedding=embedding))


def _prior(run: Run, base: dict[str, object]) -> Spec | None:
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


def _tuned(run: Run, base: dict[str, object], selection: Spec, prior: Spec | None) -> Spec:
    identity = {
        "generator": base,
        "finetuner": run.finetuner.identity(),
        "budget": {
            "steps": run.budget.steps,
            "batch_size": run.budget.batch_size,
            "learning_rate": run.budget.learning_rate,
        },
        "prompts": [run.prompts.identity_of(use) for use in ("tuning", "prior")],
        "domain": run.dataset.domain,
        "seed": run.seed_of("finetune"),
    }
    return Spec("generator", identity, _up(selection=selection, prior=prior))


def _synthetic(
    run: Run, base: dict[str, object], tuned: Spec | None, dataset: Spec, split: Spec
) -> Spec:
    identity: dict[str, object] = {
        "prompts": run.prompts.identity_of("generation"),
        "domain": run.dataset.domain,
        "sampler": run.sampler.identity(),
        "train_per_label": run.budget.train_per_label,
        "test_per_label": run.budget.test_per_label,
        "seed": run.seed_of("generate"),
    }
    if tuned is None:
        identity["generator"] = base
    # Findings are taken from images of the pool.
    pool = split if run.prompts.names_findings("generation") else None
    return Spec("synthetic", identity, _up(dataset=dataset, generator=tuned, pool=pool))
