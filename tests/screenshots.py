"""Makes screenshots/ from the goldens of the tests: ``python -m tests.screenshots``.

Each SVG is a byte copy of a golden, so a picture in the README never shows what the program does
not. The PNGs are rendered from them and need cairosvg (``pip install cairosvg``).
"""

from __future__ import annotations

import re
import shutil
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GOLDENS = ROOT / "tests" / "tui" / "__snapshots__" / "test_pictures"
SCREENSHOTS = ROOT / "screenshots"

PICTURES = {
    "home-120x40": "test_home_one_open[120x40]",
    "home-80x24": "test_home_one_open[80x24]",
    "home-light": "test_home_light[120x40]",
    "reset-80x24": "test_dialog_reset[80x24]",
    "run-120x40": "test_dialog_run[120x40]",
    "wall-120x40": "test_wall[120x40]",
    "healer-120x40": "test_healer[120x40]",
    "audit-120x40": "test_audit_filter[120x40]",
}
"""Name in screenshots/, name of the golden."""


FONT = "DejaVu Sans Mono"
"""What the PNGs are set in; it has to be installed."""
FONT_SIZE = 20.265
"""Pixels at which a character of that font is exactly one cell wide: 12.2 pixels."""
SCALE = 15 / 12.2
"""Makes a cell whole pixels, 15 by 30: a character's width is rounded to whole ones."""


def for_render(svg: str) -> str:
    """The picture in a font that is at hand, set on the cells by its width alone.

    cairosvg spreads a text over its ``textLength`` by the width of the ink, which tears lines.
    """
    svg = svg.replace("Fira Code", FONT).replace("font-size: 20px", f"font-size: {FONT_SIZE}px")
    return re.sub(r' textLength="[^"]*"', "", svg)


def main() -> None:
    """Copy every picture, and render it."""
    render = import_module("cairosvg").svg2png
    SCREENSHOTS.mkdir(exist_ok=True)
    for name, golden in PICTURES.items():
        svg = SCREENSHOTS / f"{name}.svg"
        shutil.copyfile(GOLDENS / f"{golden}.svg", svg)
        text = for_render(svg.read_text(encoding="utf-8"))
        render(bytestring=text.encode(), write_to=str(svg.with_suffix(".png")), scale=SCALE)
        print(svg.relative_to(ROOT))


if __name__ == "__main__":
    main()
