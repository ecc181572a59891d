"""The page, what it loads, and the headers that keep it to itself.

Terminal, stylesheet and font are those that textual-serve carries; its page is not, which
asks the internet for a font.
"""

from __future__ import annotations

from html import escape
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final, NamedTuple

FONT_SIZE: Final = 16
"""Pixels; a browser's zoom does the rest."""


class Asset(NamedTuple):
    """One file that the page loads."""

    content_type: str
    body: bytes


def load_assets() -> dict[str, Asset]:
    """Every file below ``/static/``, by name; read once, so that no request touches a disk.

    Raises:
        ModuleNotFoundError: textual-serve is not installed.
        OSError: a file of it is not there.
    """
    theirs = files("textual_serve").joinpath("static")
    ours = files("healconsole.serve").joinpath("assets")
    javascript, stylesheet = "text/javascript; charset=utf-8", "text/css; charset=utf-8"
    found: dict[str, tuple[str, Traversable]] = {
        "textual.js": (javascript, theirs.joinpath("js/textual.js")),
        "xterm.css": (stylesheet, theirs.joinpath("css/xterm.css")),
        "mono.ttf": ("font/ttf", theirs.joinpath("fonts/RobotoMono-VariableFont_wght.ttf")),
        "wall.js": (javascript, ours.joinpath("wall.js")),
        "wall.css": (stylesheet, ours.joinpath("wall.css")),
    }
    return {name: Asset(kind, path.read_bytes()) for name, (kind, path) in found.items()}


def page(socket_url: str, title: str) -> str:
    """The page; its terminal connects to ``socket_url``."""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{escape(title)}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/static/xterm.css">
<link rel="stylesheet" href="/static/wall.css">
<script src="/static/textual.js"></script>
<script src="/static/wall.js"></script>
</head>
<body>
<p id="notice" role="status">connecting</p>
<div id="terminal" class="textual-terminal" data-session-websocket-url="{escape(socket_url)}"
 data-font-size="{FONT_SIZE}"></div>
</body>
</html>
"""


def headers(socket_origin: str) -> dict[str, str]:
    """The headers of every answer: nothing from elsewhere, nothing kept, nothing framed.

    Inline styles are the terminal's own. Without ``allow-popups`` in the sandbox a link in
    the text of an event cannot open a page.
    """
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        f"font-src 'self'; img-src data:; connect-src 'self' {socket_origin}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "sandbox allow-scripts allow-same-origin"
    )
    return {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "Server": "healconsole",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
