"""What a model's tokenizers and text encoders make of prompts."""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tgap.core import DataError, Doubles
from tgap.generators.base import UNKNOWN
from tgap.generators.latent.files.folder import (
    class_names,
    encoder_of,
    tokenizers,
    tokens_read,
    vocabulary,
)
from tgap.generators.latent.files.layouts import Layout
from tgap.generators.latent.silence import errors_raised_only, quiet
from tgap.metrics.vectors import cosines

OTHERWISE = "|"
"""Between the tokens of one tokenizer and those of another that reads a text in another way."""


def too_long(tokenizer: Any, written_out: Mapping[str, str], most: int) -> list[str]:
    """Of texts that a text encoder cannot read whole, a sentence each.

    Cut off, two prompts that differ in their last word would silently become one.

    Args:
        tokenizer: Of transformers.
        written_out: What is tokenized, by prompt.
        most: Tokens that the text encoder reads.
    """
    with errors_raised_only():  # it warns of what is told here
        tokens = tokenizer(list(written_out.values()), truncation=False).input_ids
    return [
        f"prompt must have at most {most} tokens for this generator, got {len(ids)}: '{prompt}'; "
        "shorten the prompt template or the domain"
        for prompt, ids in zip(written_out, tokens, strict=True)
        if len(ids) > most
    ]


def prompt_problems(texts: Sequence[str], folder: Path, layout: Layout) -> list[str]:
    """Which texts are too long for a good folder's text encoders, a sentence each.

    Tokenizers are loaded only for texts that could be.
    """
    problems: list[str] = []
    for name in tokenizers(folder, layout):
        most = tokens_read(folder, layout, name)
        # a byte is one token at most, and start and end are two
        long = [text for text in dict.fromkeys(texts) if len(text.encode()) + 2 > most]
        if long:
            problems += too_long(_tokenizer(folder, name), dict(zip(long, long, strict=True)), most)
    return list(dict.fromkeys(problems))


def vocabulary_problems(folder: Path, layout: Layout) -> list[str]:
    """Tokenizers of a good folder that write what their text encoders have no vectors for."""
    problems = []
    for name in tokenizers(folder, layout):
        words, read = len(_tokenizer(folder, name)), vocabulary(folder, name)
        if read is not None and words > read:
            problems.append(
                f"'{folder / name}' has {words} tokens, and '{folder / encoder_of(name)}' reads "
                f"{read} (vocab_size): they are of two models; copy the tokenizer of this one"
            )
    return problems


def tokens_of(texts: Sequence[str], folder: Path, layout: Layout) -> list[list[str]]:
    """What a good folder's tokenizers write for texts, without start, end and filling.

    What a tokenizer does not know is ``UNKNOWN``. Where a further tokenizer reads a text in another
    way, its tokens follow after ``OTHERWISE``: equal lists are read alike by all.
    """
    read: list[list[str]] = [[] for _ in texts]
    firsts: list[list[str]] = []
    for name in tokenizers(folder, layout):
        tokenizer = _tokenizer(folder, name)
        written = [_written(tokenizer, text) for text in texts]
        firsts = firsts or written
        for tokens, own, first in zip(read, written, firsts, strict=True):
            if own is first:
                tokens += own
            elif own != first:
                tokens += [OTHERWISE, *own]
    return read


def _written(tokenizer: Any, text: str) -> list[str]:
    with errors_raised_only():
        ids = tokenizer(text, add_special_tokens=False).input_ids
    tokens = tokenizer.convert_ids_to_tokens(ids)
    unknown = tokenizer.unk_token_id
    return [UNKNOWN if i == unknown else t for i, t in zip(ids, tokens, strict=True)]


Stamp = tuple[tuple[str, int], ...]
"""Of a folder's files: what was remembered of them is asked anew once they have changed."""


def _stamp(place: Path) -> Stamp:
    return tuple((file.name, file.stat().st_mtime_ns) for file in sorted(place.iterdir()))


def _tokenizer(folder: Path, name: str) -> Any:
    place = folder / name
    return _loaded(place, class_names(folder)[name][1], _stamp(place))


@functools.lru_cache(maxsize=8)
def _loaded(place: Path, kind: str, stamp: Stamp) -> Any:
    import transformers

    try:
        return getattr(transformers, kind).from_pretrained(place, local_files_only=True)
    # Whatever the library meets in files that are there, the files are at fault.
    except Exception as error:
        raise DataError(
            f"tokenizer '{place}' cannot be read ({error}); copy or download its folder again"
        ) from error


def distances_of(texts: Sequence[str], folder: Path, layout: Layout) -> Doubles:
    """Cosine distances ``(T, T)`` of T texts as a good folder's text encoders read them.

    Compared are the states of all tokens less those of the empty prompt, from which guidance leads
    away: what all prompts have in common, such as the start's large vector, tells nothing apart. Of
    several CLIP encoders the largest distance counts; a T5, a hundred times larger, is left out.
    """
    distances = np.zeros((len(texts), len(texts)))
    for name in tokenizers(folder, layout):
        place, kind = folder / encoder_of(name), class_names(folder)[encoder_of(name)][1]
        if kind.startswith("CLIP"):
            most, stamps = tokens_read(folder, layout, name), (_stamp(place), _stamp(folder / name))
            own = _distances(tuple(texts), folder, name, kind, most, stamps)
            distances = np.maximum(distances, own)
    return distances


@functools.lru_cache(maxsize=32)  # the runs of a sweep mostly have the same prompts
def _distances(
    texts: tuple[str, ...], folder: Path, name: str, kind: str, most: int, stamps: tuple[Stamp, ...]
) -> Doubles:
    import transformers

    with errors_raised_only(), quiet():
        encoder = getattr(transformers, kind).from_pretrained(
            folder / encoder_of(name), local_files_only=True, use_safetensors=True, dtype="float32"
        )
    states = _states(encoder, _tokenizer(folder, name), ["", *texts], most)
    differences = states[1:] - states[0]
    distances: Doubles = 1 - cosines(differences, differences)
    np.fill_diagonal(distances, 0)
    return distances


def _states(encoder: Any, tokenizer: Any, texts: list[str], most: int) -> Doubles:
    import torch

    with torch.inference_mode(), errors_raised_only():
        ids = tokenizer(
            texts, padding="max_length", max_length=most, truncation=True, return_tensors="pt"
        ).input_ids
        hidden: torch.Tensor = encoder(ids).last_hidden_state
    states: Doubles = hidden.flatten(1).double().numpy()
    return states
