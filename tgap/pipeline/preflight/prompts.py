"""Whether generators can tell labels apart by their prompts, and read these whole."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tgap.composition.config import Run
from tgap.core import ImageSet, nearest
from tgap.core.words import other_words
from tgap.generators.base import Pretrained

SAME, NEAR = 1e-6, 0.01
"""Distances of prompts as a text encoder reads them: alike, and hardly apart."""


def check_prompts(run: Run, pool: ImageSet) -> list[str]:
    """Whether names with words of their own exist, and prompts can be read and told apart.

    Compared is what the generator reads, not how the texts are written. A set that is ready made
    was asked for elsewhere, by prompts that nobody knows here.
    """
    if run.generator.ready_made():
        return []
    if problems := _column_problems(run, pool):
        return problems
    problems = [*_unknown_names(run, pool)]
    for use in _uses(run):
        for template in range(run.prompts.templates_drawn() if use == "generation" else 1):
            problems += _alike(run, label_texts(run, pool, use, template), use)
        problems += _finding_problems(run, pool, use)
    texts = [text for use in _uses(run) for text in all_texts(run, pool, use)]
    prior = [run.prompts.text("prior", run.dataset.domain)] if run.finetuner.prior_images() else []
    return problems + run.generator.check_prompts(texts + prior) + _prior_problems(run, pool, prior)


def prompted_by(run: Run) -> tuple[Any, ...]:
    """What of a run, besides its pool, decides how prompts are read."""
    return run.dataset, run.prompts, run.generator, run.finetuner


def check_embeddings(run: Run, pool: ImageSet) -> list[str]:
    """Whether the packaged model's text encoder makes the same of different labels' prompts.

    Others' take long to load. It takes torch, so it is asked when something will be drawn.
    """
    if run.generator.ready_made() or run.finetuner.whole_prompts:
        return []
    return [
        f"prompts.{use} must tell labels apart, but {text}"
        for use in _uses(run)
        for text in _near(run, label_texts(run, pool, use), -1, SAME)
    ]


def prompt_advice(run: Run, pool: ImageSet) -> list[str]:
    """What may go wrong with prompts, as sentences; see ``check_embeddings``."""
    if run.generator.ready_made():
        return []
    texts = label_texts(run, pool, "generation")
    return run.generator.unknown_words(texts) + _near(run, texts, SAME, NEAR)


def label_texts(run: Run, pool: ImageSet, use: str, template: int = 0) -> dict[str, str]:
    """The prompt of each label, by name."""
    return {
        name: run.prompts.text(use, run.dataset.domain, [name], template=template)
        for name in pool.label_names
    }


def all_texts(run: Run, pool: ImageSet, use: str) -> list[str]:
    """All distinct prompts for a use: of each label, and as the pool's images will be asked for."""
    domain, texts = run.dataset.domain, list(label_texts(run, pool, use).values())
    findings = pool.findings if run.prompts.names_findings(use) else pool.findings[:, :0]
    columns = run.prompts.columns()
    said = np.zeros(len(pool), np.str_)
    if columns:
        said = run.prompts.attributes_of({name: pool.metadata[name] for name in columns})
    words, kinds = np.unique(said, return_inverse=True)
    label_names, names = np.array(pool.label_names), np.array(pool.finding_names)
    templates = run.prompts.templates_drawn() if use == "generation" else 1
    for row in np.unique(np.hstack([pool.labels, findings, kinds[:, None]]), axis=0):
        has, found = np.split(row[:-1].astype(bool), [len(label_names)])
        named, held = names[: len(found)][found].tolist(), label_names[has].tolist()
        asked = [held] if run.prompts.co_occurrence and held else [[name] for name in held]
        texts += [
            run.prompts.text(use, domain, some, named, str(words[row[-1]]), template)
            for some in asked
            for template in range(templates)
        ]
    return list(dict.fromkeys(texts))


def _column_problems(run: Run, pool: ImageSet) -> list[str]:
    """Columns that the dataset's table lacks, or that cannot be told of."""
    title, lacking = run.dataset.title(), []
    for column in run.prompts.columns():
        if column not in pool.metadata:
            known = ", ".join(pool.metadata) or "none"
            lacking.append(
                f"prompts.attributes.{column}: the table of dataset '{title}' has no column "
                f"'{column}'{nearest(column, list(pool.metadata))}; it has: {known}"
            )
    return lacking or run.prompts.column_problems(pool)


def _uses(run: Run) -> list[str]:
    return ["tuning", "generation"] if run.finetuner.tunes else ["generation"]


def _unknown_names(run: Run, pool: ImageSet) -> list[str]:
    names = [*pool.label_names, *pool.finding_names]
    return [
        f"prompts: no label or finding of dataset '{run.dataset.title()}' is named "
        f"'{name}'{nearest(name, names)}"
        for name in run.prompts.names()
        if name not in names
    ]


def _finding_problems(run: Run, pool: ImageSet, use: str) -> list[str]:
    """Findings that nobody knows, or that are written apart and read alike."""
    if not run.prompts.names_findings(use):
        return []
    if not pool.finding_names:
        return [f"prompts.{use} names findings, but dataset '{run.dataset.title()}' knows none"]
    domain, label = run.dataset.domain, pool.label_names[0]
    texts = {name: run.prompts.text(use, domain, [label], [name]) for name in pool.finding_names}
    read = run.generator.check_labels(texts)
    return [f"prompts.{use} must tell findings apart, but {text}" for text in read]


def _alike(run: Run, texts: dict[str, str], use: str) -> list[str]:
    """Labels that nothing could tell apart: by their texts, their tokens, their embeddings."""
    known: dict[str, str] = {}
    problems = [
        f"prompts.{use} must tell labels apart, but is {text!r} for '{known[text]}' and '{name}'"
        for name, text in texts.items()
        if known.setdefault(text, name) != name
    ]
    if run.finetuner.whole_prompts:  # it learns a word for each text
        return problems
    read = run.generator.check_labels(texts)
    return problems + [f"prompts.{use} must tell labels apart, but {text}" for text in read]


def _near(run: Run, texts: dict[str, str], above: float, most: float) -> list[str]:
    """Labels whose texts differ, with a distance in (above, most], for the packaged model."""
    generator, names = run.generator, list(texts)
    if not isinstance(generator, Pretrained) or generator.path is not None:
        return []
    distances = generator.prompt_distances([*texts.values()])
    if distances is None:
        return []
    return [
        f"generator '{generator.title()}' can hardly tell '{names[i]}' from '{names[j]}': the "
        f"distance of '{texts[names[i]]}' and '{texts[names[j]]}' is {distances[i, j]:.2g} as it "
        "reads them (1 is usual for different words); give one of them other words, e.g. "
        f"{other_words(names[j])}"
        for i, j in np.argwhere(np.triu((distances > above) & (distances <= most), 1)).tolist()
        if texts[names[i]] != texts[names[j]]
    ]


def _prior_problems(run: Run, pool: ImageSet, prior: Sequence[str]) -> list[str]:
    """Tuning prompts that are the class prompt, as it is written or as the generator reads it."""
    problems = []
    for text in prior:
        for name in pool.label_names:
            own = run.prompts.text("tuning", run.dataset.domain, [name])
            if own == text or run.generator.check_labels({"prior": text, name: own}):
                same = "equals" if own == text else "is read as"
                problems.append(
                    f"prompts.prior must differ from the tuning prompts, but {same} that of label "
                    f"'{name}' ({own!r}): it would be trained back to the untuned model"
                )
    return problems
