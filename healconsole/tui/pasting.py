"""Pasted text told apart from typed keys, before anything reads it as keys.

A terminal puts marks around what is pasted. Textual's parser looks for keys between the marks
too: an ESC in pasted text, or a pause of the link within a mark, turns the rest into keystrokes.
Here only the closing mark ends a paste, however the link cuts it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

START: Final = "\x1b[200~"
END: Final = "\x1b[201~"

LIMIT: Final = 65_536
"""Characters of one paste that are kept; no field takes as many."""

_ESCAPE: Final = "\x1b"
_KEYS: Final = ("\x1b", "\x1b[")
"""Beginnings of the opening mark that are keys too (escape, alt+[), and cannot be held for long."""
_ALONE_AFTER_S: Final = 1.0


class Piece(NamedTuple):
    """A stretch of input."""

    text: str
    pasted: bool


class PasteSplitter:
    r"""Cuts input as it arrives into typed and pasted pieces.

    >>> splitter = PasteSplitter()
    >>> [piece.text for piece in splitter.feed("a\x1b[200~q\x1bt\x1b[2")]
    ['a']
    >>> [(piece.text, piece.pasted) for piece in splitter.feed("01~b")]
    [('q\x1bt', True), ('b', False)]
    """

    def __init__(self) -> None:
        self._pasting = False
        self._kept = ""
        self._held = ""
        self._let_go = ""
        self._fed_at = 0.0

    @property
    def holds(self) -> bool:
        """Whether something is held that may be a key, so that `let_go` is due soon."""
        return not self._pasting and self._held in _KEYS

    def feed(self, text: str, now: float = 0.0) -> list[Piece]:
        """Return the pieces that ``text`` completes; ``now`` is any clock in seconds.

        What may be the beginning of a mark is held until the next call shows what it is. If the
        closing mark was lost on the way, a lone ESC after a second of silence stands for it.
        """
        lone = self._pasting and text == _ESCAPE and now - self._fed_at >= _ALONE_AFTER_S
        self._fed_at = now
        if lone:
            pasted, self._kept, self._held, self._pasting = self._kept, "", "", False
            return [Piece(pasted, pasted=True)]
        text = self._after_let_go(text)
        rest, self._held = self._held + text, ""
        pieces: list[Piece] = []
        while rest:
            mark = END if self._pasting else START
            before, found, rest = rest.partition(mark)
            if not found:
                before, self._held = _without_beginning(before, mark)
            if self._pasting:
                self._kept += before[: LIMIT - len(self._kept)]
                if found:
                    pieces.append(Piece(self._kept, pasted=True))
                    self._kept = ""
            elif before:
                pieces.append(Piece(before, pasted=False))
            if found:
                self._pasting = not self._pasting
        return pieces

    def let_go(self) -> str:
        """Return what is held and may be a key, since nothing came behind it.

        The rest of the mark may still come, much later: that begins a paste all the same.
        """
        if not self.holds:
            return ""
        self._let_go, self._held = self._held, ""
        return self._let_go

    def _after_let_go(self, text: str) -> str:
        """``text`` with the mark whole again whose beginning was let go as a key."""
        begun, self._let_go = self._let_go, ""
        rest = START[len(begun) :]
        if begun and begun + text in _KEYS:
            self._let_go = begun + text
        elif begun and (text.startswith(rest) or rest.startswith(text)):
            self._held = begun
        return text


def _without_beginning(text: str, mark: str) -> tuple[str, str]:
    """``text`` without what at its end may be the beginning of ``mark``, and that beginning."""
    for length in range(min(len(mark) - 1, len(text)), 0, -1):
        if text.endswith(mark[:length]):
            return text[:-length], text[-length:]
    return text, ""
