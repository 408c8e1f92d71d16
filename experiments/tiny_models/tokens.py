"""The tokenizer of the tiny models: one token per character, in CLIP's own format."""

import json
from pathlib import Path

CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,;:!?'\"()[]{}<>|/\\+-_=*&%#@$~^`"
START, END = "<|startoftext|>", "<|endoftext|>"
LENGTH = 64


def vocabulary() -> dict[str, int]:
    """Each character twice, within a word and at its end, and CLIP's two marks."""
    words = [*CHARACTERS, *(f"{c}</w>" for c in CHARACTERS), START, END]
    return {word: number for number, word in enumerate(words)}


def write_tokenizer(folder: Path) -> None:
    """Write a tokenizer that ``CLIPTokenizer.from_pretrained(folder)`` reads.

    No merges, so that words which were never seen in training ("odd") still differ.
    """
    from transformers import CLIPTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = CLIPTokenizer(vocab=vocabulary(), merges=[], model_max_length=LENGTH)
    tokenizer.save_pretrained(folder)
    # The older pair of files, for libraries that do not read tokenizer.json.
    (folder / "vocab.json").write_text(json.dumps(vocabulary()))
    (folder / "merges.txt").write_text("#version: 0.2\n")
