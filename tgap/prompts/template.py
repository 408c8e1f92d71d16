"""Prompts from templates."""

import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tgap.core import option
from tgap.prompts.base import USES, Prompts

NAMED = ("{label}", "{findings}")


@dataclass(kw_only=True)
class Template(Prompts):
    """Fills ``{label}``, ``{findings}`` and ``{domain}`` into a template.

    A name is put into its own words, underscores as spaces, unless ``wordings`` has others.
    Several labels or findings are composed: "effusion, mass and nodule"; an image without findings
    takes the words of its labels, and one without labels none. The default is the thesis's template
    (section 4.4).

    ``prior`` is the class prompt of prior preservation. It may name neither label nor findings:
    equal prompts would train the tuning prompt back to the untuned model.

    >>> prompts = Template(generation="{domain} with {findings}", wordings={"mass": "a mass"})
    >>> prompts.text("generation", "chest X-ray", ["unhealthy"], ["effusion", "mass"])
    'chest X-ray with effusion and a mass'
    >>> prompts.text("generation", "chest X-ray", ["no_finding"])
    'chest X-ray with no finding'
    """

    tuning: str = option("an image of {label} {domain}", "prompt of a tuning image")
    generation: str = option("an image of {label} {domain}", "prompt of a synthetic image")
    prior: str = option("an image of {domain}", "class prompt of prior preservation")
    wordings: dict[str, str] = option({}, "other words for labels or findings, by name")

    def problems(self) -> list[str]:
        """Unknown fields, texts that do not tell labels apart, and a prior that names one."""
        problems = []
        for use in USES:
            template = getattr(self, use)
            if not well_formed(template, self.places()):
                problems.append(
                    f"{use} may use {_listed([f'{{{place}}}' for place in self.places()])} only, "
                    f"got {template!r}"
                )
            named = [field for field in NAMED if field in template]
            if use == "prior" and named:
                problems.append(
                    f"prior must not contain {named[0]}: a prior prompt that equals a tuning "
                    f"prompt trains it back to the untuned model, got {template!r}"
                )
            elif use != "prior" and not named:
                problems.append(f"{use} must contain {{label}} or {{findings}}, got {template!r}")
        for name, words in self.wordings.items():
            if not words.strip():
                problems.append(f"wordings must have words for '{name}', got {words!r}")
        return problems

    def places(self) -> tuple[str, ...]:
        """What a template may name."""
        return "label", "findings", "domain"

    def names_findings(self, use: str) -> bool:
        """Whether the template has ``{findings}``."""
        return "{findings}" in getattr(self, use)

    def identity_of(self, use: str) -> dict[str, Any]:
        """Without the templates for other uses; words do not enter a text without names."""
        others = {*USES} - {use} | ({"wordings", "co_occurrence"} if use == "prior" else set())
        return {name: value for name, value in self.identity().items() if name not in others}

    def names(self) -> list[str]:
        """The names with wordings of their own."""
        return list(self.wordings)

    def _text(self, use: str, domain: str, labels: Sequence[str], findings: Sequence[str]) -> str:
        return self._filled(getattr(self, use), domain, labels, findings)

    def _filled(
        self,
        template: str,
        domain: str,
        labels: Sequence[str],
        findings: Sequence[str],
        attributes: str = "",
    ) -> str:
        of_labels, named = ([self._words(n) for n in names] for names in (labels, findings))
        return template.format(
            label=_listed(of_labels),
            findings=_listed(named or of_labels),
            domain=domain,
            attributes=attributes,
        )

    def _words(self, name: str) -> str:
        return self.wordings.get(name, name.replace("_", " "))


def _listed(words: Sequence[str]) -> str:
    """``a, b and c``."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def well_formed(template: str, places: Sequence[str]) -> bool:
    """Whether a template names these, as they are, only."""
    try:
        fields = [part[1:] for part in string.Formatter().parse(template) if part[1] is not None]
    except ValueError:
        return False
    return all(name in places and (form, how) == ("", None) for name, form, how in fields)
