"""Names: of healers, and of the files that a scope has."""

from __future__ import annotations

from healconsole.core.pattern import pattern

_HEALER = pattern(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PLAIN = pattern(r"[A-Za-z0-9_=,@:+-][A-Za-z0-9_=,@:+.-]{0,179}")
_ESCAPE = pattern(rb"%([0-9A-F]{2})")
_STRAY_PERCENT = pattern(r"%(?![0-9A-F]{2})")
_FILE_NAME = pattern(
    r"(?!\.)(?=.{1,180}\Z)(?:[A-Za-z0-9_=,@:+.-]|%[0-9A-F]{2})+(?:%~[0-9a-f]{32})?"
)

_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_=,@:+-.")
_NAMES = tuple(chr(byte) if byte in _SAFE else f"%{byte:02X}" for byte in range(256))

_LONGEST = 180
_KEPT = 100


def is_healer_name(name: str) -> bool:
    """Tell whether a directory of this name can be operated.

    >>> is_healer_name("worker-queue-healer"), is_healer_name("..")
    (True, False)
    """
    return _HEALER.fullmatch(name) is not None


def scope_file_name(scope: str) -> str:
    """Name the file of a scope: safe bytes as they are, others as ``%XX``, long ones hashed.

    Two scopes never share a name, and no name leaves its directory.

    Raises:
        ValueError: the scope is empty or cannot be encoded.

    >>> scope_file_name("restart_worker"), scope_file_name("../etc"), scope_file_name("a b%")
    ('restart_worker', '%2E.%2Fetc', 'a%20b%25')
    >>> len(scope_file_name("x" * 500))
    134
    """
    if _PLAIN.fullmatch(scope):
        return scope
    if not scope:
        raise ValueError("a scope is not empty")
    raw = scope.encode("utf-8", "surrogateescape")
    parts = [_NAMES[byte] for byte in raw]
    if parts[0] == ".":
        parts[0] = "%2E"
    name = "".join(parts)
    if len(name) <= _LONGEST:
        return name
    kept = name[:_KEPT]
    cut = kept.rfind("%", _KEPT - 2)
    if cut >= 0:
        kept = kept[:cut]
    from hashlib import sha256  # loads a crypto library, for the rare long scope

    return f"{kept}%~{sha256(raw).hexdigest()[:32]}"


def scope_of_file(name: str) -> str:
    """Tell the scope that a file stands for; a legacy or hashed name stands for itself.

    >>> scope_of_file("a%20b"), scope_of_file("restart pid=1"), scope_of_file("100%")
    ('a b', 'restart pid=1', '100%')
    """
    if "%" not in name or _STRAY_PERCENT.search(name):
        return name
    quoted = name.encode("utf-8", "surrogateescape")
    raw = _ESCAPE.sub(lambda found: bytes((int(found[1], 16),)), quoted)
    return raw.decode("utf-8", "surrogateescape")


def is_scope_file_name(name: str) -> bool:
    """Tell whether ``scope_file_name`` can have made this name.

    >>> is_scope_file_name("a%20b"), is_scope_file_name("a b"), is_scope_file_name("../x")
    (True, False, False)
    """
    return _FILE_NAME.fullmatch(name) is not None
