"""How a generator will read the prompts of a dataset's labels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tgap.core import DataError, Doubles
from tgap.generators.base import Generator
from tgap.prompts.base import Prompts
from tgap.report.dataset.doubts import Doubt

USE = "generation"
MOST = 12
"""Prompts that the terminal shows."""


@dataclass(frozen=True)
class PromptsRead:
    """What the text encoder gets.

    Args:
        generator: Its name.
        nothing: Why nothing is known, as a sentence; empty if it is.
        texts: The prompt of a synthetic image by label.
        tokens: What the tokenizer makes of it by label.
        problems: Prompts that cannot be read, or told apart.
        distances: ``(L, L)``, between the labels' embeddings; ``None`` if they were not asked for.
        unknown: Prompts of which the tokenizer does not know all.
    """

    generator: str
    nothing: str
    texts: dict[str, str]
    tokens: dict[str, list[str]]
    problems: list[str]
    distances: Doubles | None = None
    unknown: Sequence[str] = ()

    def nearest(self, label: str) -> tuple[str, float]:
        """The label whose prompt is read most alike, and how far it is."""
        if self.distances is None:
            raise ValueError("distances are not known")
        labels = list(self.texts)
        row = self.distances[labels.index(label)].copy()
        row[labels.index(label)] = np.inf
        return labels[int(row.argmin())], float(row.min())


def read_prompts(
    prompts: Prompts,
    generator: Generator,
    domain: str,
    labels: Sequence[str],
    *,
    distances: bool = False,
) -> PromptsRead:
    """Let a generator read the prompts of labels.

    Args:
        prompts: Puts labels into words.
        generator: That reads them.
        domain: What the images show; without it there are no prompts.
        labels: By name.
        distances: Whether embeddings are compared too, for which the text encoder is loaded.
    """
    name = generator.title()
    if not domain:
        return _unread(name, "How prompts will be read is not known: dataset.domain is not set")
    texts = {label: prompts.text(USE, domain, [label]) for label in labels}
    try:
        tokens = generator.prompt_tokens(list(texts.values()))
        if tokens is None:
            return _unread(name, f"How generator '{name}' reads prompts is not known")
        return PromptsRead(
            generator=name,
            nothing="",
            texts=texts,
            tokens=dict(zip(labels, tokens, strict=True)),
            problems=[
                *generator.check_prompts(list(texts.values())),
                *generator.check_labels(texts),
            ],
            distances=generator.prompt_distances(list(texts.values())) if distances else None,
            unknown=generator.unknown_words(texts),
        )
    except DataError as error:
        return _unread(name, f"How generator '{name}' reads prompts is not known: {error}")


def _unread(generator: str, why: str) -> PromptsRead:
    return PromptsRead(generator, why, {}, {}, [])


def prompts_told(read: PromptsRead) -> Iterator[str]:
    """In sentences, without distances."""
    if read.nothing:
        yield read.nothing
        return
    yield f"what generator '{read.generator}' reads:"
    for label, text in list(read.texts.items())[:MOST]:
        tokens = read.tokens[label]
        yield f"  label {label}: '{text}', {len(tokens)} tokens: {' '.join(tokens)}"
    if len(read.texts) > MOST:
        yield f"  and {len(read.texts) - MOST} more"


def prompt_doubts(read: PromptsRead) -> list[Doubt]:
    """Prompts that a run would refuse, or that are not read whole."""
    return [
        *(Doubt(problem, "A run stops at this.") for problem in read.problems),
        *(Doubt(text, "What is left of it is all that a model is told.") for text in read.unknown),
    ]
