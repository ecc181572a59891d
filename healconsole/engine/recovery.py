"""Actions that ended without an outcome: settle what they left before anything is decided."""

from __future__ import annotations

from functools import partial

from healconsole.core.records import ClaimRecord, Policy
from healconsole.core.recovery import Recovery
from healconsole.core.verdict import Intent
from healconsole.core.words import Outcome
from healconsole.engine.asked import Asked
from healconsole.engine.events import Events
from healconsole.stores.commit import Held


def interrupted(claims: tuple[object, ...]) -> list[ClaimRecord]:
    """The claims whose process is gone."""
    return [claim for claim in claims if isinstance(claim, ClaimRecord) and not claim.alive]


def recover_interrupted(
    held: Held, policy: Policy, now: float, events: Events, trigger: str
) -> list[Recovery]:
    """Settle every interrupted claim, each with an ``interrupted`` event, under the lock.

    Raises:
        OSError, AuditUnwritable: one could not be settled; its claim stays and denies nothing
            by itself, but who asks must not act before it is settled.
    """

    def announce(claim: ClaimRecord, found: Recovery) -> None:
        intent = Intent(claim.intent, found.scope)
        asked = Asked(intent, fact="", reason="", trigger=trigger)
        events.append(asked, Outcome.INTERRUPTED, reason=found.reason, key=claim.key)

    return [
        held.recover(claim, policy, now, announce=partial(announce, claim))
        for claim in interrupted(held.claims())
    ]
