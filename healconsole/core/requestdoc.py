"""What a host tells the fleet of an act that waits for a second person, and the seal on it.

The bytes that the act would write stay on the host. A second person elsewhere approves what they
were shown: the seal goes with the approval, and the host compares it with its own request.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

import orjson

from healconsole.core.request import Request
from healconsole.core.scopes import is_healer_name
from healconsole.core.text import encodable
from healconsole.core.words import Outcome

REQUESTS_MAX: Final = 16
"""Of one host; the oldest."""

_TEXT_MAX: Final = 512
_LINES_MAX: Final = 6
_TEXTS: Final = ("id", "verb", "healer", "reason", "incident", "before", "after")
_LINES: Final = ("now_lines", "after_lines", "next_lines", "warnings")
_WHO: Final = ("user", "uid", "login_uid", "via", "from")
_EPOCH_MAX: Final = 99_999_999_999


def published(request: Request) -> dict[str, Any]:
    """The request as it stands in a host's document."""
    return {
        **{key: _cut(getattr(request, key)) for key in _TEXTS},
        "scope": None if request.scope is None else _cut(request.scope),
        "operator": {
            key: _cut(value) if isinstance(value, str) else value
            for key, value in request.operator.items()
            if key in _WHO and (value is None or type(value) in {str, int})
        },
        "at": request.at,
        "until": request.until,
        **{key: [_cut(line) for line in getattr(request, key)[:_LINES_MAX]] for key in _LINES},
    }


def seal(request: Request) -> str:
    """What two have in common who were shown the same request: 32 hex digits.

    >>> ask = Request("a1", "reset", "h", None, "why", "", {"user": "ana"}, 0, 9, "x", "y", ())
    >>> seal(ask) == seal(read_request(published(ask), "web-07"))
    True
    """
    told = orjson.dumps(published(request), option=orjson.OPT_SORT_KEYS)
    return sha256(told).hexdigest()[:32]


def read_request(found: object, host: str) -> Request:
    """The request of ``host`` that :func:`published` told of, without its files.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(found, dict):
        raise ValueError("no object")  # noqa: TRY004 - a format
    scope = found.get("scope")
    texts: dict[str, Any] = {key: _text(found.get(key)) for key in _TEXTS}
    lines: dict[str, Any] = {key: _lines(found.get(key)) for key in _LINES}
    request = Request(
        **texts,
        scope=None if scope is None else _text(scope),
        operator=_operator(found.get("operator")),
        at=_time(found.get("at")),
        until=_time(found.get("until")),
        files=(),
        **lines,
        host=host,
    )
    Outcome(f"operator-{request.verb}")
    if not is_healer_name(request.healer) or not (request.id.isascii() and request.id.isalnum()):
        raise ValueError("no healer, or no id")
    return request


def _cut(text: str) -> str:
    return encodable(text if len(text) <= _TEXT_MAX else text[: _TEXT_MAX - 1] + "…")


def _operator(found: object) -> Mapping[str, Any]:
    if not isinstance(found, dict) or not found.keys() <= set(_WHO):
        raise ValueError("operator")
    for value in found.values():
        if value is not None and type(value) is not int:
            _text(value)
    return found


def _lines(found: object) -> tuple[str, ...]:
    if not isinstance(found, list) or len(found) > _LINES_MAX:
        raise ValueError("lines")
    return tuple(_text(line) for line in found)


def _text(found: object) -> str:
    if not isinstance(found, str) or len(found) > _TEXT_MAX:
        raise ValueError("text")
    return found


def _time(found: object) -> float:
    if type(found) not in {int, float} or not math.isfinite(found):  # type: ignore[arg-type]
        raise ValueError("time")
    if not 0 <= found <= _EPOCH_MAX:  # type: ignore[operator]
        raise ValueError("time")
    return found  # type: ignore[return-value]
