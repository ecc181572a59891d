"""Which act an ``operator-undo`` in the log takes back."""

from __future__ import annotations

from healconsole.core.auditline import AuditEvent
from healconsole.core.words import Outcome


def undoes(event: AuditEvent, host: str, scope: str, before: str, after: str) -> bool:
    """Return whether ``event`` takes back the act of that host and scope that told these states.

    An undo, by a person or because the act failed, tells the states of what it takes back the
    other way round (docs/contract.md). An act that told none cannot be known again.
    """
    told = (event.host, event.scope, event.before, event.after) == (host, scope, after, before)
    return event.outcome == Outcome.OPERATOR_UNDO and told and bool(before or after)
