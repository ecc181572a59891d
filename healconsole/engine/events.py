"""The audit events of one healer's acts."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TypedDict, Unpack

from healconsole.core.text import visible
from healconsole.core.verdict import Intent
from healconsole.core.words import Outcome
from healconsole.engine.asked import Asked
from healconsole.engine.denials import Denial
from healconsole.stores.auditlog import AuditUnwritable, AuditWriter


class Told(TypedDict, total=False):
    """What an event says beyond what was asked."""

    reason: str
    key: str
    guard: str
    duration_ms: int
    dry_run: bool
    count: int
    until: int


def to_stderr(text: str) -> None:
    """A line for people, text of others shown; that nobody can take it is no error."""
    with suppress(OSError, ValueError):  # a journal that is full or gone must not stop a healer
        print(visible(text), file=sys.stderr, flush=True)


class Events:
    """Writes what a guard has to tell; ``log`` takes what the log cannot."""

    def __init__(self, audit: AuditWriter, healer: str, log: Callable[[str], None]) -> None:
        self._audit = audit
        self._healer = healer
        self._log = log

    def append(self, asked: Asked, outcome: Outcome, **fields: Unpack[Told]) -> None:
        """Append an event on what was asked, and make it durable.

        Raises:
            AuditUnwritable: it is not in the log.
        """
        self._audit.append(
            sync=True,
            healer=self._healer,
            outcome=outcome,
            intent=asked.intent.text,
            fact=asked.fact,
            scope=asked.intent.scope,
            pid=os.getpid(),
            trigger=asked.trigger,
            **fields,
        )

    def try_append(self, asked: Asked, outcome: Outcome, **fields: Unpack[Told]) -> None:
        """Append an event that nothing hangs on; that it cannot be written goes to ``log``."""
        try:
            self.append(asked, outcome, **fields)
        except AuditUnwritable as error:
            self._log(f"{asked.intent.text}: {outcome} is not in the audit log: {error}")

    def denial(self, denial: Denial) -> None:
        """Append the event of a denial, with its count."""
        verdict = denial.verdict
        self.try_append(
            Asked(Intent(verdict.intent, verdict.scope), denial.fact, "", denial.trigger),
            Outcome.DENIED,
            reason=verdict.reason,
            guard=str(verdict.guard),
            dry_run=verdict.dry_run,
            count=denial.count,
            until=int(denial.at) if denial.count > 1 else 0,
        )
