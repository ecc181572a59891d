"""The arrows between the rooms: cli -> tui -> engine -> stores -> core, and never back."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "healconsole"
ROOMS = ("core", "stores", "engine", "tui", "cli")
BESIDE = {"serve": {"core"}}
"""Rooms off the line, which only cli may enter, and what each may import."""
OUTSIDE = {
    "textual": "tui", "rich": "tui", "redis": "stores", "watchfiles": "stores",
    "aiohttp": "serve", "textual_serve": "serve",
}  # fmt: skip
"""Which room alone may import a dependency."""

IMPURE = {
    *("asyncio", "ctypes", "fcntl", "glob", "io", "logging", "multiprocessing", "os", "pathlib"),
    *("pwd", "random", "select", "shutil", "signal", "socket", "subprocess", "sys", "tempfile"),
    *("threading", "time", "urllib"),
}
"""What a pure function has no use for."""

WALL_CLOCKS = {
    *("time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.today"),
    *("datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today"),
    *("date.today", "datetime.date.today"),
}


def _files(room: str) -> list[Path]:
    return sorted((PACKAGE / room).rglob("*.py"))


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of each module that ``path`` imports, also within functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative imports hide the arrow"
            module = node.module or ""
            yield node.lineno, module
            if module == "healconsole":
                yield from ((node.lineno, f"healconsole.{alias.name}") for alias in node.names)


def _modules(room: str) -> list[str]:
    names = []
    for path in _files(room):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return names


def _loaded_by(statements: str) -> set[str]:
    """Names in ``sys.modules`` of a fresh interpreter that ran ``statements``."""
    script = f"{statements}\nimport sys as _s\nprint('\\n'.join(_s.modules), file=_s.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


def _rooms_in(modules: set[str]) -> set[str]:
    parts = (name.split(".") for name in modules if name.startswith("healconsole."))
    return {part[1] for part in parts if part[1] in ROOMS}


@pytest.mark.parametrize("room", ROOMS)
def test_no_import_points_back(room: str) -> None:
    above = ROOMS[ROOMS.index(room) + 1 :]
    wrong = [
        f"{path}:{line}: {room} imports {name}"
        for path in _files(room)
        for line, name in _imports(path)
        if name.startswith("healconsole.")
        and (
            name.split(".")[1] in above
            or (name.split(".")[1] in {"demo", *BESIDE} and room != "cli")
        )
    ]
    assert not wrong


@pytest.mark.parametrize(("room", "known"), BESIDE.items())
def test_a_room_beside_knows_little_and_loads_less(room: str, known: set[str]) -> None:
    wrong = [
        f"{path}:{line}: {room} imports {name}"
        for path in _files(room)
        for line, name in _imports(path)
        if name.startswith("healconsole.") and name.split(".")[1] not in {room, *known}
    ]
    assert not wrong
    pytest.importorskip("aiohttp", reason="needs the extra 'serve'")
    loaded = _loaded_by("\n".join(f"import {name}" for name in _modules(room)))
    assert not loaded & {"textual", "rich", "redis", "watchfiles"}
    assert _rooms_in(loaded) <= known


@pytest.mark.parametrize("room", [*ROOMS, *BESIDE])
def test_a_dependency_is_known_to_one_room(room: str) -> None:
    wrong = [
        f"{path}:{line}: {room} imports {name}; only {OUTSIDE[name.split('.')[0]]} may"
        for path in _files(room)
        for line, name in _imports(path)
        if OUTSIDE.get(name.split(".")[0], room) != room
    ]
    assert not wrong


def test_core_imports_the_standard_library_and_orjson_only() -> None:
    wrong = [
        f"{path}:{line}: {name}"
        for path in _files("core")
        for line, name in _imports(path)
        if name.split(".")[0] not in sys.stdlib_module_names | {"orjson", "healconsole"}
    ]
    assert not wrong


def test_core_imports_nothing_that_does_input_or_output() -> None:
    wrong = [
        f"{path}:{line}: {name}"
        for path in _files("core")
        for line, name in _imports(path)
        if name.split(".")[0] in IMPURE
    ]
    assert not wrong


@pytest.mark.parametrize("room", [*ROOMS[:-1], *BESIDE])
def test_nothing_below_cli_calls_the_wall_clock(room: str) -> None:
    wrong = [
        f"{path}:{node.lineno}: {ast.unparse(node)}"
        for path in _files(room)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in WALL_CLOCKS
    ]
    assert not wrong


@pytest.mark.parametrize("room", ROOMS)
def test_a_fresh_interpreter_loads_a_room_without_those_above_it(room: str) -> None:
    loaded = _loaded_by("\n".join(f"import {name}" for name in _modules(room)))
    assert _rooms_in(loaded) <= set(ROOMS[: ROOMS.index(room) + 1])
    assert "redis" not in loaded, "Redis is for those who speak to one"
    if room != "tui":
        assert not loaded & {"textual", "rich"}


def test_the_package_itself_loads_nothing() -> None:
    loaded = _loaded_by("import healconsole")
    assert not loaded & set(OUTSIDE)
    assert not _rooms_in(loaded)


def test_only_serve_loads_what_serves() -> None:
    loaded = _loaded_by("import healconsole.cli.parser, healconsole.cli.screen")
    assert not loaded & {"aiohttp", "textual_serve", "healconsole.serve"}


@pytest.mark.parametrize("verb", ["status", "explain", "tail", "locks"])
def test_a_look_in_text_loads_neither_textual_nor_redis(verb: str, tmp_path: Path) -> None:
    (tmp_path / "state" / "a-healer" / "cb").mkdir(parents=True)
    (tmp_path / "audit.jsonl").touch()
    argv = [verb, "--state-root", f"{tmp_path}/state", "--audit", f"{tmp_path}/audit.jsonl"]
    argv += ["a-healer"] if verb == "explain" else []
    loaded = _loaded_by(f"from healconsole.cli.main import main\nassert main({argv!r}) == 0")
    assert not loaded & {"textual", "rich", "redis"}


def test_a_read_only_console_never_loads_what_can_write() -> None:
    loaded = _loaded_by(
        "import time\n"
        "from healconsole.stores.config import Config\n"
        "from healconsole.stores.feed import Feed\n"
        "from healconsole.tui.creating import create_app\n"
        "config = Config(read_only=True)\n"
        "create_app(config, lambda sink: Feed(config, time.time, sink), time.time)"
    )
    stores = {"apply", "commit", "writing", "auditlog"}
    assert not loaded & {f"healconsole.stores.{name}" for name in stores}
    assert "healconsole.engine.operators" not in loaded
