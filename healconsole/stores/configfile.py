"""One TOML file of the configuration, and where in it a value stands."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

from healconsole.core.frozen import Frozen, field
from healconsole.core.pattern import pattern
from healconsole.stores.files import Missing, Unreadable, open_dir, read_name
from healconsole.stores.toml import parse_toml

FILE_LIMIT: Final = 1 << 20
"""Most bytes of a file."""

_TABLE: Final = pattern(r"\s*\[\s*([A-Za-z0-9_-]+)\s*\]")
_KEY: Final = pattern(r"""\s*["']?([A-Za-z0-9_.-]+?)["']?\s*=""")


class ConfigError(Exception):
    """The configuration cannot be taken; one sentence with the place and the mend."""


class Place(Frozen):
    """Where a value stands: a flag, a variable, or a line of a file."""

    where: str
    base: Path | None = None
    """What a relative path is relative to; None = the working directory."""

    def error(self, wrong: str, instead: str) -> ConfigError:
        """The error that says what is wrong here, and what to write instead."""
        return ConfigError(f"{self.where}: {wrong}; write {instead}")


class ConfigFile(Frozen):
    """A file as it was read. Keys are spelled with ``_``, as the fields are."""

    path: Path
    values: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""

    @classmethod
    def load(cls, path: Path, *, required: bool = False) -> ConfigFile:
        """Read ``path``; one that is not there is empty, unless it is ``required``.

        Raises:
            ConfigError: it cannot be read, or is no TOML.
        """
        try:
            fd_path = path.resolve() if path.is_symlink() else path
            raw = _read(fd_path)
        except Missing:
            if required:
                raise ConfigError(f"{path}: there is no such file; name one that is") from None
            return cls(path)
        except Unreadable as error:
            raise ConfigError(f"{path}: {error.why}; mend it or name another file") from error
        try:
            values = parse_toml(raw)
        except ValueError as error:
            raise ConfigError(f"{path}: no valid TOML: {error}; mend that line") from error
        return cls(
            path, {key.replace("-", "_"): value for key, value in values.items()}, raw.decode()
        )

    def place(self, key: str, table: str = "") -> Place:
        """Where ``key`` of ``table`` stands, with its line."""
        line = self._line(key, table)
        name = f"[{table}] {key}" if table else key
        where = f"{self.path}: line {line}: {name}" if line else f"{self.path}: {name}"
        return Place(where, self.path.parent)

    def table(self, name: str) -> Mapping[str, Any]:
        """The table ``name``, empty if it is not there.

        Raises:
            ConfigError: it is something else than a table.
        """
        value = self.values.get(name, {})
        if not isinstance(value, dict):
            raise self.place(name).error("must be a table", f"[{name}] and its keys below")
        return value

    def refuse_unknown(self, known: Collection[str]) -> None:
        """Refuse a key that means nothing: a slip would go unnoticed.

        Raises:
            ConfigError: there is one.
        """
        for key in self.values:
            if key not in known:
                raise self.place(key).error("is not known", f"one of {', '.join(sorted(known))}")

    def _line(self, key: str, table: str) -> int | None:
        current = ""
        for number, line in enumerate(self.text.splitlines(), start=1):
            header = _TABLE.match(line)
            if header:
                current = header[1]
                if not table and current.replace("-", "_") == key:
                    return number
                continue
            found = _KEY.match(line)
            if found and self._names(found[1], current, key, table):
                return number
        return None

    @staticmethod
    def _names(found: str, current: str, key: str, table: str) -> bool:
        spelled = f"{current}.{found}" if current else found
        wanted = f"{table}.{key}" if table else key
        return spelled.replace("-", "_") == wanted.replace("-", "_")


def _read(path: Path) -> bytes:
    fd = open_dir(path.parent)
    try:
        return read_name(fd, path.name, FILE_LIMIT)[0]
    finally:
        os.close(fd)
