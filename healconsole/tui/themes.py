"""The console's own colours: calm, with enough contrast for a laptop in the sun at 3 a.m.

State is never told by colour alone; these only help the eye to find it.
"""

from __future__ import annotations

from collections.abc import Mapping

from textual.theme import Theme

DARK = Theme(
    name="healconsole-dark",
    primary="#6cb6ff",
    secondary="#8fa3bf",
    accent="#c297ff",
    success="#7fce8f",
    warning="#eab54f",
    error="#ff7a72",
    foreground="#d9e0ea",
    background="#10141b",
    surface="#161c25",
    panel="#1e2632",
    dark=True,
    variables={
        "muted": "#8492a6",
        "rule": "#2c3645",
        "cursor-line": "#22304a",
        "input-cursor-text-style": "reverse",
        "footer-key-foreground": "#6cb6ff",
    },
)
"""For a dark terminal; the default."""

LIGHT = Theme(
    name="healconsole-light",
    primary="#0b5cad",
    secondary="#4d5a6b",
    accent="#7a3ec8",
    success="#16702f",
    warning="#8a5a00",
    error="#c01f2e",
    foreground="#1f252d",
    background="#fbfaf7",
    surface="#f3f1ec",
    panel="#e9e6df",
    dark=False,
    variables={
        "muted": "#5c6672",
        "rule": "#cfcac0",
        "cursor-line": "#d9e6f6",
        "input-cursor-text-style": "reverse",
        "footer-key-foreground": "#0b5cad",
    },
)
"""For a light terminal."""


def own_variables(theme: Theme) -> dict[str, str]:
    """Return what our stylesheets ask of a theme that is not ours."""
    if theme.ansi:
        # The colours are the terminal's own, and which of them can be told apart nobody knows.
        return {"muted": "ansi_default", "rule": "ansi_bright_black", "cursor-line": "ansi_default"}
    foreground = theme.foreground or ("#e0e0e0" if theme.dark else "#202020")
    return {
        "muted": f"{foreground} 65%",
        "rule": f"{foreground} 25%",
        "cursor-line": f"{theme.primary} 25%",
    }


_SHORT = {"": DARK.name, "dark": DARK.name, "light": LIGHT.name, "ansi": "ansi-dark"}


def theme_for(name: str, environ: Mapping[str, str]) -> str:
    """Return the theme that ``name`` (of the configuration) means on this terminal.

    With no name given a terminal of 16 colours gets its own colours: ours, rounded to these,
    would be anybody's guess.

    >>> theme_for("light", {}), theme_for("", {"TERM": "linux"})
    ('healconsole-light', 'ansi-dark')
    """
    rich = "256" in environ.get("TERM", "") or environ.get("COLORTERM", "")
    kitty = environ.get("TERM", "") in {"xterm-kitty", "alacritty", "xterm-ghostty", "foot"}
    if not name and not rich and not kitty:
        return "ansi-dark"
    return _SHORT.get(name, name)
