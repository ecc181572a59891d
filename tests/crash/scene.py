"""A healer's private state directory, log and acts, for guarded cycles that die or are refused."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from healconsole.core.breaker import parse_breaker
from healconsole.core.bucket import parse_bucket
from healconsole.core.claim import format_claim, parse_claim
from healconsole.core.cycle import parse_cycle
from healconsole.core.intent import bucket_number, marker_key
from healconsole.core.marker import format_marker, parse_marker
from healconsole.core.records import (
    MICRO,
    BreakerRecord,
    BucketRecord,
    ClaimRecord,
    Corrupt,
    MarkerRecord,
)
from healconsole.stores.layout import prepare

LONG = os.environ.get("HEALCONSOLE_LONG") == "1"
"""Whether every index is taken; by default an even sample that takes seconds."""

NOON = 1_764_000_150
"""A time in the middle of a bucket of 300 s."""

INTENT = "fix pid=1"
OTHER = "fix pid=8"
SCOPE = "fix"
GONE = 4_194_303
"""A pid of an earlier boot."""
BURST = 3


@dataclass(frozen=True)
class Scene:
    """Everything that one healer touches lies below ``root``."""

    root: Path

    @property
    def state(self) -> Path:
        return self.root / "h"

    @property
    def audit(self) -> Path:
        return self.root / "log" / "audit.jsonl"

    @property
    def said(self) -> str:
        """What its cycles wrote to standard error."""
        file = self.root / "said"
        return file.read_text(errors="replace") if file.exists() else ""

    def environ(self, now: int, check: str = "true", path: str = "") -> dict[str, str]:
        """The environment of a cycle at ``now`` whose check says ``check``."""
        return {
            "PATH": path or os.environ["PATH"],
            "NAME": "h",
            "HEAL_STATE_DIR": str(self.state),
            "HEAL_AUDIT_FILE": str(self.audit),
            "HEAL_HOST": "host",
            "HEAL_RATE": "0",
            "HEAL_BURST": str(BURST),
            "HEAL_SETTLE": "0",
            "SCENE_NOW": str(now),
            "SCENE_INTENT": INTENT,
            "SCENE_CHECK": check,
            "SCENE_ACTED": str(self.root / "acted"),
        }

    def prepare(self) -> None:
        """A state that has seen something: an old marker, one failure, a full bucket."""
        self.audit.parent.mkdir(parents=True, exist_ok=True)
        prepare(self.state, NOON)
        (self.state / "rate" / SCOPE).write_bytes(b"%d 3.000000 0.000000 3\n" % (NOON - 9_000))
        (self.state / "cb" / SCOPE).write_bytes(b"1 %d 3 600 closed 0\n" % (NOON - 9_000))
        (self.state / "keys" / ("0" * 64)).write_bytes(
            b'{"intent":"fix pid=9","scope":"fix","at":%d,"pid":7,"outcome":"success"}\n'
            % (NOON - 9_000)
        )
        self.audit.write_bytes(b'{"v":1,"ts":"2025-11-24T14:00:00.000+00:00","outcome":"denied"}\n')

    def half_open(self) -> None:
        """The cooldown is over: one act may go, as a probe."""
        (self.state / "cb" / SCOPE).write_bytes(
            b"3 %d 3 600 open %d\n" % (NOON - 9_000, NOON - 8_400)
        )

    def interrupted(self) -> None:
        """Another act was begun by a process that is gone."""
        key = marker_key(OTHER, bucket_number(NOON - 5, 300))
        marker = MarkerRecord(key, NOON - 5, OTHER, SCOPE, GONE, "started")
        (self.state / "keys" / key).write_bytes(format_marker(marker))
        claim = ClaimRecord(
            slot=0, pid=GONE, start=1, boot="0badcafe", at=NOON - 5, key=key, scope_file=SCOPE,
            probe=False, last_refill=NOON - 5, tokens_micro=2 * MICRO, intent=OTHER,
        )  # fmt: skip
        (self.state / "claims" / "0").write_bytes(format_claim(claim))

    def acts(self) -> int:
        """How often the action was run."""
        file = self.root / "acted"
        return file.stat().st_size if file.exists() else 0

    def events(self) -> Iterator[dict[str, Any]]:
        """The events that parse; a line may be torn."""
        for line in self.audit.read_bytes().splitlines() if self.audit.exists() else ():
            try:
                yield json.loads(line)
            except ValueError:
                continue

    def count(self, outcome: str) -> int:
        """How many events there are of ``outcome``."""
        return sum(event["outcome"] == outcome for event in self.events())

    def unrecorded(self) -> bool:
        """Whether the log says that an act was started, and not how it ended."""
        own = [event["outcome"] for event in self.events() if event.get("intent") == INTENT]
        return [outcome for outcome in own if outcome != "denied"][-1:] == ["started"]

    def unannounced(self) -> int:
        """How many claims were settled of acts that died before the log told of them.

        Their tokens are spent: nobody can know that they did nothing.
        """
        own = [event["outcome"] for event in self.events() if event.get("intent") == INTENT]
        told = [outcome for outcome in own if outcome != "denied"]
        return sum(
            outcome == "interrupted" and before != "started"
            for before, outcome in pairwise(["", *told])
        )

    def torn(self) -> int:
        """How many lines of the log do not parse."""
        return len(self.audit.read_bytes().splitlines()) - sum(1 for _ in self.events())

    def taken_back(self) -> int:
        """How many acts were announced and then not begun."""
        return sum(
            event.get("guard") == "record" and event["outcome"] == "action-failed"
            for event in self.events()
        )

    def tokens(self) -> int:
        """Whole tokens in the bucket's file, which must parse."""
        found = parse_bucket((self.state / "rate" / SCOPE).read_bytes(), "rate/fix")
        assert isinstance(found, BucketRecord), found
        return found.tokens_micro // MICRO

    def breaker(self) -> BreakerRecord:
        """The breaker, which must parse."""
        found = parse_breaker((self.state / "cb" / SCOPE).read_bytes(), "cb/fix")
        assert isinstance(found, BreakerRecord), found
        return found

    def live_bytes(self) -> dict[str, bytes]:
        """Content of every bucket, breaker, marker and claim."""
        return {
            f"{folder}/{file.name}": file.read_bytes()
            for folder in ("rate", "cb", "keys", "claims")
            for file in (self.state / folder).iterdir()
        }

    def assert_whole(self) -> None:
        """No state file is empty or torn; no claim is left."""
        announced = {event["key"] for event in self.events() if event["outcome"] == "started"}
        for path, raw in self.live_bytes().items():
            folder, _, name = path.partition("/")
            if folder == "rate":
                assert isinstance(parse_bucket(raw, path), BucketRecord), (path, raw)
            elif folder == "cb":
                assert isinstance(parse_breaker(raw, path), BreakerRecord), (path, raw)
            elif folder == "keys":
                marker = parse_marker(raw, name, 0)
                assert isinstance(marker, MarkerRecord), (path, raw)
                # Made in place: who died before it was written had not announced its act.
                assert not marker.legacy or name not in announced, (path, "was emptied")
            else:
                assert parse_claim(raw, int(name)) is None, (path, raw)
        cycle = self.state / "cycle.json"
        if cycle.exists():
            assert not isinstance(parse_cycle(cycle.read_bytes(), "cycle.json"), Corrupt)
