"""What tgap composes by parts is what Hydra composes as a whole, and is composed once."""

from pathlib import Path

import pytest
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from tgap.composition import compose
from tgap.composition.compose import build_run, compose_run, hydra_ready
from tgap.core import ConfigError

LINES = [
    "size=5 size=6",
    "size=5 ++size=6",
    "++size=6 size=5",
    "prompts.wordings={odd:uneven} ~prompts.wordings.odd",
    "budget.steps=9 ++budget={steps:3}",
    "selector.name=y selector={name:x}",
    "evaluators.memorization.name=a ~evaluators.memorization",
    "selector.cluster.n_clusters=3 selector=clip_spectral selector/pick=closest",
    "prompts.wordings={odd:uneven} prompts.wordings.even=whole",
    "external.b.domain=x +dataset@external.b=digits",
    "+evaluator@evaluators.more=augmentation evaluators.more.real=[1,2]",
    "~evaluator@evaluators.memorization evaluators.two_way={margin:0.1}",
    "sampler={steps:3} sampler.guidance=2",
    "size=${seed} seed=7",
    "finetuner.targets=[a,b] finetuner=dreambooth_lora",
    "profile=xray generator=stable_diffusion generator.path=null generator.revision=null "
    "dataset=digits budget.steps=3",
]


@pytest.mark.parametrize("line", LINES)
def test_values_put_onto_choices_give_what_hydra_composes(line: str) -> None:
    words = line.split()
    with hydra_ready() as hydra:
        assert compose_run(hydra, words) == build_run(compose._composed_by_hydra(hydra, words))


@pytest.mark.parametrize(("first", "second"), [("size=7", "+nothing=1"), ("size=abc", "size=8")])
def test_a_mistake_leaves_nothing_behind(first: str, second: str) -> None:
    with hydra_ready() as hydra:
        for word in (first, second):
            try:
                compose_run(hydra, [word])
            except ConfigError:
                continue
        assert compose_run(hydra, []).size == 500


def test_runs_that_differ_in_values_only_are_composed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    composed = []
    by_hydra = compose._composed_by_hydra
    monkeypatch.setattr(
        compose, "_composed_by_hydra", lambda hydra, o: composed.append(o) or by_hydra(hydra, o)
    )
    with hydra_ready() as hydra:
        sizes = [compose_run(hydra, ["selector=whole", f"size={n}"]).size for n in (1, 2, 3)]
        compose_run(hydra, ["selector=random", "size=4"])
    assert sizes == [1, 2, 3]
    assert composed == [("selector=whole",), ("selector=random",)]


def test_values_of_one_run_are_not_those_of_the_next() -> None:
    with hydra_ready() as hydra:
        first = compose_run(hydra, ["budget.steps=9", "evaluators.two_way.resamples=200"])
        assert first.budget.steps == 9
        fresh = build_run(compose._composed_by_hydra(hydra, []))
        assert compose_run(hydra, []) == fresh
        assert compose_run(hydra, ["size=4", "~evaluators.baselines"]).budget == fresh.budget
        assert compose_run(hydra, ["seed=3"]).evaluators == fresh.evaluators


PAIRS = [
    ("size=5 seed=1", "size=5 seed=2"),
    ("size=5 size=6", "size=7 size=6"),
    ("budget.steps=9 budget.batch_size=8", "budget.steps=7 budget.batch_size=8"),
    ("sampler.steps=3 sampler={guidance:2}", "sampler.steps=4 sampler={guidance:2}"),
    ("sampler={steps:3} size=4", "sampler={guidance:2} size=4"),
    ("prompts.wordings={odd:uneven}", "prompts.wordings={even:whole}"),
    ("+prompts.wordings.odd=uneven", "+prompts.wordings.odd=whole"),
    ("~evaluators.baselines size=4", "~evaluators.baselines size=5"),
    ("size=${seed} seed=7", "size=${seed} seed=8"),
    ("size=3 seed=7", "size=${seed} seed=7"),
    ("test_size=null seed=1", "test_size=9 seed=1"),
    ("evaluators.baselines.shuffled=true size=4", "evaluators.baselines.shuffled=false size=4"),
]


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_a_run_that_differs_in_values_is_what_hydra_composes(first: str, second: str) -> None:
    with hydra_ready() as hydra:
        for line in (first, second, first):
            words = line.split()
            assert compose_run(hydra, words) == build_run(compose._composed_by_hydra(hydra, words))


def test_what_refers_to_a_value_reads_that_of_its_own_run(tmp_path: Path) -> None:
    (tmp_path / "selector").mkdir()
    preset = "_target_: tgap.selectors.random.Random\nname: of seed ${seed}\n"
    (tmp_path / "selector" / "mine.yaml").write_text(preset)
    with hydra_ready(str(tmp_path)) as hydra:
        runs = [compose_run(hydra, ["selector=mine", f"seed={seed}"]) for seed in (1, 2)]
    assert [run.selector.title() for run in runs] == ["of seed 1", "of seed 2"]


def test_hydras_state_is_put_back_and_schemas_of_plugins_stay() -> None:
    with hydra_ready():
        pass
    store, hydra = ConfigStore.instance(), GlobalHydra.instance()
    launchers = sorted(store.repo["hydra"]["launcher"])
    assert {"joblib.yaml", "ray.yaml", "submitit_slurm.yaml"} <= set(launchers)
    before = {*store.repo, "theirs.yaml"}
    store.store("theirs", {"a": 1})
    OmegaConf.register_new_resolver("theirs", lambda: 1)
    try:
        with hydra_ready():
            assert hydra.is_initialized()
            assert "selector" in store.repo
            store.store("ours", {"a": 1})
            OmegaConf.register_new_resolver("ours", lambda: 2)
        assert sorted(ConfigStore.instance().repo["hydra"]["launcher"]) == launchers
        assert "theirs.yaml" in ConfigStore.instance().repo
        assert ConfigStore.instance().repo.keys() == before
        assert not GlobalHydra.instance().is_initialized()
        assert OmegaConf.has_resolver("theirs")
        assert not OmegaConf.has_resolver("ours")
    finally:
        del ConfigStore.instance().repo["theirs.yaml"]
        OmegaConf.clear_resolver("theirs")
