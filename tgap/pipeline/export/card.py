"""Cards (README.md with the Hugging Face hub's header) and code that loads what they describe."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import yaml  # type: ignore[import-untyped]

from tgap.analysis.verdicts import verdicts
from tgap.core.files import write_json
from tgap.core.origin import Origin
from tgap.core.randomised import setting_of
from tgap.generators.base import Pretrained
from tgap.pipeline.export.audit import COPIES, MEMBERS_TOLD, Audit
from tgap.pipeline.export.classifier import ExportedClassifier
from tgap.pipeline.export.generator import ExportedGenerator
from tgap.pipeline.export.image_folder import DescribedSet
from tgap.pipeline.export.repeating import PLACE, command_of, settings_of_run
from tgap.pipeline.result import Result
from tgap.report import summary

TEMPLATES = Path(__file__).parent / "cards"
SETTINGS = "settings.json"
LEGS = {
    "TSTR": ("tstr/auroc", "trained on synthetic images, tested on real ones"),
    "TRTS": ("trts/auroc", "trained on real images, tested on synthetic ones"),
    "TRTR": ("trtr/auroc", "trained and tested on real images: what TSTR is measured by"),
    "FTER": ("fter", "TSTR / TRTS"),
}
TGAPS = {"guided_from", "guided_to", "guide", "dropout", "schedulers"}
"""Options of the sampler without which diffusers' own pipelines draw other images."""
MOST_NAMED = 10
"""Prompts that a card names."""
SIZES = ((1e3, "n<1K"), (1e4, "1K<n<10K"), (1e5, "10K<n<100K"), (1e6, "100K<n<1M"))
"""How the hub calls sizes of datasets, by what they are below."""


@dataclass(frozen=True)
class Number:
    """A metric on a card.

    Args:
        name: What tables call it.
        meaning: In words.
        value: With its interval, or that it is not known.
    """

    name: str
    meaning: str
    value: str


class Cards:
    """Writes the cards of a run's parts.

    Args:
        result: Of the run.
        audit: Of its images.
        images: Its synthetic set.
        folder: Name of the export's folder, for examples.
    """

    def __init__(self, result: Result, audit: Audit, images: DescribedSet, folder: str) -> None:
        self.result, self.audit, self.images, self.folder = result, audit, images, folder

    def write_synthetic(self, folder: Path) -> None:
        """The card of the synthetic set."""
        total = len(self.images.train) + len(self.images.test)
        header = {
            "pretty_name": f"Synthetic images: {self.result.run.dataset.domain}",
            "license": "unknown",
            "task_categories": ["image-classification"],
            "size_categories": [next((name for most, name in SIZES if total < most), "n>1M")],
            "tags": ["synthetic", "tgap"],
        }
        self._write(folder, "synthetic.md", header)

    def write_generator(self, folder: Path, made: ExportedGenerator) -> None:
        """The card of the tuned generator, and the code that draws an image from it."""
        base = self._base
        header: dict[str, Any] = {
            "license": base.licence_id,
            "pipeline_tag": "text-to-image",
            "tags": ["tgap", "text-to-image", *{"lora": ["lora"]}.get(made.form, [])],
        }
        if made.form != "other":
            header["library_name"] = "diffusers"
        if made.form == "words":
            header["tags"].append("textual_inversion")
        if base.hub_id:
            header["base_model"] = base.hub_id
        example = ""
        if made.form != "other":
            example = self._render("draw.py", made=made, **self._first_image(made))
            (folder / "draw.py").write_text(example, "utf-8")
        sampler = self.result.run.sampler
        more = {"drawn": sampler.in_words(), "beyond_diffusers": sampler.further().keys() & TGAPS}
        self._write(folder, "generator.md", header, made=made, example=example, **more)

    def write_classifier(self, folder: Path, made: ExportedClassifier) -> None:
        """The card of both classifiers, and the code that scores an image."""
        header = {
            "license": "unknown",
            "pipeline_tag": "image-classification",
            "library_name": made.library or "tgap",
            "tags": ["tgap", "image-classification"],
        }
        example = self._render("classify.py", made=made)
        (folder / "classify.py").write_text(example, "utf-8")
        self._write(folder, "classifier.md", header, made=made, example=example)

    def _write(self, folder: Path, template: str, header: Mapping[str, Any], **more: Any) -> None:
        text = self._render(
            template,
            header=yaml.safe_dump(dict(header), sort_keys=False, allow_unicode=True),
            **self._facts,
            **more,
        )
        (folder / "README.md").write_text(re.sub(r"\n{3,}", "\n\n", text), "utf-8")
        write_json(folder / SETTINGS, settings_of_run(self.result))

    def _render(self, template: str, **values: Any) -> str:
        import jinja2

        templates = jinja2.Environment(  # Markdown and Python: nothing to be escaped
            loader=jinja2.FileSystemLoader(TEMPLATES),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        templates.filters |= {"plain": plain, "code": code}
        return templates.get_template(f"{template}.jinja").render(folder=self.folder, **values)

    def _first_image(self, made: ExportedGenerator) -> dict[str, Any]:
        """What the first image of the synthetic set was drawn by."""
        row, run = int(self.images.train[0]), self.result.run
        prompt = self.images.known["prompt"][row]
        return {
            "text": made.words.get(prompt, prompt),
            "seed": self.images.known["seed"][row],
            "sampler": setting_of(run.sampler, self.images.known["seed"][row]),
            "side": getattr(run.generator, "image_size", None),
        }

    @property
    def _base(self) -> Origin:
        generator = self.result.run.generator
        return generator.origin() if isinstance(generator, Pretrained) else Origin()

    @cached_property
    def _facts(self) -> dict[str, Any]:
        """What every card says."""
        result, metrics = self.result, self.result.metrics
        manifest = result.artifacts.synthetic.manifest
        return {
            "warnings": self.audit.warnings,
            "told": self.audit.told,
            "domain": result.run.dataset.domain,
            "shape": result.artifacts.synthetic.read_array("images.npy", mmap=True).shape[1:],
            "counts": self._counts(),
            "prompts": list(dict.fromkeys(self.images.known.get("prompt", ())))[:MOST_NAMED],
            "columns": ["file_name", "label", *self._further(), "split"],
            "made_of": self._made_of(),
            "command": command_of(result),
            "place": PLACE,
            "settings": SETTINGS,
            "versions": manifest["versions"],
            "created": manifest["created"],
            "numbers": numbers(metrics),
            "tested": len(result.split().real_test),
            "sentences": [
                v.sentence for v in verdicts(metrics) if v.code not in (*COPIES, MEMBERS_TOLD)
            ],
            "copies": self.audit.copies,
            "copied": summary.rows("Memorisation", metrics),
            "membership": self.audit.membership,
            "attacked": summary.rows("Membership inference", metrics),
        }

    def _further(self) -> list[str]:
        findings = ["findings"] if self.images.data.finding_names else []
        return [*findings, *self.images.known]

    def _counts(self) -> list[tuple[str, int, int]]:
        """Label, train images, test images."""
        data = self.images.data
        each = (data.labels[rows].sum(axis=0).tolist() for rows in self.images.parts().values())
        return list(zip(data.label_names, *each, strict=True))

    def _made_of(self) -> list[tuple[str, str]]:
        """What the run was, as rows of a table."""
        run, data = self.result.run, self.result.dataset()
        origin, base = run.dataset.origin(), self._base
        rows = [
            ("real images", f"{len(data):,} of dataset {run.dataset.title()}"),
            ("their source", origin.source),
            ("their licence", origin.licence),
            ("method", run.method),
            *self._tuning(),
            ("generator", run.generator.title()),
        ]
        if isinstance(run.generator, Pretrained):
            rows += [
                ("its base", f"{base.source} (digest {self.result.plan.base['digest'][:16]})"),
                ("licence of the base", base.licence),
                ("drawn with", run.sampler.in_words()),
            ]
            if not run.drawing.as_asked:
                rows.append(("kept of what was drawn", run.drawing.title()))
            rows += [("adapters on the base", ", ".join(n)) for n in self._adapters()]
        return [
            *rows,
            ("classifier", run.classifier.title()),
            ("seed", f"{run.seed} (of the split {run.split_seed})"),
            ("key of the result", self.result.plan.result_key),
        ]

    def _adapters(self) -> list[list[str]]:
        names = [Path(name).name for name in getattr(self.result.run.generator, "adapters", ())]
        return [names] if names else []

    def _tuning(self) -> list[tuple[str, str]]:
        selection = self.result.selection()
        if selection is None:
            return []
        count = len(np.unique(selection.indices))
        size = self.result.run.tuning_size
        asked = f" (size {size} in {self.result.run.unit})" if size is not None else ""
        if self.result.run.unit == "label" and size is not None:
            asked = f" (size {size} per label)"
        return [("tuning images", f"{count:,} different ones{asked}")]


def numbers(metrics: Mapping[str, float]) -> list[Number]:
    """The legs and FTER with their intervals."""
    return [
        Number(name, meaning, _with_interval(metrics, metric))
        for name, (metric, meaning) in LEGS.items()
    ]


def _with_interval(metrics: Mapping[str, float], name: str) -> str:
    value = metrics.get(name, math.nan)
    if math.isnan(value):
        return "not known"
    lo, hi = (metrics.get(f"{name}/{end}", math.nan) for end in ("lo", "hi"))
    interval = "no interval" if math.isnan(lo) or math.isnan(hi) else f"{lo:.3f} to {hi:.3f}"
    means = ", means nothing here" if name == "fter" and metrics.get("fter/meaningful") == 0 else ""
    return f"{value:.3f} ({interval}{means})"


def plain(text: object) -> str:
    r"""Text that Markdown takes as it is, also in a table.

    >>> plain("a|b <c> *d*")
    'a\\|b \\<c\\> \\*d\\*'
    """
    # Lines within words are no emphasis.
    marks = r"([\\`*\[\]<>|#$]|(?<!\w)_|_(?!\w))"
    return re.sub(marks, r"\\\1", " ".join(str(text).split()))


def code(text: object) -> str:
    """Text as code, whatever backticks it has; in a table a bar is escaped.

    >>> code("a`b")
    '`` a`b ``'
    """
    line = " ".join(str(text).split()).replace("|", r"\|")
    longest = max((len(run) for run in re.findall("`+", line)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {line} {fence}" if longest else f"`{line}`"
