"""What there is to choose and to set: the text of ``tgap run --help`` and ``--help all``."""

import dataclasses
import re
from textwrap import shorten, wrap
from typing import Any

import click
import yaml  # type: ignore[import-untyped]

from tgap.composition.config import Run
from tgap.composition.fields import parts_of
from tgap.composition.registry import GROUPS, component_class, conf_folder, names, options
from tgap.core import Component, ConfigError, nearest
from tgap.core.component import Checked
from tgap.core.words import word

FIRST = (
    "size seed selector finetuner dataset generator budget.steps budget.train_per_label "
    "budget.test_per_label sampler.guidance"
).split()
"""What people change first: settings, and groups of components."""
EXAMPLES = (
    "tgap run size=200 selector=clip_spectral",
    "tgap run -m size=100,500 seed=0,1,2 selector=random,clip_spectral",
    "tgap run profile=xray dataset.path=/data/nih",
)
MORE = (
    "All settings: tgap run --help all; one option: tgap run --help selector=clip_spectral; "
    "all commands: tgap list"
)
"""The end of the help of ``tgap run``."""
WIDEST = 46
"""Characters of ``key=default`` that its meaning still stands beside."""


def write_start(context: click.Context, text: click.HelpFormatter) -> None:
    """Write what people change first, the options of the run's groups, and examples: a screen."""
    context.command.format_usage(context, text)
    defaults, rows = _defaults(), _settings(Run, "")
    for group in set(FIRST) & set(GROUPS):
        meaning = _summary(GROUPS[group]).partition(":")[0]
        rows[group] = (f"{group}={defaults[group][0]}", meaning[0].lower() + meaning[1:])
    with text.section("What people change first"):
        text.write_dl([rows[name] for name in FIRST])
    with text.section("Examples"):
        text.write("".join(f"  {example}\n" for example in EXAMPLES))
    names = {group: dict.fromkeys([*first, *options(group)]) for group, first in defaults.items()}
    with text.section("Components and presets (group=option), the default first"):
        text.write_dl([(group, ", ".join(allowed)) for group, allowed in names.items()])
    flags = [p for p in context.command.params if isinstance(p, click.Option) and not p.hidden]
    text.write_paragraph()
    text.write_text(f"Flags: {', '.join(flag.opts[-1] for flag in flags)}")
    text.write_text(MORE)


def write_all(context: click.Context, text: click.HelpFormatter) -> None:
    """Write every flag, every setting, and every component with its settings and parts."""
    context.command.format_usage(context, text)
    context.command.format_options(context, text)
    text.write_paragraph()
    text.write_text(MORE)
    rows = _settings(Run, "")
    rows = {name: rows[name] for name in FIRST if name in rows} | rows
    with text.section("Settings (key=value, several values with commas and -m)"):
        text.write_dl([*rows.values()], col_max=WIDEST)
    for base in dict.fromkeys(GROUPS.values()):
        first, *others = (group for group in GROUPS if GROUPS[group] is base)
        with text.section(f"{spelled(first)}="):
            also = f"; also for {', '.join(map(spelled, others))}" if others else ""
            text.write_text(_summary(base) + also)
            _write_options(first, text)
    with text.section("profile="):
        text.write_text("Many settings at once")
        _write_options("profile", text)


def write_components(text: click.HelpFormatter, chosen: str | None = None) -> None:
    """Write each group's presets and components, a line each.

    Args:
        text: What is written to.
        chosen: One group only.

    Raises:
        ConfigError: If there is no such group.
    """
    groups = {first_of(base): base for base in dict.fromkeys(GROUPS.values())}
    if chosen is not None and chosen not in (*groups, "profile"):
        raise ConfigError(f"there is no group '{chosen}'{nearest(chosen, [*groups, 'profile'])}")
    for group, base in groups.items():
        if chosen in (None, group):
            heading = f"{spelled(group)}= ({_summary(base)})"
            with text.section("\n".join(wrap(heading, text.width - 1))):  # a colon comes behind it
                _write_lines(group, text, whole=chosen is not None)
    if chosen in (None, "profile"):
        with text.section("profile= (Many settings at once)"):
            _write_lines("profile", text, whole=chosen is not None)


def _write_lines(group: str, text: click.HelpFormatter, *, whole: bool) -> None:
    """Write what may stand behind a group, a line each unless it is to be told whole."""
    lines = {name: _line(group, name) for name in options(group)}
    room = text.width - text.current_indent - max(map(len, lines)) - 2
    text.write_dl(
        [
            (name, line if whole else shorten(line, room, placeholder=" ..."))
            for name, line in lines.items()
        ]
    )


def first_of(base: type[Component]) -> str:
    """The first group in which components of a base may stand."""
    return next(group for group, other in GROUPS.items() if other is base)


def _line(group: str, name: str) -> str:
    """What a component or preset is."""
    if group in GROUPS and name in names(group):
        return _summary(component_class(group, name))
    return _summary_of_preset(group, name)


def _write_options(group: str, text: click.HelpFormatter) -> None:
    """Write a group's presets, and its components with their settings and parts."""
    components = names(group) if group in GROUPS else []
    for name in options(group):
        text.write_paragraph()
        if name not in components:
            text.write_dl([(name, _summary_of_preset(group, name))])
            continue
        cls = component_class(group, name)
        text.write_dl([(name, _summary(cls))])
        with text.indentation():
            rows = [*_settings(cls, node_of(group, name) + ".").values(), *_parts(cls, group, name)]
            if rows:
                text.write_dl(rows, col_max=WIDEST)


def node_of(group: str, name: str) -> str:
    """Where a component stands in a run: at its group, or of several by a name of its own."""
    if group.partition("/")[0] == "evaluator":
        return group.replace("evaluator", f"evaluators.{name}").replace("/", ".")
    return group.replace("/", ".")


def spelled(group: str, name: str = "NAME") -> str:
    """A group as a command line has it: ``selector``, ``evaluator@evaluators.NAME``."""
    node = node_of(group, name)
    return group if node == group.replace("/", ".") else f"{group}@{node}"


def _settings(cls: type[Checked], prefix: str) -> dict[str, tuple[str, str]]:
    """Settings by key: ``key=default``, and what it means; components are left out."""
    rows: dict[str, tuple[str, str]] = {}
    parts = parts_of(cls)
    for field in dataclasses.fields(cls):
        key, part = prefix + field.name, parts.get(field.name)
        if part is not None and not issubclass(part, Component):
            rows |= _settings(part, f"{key}.")
        elif part is None and "choices" in field.metadata and field.name != "name":
            rows[key] = (f"{key}={default_of(field)}", meaning_of(field))
    return rows


def default_of(field: "dataclasses.Field[Any]") -> str:
    """A setting's default as it may be typed."""
    if shared := field.metadata["shared"]:
        return f"${{{shared}}}"
    if field.default_factory is not dataclasses.MISSING:
        return word(field.default_factory())
    return "null" if field.default is None else word(field.default)


def meaning_of(field: "dataclasses.Field[Any]") -> str:
    """A setting's help, with the values that it may take unless they stand there already."""
    meaning, choices = field.metadata["help"], field.metadata["choices"] or ()
    named = all(choice in meaning for choice in choices)
    return meaning if named else f"{meaning} ({', '.join(choices)})"


def _parts(cls: type[Component], group: str, name: str) -> list[tuple[str, str]]:
    """A component's own components: their group with the default, and what else may stand there."""
    rows = []
    for field in dataclasses.fields(cls):
        nested = f"{group}/{field.name}"
        if nested in GROUPS:
            base = GROUPS[nested]
            first = next(other for other in GROUPS if GROUPS[other] is base)
            allowed = ", ".join(options(nested)) if first == nested else f"as {first}="
            rows.append((f"{spelled(nested, name)}={default_part(field)}", allowed))
    return rows


def default_part(field: "dataclasses.Field[Any]") -> str:
    """The name of the component that stands in a field when nothing is said."""
    if field.default_factory is not dataclasses.MISSING:
        return str(field.default_factory().stem())
    return str(field.metadata.get("choice") or "null")


def _defaults() -> dict[str, list[str]]:
    """What is chosen when nothing is said, by group; of evaluators there are several."""
    config = yaml.safe_load((conf_folder() / "config.yaml").read_text("utf-8"))
    defaults: dict[str, list[str]] = {}
    for entry in config["defaults"]:
        for group, name in entry.items() if isinstance(entry, dict) else ():
            defaults.setdefault(group.partition("@")[0], []).append(name)
    return defaults


def _summary(cls: type) -> str:
    """The first sentence of a docstring."""
    return _sentence((cls.__doc__ or "").replace("``", ""))


def _summary_of_preset(group: str, name: str) -> str:
    """The first sentence of a preset's file, which says what it is."""
    lines = (conf_folder() / group / f"{name}.yaml").read_text("utf-8").splitlines()
    return _sentence(" ".join(line[2:] for line in lines if re.match("# (?!@package)", line)))


def _sentence(text: str) -> str:
    """The first sentence of a text, without its full stop."""
    (paragraph, *_) = text.split("\n\n")
    return re.split(r"(?<!\.)(?<!\bal)\.(?:\s|$)", " ".join(paragraph.split()), maxsplit=1)[0]
