"""``doctor``: what on this host will hurt, why, and how to mend it."""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import fields
from pathlib import Path

from healconsole.cli.errors import DONE, REFUSED, UsageError
from healconsole.cli.output import emit_json, paint, show
from healconsole.cli.settings import only, settings
from healconsole.core.findings import IDS, Finding, HostFacts, examine
from healconsole.core.text import encodable, visible
from healconsole.stores.config import default_files
from healconsole.stores.hostfacts import gather
from healconsole.stores.hostfiles import Places
from healconsole.stores.look import read_once


def run(args: argparse.Namespace) -> int:
    """Examine the host; 1 if something was found.

    Raises:
        UsageError: ``--skip`` names no finding.
        RefusedError: there is no healer of a name.
    """
    for name in args.skip:
        if name not in IDS:
            raise UsageError(f"doctor: --skip: no finding is called {name!r}; see --help")
    config = settings(args)
    snapshot = only(read_once(config, time.time), args.names)
    named = getattr(args, "config", None) or os.environ.get("HEALCONSOLE_CONFIG")
    host = gather(
        config,
        snapshot,
        _places(args),
        time.time,
        config_files=[Path(named)] if named else default_files(os.environ),
        least_free=args.disk_free,
    )
    findings = examine(host, frozenset(args.skip))
    if args.json:
        emit_json(_object(snapshot.host, host, findings))
    else:
        _tell(host, findings)
    return REFUSED if findings else DONE


def _places(args: argparse.Namespace) -> Places:
    given = {field.name: getattr(args, field.name) for field in fields(Places)}
    return Places(**{name: tuple(map(Path, paths)) for name, paths in given.items() if paths})


def _object(name: str, host: HostFacts, findings: tuple[Finding, ...]) -> dict[str, object]:
    return {
        "host": encodable(name),
        "examined_at": host.now,
        "healers": [encodable(healer.state.name) for healer in host.healers],
        "findings": [
            {field.name: encodable(getattr(finding, field.name)) for field in fields(Finding)}
            for finding in findings
        ],
        "unexamined": [
            {"what": encodable(what), "why": encodable(why)} for what, why in host.unexamined
        ],
    }


def _tell(host: HostFacts, findings: tuple[Finding, ...]) -> None:
    for finding in findings:
        who = visible(finding.healer) or "host"
        show(f"{paint('✖', 'bad')} {paint(finding.id, 'head')}  {who}: {visible(finding.what)}")
        show(f"    where  {visible(finding.where)}")
        show(f"    why    {visible(finding.why)}")
        show(f"    mend   {visible(finding.mend)}")
    for what, why in host.unexamined:
        show(f"{paint('!', 'warn')} not examined: {visible(what)}: {visible(why)}")
    healers = "1 healer" if len(host.healers) == 1 else f"{len(host.healers)} healers"
    found = "1 finding" if len(findings) == 1 else f"{len(findings) or 'no'} findings"
    show(f"{healers} examined, {found}")
