"""What one operator's session remembers from act to act."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from healconsole.core.frozen import Frozen

if TYPE_CHECKING:
    from healconsole.stores.apply import UndoRecord


class Done(Frozen):
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
    changes: int = 0
    """How many acts may have changed something, of those too that cannot be taken back."""
    leaving: threading.Event = field(default_factory=threading.Event)
    """Set when the console ends: a process that only serves to look is ended as well."""
    _uncut: set[threading.Event] = field(default_factory=set)

    def add(self, act: Done) -> None:
        """Remember an act, which ``u`` takes back next."""
        self.overtaken(act.healer)
        self.done.append(act)

    def forget(self, act: Done) -> None:
        """Remember an act no more that was taken back."""
        self.done = [each for each in self.done if each is not act]

    def postpone(self, act: Done) -> None:
        """Let ``u`` take all others back before an act that its host did not take back."""
        if act in self.done:
            self.forget(act)
            self.done.insert(0, act)

    def overtaken(self, healer: str) -> None:
        """Forget the acts on a healer elsewhere: its host keeps what takes back the last one only.

        Those on this host stay: their bytes are here.
        """
        self.done = [act for act in self.done if act.healer != healer or act.undo.done]

    @contextmanager
    def uncut(self, until: threading.Event | None = None) -> Iterator[None]:
        """Keep the process from ending while the block runs, or until ``until`` is set."""
        ended = threading.Event() if until is None else until
        self._uncut.add(ended)
        try:
            yield
        finally:
            ended.set()
            self._uncut.discard(ended)

    def wait_for_acts(self, at_most_s: float) -> bool:
        """Wait for what must not be cut, and return whether there was any of it."""
        end = time.monotonic() + at_most_s
        begun = tuple(event for event in self._uncut if not event.is_set())
        for event in begun:
            event.wait(max(0.0, end - time.monotonic()))
        return bool(begun)
