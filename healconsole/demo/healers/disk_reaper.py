"""Removes core files older than a week when they are over their quota. Starts in dry-run."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from healconsole import Fact, Healer, Intent, Policy

QUOTA_BYTES = 256 * 1024
OLDER_DAYS = 7


class DiskReaper(Healer):
    """One symptom: core files fill the disk."""

    name = "disk-reaper"
    policy = Policy(
        rate_micro=100_000, burst=3, max_failures=3, cooldown=60, bucket=60, settle=0.5,
        action_timeout=10, check_timeout=5,
    )  # fmt: skip

    def __init__(self, cores: Path) -> None:
        super().__init__()
        self.cores = cores

    def _old(self) -> dict[Path, int]:
        """The old core files with their sizes in bytes."""
        limit = time.time() - (OLDER_DAYS - 1) * 86_400
        found: dict[Path, int] = {}
        for path in self.cores.glob("core.*"):
            # One that somebody else removes meanwhile takes no room, and is no error.
            with suppress(FileNotFoundError):
                info = path.stat()
                if info.st_mtime < limit:
                    found[path] = info.st_size
        return found

    def detect(self) -> Fact:
        """Measure; a failed measurement is a fact too, never a zero."""
        try:
            old = self._old()
            return Fact(cores=len(old), bytes=sum(old.values()))
        except OSError as problem:
            return Fact.failed("bytes", problem)

    def decide(self, fact: Fact) -> str | None:
        """Over quota, and nothing else, is a reason."""
        size = fact.number("bytes")
        if size is not None and size > QUOTA_BYTES:
            return f"remove_cores older={OLDER_DAYS}d"
        return None

    def act(self, _intent: Intent) -> None:
        """Remove what was measured."""
        for path in self._old():
            path.unlink(missing_ok=True)

    def verify(self, _intent: Intent) -> bool:
        """Below the quota again."""
        return sum(self._old().values()) <= QUOTA_BYTES


if __name__ == "__main__":
    raise SystemExit(DiskReaper(Path(os.environ["DEMO_ROOT"]) / "cores").main())
