"""The same as ``writer.sh``, in Python: acts on one new intent after the other, for ever."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping

from healconsole import Guard
from healconsole.core.records import DEFAULT_POLICY
from healconsole.engine.settings import settings_from


def tell(path: str, intent: str) -> None:
    """Append one line in one write."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, f"{intent}\n".encode())
    finally:
        os.close(descriptor)


def main(environ: Mapping[str, str]) -> None:
    """Never returns."""
    settings = settings_from(environ["NAME"], environ, DEFAULT_POLICY, 60)
    with Guard.from_settings(settings, lambda: float(environ["SCENE_NOW"])) as guard:
        for number in itertools.count(1):
            intent = f"fix writer=python number={number}"
            guard.run(
                intent,
                lambda intent=intent: tell(environ["SCENE_BEGUN"], intent),  # type: ignore[misc]
                lambda number=number: number % 3 != 0,
            )
            tell(environ["SCENE_RECORDED"], intent)


if __name__ == "__main__":
    main(os.environ)
