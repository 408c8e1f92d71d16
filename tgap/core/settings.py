"""Run-level settings that the pipeline hands to components as call arguments.

They are not fields of components, so that a profile can set them whatever component is chosen.
"""

import re
from dataclasses import dataclass

from tgap.core.component import Checked, option

SCHEDULERS_OF_DIFFUSION = ("ddim", "ddpm", "dpm_solver", "euler", "pndm")
SCHEDULERS = (*SCHEDULERS_OF_DIFFUSION, "flow_euler")
LIMITS = ("steps", "work")
LARGEST_SEED = 2**53
"""Larger whole numbers are not kept by every reader of JSON."""
HIGHEST_RATE = 1.0
"""Of learning rates: no network learns anything above."""


@dataclass(kw_only=True)
class Budget(Checked):
    """How much work a run does; compared methods share it.

    Args:
        limit: What ends fine-tuning: ``steps`` optimizer steps, or the ``work`` that as many steps
            are without an oracle, counted in denoiser passes of single images, those that the
            oracle asks for included. Training on an image counts as three, whatever is trained:
            where the denoiser's own weights are not (LoRA, words), its backward pass costs less.
        equal: Of a label that one side has fewer than ``train_per_label`` of, the other trains on
            no more: else TSTR and TRTR would differ by what more images teach.
    """

    steps: int = option(300, "optimizer steps of fine-tuning", low=1, high=10**8)
    limit: str = option("steps", "what ends fine-tuning: steps, or their work", choices=LIMITS)
    batch_size: int = option(32, "tuning images per optimizer step", low=1, high=10**5)
    learning_rate: float = option(
        1e-3, "peak learning rate of fine-tuning", above=0, high=HIGHEST_RATE
    )
    train_per_label: int = option(500, "images per label that train each classifier", low=2)
    test_per_label: int = option(250, "further synthetic images per label for testing", low=1)
    equal: bool = option(True, "both classifiers train on equal numbers of each label")


@dataclass(kw_only=True)
class Sampler(Checked):
    """How images are drawn from a generator.

    Guidance trades variation for fidelity (classifier-free guidance, Ho & Salimans 2022,
    arXiv 2207.12598), so it moves TRTS up and TSTR down: every table names it. 1 is off.
    """

    scheduler: str = option("dpm_solver", "diffusers scheduler", choices=SCHEDULERS)
    steps: int = option(20, "denoising steps", low=1, high=1000)
    guidance: float = option(3.0, "classifier-free guidance scale, 1 = off", low=1, high=100)
    batch_size: int = option(128, "images drawn at once", low=1, high=1_000_000, in_key=False)


KEPT_WEIGHTS = ("float32", "float16", "bfloat16")


@dataclass(kw_only=True)
class Storage(Checked):
    """How large it is what a run keeps.

    Where synthetic images are kept smaller than they are drawn, real ones are reduced to the same
    size wherever the two meet (classifiers, evaluators); tuning sees real images as they are.
    """

    image_size: int | None = option(
        None, "height and width that synthetic images are kept at, null = as drawn", low=8
    )
    weights: str = option("float32", "precision of tuned models", choices=KEPT_WEIGHTS)


@dataclass(kw_only=True)
class ClipWeights(Checked):
    """The CLIP model of every embedder ``clip`` that is not told another: see there."""

    model: str = option("tiny", "tiny, open_clip's name, hf-hub:ID or local-dir:FOLDER")
    pretrained: str | None = option(None, "tag or file of weights, for open_clip's names")


@dataclass(kw_only=True)
class Splitting(Checked):
    """How large the three sets are, in images, and which draw they are.

    Sizes that are not set are the protocol's: with ``clean``, 60 % (pool), 20 % (train) and 20 %
    (test) of the dataset, or all of an official test set.
    """

    pool_size: int | None = option(None, "images in the pool, null = the protocol's share", low=1)
    train_size: int | None = option(None, "images in real_train, null = the protocol's", low=1)
    test_size: int | None = option(None, "images in real_test, null = the protocol's", low=1)
    split_seed: int = option(
        0, "draw of the split, apart from the run's seed", low=0, high=LARGEST_SEED
    )


@dataclass(kw_only=True)
class Seeds(Checked):
    """Overrides of single seed scopes; ``null`` follows the run's seed."""

    select: int | None = option(None, "tuning draw", low=0, high=LARGEST_SEED)
    finetune: int | None = option(None, "fine-tuning", low=0, high=LARGEST_SEED)
    generate: int | None = option(None, "noise of the synthetic images", low=0, high=LARGEST_SEED)
    classify: int | None = option(
        None, "classifier initialisation and draws", low=0, high=LARGEST_SEED
    )
    evaluate: int | None = option(None, "resampling and baselines", low=0, high=LARGEST_SEED)


EXPERIMENT = re.compile(r"[^\W_](?:[\w .:-]{0,198}[\w.:-])?")


@dataclass(kw_only=True)
class Tracking(Checked):
    """Where a run's numbers go, beside the store."""

    experiment: str = option("tgap", "MLflow experiment", in_key=False)
    pictures: bool = option(True, "log sample grids and ROC curves", in_key=False)
    report: bool = option(True, "write a page about the runs at the end", in_key=False)

    def problems(self) -> list[str]:
        """A name that MLflow, a file or a command could not hold."""
        if EXPERIMENT.fullmatch(self.experiment):
            return []
        return [
            "experiment must be a name of letters, digits, spaces and . _ : - that begins with a "
            f"letter or digit and has 200 characters at most, got '{self.experiment}'"
        ]
