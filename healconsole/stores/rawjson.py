"""JSON that also carries what is not UTF-8: names of files are bytes, and Python holds such bytes
as lone surrogates. They are written as escapes, which JSON allows and orjson does not."""

from __future__ import annotations

from typing import Any

import orjson


def dump(value: object) -> bytes:
    r"""Return ``value`` as JSON, whatever its texts hold.

    >>> dump({"path": "cb/caf\udce9"})
    b'{"path": "cb/caf\\udce9"}'

    Raises:
        TypeError, ValueError: JSON has nothing for it.
    """
    try:
        return orjson.dumps(value)
    except TypeError:
        import json

        return json.dumps(value).encode("ascii")


def load(raw: bytes) -> Any:  # noqa: ANN401 - any JSON
    r"""Return what :func:`dump` was given.

    >>> load(dump(["caf\udce9", "caf\u00e9"])) == ["caf\udce9", "caf\u00e9"]
    True

    Raises:
        ValueError: it is no JSON.
    """
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        if b"\\ud" not in raw:
            raise
        import json

        try:
            return json.loads(raw)
        except RecursionError as error:
            raise ValueError("too deep") from error
