"""No message shows the name of a variable in braces, where its value was meant."""

import ast
import builtins
import re
from collections.abc import Iterator

from tests.test_imports import MODULES

FIELD = re.compile(r"\{([A-Za-z_]\w*)[^{}]*\}")


def bound(node: ast.AST) -> Iterator[str]:
    """Names that a module or a function gives to something, those of its inner functions too."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            yield inner.id
        elif isinstance(inner, ast.arg):
            yield inner.arg
        elif isinstance(inner, ast.alias):
            yield (inner.asname or inner.name).partition(".")[0]
        elif isinstance(inner, ast.FunctionDef | ast.ClassDef | ast.ExceptHandler) and inner.name:
            yield inner.name


def lost_fields(source: str) -> list[tuple[int, str]]:
    """Literals in functions with the name in braces of something that is known there.

    Such as the second line of an f-string that lacks its own f. What is filled in by ``format`` at
    once is meant so; templates at the top of a module know nobody's variables.
    """
    tree = ast.parse(source)
    outer = [node for node in tree.body if not isinstance(node, ast.FunctionDef | ast.ClassDef)]
    top = {name for node in outer for name in bound(node)}
    lost = []
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        known = {*dir(builtins), *top, *bound(function)}
        fine = {ast.get_docstring(function, clean=False)} | {
            node.value.value
            for node in ast.walk(function)
            if isinstance(node, ast.Attribute)
            and node.attr == "format"
            and isinstance(node.value, ast.Constant)
        }
        lost += [
            (node.lineno, field[0])
            for node in ast.walk(function)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and node.value not in fine
            for field in FIELD.finditer(node.value)
            if field[1] in known
        ]
    return lost


def test_every_field_of_a_message_is_filled_in() -> None:
    lost = {name: lost_fields(file.read_text("utf-8")) for name, file in MODULES.items()}
    assert {name: fields for name, fields in lost.items() if fields} == {}


def test_a_lost_f_is_found() -> None:
    source = 'REMEDY = "x"\ndef f(a):\n    raise E(f"{a} is wrong; " "{REMEDY}, got {len(a)}")\n'
    assert [field for _, field in lost_fields(source)] == ["{REMEDY}", "{len(a)}"]
    assert lost_fields('def f(a):\n    """{a}"""\n    return "{a} {{b}} {c}".format(a=a)\n') == []
