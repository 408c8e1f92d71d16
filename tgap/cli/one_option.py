"""One option of a group: the text of ``tgap run --help selector=clip_spectral``."""

import dataclasses
import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

import click
import yaml  # type: ignore[import-untyped]

from tgap.cli.overview import (
    WIDEST,
    default_of,
    default_part,
    first_of,
    meaning_of,
    node_of,
    spelled,
    write_components,
)
from tgap.composition.fields import parts_of
from tgap.composition.registry import GROUPS, component_class, conf_folder, names, options
from tgap.core import Component, ConfigError, nearest
from tgap.core.component import BOUNDS, Checked, shown_limit
from tgap.core.words import word

SECTIONS = re.compile("(Args|Returns|Raises|Yields|Attributes):")
"""Parts of a docstring that the settings say again."""
Values = Mapping[str, Any]
MISSING = object()


def write_asked(text: click.HelpFormatter, asked: str) -> None:
    """Write what is asked for behind ``--help``: a group, or one option of it.

    Args:
        text: What is written to.
        asked: ``selector``, or ``selector=clip_spectral``.

    Raises:
        ConfigError: If there is no such group or option; the nearest name is told.
    """
    typed, equals, name = asked.partition("=")
    group = typed.partition("@")[0]
    if group not in (*GROUPS, "profile"):
        groups = [*(known for known in GROUPS if "/" not in known), "profile", "all"]
        raise ConfigError(
            "--help takes nothing, 'all', a group or group=option, "
            f"got '{asked}'{nearest(group, [*GROUPS] if '/' in group else groups)}"
        )
    if not equals:
        write_components(text, group if group == "profile" else first_of(GROUPS[group]))
    elif name in (names(group) if group in GROUPS else []):
        _write_component(text, group, name)
    elif name in options(group):
        _write_preset(text, group, name)
    else:
        raise ConfigError(f"no {group} is named '{name}'{nearest(name, options(group))}")


def _write_component(text: click.HelpFormatter, group: str, name: str) -> None:
    """Write what a component is, its settings and its parts."""
    cls = component_class(group, name)
    text.write_text(f"{spelled(group, name)}={name}")
    text.write_paragraph()
    _write_docstring(text, cls)
    _write_settings(text, cls, group, name, {})


def _write_preset(text: click.HelpFormatter, group: str, name: str) -> None:
    """Write what a preset says of itself, what it sets, and the settings that come of it."""
    preset = (conf_folder() / group / f"{name}.yaml").read_text("utf-8")
    told = " ".join(re.findall("^# (?!@package)(.*)", preset, re.MULTILINE))
    prefix = "" if "# @package _global_" in preset else f"{group}."
    text.write_text(f"{group}={name}")
    text.write_paragraph()
    with text.indentation():
        text.write_text(re.sub(r" ?\b(Source|Command):", r"\n\n\1:", told))
    with text.section("This preset chooses and sets"):
        for words in _preset_words(group, prefix, yaml.safe_load(preset)):
            text.write(f"{' ' * text.current_indent}{words}\n")
    if group == "profile":
        return
    values = _composed(group, name)
    cls = component_class(group, _stem_of(values))
    text.write_paragraph()
    text.write_text(f"It is {group}={cls.stem()} with these settings:")
    text.write_paragraph()
    _write_docstring(text, cls)
    _write_settings(text, cls, group, name, values)


def _write_docstring(text: click.HelpFormatter, cls: type) -> None:
    """Write a class's docstring, wrapped anew, without what the settings say again."""
    with text.indentation():
        for paragraph in inspect.cleandoc(cls.__doc__ or "").split("\n\n"):
            if SECTIONS.match(paragraph):
                continue
            for item in re.split(r"\n(?=- )", paragraph.replace("``", "")):
                text.write_text(" ".join(item.split()))
            text.write_paragraph()
    text.write(f"  Code: {cls.__module__}.{cls.__name__}\n")


def _write_settings(
    text: click.HelpFormatter, cls: type[Component], group: str, name: str, values: Values
) -> None:
    """Write a component's settings with defaults and ranges, and the same of each of its parts."""
    places = [*_places(cls, group, node_of(group, name), values)]
    chosen = [
        (f"{spelled(place.group, name)}={place.stem}", _allowed(place.group))
        for place in places[1:]
    ]
    if chosen:
        with text.section("Parts, each with what may stand there"):
            text.write_dl(chosen, col_max=WIDEST)
    for place, (title, _) in zip(places, [("Settings", ""), *chosen], strict=True):
        rows = [*settings_of(place.cls, place.node, place.values)] if place.cls else []
        if rows:
            with text.section(title):
                text.write_dl(rows, col_max=WIDEST)


def _places(
    cls: type[Component] | None, group: str, node: str, values: Values
) -> Iterator["_Place"]:
    """A component and, after it, its parts and theirs."""
    yield _Place(cls, group, node, values)
    for field in dataclasses.fields(cls) if cls else ():
        nested = f"{group}/{field.name}"
        if nested in GROUPS:
            held = values.get(field.name, MISSING)
            name = default_part(field) if held is MISSING else _stem_of(held)
            part = component_class(nested, name) if name != "null" else None
            inner = held if isinstance(held, Mapping) else {}
            yield from _places(part, nested, f"{node}.{field.name}", inner)


@dataclasses.dataclass(frozen=True)
class _Place:
    """A component, or nothing, where it stands in a run, with the values of its settings."""

    cls: type[Component] | None
    group: str
    node: str
    values: Values

    @property
    def stem(self) -> str:
        """The name by which it is chosen."""
        return self.cls.stem() if self.cls else "null"


def _allowed(group: str) -> str:
    """What may stand at a part's place."""
    first = first_of(GROUPS[group])
    return ", ".join(options(group)) if first == group else f"as {first}="


def settings_of(cls: type[Checked], node: str, values: Values) -> Iterator[tuple[str, str]]:
    """Each setting of a component as ``key=value``, and what it means with what it may be.

    Args:
        cls: The component's class.
        node: Where it stands in a run, e.g. ``selector.cluster``.
        values: Values that are set; the others are the class's defaults.
    """
    held = parts_of(cls)
    for field in dataclasses.fields(cls):
        part, key = held.get(field.name), f"{node}.{field.name}"
        if part is not None and not issubclass(part, Component):
            yield from settings_of(part, key, values.get(field.name) or {})
        elif part is None and "choices" in field.metadata and field.name != "name":
            value = values.get(field.name, MISSING)
            shown = default_of(field) if value is MISSING else _shown(value)
            yield f"{key}={shown}", f"{meaning_of(field)}{_range(field.metadata)}"


def _shown(value: Any) -> str:
    """A composed value as it may be typed; a reference to another setting as it is."""
    if value is None:
        return "null"
    return value if isinstance(value, str) and value.startswith("${") else word(value)


def _range(metadata: Mapping[str, Any]) -> str:
    """The bounds of a setting, in brackets."""
    bounds = [(words, metadata[name]) for name, _, words in BOUNDS if metadata[name] is not None]
    told = ", ".join(f"{words} {shown_limit(limit)}" for words, limit in bounds)
    return f" [{told}]" if told else ""


def _composed(group: str, name: str) -> dict[str, Any]:
    """What a preset makes of its component, its references not put in."""
    from omegaconf import OmegaConf

    from tgap.composition.compose import composed, hydra_ready

    with hydra_ready() as hydra:
        node = OmegaConf.select(composed(hydra, [f"{group}={name}"]), group)
    values: dict[str, Any] = OmegaConf.to_container(node, resolve=False)  # type: ignore[assignment]
    return values


def _stem_of(values: Mapping[str, Any] | None) -> str:
    """The name by which a composed part is chosen."""
    return values["_target_"].split(".")[-2] if values else "null"


def _preset_words(group: str, prefix: str, preset: Mapping[str, Any]) -> Iterator[str]:
    """What a preset's file chooses and sets, as words of a command line."""
    for entry in preset.get("defaults", ()):
        for choice, name in entry.items() if isinstance(entry, dict) else ():
            place = choice.removeprefix("override ")
            place = place[1:] if place.startswith("/") else f"{group}/{place}"
            yield f"{place}={_shown(name)}"
    values = {key: value for key, value in preset.items() if key not in ("defaults", "name")}
    yield from _flat(values, prefix)


def _flat(values: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        elif key != "name":
            yield f"{prefix}{key}={_shown(value)}"
