"""The site builds, is whole and loads nothing from elsewhere; what it quotes is what tgap says."""

import ast
import html
import os
import re
import subprocess
import sys
import textwrap
import tomllib
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import pytest

import tgap
from tgap.composition import registry

PYTHON = re.DOTALL | re.MULTILINE
ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
HOUSE_WORDS = re.compile(
    r"\b(legs?|arms?|floors?)\b|\b(the|these|such|same) words of (a|the) (run|command)", re.I
)
"""What readers know by other names: see the glossary's evaluation, method, reference, override."""
LOADED = re.compile(
    r"<(?:script|link|img|iframe|source)\b[^>]*?(?:src|href)=[\"']?(https?:)?//", re.I
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; a warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    words = ["-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 40
    for page in pages:
        assert not LOADED.search(page.read_text("utf-8")), page
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?https?:|@import [\"']?https?:", sheet.read_text("utf-8"))


def test_links_and_anchors_of_the_site_lead_somewhere(site: Path) -> None:
    texts = {page: page.read_text("utf-8") for page in site.rglob("*.html")}
    anchors = {page: set(re.findall(r'\bid="([^"]+)"', text)) for page, text in texts.items()}
    checked = 0
    for page, text in texts.items():
        for address in set(re.findall(r'(?:href|src)="([^"]+)"', text)):
            path, _, anchor = unquote(html.unescape(address)).partition("#")
            if ":" in path or page.name == "404.html":  # of the web, or from a server's root
                continue
            target = (page.parent / path).resolve() if path else page
            assert target.exists(), f"{page.name}: {address}"
            assert not anchor or anchor in anchors.get(target, {anchor}), f"{page.name}: {address}"
            checked += 1
    assert checked > 2000


def test_pages_can_be_read_by_everyone(site: Path) -> None:
    for page in site.glob("*.html"):
        text = page.read_text("utf-8")
        body = text[text.index("<article") :] if "<article" in text else ""
        for image in re.findall(r"<img\b[^>]*>", body):
            assert re.search(r'alt="[^"]{8,}"', image), f"{page.name}: {image}"
        levels = [int(level) for level in re.findall(r"<h([1-6])\b", body)]
        assert all(after <= before + 1 for before, after in pairwise(levels)), page.name
        assert levels.count(1) <= 1, page.name
        assert not re.search(r"<th[^>]*>\s*</th>", body), f"{page.name}: a column without a name"
        assert 'role="dialog" aria-label="Search"' in text


def test_docstrings_are_on_the_pages(site: Path) -> None:
    assert 'id="tgap.sweep"' in (site / "api.html").read_text("utf-8")
    assert 'id="tgap.selectors.base.Selector"' in (site / "api_bases.html").read_text("utf-8")
    text = (site / "api_metrics.html").read_text("utf-8")
    assert '<span class="gp">&gt;&gt;&gt; </span>' in text  # examples are code, not quotations


def test_every_page_is_in_the_navigation() -> None:
    text = (ROOT / "mkdocs.yml").read_text("utf-8")
    named = set(re.findall(r"[\w]+\.md", text[text.index("\nnav:") :]))
    assert {page.name for page in DOCS.glob("*.md")} <= named


def test_every_component_and_every_module_of_metrics_has_its_place(site: Path) -> None:
    components = (site / "api_components.html").read_text("utf-8")
    for group in registry.GROUPS:
        for cls in registry.own_components(group).values():
            assert components.count(f'id="{cls.__module__}.{cls.__name__}"') == 1
    assert "<code>finetuner.rank=16</code>" in components
    assert "[at least 1]" in components
    metrics = (site / "api_metrics.html").read_text("utf-8")
    for file in (ROOT / "tgap" / "metrics").glob("[!_]*.py"):
        assert f'id="tgap.metrics.{file.stem}"' in metrics


def test_every_way_to_add_has_a_page_with_an_example() -> None:
    project = tomllib.loads((DOCS / "examples" / "pyproject.toml").read_text("utf-8"))
    examples = {name for group in project["project"]["entry-points"].values() for name in group}
    pages = "".join(page.read_text("utf-8") for page in DOCS.glob("add_*.md"))
    assert examples == {name for name in examples if f"examples/tgap_example/{name}.py" in pages}
    linked = (DOCS / "add.md").read_text("utf-8")
    for page in DOCS.glob("add_*.md"):
        assert f"({page.name})" in linked


def test_links_of_the_readme_lead_somewhere() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert len(text.splitlines()) <= 120
    for target in re.findall(r"\]\(([^)#]+)", text):
        assert (ROOT / target).exists(), target
    for page in re.findall(r"`(docs/[\w*]+\.md)`", text):
        assert list(ROOT.glob(page)), page


def test_installation_names_every_extra() -> None:
    text = (DOCS / "install.md").read_text("utf-8")
    rows = "".join(re.findall(r"^\| (`[^|]*) \|", text[text.index("## Extras") :], re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert set(re.findall(r"`(\w+)`", rows)) == set(project["optional-dependencies"])


def test_architecture_names_the_packages_and_files_that_there_are() -> None:
    text = (DOCS / "architecture.md").read_text("utf-8")
    layers = re.findall(r"^(?:run\.py|\|) .*", text, re.MULTILINE)[:2]
    packages = {path.parent.name for path in (ROOT / "tgap").glob("*/__init__.py")}
    assert packages == set(re.findall(r"\w+", "".join(layers))) - {"run", "py", "tgap"}
    files = re.findall(r"`([\w/]+\.py)`", text)
    assert len(files) > 20
    for file in files:
        assert (ROOT / file).exists() or list((ROOT / "tgap").rglob(file)), file


def test_python_on_the_pages_is_python_and_names_what_tgap_has() -> None:
    blocks = [
        textwrap.dedent(block)
        for page in [ROOT / "README.md", *DOCS.glob("*.md")]
        for block in re.findall(r"^ *```python\n(.*?)^ *```$", page.read_text("utf-8"), PYTHON)
    ]
    assert len(blocks) >= 5
    for node in (node for block in blocks for node in ast.walk(ast.parse(block))):
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "tgap":
            assert hasattr(tgap, node.attr), node.attr


def said_by_tgap() -> str:
    """All texts in tgap's source, what is filled in being a zero byte."""
    texts = []
    for file in (ROOT / "tgap").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (p.value if isinstance(p, ast.Constant) else "\0" for p in node.values)
                texts.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    return "\n".join(texts)


def test_errors_in_the_questions_are_tgaps_own() -> None:
    quotes = re.findall(r"```text\n(.*?)\n```", (DOCS / "faq.md").read_text("utf-8"), re.DOTALL)
    assert len(quotes) >= 20
    said = said_by_tgap()
    for quote in quotes:
        for part in filter(str.strip, quote.split("...")):
            assert part.strip("'") in said, quote


def test_pages_and_messages_use_the_fields_words() -> None:
    for page in [ROOT / "README.md", *DOCS.glob("*.md")]:
        prose = re.sub(r"`[^`\n]+`", "", page.read_text("utf-8"))  # code may name its own
        assert not HOUSE_WORDS.search(prose), f"{page.name}: {HOUSE_WORDS.search(prose)}"
    for text in messages():
        assert not HOUSE_WORDS.search(text), text


def test_docstrings_on_the_pages_use_the_fields_words() -> None:
    texts = [
        text for file in published() for text in docstrings(ast.parse(file.read_text("utf-8")))
    ]
    assert len(texts) > 600
    for text in texts:
        assert not HOUSE_WORDS.search(prose_of(text)), text


def test_prose_is_without_code_and_names_of_arguments() -> None:
    text = """Of a ``leg``.

    >>> leg
    'arm'

    Args:
        floor: Of `legs`.
    """
    assert HOUSE_WORDS.search(text)
    assert not HOUSE_WORDS.search(prose_of(text))
    assert HOUSE_WORDS.search(prose_of("Of a leg."))
    assert HOUSE_WORDS.search(prose_of("    floor: What the floor is."))


def published() -> set[Path]:
    """Files with docstrings that the site shows: named on its pages, components, and metrics."""
    pages = "".join(page.read_text("utf-8") for page in DOCS.glob("api*.md"))
    named = re.findall(r"^::: ([\w.]+)", pages, re.MULTILINE)
    for group in registry.GROUPS:
        named += [cls.__module__ for cls in registry.own_components(group).values()]
    files = {file_of(name) for name in named}
    return files | set((ROOT / "tgap" / "metrics").glob("[!_]*.py"))


def file_of(name: str) -> Path:
    """Where something is defined, by the dotted name of its module or of what is in it."""
    path = ROOT.joinpath(*name.split("."))
    for file in (path / "__init__.py", path.with_suffix(".py"), path.parent.with_suffix(".py")):
        if file.exists():
            return file
    raise AssertionError(f"nothing is called {name}")


def docstrings(tree: ast.AST) -> list[str]:
    """Of a module, of what is public in it, and of constants."""
    found = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            found += [node.value.value] if isinstance(node.value.value, str) else []
        elif isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            found += docstrings(node)
    return found


def prose_of(docstring: str) -> str:
    """A docstring without examples, code and the names of arguments."""
    text = re.sub(r"^ *>>>.*?(?=\n\n|\Z)", "", docstring, flags=PYTHON)
    return re.sub(r"`[^`\n]+`|^ +\w+: ", "", text, flags=re.MULTILINE)


def messages() -> list[str]:
    """Texts of tgap's source that are sentences: no names, no docstrings, no code."""
    found = []
    for file in (ROOT / "tgap").rglob("*.py"):
        tree = ast.parse(file.read_text("utf-8"))
        bare = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        found += [
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in bare
            and " " in node.value.strip()
            and ".legs()" not in node.value
        ]
    assert len(found) > 2000
    return found
