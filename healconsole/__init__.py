"""Auto-remediation healers behind guardrails, and the console to operate them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from healconsole.core.records import Policy
    from healconsole.core.verdict import Intent
    from healconsole.engine.asked import Denied
    from healconsole.engine.fact import Fact
    from healconsole.engine.guard import Guard
    from healconsole.engine.healer import Healer

__all__ = ["Denied", "Fact", "Guard", "Healer", "Intent", "Policy"]
__version__ = "0.1.0"

_HOMES = {
    "Denied": "healconsole.engine.asked",
    "Fact": "healconsole.engine.fact",
    "Guard": "healconsole.engine.guard",
    "Healer": "healconsole.engine.healer",
    "Intent": "healconsole.core.verdict",
    "Policy": "healconsole.core.records",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever bears that name
    """Import what is asked for and nothing else: the console must not load the engine."""
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
