"""The keys of the console by name, and where two names on one key would hide each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from healconsole.core.keynames import key_names, wrong_key

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
_SAME: Final = ("quit", "ctrl+q")
"""The one of them that Textual has for what we have it for."""
_YIELDING: Final = ("repair", "group")
"""Names that are there in the demo, and on a fleet, only: their own key is whoever's wants it."""
_SPARE: Final = tuple(f"f{number}" for number in range(12, 0, -1))
"""Keys for those, the first that is free."""


class KeymapError(ValueError):
    """A keymap cannot be taken: ``name`` is at fault; ``instead`` is what to write."""

    def __init__(self, name: str, wrong: str, instead: str) -> None:
        super().__init__(wrong)
        self.name = name
        self.instead = instead


def whole_keymap(keymap: Mapping[str, str]) -> dict[str, str]:
    """Refuse a keymap in which a name or a key is not known, or a name hides another one.

    Args:
        keymap: keys (several with commas between them) by name; the names that are not in it
            keep their own.

    Returns:
        What to bind otherwise than is the default: of a name that yields its own key to one of
        the keymap, the key that it has instead.

    Raises:
        KeymapError: for the first that cannot be taken.
    """
    for name, keys in keymap.items():
        if name not in DEFAULT_KEYS:
            raise KeymapError(name, "is not known", f"one of {', '.join(DEFAULT_KEYS)}")
        _check_keys(name, keys)
    whole = {
        name: ",".join(key_names(keys))
        for name, keys in keymap.items()
        if not _is_default(name, keys)
    }
    for name in _YIELDING:
        if name not in keymap:
            whole.update(_yielded(name, whole))
    _check_clashes(whole)
    return whole


def _check_keys(name: str, keys: str) -> None:
    for spelled, key in zip(keys.split(","), key_names(keys), strict=True):
        if not key:
            raise KeymapError(name, "names a key that is empty", 'a text such as "f5,T"')
        if wrong := wrong_key(spelled.strip()):
            raise KeymapError(name, *wrong)
        if key in _TAKEN and (name, key) != _SAME:
            wrong_use = f"{key} is not to be had: it means the same everywhere"
            raise KeymapError(name, wrong_use, "another key")


def _check_clashes(whole: Mapping[str, str]) -> None:
    for screen, names in SCREENS.items():
        bound: dict[str, str] = {}
        for name in sorted(names, key=lambda name: (name in whole, name)):
            own = _ON_AUDIT.get(name) if screen == "audit" else None
            for key in key_names(whole.get(name) or own or DEFAULT_KEYS[name]):
                other = bound.setdefault(key, name)
                if other != name:
                    wrong = f"{key} is the key of {other} too, and only one of them would work"
                    raise KeymapError(name, wrong, f"another key, or give {other} another one")


def _is_default(name: str, keys: str) -> bool:
    """Whether a keymap says what holds anyway; what is bound otherwise in the log then stays so."""
    return name in _ON_AUDIT and {*key_names(keys)} == {*DEFAULT_KEYS[name].split(",")}


def _yielded(name: str, keymap: Mapping[str, str]) -> dict[str, str]:
    beside = {other for names in SCREENS.values() if name in names for other in names} - {name}
    wanted = {key for other in beside for key in key_names(keymap.get(other, ""))}
    if DEFAULT_KEYS[name] not in wanted:
        return {}
    return next(({name: key} for key in _SPARE if key not in wanted), {})
