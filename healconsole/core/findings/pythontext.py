"""What the syntax tree of a Python program tells. It is parsed, and never run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

_EXIT_CODES: Final = frozenset({"main", "_main", "cli"})
"""Functions whose 0 is an exit code."""
_ACTS: Final = frozenset(
    {
        *("os.kill", "os.remove", "os.unlink", "os.rename", "os.rmdir", "os.system"),
        *("shutil.rmtree", "shutil.move", "signal.pidfd_send_signal"),
    }
)
_RUNS: Final = frozenset(
    {
        *("subprocess.run", "subprocess.call", "subprocess.check_call", "subprocess.Popen"),
        *("subprocess.check_output", "self.command"),
    }
)
_ACTING: Final = frozenset({"restart", "start", "stop", "kill", "reload", "rm", "pkill", "reboot"})

Function = ast.FunctionDef | ast.AsyncFunctionDef


def parsed(text: str) -> ast.Module | None:
    """Return the tree; None if it is no Python of this version."""
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def errors_as_zero(tree: ast.Module) -> list[int]:
    """Return the lines where an except clause returns or assigns 0.

    >>> tree = parsed("def depth():\\n try:\\n  return ask()\\n except OSError:\\n  return 0\\n")
    >>> tree and errors_as_zero(tree)
    [5]
    """
    return sorted(
        statement.lineno
        for scope in _scopes(tree)
        for handler in _own(scope, ast.ExceptHandler)
        if isinstance(handler, ast.ExceptHandler)
        for statement in handler.body
        if isinstance(statement, ast.Return | ast.Assign) and _is_zero(statement.value)
    )


def _scopes(tree: ast.Module) -> Iterator[ast.AST]:
    yield tree
    for node in ast.walk(tree):
        if isinstance(node, Function) and node.name not in _EXIT_CODES:
            yield node


def _own(scope: ast.AST, kind: type[ast.AST]) -> Iterator[ast.AST]:
    """Nodes of a kind within ``scope``, but not within functions in it."""
    for child in ast.iter_child_nodes(scope):
        if isinstance(child, Function):
            continue
        if isinstance(child, kind):
            yield child
        yield from _own(child, kind)


def _is_zero(value: ast.expr | None) -> bool:
    return (
        isinstance(value, ast.Constant) and type(value.value) in {int, float} and value.value == 0
    )


def acts_in_detect(tree: ast.Module) -> list[int]:
    """Return the lines of functions named detect that change the world."""
    return [
        node.lineno
        for function in _functions(tree)
        if function.name.startswith("detect")
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and _acts(node)
    ]


def _acts(call: ast.Call) -> bool:
    name = ast.unparse(call.func)
    if name == "os.kill" and len(call.args) == 2 and _is_zero(call.args[1]):
        return False  # signal 0 asks whether a process lives
    if name in _RUNS:
        texts = {
            word
            for node in ast.walk(call)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
            for word in node.value.split()
        }
        return bool(texts & _ACTING)
    return name in _ACTS


def is_guarded(tree: ast.Module) -> bool:
    """Whether it is a healer on our engine, or acts through a guard of it."""
    return any(
        name in {"Healer", "Guard"}
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "healconsole"
        for name in (alias.name for alias in node.names)
    ) or any(
        alias.name.split(".")[0] == "healconsole"
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    )


def unverified(tree: ast.Module) -> list[int]:
    """Return the lines of healers without a verify, and of those whose verify is always true."""
    found = [
        function.lineno
        for function in _functions(tree)
        if function.name == "verify" and _always_true(function)
    ]
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and _is_healer(node):
            defined = {item.name for item in node.body if isinstance(item, Function)}
            if "act" in defined and "verify" not in defined:
                found.append(node.lineno)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "Healer":
            given = {word.arg for word in node.keywords}
            if "act" in given and "verify" not in given:
                found.append(node.lineno)
    return sorted(found)


def _functions(tree: ast.Module) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def _is_healer(node: ast.ClassDef) -> bool:
    return any(ast.unparse(base).split(".")[-1] == "Healer" for base in node.bases)


def _always_true(function: Function) -> bool:
    body = [
        statement
        for statement in function.body
        if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        and not isinstance(statement, ast.Delete)
    ]
    return (
        len(body) == 1
        and isinstance(body[0], ast.Return)
        and isinstance(body[0].value, ast.Constant)
        and body[0].value.value is True
    )
