"""A composed run, and the checks that need more than one component."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tgap.classifiers.base import Classifier
from tgap.core import Bools, Budget, Component, Sampler, TgapError, option, rng_for
from tgap.core.component import walk
from tgap.core.randomised import guidances
from tgap.core.seeding import seed_for
from tgap.core.settings import (
    LARGEST_SEED,
    OTHER_MODELS,
    ClipWeights,
    Seeds,
    Splitting,
    Storage,
    Tracking,
)
from tgap.datasets.base import Dataset
from tgap.drawings.base import Drawing
from tgap.embedders.base import Embedder
from tgap.evaluators.base import Evaluator
from tgap.finetuners.base import Finetuner
from tgap.generators.base import Generator, Pretrained
from tgap.generators.controls.base import Control
from tgap.prompts.base import Prompts
from tgap.protocols.base import Protocol, sizes_per_label
from tgap.selectors.base import Selector

MOST_DEVICES = 64
"""No machine has more."""


@dataclass(kw_only=True)
class Run(Splitting):
    """One composed configuration: a method at one size and one seed.

    The settings of the split (``split_seed``, ``pool_size``, ...) stand at its top level.

    Args:
        evaluators: By a name of one's own, ``+evaluator@evaluators.augmentation=augmentation``;
            ``~evaluator@evaluators.memorization`` leaves one out.
        size: Tuning images; ``size_unit`` says whether per label or in total.
        external: Further real datasets, by a name of one's own, that TSTR and TRTR are tested on
            too (``+dataset@external.b=image_folder external.b.path=...``).
        prior_sampler: How prior images are drawn; apart from ``sampler``, so that a sweep over
            guidance draws from one and the same tuned model.
        seed: The run's seed, from which every scope but the split draws its own.
        max_minutes: After which the run is stopped and counts as failed; what it has made is kept.
        devices: GPUs of one machine (with ``generator.device=cpu``, processes) that share each step
            of fine-tuning, and the images to draw. Drawn images are the same whatever their number;
            tuned models differ by rounding, so it is part of their key.
    """

    dataset: Dataset
    protocol: Protocol
    selector: Selector
    prompts: Prompts
    generator: Generator
    finetuner: Finetuner
    classifier: Classifier
    drawing: Drawing
    evaluators: dict[str, Evaluator] = field(
        default_factory=dict, metadata={"help": "what looks at what a run made, by name"}
    )
    sampler: Sampler = field(default_factory=Sampler)
    prior_sampler: Sampler = field(default_factory=Sampler)
    budget: Budget = field(default_factory=Budget)
    seeds: Seeds = field(default_factory=Seeds)
    storage: Storage = field(default_factory=Storage)
    clip: ClipWeights = field(default_factory=ClipWeights)
    external: dict[str, Dataset] = field(
        default_factory=dict, metadata={"help": "further real test sets, by name"}
    )
    tracking: Tracking = field(default_factory=Tracking, metadata={"in_key": False})
    size: int = option(500, "tuning images, per label unless size_unit says otherwise", low=1)
    size_unit: str | None = option(
        None, "what size counts: label or total, null = the protocol's", choices=("label", "total")
    )
    seed: int = option(0, "the run's seed", low=0, high=LARGEST_SEED)
    max_minutes: float | None = option(
        None, "a run that takes longer is stopped, null = no limit", above=0, in_key=False
    )
    devices: int = option(
        1, "GPUs that share fine-tuning and drawing", low=1, high=MOST_DEVICES, in_key=False
    )

    def problems(self) -> list[str]:
        """Combinations that cannot work."""
        problems = super().problems()
        if self.finetuner.tunes and not self.generator.tunable:
            problems.append(
                f"finetuner '{self.finetuner.title()}' cannot tune generator "
                f"'{self.generator.title()}'; choose finetuner=none or another generator"
            )
        problems += self._scheduler_problems() + self._sampler_problems()
        problems += self._prompt_problems() + self._embedder_problems()
        return problems + self._drawing_problems() + self._device_problems()

    def _drawing_problems(self) -> list[str]:
        """Ways of drawing for which this run lacks something."""
        drawing, judge = self.drawing, self.drawing.judge_used()
        if drawing.as_asked:
            return []
        problems, named = [], self.prompts.names_findings("generation")
        if not isinstance(self.generator, Pretrained):
            problems.append(
                f"drawing '{drawing.title()}' draws from a model, and generator "
                f"'{self.generator.title()}' is none; choose drawing=plain or another generator"
            )
        if drawing.from_tuning:
            problems += self._starting_problems()
        problems += drawing.sampler_problems(self.sampler)
        reward = drawing.reward_used()
        if reward is not None and reward.embedder_used() and not self.finetuner.tunes:
            problems.append(
                f"drawing.reward '{reward.title()}' compares with the tuning images, and with "
                f"finetuner '{self.finetuner.title()}' there are none; choose another "
                "drawing/reward or finetuner"
            )
        if judge is not None and judge.tells == "findings" and not named:
            problems.append(
                "drawing.judge.tells must be labels with prompts that name no findings, got "
                "'findings': nothing is asked for with one; choose prompts=findings, or "
                "drawing.judge.tells=labels"
            )
        return problems + [
            f"{path} '{part.title()}' takes the features of the classifier of real_train, by which "
            "TRTS is computed: no judge may choose images by it; choose another embedder"
            for path, part in walk({"drawing": drawing})
            if isinstance(part, Embedder) and part.uses_classifier
        ]

    def _starting_problems(self) -> list[str]:
        """Why images could not begin with tuning images."""
        problems, title = [], self.drawing.title()
        if not self.finetuner.tunes:
            problems.append(
                f"drawing '{title}' begins with tuning images, and with finetuner "
                f"'{self.finetuner.title()}' there are none; choose drawing=plain or another "
                "finetuner"
            )
        if isinstance(self.generator, Pretrained) and not self.generator.begins_with_images:
            problems.append(
                f"drawing '{title}' needs a generator that can begin with images, and "
                f"'{self.generator.title()}' cannot; choose drawing=plain or another generator"
            )
        return problems

    def _device_problems(self) -> list[str]:
        """Devices that could not share what this run does."""
        problems = []
        if self.devices > 1 and getattr(self.generator, "device", "") == "mps":
            problems.append(
                f"devices must be 1 with generator.device=mps, of which a machine has one, got "
                f"{self.devices}"
            )
        if self.devices > 1 and self.finetuner.tunes and not self.finetuner.shares_steps:
            problems.append(
                f"devices must be 1 with finetuner '{self.finetuner.title()}', whose steps several "
                f"devices cannot share, got {self.devices}"
            )
        if self.tuning_devices > self.budget.batch_size:
            problems.append(
                f"devices must be at most budget.batch_size={self.budget.batch_size}, because each "
                f"of them takes a part of every batch, got {self.devices}"
            )
        return problems

    @property
    def tuning_devices(self) -> int:
        """Devices that share each step of fine-tuning; 1 if nothing is tuned."""
        return self.devices if self.finetuner.tunes else 1

    def _scheduler_problems(self) -> list[str]:
        """Samplers that the generator cannot be drawn from with."""
        if not isinstance(self.generator, Pretrained):
            return []
        asked = [*self.finetuner.schedulers().items()]
        for path, sampler in self._samplers().items():
            name = f"{path}.schedulers" if sampler.schedulers else f"{path}.scheduler"
            asked += [(name, scheduler) for scheduler in sampler.every_scheduler()]
        allowed = self.generator.schedulers
        return [
            f"{name} must be {' or '.join(allowed)} with generator '{self.generator.title()}', "
            f"got '{scheduler}'"
            for name, scheduler in asked
            if scheduler not in allowed
        ]

    def _sampler_problems(self) -> list[str]:
        """Ways of drawing that the generator has not, and guides that would guide nothing."""
        if not isinstance(self.generator, Pretrained):
            return []
        problems = []
        for path, sampler in self._samplers().items():
            problems += self.generator.sampler_problems(path, sampler)
        guide = self.sampler.guide
        if guide in OTHER_MODELS and not self.finetuner.tunes:
            problems.append(
                f"sampler.guide={guide} needs a tuned generator: with finetuner "
                f"'{self.finetuner.title()}' the guide is the model itself; choose "
                "sampler.guide=empty or dropout, or another finetuner"
            )
        if guide == "early" and round(self.sampler.early * self.budget.steps) < 1:
            problems.append(
                f"sampler.early={self.sampler.early:g} of budget.steps={self.budget.steps} is less "
                "than one step; raise one of them"
            )
        if self.finetuner.prior_images() and self.prior_sampler.guide != "empty":
            problems.append(
                "prior_sampler.guide must be empty, because prior images stand for what the "
                f"untuned generator draws by itself, got '{self.prior_sampler.guide}'"
            )
        return problems

    def _samplers(self) -> dict[str, Sampler]:
        """Those that something is drawn with, by their paths."""
        prior = {"prior_sampler": self.prior_sampler} if self.finetuner.prior_images() else {}
        return {"sampler": self.sampler, **prior}

    def _prompt_problems(self) -> list[str]:
        """Prompts that a finetuner which learns whole prompts would not know when drawing."""
        if not self.finetuner.whole_prompts:
            return []
        if self.prompts.columns():
            return [
                f"finetuner '{self.finetuner.title()}' learns a word for each tuning prompt and "
                f"can draw those only, and prompts '{self.prompts.title()}' are of many more "
                "combinations; choose prompts=template, or another finetuner"
            ]
        uses = ("tuning", "generation")
        texts = {self.prompts.text(use, "domain", ["label"]) for use in uses}
        if len(texts) == 1 and not any(self.prompts.names_findings(use) for use in uses):
            return []
        return [
            f"finetuner '{self.finetuner.title()}' learns a word for each tuning prompt and can "
            "draw those only: prompts.generation must equal prompts.tuning, and neither may name "
            "findings; choose prompts=template, or another finetuner"
        ]

    def _embedder_problems(self) -> list[str]:
        """Embedders that take features which the classifier has not."""
        if self.classifier.has_features:
            return []
        return [
            f"{path} '{part.title()}' takes the features of the run's classifier, and "
            f"'{self.classifier.title()}' has none; choose another of the two"
            for path, part in walk(self.components())
            if isinstance(part, Embedder) and part.uses_classifier
        ]

    @property
    def early_run(self) -> "Run | None":
        """The same run of fewer tuning steps, where its model is what the sampler is guided by."""
        sampler = self.sampler
        if sampler.guide != "early" or not self.finetuner.tunes or max(guidances(sampler)) == 1:
            return None
        steps = round(sampler.early * self.budget.steps)
        return dataclasses.replace(
            self,
            budget=dataclasses.replace(self.budget, steps=steps),
            sampler=dataclasses.replace(sampler, guide="empty"),
        )

    @property
    def tuning_channels(self) -> int | None:
        """Of the images that the generator is tuned on: colour for a generator of colour.

        ``None`` is the dataset's own; a generator of grey images takes grey ones only.
        """
        shape = self.generator.image_shape()
        return 3 if shape is not None and shape[2] == 3 else None

    def datasets(self) -> list[Dataset]:
        """All datasets that are read for it."""
        return [self.dataset, *self.external.values(), *self.generator.ready_made().values()]

    def fitted(self) -> "Run":
        """The same, with the sizes and colours that datasets leave open set.

        As the generator draws, or, where it draws none or is missing, as the dataset is read.
        """
        if not any(dataset.is_open() for dataset in self.datasets()):
            return self
        try:
            drawn = self.generator.image_shape()
        except TgapError:  # its own check tells
            drawn = None
        dataset = self.dataset if drawn is None else self.dataset.fitted(drawn)
        side, channels = dataset.image_side(), dataset.channels()
        if side is not None:
            drawn = (side, side, channels or 1)
        if drawn is None:
            return self
        return dataclasses.replace(
            self,
            dataset=dataset,
            external={name: other.fitted(drawn) for name, other in self.external.items()},
            generator=self.generator.fitted(drawn),
        )

    def components(self) -> dict[str, Component]:
        """Its components by path, without a selector that has nothing to choose."""
        fields = vars(self).items()
        return components_in({name: p for name, p in fields if name != "selector" or self.selects})

    @property
    def is_control(self) -> bool:
        """Whether the generator is a control, whose truth is known, and no model."""
        return isinstance(self.generator, Control)

    @property
    def pretrained(self) -> Pretrained:
        """The generator as a model that can be loaded.

        Raises:
            TgapError: If it is none: a control, or a synthetic set that exists already.
        """
        if isinstance(self.generator, Pretrained):
            return self.generator
        raise TgapError(f"generator '{self.generator.title()}' is no model that could be loaded")

    @property
    def selects(self) -> bool:
        """Whether a tuning set is chosen: to tune on, or for a control to draw from."""
        return self.finetuner.tunes or self.is_control

    @property
    def method(self) -> str:
        """Short name of what is compared: selector + finetuner, a control, or ``none``.

        With the drawing behind it, where that is not ``plain``.
        """
        if not self.generator.tunable:
            return self.generator.title()
        drawing = "" if self.drawing.as_asked else f"+{self.drawing.title()}"
        if not self.finetuner.tunes:
            return f"{self.finetuner.title()}{drawing}"
        return f"{self.selector.title()}+{self.finetuner.title()}{drawing}"

    @property
    def tuning_size(self) -> int | None:
        """The size asked for; ``None`` when nothing is tuned or the selector takes all it finds."""
        return self.size if self.selects and self.selector.sized else None

    @property
    def unit(self) -> str:
        """What ``size`` counts: tuning images per ``label`` or in ``total``."""
        return self.size_unit or self.protocol.size_unit

    def sizes(self, pool_labels: Bools) -> list[int]:
        """Tuning images of each label.

        Args:
            pool_labels: ``(N, L)`` bool, the pool's.
        """
        rng = rng_for("sizes", self.seed_of("select"))
        return sizes_per_label(pool_labels, self.size, self.unit, rng)

    def seed_of(self, scope: str) -> int:
        """Seed of a scope (``select``, ``finetune``, ``generate``, ``classify``, ``evaluate``).

        Selector and finetuner are no part of it, so all methods of one seed share their noise and
        their classifier's initialisation: a paired comparison.
        """
        own = getattr(self.seeds, scope)
        return seed_for(scope, self.seed if own is None else own)

    @property
    def splitting(self) -> Splitting:
        """The split's settings alone."""
        names = [f.name for f in dataclasses.fields(Splitting)]
        return Splitting(**{name: getattr(self, name) for name in names})


def components_in(parts: Mapping[str, Any]) -> dict[str, Component]:
    """The components among a run's fields, or among those of its fields that are sound.

    Args:
        parts: Components and settings by their names in ``Run``.

    Returns:
        By path: ``classifier``, ``evaluators.two_way``, ...
    """
    components: dict[str, Component] = {}
    for name, part in parts.items():
        if isinstance(part, Component):
            components[name] = part
        elif isinstance(part, dict):
            components |= components_in({f"{name}.{key}": value for key, value in part.items()})
    return components
