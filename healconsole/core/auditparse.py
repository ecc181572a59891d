"""One line of the audit log, read and written."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from healconsole.core.auditchain import LINK_ROOM
from healconsole.core.auditline import EMPTY_MAP, AuditEvent, AuditLine, UnparsableLine
from healconsole.core.text import encodable

LINE_MAX = 65_536
"""Bytes of one line as written, newline and link of the chain included."""

_EVENT_MAX = LINE_MAX - LINK_ROOM

READ_MAX = 4 * LINE_MAX
"""Bytes of a line that is still parsed. Legacy writers know no limit; memory does."""

RAW_MAX = 4_096
"""Bytes kept of a line that did not parse."""

_CUT_ORDER = ("fact", "reason", "intent", "before", "after", "incident", "scope")


def parse_line(raw: bytes, offset: int) -> AuditLine:
    """Return the event that the line `raw` at byte `offset` holds, or why it holds none.

    Never raises: any line is shown. Fields of an unexpected type become their JSON text.
    """
    if len(raw) > READ_MAX:
        return _unparsable(raw, offset, f"{len(raw)} bytes long, more than {READ_MAX} are not read")
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        return _unparsable(raw, offset, _why(raw, error))
    if not isinstance(found, dict):
        return _unparsable(raw, offset, f"JSON, but {_kind(found)} and not an object")
    if "ts" not in found and "outcome" not in found and "healer" not in found:
        return _unparsable(raw, offset, "an object with neither ts, healer nor outcome")
    return _event(found, raw, offset)


def parse_ts(text: str) -> float | None:
    """Return the epoch seconds of an ISO 8601 time with an offset; None if it is no instant.

    >>> parse_ts("2025-11-24T16:00:00.500+00:00")
    1764000000.5
    >>> parse_ts("2025-11-24 16:00:00") is None
    True
    """
    try:
        at = datetime.fromisoformat(text)
        # Without an offset the writer's zone is a guess, and a wrong guess moves an event by hours.
        return None if at.tzinfo is None else at.timestamp()
    except (ValueError, OverflowError):
        return None


def format_event(
    *,
    ts_text: str,
    host: str,
    healer: str,
    outcome: str,
    intent: str = "",
    reason: str = "",
    fact: str = "",
    scope: str = "",
    key: str = "",
    guard: str = "",
    pid: int = 0,
    duration_ms: int = 0,
    dry_run: bool = False,
    trigger: str = "",
    count: int = 1,
    until: int = 0,
    operator: Mapping[str, Any] | None = None,
    incident: str = "",
    before: str = "",
    after: str = "",
    cause: str = "",
) -> bytes:
    """Return the line of one event, newline included, in the contract's order of keys.

    It has no link yet: `auditchain.linked` adds it, when the log is locked and the event before
    is known. A line that would be over `LINE_MAX` bytes with it has its fact cut, then its
    reason, then its intent, each ending in ``…[cut N bytes]``. Lone surrogates are shown:
    JSON cannot carry them.

    Raises:
        ValueError: the line is too long though all that can be cut was.
    """
    fields: dict[str, Any] = {
        "v": 1,
        "ts": ts_text,
        "host": host,
        "healer": healer,
        "intent": intent,
        "outcome": outcome,
        "reason": reason,
        "fact": fact,
        "scope": scope,
        "key": key,
        "guard": guard,
        "pid": pid,
        "duration_ms": duration_ms,
        "dry_run": dry_run,
        "trigger": trigger,
    }
    applying = {
        "count": count if count != 1 else None,
        "until": until,
        "operator": dict(operator) if operator else None,
        "incident": incident,
        "before": before,
        "after": after,
        "cause": cause,
    }
    fields.update({name: value for name, value in applying.items() if value})
    try:
        line = orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError:
        fields = {name: _encodable(value) for name, value in fields.items()}
        line = orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)
    for name in _CUT_ORDER:
        if len(line) <= _EVENT_MAX:
            return line
        text = fields.get(name) or ""
        shorter = _cut(text, _EVENT_MAX - (len(line) - _size(text)))
        if len(shorter.encode()) < len(text.encode()):
            fields[name] = shorter
            line = orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)
    if len(line) > _EVENT_MAX:
        raise ValueError(f"an audit event of {len(line)} bytes cannot be cut to {_EVENT_MAX}")
    return line


def _event(found: dict[str, Any], raw: bytes, offset: int) -> AuditEvent:
    ts, ts_text = _time(found.get("ts"))
    return AuditEvent(
        offset=offset,
        length=len(raw),
        ts=ts,
        ts_text=ts_text,
        host=_text(found.get("host")),
        healer=_text(found.get("healer")),
        intent=_text(found.get("intent")),
        outcome=_text(found.get("outcome")),
        reason=_text(found.get("reason")),
        fact=_text(found.get("fact")),
        scope=_text(found.get("scope")),
        key=_text(found.get("key")),
        guard=_text(found.get("guard")),
        pid=_whole(found.get("pid")),
        duration_ms=_whole(found.get("duration_ms")),
        dry_run=_flag(found.get("dry_run")),
        trigger=_text(found.get("trigger")),
        count=max(1, _whole(found.get("count")) or 1),
        until=_whole(found.get("until")),
        operator=_mapping(found.get("operator")),
        incident=_text(found.get("incident")),
        before=_text(found.get("before")),
        after=_text(found.get("after")),
        cause=_text(found.get("cause")),
        raw=raw,
    )


def _unparsable(raw: bytes, offset: int, why: str) -> UnparsableLine:
    return UnparsableLine(offset=offset, length=len(raw), raw=raw[:RAW_MAX], why=why)


def _why(raw: bytes, error: orjson.JSONDecodeError) -> str:
    if not raw.strip():
        return "an empty line"
    if b"\0" in raw:
        return "holds NUL bytes: a write was torn, or space was never written"
    return f"not JSON: {error}"


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a truth value"
    if isinstance(value, str):
        return "a string"
    return "a list" if isinstance(value, list) else "a number"


def _time(value: object) -> tuple[float | None, str]:
    if isinstance(value, str):
        return parse_ts(value), value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value), str(value)
    return None, _text(value)


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else orjson.dumps(value).decode()


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _mapping(value: object) -> Mapping[str, Any]:
    if isinstance(value, dict):
        return value
    return {"user": _text(value)} if value else EMPTY_MAP


def _encodable(value: object) -> object:
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, dict):
        return {encodable(str(name)): _encodable(inner) for name, inner in value.items()}
    return value


def _size(text: str) -> int:
    """Bytes of `text` as JSON, quotes included."""
    return len(orjson.dumps(text))


def _cut(text: str, room: int) -> str:
    """The longest beginning of `text` that fits `room` bytes of JSON with the note of the cut."""
    total = len(text.encode())

    def shortened(kept: int) -> str:
        head = text[:kept]
        return f"{head}…[cut {total - len(head.encode())} bytes]"

    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if _size(shortened(middle)) <= room:
            low = middle
        else:
            high = middle - 1
    return shortened(low)
