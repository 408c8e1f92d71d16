"""What the site makes of pages and docstrings that Markdown alone would show wrongly."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import griffe

from tgap.cli.one_option import settings_of
from tgap.cli.overview import node_of
from tgap.composition.registry import GROUPS, own_components

OUTSIDE = re.compile(r"\[([^\]]+)\]\((?:\.\./[^)]*|examples|examples/conf/[^)]*)\)")
"""Links to the source and to folders, which a checkout has and a site has not."""
DOCTEST = re.compile(r"^>>>.*?(?=\n\n|\Z)", re.DOTALL | re.MULTILINE)


def on_page_markdown(markdown: str, page: Any, **context: Any) -> str:
    """A page; links out of ``docs/`` are their text alone, and lists of the source are filled."""
    lists = {"api_components.md": components, "api_metrics.md": metrics}
    if page.file.src_uri in lists:
        markdown += "\n\n".join(["", *lists[page.file.src_uri]()])
    return OUTSIDE.sub(r"\1", markdown)


def on_post_page(output: str, **context: Any) -> str:
    """A page whose search has a name."""
    return output.replace('role="dialog"', 'role="dialog" aria-label="Search"')


def on_post_template(output_content: str, **context: Any) -> str:
    """The page of what is not found, which is no page of its own."""
    return on_post_page(output_content)


def components() -> Iterator[str]:
    """Every component that comes with tgap, with its settings; those of several groups once."""
    first = {base: group for group, base in reversed(GROUPS.items())}.values()
    for group in (group for group in GROUPS if group in first):
        yield f"## {group}="
        for name, cls in own_components(group).items():
            yield (
                f"::: {cls.__module__}.{cls.__name__}\n"
                "    options: {show_signature: false, members: false}"
            )
            rows = [*settings_of(cls, node_of(group, name), {})]
            lines = [f"| `{key}` | {meaning} |".replace("'|'", "'\\|'") for key, meaning in rows]
            yield "\n".join(["| setting | meaning |", "|---|---|", *lines] if lines else [])


def metrics() -> Iterator[str]:
    """Every module of metrics."""
    for file in sorted((Path(__file__).parents[1] / "tgap" / "metrics").glob("[!_]*.py")):
        yield f"## {file.stem}"
        yield f"::: tgap.metrics.{file.stem}\n    options: {{show_root_heading: false}}"


class Doctests(griffe.Extension):
    """Shows examples in docstrings as code; Markdown would take them for quotations."""

    def on_object(self, *, obj: griffe.Object, **context: Any) -> None:
        """Fence the examples of one docstring."""
        if obj.docstring is not None:
            obj.docstring.value = DOCTEST.sub("```pycon\n\\g<0>\n```", obj.docstring.value)
