"""Where the stylesheets are: beside the package in a checkout, inside it in a wheel.

``CSS_PATH`` resolves against the file of the class that names it, which differs between the
two homes; so every stylesheet is named by its absolute path, and only here.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent
_HOMES = (_PACKAGE / "styles", _PACKAGE.parent / "styles")

NAMES = ("base.tcss", "home.tcss", "healer.tcss", "audit.tcss", "wall.tcss", "dialogs.tcss")


def stylesheets() -> list[Path]:
    """Return the absolute path of every stylesheet, in the order in which they are loaded.

    Raises:
        FileNotFoundError: the installation lost its stylesheets.
    """
    for home in _HOMES:
        if (home / NAMES[0]).is_file():
            return [home / name for name in NAMES]
    raise FileNotFoundError(f"no stylesheets in {' or '.join(str(home) for home in _HOMES)}")
