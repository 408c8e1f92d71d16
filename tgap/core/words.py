"""Settings as the words of a command line."""

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

from tgap.core.component import Component


def quoted(text: str) -> str:
    r"""A value as Hydra reads it back, whatever characters it has.

    >>> print(quoted("it's a=b, c"))
    'it\'s a=b, c'
    """
    # Backslashes count only where they stand before a quote.
    escaped = re.sub(r"(\\*)('|$)", lambda end: end[1] * 2 + ("\\'" if end[2] else ""), text)
    return f"'{escaped}'"


def writable(text: str, encoding: str) -> str:
    r"""A text in the characters of an encoding, others escaped, so that its width is as shown.

    >>> print(writable("größe", "ascii"), writable("größe", "utf-8"))
    gr\xf6\xdfe größe
    """
    return text.encode(encoding, "backslashreplace").decode(encoding)


def other_words(name: str) -> str:
    """What to do so that prompts have other words for a label or finding.

    >>> print(other_words("no tumor"), other_words("0"))
    'prompts.wordings={no tumor: other words}' 'prompts.wordings.0=other words'
    """
    if re.fullmatch(r"\w+", name, re.ASCII) and name[0].isdigit():
        return f"'prompts.wordings.{name}=other words'"
    if re.fullmatch(r"[A-Za-z_][\w.+/ -]*", name, re.ASCII):
        return f"'prompts.wordings={{{name}: other words}}'"
    # Hydra takes no other characters in a name.
    return (
        f"prompts=mine --config-dir DIR, with DIR/prompts/mine.yaml of two lines: "
        f"'defaults: [template]' and 'wordings: {{\"{name}\": other words}}'"
    )


def words_of(dataset: Component, node: str, left_out: Sequence[str] = ()) -> list[str]:
    """The words that choose a dataset at a place in a run, defaults left out.

    Args:
        dataset: What is chosen.
        node: Where, such as ``dataset.real``.
        left_out: Settings that are not told.
    """
    words = [f"{node.replace('.', '/')}={dataset.stem()}"]
    for field in dataclasses.fields(dataset):
        value = getattr(dataset, field.name)
        if field.name not in ("name", *left_out) and value not in (field.default, None, []):
            words.append(f"{node}.{field.name}={word(value)}")
    return words


def word(value: Any) -> str:
    """A value as Hydra reads it back, quoted only where it must be."""
    if isinstance(value, list):
        return f"[{','.join(map(word, value))}]"
    if not isinstance(value, str):
        return str(value).lower()
    return value if re.fullmatch(r"[A-Za-z./][\w./-]*", value, re.ASCII) else quoted(value)
