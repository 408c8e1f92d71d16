"""An interrupted tuning goes on bit by bit as if it had not been, whatever the settings."""

import numpy as np
import pytest
import torch

from tests.contracts.interrupting import interrupted
from tests.contracts.toy_models import ToyModel, toy_images, weights_of
from tgap.core import Budget, TgapError
from tgap.finetuners.dreambooth import Dreambooth
from tgap.finetuners.oracles.quantile import Quantile
from tgap.finetuners.oracles.random_skip import RandomSkip
from tgap.finetuners.oracles.scores.loss import Loss

IMAGES, PRIOR = toy_images(19), toy_images(7, ("ccc",), seed=1)

SETTINGS = {
    "prior": {"prior_weight": 0.3, "prior_share": 0.5},
    "average": {"ema": 0.9},
    "text encoder": {"text_encoder": True},
    "parts": {"accumulation": 3, "min_snr": 5.0},
    "half precision": {"precision": "float16"},
    "oracle": {"oracle": Quantile(score=Loss(), unit="batch", keep=0.5)},
    "all": {
        "prior_weight": 0.3,
        "ema": 0.5,
        "text_encoder": True,
        "oracle": RandomSkip(keep=0.4, warmup=0.2),
    },
}


def tuned(settings, limit="steps", checkpoint=None):
    finetuner = Dreambooth(**{"prior_weight": 0.0, **settings})
    prior, told = PRIOR if finetuner.prior_images() else None, []
    budget = Budget(steps=25, batch_size=4, limit=limit)

    def log(step, values):
        values.pop("oracle_seconds")
        told.append((step, list(values.items())))

    model = finetuner.finetune(
        ToyModel(), IMAGES, prior, budget, np.random.default_rng(0), log, checkpoint
    )
    return weights_of(model), model.text_encoders[0].scale.detach(), told


@pytest.mark.parametrize("limit", ["steps", "work"])
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_it_goes_on_as_if_it_had_not_been_interrupted(settings, limit):
    expected = tuned(settings, limit)
    got = interrupted(lambda checkpoint: tuned(settings, limit, checkpoint), 3, 11)
    assert torch.equal(expected[0], got[0])
    assert torch.equal(expected[1], got[1])
    assert expected[2] == got[2]


def test_what_diverged_before_it_was_saved_is_told():
    """Losses are read every tenth step, and before each saving."""

    def tune(checkpoint):
        broken = ToyModel()
        broken.denoiser.mix.weight.data[:] = float("nan")
        budget, rng = Budget(steps=20, batch_size=4), np.random.default_rng(0)
        Dreambooth(prior_weight=0.0).finetune(
            broken, IMAGES, None, budget, rng, checkpoint=checkpoint
        )

    with pytest.raises(TgapError, match="diverged: at step 1 "):
        interrupted(tune, 2)
