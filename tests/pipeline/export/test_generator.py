"""A tuned generator in plain diffusers, and its classifiers in plain libraries."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.pipeline.export.conftest import Made, changed
from tgap.classifiers.chexnet import Chexnet
from tgap.classifiers.timm import Timm
from tgap.core import DataError, Sampler, StoreError, rng_for
from tgap.core.randomised import setting_of
from tgap.generators.stable_diffusion import StableDiffusion
from tgap.pipeline.evidence import RunEvidence
from tgap.pipeline.export.image_folder import described_set
from tgap.pipeline.result import Result

FORMS = {
    "dreambooth": "unet",
    "dreambooth_lora": "pytorch_lora_weights.safetensors",
    "textual_inversion": "words",
}
LEARNS = (
    "sampler.scheduler=ddim sampler.steps=4 budget.learning_rate=0.004 budget.steps=4 "
    "budget.train_per_label=24 budget.test_per_label=12"
).split()
"""So much that it shows in an image."""


@pytest.mark.parametrize("finetuner", FORMS)
def test_plain_diffusers_draws_the_same_image_from_the_same_seed(
    made: Made, alone: Callable[..., str], tmp_path: Path, finetuner: str
) -> None:
    result = made(f"finetuner={finetuner}", *LEARNS)
    (folder,) = result.export(tmp_path / "out", ["generator"])
    assert (folder / FORMS[finetuner]).exists()
    alone(folder / "draw.py", str(tmp_path / "drawn.png"))
    rows = described_set(result)
    asked = [rows.known["prompt"][0]], [rows.known["seed"][0]], result.run.sampler
    ours, base = (g.load().sample(*asked)[0, ..., 0] for g in (result.generator(), untuned(result)))
    drawn = np.array(Image.open(tmp_path / "drawn.png"))
    np.testing.assert_array_equal(drawn, ours)
    assert np.abs(drawn.astype(int) - base).max() > 1


def test_the_example_has_the_first_images_setting_and_says_what_diffusers_lacks(
    ran: Result, tmp_path: Path
) -> None:
    ranges = Sampler(steps=2, steps_high=40, guidance=2, guidance_high=9)
    (folder,) = changed(ran, sampler=ranges).export(tmp_path / "ranges", ["generator"])
    own = setting_of(ranges, described_set(ran).known["seed"][0])
    script = (folder / "draw.py").read_text("utf-8")
    assert f"num_inference_steps={own.steps},\n    guidance_scale={own.guidance}," in script
    assert "draws the first image of the synthetic set" in (folder / "README.md").read_text("utf-8")
    guided = changed(ran, sampler=Sampler(guide="dropout", guided_to=0.5))
    (folder,) = guided.export(tmp_path / "guided", ["generator"])
    told = (
        "It is not the first image of the synthetic set, which was drawn otherwise (dpm_solver, "
        "20 steps, guidance 3 away from dropout, guided from 0 to 0.5 of the noise levels)"
    )
    assert told in (folder / "README.md").read_text("utf-8")


def untuned(result: Result) -> StableDiffusion:
    assert isinstance(result.run.pretrained, StableDiffusion)
    return result.run.pretrained


@pytest.mark.parametrize("finetuner", FORMS)
def test_tgap_takes_it_as_a_generator(made: Made, tmp_path: Path, finetuner: str) -> None:
    result = made(f"finetuner={finetuner}", *LEARNS)
    (folder,) = result.export(tmp_path / "out", ["generator"])
    whole = (folder / "model_index.json").exists()
    setting = {"path": str(folder)} if whole else {"adapters": [str(folder)]}
    again = StableDiffusion(packaged="tiny_ldm", **setting)
    assert again.check() + again.check_weights() == []
    rows = described_set(result)
    asked = [rows.known["prompt"][0]], [rows.known["seed"][0]], result.run.sampler
    images = [generator.load().sample(*asked) for generator in (again, result.generator())]
    np.testing.assert_array_equal(*images)


def test_a_run_without_a_tuned_generator_says_so(made: Made, ran: Result, tmp_path: Path) -> None:
    result = made("finetuner=none", "-finetuner.prior_count")
    with pytest.raises(DataError, match="no tuned generator: its method is 'none'; leave"):
        result.export(tmp_path / "out", ["generator"])
    assert [folder.name for folder in result.export(tmp_path / "all")] == [
        "synthetic",
        "classifier",
    ]
    card = (tmp_path / "all" / "synthetic" / "README.md").read_text()
    assert "Nothing was tuned, so there are no tuning images" in card
    gone = dataclasses.replace(ran, artifacts=dataclasses.replace(ran.artifacts, generator=None))
    with pytest.raises(
        StoreError, match="the run's tuned generator is not in the store: it was removed"
    ):
        gone.export(tmp_path / "gone", ["generator"])
    assert not (tmp_path / "gone").exists()


@pytest.mark.parametrize(
    "classifier",
    [
        Timm(model="resnet18", image_size=48, epochs=1, device="cpu"),
        Timm(model="mobilenetv3_small_050", epochs=1, device="cpu"),
        Chexnet(weights=None, epochs=1, device="cpu"),
    ],
    ids=["timm", "timm_with_a_head", "torchvision"],
)
def test_a_librarys_network_scores_as_tgap_does(
    ran: Result,
    alone: Callable[..., str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    classifier: Timm | Chexnet,
) -> None:
    train, test = ran.synthetic()
    rows = np.r_[:10, len(train) - 10 : len(train)]
    fitted = classifier.fit(train.take(rows), rng_for("classify", 0))
    monkeypatch.setattr(RunEvidence, "fitted", lambda self, side: fitted)
    result = changed(ran, classifier=classifier)
    (folder,) = result.export(tmp_path / "out", ["classifier"])
    Image.fromarray(test.images[0, ..., 0]).save(tmp_path / "x.png")
    ours = 1 / (1 + np.exp(-classifier.score(fitted, test.images[:1])[0]))
    shown = alone(folder / "classify.py", str(tmp_path / "x.png"), "real").split()
    assert shown[::2] == ["even:", "odd:"]
    np.testing.assert_allclose(list(map(float, shown[1::2])), ours, atol=2e-4)


def test_tgaps_own_network_is_loaded_by_tgap(ran: Result, tmp_path: Path) -> None:
    import tgap

    (folder,) = ran.export(tmp_path / "out", ["classifier"])
    _, test = ran.synthetic()
    for side in ("synthetic", "real"):
        logits = ran.run.classifier.score(RunEvidence(ran).fitted(side), test.images)
        got = tgap.load_classifier(folder, side)(test.images)
        np.testing.assert_allclose(got, 1 / (1 + np.exp(-logits.astype(float))), atol=1e-6)
    with pytest.raises(DataError, match="trained_on must be one of synthetic, real, got 'x'"):
        tgap.load_classifier(folder, "x")
    with pytest.raises(DataError, match="holds no classifier of tgap export"):
        tgap.load_classifier(tmp_path, "real")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"library": "timm"}))
    with pytest.raises(DataError, match=r"a network of timm: classify\.py in it loads it"):
        tgap.load_classifier(folder, "real")
