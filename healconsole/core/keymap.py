"""The keys of the console by name, and where two names on one key would hide each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

DEFAULT_KEYS: Final[Mapping[str, str]] = {
    "trip": "t", "reset": "r", "dry-run": "d", "run": "x", "undo": "u", "approve": "p",
    "mark": "space", "filter": "slash", "explain": "e", "open": "enter", "audit": "a",
    "locks": "l", "help": "question_mark", "quit": "q", "back": "escape", "follow": "f",
    "jump": "j", "copy": "c", "settle": "s", "group": "o", "break": "b", "redraw": "ctrl+l",
    "repair": "F", "up": "up,k", "down": "down,j", "page-up": "pageup", "page-down": "pagedown",
    "first": "home,g", "last": "end,G",
}  # fmt: skip
"""What each name is bound to unless a keymap says otherwise: keys as Textual spells them."""

_ANYWHERE: Final = frozenset(
    {
        *("undo", "approve", "audit", "locks", "help", "quit", "back", "redraw", "repair"),
        *("up", "down", "page-up", "page-down", "first", "last"),
    }
)
_ACTS: Final = frozenset({"trip", "reset", "dry-run", "run", "explain"})
SCREENS: Final[Mapping[str, frozenset[str]]] = {
    "home": _ANYWHERE | _ACTS | {"mark", "filter", "open", "settle", "group"},
    "healer": _ANYWHERE | _ACTS,
    "audit": _ANYWHERE | {"follow", "filter", "jump", "copy", "open"},
    "locks": _ANYWHERE | {"break"},
}
"""The names that do something, by screen: on different ones two may share a key."""

_ON_AUDIT: Final[Mapping[str, str]] = {"down": "down"}
"""What the audit log binds otherwise: its ``j`` jumps."""
_TAKEN: Final = frozenset({"ctrl+p", "ctrl+q", "ctrl+c", "tab", "shift+tab"})
"""Keys that Textual answers before, or instead of, what they are bound to."""
_SPELLED: Final[Mapping[str, str]] = {
    "solidus": "slash",
    "reverse_solidus": "backslash",
    "commercial_at": "at",
    "hyphen_minus": "minus",
    "plus_sign": "plus",
    "low_line": "underscore",
}


class KeymapError(ValueError):
    """A keymap cannot be taken: ``name`` is at fault; ``instead`` is what to write."""

    def __init__(self, name: str, wrong: str, instead: str) -> None:
        super().__init__(wrong)
        self.name = name
        self.instead = instead


def key_names(keys: str) -> tuple[str, ...]:
    """Return the keys of a text that lists them, as Textual spells them.

    >>> key_names("f5, /"), key_names("T")
    (('f5', 'slash'), ('T',))
    """
    return tuple(_key_name(key.strip()) for key in keys.split(","))


def check_keymap(keymap: Mapping[str, str]) -> None:
    """Refuse a keymap in which a name is not known, or hides another one.

    Args:
        keymap: keys (several with commas between them) by name; the names that are not in it
            keep their own.

    Raises:
        KeymapError: for the first that cannot be taken.
    """
    for name, keys in keymap.items():
        if name not in DEFAULT_KEYS:
            raise KeymapError(name, "is not known", f"one of {', '.join(DEFAULT_KEYS)}")
        for key in key_names(keys):
            if not key:
                raise KeymapError(name, "names a key that is empty", 'a text such as "f5,T"')
            if key in _TAKEN:
                wrong = f"{key} is not to be had: it means the same everywhere"
                raise KeymapError(name, wrong, "another key")
    for screen, names in SCREENS.items():
        bound: dict[str, str] = {}
        for name in sorted(names, key=lambda name: (name in keymap, name)):
            own = _ON_AUDIT.get(name) if screen == "audit" else None
            for key in key_names(keymap.get(name) or own or DEFAULT_KEYS[name]):
                other = bound.setdefault(key, name)
                if other != name:
                    wrong = f"{key} is the key of {other} too, and only one of them would work"
                    raise KeymapError(name, wrong, f"another key, or give {other} another one")


def _key_name(key: str) -> str:
    if len(key) != 1 or key.isalnum():
        return key
    import unicodedata  # only where somebody wrote such a sign

    name = unicodedata.name(key, key).lower().replace("-", "_").replace(" ", "_")
    return _SPELLED.get(name, name)
