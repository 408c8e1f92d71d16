"""How many tokens prompts have, known without torch."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tgap.generators.latent.files.folder import class_names, tokenizers, tokens_read
from tgap.generators.latent.files.layouts import Layout
from tgap.generators.latent.silence import errors_raised_only


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
    named = class_names(folder)
    for name in tokenizers(folder, layout):
        most = tokens_read(folder, layout, name)
        # a byte is one token at most, and start and end are two
        long = [text for text in dict.fromkeys(texts) if len(text.encode()) + 2 > most]
        if not long:
            continue
        import transformers

        kind = getattr(transformers, named[name][1])
        tokenizer = kind.from_pretrained(folder / name, local_files_only=True)
        problems += too_long(tokenizer, dict(zip(long, long, strict=True)), most)
    return list(dict.fromkeys(problems))
