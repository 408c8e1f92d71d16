"""Run-level settings that the pipeline hands to components as call arguments.

They are not fields of components, so that a profile can set them whatever component is chosen.
"""

import dataclasses
import re
from dataclasses import dataclass
from typing import Any

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


GUIDES = ("empty", "untuned", "early", "dropout")
OTHER_MODELS = ("untuned", "early")
"""Guides that are another model than the one that draws."""
RANGES = {"guidance": "guidance_high", "steps": "steps_high", "guided_from": "guided_to"}
"""A sampler's ranges: the names of their ends."""
BEYOND_GUIDANCE = (*RANGES.values(), "guided_from", "schedulers", "guide", "dropout")
"""A sampler's options beyond scheduler, steps and guidance."""


@dataclass(kw_only=True)
class Sampler(Checked):
    """How images are drawn from a generator.

    Guidance trades variation for fidelity (classifier-free guidance, Ho & Salimans 2022,
    arXiv 2207.12598), so it moves TRTS up and TSTR down: every table names it. 1 is off.
    Ranges are drawn for each image by itself, from its noise seed (``tgap.core.randomised``).

    Args:
        guidance_high: Each image's scale is drawn from [``guidance``, this], at 8 levels.
        steps_high: Each image's steps are drawn from ``steps`` to this, 8 numbers at most.
        schedulers: Each image is drawn by one of these, in place of ``scheduler``.
        guided_from: Guidance is on where the share t / T of the schedule's training timesteps is
            between this and ``guided_to``, 0 is the image and 1 noise; elsewhere the prompt's pass
            alone draws (Kynkäänniemi et al. 2024, arXiv 2404.07724, whose interval is one of
            noise levels).
        guide: What a prediction is driven away from. ``empty``: the same model under the empty
            prompt, which is classifier-free guidance. ``untuned``: the generator as it was before
            tuning, under the image's prompt (the contrast of arXiv 2410.14765). ``early``: the
            same after ``early`` of the tuning's steps (Karras et al. 2024, arXiv 2406.02507, whose
            guide is a smaller model that was trained for 1/16 of them). ``dropout``: the same model
            and prompt with channels left out, another weaker version of itself.
        early: Share of ``budget.steps`` that ``guide=early`` is tuned for. It is a tuned model of
            its own in the store, of the same seed, batches and noise.
        dropout: Share of channels that an image's model lacks, the same ones at every step
            ("Dropout's Dream Land", Wellmer & Kwok 2021, arXiv 2109.08342).
    """

    scheduler: str = option("dpm_solver", "diffusers scheduler", choices=SCHEDULERS)
    steps: int = option(20, "denoising steps", low=1, high=1000)
    guidance: float = option(3.0, "classifier-free guidance scale, 1 = off", low=1, high=100)
    batch_size: int = option(128, "images drawn at once", low=1, high=1_000_000, in_key=False)
    guidance_high: float | None = option(
        None, "each image's scale is drawn from guidance to this, null = guidance", low=1, high=100
    )
    steps_high: int | None = option(
        None, "each image's steps are drawn from steps to this, null = steps", low=1, high=1000
    )
    schedulers: list[str] = option([], "each image draws one of these, [] = scheduler")
    guided_from: float = option(
        0.0, "least noise that is guided, as share of the timesteps", low=0, high=1
    )
    guided_to: float = option(
        1.0, "most noise that is guided, as share of the timesteps", low=0, high=1
    )
    guide: str = option("empty", "what guidance leads away from", choices=GUIDES)
    guide_dropout: float = option(
        0.1, "share of channels that guide=dropout lacks, below 1", above=0, high=1
    )
    early: float = option(
        0.125, "share of the tuning steps that guide=early has had, below 1", above=0, high=1
    )
    dropout: float = option(
        0.0, "share of channels left out, an image's own, below 1", low=0, high=1
    )

    def problems(self) -> list[str]:
        """Ranges upside down, schedulers that there are not, nothing left after dropout."""
        problems = [
            f"{high} must be at least {low}={least:g}, got {value:g}"
            for low, high in RANGES.items()
            if (value := getattr(self, high)) is not None and value < (least := getattr(self, low))
        ]
        problems += [
            f"{name} must be below 1, which would leave no channel, got {value:g}"
            for name in ("dropout", "guide_dropout")
            if (value := getattr(self, name)) == 1
        ]
        if self.early == 1:
            problems.append(
                "early must be below 1, got 1: as many steps make the model itself, which guides "
                "nothing"
            )
        if unknown := [name for name in self.schedulers if name not in SCHEDULERS]:
            problems.append(
                f"schedulers must be some of {', '.join(SCHEDULERS)}, got {', '.join(unknown)}"
            )
        if twice := sorted({n for n in self.schedulers if self.schedulers.count(n) > 1}):
            problems.append(f"schedulers must name each once, got {', '.join(twice)} repeatedly")
        return problems

    @property
    def is_randomised(self) -> bool:
        """Whether images have settings of their own."""
        return bool(self.guidance_high or self.steps_high or self.schedulers)

    def every_scheduler(self) -> tuple[str, ...]:
        """What images are drawn by."""
        return tuple(self.schedulers) or (self.scheduler,)

    def guidance_in_words(self) -> str:
        """E.g. ``guidance 3``, ``guidance 1 to 7.5 away from untuned``."""
        high = "" if self.guidance_high is None else f" to {self.guidance_high:g}"
        guide = "" if self.guide == "empty" else f" away from {self.guide}"
        return f"guidance {self.guidance:g}{high}{guide}"

    def in_words(self) -> str:
        """E.g. ``ddim, 20 steps, guidance 3``."""
        steps = str(self.steps) if self.steps_high is None else f"{self.steps} to {self.steps_high}"
        told = [" or ".join(self.every_scheduler()), f"{steps} steps", self.guidance_in_words()]
        if (self.guided_from, self.guided_to) != (0, 1):
            told.append(
                f"guided from {self.guided_from:g} to {self.guided_to:g} of the noise levels"
            )
        if self.dropout:
            told.append(f"dropout {self.dropout:g}")
        return ", ".join(told)

    def further(self) -> dict[str, Any]:
        """What is asked for beyond scheduler, steps and guidance, by the names of the options."""
        asked = {
            f.name: value
            for f in dataclasses.fields(self)
            if f.name in BEYOND_GUIDANCE and (value := getattr(self, f.name)) not in (f.default, [])
        }
        # Which is something only for the guide that it is of.
        of_guide = {"dropout": "guide_dropout", "early": "early"}.get(self.guide)
        return asked | ({of_guide: getattr(self, of_guide)} if of_guide else {})

    def identity(self) -> dict[str, Any]:
        """Without options that are not asked for: what was drawn before they were there counts."""
        plain = {"scheduler": self.scheduler, "steps": self.steps, "guidance": self.guidance}
        return plain | self.further()


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
