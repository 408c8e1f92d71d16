"""Words as people type them, put into Hydra's grammar.

That grammar takes few characters outside quotes, and a shell takes one pair of quotes away. A value
that it cannot read is the text that was typed: it could mean nothing else.
"""

import dataclasses
import re
import shlex
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from tgap.composition import registry
from tgap.composition.config import Run
from tgap.composition.registry import options
from tgap.core import ConfigError, nearest
from tgap.core.files import expanded
from tgap.core.words import quoted

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override
    from omegaconf import DictConfig

NAMES = (
    "Hydra takes letters of English, digits, _, . and / in it; other names can be set in a YAML "
    "file of a --config-dir"
)
SETTINGS = [
    f.name
    for f in dataclasses.fields(Run)
    if f.name not in (*registry.GROUPS, "evaluators", "external")
]
TWO_WORDS = re.compile(r"\s[+~]*[A-Za-z_][\w./@]*=")
BRACKETS = {"(": ")", "[": "]", "{": "}"}


def readable(words: Sequence[str], *, several: bool = False) -> list[str]:
    """Words that Hydra reads, each with the meaning of what was typed; most are as they were.

    Args:
        words: As typed, each a word of the shell.
        several: Whether a word may have several values, as those of a sweep may.

    Raises:
        ConfigError: With every word that means nothing, and what to write instead.
    """
    read: list[str] = []
    problems: list[str] = []
    for place, typed in enumerate(words):
        try:
            read.append(_readable(typed))
        except ConfigError as error:
            problems += error.problems
            if "=" not in typed and place and "=" in words[place - 1]:
                both = shlex.quote(f"{words[place - 1]} {typed}")
                problems[-1] += (
                    f"; if it belongs to the override before it, quote both together: {both}"
                )
            continue
        if not several and parsed(read[-1]).is_sweep_override():
            problems.append(_several_values(typed))
    if problems:
        raise ConfigError(*problems)
    return read


def require_options(overrides: Sequence["Override"]) -> None:
    """See that each word for a group chooses one option of it, and none leaves a setting out.

    Hydra would name neither the group nor its options, and would take a setting's default.
    """
    from hydra.core.override_parser.types import QuotedString

    problems = []
    for override in overrides:
        key, package = override.key_or_group, override.package
        group = None if package else key
        if group in (*registry.GROUPS, "profile") and not override.is_delete():
            value = override.value()
            if isinstance(value, str) and ("/" in value or value.startswith(".")):
                problems.append(f"no {group} is named '{value}'{nearest(value, options(group))}")
            elif not (isinstance(value, str | dict | QuotedString) or override.is_sweep_override()):
                _, typed = _divided(str(override.input_line))
                problems.append(
                    f"{group} must be one option, got {typed}{nearest(typed, options(group))}"
                )
        elif override.is_delete() and group in SETTINGS:
            problems.append(
                f"~{key}: a setting cannot be left out; leave it out for its default, or "
                f"write {key}=..."
            )
    if problems:
        raise ConfigError(*problems)


def require_texts(overrides: Sequence["Override"], config: "DictConfig") -> None:
    """See that no text is read as a number or a truth value, and written in another way then.

    Args:
        overrides: Of values.
        config: What they are put into; its nodes know which fields are texts.

    Raises:
        ConfigError: With the words that keep the texts, e.g. for ``dataset.domain=1e3``.
    """
    problems = []
    for override in overrides:
        key, typed = override.key_or_group, str(override.input_line).partition("=")[2].strip()
        if override.is_delete() or not _is_text(config, key):
            continue
        value = override.value()
        values = value if isinstance(value, list) else [value]
        texts = _elements(typed[1:-1]) if isinstance(value, list) else [typed]
        changed = [
            text
            for one, text in zip(values, texts, strict=False)
            if isinstance(one, bool | int | float) and str(one) != text
        ]
        if changed:
            kept = ",".join(f'"{text}"' if text in changed else text for text in texts)
            kept = f"[{kept}]" if isinstance(value, list) else kept
            problems.append(
                f"{override.input_line}: Hydra reads {', '.join(changed)} as a number or a truth "
                "value, and would write it in another way; quote it: "
                + shlex.quote(f"{key}={kept}")
            )
    if problems:
        raise ConfigError(*problems)


def _is_text(config: "DictConfig", key: str) -> bool:
    """Whether a field is a text, or a list of texts."""
    from omegaconf import DictConfig, ListConfig, OmegaConf, StringNode

    path, _, name = key.rpartition(".")
    parent = OmegaConf.select(config, path) if path else config
    if not isinstance(parent, DictConfig) or name not in parent:
        return False
    node = parent._get_node(name)
    return isinstance(node, StringNode) or (
        isinstance(node, ListConfig) and node._metadata.element_type is str
    )


def in_shell(key: str, value: str) -> str:
    """A word that a shell hands on so that Hydra reads a value as it is.

    >>> print(in_shell("dataset.path", "/data/a, b"))
    'dataset.path="/data/a, b"'
    """
    plain = '"' not in value and not value.endswith("\\")
    return shlex.quote(f"{key}=" + (f'"{value}"' if plain else quoted(value)))


def _readable(typed: str) -> str:
    key, equals, value = typed.partition("=")
    if not equals and not typed.startswith("~"):
        raise ConfigError(_no_value(typed))
    if key.lstrip("+~").startswith("."):
        raise ConfigError(f"'{key}' cannot be a key on the command line: {NAMES}")
    if not key.strip("+~"):
        raise ConfigError(
            f"'{typed}' has no key before '=': an override is key=value or group=option"
        )
    if _error(typed) is None:
        return typed
    if _error(f"{key}=x") is not None:
        return _of_odd_key(key, value)
    word = f"{key}={_value(typed, value)}"
    if error := _error(word):
        raise ConfigError(_unreadable(typed, error))
    return word


def _value(typed: str, value: str) -> str:
    """A value that Hydra reads: lists and choices part by part, other text in quotes."""
    value = value.strip()
    if not value or _error(f"key={value}") is None:
        return value
    parts = _elements(value)
    if "" in parts:
        raise ConfigError(
            f"{typed}: there is nothing before or behind a comma; leave the comma out, or quote "
            f"it if it belongs to the value: {in_shell(*_divided(typed))}"
        )
    if len(parts) > 1:
        return ",".join(_value(typed, part) for part in parts)
    if value.startswith("[") and value.endswith("]"):
        return f"[{','.join(_value(typed, part) for part in _elements(value[1:-1]))}]"
    pairs = [part.partition(":") for part in _elements(value[1:-1])]
    if value.startswith("{") and value.endswith("}") and all(colon for _, colon, _ in pairs):
        return f"{{{','.join(_pair(typed, name, content) for name, _, content in pairs)}}}"
    if TWO_WORDS.search(value):
        raise ConfigError(
            f"{typed}: these are several overrides in one; give each by itself, or, if all of it "
            f"is one value, quote it: {in_shell(*_divided(typed))}"
        )
    if value.startswith(("'", '"')) or _is_call(value):
        raise ConfigError(_unreadable(typed, _error(f"key={value}") or ""))
    # A shell leaves ~ behind "=", and Hydra would make a folder of that name.
    return quoted(str(expanded(value)) if typed.startswith("hydra.") else value)


def _pair(typed: str, name: str, content: str) -> str:
    if _error(f"key={{{name}:x}}") is not None:
        raise ConfigError(f"{typed}: '{name}' cannot be a name on the command line: {NAMES}")
    return f"{name}:{_value(typed, content)}"


def _elements(text: str) -> list[str]:
    """A text, divided at the commas that stand in no brackets and no quotes."""
    parts, open_, quote = [""], "", ""
    for sign in text:
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"" and parts[-1].rstrip()[-1:] in ("", *"[{(:,"):
            quote = sign
        elif sign in BRACKETS:
            open_ += BRACKETS[sign]
        elif open_.endswith(sign) and open_:
            open_ = open_[:-1]
        if sign == "," and not open_ and not quote:
            parts.append("")
        else:
            parts[-1] += sign
    return [text] if open_ or quote else [part.strip() for part in parts]


def _is_call(value: str) -> bool:
    """Whether it is meant to be one of Hydra's functions, such as ``range(1,9)``."""
    from hydra.core.override_parser.overrides_parser import create_functions

    name = re.match(r"(\w+)\(", value)
    return name is not None and name[1] in create_functions().functions


def _of_odd_key(key: str, value: str) -> str:
    """A word whose last name has characters that Hydra takes in braces only.

    Raises:
        ConfigError: If it takes them nowhere.
    """
    head, dot, last = key.rpartition(".")
    word = f"{head}={{{last}: {_value(f'{key}={value}', value)}}}"
    if dot and _error(word) is None:
        return word
    raise ConfigError(f"'{key}' cannot be a key on the command line: {NAMES}")


def _no_value(typed: str) -> str:
    """What to write instead of a word without ``=``."""
    if typed in registry.GROUPS:
        return f"'{typed}' does not say which: {typed}=... (one of: {', '.join(options(typed))})"
    rule = f"'{typed}' is no key=value and no group=option"
    if Path(typed).exists() or typed.startswith(("/", "./", "../", "~")):
        return f"{rule}; to read images from a path, write {shlex.quote(f'dataset.path={typed}')}"
    keys = [f.name for f in dataclasses.fields(Run)]
    if typed in keys:
        return f"'{typed}' has no value: write {typed}=..., or leave it out for the default"
    hint = nearest(typed, [*registry.GROUPS, *keys]).partition(" (")[0]
    return f"{rule}{hint}; examples: size=100, selector=random (tgap run --help has more)"


def _several_values(typed: str) -> str:
    key, value = _divided(typed)
    return (
        f"{typed} has several values: add -m to sweep over them, or, if all of it is one value, "
        f"quote it: {in_shell(key, value)}"
    )


def _unreadable(typed: str, error: str) -> str:
    return (
        f"{typed} cannot be read ({error}); if the value is meant as it stands, quote it: "
        f"{in_shell(*_divided(typed))}"
    )


def _divided(typed: str) -> tuple[str, str]:
    key, _, value = typed.partition("=")
    return key, value


@lru_cache(maxsize=1024)
def parsed(word: str) -> "Override":
    """A word that Hydra reads, as it reads it; what a pattern matches is not looked up."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    return OverridesParser.create().parse_override(word)


def _error(word: str) -> str | None:
    """What keeps Hydra from reading a word; its own words for it, the first line of them."""
    from hydra.errors import HydraException

    try:
        parsed(word)
    except HydraException as error:
        return str(error).splitlines()[0]
    return None
