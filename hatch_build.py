"""Build hook: the wheel carries the man pages of its own parser, for share/man/man1."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ManPages(BuildHookInterface):
    """Writes the pages before a wheel is made, and removes them after."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the pages to what the wheel installs. The parser needs the standard library only."""
        del version
        if self.target_name != "wheel":
            return
        sys.path.insert(0, self.root)
        from healconsole.cli.manpage import man_pages
        from healconsole.cli.parser import build_parser

        self._folder = tempfile.TemporaryDirectory()
        for name, text in man_pages(build_parser(), self.metadata.version).items():
            path = Path(self._folder.name) / name
            path.write_text(text, encoding="utf-8")
            build_data["shared_data"][str(path)] = f"share/man/man1/{name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was written."""
        del version, build_data, artifact_path
        if self.target_name == "wheel":
            self._folder.cleanup()
