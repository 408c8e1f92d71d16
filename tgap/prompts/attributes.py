"""Prompts that say what a table knows of an image: view, sex, age, or any other column."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tgap.core import Bools, ImageSet, Indices, option
from tgap.core.bands import bands
from tgap.prompts.template import Template, well_formed

DRAWN = ("joint", "balanced")
PLACE = "{attributes}"
OWN = {"attributes", "values", "bands", "drawn", "only", "further"}
"""Settings that a template has not."""


@dataclass(kw_only=True)
class Attributes(Template):
    """A template with ``{attributes}``: what columns of the dataset's table say, in words.

    Every column of ``attributes`` has a phrase in which ``{}`` is the image's value; phrases are
    put together with commas, in that order, and a value that is missing leaves its phrase out. So
    "an image of mass chest X-ray, PA view, male, 40 to 60 years". A column of numbers is told by
    its band.

    A synthetic image has the attributes, the findings and the labels of an image of the pool, which
    is drawn at random among those of its label (``joint``), or so that every combination of
    attributes that a label has is as often as the others (``balanced``), or among those with the
    values that ``only`` asks for. Nothing is asked for that no image of the pool shows, so that all
    of it can have been tuned on; that it was is another matter of the selector and the size.

    In the spirit of concept prompts (Beyond Finite Data, Niemeijer et al. 2024, arXiv 2403.05523),
    where a language model lists them; here the table does.

    Args:
        attributes: Phrases by column.
        values: Other words for values, by value.
        bands: Ascending borders of columns of numbers, by column.
        drawn: How attributes are drawn for synthetic images.
        only: Values that synthetic images are to have, by column, as they stand in the table (of
            numbers, the words of a band).
        further: Other templates for synthetic images: each is drawn by one of these or
            ``generation``, at random.
    """

    tuning: str = option("an image of {label} {domain}{attributes}", "prompt of a tuning image")
    generation: str = option(
        "an image of {label} {domain}{attributes}", "prompt of a synthetic image"
    )
    attributes: dict[str, str] = field(
        default_factory=lambda: {"view": "{} view", "sex": "{}", "age": "{} years"},
        metadata={"help": "phrase of each column of the table"},
    )
    values: dict[str, str] = field(
        default_factory=lambda: {"M": "male", "F": "female"},
        metadata={"help": "other words for values"},
    )
    bands: dict[str, list[float]] = field(
        default_factory=lambda: {"age": [20.0, 40.0, 60.0, 80.0]},
        metadata={"help": "borders of columns of numbers"},
    )
    drawn: str = option("joint", "how attributes are drawn for synthetic images", choices=DRAWN)
    only: dict[str, str] = option({}, "values that synthetic images are to have, by column")
    further: list[str] = option([], "other templates for synthetic images, each as often")

    def problems(self) -> list[str]:
        """Phrases without a place for a value, columns without a phrase, borders that fall."""
        problems = super().problems()
        if not self.attributes:
            problems.append(
                "attributes must have a phrase for a column, e.g. {view: '{} view'}, got none; or "
                "choose prompts=template"
            )
        problems += [
            f"attributes.{column} must have {{}} once, where the value stands, got {phrase!r}"
            for column, phrase in self.attributes.items()
            if phrase.count("{}") != 1 or {*phrase.replace("{}", "", 1)} & {*"{}"}
        ]
        problems += [
            f"{name}.{column} must be of a column of attributes "
            f"({', '.join(self.attributes) or 'none'})"
            for name in ("only", "bands")
            for column in getattr(self, name)
            if column not in self.attributes and not (name == "bands" and column == "age")
        ]
        problems += [
            f"bands.{column} must be rising numbers, got {borders}"
            for column, borders in self.bands.items()
            if not borders or sorted(set(borders)) != list(borders)
        ]
        problems += [
            f"further must be templates with {{label}} or {{findings}}, and else {{domain}} and "
            f"{{attributes}} only, got {template!r}"
            for template in self.further
            if not well_formed(template, self.places())
            or not any(place in template for place in ("{label}", "{findings}"))
        ]
        if PLACE not in self.generation and not any(PLACE in text for text in self.further):
            problems.append(
                f"generation must contain {PLACE}, got {self.generation!r}; or choose "
                "prompts=template"
            )
        return problems

    def places(self) -> tuple[str, ...]:
        """With ``attributes``."""
        return (*super().places(), "attributes")

    def names_findings(self, use: str) -> bool:
        """Whether a template for the use has ``{findings}``."""
        return any("{findings}" in template for template in self._templates(use))

    def identity_of(self, use: str) -> dict[str, Any]:
        """Of tuning without how synthetic images are asked for; of the prior without both."""
        others = {"tuning": {"drawn", "only", "further"}, "generation": set[str](), "prior": OWN}
        return {n: value for n, value in super().identity_of(use).items() if n not in others[use]}

    def columns(self) -> tuple[str, ...]:
        """Those of ``attributes``."""
        return tuple(self.attributes)

    def templates_drawn(self) -> int:
        """Those of ``generation`` and ``further``."""
        return 1 + len(self.further)

    def column_problems(self, pool: ImageSet) -> list[str]:
        """Numbers without bands, and values that are asked for and not there."""
        problems, metadata = [], pool.metadata
        for column in self.attributes:
            numbers = metadata[column].dtype.kind != "U"
            if numbers and column not in self.bands:
                problems.append(
                    f"prompts.bands.{column} must have the borders of its bands, because column "
                    f"'{column}' has numbers; e.g. [20,40,60]"
                )
            elif (value := self.only.get(column)) is not None:
                known = sorted({*self._of_column(column, metadata[column]).tolist()} - {""})
                if value not in known:
                    problems.append(
                        f"prompts.only.{column} must be a value of the pool's column "
                        f"({', '.join(known[:20])}), got '{value}'"
                    )
        if problems:
            return problems
        fit = self._fit(metadata)
        return [
            f"prompts.only: no image of the pool with label '{name}' has "
            f"{', '.join(f'{column} {value}' for column, value in self.only.items())}, and nothing "
            "is asked for that no image shows"
            for name, has in zip(pool.label_names, pool.labels.T, strict=True)
            if has.any() and not (has & fit).any()
        ]

    def attributes_of(self, metadata: Mapping[str, NDArray[Any]]) -> NDArray[np.str_]:
        """The phrases of each image, joined by commas."""
        columns = [
            (phrase, self._of_column(column, metadata[column]).tolist())
            for column, phrase in self.attributes.items()
        ]
        texts = []
        for row in range(len(columns[0][1])):
            said = [
                phrase.format(self.values.get(values[row], values[row]))
                for phrase, values in columns
                if values[row]
            ]
            texts.append(", ".join(said))
        return np.array(texts, np.str_)

    def draw(
        self,
        metadata: Mapping[str, NDArray[Any]],
        members: Indices,
        count: int,
        rng: np.random.Generator,
    ) -> Indices:
        """Pool images whose attributes, findings and labels synthetic ones have; see the class."""
        own = {column: metadata[column][members] for column in self.attributes}
        fit = self._fit(own)
        members = members[fit]
        if self.drawn == "joint":
            return super().draw(metadata, members, count, rng)
        texts = self.attributes_of({name: column[fit] for name, column in own.items()})
        _, kinds, counts = np.unique(texts, return_inverse=True, return_counts=True)
        order, starts = np.argsort(kinds, kind="stable"), np.cumsum(counts) - counts
        kind = rng.integers(len(counts), size=count)
        within = (rng.random(count) * counts[kind]).astype(np.int64)
        drawn: Indices = members[order[starts[kind] + within]]
        return drawn

    def _text(
        self,
        use: str,
        domain: str,
        labels: Sequence[str],
        findings: Sequence[str],
        attributes: str = "",
        template: int = 0,
    ) -> str:
        said = f", {attributes}" if attributes else ""
        return self._filled(self._templates(use)[template], domain, labels, findings, said)

    def _fit(self, metadata: Mapping[str, NDArray[Any]]) -> Bools:
        """Which images have the values that are asked for."""
        fit = np.ones(len(metadata[self.columns()[0]]), bool)
        for column, value in self.only.items():
            fit &= self._of_column(column, metadata[column]) == value
        return fit

    def _templates(self, use: str) -> list[str]:
        further = self.further if use == "generation" else []
        return [getattr(self, use), *further]

    def _of_column(self, column: str, values: NDArray[Any]) -> NDArray[np.str_]:
        """The value of each image as a text; empty where it is missing."""
        if values.dtype.kind == "U":
            return np.char.strip(values)
        texts = np.full(len(values), "", dtype=object)
        for words, rows in bands(values.astype(np.float64), self.bands[column]).items():
            texts[rows] = words
        return texts.astype(np.str_)
