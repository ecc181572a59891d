"""``cycle.json``, the record of a healer's last cycle; and policies as files write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from healconsole.core.fields import (
    MAX_EPOCH,
    MAX_MICRO,
    FieldError,
    format_micro,
    mismatch,
    parse_micro,
)
from healconsole.core.intent import InvalidIntent, parse_intent
from healconsole.core.pattern import pattern
from healconsole.core.records import MICRO, Corrupt, CycleRecord, Policy, VerdictRecord
from healconsole.core.text import encodable
from healconsole.core.words import Library

MAX_CYCLE_BYTES = 65_536
_STATUS_BYTES = 250
_CONTROL = pattern(r"[\x00-\x1f\x7f]")

_WHOLE = (
    *("burst", "max_failures", "cooldown", "bucket", "fleet_lock_ttl", "fleet_burst"),
    *("fleet_slots_max", "fleet_storm_window"),
)
_SPANS = ("settle", "action_timeout", "check_timeout")
_TEXTS = ("scope", "redis_unreachable", "fleet_lock", "fleet_slots", "fleet_storm", "stage")
_RATES = {"rate": "rate_micro", "fleet_rate": "fleet_rate_micro"}
_RECORDED = ("rate", "burst", "max_failures", "cooldown", "bucket", *_SPANS)
_KNOWN = (*_RATES, *_WHOLE, *_SPANS, *_TEXTS, "canaries")


class _WrongShapeError(ValueError):
    """A key is missing or has another type than the contract says."""


def parse_cycle(raw: bytes, path: str) -> CycleRecord | Corrupt:
    """Read ``cycle.json``. Keys that are not known are passed over, for later versions."""
    if not raw:
        return Corrupt(path, "empty")
    if len(raw) > MAX_CYCLE_BYTES:
        return Corrupt(path, f"larger than {MAX_CYCLE_BYTES} bytes", raw[:64])
    try:
        found = orjson.loads(raw)
        if not isinstance(found, dict) or found.get("v") != 1:
            raise _WrongShapeError("v")
        return CycleRecord(
            at=_number(found, "at", MAX_EPOCH),
            seq=_whole(found, "seq"),
            trigger=_text(found, "trigger"),
            fact=_text(found, "fact"),
            intent=_text(found, "intent"),
            verdict=_verdict(found.get("verdict")),
            outcome=_text(found, "outcome"),
            duration_ms=_whole(found, "duration_ms"),
            next_due=_number(found, "next_due", MAX_EPOCH),
            interval=_number(found, "interval", MAX_EPOCH),
            pid=_whole(found, "pid"),
            library=_library(found),
            version=_text(found, "version"),
            policy=_policy(found.get("policy")),
            mode=_mode(found),
        )
    except ValueError:  # not JSON, or not of this shape: no part of it can be relied on
        return mismatch(raw, path)


def status_line(rec: CycleRecord) -> str:
    """The last verdict as one line of at most 250 bytes, for ``systemctl status``.

    A line break in it would be a message of its own to the service manager, so each control
    character is shown as ``?``.
    """
    if not rec.intent or rec.verdict is None:
        return "nothing to do"
    said = "allowed" if rec.verdict.allow else f"denied by {rec.verdict.guard}"
    said += f": {rec.verdict.reason}" + (f", {rec.outcome}" if rec.outcome else "")
    line = _CONTROL.sub("?", encodable(f"{said}: {rec.intent}"))
    return line.encode()[:_STATUS_BYTES].decode(errors="ignore")


def format_cycle(rec: CycleRecord) -> bytes:
    """Write ``cycle.json`` in canonical form: one line, whole numbers without a fraction."""
    verdict = rec.verdict
    policy = rec.policy
    return orjson.dumps(
        {
            "v": 1,
            "at": _short(rec.at),
            "seq": rec.seq,
            "trigger": rec.trigger,
            "fact": rec.fact,
            "intent": rec.intent,
            "verdict": verdict
            and {
                "allow": verdict.allow,
                "guard": verdict.guard,
                "reason": verdict.reason,
                "earliest": verdict.earliest,
            },
            "outcome": rec.outcome,
            "duration_ms": rec.duration_ms,
            "next_due": _short(rec.next_due),
            "interval": _short(rec.interval),
            "pid": rec.pid,
            "library": str(rec.library),
            "version": rec.version,
            "policy": {
                "rate": format_micro(policy.rate_micro),
                "burst": policy.burst,
                "max_failures": policy.max_failures,
                "cooldown": policy.cooldown,
                "bucket": policy.bucket,
                "settle": _short(policy.settle),
                "action_timeout": _short(policy.action_timeout),
                "check_timeout": _short(policy.check_timeout),
            },
            "mode": rec.mode,
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )


def policy_from_mapping(mapping: Mapping[str, Any], where: str) -> Policy:
    """Make a policy of a ``[policy]`` table; what it leaves out has its default.

    Args:
        mapping: ``rate`` in tokens per second (a number or a decimal string), the rest as
            in ``Policy``.
        where: names the file and table in messages.

    Raises:
        ValueError: a key is unknown, has the wrong type, or is out of its range.

    >>> policy_from_mapping({"rate": 0.05, "burst": 5}, "x.toml [policy]").rate_micro
    50000
    >>> policy_from_mapping({"brust": 5}, "x.toml [policy]")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: x.toml [policy]: unknown key 'brust'; known are rate, fleet_rate, ...
    """
    values: dict[str, Any] = {}
    for key, value in mapping.items():
        if key in _RATES:
            values[_RATES[key]] = _rate(value, f"{where}: {key}")
        elif key in _WHOLE:
            if type(value) is not int:
                raise ValueError(f"{where}: {key} must be a whole number, not {value!r}")
            values[key] = value
        elif key in _SPANS:
            if type(value) not in {int, float}:
                raise ValueError(f"{where}: {key} must be a number of seconds, not {value!r}")
            values[key] = float(value)
        elif key in _TEXTS:
            values[key] = _name(key, value, where)
        elif key == "canaries":
            names = value if isinstance(value, list) else [value]
            values[key] = " ".join(_name(key, name, where) for name in names)
        else:
            raise ValueError(f"{where}: unknown key {key!r}; known are {', '.join(_KNOWN)}")
    try:
        return Policy(**values)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _name(key: str, value: object, where: str) -> str:
    if type(value) is not str:
        raise ValueError(f"{where}: {key} must be a text, not {value!r}")
    try:
        return parse_intent(value).text  # the rules of an intent are those of any name
    except InvalidIntent as error:
        why = str(error).removeprefix("intent ")
        raise ValueError(f"{where}: {key} {why}") from None


def _rate(value: object, where: str) -> int:
    if isinstance(value, str):
        try:
            return parse_micro(value)
        except FieldError:
            raise ValueError(f"{where} must be a decimal, not {value!r}") from None
    if type(value) is int or type(value) is float:
        from decimal import Decimal, InvalidOperation

        try:
            # By way of its shortest spelling: 0.0167 is 16,700 millionths, not 16,699.
            rate_micro = int(Decimal(repr(value)) * MICRO)
            if 0 <= rate_micro <= MAX_MICRO:
                return rate_micro
        except (InvalidOperation, ValueError, OverflowError):
            pass
    raise ValueError(f"{where} must be tokens per second, from 0 to 999999, not {value!r}")


def _short(value: float) -> int | float:
    return int(value) if value == int(value) else value


def _text(found: dict[str, Any], key: str) -> str:
    value = found.get(key)
    if type(value) is not str:
        raise _WrongShapeError(key)
    return value


def _whole(found: dict[str, Any], key: str) -> int:
    value = found.get(key)
    if type(value) is not int or value < 0:
        raise _WrongShapeError(key)
    return value


def _number(found: dict[str, Any], key: str, highest: int) -> float:
    value = found.get(key)
    if type(value) is int or type(value) is float:
        number = float(value)
        if 0 <= number <= highest:
            return number
    raise _WrongShapeError(key)


def _library(found: dict[str, Any]) -> Library:
    return Library(_text(found, "library"))


def _mode(found: dict[str, Any]) -> str:
    mode = _text(found, "mode")
    if mode not in {"live", "dry-run"}:
        raise _WrongShapeError("mode")
    return mode


def _verdict(value: object) -> VerdictRecord | None:
    if value is None:
        return None
    if not isinstance(value, dict) or type(value.get("allow")) is not bool:
        raise _WrongShapeError("verdict")
    earliest = value.get("earliest")
    guard = value.get("guard")
    return VerdictRecord(
        allow=value["allow"],
        guard="" if guard is None else _text(value, "guard"),
        reason=_text(value, "reason"),
        earliest=None if earliest is None else _whole(value, "earliest"),
    )


def _policy(value: object) -> Policy:
    if not isinstance(value, dict) or type(value.get("rate")) is not str:
        raise _WrongShapeError("policy")
    if any(key not in value for key in _RECORDED):
        raise _WrongShapeError("policy")
    return policy_from_mapping({key: value[key] for key in _RECORDED}, "policy")
