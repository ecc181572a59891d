"""A healer in Python that leaves a byte in ``beat`` for each cycle, and has nothing to do."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from healconsole import Healer
from tests.engine.sites import Site


def detect() -> str:
    """Measure nothing."""
    Site(Path(os.environ["TEST_ROOT"])).mark("beat")
    return "stuck=0"


if __name__ == "__main__":
    sys.exit(Healer("h", detect=detect, decide=lambda _fact: None, interval=60).main())
