"""``verify``: whether the chain of the audit log holds, and where it does not."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from healconsole.cli.errors import DONE, REFUSED
from healconsole.cli.output import emit_json, paint, show
from healconsole.cli.settings import settings
from healconsole.core.text import visible
from healconsole.core.unfinished import UNFINISHED, unfinished_words
from healconsole.stores.logverify import Verified, logs_of, verify


def run(args: argparse.Namespace) -> int:
    """Walk each log; return 0 if all of them hold."""
    logs = [verify(files) for files in logs_of(args.files or [settings(args).audit])]
    found = not args.expect or any(log.walk.holds(args.expect) for log in logs)
    holds = found and all(_holds(log) for log in logs)
    if args.json:
        said: dict[str, Any] = {"holds": holds, "logs": [_object(log) for log in logs]}
        if args.expect:
            said["expected"] = found
        emit_json(said)
    else:
        for log in logs:
            _tell(log)
        if not found:
            show(paint(f"no event has the hash {visible(args.expect)}", "bad"))
    return DONE if holds else REFUSED


def _holds(log: Verified) -> bool:
    return not log.unread and not log.walk.findings()


def _object(log: Verified) -> dict[str, Any]:
    walk = log.walk
    return {
        "holds": _holds(log),
        "files": [str(file) for file in log.files],
        "lines": walk.lines,
        "events": walk.linked,
        "unchained": walk.unlinked,
        "starts": [_place(log, place.file, place.line) for place in walk.starts],
        "continued": walk.continued,
        "last": walk.last,
        "findings": [
            {
                **_place(log, found.place.file, found.place.line),
                "offset": found.place.offset,
                "kind": found.kind,
                "why": found.why,
            }
            for found in walk.findings()
        ],
        "more": walk.more,
        "unfinished": [
            {**_place(log, place.file, place.line), "why": unfinished_words(event)}
            for place, event in log.unfinished.found(time.time())
        ],
        "unread": [{"file": str(file), "why": why} for file, why in log.unread],
    }


def _place(log: Verified, file: int, line: int) -> dict[str, Any]:
    return {"file": str(log.files[file]), "line": line}


def _tell(log: Verified) -> None:
    walk = log.walk
    name = visible(str(log.files[-1]))
    for found in walk.findings():
        where = f"{_name(log, found.place.file)}:{found.place.line}"
        show(paint(f"{where}: {found.kind}: {found.why}", "bad"))
    if walk.more:
        show(f"and {walk.more:,} more")
    for file, why in log.unread:
        show(paint(f"{visible(str(file))}: {visible(why)}", "bad"))
    for place, event in log.unfinished.found(time.time()):
        where = f"{_name(log, place.file)}:{place.line}"
        show(paint(f"{where}: {UNFINISHED}: {visible(unfinished_words(event))}", "bad"))
    if log.unfinished.more:
        show(f"and {log.unfinished.more:,} more {UNFINISHED}")
    for place in walk.starts[1:]:
        where = f"{_name(log, place.file)}:{place.line}"
        show(paint(f"{where}: a chain starts; what was before is not known to it", "warn"))
    if walk.continued:
        show(paint(f"{name}: older files are gone: what was in them is not covered", "dim"))
    verdict = "holds" if _holds(log) else "DOES NOT HOLD"
    files, loose = len(log.files), walk.unlinked
    covered = f"{walk.linked:,} events in {files} file{'' if files == 1 else 's'}"
    why = "without a hash: of the older heal.sh, or cut short by a crash; not covered"
    others = f", {loose:,} line{'' if loose == 1 else 's'} unchained ({why})" if loose else ""
    last = f", last hash {walk.last}" if walk.last else ""
    show(
        paint(f"{name}: the chain {verdict}: {covered}{others}{last}", "" if _holds(log) else "bad")
    )


def _name(log: Verified, file: int) -> str:
    path: Path = log.files[file]
    return visible(str(path))
