"""A CLIP tokenizer over characters: words that were never seen still differ."""

import string
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import CLIPTokenizer

TOKENS = 64  # the longest prompt, with its two end marks
PAD, UNKNOWN, BEGIN, END = "<|pad|>", "<|unknown|>", "<|startoftext|>", "<|endoftext|>"


def make_tokenizer() -> "CLIPTokenizer":
    """Two tokens per printable ASCII character: inside a word, and at its end.

    The end mark has the largest id and the padding id 0, because open_clip reads a text's vector
    at the largest id.
    """
    from transformers import CLIPTokenizer

    visible = string.digits + string.ascii_lowercase + string.punctuation
    entries = [PAD, UNKNOWN, *visible, *(f"{character}</w>" for character in visible), BEGIN, END]
    return CLIPTokenizer(
        vocab={entry: index for index, entry in enumerate(entries)},
        merges=[],
        unk_token=UNKNOWN,
        bos_token=BEGIN,
        eos_token=END,
        pad_token=PAD,
        model_max_length=TOKENS,
    )
