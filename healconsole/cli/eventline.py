"""One event of the audit log as one line for people."""

from __future__ import annotations

from healconsole.cli.output import paint, shortened
from healconsole.cli.settings import local_offset
from healconsole.core.ages import iso
from healconsole.core.auditdoubt import UNVERIFIED
from healconsole.core.auditline import AuditEvent, AuditLine, UnparsableLine, repeated
from healconsole.core.text import visible
from healconsole.core.told import readable
from healconsole.core.words import FAILURES

_GLYPHS = {
    "success": ("✔", "good"),
    "dry-run": ("◌", "dim"),
    "denied": ("·", "dim"),
    "started": ("▸", "dim"),
    **dict.fromkeys(map(str, FAILURES), ("✖", "bad")),
}
_OPERATOR = ("◆", "warn")
_OTHER = (" ", "")


def event_line(line: AuditLine, now: float, limit: int | None, *, doubted: bool = False) -> str:
    """``line`` in at most ``limit`` columns, or whole.

    ``doubted`` marks an event that does not stand in the log as it was written.

    The time of day stands alone for an event of today; the date comes with any other.
    """
    if isinstance(line, UnparsableLine):
        text = f"{'unparsable':<8} ! {visible(line.why)}: {visible(line.raw)}"
        return paint(shortened(text, limit), "warn")
    glyph, kind = _OPERATOR if line.outcome.startswith("operator-") else _OTHER
    glyph, kind = _GLYPHS.get(line.outcome, (glyph, kind))
    outcome = f"{UNVERIFIED} " * doubted + visible(line.outcome)
    kind = "bad" if doubted else kind
    if line.guard:
        outcome += f" {visible(line.guard)}"
    text = (
        f"{_when(line, now)} {visible(line.healer):<19} {glyph} {outcome:<13}  "
        + "  ".join(_rest(line, now))
    ).rstrip()
    return paint(shortened(text, limit), kind)


def _rest(event: AuditEvent, now: float) -> list[str]:
    who, offset = str(event.operator.get("user", "")), local_offset(now)
    parts = (
        event.intent,
        repeated(event, offset),
        f"by {who}" if who else "",
        event.incident,
        readable(f"{event.before} -> {event.after}", offset) if event.before or event.after else "",
        event.reason,
        event.fact,
    )
    return [visible(part) for part in parts if part]


def _when(event: AuditEvent, now: float) -> str:
    if event.ts is None:
        return f"{visible(event.ts_text)[:8] or '?':<8}"
    offset = local_offset(now)
    stamp, today = iso(event.ts, offset), iso(now, offset)[:10]
    return stamp[11:19] if stamp[:10] == today else f"{stamp[:10]} {stamp[11:19]}"
