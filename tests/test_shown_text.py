"""No text from outside can be taken for markup: proved on the source of every room.

A widget that is given a ``str`` reads it as markup, or sends what is in it to the terminal as it
is. So in the screens a ``str`` that is not a literal goes nowhere but through ``plain``, or
through ``visible`` into ``Content`` (or beside ``markup=False``).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1] / "healconsole"
SCREENS = sorted((ROOT / "tui").rglob("*.py"))

DRAWN = {"Static", "Label", "Button", "Digits", "Hit", "DiscoveryHit", "Option", "Selection"}
"""Calls whose ``str`` arguments are markup."""
DRAWING = {"update", "notify", "add_row", "add_column", "add_option", "set_content", "write_line"}
"""Methods of widgets whose ``str`` arguments are markup."""
TITLES = {"border_title", "border_subtitle", "tooltip", "title", "sub_title", "label", "help"}
"""Attributes and keywords that are markup."""
TYPED = {"Input", "Field", "TextArea"}
"""Calls whose ``str`` arguments are shown as they are."""
AS_THEY_ARE = {"placeholder", "value"}
FORBIDDEN = {"from_markup", "from_ansi", "render_str", "print_markup"}
NAMED_FUNCTIONS = {"plain"}
MADE_SO = {"visible"} | NAMED_FUNCTIONS


def calls(node: ast.AST) -> str:
    """The last part of the name that a call calls."""
    if not isinstance(node, ast.Call):
        return ""
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def is_displayable(node: ast.expr) -> bool:
    """Whether what ``node`` gives can hold nothing that a terminal obeys."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name.isupper()  # a literal of ours, with a name
        case ast.IfExp(body=one, orelse=other) | ast.BinOp(left=one, right=other):
            return is_displayable(one) and is_displayable(other)
        case ast.JoinedStr(values=values):
            return all(map(is_displayable, values))
        case ast.FormattedValue(value=value):
            return is_displayable(value) or _is_decimal(node)
    if calls(node) == "join":
        return ".join(map(visible," in ast.unparse(node)
    return isinstance(node, ast.Constant | ast.Lambda) or calls(node) in MADE_SO


def is_no_markup(node: ast.expr) -> bool:
    """Whether what ``node`` gives is displayable, and cannot be taken for markup either."""
    if isinstance(node, ast.IfExp):
        return is_no_markup(node.body) and is_no_markup(node.orelse)
    if calls(node) in {"Content", "Text"}:
        assert isinstance(node, ast.Call)
        return all(map(is_displayable, node.args))
    if isinstance(node, ast.JoinedStr):  # of numbers alone
        return all(isinstance(v, ast.Constant) or _is_decimal(v) for v in node.values)
    is_literal = isinstance(node, ast.Constant | ast.Name | ast.Attribute) and is_displayable(node)
    return is_literal or calls(node) in NAMED_FUNCTIONS


def is_of_keys(node: ast.expr) -> bool:
    """Whether ``node`` is a word of a key binding of ours, or something to call."""
    return (isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "key") or (
        isinstance(node, ast.Call) and calls(node) in {"_shown", "_runner"}
    )


def offences(tree: ast.Module) -> Iterator[str]:
    """Places in a module where data might be taken for markup, or sent as it is."""
    draws = any("textual" in name for name in imported(tree))
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Attribute) and node.attr in FORBIDDEN:
            yield f"{line}: {node.attr} reads markup"
        if isinstance(node, ast.Assign):
            for target in node.targets:
                name = getattr(target, "attr", "")
                if name in TITLES and not is_no_markup(node.value):
                    yield f"{line}: .{name} = {ast.unparse(node.value)}"
                if name in AS_THEY_ARE and not is_displayable(node.value):
                    yield f"{line}: .{name} = {ast.unparse(node.value)}"
        if isinstance(node, ast.Call) and draws:
            yield from (f"{line}: {said}" for said in of_call(node))


def of_call(node: ast.Call) -> Iterator[str]:
    """What is wrong with one call."""
    name = calls(node)
    named = {keyword.arg: keyword.value for keyword in node.keywords}
    off = isinstance(named.get("markup"), ast.Constant) and ast.unparse(named["markup"]) == "False"
    fine = is_displayable if off else is_no_markup
    is_method = isinstance(node.func, ast.Attribute)
    if name in DRAWN or (is_method and name in DRAWING):
        for value in node.args:
            if not fine(value) and not is_of_keys(value) and not _is_number(value):
                yield f"{name}({ast.unparse(value)})"
        for keyword, value in named.items():
            if keyword in TITLES and not fine(value) and not is_of_keys(value):
                yield f"{name}({keyword}={ast.unparse(value)})"
    if name in TYPED:
        shown = [*node.args, *(named[one] for one in AS_THEY_ARE & named.keys())]
        yield from (f"{name}({ast.unparse(one)})" for one in shown if not is_displayable(one))


def _is_decimal(node: ast.expr) -> bool:
    """Whether ``node`` is a part of an f-string that only a whole number can fill."""
    spec = node.format_spec if isinstance(node, ast.FormattedValue) else None
    return spec is not None and ast.unparse(spec) == "f'd'"


def _is_number(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "score"


def imported(tree: ast.Module) -> Iterator[str]:
    """The modules that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("path", SCREENS, ids=lambda path: str(path.relative_to(ROOT)))
def test_data_is_never_markup(path: Path) -> None:
    assert list(offences(ast.parse(path.read_text(encoding="utf-8")))) == []


def test_nothing_is_escaped() -> None:
    # Both helpers leave some markup as it is. HTML's and regular expressions' are other things.
    for path in sorted(ROOT.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert not {"rich.markup", "textual.markup"} & set(imported(tree)), path
        for node in ast.walk(tree):
            if calls(node) == "escape":
                assert "html" in imported(tree) or ast.unparse(node).startswith("re."), path


@pytest.mark.parametrize(
    "bad",
    [
        "Static(name)", "Label(f'x {name}')", "Static('a' + name)", "w.update(Content(name))",
        "app.notify(visible(name))", "w.tooltip = name", "w.border_title = f'{name}'",
        "Input(value)", "Input(placeholder=name)", "Text.from_markup(x)", "Button(self.label)",
        "table.add_row(name)", "Hit(1, name, run)", "Static(str(name))", "field.value = name",
        "w.update(visible(name))", "app.notify(name, markup=False)", "Static(name if x else '')",
    ],
)  # fmt: skip
def test_the_rule_finds(bad: str) -> None:
    assert list(offences(ast.parse(f"from textual.app import App\n{bad}")))


@pytest.mark.parametrize(
    "good",
    [
        "Static('esc')", "Label(plain(name))", "w.update(Content(visible(name)))",
        "app.notify(visible(name), markup=False)", "w.tooltip = plain(name)", "Button(self.VERB)",
        "Input(visible(value), placeholder='x')", "w.update(f'{number:d}')",
        "w.update(Content('\\n'.join(map(visible, lines))))",
    ],
)  # fmt: skip
def test_the_rule_lets_pass(good: str) -> None:
    assert not list(offences(ast.parse(f"from textual.app import App\n{good}")))
