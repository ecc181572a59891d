"""What may reach a terminal: the sequences of the console and of Textual, and printable text."""

from __future__ import annotations

import base64
import re
import unicodedata

SEQUENCE = re.compile(
    r"""\x1b(?:
        \[[0-9;]*m                                            # colours and attributes
      | \[[0-9]+;[0-9]+H                                      # to a cell
      | \[\?(?:1000|1003|1004|1006|1015|1016|1049|2004|2026|2048|25|7)[hl]
      | \[\?20(?:26|48)\$p                                    # what Textual asks the terminal
      | \[>[0-9]+u | \[<u                                     # the keyboard's protocol
    )""",
    re.VERBOSE,
)
CLIPBOARD = re.compile(r"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07")


def taken_apart(received: bytes | bytearray, *, screen: bool = True) -> tuple[str, list[bytes]]:
    """Return the text among the sequences, and what went to the clipboard.

    ``screen`` False: only colours are sequences, and lines end in a newline.

    Raises:
        AssertionError: something that is neither text nor one of ours.
    """
    text = received.decode("utf-8")  # strictly: half a character is a byte that was let through
    copied = [base64.b64decode(found, validate=True) for found in CLIPBOARD.findall(text)]
    if screen:
        rest = SEQUENCE.sub("", CLIPBOARD.sub("", text))
    else:
        copied = []
        rest = re.sub(r"\x1b\[[0-9;]*m", "", text).replace("\r\n", "\n").replace("\n", "")
    for place, char in enumerate(rest):
        assert is_harmless(char), f"U+{ord(char):04X} in {rest[max(0, place - 40) : place + 40]!r}"
    return rest, copied


def is_harmless(char: str) -> bool:
    """Whether a terminal only shows ``char``."""
    return unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
