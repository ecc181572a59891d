"""The keys of ``--json`` are an interface."""

from __future__ import annotations

from typing import Any

import orjson

from healconsole.core.auditline import AuditTail
from healconsole.core.explain import explain
from healconsole.core.halt import HaltRecord
from healconsole.core.records import Corrupt
from healconsole.core.snapshot import EMPTY, Lock, Snapshot, SourceHealth
from healconsole.core.status import explain_object, locks_object, status_object
from healconsole.core.words import SourceState
from tests.core.samples import NOW, breaker, bucket, event, healer, legacy

OPEN = b"3 1763999852 3 600 open 1764000452\n"
LOCK = Lock("queue", "web-08/x/7/uuid", NOW + 30.5, fence=4)
SNAPSHOT = Snapshot(
    host="web-07",
    taken_at=NOW,
    healers=(
        healer(daemon_pid=4242, breakers=(breaker("restart_worker", OPEN),)),
        legacy(
            last=event("success", "flush \udce9", NOW),
            hold=Corrupt("hold", "empty"),
            breakers=(breaker("x", b"nan"),),
            buckets=(bucket("x", b"nan"),),
        ),
    ),
    locks=(LOCK,),
    audit=AuditTail(path="/var/log/heal/audit.jsonl", unparsable=2),
    audit_health=SourceHealth(SourceState.LIVE, last_ok=NOW - 0.25),
    redis_health=SourceHealth(SourceState.LIVE, latency_ms=1.5),
)


def written(found: dict[str, Any]) -> dict[str, Any]:
    loaded: dict[str, Any] = orjson.loads(orjson.dumps(found))
    return loaded


def test_status() -> None:
    found = written(status_object(SNAPSHOT, NOW))
    first, second = found.pop("healers")
    assert found == {
        "taken_at": NOW,
        "host": "web-07",
        "audit": {
            "path": "/var/log/heal/audit.jsonl",
            "state": "live",
            "lag_s": 0.25,
            "unparsable": 2,
        },
        "redis": {"state": "live", "latency_ms": 1.5},
        "locks": [
            {"key": "queue", "owner": "web-08/x/7/uuid", "state": "held", "ttl_s": 30.5},
        ],
    }
    last = first.pop("last")
    assert (last["outcome"], last["intent"]) == ("success", "restart_worker pid=12345")
    assert first == {
        "name": "worker-queue-healer",
        "library": "heal.sh",
        "mode": "LIVE",
        "hold": None,
        "heartbeat": {"at": NOW - 19, "age_s": 19, "state": "fresh", "source": "cycle.json"},
        "running": {"pid": 4242},
        "breakers": [
            {
                "scope": "restart_worker",
                "state": "open",
                "failures": 3,
                "max": 3,
                "remaining_s": 452,
                "assumed": False,
            }
        ],
        "buckets": [
            {
                "scope": "restart_worker",
                "tokens": 2.0,
                "burst": 3,
                "rate": 0.0167,
                "next_token_s": 59.88,
                "assumed": False,
            }
        ],
        "markers": {"active": 0, "total": 0},
        "verdict": {
            "allow": False,
            "guard": "circuit",
            "reason": "3 of 3 failed, open for 452 s more",
            "earliest": 1_764_000_452,
        },
    }
    assert second["hold"]["state"] == "corrupt"
    assert second["heartbeat"]["state"] == "unknown"
    assert second["running"] == {"pid": None}
    assert second["breakers"][0]["state"] == "corrupt"
    assert second["breakers"][0]["assumed"] is True
    assert second["buckets"][0]["tokens"] is None
    assert second["last"]["intent"].startswith("flush ")


def test_an_empty_snapshot() -> None:
    found = written(status_object(EMPTY, NOW))
    assert (found["healers"], found["locks"]) == ([], [])
    assert found["audit"]["lag_s"] is None
    assert found["redis"] == {"state": "off", "latency_ms": None}


def test_locks_of_a_redis_that_does_not_answer_are_unknown() -> None:
    silent = Snapshot(
        locks=(LOCK,),
        halt=HaltRecord(0, 0, "ana", "deploy"),
        redis_health=SourceHealth(SourceState.UNKNOWN, "timed out"),
    )
    found = written(locks_object(silent, NOW))
    assert found["redis"]["detail"] == "timed out"
    assert found["locks"][0]["state"] == "unknown"
    assert found["locks"][0]["fence"] == 4
    assert found["halted"] == "deploy (ana)"


def test_a_lock_that_ran_out_is_free_and_one_without_an_end_is_held() -> None:
    health = SourceHealth(SourceState.LIVE)
    locks = (LOCK, Lock("eternal", "uuid", None))
    found = written(locks_object(Snapshot(locks=locks, redis_health=health), NOW + 31))
    assert [(lock["state"], lock["ttl_s"]) for lock in found["locks"]] == [
        ("free", 0),
        ("held", None),
    ]


def test_explain_has_every_rung() -> None:
    state = SNAPSHOT.healers[0]
    verdict = explain(state, SNAPSHOT, "restart_worker pid=1", NOW)
    found = written(explain_object(state, verdict, NOW))
    assert [step["guard"] for step in found["steps"]] == [
        *("intent", "hold", "idempotency", "rate", "circuit", "fleet", "dry-run")
    ]
    assert found["healer"] == state.name
    assert (found["verdict"]["allow"], found["verdict"]["guard"]) == (False, "circuit")
    assert found["steps"][4]["earliest"] == 1_764_000_452
