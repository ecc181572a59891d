"""Hours of healing by bash and Python in turn, on one state directory, against a naive model.

A second directory has the same done to it with the roles swapped: what one library does to the
first, the other does to the second. Verdicts, files and events must not tell the two apart.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from healconsole.core import breaker as breakers
from healconsole.core import bucket as buckets
from healconsole.core.auditparse import parse_ts
from healconsole.core.records import MICRO, BreakerRecord, BucketRecord
from healconsole.core.words import Circuit
from healconsole.stores.layout import prepare
from tests.core.test_guard_machine import INTENTS, POLICY, SCOPE, Model
from tests.engine.sites import LONG, many
from tests.mixed.pair import Answer, Bash, Python

pytestmark = pytest.mark.timeout(0 if LONG else 120)

TEXTS = st.sampled_from([intent.text for intent in INTENTS])
ENDS = st.sampled_from([("ok", "ok"), ("ok", "no"), ("no", "ok")])


def without_pids(text: str) -> str:
    """Processes differ; nothing else may."""
    return re.sub(r'("pid":|pid )\d+', r"\1N", text)


class InTurn(RuleBasedStateMachine):
    """Both libraries on both directories, and the model of what one directory must say."""

    @initialize(now=st.integers(1_764_000_000, 1_764_000_100))
    def begin(self, now: int) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="heal-")
        self.now = now
        self.held = False
        self.model = Model()
        self.interrupted: list[str] = []
        self.roots = (Path(self.folder.name, "one"), Path(self.folder.name, "other"))
        for root in self.roots:
            prepare(root / "h", now)
        policy = replace(POLICY, settle=0.0)
        self.bash = [Bash(root, policy, lambda: self.now) for root in self.roots]
        self.python = [Python(root, policy, lambda: self.now) for root in self.roots]

    # What happens.

    @rule(seconds=st.integers(0, 5) | st.integers(0, 100))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds
        self.model.clock_moved(seconds, self.now)

    @rule(
        seconds=st.integers(1, 200) | st.sampled_from([3_600, 86_400, 86_400 * 365]),
        intent=TEXTS,
        bash_first=st.booleans(),
    )
    def the_clock_steps_back(self, seconds: int, intent: str, bash_first: bool) -> None:
        self.now -= seconds
        self.model.clock_moved(-seconds, self.now)
        # Who looks next writes the times back; two steps without a look between may cancel out.
        self.act(intent, ("ok", "ok"), bash_first)

    @rule(intent=TEXTS, ends=ENDS, bash_first=st.booleans())
    def act(self, intent: str, ends: tuple[str, str], bash_first: bool) -> None:
        denied = self.expected(intent)
        answer = self.both(intent, ends, bash_first)
        assert answer is not None
        self.assert_told(answer, denied)
        if denied is None:
            self.model_begins(intent)
            self.model_ends(intent, succeeded=ends == ("ok", "ok"))

    @rule(intent=TEXTS, bash_first=st.booleans())
    def is_killed(self, intent: str, bash_first: bool) -> None:
        for each in self.libraries():
            each.end()
        denied = self.expected(intent)
        answer = self.both(intent, ("die", "ok"), bash_first)
        for each in self.libraries():
            each.end()
        if denied is not None:
            assert answer is not None
            self.assert_told(answer, denied)
            return
        assert answer is None
        self.model_begins(intent)
        self.interrupted.append(intent)

    @rule(span=st.just(0) | st.integers(1, 300))
    def an_operator_trips(self, span: int) -> None:
        until = self.now + span if span else 0
        self.put_breaker(breakers.trip(self.breaker(), POLICY, self.now, until))
        model = self.model.breaker
        model.failures = max(model.failures, POLICY.max_failures)
        model.kind, model.left = Circuit.FORCED_OPEN, span or None

    @rule(closed=st.booleans())
    def an_operator_resets(self, closed: bool) -> None:
        model = self.model.breaker
        if closed:
            self.put_breaker(breakers.reset_closed(POLICY))
            model.kind, model.failures = Circuit.CLOSED, 0
        else:
            self.put_breaker(breakers.reset_half_open(self.breaker(), POLICY, self.now))
            model.kind, model.failures = Circuit.HALF_OPEN, POLICY.max_failures - 1
        model.left = None

    @rule()
    def an_operator_holds_or_releases(self) -> None:
        self.held = not self.held
        for root in self.roots:
            if self.held:
                (root / "h" / "hold").write_text(f"on {self.now} 0 ana\n")
            else:
                (root / "h" / "hold").unlink()

    @rule()
    def both_restart(self) -> None:
        for each in self.libraries():
            each.end()

    # How it is driven.

    def libraries(self) -> Iterator[Bash | Python]:
        """Each that lives, those with the same role in the two directories side by side."""
        yield from (self.bash[0], self.python[1], self.python[0], self.bash[1])

    def both(self, intent: str, ends: tuple[str, str], bash_first: bool) -> Answer | None:
        """One library on the first directory, the other one on the second."""
        one, other, third, fourth = self.libraries()
        roles = (one, other) if bash_first else (third, fourth)
        answers = [each.act(intent, *ends) for each in roles]
        told = [each and replace(each, reason=without_pids(each.reason)) for each in answers]
        assert told[0] == told[1]
        return answers[0]

    def expected(self, intent: str) -> str | None:
        """The guardrail that denies, says the model, once what was interrupted is settled."""
        for _ in self.interrupted:
            self.model.breaker.failed(self.now)
        self.interrupted.clear()
        if self.held:
            return "hold"
        denied = self.model.denies(intent, self.now)
        return None if denied is None else str(denied)

    def assert_told(self, answer: Answer, denied: str | None) -> None:
        assert (answer.allow, answer.guard) == (denied is None, denied or "")
        assert answer.earliest == "" or int(answer.earliest) > self.now

    def model_begins(self, intent: str) -> None:
        self.model.left, self.model.spent_at = self.model.tokens(self.now) - 1, self.now
        if self.model.breaker.state() is Circuit.HALF_OPEN:
            self.model.breaker.kind = Circuit.HALF_OPEN
            self.model.breaker.left = POLICY.probe_lease
        self.model.marks[intent, self.now // POLICY.bucket] = self.now

    def model_ends(self, intent: str, *, succeeded: bool) -> None:
        if succeeded:
            self.model.breaker.succeeded(self.now)
            return
        self.model.marks.pop((intent, self.now // POLICY.bucket))
        self.model.breaker.failed(self.now)

    def breaker(self) -> BreakerRecord | None:
        file = self.roots[0] / "h" / "cb" / SCOPE
        if not file.exists():
            return None
        found = breakers.parse_breaker(file.read_bytes(), "cb/restart")
        assert isinstance(found, BreakerRecord)
        return found

    def put_breaker(self, rec: BreakerRecord) -> None:
        for root in self.roots:
            (root / "h" / "cb" / SCOPE).write_bytes(breakers.format_breaker(rec))

    # What is always so.

    @invariant()
    def the_directories_cannot_be_told_apart(self) -> None:
        if hasattr(self, "now"):
            assert files(self.roots[0]) == files(self.roots[1])
            assert events(self.roots[0]) == events(self.roots[1])

    @invariant()
    def the_files_say_what_the_model_says(self) -> None:
        if not hasattr(self, "now") or self.interrupted:
            return
        file = self.roots[0] / "h" / "rate" / SCOPE
        bucket = buckets.parse_bucket(file.read_bytes(), "rate/restart") if file.exists() else None
        assert bucket is None or isinstance(bucket, BucketRecord)
        tokens = buckets.tokens_now(bucket, POLICY.rate_micro, POLICY.burst, self.now)
        assert Fraction(tokens, MICRO) == self.model.tokens(self.now)
        found = breakers.breaker_now(
            self.breaker(), POLICY.max_failures, POLICY.cooldown, self.now, POLICY.probe_lease
        )
        model = self.model.breaker
        assert (found.state, found.failures) == (model.state(), model.failures)
        if found.state is Circuit.OPEN:
            assert found.until is not None
            assert found.until - self.now == model.left

    def teardown(self) -> None:
        if not hasattr(self, "now"):
            return
        try:
            # Denials that went on are counted when those end who have counted them until now.
            for each in self.libraries():
                each.end()
            ours, theirs = events(self.roots[0]), events(self.roots[1])
            assert ours == theirs
        finally:
            self.folder.cleanup()


def files(root: Path) -> dict[str, str]:
    """Every file with a meaning."""
    return {
        str(file.relative_to(root)): without_pids(file.read_text())
        for file in sorted((root / "h").rglob("*"))
        if file.is_file() and file.parent.name not in {"claims", ".scratch"} and file.name[0] != "."
    }


def events(root: Path) -> list[dict[str, Any]]:
    """Every event but for process and milliseconds, and what is hashed of them."""
    log = root / "audit.jsonl"
    found = [json.loads(line) for line in log.read_bytes().splitlines()] if log.exists() else []
    for event in found:
        del event["pid"], event["duration_ms"], event["prev"], event["hash"]
        event["reason"] = without_pids(event["reason"])
        event["ts"] = parse_ts(event["ts"])
    return found


TestInTurn = InTurn.TestCase
TestInTurn.settings = settings(
    max_examples=many(10, 300),
    stateful_step_count=many(14, 40),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
