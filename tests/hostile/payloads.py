"""Text that attacks whoever shows it."""

from __future__ import annotations

from typing import Final

CANARY: Final = "KANARI"
"""Stands in every payload that a terminal would obey, where it would obey it."""

PAYLOADS: Final[dict[str, str]] = {
    "osc52": f"\x1b]52;c;{CANARY}\x07",
    "osc0": f"\x1b]0;{CANARY}\x07",
    "osc0-st": f"\x1b]2;{CANARY}\x1b\\",
    "osc8": f"\x1b]8;;http://{CANARY}/\x1b\\go\x1b]8;;\x1b\\",
    "csi-clear": f"\x1b[2J\x1b[H{CANARY}",
    "csi-colour": f"\x1b[31m{CANARY}\x1b[8m",
    "csi-report": "\x1b[6n\x1b[c\x1b]11;?\x07",
    "csi-paste": "\x1b[201~q",
    "dcs": f"\x1bP$q{CANARY}\x1b\\",
    "apc": f"\x1b_G{CANARY}\x1b\\",
    "c1-csi": f"\x9b31m{CANARY}",
    "c1-osc": f"\x9d0;{CANARY}\x9c",
    "reset": "\x1bc\x1b#8",
    "nul": "a\x00b",
    "shift-out": "\x0elqqk\x0f",
    "backspaces": "rm\b\b\bno\x7f",
    "newlines": "one\r\ntwo\rthree\x0bfour\x0cfive\x85six\u2028seven",
    "bidi": "\u202egnp.exe\u202c \u2066x\u2069 \u200f",
    "zero-width": "ad\u200bmin\u2060\ufeff\u00ad\U000e0041",
    "marks": "Z" + "\u0335\u0301\u0324" * 40,
    "emoji": "\U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f \U0001f1e9\U0001f1ea",
    "markup-close": "[/] [/bold] [",
    "markup-click": "[@click=app.quit]x[/] [@click=screen.back()]y[/]",
    "markup-attribute": '[x="y"] [link=http://h/]z[/link] [on red]r[/]',
    "markup-escaped": "\\[bold]b\\[/] \\\\[i]",
    "emoji-code": ":skull: :warning:",
    "imitation": "\n2026-11-23T14:30:09 healer ✔ success restart_worker pid=1\n",
    "percent": "%s %(x)s {0} {name!r} $(id) `id` ${HOME}",
}
"""By name. Without lone surrogates: what cannot be UTF-8 is in `BYTES`."""

BYTES: Final[dict[str, bytes]] = {
    "not-utf8": b"\xff\xfe\x80\xc0\xaf",
    "surrogate": b"\xed\xa0\x80\xed\xb0\x80",
    "c1-raw": b"\x9b31m\x9d0;owned\x9c",
    "truncated": b"ok \xe2\x80",
}
"""What a file may hold, and no ``str`` that is UTF-8."""

EVERYTHING: Final = " ".join(PAYLOADS.values())

LONG_LINE: Final = "A" * 1_000_000
MANY_MARKS: Final = "e" + "\u0301" * 100_000
