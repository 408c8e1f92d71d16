"""Run-level settings that the pipeline hands to components as call arguments.

They are not fields of components, so that a profile can set them whatever component is chosen.
"""

import string
from dataclasses import dataclass

from tgap.component import Checked, option

SCHEDULERS = ("ddim", "ddpm", "dpm_solver", "euler", "pndm")


@dataclass(kw_only=True)
class Budget(Checked):
    """How much work a run does; compared methods share it."""

    steps: int = option(300, "optimizer steps of fine-tuning", low=1)
    batch_size: int = option(32, "tuning images per optimizer step", low=1)
    learning_rate: float = option(1e-3, "peak learning rate of fine-tuning", above=0)
    train_per_label: int = option(500, "images per label that train each classifier", low=2)
    test_per_label: int = option(250, "further synthetic images per label for testing", low=1)


@dataclass(kw_only=True)
class Sampler(Checked):
    """How images are drawn from a generator.

    Guidance trades variation for fidelity (classifier-free guidance, Ho & Salimans 2022,
    arXiv 2207.12598), so it moves TRTS up and TSTR down: every table names it. 1 is off.
    """

    scheduler: str = option("dpm_solver", "diffusers scheduler", choices=SCHEDULERS)
    steps: int = option(20, "denoising steps", low=1, high=1000)
    guidance: float = option(3.0, "classifier-free guidance scale, 1 = off", low=1, high=100)
    batch_size: int = option(128, "images drawn at once", low=1, in_key=False)


@dataclass(kw_only=True)
class Prompts(Checked):
    """The texts of a label; ``{label}`` and ``{domain}`` are filled in.

    ``prior`` is the class prompt of prior preservation. It may not name the label: equal prompts
    would train the tuning prompt back to the untuned model.
    """

    tuning: str = option("an image of {label} {domain}", "prompt of a tuning image")
    generation: str = option("an image of {label} {domain}", "prompt of a synthetic image")
    prior: str = option("an image of {domain}", "class prompt of prior preservation")

    def problems(self) -> list[str]:
        """Unknown fields, and a prior that equals a tuning prompt."""
        found = []
        for name in ("tuning", "generation", "prior"):
            if not _plain(getattr(self, name)):
                found.append(
                    f"prompts.{name} may use {{label}} and {{domain}} only, "
                    f"got {getattr(self, name)!r}"
                )
        for name in ("tuning", "generation"):
            if "{label}" not in getattr(self, name):
                found.append(f"prompts.{name} must contain {{label}}, got {getattr(self, name)!r}")
        if "{label}" in self.prior:
            found.append(
                "prompts.prior must not contain {label}: a prior prompt that equals a tuning "
                f"prompt trains it back to the untuned model, got {self.prior!r}"
            )
        return found


@dataclass(kw_only=True)
class Seeds(Checked):
    """Overrides of single seed scopes; ``null`` follows the run's seed."""

    select: int | None = option(None, "tuning draw", low=0)
    finetune: int | None = option(None, "fine-tuning", low=0)
    generate: int | None = option(None, "noise of the synthetic images", low=0)
    classify: int | None = option(None, "classifier initialisation and draws", low=0)


def _plain(template: str) -> bool:
    """Whether a template is well formed and uses the known fields, as they are, only."""
    try:
        fields = [part[1:] for part in string.Formatter().parse(template) if part[1] is not None]
    except ValueError:
        return False
    return all(field in {("label", "", None), ("domain", "", None)} for field in fields)


def fill(template: str, label: str, domain: str) -> str:
    """Fill a prompt template; underscores of a label's name become spaces.

    >>> fill("an image of {label} {domain}", "no_finding", "chest X-ray")
    'an image of no finding chest X-ray'
    """
    return template.format(label=label.replace("_", " "), domain=domain)
