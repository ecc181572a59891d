"""What one operator's session remembers from act to act."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from healconsole.stores.apply import UndoRecord


@dataclass(frozen=True, slots=True)
class Done:
    """One act that took effect and can be taken back."""

    verb: str
    healer: str
    summary: str
    """What it made of what; may hold data from outside."""
    undo: UndoRecord


@dataclass(slots=True)
class ActSession:
    """The incident that the operator works on, and the acts so far, the last one last."""

    incident: str = ""
    done: list[Done] = field(default_factory=list)
