"""Where the stylesheets are: beside the package in a checkout, inside it in a wheel.

``CSS_PATH`` resolves against the file of the class that names it, which differs between the
two homes; so every stylesheet is named by its absolute path, and only here.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent
_HOMES = (_PACKAGE / "styles", _PACKAGE.parent / "styles")

_ALL = ("base.tcss", "home.tcss", "healer.tcss", "audit.tcss", "wall.tcss", "dialogs.tcss")


def stylesheets(*, wall: bool) -> tuple[list[Path], list[Path]]:
    """Return the absolute paths of what the first screen needs, and of all others.

    To parse the others takes time that nothing need wait for until a key was pressed.

    Raises:
        FileNotFoundError: the installation lost its stylesheets.
    """
    for home in _HOMES:
        if (home / _ALL[0]).is_file():
            first = (_ALL[0], "wall.tcss" if wall else "home.tcss")
            return [home / name for name in first], [
                home / name for name in _ALL if name not in first
            ]
    raise FileNotFoundError(f"no stylesheets in {' or '.join(str(home) for home in _HOMES)}")
