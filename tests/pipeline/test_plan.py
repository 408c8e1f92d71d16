"""Keys change with whatever changes a result, and with nothing else."""

import dataclasses

import pytest

import tgap
from tgap.pipeline.plan import plan
from tgap.sweeps.identity import method_label, planned, sweep_key_of


def keys(*overrides: str) -> dict[str, str | None]:
    its = plan(tgap.compose(*overrides))
    names = [f.name for f in dataclasses.fields(its) if f.name not in ("run", "base")]
    specs = {name: getattr(its, name) for name in names}
    for name in ("external", "external_scores", "evaluations", "ready_made"):
        specs |= {f"{name}.{key}": spec for key, spec in specs.pop(name).items()}
    return {name: None if spec is None else spec.key for name, spec in specs.items()}


def changed(*overrides: str, base: tuple[str, ...] = ()) -> set[str]:
    before, after = keys(*base), keys(*base, *overrides)
    return {name for name in before if before[name] != after[name]}


EVALUATIONS = {f"evaluations.{name}" for name in tgap.compose().evaluators}
DOWNSTREAM = {"synthetic", "synthetic_classifier", "scores", "pictures"} | EVALUATIONS


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("size=100", {"selection", "generator"} | DOWNSTREAM),
        ("budget.steps=7", {"generator"} | DOWNSTREAM),
        ("finetuner.prior_weight=0.5", {"generator"} | DOWNSTREAM),
        ("sampler.guidance=2", DOWNSTREAM),
        ("prior_sampler.guidance=2", {"prior", "generator"} | DOWNSTREAM),
        ("seeds.generate=5", DOWNSTREAM),
        ("seeds.finetune=5", {"generator"} | DOWNSTREAM),
        ("seeds.select=5", {"selection", "generator"} | DOWNSTREAM),
        ("dataset.domain=sign", {"prior", "generator"} | DOWNSTREAM),
        ("prompts.prior=letters", {"prior", "generator"} | DOWNSTREAM),
        ("evaluators.two_way.margin=0.1", {"evaluations.two_way"}),
        ("seeds.evaluate=5", EVALUATIONS),
        ("storage.image_size=24", {"real_classifier", "synthetic"} | DOWNSTREAM),
        ("storage.weights=float16", {"untuned", "generator"} | DOWNSTREAM),
        ("sampler.batch_size=3", set()),
        ("classifier.device=cpu", set()),
        ("tracking.experiment=other", set()),
    ],
)
def test_a_setting_changes_the_keys_that_it_must(override: str, expected: set[str]) -> None:
    assert changed(override) == expected


def test_methods_of_one_seed_share_split_noise_and_the_real_classifier() -> None:
    random, spectral = keys("selector=random"), keys("selector=clip_spectral")
    for shared in ("dataset", "split", "prior", "real_classifier"):
        assert random[shared] == spectral[shared]
    assert random["generator"] != spectral["generator"]


def test_the_untuned_generator_is_the_same_at_every_size_and_selector() -> None:
    one = keys("finetuner=none", "size=100")
    assert one == keys("finetuner=none", "size=500", "selector=clip_spectral")
    assert one["generator"] is one["selection"] is None


def test_the_split_does_not_follow_the_runs_seed() -> None:
    assert "split" not in changed("seed=3")
    assert "split" in changed("split_seed=3")


def test_a_generator_counts_by_its_content(tmp_path) -> None:
    import shutil

    from tgap.generators.stable_diffusion import StableDiffusion

    packaged = tgap.compose().generator
    assert isinstance(packaged, StableDiffusion)
    from pathlib import Path

    assets = Path(tgap.__file__).parent / "assets" / "tiny_ldm"
    shutil.copytree(assets, tmp_path / "copy")
    assert changed(f"generator.path={tmp_path / 'copy'}") == set()
    index = tmp_path / "copy" / "model_index.json"
    index.write_text(index.read_text() + "\n")
    assert "generator" in changed(f"generator.path={tmp_path / 'copy'}")


def test_a_sweep_is_its_runs_in_any_order() -> None:
    jobs = [planned(plan(tgap.compose(f"size={size}")), []) for size in (10, 20)]
    assert sweep_key_of(jobs) == sweep_key_of(jobs[::-1]) != sweep_key_of(jobs[:1])
    untuned = [tgap.compose("finetuner=none", f"size={size}") for size in (10, 20)]
    untuned.append(tgap.compose("finetuner=none", "selector=clip_kmeans"))
    assert len({planned(plan(run), []).key for run in untuned}) == 1
    other = planned(plan(tgap.compose("finetuner=none", "seed=1")), []).key
    assert other != planned(plan(untuned[0]), []).key


def test_a_methods_label_names_what_was_changed() -> None:
    words = ["selector=clip_spectral", "selector.cluster.n_clusters=20", "size=10"]
    assert method_label(tgap.compose(*words), words) == "clip_spectral+dreambooth (n_clusters=20)"
    words = ["finetuner=none", "selector=clip_spectral", "selector.cluster.n_clusters=20"]
    assert method_label(tgap.compose(*words), words) == "none"


def test_a_further_test_set_costs_its_scores_and_nothing_else() -> None:
    before, after = keys(), keys("+dataset@external.b=digits", "external.b.domain=x")
    assert {name for name in before if before[name] != after[name]} == EVALUATIONS
    assert set(after) - set(before) == {"external.b", "external_scores.b"}


def test_a_control_draws_from_the_selection_and_tunes_nothing() -> None:
    control, same = keys("generator=held_out_real"), keys("generator=held_out_real", "size=400")
    assert control["generator"] is control["prior"] is None
    assert control["selection"] is not None
    changes = {name for name in control if control[name] != same[name]}
    assert changes == {"selection"} | DOWNSTREAM
    for shared in ("dataset", "split", "real_classifier"):
        assert control[shared] == keys()[shared]
    assert keys("generator=noise")["synthetic"] != control["synthetic"]


def test_a_synthetic_set_made_elsewhere_needs_no_generator(tmp_path) -> None:
    from PIL import Image

    for name in ("odd", "even"):
        (tmp_path / name).mkdir()
        Image.new("L", (32, 32)).save(tmp_path / name / "0.png")
    words = ("generator=ready_made", "generator/images=image_folder")
    made = keys(*words, f"generator.images.path={tmp_path}")
    assert made["selection"] is made["generator"] is made["embedding"] is None
    # How many real images train depends on how many there are of it.
    assert made["real_classifier"] != keys()["real_classifier"]
    unequal = keys(*words, f"generator.images.path={tmp_path}", "budget.equal=false")
    assert unequal["real_classifier"] == keys("budget.equal=false")["real_classifier"]
    known = keys(*words, f"generator.images.path={tmp_path}", "generator/tuned_on=digits")
    assert {name for name in made if made[name] != known[name]} == EVALUATIONS
    assert set(known) - set(made) == {"ready_made.tuned_on"}


def test_methods_of_a_control_are_told_by_its_settings() -> None:
    words = ["generator=copy_with_jitter", "generator.strength=0.5"]
    run = tgap.compose(*words)
    assert run.finetuner.stem() == "none"
    assert method_label(run, words) == "copy_with_jitter (strength=0.5)"
