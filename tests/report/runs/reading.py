"""Reads a page as browsers and screen readers do."""

from html.parser import HTMLParser
from itertools import pairwise

VOID = ("meta", "link", "img", "br", "hr", "input", "col")


class Page(HTMLParser):
    """What is on a page: ids, headings, pictures, tables' cells, addresses and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.headings: list[tuple[int, str]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: list[list[list[str]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []  # all that was opened was closed

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        assert len(given) == len(attrs), f"{tag} has an attribute twice"
        self.tags.append((tag, given))
        self.ids += [given["id"]] if "id" in given else []
        if tag in ("h1", "h2", "h3", "h4"):
            self.headings.append((int(tag[1]), ""))
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("th", "td"):
            self.tables[-1][-1].append("")
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if self._open and self._open[-1] in ("h1", "h2", "h3", "h4"):
            level, text = self.headings[-1]
            self.headings[-1] = (level, text + data)
        if {"th", "td"} & set(self._open):
            self.tables[-1][-1][-1] += ("" if not self.tables[-1][-1][-1] else " ") + data

    def of(self, *names: str) -> list[dict[str, str | None]]:
        """Attributes of all elements of these names."""
        return [given for tag, given in self.tags if tag in names]


def check(html: str) -> Page:
    """See that a page can be read offline, by everyone."""
    page = Page(html)
    assert html.startswith('<!doctype html>\n<html lang="en">')
    assert len(page.ids) == len(set(page.ids))
    assert not page.of("script", "iframe", "link", "object", "embed")
    assert not [key for _, given in page.tags for key in given if key.startswith("on")]
    for given in (given for _, given in page.tags):
        for name in ("src", "href"):
            address = given.get(name) or "#"
            assert address.startswith(("data:image/", "#")), address
            assert not address.startswith("#") or address == "#" or address[1:] in page.ids
    assert "url(http" not in html
    for given in page.of("img"):
        assert given["alt"]
    for given in page.of("svg"):
        assert given["role"] == "img"
        assert given["aria-label"]
    for given in page.of("th"):
        assert given["scope"] in ("col", "row")
    levels = [level for level, _ in page.headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert len(page.of("table")) == html.count("<caption>")
    regions = [given["aria-label"] for given in page.of("div") if given.get("role") == "region"]
    assert all(given.get("tabindex") == "0" for given in page.of("div") if "role" in given)
    assert len(set(regions)) == len(page.of("table"))
    return page
