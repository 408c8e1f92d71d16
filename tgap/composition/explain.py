"""Hydra's and OmegaConf's errors in words."""

import re
from collections.abc import Callable

from tgap.composition import registry
from tgap.composition.registry import options
from tgap.core import ConfigError, nearest


class UnknownKeyError(Exception):
    """An override of a key or a part that does not exist.

    Args:
        key: With dots.
        problem: A sentence about it, where Hydra's error is enough for one.
    """

    def __init__(self, key: str, problem: str | None = None) -> None:
        super().__init__(problem or key)
        self.key, self.problem = key, problem


class WrongValueError(Exception):
    """An override whose value has the wrong type."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(problem)
        self.key, self.problem = key, problem


REFERENCES = (
    "${...} stands for another setting's value, ${oc.env:NAME} for an environment variable, "
    r"and \${...} for these characters"
)
KINDS = {"Integer": "a whole number", "Float": "a number", "Boolean": "true or false"}


def explained(error: Exception) -> Exception:
    """A Hydra or OmegaConf error in words: a wrong value, or an unknown name."""
    cause = error.__cause__ or error
    text = f"{error}\n{cause}"
    where = _file(text)
    key = re.search(r"full_key: (\S+)", text)
    for pattern, explain in (_WITH_KEY if key else {}).items():
        if key and (found := re.search(pattern, text, re.DOTALL)):
            return WrongValueError(key[1], f"{where}{key[1]} {explain(found)}")
    for pattern, explained_by in _RULES.items():
        if found := re.search(pattern, text, re.DOTALL):
            answer = explained_by(found)
            return ConfigError(where + answer) if isinstance(answer, str) else answer
    if missing := re.search(r"Key '([^']+)' (?:is )?not in", text):
        override = re.search(r"Could not override '([^']+)'", text)
        name = next(match[1] for match in (override, key, missing) if match)
        return UnknownKeyError(name, _unknown_in_file(where, name))
    merging = re.search(r"Error merging override ([^=]+)=", text)
    if merging and error.__cause__ is not None:
        return ConfigError(f"{merging[1]}: {str(cause).splitlines()[0]}")
    return ConfigError(" ".join(line.strip() for line in str(error).splitlines() if line.strip()))


_WITH_KEY: dict[str, Callable[[re.Match[str]], str]] = {
    r"Value '(.*?)' .*?could not be converted to (\w+)": lambda found: (
        f"must be {KINDS.get(found[2], found[2])}, got '{found[1]}'"
    ),
    r"Value '(.*?)' is not a valid bool": lambda found: f"must be true or false, got '{found[1]}'",
    r"Invalid value '(.*?)', expected one of \[(.*?)\]": lambda found: (
        f"must be one of {found[2]}, got '{found[1]}'"
    ),
    r"is not Optional|Incompatible value 'None' for field": lambda _: (
        "must have a value, got null; leave it out for the default"
    ),
    r"Invalid value assigned: (\w+) is not a ListConfig": lambda found: (
        f"must be a list in brackets ([a,b]), got {found[1]}"
    ),
    r"Cannot convert '\w+' to string: '([^\n]*)'": lambda found: (
        f"must be text, got {found[1]}; if brackets or braces belong to the text, quote it "
        "twice: '...=\"...\"'"
    ),
    r"no viable alternative at input '(\$\{.*?)'": lambda found: (
        f"has a reference without its end: {found[1]}; " + REFERENCES
    ),
    r"Invalid type assigned: (\w+) is not a subclass of (\w+)\. value: (\S+)": lambda found: (
        f"has settings of its own, to be set one by one, got {found[3]}"
    ),
    r"Cannot merge DictConfig with ListConfig": lambda _: (
        "has settings of its own, to be set one by one, got a list"
    ),
}
"""What is said of a key's value, by what Hydra and OmegaConf say."""


def _no_option(found: re.Match[str]) -> Exception | str:
    """An option that a group has not; of a file's defaults list perhaps."""
    group, _, name = found[1].rpartition("/")
    if group in (*registry.GROUPS, "profile"):
        broken = registry.load_problem(group, name)
        return broken or f"no {group} is named '{name}'{nearest(name, options(group))}"
    outer, _, inner = group.partition("/")
    if outer == "profile" and inner in registry.GROUPS:
        return f"another group's option is chosen by '- override /{inner}: {name}' in defaults"
    there = re.search(r"Available options in '[^']+':\n(.*?)\n\S", found[0], re.DOTALL)
    more = nearest(name, there[1].split()) if there else ""
    return f"no {group or 'config'} is named '{name}'{more}"


def _no_part(found: re.Match[str]) -> Exception:
    head, _, last = found[1].rpartition("/")
    if not head:
        named = f"no group is named '{last}'{nearest(last, [*registry.GROUPS])}"
        return UnknownKeyError(last, named)
    problem = f"{found[1]}: the {head or 'run'} that is chosen has no part '{last}'"
    return UnknownKeyError(found[1].replace("/", "."), problem)


def _unknown_in_file(file: str, key: str) -> str | None:
    if key.partition(".")[0] == "profile":
        return (
            "the profile's settings are not the run's: the first line of its file must be "
            "'# @package _global_'"
        )
    return f"{file}unknown key '{key}'" if file else None


def _file(text: str) -> str:
    """How a sentence about somebody's own config file begins; of tgap's and Hydra's none does."""
    file = re.search(r"[Ii]n '((\w[\w/]*)/([\w.-]+))'[:,] ", text)
    own = file and (file[2] == "hydra" or file[3] in options(file[2]))
    return f"{file[1]}.yaml: " if file and not own else ""


_RULES: dict[str, Callable[[re.Match[str]], Exception | str]] = {
    r"Error merging override ([^=]+)=.*Key (\d+) \(int\) is incompatible": lambda found: (
        f"{found[1]}: a name that is a number is set by itself: {found[1]}.{found[2]}=..."
    ),
    r"Could not (?:find|load) '([^']*)'.*": _no_option,
    r"Config group override must be a string.* Got NoneType": lambda _: (
        "a group cannot be null: choose an option of it, group=option"
    ),
    r"Could not override '([^'@]+)'\.\s+No match in the defaults list": _no_part,
    # Hydra would say +evaluator=x, which leads nowhere.
    r"Could not override '(\w+)'\.\s+Did you mean to override one of": lambda found: (
        f"{found[1]}: there may be several, each under a name of its own: "
        f"+{found[1]}@{found[1]}s.NAME=... adds one, ~{found[1]}@{found[1]}s.NAME leaves one out"
    ),
    r"Could not override '([^']+)'\.(?:\s+Did you mean.*)?\s+To append .* use (\S+)$": lambda f: (
        f"{f[1]}: nothing of that name is chosen that could be another; to add it, write {f[2]}"
    ),
    r"Could not override '(\w+)@profile\.\w+'": lambda found: (
        f"no group is named '{found[1]}'{nearest(found[1], [*registry.GROUPS])}"
    ),
    r"Multiple values for (\S+)\. To override": lambda found: (
        f"{found[1]}: one is chosen already; choose once, and without a + before it"
    ),
    r"Merge error: (\w+) is not a subclass of (\w+)\. value: (\S+)": lambda found: (
        f"{found[2].lower()} has settings of its own, a line 'name: value' for each, got {found[3]}"
    ),
    r"^(\S+) appears more than once in the final defaults list": lambda found: (
        f"+{found[1]}: one is chosen already; to choose another, leave the + out"
    ),
    r"An item is already at '([^']+)'\.\s+Either remove \+ prefix: '([^']+)'": lambda found: (
        f"+{found[1]}: it is there already; to set it, leave the + out: {found[2]}"
    ),
    r"Could not delete.*'([^']+)'(?: does not exist|\. No match)": lambda found: (
        f"~{found[1]}: there is nothing of that name to leave out"
    ),
    r"Could not delete.* The value of '([^']+)' is (.*) and not (.*?)\.": lambda found: (
        f"~{found[1]}: its value is {found[2]}, not {found[3]}"
    ),
    r"defaults must be a list": lambda _: "defaults must be a list: a line '- option' for each",
    r"Override (\S+?)@(\S*?)=.* looks like a config group override, but": lambda found: (
        f"{found[1]}@{found[2]}: '{found[1]}' is no group{nearest(found[1], [*registry.GROUPS])}; "
        f"a setting is written {found[1]}=..."
    ),
    r"'utf-8' codec can't decode": lambda _: "a config file is not UTF-8 text; save it as UTF-8",
}
"""What is said instead of what Hydra says."""


def unresolved(error: Exception) -> str:
    """An error of ``${...}`` in words."""
    text = str(error)
    key = re.search(r"full_key: (\S+)", text)
    name = re.search(r"Interpolation key '([^']+)' not found", text)
    unset = re.search(r"Environment variable '([^']+)' not found", text)
    wrong = re.search(r"Value '(.*?)' of type '\w+' could not be converted to (\w+)", text)
    if key and wrong:
        return f"{key[1]} must be {KINDS.get(wrong[2], wrong[2])}, got '{wrong[1]}'"
    what = f"there is no setting '{name[1]}'" if name else text.splitlines()[0]
    what = f"the environment variable {unset[1]} is not set" if unset else what
    return (
        f"{key[1] if key else 'the configuration'}: a reference cannot be resolved: {what}; "
        + REFERENCES
    )


def key_of(override: str) -> str:
    """``selector.pick`` of ``+selector/pick=closest``."""
    return override.partition("=")[0].lstrip("+~").replace("/", ".")
