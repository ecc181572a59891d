"""The catalog: what an administrator says of healers, from files that nobody else can write.

A catalog entry names a command that the console runs. So an entry counts only if neither its
file nor any directory or link on the way to it can be written by others than root and the
caller. An entry that does not count says why, and how to mend it; it is never half used.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from healconsole.core.cycle import policy_from_mapping
from healconsole.core.frozen import replace
from healconsole.core.records import Policy
from healconsole.core.scopes import is_healer_name
from healconsole.core.snapshot import CatalogEntry
from healconsole.stores.files import Missing, Unreadable, open_dir, read_name
from healconsole.stores.toml import parse_toml
from healconsole.stores.trust import Untrusted, check_file, open_trusted_dir

ENTRY_LIMIT: Final = 65_536
"""Most bytes of an entry."""
SUFFIX: Final = ".toml"

_TEXTS: Final = ("description", "owner", "runbook", "unit", "user", "stage")
_KNOWN: Final = ("command", *_TEXTS, "interval", "environment", "policy")


class CatalogError(Exception):
    """The catalog as a whole cannot be read; the message says why and what to do."""


def load_catalog(folder: str | os.PathLike[str]) -> dict[str, CatalogEntry]:
    """All entries of the catalog by healer; a catalog that is not there is empty.

    An entry that cannot be read or trusted has its ``problem`` and nothing else.

    Raises:
        CatalogError: the directory cannot be read.
    """
    path = os.path.abspath(folder)  # noqa: PTH100 - links are judged, not resolved
    try:
        fd, problem = _open(path)
        try:
            names = sorted(os.listdir(fd))  # noqa: PTH208 - of a descriptor
            healers = [name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX)]
            entries = [
                CatalogEntry(healer, f"{path}/{healer}{SUFFIX}", problem=problem)
                for healer in healers
                if is_healer_name(healer)
            ]
            return {entry.name: _load(fd, entry) for entry in entries}
        finally:
            os.close(fd)
    except Missing:
        return {}
    except Unreadable as error:
        raise CatalogError(f"catalog {path}: {error.why}") from error
    except OSError as error:
        raise CatalogError(f"catalog {path}: {(error.strerror or '').lower()}") from error


def _open(path: str) -> tuple[int, str]:
    """The catalog's directory, and why it cannot be trusted, if so."""
    try:
        return open_trusted_dir(path), ""
    except Untrusted as error:
        return open_dir(path), str(error)


def _load(folder_fd: int, entry: CatalogEntry) -> CatalogEntry:
    if entry.problem:
        return entry
    name = f"{entry.name}{SUFFIX}"
    path = entry.path
    try:
        raw, info = read_name(folder_fd, name, ENTRY_LIMIT)
        check_file(info, path)
        return _parse(entry, raw)
    except Missing:
        return replace(entry, problem=f"{path} is gone")
    except Unreadable as error:
        return replace(entry, problem=f"{path}: {error.why}")
    except Untrusted as error:
        return replace(entry, problem=str(error))
    except ValueError as error:
        return replace(entry, problem=f"{path}: {error}")


def _parse(entry: CatalogEntry, raw: bytes) -> CatalogEntry:
    found = parse_toml(raw)
    for key in found:
        if key not in _KNOWN:
            raise ValueError(f"unknown key {key!r}; known are {', '.join(_KNOWN)}")
    texts = {key: _text(found, key) for key in _TEXTS}
    return replace(
        entry,
        command=_command(found.get("command", [])),
        environment=_environment(found.get("environment", {})),
        interval=_interval(found.get("interval")),
        policy=_policy(found.get("policy")),
        **texts,
    )


def _text(found: Mapping[str, Any], key: str) -> str:
    value = found.get(key, "")
    if not isinstance(value, str):
        raise ValueError(f"{key} must be a text, not {value!r}")  # noqa: TRY004 - a bad file
    return value


def _command(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
        raise ValueError('command must be a list of texts, such as ["/usr/local/sbin/x", "--once"]')
    if value and not value[0].startswith("/"):
        raise ValueError(f"command must begin with an absolute path, not {value[0]!r}")
    if any("\0" in part for part in value):
        raise ValueError("command holds a NUL byte")
    return tuple(value)


def _environment(value: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise ValueError('environment must be a table of texts, such as { QUEUE = "jobs" }')
    for name, text in value.items():
        if not name or "=" in name or "\0" in name + text:
            raise ValueError(f"environment holds no variable by the name {name!r}")
    return tuple(value.items())


def _interval(value: object) -> float | None:
    if value is None:
        return None
    if type(value) not in {int, float} or not 0 < value <= 31_536_000:  # type: ignore[operator]
        raise ValueError(f"interval must be seconds, more than 0 and at most a year, not {value!r}")
    return float(value)  # type: ignore[arg-type]


def _policy(value: object) -> Policy | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise ValueError("[policy] must be a table")  # noqa: TRY004 - a bad file
    return policy_from_mapping(value, "[policy]")
