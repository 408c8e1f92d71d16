"""A synthetic set of a run that rejects, from its reserve to its metrics."""

import dataclasses
import logging
import shutil
from pathlib import Path

import numpy as np
import pytest

import tgap
from tests.pipeline.conftest import CUT, store
from tgap.core import ConfigError, DataError
from tgap.drawings.judges.classifier import ClassifierJudge
from tgap.drawings.rejection import Rejection
from tgap.embedders.base import Embedder
from tgap.embedders.classifier import ClassifierFeatures
from tgap.pipeline import stages
from tgap.pipeline.export.image_folder import described_set
from tgap.pipeline.generation import drawn_seeds
from tgap.pipeline.plan import plan
from tgap.pipeline.preflight.runs import check_runs
from tgap.pipeline.result import Result
from tgap.pipeline.stored import stored
from tgap.store import Store
from tgap.sweeps.records import records

__all__ = ["store"]
QUICK = (*CUT, "finetuner.prior_weight=0", "classifier.epochs=6")
REJECTS = ("drawing=rejection",)


def made(store: Store, *words: str, until: str = "generate") -> Result:
    result = Result(plan(tgap.compose(*QUICK, *words)))
    for stage in (stages.prepare, stages.embed, stages.select, stages.finetune, stages.generate):
        stage(result, store)
        if stage.__name__ == until:
            return result
    return result


def test_a_set_that_was_rejected_for_has_its_counts_and_its_costs(store: Store) -> None:
    result = made(store, *REJECTS, "prompts=findings")
    train, test = result.synthetic()
    assert [*train.label_counts().values()] == [60, 60]
    assert [*test.label_counts().values()] == [30, 30]
    cost, (fitting, checking) = result.drawing_cost(), result.reserve()
    drawn = cost["cost/draw_images"]
    assert 180 <= drawn <= 4 * 180
    assert cost["cost/draw_passes"] == drawn * 2  # one step, guided
    assert cost["cost/judge_passes"] == drawn
    assert cost["cost/labelled_real"] == len(fitting) + len(checking)
    names = {f"draw/pass_rate_{n}" for n in (*train.label_names, *train.finding_names)}
    assert names | {"draw/pass_rate", "draw/filled"} <= cost.keys()
    kept = 1 - cost["draw/filled"] / 180
    assert kept <= drawn / 180 * cost["draw/pass_rate"] <= 1.3
    assert {name: result.read_metrics()[name] for name in cost} == cost


def test_a_judge_of_few_labels_counts_those_alone(store: Store) -> None:
    judged = (*REJECTS, "drawing.judge.least_auroc=.5")
    few = made(store, *judged, "drawing.judge.per_label=25")
    fitting, checking = few.reserve()
    assert min(len(fitting), len(checking)) > 50
    assert few.drawing_cost()["cost/labelled_real"] == 4 * 25
    assert few.run.drawing.judge.identity()["per_label"] == 25
    every = plan(tgap.compose(*QUICK, *judged))
    assert "per_label" not in every.run.drawing.judge.identity()
    assert every.judge.key != few.plan.judge.key


def test_plain_sets_keep_their_keys_and_others_have_their_own(store: Store) -> None:
    base = plan(tgap.compose(*CUT))
    assert "drawing" not in base.synthetic.identity
    assert base.judge is None
    other = plan(tgap.compose(*CUT, "drawing=rejection"))
    assert other.synthetic.key != base.synthetic.key
    assert other.generator.key == base.generator.key
    twin = plan(tgap.compose(*CUT, "drawing=rejection", "drawing.keep=random"))
    assert twin.judge.key == other.judge.key
    assert twin.synthetic.key != other.synthetic.key


def test_without_rejecting_the_images_are_those_of_a_plain_set(store: Store) -> None:
    plain = made(store)
    for words in (["drawing.trials=1"], ["drawing.keep_any=1"]):
        result = made(store, *REJECTS, *words)
        for ours, theirs in zip(result.synthetic(), plain.synthetic(), strict=True):
            assert (ours.labels == theirs.labels).all()
            same = (ours.images == theirs.images).reshape(len(ours.images), -1).all(axis=1)
            assert same.all() if "keep_any" in words[0] else same.any()


def test_a_judge_sees_neither_real_train_nor_real_test_nor_tuning_images(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tgap.core import ImageSet

    taken: list[int] = []
    take = ImageSet.take

    def counted(self: ImageSet, rows: np.ndarray) -> ImageSet:
        taken.extend(np.asarray(rows).tolist() if len(self) == 5000 else [])
        return take(self, rows)

    result = Result(plan(tgap.compose(*QUICK, *REJECTS)))
    for stage in (stages.prepare, stages.embed, stages.select):
        stage(result, store)
    monkeypatch.setattr(ImageSet, "take", counted)
    stages._fit_judge(result, store)
    split, selection = result.split(), result.selection()
    assert selection is not None
    others = [split.real_train, split.real_test, split.pool[selection.indices]]
    assert taken
    assert not set(taken) & set(np.concatenate(others).tolist())
    assert set(taken) == set(np.concatenate(result.reserve()).tolist())


def test_an_interrupted_drawing_goes_on_with_the_same_images(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from tgap.core import checkpoint

    words = (*REJECTS, "sampler.batch_size=17")
    whole = made(store, *words)
    folder = whole.artifacts.synthetic.folder
    images, seeds = whole.synthetic_parts()[0].images.copy(), np.load(folder / "seeds.npy")
    shutil.rmtree(folder)
    monkeypatch.setattr(checkpoint, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(checkpoint, "USUAL_SECONDS", 0.0)
    offer, offers = checkpoint.Pieces.offer, []

    def stops(self, done, state):
        self._saved_at = float("-inf")
        offer(self, done, state)
        offers.append(done)
        if len(offers) in (4, 16):  # in the first round, and in a later one
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint.Pieces, "offer", stops)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            made(store, *words)
    caplog.set_level(logging.INFO)
    again = made(store, *words)
    assert "going on with drawing synthetic images" in caplog.text
    assert (again.synthetic_parts()[0].images == images).all()
    assert (np.load(again.artifacts.synthetic.folder / "seeds.npy") == seeds).all()


def test_what_was_drawn_is_found_again(store: Store) -> None:
    result = made(store, *REJECTS)
    again = stored(result.plan, store)
    assert again.drawing_cost() == result.drawing_cost()
    assert again.artifacts.judge.key == result.artifacts.judge.key


def test_a_judge_no_better_than_chance_stops_the_run_before_tuning(store: Store) -> None:
    words = ("drawing=rejection", "drawing.judge.least_auroc=1.0")
    with pytest.raises(DataError, match=r"tells '(odd|even)' with an AUROC of 0\.\d+ on \d+ real"):
        made(store, *words, until="finetune")
    assert not list(store.root.glob("generator/*"))


def test_a_reserve_that_is_empty_is_told(store: Store) -> None:
    with pytest.raises(DataError, match="needs at least 20 images with and without label"):
        made(store, "drawing=rejection", "selector=whole", "pool_size=200", until="finetune")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["generator=noise"], "draws from a model, and generator 'noise' is none"),
        (["drawing.judge.tells=findings"], "drawing.judge.tells must be labels"),
        (["drawing/judge=clip", "drawing/judge/embedder=pixels"], "'pixels' reads no texts"),
        (
            ["drawing/judge=clip", "drawing.judge.tells=findings", "prompts=findings"],
            "drawing.judge.tells must be labels with judge 'clip'",
        ),
        (["drawing.keep=best"], "drawing.keep must be one of passed, random, got 'best'"),
        (["drawing.keep_any=1.5"], "drawing.keep_any must be at most 1, got 1.5"),
        (["drawing.trials=0"], "drawing.trials must be at least 1, got 0"),
    ],
)
def test_what_cannot_be_is_refused(words: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        tgap.compose("drawing=rejection", *words)
    assert said in str(error.value)


def test_methods_are_called_by_their_drawing() -> None:
    from tgap.sweeps.identity import planned

    words = ["drawing=rejection", "drawing.keep=random"]
    jobs = [planned(plan(tgap.compose(*own)), own) for own in ([], words[:1], words)]
    assert [job.row.method for job in jobs] == [
        "random+dreambooth",
        "random+dreambooth+rejection",
        "random+dreambooth+rejection (keep=random)",
    ]
    assert len({job.row.method_key for job in jobs}) == 3
    assert len({str(job.row.settings) for job in jobs}) == 1


def test_an_exported_image_is_drawn_again_by_its_prompt_and_seed(store: Store) -> None:
    result = made(store, *REJECTS, "prompts=findings", "drawing.rule=prop2diff")
    rows, model = described_set(result), result.generator().load()
    plain = {seed for own in drawn_seeds(result.run, result.dataset()) for seed in own}
    further = [at for at, seed in enumerate(rows.known["seed"]) if seed not in plain]
    assert further
    for row in (0, further[0], further[-1]):
        prompt, seed = rows.known["prompt"][row], rows.known["seed"][row]
        again = model.sample([prompt], [seed], result.run.sampler)[0].astype(int)
        assert np.abs(again - rows.data.images[row]).max() <= 1
        shown = [rows.data.finding_names[i] for i in np.flatnonzero(rows.data.findings[row])]
        assert all(name in prompt for name in shown)


def test_data_that_lack_what_a_drawing_needs_are_told_before_the_run(store: Store) -> None:
    with pytest.raises(ConfigError, match=r"prop2diff shares .*prompts 'template' each label has"):
        check_runs([tgap.compose(*QUICK, *REJECTS, "drawing.rule=prop2diff")], store.root.parent)
    with pytest.raises(ConfigError, match="at least 20 images with and without label"):
        check_runs([tgap.compose(*QUICK, *REJECTS, "pool_size=60")], store.root.parent)


def test_other_embedders_of_the_run_may_be_the_classifiers(store: Store) -> None:
    words = ("evaluator/embedder@evaluators.fidelity.embedder=classifier",)
    assert tgap.compose(*REJECTS, *words).drawing.judge_used() is not None


def test_a_judge_by_the_classifier_of_real_train_is_refused() -> None:
    @dataclasses.dataclass(kw_only=True)
    class Crossing(ClassifierJudge):
        embedder: Embedder = dataclasses.field(metadata={"help": "of the other side"})

    run = tgap.compose(*REJECTS)
    crossing = Rejection(judge=Crossing(embedder=ClassifierFeatures()))
    with pytest.raises(ConfigError, match=r"drawing\.judge\.embedder 'classifier' .* no judge may"):
        dataclasses.replace(run, drawing=crossing)


def test_a_whole_run_tells_its_drawing_in_its_metrics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    small = ("pool_size=300", "train_size=100", "test_size=100", "evaluators.two_way.resamples=100")
    result = tgap.run(*QUICK, *small, "drawing=random_rejection")
    assert result.run.method == "random+dreambooth+random_rejection"
    assert result.drawing_cost().items() <= result.metrics.items()
    assert 0 <= result.metrics["tstr/auroc"] <= 1
    (record,) = records(tmp_path / ".tgap")
    assert record.row.method.startswith(f"{result.run.method} (")
    assert record.row.metrics["draw/pass_rate"] == result.metrics["draw/pass_rate"]
