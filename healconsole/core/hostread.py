"""What a host published, read. It comes from a host that may lie: all of it is data.

What does not match its format is refused: a line costs its healer, a header the whole document.
The records inside go through the parsers of the files that they come from.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import orjson

from healconsole.core.auditline import AuditEvent
from healconsole.core.auditparse import parse_line
from healconsole.core.breaker import parse_breaker
from healconsole.core.bucket import parse_bucket
from healconsole.core.claim import parse_claim
from healconsole.core.cycle import parse_cycle, policy_from_mapping
from healconsole.core.fields import MAX_EPOCH
from healconsole.core.frozen import Frozen, replace
from healconsole.core.hostdoc import (
    DOC_MAX,
    HEALERS_MAX,
    INTENTS_MAX,
    PARTS_MAX,
    PROBLEMS_MAX,
    TEXT_MAX,
    is_host_name,
)
from healconsole.core.marker import parse_marker
from healconsole.core.override import parse_override
from healconsole.core.records import ClaimRecord, Corrupt, MarkerRecord
from healconsole.core.request import Request
from healconsole.core.requestdoc import REQUESTS_MAX, read_request
from healconsole.core.scopes import is_healer_name
from healconsole.core.snapshot import (
    PARTS,
    CatalogEntry,
    HealerState,
    Heartbeat,
    ScopedBreaker,
    ScopedBucket,
)
from healconsole.core.words import Library

T = TypeVar("T")

RUNNABLE: Final = ("(the command that the host's own catalog names)",)
"""In place of a command: what is run there, only that host's catalog says."""

_KEY: Final = re.compile(r"[0-9a-f]{64}")
_MARKERS_MAX: Final = 999_999_999
_PID_MAX: Final = 4_194_304


class Malformed(ValueError):  # noqa: N818 - a state of a document, told on the screen
    """A document or a line does not match its format; the message says what of it."""


class Header(Frozen):
    """The first line of a document."""

    host: str
    at: float
    """Epoch seconds on the clock of that host."""
    healers: int
    left_off: int
    problems: tuple[str, ...]
    requests: tuple[Request, ...]


def split_document(raw: bytes, host: str) -> tuple[Header, list[bytes]]:
    """Return the header of a document, and the lines of its healers, unread.

    Args:
        raw: the document.
        host: whose it is said to be.

    Raises:
        Malformed: it is not there, is too large, is another host's, or its header is none.
    """
    if not raw:
        raise Malformed("is gone from Redis")
    if len(raw) > DOC_MAX:
        raise Malformed(f"is larger than {DOC_MAX} bytes")
    first, *lines = raw.split(b"\n")
    if not lines or lines.pop() != b"":
        raise Malformed("does not end with a whole line")
    found = _loaded(first, "header")
    if found.get("v") != 1:
        raise Malformed("has a header of another version")
    if found.get("host") != host:
        raise Malformed("is of another host")
    header = Header(
        host=host,
        at=_number(found, "at", MAX_EPOCH),
        healers=_whole(found, "healers", HEALERS_MAX),
        left_off=_whole(found, "left_off", _MARKERS_MAX),
        problems=tuple(_texts(found, "problems", PROBLEMS_MAX)),
        requests=_requests(found, host),
    )
    if header.healers != len(lines):
        raise Malformed(f"has {len(lines)} healers, and says {header.healers}")
    return header, lines


def _requests(found: Mapping[str, Any], host: str) -> tuple[Request, ...]:
    if "requests" not in found:  # told by an older program
        return ()
    try:
        listed = _list(found, "requests", REQUESTS_MAX)
        return tuple(read_request(request, host) for request in listed)
    except ValueError as error:
        raise Malformed("has a request that does not match its format") from error


def read_healer_line(line: bytes, host: str) -> HealerState:
    """Return the healer of one line.

    Raises:
        Malformed: the line does not match its format.
    """
    found = _loaded(line, "line")
    name = _text(found, "name")
    if not name or len(name) > 255 or "/" in name:
        raise Malformed("a healer without a name")
    try:
        return _healer(found, name, host)
    except Malformed as error:
        if not is_healer_name(name):
            raise
        problem = f"what {host} publishes of it does not match its format ({error})"
        return HealerState(name, "", problem=problem, unread=PARTS, host=host)


def publishable(host: object) -> str | None:
    """The name of a host as Redis gave it, None if it is no host's."""
    if isinstance(host, bytes):
        name = host.decode("ascii", "replace")
        return name if is_host_name(name) else None
    return None


def _healer(found: Mapping[str, Any], name: str, host: str) -> HealerState:
    return HealerState(
        name=name,
        path=_text(found, "path"),
        library=_library(found),
        problem=_text(found, "problem"),
        unread=_unread(found),
        absent=found.get("absent") is True,
        cycle=_record(found.get("cycle"), parse_cycle, "cycle.json"),
        heartbeat=_heartbeat(found.get("heartbeat")),
        hold=_record(found.get("hold"), parse_override, "hold"),
        dry_run=_record(found.get("dry_run"), parse_override, "dry-run"),
        breakers=tuple(
            ScopedBreaker(scope, _present(raw, parse_breaker, file), file)
            for scope, file, raw in _scoped(found, "breakers")
        ),
        buckets=tuple(
            ScopedBucket(scope, _present(raw, parse_bucket, file), file)
            for scope, file, raw in _scoped(found, "buckets")
        ),
        claims=tuple(_claim(claim) for claim in _list(found, "claims", PARTS_MAX)),
        markers_total=_whole(found, "markers", _MARKERS_MAX),
        marker_keys=_keys(found),
        marked=_marked(found),
        daemon_pid=None
        if found.get("daemon_pid") is None
        else _whole(found, "daemon_pid", _PID_MAX),
        catalog=_entry(found.get("catalog"), name),
        last=_event(found.get("last")),
        intents=tuple(_texts(found, "intents", INTENTS_MAX)),
        host=host,
    )


def _unread(found: Mapping[str, Any]) -> frozenset[str]:
    if "unread" not in found:  # told by an older program
        return frozenset()
    return PARTS.intersection(_texts(found, "unread", len(PARTS)))


def _record(
    value: object, parse: Callable[[bytes, str], T | Corrupt], path: str
) -> T | Corrupt | None:
    return None if value is None else _present(value, parse, path)


def _present(value: object, parse: Callable[[bytes, str], T | Corrupt], path: str) -> T | Corrupt:
    if isinstance(value, str):
        return parse(value.encode("utf-8"), path)
    return _corrupt(value)


def _corrupt(value: object) -> Corrupt:
    if not isinstance(value, dict):
        raise Malformed("a record is neither a line nor corrupt")
    return Corrupt(_text(value, "path"), _text(value, "corrupt"))


def _heartbeat(value: object) -> Heartbeat | Corrupt | None:
    if value is None:
        return None
    if isinstance(value, dict):
        return _corrupt(value)
    if not isinstance(value, list) or len(value) != 2 or value[1] not in {"cycle.json", "textfile"}:
        raise Malformed("heartbeat")
    return Heartbeat(_finite(value[0], "heartbeat", MAX_EPOCH), value[1])


def _scoped(found: Mapping[str, Any], key: str) -> list[tuple[str, str, object]]:
    parts = []
    for part in _list(found, key, PARTS_MAX):
        if not isinstance(part, list) or len(part) != 3:
            raise Malformed(key)
        parts.append((_plain(part[0], key), _plain(part[1], key), part[2]))
    return parts


def _claim(value: object) -> ClaimRecord | Corrupt:
    if not isinstance(value, list):
        return _corrupt(value)
    if len(value) != 3 or type(value[0]) is not int or type(value[1]) is not bool:
        raise Malformed("claims")
    if not 0 <= value[0] <= _PID_MAX or not isinstance(value[2], str):
        raise Malformed("claims")
    claim = parse_claim(value[2].encode("utf-8"), value[0])
    if claim is None:
        raise Malformed("claims")
    return replace(claim, alive=value[1]) if isinstance(claim, ClaimRecord) else claim


def _keys(found: Mapping[str, Any]) -> frozenset[str]:
    keys = _list(found, "marker_keys", PARTS_MAX)
    if not all(isinstance(key, str) and _KEY.fullmatch(key) for key in keys):
        raise Malformed("marker_keys")
    return frozenset(keys)


def _marked(found: Mapping[str, Any]) -> tuple[MarkerRecord | Corrupt, ...]:
    if "marked" not in found:  # told by an older program
        return ()
    return tuple([_marker(one) for one in _list(found, "marked", 2)])


def _marker(value: object) -> MarkerRecord | Corrupt:
    if not isinstance(value, list):
        return _corrupt(value)
    if len(value) != 3 or not isinstance(value[0], str) or not isinstance(value[2], str):
        raise Malformed("marked")
    if not _KEY.fullmatch(value[0]) or type(value[1]) is not int or not 0 <= value[1] <= MAX_EPOCH:
        raise Malformed("marked")
    return parse_marker(value[2].encode("utf-8"), value[0], value[1])


def _entry(value: object, name: str) -> CatalogEntry | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise Malformed("catalog")
    policy, interval = value.get("policy"), value.get("interval")
    if policy is not None and not isinstance(policy, dict):
        raise Malformed("catalog")
    try:
        limits = None if policy is None else policy_from_mapping(policy, "policy")
    except ValueError as error:
        raise Malformed("catalog") from error
    return CatalogEntry(
        name=name,
        path=_text(value, "path"),
        command=RUNNABLE if value.get("runnable") is True else (),
        description=_text(value, "description"),
        owner=_text(value, "owner"),
        runbook=_text(value, "runbook"),
        unit=_text(value, "unit"),
        user=_text(value, "user"),
        stage=_text(value, "stage"),
        interval=None if interval is None else _finite(interval, "interval", MAX_EPOCH),
        policy=limits,
        problem=_text(value, "problem"),
    )


def _event(value: object) -> AuditEvent | None:
    if value is None:
        return None
    event = parse_line(orjson.dumps(value), 0)
    if not isinstance(value, dict) or not isinstance(event, AuditEvent):
        raise Malformed("last")
    if value.get("until") is not None:
        _whole(value, "until", MAX_EPOCH)
    return event


def _loaded(line: bytes, what: str) -> Mapping[str, Any]:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"has a {what} that is not JSON") from error
    if not isinstance(found, dict):
        raise Malformed(f"has a {what} that is no object")
    return found


def _library(found: Mapping[str, Any]) -> Library:
    try:
        return Library(_text(found, "library"))
    except ValueError as error:
        raise Malformed("library") from error


def _text(found: Mapping[str, Any], key: str) -> str:
    return _plain(found.get(key), key)


def _plain(value: object, key: str) -> str:
    if not isinstance(value, str) or len(value) > TEXT_MAX:
        raise Malformed(key)
    return value


def _texts(found: Mapping[str, Any], key: str, most: int) -> list[str]:
    return [_plain(text, key) for text in _list(found, key, most)]


def _list(found: Mapping[str, Any], key: str, most: int) -> list[Any]:
    value = found.get(key)
    if not isinstance(value, list) or len(value) > most:
        raise Malformed(key)
    return value


def _whole(found: Mapping[str, Any], key: str, highest: int) -> int:
    value = found.get(key)
    if type(value) is not int or not 0 <= value <= highest:
        raise Malformed(key)
    return value


def _number(found: Mapping[str, Any], key: str, highest: int) -> float:
    return _finite(found.get(key), key, highest)


def _finite(value: object, key: str, highest: int) -> float:
    if type(value) not in {int, float} or not math.isfinite(value):  # type: ignore[arg-type]
        raise Malformed(key)
    number = float(value)  # type: ignore[arg-type]
    if not 0 <= number <= highest:
        raise Malformed(key)
    return number
