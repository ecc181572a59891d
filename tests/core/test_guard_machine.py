"""One scope's guardrails through hours of healing, against a naive model, clock steps included.

The machine keeps what a state directory keeps, as bytes, and does with it what an engine
does under the lock. The model keeps countdowns and fractions and knows no file format.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from healconsole.core import breaker as breakers
from healconsole.core import bucket as buckets
from healconsole.core.claim import format_claim, parse_claim
from healconsole.core.guardrails import evaluate
from healconsole.core.intent import bucket_number, marker_key, parse_intent
from healconsole.core.marker import format_marker, parse_marker
from healconsole.core.records import (
    BreakerRecord,
    BucketRecord,
    ClaimRecord,
    Corrupt,
    MarkerRecord,
    Policy,
)
from healconsole.core.recovery import recover
from healconsole.core.verdict import GuardState, Intent, Verdict
from healconsole.core.words import Circuit, Guardrail, StepResult
from tests.engine.sites import many

POLICY = Policy(
    rate_micro=50_000,
    burst=2,
    max_failures=2,
    cooldown=60,
    bucket=40,
    settle=0,
    action_timeout=10,
    check_timeout=5,
)
SCOPE = "restart"
INTENTS = tuple(parse_intent(f"restart pid={pid}") for pid in (1, 2, 3))


@dataclass
class NaiveBreaker:
    """Countdowns instead of times: a clock that steps back can add to them, never beyond."""

    kind: Circuit = Circuit.CLOSED
    failures: int = 0
    left: int | None = None
    """Seconds of the cooldown, lease or trip; None = no end, or no probe out."""
    opened: int = 0

    def state(self) -> Circuit:
        if self.kind in {Circuit.OPEN, Circuit.FORCED_OPEN}:
            return Circuit.HALF_OPEN if self.left is not None and self.left <= 0 else self.kind
        return self.kind

    def probe_out(self) -> bool:
        return self.kind is Circuit.HALF_OPEN and self.left is not None and self.left > 0

    def clock_moved(self, by: int, now: int) -> None:
        if self.left is not None:
            self.left -= by
            if self.kind is Circuit.OPEN:
                self.left = min(self.left, POLICY.cooldown)
            elif self.kind is Circuit.HALF_OPEN:
                self.left = min(self.left, POLICY.probe_lease)
        self.opened = min(self.opened, now)

    def failed(self, now: int) -> None:
        state = self.state()
        self.failures += 1
        if state is Circuit.HALF_OPEN:
            self.failures = max(self.failures, POLICY.max_failures)
        if state in {Circuit.OPEN, Circuit.FORCED_OPEN}:
            return
        if self.failures >= POLICY.max_failures:
            self.kind, self.left, self.opened = Circuit.OPEN, POLICY.cooldown, now

    def succeeded(self, began: int) -> None:
        state = self.state()
        if state is Circuit.FORCED_OPEN or (state is Circuit.OPEN and self.opened >= began):
            return
        self.kind, self.failures, self.left = Circuit.CLOSED, 0, None


@dataclass
class Model:
    """What one scope may do, told without files."""

    spent_at: int | None = None
    """When a token was last taken; None = the bucket was never touched."""
    left: Fraction = Fraction(POLICY.burst)
    """Tokens left at that time."""
    breaker: NaiveBreaker = field(default_factory=NaiveBreaker)
    marks: dict[tuple[str, int], int] = field(default_factory=dict)
    running: list[str] = field(default_factory=list)

    def tokens(self, now: int) -> Fraction:
        if self.spent_at is None:
            return self.left
        grown = self.left + (now - self.spent_at) * Fraction(POLICY.rate_micro, 1_000_000)
        return min(grown, Fraction(POLICY.burst))

    def clock_moved(self, by: int, now: int) -> None:
        if self.spent_at is not None:
            self.spent_at = min(self.spent_at, now)
        self.breaker.clock_moved(by, now)

    def denies(self, intent: str, now: int) -> Guardrail | None:
        n = now // POLICY.bucket
        before = self.marks.get((intent, n - 1))
        young = before is not None and now - max(before, (n - 1) * POLICY.bucket) < POLICY.bucket
        if intent in self.running or (intent, n) in self.marks or young:
            return Guardrail.IDEMPOTENCY
        if self.tokens(now) < 1:
            return Guardrail.RATE
        state = self.breaker.state()
        if state in {Circuit.OPEN, Circuit.FORCED_OPEN}:
            return Guardrail.CIRCUIT
        if state is Circuit.HALF_OPEN and (self.running or self.breaker.probe_out()):
            return Guardrail.CIRCUIT
        return None


class Guarded(RuleBasedStateMachine):
    """A state directory in memory, and an engine without processes."""

    @initialize(now=st.integers(1_764_000_000, 1_764_000_100))
    def begin(self, now: int) -> None:
        self.now = now
        self.keys: dict[str, bytes] = {}
        self.bucket: bytes | None = None
        self.breaker: bytes | None = None
        self.claims: list[bytes] = []
        self.alive: list[bool] = []
        self.model = Model()
        self.steps_back = 0
        self.finished: dict[str, tuple[int, int]] = {}

    # What an engine reads and writes.

    def read_bucket(self) -> BucketRecord | None:
        if self.bucket is None:
            return None
        found = buckets.parse_bucket(self.bucket, "rate/restart")
        assert isinstance(found, BucketRecord)
        return found

    def read_breaker(self) -> BreakerRecord | None:
        if self.breaker is None:
            return None
        found = breakers.parse_breaker(self.breaker, "cb/restart")
        assert isinstance(found, BreakerRecord)
        return found

    def read_marker(self, key: str) -> MarkerRecord | None:
        if key not in self.keys:
            return None
        found = parse_marker(self.keys[key], key, 0)
        assert isinstance(found, MarkerRecord)
        return found

    def read_claims(self) -> list[ClaimRecord]:
        found = []
        for slot, raw in enumerate(self.claims):
            claim = parse_claim(raw, slot)
            assert not isinstance(claim, Corrupt)
            if claim is not None:
                found.append(replace(claim, alive=self.alive[slot]))
        return found

    def look(self, intent: Intent) -> Verdict:
        n = bucket_number(self.now, POLICY.bucket)
        state = GuardState(
            marker=self.read_marker(marker_key(intent.text, n)),
            previous_marker=self.read_marker(marker_key(intent.text, n - 1)),
            bucket=self.read_bucket(),
            breaker=self.read_breaker(),
            claims=tuple(self.read_claims()),
        )
        return evaluate(intent, state, POLICY, self.now)

    def write_breaker(self, rec: BreakerRecord | None) -> None:
        if rec is not None:
            self.breaker = breakers.format_breaker(rec)

    def write_marker(self, claim: ClaimRecord, at: int, outcome: str, when: int) -> None:
        key = marker_key(claim.intent, bucket_number(when, POLICY.bucket))
        rec = MarkerRecord(key, at, claim.intent, SCOPE, claim.pid, outcome)
        self.keys[key] = format_marker(rec)

    def free(self, slot: int) -> ClaimRecord:
        claim = parse_claim(self.claims[slot], slot)
        assert isinstance(claim, ClaimRecord)
        self.claims[slot] = b""
        return claim

    def mend_and_recover(self) -> None:
        """What a peek does first, under the lock, when it meets dead claims or odd times."""
        for claim in self.read_claims():
            if claim.alive:
                continue
            found = recover(
                claim,
                self.read_bucket(),
                self.read_marker(claim.key),
                self.read_breaker(),
                POLICY,
                self.now,
            )
            if found.bucket is not None:
                assert self.steps_back, "the token was on disk before the process died"
                self.bucket = buckets.format_bucket(found.bucket)
                self.model.left = Fraction(found.bucket.tokens_micro, 1_000_000)
                self.model.spent_at = found.bucket.last_refill
            assert found.marker is not None
            self.keys[claim.key] = format_marker(found.marker)
            self.write_breaker(found.breaker)
            self.free(claim.slot)
            self.model.breaker.failed(self.now)
        bucket, breaker = self.read_bucket(), self.read_breaker()
        if bucket is not None and (rec := buckets.rebased(bucket, POLICY, self.now)) is not None:
            self.bucket = buckets.format_bucket(rec)
        if breaker is not None:
            self.write_breaker(breakers.rebased(breaker, POLICY, self.now))

    # What happens.

    @rule(seconds=st.integers(0, 5) | st.integers(0, 100))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds
        self.model.clock_moved(seconds, self.now)

    @rule(seconds=st.integers(1, 200) | st.sampled_from([3600, 86_400, 86_400 * 365]))
    def the_clock_steps_back(self, seconds: int) -> None:
        self.now -= seconds
        self.steps_back += 1
        self.model.clock_moved(-seconds, self.now)
        self.mend_and_recover()

    @rule(intent=st.sampled_from(INTENTS))
    def act(self, intent: Intent) -> None:
        at_a_glance = self.look(intent)
        self.mend_and_recover()
        verdict = self.look(intent)
        assert at_a_glance == verdict, "the console's look is what the next cycle decides"
        assert verdict.guard == self.model.denies(intent.text, self.now)
        if not verdict.allow:
            assert verdict.earliest is None or verdict.earliest > self.now
            return
        self.assert_it_may(intent, verdict)
        taken = buckets.take(self.read_bucket(), POLICY, self.now)
        self.bucket = buckets.format_bucket(taken)
        self.model.left, self.model.spent_at = self.model.tokens(self.now) - 1, self.now
        if verdict.probe:
            breaker = self.read_breaker()
            assert breaker is not None
            self.write_breaker(breakers.take_probe(breaker, POLICY, self.now))
            self.model.breaker.kind = Circuit.HALF_OPEN
            self.model.breaker.left = POLICY.probe_lease
        n = bucket_number(self.now, POLICY.bucket)
        free = [slot for slot, raw in enumerate(self.claims) if not raw]
        slot = free[0] if free else len(self.claims)
        claim = ClaimRecord(
            slot=slot,
            pid=slot + 1,
            start=self.now,
            boot="0badcafe",
            at=self.now,
            key=marker_key(intent.text, n),
            scope_file=SCOPE,
            probe=verdict.probe,
            last_refill=taken.last_refill,
            tokens_micro=taken.tokens_micro,
            intent=intent.text,
        )
        if not free:
            self.claims.append(b"")
            self.alive.append(False)
        self.claims[slot], self.alive[slot] = format_claim(claim), True
        self.write_marker(claim, self.now, "started", self.now)
        self.model.marks[intent.text, n] = self.now
        self.model.running.append(intent.text)

    def assert_it_may(self, intent: Intent, verdict: Verdict) -> None:
        live = self.read_claims()
        assert all(claim.intent != intent.text for claim in live), "never twice at once"
        if verdict.probe:
            assert not live, "one probe, and nothing beside it"
        if intent.text in self.finished:
            end, steps = self.finished[intent.text]
            if steps == self.steps_back:
                assert self.now - end >= POLICY.bucket, "end to start, never closer"

    @precondition(lambda self: any(self.alive))
    @rule(data=st.data(), verified=st.booleans())
    def an_action_ends(self, data: st.DataObject, verified: bool) -> None:
        slot = data.draw(st.sampled_from([at for at, alive in enumerate(self.alive) if alive]))
        self.alive[slot] = False
        claim = self.free(slot)
        self.model.running.remove(claim.intent)
        began_in = claim.at // POLICY.bucket
        if not verified:
            self.keys.pop(claim.key, None)
            self.model.marks.pop((claim.intent, began_in), None)
            self.write_breaker(breakers.record_failure(self.read_breaker(), POLICY, self.now))
            self.model.breaker.failed(self.now)
            return
        at = max(claim.at, self.now)
        for when in (claim.at, self.now):
            self.write_marker(claim, at, "success", when)
            self.model.marks[claim.intent, when // POLICY.bucket] = at
        self.write_breaker(breakers.record_success(self.read_breaker(), POLICY, self.now, claim.at))
        self.model.breaker.succeeded(claim.at)
        self.finished[claim.intent] = (self.now, self.steps_back)

    @precondition(lambda self: any(self.alive))
    @rule(data=st.data())
    def a_process_is_killed(self, data: st.DataObject) -> None:
        slot = data.draw(st.sampled_from([at for at, alive in enumerate(self.alive) if alive]))
        self.alive[slot] = False
        claim = parse_claim(self.claims[slot], slot)
        assert isinstance(claim, ClaimRecord)
        self.model.running.remove(claim.intent)
        self.mend_and_recover()

    @rule(span=st.just(0) | st.integers(1, 300))
    def an_operator_trips(self, span: int) -> None:
        until = self.now + span if span else 0
        self.write_breaker(breakers.trip(self.read_breaker(), POLICY, self.now, until))
        model = self.model.breaker
        model.failures = max(model.failures, POLICY.max_failures)
        model.kind, model.left = Circuit.FORCED_OPEN, span or None

    @rule(closed=st.booleans())
    def an_operator_resets(self, closed: bool) -> None:
        model = self.model.breaker
        if closed:
            self.write_breaker(breakers.reset_closed(POLICY))
            model.kind, model.failures = Circuit.CLOSED, 0
        else:
            rec = breakers.reset_half_open(self.read_breaker(), POLICY, self.now)
            self.write_breaker(rec)
            model.kind, model.failures = Circuit.HALF_OPEN, POLICY.max_failures - 1
        model.left = None

    # What is always so.

    @invariant()
    def tokens_are_exact(self) -> None:
        if hasattr(self, "now"):
            tokens = buckets.tokens_now(
                self.read_bucket(), POLICY.rate_micro, POLICY.burst, self.now
            )
            assert tokens == self.model.tokens(self.now) * 1_000_000
            assert 0 <= tokens <= POLICY.burst * 1_000_000

    @invariant()
    def the_breaker_is_what_the_model_says(self) -> None:
        if not hasattr(self, "now"):
            return
        found = breakers.breaker_now(
            self.read_breaker(), POLICY.max_failures, POLICY.cooldown, self.now, POLICY.probe_lease
        )
        model = self.model.breaker
        assert (found.state, found.failures) == (model.state(), model.failures)
        assert found.probe_out == model.probe_out()
        if found.state is Circuit.OPEN:
            assert found.until is not None
            assert found.until - self.now == model.left

    @invariant()
    def a_look_without_ladder_says_the_same(self) -> None:
        if hasattr(self, "now"):
            for intent in INTENTS:
                verdict = self.look(intent)
                denials = [step for step in verdict.steps if step.result is StepResult.DENY]
                assert verdict.allow is not bool(denials)
                assert verdict.guard is (denials[0].guard if denials else None)


Guarded.TestCase.settings = settings(
    max_examples=many(60, 150), stateful_step_count=40, deadline=None
)
TestGuarded = Guarded.TestCase
