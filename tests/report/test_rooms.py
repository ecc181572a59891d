"""The documents are pure, and a report loads nothing that it does not use."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "healconsole"
PURE = {"__future__", "base64", "collections", "dataclasses", "hashlib", "html", "importlib"}
PURE |= {"itertools", "re", "typing", "healconsole"}


def test_documents_import_the_core_and_what_is_pure() -> None:
    for path in sorted((PACKAGE / "report").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                module = node.module or ""
                assert module.split(".")[0] in PURE, f"{path}:{node.lineno}: {module}"
                if module.startswith("healconsole."):
                    assert module.split(".")[1] in {"core", "report"}, f"{path}:{node.lineno}"


def test_a_report_loads_neither_textual_nor_redis(tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").touch()
    words = ["report", "--audit", f"{tmp_path}/audit.jsonl", "--output", f"{tmp_path}/r.html"]
    words += ["--state-root", f"{tmp_path}/state"]
    script = (
        f"import sys\nfrom healconsole.cli.main import main\nassert main({words!r}) == 0\n"
        "assert not {'textual', 'rich', 'redis'} & set(sys.modules), 'not needed'"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
