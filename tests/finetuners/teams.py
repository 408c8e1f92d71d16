"""Trainings of a small model by one process and by teams of several, each process a fork.

    python -m tests.finetuners.teams FOLDER SIZE...

Leaves in ``FOLDER/CASE/SIZE.RANK.npz`` what each process of a team came to.
"""

import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from tests.contracts.toy_models import ToyModel, ToyUNet, toy_images, weights_of
from tgap.core import Budget, Checkpoint
from tgap.core.team import ALONE, Together, current, joined
from tgap.finetuners.dreambooth import Dreambooth
from tgap.finetuners.oracles.quantile import Quantile
from tgap.finetuners.oracles.random_skip import RandomSkip
from tgap.finetuners.oracles.scores.loss import Loss

IMAGES, PRIOR = toy_images(19), toy_images(7, ("ccc",), seed=1)
ORACLE = {"prior_weight": 0.3, "oracle": Quantile(score=Loss(), keep=0.5, warmup=0.2)}
CASES = {
    "prior, average": {"prior_weight": 0.3, "prior_share": 0.2, "ema": 0.9},
    "text encoder, parts": {"text_encoder": True, "accumulation": 2, "min_snr": 5.0},
    "oracle": ORACLE,
    "oracle, interrupted": ORACLE,
    "work": {"oracle": RandomSkip(keep=0.4, warmup=0.2)},
    "dropout": {},
    "dropout again": {},
}
STEPS, STOP = 12, 5


class Stops(Checkpoint):
    """Ends the work after some steps; the first process of a team saves."""

    def offer(self, done, state):
        if done == STOP:
            if current().leads:
                self._save(self._folder, state())
            raise KeyboardInterrupt


class Dropping(ToyUNet):
    """Noise in it depends on how many numbers were drawn before."""

    def forward(self, latents, timesteps, encoder_hidden_states):
        dropped = torch.nn.functional.dropout(latents, 0.3, self.training)
        return super().forward(dropped, timesteps, encoder_hidden_states)


def tuned(case: str, checkpoint: Checkpoint | None = None) -> dict[str, np.ndarray]:
    finetuner, told = Dreambooth(**{"prior_weight": 0.0, **CASES[case]}), []
    budget = Budget(steps=STEPS, batch_size=7, limit="work" if case == "work" else "steps")
    model = ToyModel()
    if case.startswith("dropout"):
        torch.manual_seed(0)
        model = ToyModel(Dropping().requires_grad_(False))

    def log(step: int, values: dict[str, float]) -> None:
        told.append([values["loss"], values["norm"], values["learning_rate"]])

    prior = PRIOR if finetuner.prior_images() else None
    trained = finetuner.finetune(
        model, IMAGES, prior, budget, np.random.default_rng(0), log, checkpoint
    )
    return {
        "weights": weights_of(trained).numpy(),
        "text": trained.text_encoders[0].scale.detach().numpy(),
        "told": np.array(told),
    }


def came_to(case: str, folder: Path) -> dict[str, np.ndarray]:
    if case != "oracle, interrupted":
        return tuned(case)
    try:
        tuned(case, Stops(folder, what="a test"))
    except KeyboardInterrupt:
        current().wait()
        return tuned(case, Checkpoint(folder, what="a test") if current().leads else Reads(folder))
    raise AssertionError("it was not interrupted")


class Reads(Checkpoint):
    def offer(self, done, state):
        pass


def work(rank: int, size: int, meeting: Path, out: Path) -> None:
    team = ALONE if size == 1 else Together(rank, size, meeting, cpu=True)
    with joined(team):
        for case in CASES:
            (out / case).mkdir(parents=True, exist_ok=True)
            np.savez(out / case / f"{size}.{rank}.npz", **came_to(case, out / f"saved by {size}"))


def main(out: Path, sizes: list[int]) -> int:
    failed = 0
    tuned(next(iter(CASES)))  # loads what takes long once, and not in each fork
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            forks = []
            for rank in range(size):
                if not (fork := os.fork()):
                    status = 1
                    try:
                        work(rank, size, Path(folder) / "meeting", out)
                        status = 0
                    finally:
                        sys.stderr.flush()
                        if status:
                            sys.excepthook(*sys.exc_info())
                        os._exit(status)
                forks.append(fork)
            failed += sum(os.waitpid(fork, 0)[1] != 0 for fork in forks)
    return failed


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), [int(word) for word in sys.argv[2:]]))
