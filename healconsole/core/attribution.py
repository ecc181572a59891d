"""Who did it, as an event says: what the kernel knows apart from what was only claimed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def operator_words(operator: Mapping[str, Any]) -> str:
    """The name, and the uids that the kernel told.

    >>> operator_words({"user": "ada", "uid": 0, "login_uid": 1000, "via": "cli", "from": "x"})
    'ada (login uid 1000, uid 0) by cli'
    >>> operator_words({"user": "ada", "uid": 0, "login_uid": None})
    'ada (no login uid, uid 0)'
    >>> operator_words({"user": "ada"})
    'ada'
    """
    if not operator:
        return ""
    said = str(operator.get("user", "?"))
    if "uid" in operator:
        login = operator.get("login_uid")
        known = "no login uid" if login is None else f"login uid {login}"
        said += f" ({known}, uid {operator['uid']})"
    if operator.get("via"):
        said += f" by {operator['via']}"
    second = operator.get("approved_by")
    if isinstance(second, Mapping):
        said += f", approved by {operator_words(second)}"
    return said


def claimed_words(operator: Mapping[str, Any]) -> str:
    """What the environment and the terminal said, which nobody vouches for.

    >>> claimed_words({"from": "10.0.0.7 pts/3", "claimed": {"SUDO_USER": "ada"}})
    'from 10.0.0.7 pts/3, SUDO_USER ada'
    """
    claims = operator.get("claimed")
    pairs = [("from", operator.get("from"))]
    if isinstance(claims, Mapping):
        pairs += claims.items()
    return ", ".join(f"{key} {value}" for key, value in pairs if value)
