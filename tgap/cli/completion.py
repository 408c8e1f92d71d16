"""Tab completion: what may stand next on a command line, and the scripts that make shells ask.

Groups, options and keys come from Hydra's own completion, so configs of ``--config-dir`` and the
keys of the components that the line has chosen so far are offered too. Choices and booleans are
added from the components' fields, which Hydra's schema does not know.
"""

import dataclasses
import typing
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from tgap.core.errors import ConfigError, TgapError

if TYPE_CHECKING:
    from hydra._internal.hydra import Hydra
    from omegaconf import DictConfig

    from tgap.core.component import Checked

COMMANDS: dict[str, tuple[str, ...]] = {
    "run": ("--multirun", "--cfg", "--info", "--config-dir", "--hydra-help", "--help"),
    "evaluate": (
        "--synthetic",
        "--real",
        "--tuning",
        "--size",
        "--color",
        "--multirun",
        "--config-dir",
    ),
    "compare": ("--experiment", "--markdown"),
    "data": ("--config-dir",),
    "phantom": ("--images", "--size", "--out", "--seed", "--textbook"),
    "label": ("--images", "--out", "--floor", "--fit", "--config-dir"),
    "ui": ("--port",),
    "sync": (),
    "completion": (),
}
"""Sub-commands and their flags."""
_VALUES: dict[str, tuple[str, ...]] = {
    "--images": (),
    "--size": (),
    "--out": (),
    "--seed": (),
    "--floor": (),
    "--fit": ("crop", "pad", "squash"),
    "--cfg": ("job", "hydra", "all"),
    "--config-dir": (),
    "--port": (),
    "--synthetic": (),
    "--real": (),
    "--tuning": (),
    "--color": ("grey", "rgb"),
    "--experiment": (),
}
"""Flags that take a value, and the values; where there are none, shells complete files."""


def completions(line: str) -> list[str]:
    """What may stand in place of a command line's last word.

    Args:
        line: The command line up to the cursor, ``tgap`` included.

    Returns:
        Whole words, sorted; those that end in ``=``, ``.`` or ``/`` go on. None where a file may
        stand, or the line cannot be understood.

    >>> completions("tgap s"), completions("tgap completion ")
    (['sync'], ['bash', 'fish', 'zsh'])
    """
    *before, word = line.split(" ")
    before = [text for text in before if text][1:]
    if not before:
        return _starting(word, (*COMMANDS, "--help", "--version"))
    command, *before = before
    if before and before[-1] in _VALUES:
        return _starting(word, _VALUES[before[-1]])
    if word.startswith("-"):
        return _starting(word, COMMANDS.get(command, ()))
    if command == "completion":
        return _starting(word, SCRIPTS) if not before else []
    return _overrides(before, word) if command in ("run", "data", "label") else []


def completion_script(shell: str) -> str:
    """The script that a shell sources, e.g. ``eval "$(tgap completion bash)"``.

    Raises:
        ConfigError: If there is none for this shell.
    """
    if shell not in SCRIPTS:
        raise ConfigError(f"completion is there for {', '.join(sorted(SCRIPTS))}, got '{shell}'")
    return SCRIPTS[shell]


def _starting(word: str, candidates: Iterable[str]) -> list[str]:
    return sorted(candidate for candidate in candidates if candidate.startswith(word))


def _overrides(before: Sequence[str], word: str) -> list[str]:
    """What may follow as an override, given the words between ``run`` and it."""
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from tgap.composition.compose import hydra_ready

    key, equals, value = word.partition("=")
    done, comma, rest = value.rpartition(",")  # several values of a sweep: the last is completed
    if rest.startswith((".", "/", "~")):
        return []
    overrides, config_dir = _read(before)
    try:
        with hydra_ready(config_dir) as hydra:
            found = _asked(hydra, overrides, key + equals + rest)
    except (TgapError, HydraException, OmegaConfBaseException, ValueError):
        return []  # an unfinished or mistaken line; running it tells what is wrong
    if comma:
        found = [f"{key}={done},{text.removeprefix(key + '=')}" for text in found]
    return sorted(set(found))


def _read(words: Sequence[str]) -> tuple[list[str], str | None]:
    """The overrides among the words, and the folder of further configs."""
    overrides, config_dir = [], None
    for previous, word in zip(("", *words), words, strict=False):
        if previous == "--config-dir":
            config_dir = word
        elif previous not in _VALUES and not word.startswith("-"):
            overrides.append(word)
    return overrides, config_dir


def _asked(hydra: "Hydra", overrides: list[str], word: str) -> list[str]:
    """Groups and keys as Hydra's completion has them, and the values that a field may take."""
    from hydra._internal.core_plugins.bash_completion import BashCompletion
    from hydra.errors import HydraException
    from hydra.types import RunMode

    from tgap.composition.compose import CONFIG_NAME

    engine = BashCompletion(hydra.config_loader)
    groups, is_option = engine._query_config_groups(word, CONFIG_NAME, overrides)
    found = [name for group in groups for name in _going_on(group)]
    if not is_option:
        try:
            config = hydra.config_loader.load_configuration(
                CONFIG_NAME, overrides, RunMode.MULTIRUN
            )
        except HydraException:  # another word is wrong; the groups are known all the same
            return found
        found += _values(config, word) or _keys(config, engine._get_matches(config, word))
    return [name for name in found if word.startswith("hydra") or not name.startswith("hydra")]


def _going_on(group: str) -> list[str]:
    """A group as Hydra names it; if it has sub-groups, both ways to go on."""
    from tgap.composition import registry

    if group[-1] in "=/" or "=" in group or group.startswith("~"):
        return [group]
    return [f"{group}=", f"{group}/"] if group in registry.GROUPS else [f"{group}/"]


def _keys(config: "DictConfig", matches: Iterable[str]) -> list[str]:
    """Keys without those of the registry; a list is given a value, and not gone into."""
    from omegaconf import OmegaConf

    found = []
    for text in matches:
        if text.endswith(".") and OmegaConf.is_list(OmegaConf.select(config, text[:-1])):
            found.append(f"{text[:-1]}=")
        elif "_target_" not in text:
            found.append(text)
    return found


def _values(config: Any, word: str) -> list[str]:
    """The values that the field of ``key=...`` may take; none if they are not a few."""
    from tgap.composition.config import Run

    key, equals, _ = word.partition("=")
    *path, name = key.split(".")
    cls: type[Checked] | None = Run
    for part in path:
        config = config.get(part)
        if config is None or cls is None:
            return []
        cls = _component(config["_target_"]) if "_target_" in config else _part(cls, part)
    if not equals or cls is None:
        return []
    known = {f.name: f.metadata.get("choices") for f in dataclasses.fields(cls)}
    values = known.get(name) or ()
    if name in known and typing.get_type_hints(cls)[name] is bool:
        values = ("false", "true")
    return _starting(word, [f"{key}={value}" for value in values])


def _part(cls: "type[Checked]", name: str) -> "type[Checked] | None":
    """The class of plain settings in a field."""
    factories = {f.name: f.default_factory for f in dataclasses.fields(cls)}
    part = factories.get(name)
    return part if isinstance(part, type) and dataclasses.is_dataclass(part) else None


def _component(target: str) -> "type[Checked] | None":
    """The component of this path, looked up among those that exist: nothing is imported."""
    from tgap.composition import registry

    for group in registry.GROUPS:
        for name in registry.names(group):
            cls = registry.component_class(group, name)
            if target == f"{cls.__module__}.{cls.__qualname__}":
                return cls
    return None


_BASH = r"""
_tgap() {
    local line=${COMP_LINE:0:COMP_POINT} head= text
    local word=${line##* }
    # Readline replaces only what follows the last of its word breaks, "=" among them.
    if [[ $COMP_WORDBREAKS == *=* && $word == *=* ]]; then head=${word%"${word##*=}"}; fi
    COMPREPLY=()
    while IFS= read -r text; do
        [[ $text ]] || continue
        [[ $text == *[=./] ]] || text+=' '
        COMPREPLY+=("${text#"$head"}")
    done < <("$1" completion query -- "$line" 2>/dev/null)
}
complete -o nospace -o default -F _tgap tgap
"""
_ZSH = r"""
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
_tgap() {
    local -a found
    found=("${(@f)$("$words[1]" completion query -- \
        "${(j: :)words[1,CURRENT-1]} $PREFIX" 2>/dev/null)}")
    found=(${found:#})
    if (( $#found )); then
        compadd -S '' -- ${(M)found:#*[=./]}
        compadd -- ${found:#*[=./]}
    else
        compset -P '*='
        _files
    fi
}
compdef _tgap tgap
"""
_FISH = r"""
function __tgap_complete
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    set -l line (string join ' ' -- $words $word)
    set -l found ($words[1] completion query -- "$line" 2>/dev/null | string match -v '')
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        set -l key (string match -r -- '^[^=]*=' $word)
        for file in (__fish_complete_path (string replace -- "$key" '' $word))
            printf '%s%s\n' "$key" $file
        end
    end
end
complete -c tgap -f -a '(__tgap_complete)'
"""
SCRIPTS = {"bash": _BASH.lstrip(), "zsh": _ZSH.lstrip(), "fish": _FISH.lstrip()}
"""Each asks ``tgap completion query -- <line>``, and completes files if there is no answer."""


def completion(words: Sequence[str]) -> int:
    """Print a shell's script, or, for that script, what may stand next on a line."""
    if len(words) == 3 and words[:2] == ["query", "--"]:
        print("\n".join(completions(words[2])))
    elif len(words) == 1:
        print(completion_script(words[0]), end="")
    else:
        raise ConfigError("tgap completion takes the name of a shell: bash, zsh or fish")
    return 0
