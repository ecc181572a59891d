"""The demo's healer of a full disk."""

from __future__ import annotations

import os
import time
from pathlib import Path

from healconsole.demo.healers.disk_reaper import DiskReaper


def test_a_core_file_that_goes_while_it_is_measured_is_no_error(tmp_path: Path) -> None:
    old = tmp_path / "core.1"
    old.write_bytes(b"x" * 300_000)
    os.utime(old, (time.time() - 30 * 86_400,) * 2)
    (tmp_path / "core.2").write_bytes(b"young")
    # Listed and not there, as a file that was removed after the directory was read.
    (tmp_path / "core.3").symlink_to("removed")
    fact = DiskReaper(tmp_path).detect()
    assert (fact["cores"], fact["bytes"]) == ("1", "300000")
    assert DiskReaper(tmp_path).decide(fact) == "remove_cores older=7d"
