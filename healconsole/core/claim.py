"""Claims: what is remembered of an action between its start and its outcome."""

from __future__ import annotations

from healconsole.core.fields import BLANKS, DECIMAL, EPOCH, format_micro, micro, mismatch
from healconsole.core.intent import InvalidIntent, parse_intent
from healconsole.core.pattern import pattern
from healconsole.core.records import ClaimRecord, Corrupt
from healconsole.core.scopes import is_scope_file_name

MAX_CLAIM_BYTES = 4096

_LINE = pattern(
    f"v1{BLANKS}([1-9][0-9]{{0,9}}){BLANKS}(0|[1-9][0-9]{{0,18}}){BLANKS}([0-9a-f]{{8}})"
    f"{BLANKS}{EPOCH}{BLANKS}([0-9a-f]{{64}}){BLANKS}([!-~]+){BLANKS}([01])"
    f"{BLANKS}{EPOCH}{BLANKS}{DECIMAL}{BLANKS}([!-~](?:[ -~]*[!-~])?)"
)
_ESCAPE = pattern(rb"%([0-9A-F]{2})")
_STRAY_PERCENT = pattern(r"%(?![0-9A-F]{2})")
_QUOTED = tuple(
    f"%{byte:02X}" if byte == 0x25 or not 0x20 <= byte <= 0x7E else chr(byte) for byte in range(256)
)


def parse_claim(raw: bytes, slot: int) -> ClaimRecord | Corrupt | None:
    """Read ``claims/<slot>``; None if the slot is free.

    >>> parse_claim(b"", 0) is None
    True
    >>> parse_claim(b"v1 12\\n", 0)
    Corrupt(path='claims/0', why='does not match its format', sample=b'v1 12\\n')
    """
    if not raw:
        return None
    path = f"claims/{slot}"
    if len(raw) > MAX_CLAIM_BYTES:
        return Corrupt(path, f"larger than {MAX_CLAIM_BYTES} bytes", raw[:64])
    line = raw.decode("latin-1")
    found = _LINE.fullmatch(line[:-1] if line[-1] == "\n" else line)
    if not found:
        return mismatch(raw, path)
    pid, start, boot, at, key, scope_file, probe, last_refill, tokens, quoted = found.groups()
    intent = _unquoted(quoted)
    if intent is None or not is_scope_file_name(scope_file):
        return mismatch(raw, path)
    return ClaimRecord(
        slot=slot,
        pid=int(pid),
        start=int(start),
        boot=boot,
        at=int(at),
        key=key,
        scope_file=scope_file,
        probe=probe == "1",
        last_refill=int(last_refill),
        tokens_micro=micro(tokens),
        intent=intent,
    )


def format_claim(rec: ClaimRecord) -> bytes:
    """Write a claim in canonical form.

    Raises:
        ValueError: ``scope_file`` is not a file name that ``scope_file_name`` makes.
    """
    if not is_scope_file_name(rec.scope_file):
        raise ValueError(f"not the file name of a scope: {rec.scope_file!r}")
    quoted = "".join([_QUOTED[byte] for byte in rec.intent.encode()])
    return (
        f"v1 {rec.pid} {rec.start} {rec.boot} {rec.at} {rec.key} {rec.scope_file}"
        f" {int(rec.probe)} {rec.last_refill} {format_micro(rec.tokens_micro)} {quoted}\n"
    ).encode("ascii")


def _unquoted(quoted: str) -> str | None:
    """Undo the quoting of an intent; None if it is no intent."""
    if _STRAY_PERCENT.search(quoted):
        return None
    raw = _ESCAPE.sub(lambda found: bytes((int(found[1], 16),)), quoted.encode("ascii"))
    try:
        return parse_intent(raw.decode()).text
    except (UnicodeDecodeError, InvalidIntent):
        return None
