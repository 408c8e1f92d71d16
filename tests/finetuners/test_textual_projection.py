import numpy as np
import pytest
import torch

from tests.contracts.small_pipelines import write_3
from tests.contracts.toy_models import ToyModel, toy_images
from tests.generators.few_steps import PROMPTS, random_images, started, tuned
from tgap.core import Budget, DataError, Sampler
from tgap.finetuners.textual_projection import TextualProjection
from tgap.finetuners.training.loop import Training
from tgap.generators.base import Networks
from tgap.generators.stable_diffusion_3 import StableDiffusion3


def begun(model):
    return started(TextualProjection(), model, random_images())


def predicted(model, projection=None):
    draw = torch.Generator().manual_seed(0)
    latents, times = torch.randn(2, 4, 4, 4, generator=draw), torch.tensor([100, 900])
    with torch.no_grad():
        said = model.condition(PROMPTS)
        if projection is not None:
            said = {name: states @ projection.T for name, states in said.items()}
        return model.predict(latents, times, said)


def test_one_matrix_is_trained_and_it_starts_as_the_identity(model):
    trained = [p for p in begun(model).denoiser.parameters() if p.requires_grad]
    assert [tuple(p.shape) for p in trained] == [(16, 16)]
    torch.testing.assert_close(predicted(begun(model)), predicted(model), atol=0, rtol=0)


def test_the_optimizer_gets_the_shared_matrix_once(model):
    rng = np.random.default_rng(0)
    training = Training(
        TextualProjection(),
        begun(model),
        random_images(),
        None,
        Budget(),
        rng.spawn(2),
        rng,
        lambda step, values: None,
    )
    assert len(training.parameters) == 1


def test_what_is_handed_on_reads_projected_vectors_with_ordinary_layers(model):
    trained = begun(model)
    (change,) = (p for p in trained.denoiser.parameters() if p.requires_grad)
    with torch.no_grad():
        change.copy_(torch.randn(16, 16, generator=torch.Generator().manual_seed(1)))
    expected = predicted(model, torch.eye(16) + change.detach())
    during = predicted(trained)
    finished = TextualProjection()._finished(trained)
    torch.testing.assert_close(during, expected)
    torch.testing.assert_close(predicted(finished), expected)
    assert finished.denoiser.state_dict().keys() == model.denoiser.state_dict().keys()
    assert not any(p.requires_grad for p in finished.denoiser.parameters())
    assert not torch.allclose(expected, predicted(model))


def test_weight_decay_draws_to_the_identity(model):
    def change(decay):
        after = tuned(TextualProjection(weight_decay=decay), model, steps=5)
        name = "mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight"
        return (after.denoiser.state_dict()[name] - model.denoiser.state_dict()[name]).norm()

    assert 0 < change(3.0) < change(0.0)


def test_stable_diffusion_3_reads_texts_by_its_context_embedder(tmp_path):
    write_3(tmp_path)
    base = StableDiffusion3(path=str(tmp_path), device="cpu").load()
    after = tuned(TextualProjection(), base, steps=2)
    given, now = (m.denoiser.state_dict() for m in (base, after))
    assert {k for k in given if not torch.equal(given[k], now[k])} == {"context_embedder.weight"}
    drawn = after.sample(PROMPTS, [1, 2], Sampler(scheduler="flow_euler", steps=2))
    assert drawn.shape == (2, 16, 16, 3)


def test_a_denoiser_without_cross_attention_is_refused():
    (problem,) = TextualProjection().check_networks(Networks({"conv_in.weight": (4, 4, 3, 3)}))
    assert "needs a denoiser with cross-attention to texts, and this generator's" in problem
    assert TextualProjection().check_networks(Networks()) == []
    with pytest.raises(DataError, match=r"needs a denoiser with cross-attention .* ToyUNet has"):
        started(TextualProjection(), ToyModel(), toy_images(2))
