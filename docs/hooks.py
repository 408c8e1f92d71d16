"""What the site makes of pages and docstrings that Markdown alone would show wrongly."""

import re
from typing import Any

import griffe

OUTSIDE = re.compile(r"\[([^\]]+)\]\((?:\.\./[^)]*|examples|examples/conf/[^)]*)\)")
"""Links to the source and to folders, which a checkout has and a site has not."""
DOCTEST = re.compile(r"^>>>.*?(?=\n\n|\Z)", re.DOTALL | re.MULTILINE)


def on_page_markdown(markdown: str, **context: Any) -> str:
    """A page, links out of ``docs/`` being their text alone."""
    return OUTSIDE.sub(r"\1", markdown)


class Doctests(griffe.Extension):
    """Shows examples in docstrings as code; Markdown would take them for quotations."""

    def on_object(self, *, obj: griffe.Object, **context: Any) -> None:
        """Fence the examples of one docstring."""
        if obj.docstring is not None:
            obj.docstring.value = DOCTEST.sub("```pycon\n\\g<0>\n```", obj.docstring.value)
