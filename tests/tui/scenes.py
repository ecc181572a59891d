"""Recorded snapshots: what the screens are tested and pictured with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import orjson

from healconsole.core.acts import plan_reset
from healconsole.core.auditline import AuditEvent, AuditLine, AuditTail, UnparsableLine
from healconsole.core.fleetplace import place, told_at
from healconsole.core.fleetplace import told as told_in
from healconsole.core.records import (
    BreakerRecord,
    BucketRecord,
    Corrupt,
    MarkerRecord,
    OverrideRecord,
)
from healconsole.core.request import Request
from healconsole.core.snapshot import (
    CatalogEntry,
    HealerState,
    Host,
    Lock,
    ScopedBreaker,
    ScopedBucket,
    Snapshot,
    SourceHealth,
)
from healconsole.core.words import Circuit, Library, SourceState
from tests.tui.sceneparts import NOW, beat, breaker, bucket, cycle, event, markers

PLAN = orjson.dumps(
    {
        "fact": "queue_depth=13777,workers_alive=8",
        "intent": "restart_worker pid=12440",
        "verdict": {
            "allow": False,
            "guard": "circuit",
            "reason": "3 of 3 failed, open for 452 s more",
            "earliest": int(NOW + 452),
        },
        "mode": "live",
    }
).decode()
"""What the healer of the scenes says when it is asked for its plan."""


def _worker_queue(*, opened: bool) -> HealerState:
    name = "worker-queue-healer"
    last = (
        event(118, name, "verify-failed", "restart_worker pid=12440", fact="queue_depth=13777")
        if opened
        else event(1500, name, "success", "restart_worker pid=12012", fact="queue_depth=10411")
    )
    kept = markers(1489, 5130, 9240, 12_700) if opened else markers(1489)
    return HealerState(
        name=name,
        path=f"/var/lib/heal/{name}",
        library=Library.HEAL_SH,
        cycle=cycle(
            12,
            "restart_worker pid=12440" if opened else "",
            fact=f"queue_depth={'13777' if opened else '211'},workers_alive=8",
        ),
        heartbeat=beat(12),
        breakers=(
            breaker("restart_worker", Circuit.OPEN, 3, 148, int(NOW + 452))
            if opened
            else breaker("restart_worker", Circuit.CLOSED),
        ),
        buckets=(bucket("restart_worker", 2.0 if opened else 3.0),),
        markers_total=14 if opened else 1,
        marker_keys=frozenset(marker.key for marker in kept),
        markers=kept,
        daemon_pid=4711,
        catalog=CatalogEntry(
            name,
            f"/etc/heal/healers.d/{name}.toml",
            command=("sh", "-c", f"echo '{PLAN}'"),
            description="restarts stuck queue workers",
            owner="team-queues",
            runbook="https://runbooks.example/worker-queue",
            interval=60,
        ),
        last=last,
        intents=("restart_worker pid=12440", "restart_worker pid=12391"),
    )


def _broker(*, stale: bool) -> HealerState:
    name = "broker-restarter"
    ago = 371 if stale else 21
    return HealerState(
        name=name,
        path=f"/var/lib/heal/{name}",
        library=Library.HEAL_SH,
        cycle=cycle(ago, "", fact="broker_up=1"),
        heartbeat=beat(ago),
        breakers=(breaker("restart_broker", Circuit.CLOSED),),
        buckets=(bucket("restart_broker", 1.2 if stale else 3.0),),
        markers_total=2,
        marker_keys=frozenset({"aa" * 32, "bb" * 32}),
        markers=markers(5000, 9000, intent="restart_broker node={}"),
        last=event(371, name, "success", "restart_broker node=b2"),
    )


def _reaper(*, dry: bool) -> HealerState:
    name = "disk-reaper"
    return HealerState(
        name=name,
        path=f"/var/lib/heal/{name}",
        library=Library.PYTHON,
        cycle=cycle(
            8,
            "remove_cores older=7d" if dry else "",
            fact="cores_mb=412,quota_mb=300" if dry else "cores_mb=12,quota_mb=300",
            library=Library.PYTHON,
            mode="dry-run" if dry else "live",
        ),
        heartbeat=beat(8),
        dry_run=OverrideRecord(on=True, since=int(NOW - 86_400), until=0, operator="ana")
        if dry
        else None,
        buckets=(bucket("remove_cores", 3.0),),
        markers_total=3,
        marker_keys=frozenset({"cc" * 32, "dd" * 32, "ee" * 32}),
        markers=markers(4000, 8000, 12_000, intent="remove_cores older={}d"),
        last=event(2460, name, "dry-run" if dry else "success", "remove_cores older=7d"),
    )


def _mailq() -> HealerState:
    name = "legacy-mailq"
    intent = "flush_queue relay=mx1 domain=example.org"
    return HealerState(
        name=name,
        path=f"/var/lib/heal/{name}",
        library=Library.LEGACY,
        breakers=(ScopedBreaker(intent, BreakerRecord(0, 0), f"cb-{intent}"),),
        buckets=(
            ScopedBucket(intent, BucketRecord(int(NOW - 10_000), 2_000_000), f"rate-{intent}"),
        ),
        markers_total=9,
        marker_keys=frozenset({"ff" * 32}),
        markers=(MarkerRecord("ff" * 32, int(NOW - 10_800)),),
        last=event(10_800, name, "success", intent),
        intents=(intent,),
    )


def _events(*, opened: bool) -> tuple[AuditLine, ...]:
    worker = "worker-queue-healer"
    quiet = (
        event(10_800, "legacy-mailq", "success", "flush_queue relay=mx1 domain=example.org"),
        event(2460, "disk-reaper", "success", "remove_cores older=7d", fact="cores_mb=377"),
        event(1500, worker, "started", "restart_worker pid=12012", fact="queue_depth=10411"),
        event(1489, worker, "success", "restart_worker pid=12012", fact="queue_depth=10411"),
        event(371, "broker-restarter", "success", "restart_broker node=b2", fact="broker_up=0"),
    )
    if not opened:
        return quiet
    failed = "queue did not drain within 5 s"
    return (
        *quiet,
        event(366, worker, "verify-failed", "restart_worker pid=12345", reason=failed,
              fact="queue_depth=12450,workers_alive=8"),
        event(246, worker, "verify-failed", "restart_worker pid=12391", reason=failed,
              fact="queue_depth=13022,workers_alive=8"),
        event(118, worker, "verify-failed", "restart_worker pid=12440", reason=failed,
              fact="queue_depth=13777,workers_alive=8"),
        event(57, worker, "denied", "restart_worker pid=12440", guard="circuit",
              reason="3 of 3 failed, open for 509 s more", count=2),
        event(15, "disk-reaper", "dry-run", "remove_cores older=7d", fact="cores_mb=412"),
    )  # fmt: skip


def _site(healers: tuple[HealerState, ...], lines: tuple[AuditLine, ...]) -> Snapshot:
    return Snapshot(
        host="web-07",
        taken_at=NOW,
        healers=tuple(sorted(healers, key=lambda healer: healer.name)),
        audit=AuditTail("/var/log/heal/audit.jsonl", 0, 20_000_000, lines),
        audit_health=SourceHealth(SourceState.LIVE, "/var/log/heal/audit.jsonl", 4.0, NOW),
        state_health=SourceHealth(SourceState.LIVE, "/var/lib/heal", 1.0, NOW),
        redis_health=SourceHealth(SourceState.LIVE, "", 2.0, NOW),
        locks=(
            Lock("broker-restart", "web-19/broker-restarter/4211/8d1f6f0e", NOW + 41, 118),
            Lock("mailq", "9f1b0c52-6d1e-4e3c-9a50-0d5a4b6f2f11", NOW + 7),
        ),
    )


def healthy() -> Snapshot:
    """Four healers, all well."""
    return _site(
        (_worker_queue(opened=False), _broker(stale=False), _reaper(dry=False), _mailq()),
        _events(opened=False),
    )


def one_open() -> Snapshot:
    """The circuit of one healer is open, another healer's loop is dead, a third rehearses."""
    return _site(
        (_worker_queue(opened=True), _broker(stale=True), _reaper(dry=True), _mailq()),
        _events(opened=True),
    )


def stale() -> Snapshot:
    """One healer has no heartbeat for six minutes."""
    return _site(
        (_worker_queue(opened=False), _broker(stale=True), _reaper(dry=False), _mailq()),
        _events(opened=False),
    )


def dry_run() -> Snapshot:
    """One healer rehearses under an operator's word."""
    return _site(
        (_worker_queue(opened=False), _broker(stale=False), _reaper(dry=True), _mailq()),
        _events(opened=False),
    )


def corrupt_file() -> Snapshot:
    """A breaker and a line of the log cannot be read; both hold bytes that attack terminals."""
    sick = replace(
        _worker_queue(opened=False),
        breakers=(
            ScopedBreaker(
                "restart_worker",
                Corrupt("cb/restart_worker", "not the form of a breaker", b"a[$(reboot)] 1\x1b[2J"),
                "cb/restart_worker",
            ),
        ),
    )
    bad = UnparsableLine(
        19_999_000, 40, b"{\x1b]0;owned\x07 [@click=app.quit]\xe2\x80\xae", "no JSON"
    )
    site = _site(
        (sick, _broker(stale=False), _reaper(dry=False), _mailq()), (*_events(opened=False), bad)
    )
    return replace(site, audit=replace(site.audit, unparsable=1))


def asked() -> Snapshot:
    """Somebody of another login wants to reset the open circuit, and waits for a second person."""
    healer = _worker_queue(opened=True)
    plan = plan_reset(healer, None, "half-open", NOW, _events(opened=True))
    operator = {
        "user": "bo", "uid": 0, "login_uid": 1001, "via": "tui", "from": "10.0.0.8 pts/4",
        "claimed": {"SUDO_USER": "bo", "tty": "pts/4"},
    }  # fmt: skip
    request = Request(
        "c0ffee", plan.verb, plan.healer, plan.scope, "rolled back deploy 5121", "INC-4711",
        operator, NOW - 660, NOW + 240, plan.before, plan.after, (),
        plan.now_lines, plan.after_lines, plan.next_lines, plan.warnings,
    )  # fmt: skip
    return replace(one_open(), requests=(request,))


def redis_unknown() -> Snapshot:
    """Redis does not answer."""
    return replace(
        healthy(),
        locks=(),
        redis_health=SourceHealth(
            SourceState.UNKNOWN, "127.0.0.1:6379 refused the connection", None, NOW - 134
        ),
    )


def empty() -> Snapshot:
    """Nothing is there yet."""
    return Snapshot(
        host="web-07",
        taken_at=NOW,
        audit=AuditTail("/var/log/heal/audit.jsonl"),
        audit_health=SourceHealth(SourceState.MISSING, "/var/log/heal/audit.jsonl is not there"),
        state_health=SourceHealth(SourceState.MISSING, "/var/lib/heal is not there"),
        redis_health=SourceHealth(SourceState.OFF),
    )


def many(number: int = 60) -> Snapshot:
    """As many healers as one wants; every seventh has its circuit open."""
    base = (_worker_queue(opened=False), _worker_queue(opened=True))
    return _site(
        tuple(replace(base[index % 7 == 3], name=f"healer-{index:03d}") for index in range(number)),
        _events(opened=True),
    )


def fleet_audit(lines: Iterable[AuditEvent]) -> AuditTail:
    """The events of a fleet, each told half a second after it happened."""
    placed = []
    for number, line in enumerate(lines):
        told = told_at((line.ts or 0) + 0.5) + number
        where = place(line.ts, told, line.host, b"%d" % number)
        placed.append(replace(line, offset=where, length=1))
    first, last = (told_in(placed[at].offset) for at in (0, -1))
    return AuditTail("the fleet's audit stream", 0, last, tuple(placed), since=first)


def fleet() -> Snapshot:
    """Three hosts: one with an open circuit, one that tells no more, one that is well."""
    sites = {"db-03": healthy(), "web-07": one_open(), "web-19": healthy()}
    lost = {"web-19": NOW - 252}
    healers = tuple(
        replace(healer, host=host, lost_since=lost.get(host))
        for host, site in sites.items()
        for healer in site.healers
        if healer.name in {"worker-queue-healer", "disk-reaper"} or host == "web-07"
    )
    lines = [
        replace(line, host=host)
        for host, site in sites.items()
        for line in site.audit.lines
        if isinstance(line, AuditEvent) and line.ts is not None
        if host == "web-07" or line.ts > NOW - 3000
    ]
    lines.sort(key=lambda line: line.ts or 0)
    return replace(
        one_open(),
        host="fleet, 3 hosts",
        fleet=True,
        hosts=tuple(Host(host, lost.get(host), 4) for host in sites),
        healers=healers,
        audit=fleet_audit(lines),
    )
