"""``python -m healconsole``: the same program as ``healconsole``."""

from __future__ import annotations

import sys

from healconsole.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
