"""Hydra's and OmegaConf's errors in words."""

import re

from tgap.composition import registry
from tgap.composition.registry import options
from tgap.core import ConfigError, nearest


class UnknownKeyError(Exception):
    """An override of a key that does not exist."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class WrongValueError(Exception):
    """An override whose value has the wrong type."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(problem)
        self.key, self.problem = key, problem


def explained(error: Exception) -> Exception:
    """A Hydra or OmegaConf error in words: a wrong value, or an unknown name."""
    cause = error.__cause__ or error
    text = f"{error}\n{cause}"
    group = re.search(r"Could not find '([\w/]+)/([\w.-]+)'", text)
    if group and group[1] in (*registry.GROUPS, "profile"):
        broken = registry.load_problem(group[1], group[2])
        return broken or ConfigError(
            f"no {group[1]} is named '{group[2]}'{nearest(group[2], options(group[1]))}"
        )
    several_values = re.search(r"Ambiguous value for argument '([^']+)'", text)
    if several_values:
        return ConfigError(f"{several_values[1]} has several values: add -m to sweep over them")
    override = re.search(r"Could not override '([^']+)'", text)
    part = re.search(r"Could not override '([^']+)'\.\s+No match in the defaults list", text)
    if part:
        head, _, last = part[1].rpartition("/")
        return ConfigError(f"{part[1]}: the {head or 'run'} that is chosen has no part '{last}'")
    named = re.search(r"Could not override '(\w+)'\.\s+Did you mean to override one of", text)
    if named:  # Hydra would say +evaluator=x, which leads nowhere
        several = f"{named[1]}@{named[1]}s.NAME"
        return ConfigError(
            f"{named[1]}: there may be several, each under a name of its own: +{several}=... adds "
            f"one, ~{several} leaves one out"
        )
    missing = re.search(r"Key '([^']+)' (?:is )?not in", text)
    if missing:
        return UnknownKeyError(override[1] if override else missing[1])
    value = re.search(r"Value '(.*?)' .*?could not be converted to (\w+)", text, re.DOTALL)
    full_key = re.search(r"full_key: (\S+)", text)
    if value and full_key:
        kind = {"Integer": "a whole number", "Float": "a number", "Boolean": "true or false"}
        wanted = kind.get(value[2], value[2])
        return WrongValueError(full_key[1], f"{full_key[1]} must be {wanted}, got '{value[1]}'")
    merging = re.search(r"Error merging override ([^=]+)=", text)
    if merging and error.__cause__ is not None:
        return ConfigError(f"{merging[1]}: {str(cause).splitlines()[0]}")
    return ConfigError(" ".join(line.strip() for line in str(error).splitlines() if line.strip()))


def key_of(override: str) -> str:
    """``selector.pick`` of ``+selector/pick=closest``."""
    return override.partition("=")[0].lstrip("+~").replace("/", ".")
