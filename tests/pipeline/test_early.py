"""A run does something else while another process makes what it needs next."""

import threading
import time
from pathlib import Path

import tgap
from tgap.core.files import locked
from tgap.pipeline.plan import Plan, plan
from tgap.pipeline.result import Result
from tgap.pipeline.stages import execute
from tgap.store import Store
from tgap.store.artifact import content_digest

WORDS = (
    "sampler.steps=1 prior_sampler.steps=1 budget.steps=1 budget.batch_size=2 size=2 "
    "budget.train_per_label=6 budget.test_per_label=4 classifier.epochs=1 "
    "finetuner.prior_count=4 pool_size=100 train_size=60 test_size=60 "
    "tracking.pictures=false evaluators.two_way.resamples=100 "
    "~evaluators.baselines ~evaluators.fidelity ~evaluators.memorization ~evaluators.occlusion"
).split()


def lock_of(store: Store, planned: Plan) -> Path:
    assert planned.prior is not None
    return store.root / "locks" / f"prior-{planned.prior.key}.lock"


def digests(result: Result) -> dict[str, str]:
    return {
        artifact.stage + artifact.key: content_digest(artifact) for artifact in result.artifacts
    }


def held_until_another_stands(store: Store, planned: Plan) -> threading.Thread:
    """A thread that is at work on the prior images until the real classifier is in the store."""
    begun = threading.Event()

    def hold() -> None:
        with locked(lock_of(store, planned), "prior"):
            begun.set()
            end = time.monotonic() + 60
            while store.find(planned.real_classifier) is None and time.monotonic() < end:
                time.sleep(0.01)

    thread = threading.Thread(target=hold)
    thread.start()
    assert begun.wait(60)
    return thread


def test_the_real_classifier_is_trained_while_prior_images_are_drawn(
    store: Store, tmp_path: Path
) -> None:
    planned = plan(tgap.compose(*WORDS))
    usual = execute(planned, Store(tmp_path / "another"))
    holder = held_until_another_stands(store, planned)
    ended: list[str] = []
    result = execute(planned, store, lambda stage, so_far: ended.append(stage))
    holder.join()
    real, prior = (store.find(spec) for spec in (planned.real_classifier, planned.prior))
    assert real is not None
    assert prior is not None
    made = [path.folder.stat().st_ctime_ns for path in (real, prior)]
    assert made == sorted(made)
    assert digests(result) == digests(usual)
    assert list(result.stages) == list(usual.stages)
    assert list(result.stages) == [stage for stage in ended if stage != "embed"]
    # What was made before its turn counts to its own stage.
    assert result.stages["classify"].seconds >= real.seconds
    assert not any(record.reused for record in result.stages.values())
    assert store.waited < 60


def test_what_needs_more_than_data_is_not_made_early() -> None:
    planned = plan(tgap.compose(*WORDS))
    assert list(planned.early) == ["prior", "real_classifier"]
    assert list(plan(tgap.compose("finetuner=none")).early) == ["real_classifier"]
