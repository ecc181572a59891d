"""The names of keys, as Textual (8.2) spells them, and which names no terminal ever sends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_MODIFIERS: Final = frozenset({"alt", "ctrl", "hyper", "meta", "shift", "super"})
_NUL: Final = "ctrl+@"
"""The one key with a sign that Textual spells with the sign itself."""
_NAMED: Final = frozenset(
    {
        *("up", "down", "left", "right", "home", "end", "pageup", "pagedown", "insert", "delete"),
        *("enter", "escape", "tab", "space", "backspace", "menu", "pause", "print_screen"),
        *(f"f{number}" for number in range(1, 36)),
    }
)
"""The keys that are not a sign, as Textual spells them."""
_SPELLED: Final[Mapping[str, str]] = {
    "solidus": "slash",
    "reverse_solidus": "backslash",
    "commercial_at": "at",
    "hyphen_minus": "minus",
    "plus_sign": "plus",
    "low_line": "underscore",
}


def key_names(keys: str) -> tuple[str, ...]:
    """Return the keys of a text that lists them, as Textual (8.2) spells them.

    >>> key_names("f5, /"), key_names("T"), key_names("Shift+Ctrl+PageUp")
    (('f5', 'slash'), ('T',), ('ctrl+shift+pageup',))
    """
    return tuple(_key_name(key.strip()) for key in keys.split(","))


def wrong_key(key: str) -> tuple[str, str] | None:
    """Say why no terminal sends a key that is spelled so, and what to write; None if one may.

    >>> wrong_key("ctlr+x")[0], wrong_key("shift+x")[1], wrong_key("ctrl+x")
    ("'ctlr+x' is no key", 'a text such as "X"', None)
    """
    *modifiers, last = _parts(key)
    if set(modifiers) - _MODIFIERS or not (last.lower() in _NAMED or _is_sign(last)):
        return f"{key!r} is no key", 'a text such as "f5", "ctrl+t", "T", "/" or "escape"'
    if len(last) == 1 and modifiers == ["shift"]:
        return f"{key!r} is sent as the sign that it makes", f'a text such as "{last.upper()}"'
    if len(last) == 1 and "ctrl" in modifiers and last != last.lower():
        return f"{key!r} is sent as the small letter", f'"{key[:-1]}{last.lower()}"'
    return None


def _key_name(key: str) -> str:
    *modifiers, last = _parts(key)
    if key == _NUL:
        return key
    named = last.lower() if last.lower() in _NAMED else _sign_name(last)
    return "+".join((*sorted(modifiers), named))


def _parts(key: str) -> tuple[str, ...]:
    """The modifiers of a key, and the key itself, which may be a plus.

    >>> _parts("ctrl+T"), _parts("+"), _parts("ctrl++")
    (('ctrl', 'T'), ('+',), ('ctrl', '+'))
    """
    held, _, last = key[:-1].rpartition("+")
    return (*(held.lower().split("+") if held else ()), last + key[-1:])


def _sign_name(text: str) -> str:
    """A sign's name, of the sign or of one of its names; what is neither stays."""
    if len(text) == 1 and text.isalnum():
        return text
    import unicodedata  # only where somebody wrote such a sign

    if len(text) == 1:
        name = unicodedata.name(text, text).lower().replace("-", "_").replace(" ", "_")
        return _SPELLED.get(name, name)
    try:
        sign = unicodedata.lookup(text.replace("_", " ").upper())
    except KeyError:
        return text
    return _sign_name(sign) if _is_sign(sign) and not sign.isalnum() else text


def _is_sign(name: str) -> bool:
    if len(name) == 1:
        return name.isprintable() and not name.isspace()
    if name in _SPELLED.values():
        return True
    import unicodedata

    words = name.replace("_", " ").upper()
    for spelled in (words, words.replace(" THAN", "-THAN")):
        try:
            sign = unicodedata.lookup(spelled)
        except KeyError:
            continue
        return sign.isprintable() and not sign.isalnum()
    return False
