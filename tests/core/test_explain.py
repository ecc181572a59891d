"""The console asks the guardrails what the engine asks, on what a snapshot knows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from healconsole.core.explain import ANY, denial, explain, latest_intent, sentence
from healconsole.core.halt import HaltRecord
from healconsole.core.hostdoc import healer_line
from healconsole.core.hostread import read_healer_line
from healconsole.core.intent import bucket_number, marker_key
from healconsole.core.records import Corrupt, MarkerRecord, OverrideRecord, Policy, VerdictRecord
from healconsole.core.snapshot import (
    EMPTY,
    CatalogEntry,
    Lock,
    Shadow,
    Snapshot,
    SourceHealth,
)
from healconsole.core.view import healer_row
from healconsole.core.words import Guardrail, SourceState, StepResult
from tests.core.samples import NOW, breaker, bucket, cycle, event, healer, legacy

OPEN = b"3 1763999852 3 600 open 1764000452\n"
INTENT = "restart_worker pid=1"
LIVE = SourceHealth(SourceState.LIVE)


class TestSentence:
    def test_an_open_circuit(self) -> None:
        verdict = explain(healer(breakers=(breaker("restart_worker", OPEN),)), EMPTY, INTENT, NOW)
        assert sentence(verdict, NOW) == ("would NOT act: circuit open until 16:07:32, in 7m32s")
        assert sentence(verdict, NOW + 400, 3600).endswith("until 17:07:32, in 52s")

    @pytest.mark.parametrize(
        ("raw", "said"),
        [
            (b"3 32503680000 3 600 forced-open 0\n", "circuit forced open until reset"),
            (
                b"3 1763999500 3 600 forced-open 1764000060\n",
                "circuit forced open until 16:01:00, in 1m00s",
            ),
            (
                b"2 1763999852 3 600 half-open 1764000100\n",
                "circuit half-open, a probe is out until 16:01:40, in 1m40s",
            ),
            (b"nan", "circuit cb/restart_worker is corrupt: does not match its format"),
        ],
    )
    def test_other_circuits(self, raw: bytes, said: str) -> None:
        state = healer(breakers=(breaker("restart_worker", raw),))
        assert denial(explain(state, EMPTY, INTENT, NOW), NOW) == said

    def test_an_empty_bucket(self) -> None:
        state = healer(buckets=(bucket("restart_worker", b"1764000000 0.4 0.016700 3\n"),))
        verdict = explain(state, EMPTY, INTENT, NOW)
        assert denial(verdict, NOW) == "rate 0.4 of 3 tokens until 16:00:36, in 36s"

    def test_a_hold(self) -> None:
        state = healer(hold=Corrupt("hold", "empty"))
        assert denial(explain(state, EMPTY, INTENT, NOW), NOW) == "hold hold is corrupt: empty"

    def test_allowed(self) -> None:
        assert sentence(explain(healer(), EMPTY, INTENT, NOW), NOW) == (
            "would act: all guardrails pass"
        )
        half = healer(breakers=(breaker("restart_worker", b"2 0 3 600 half-open 0\n"),))
        assert sentence(explain(half, EMPTY, INTENT, NOW), NOW) == (
            "would act once: half-open, this is its one probe"
        )
        dry = healer(cycle=cycle(mode="dry-run"))
        assert "only write what it would do" in sentence(explain(dry, EMPTY, INTENT, NOW), NOW)


class TestIntent:
    def test_the_latest_that_is_known_is_asked_for(self) -> None:
        assert latest_intent(healer(cycle=cycle(intent="a x=1"))) == "a x=1"
        assert latest_intent(healer()) == "restart_worker pid=12345"
        assert latest_intent(healer(last=None, intents=("c", "d"))) == "c"
        assert latest_intent(healer(last=None)) == ""

    def test_without_any_the_first_circuit_still_answers(self) -> None:
        state = healer(last=None, breakers=(breaker("restart_worker", OPEN),))
        verdict = explain(state, EMPTY, None, NOW)
        assert (verdict.intent, verdict.guard) == (ANY, Guardrail.CIRCUIT)

    @pytest.mark.parametrize("intent", ["a\x1b", "\udc80", "x" * 1025])
    def test_a_text_that_is_no_intent_is_denied_as_one(self, intent: str) -> None:
        verdict = explain(healer(), EMPTY, intent, NOW)
        assert (verdict.allow, verdict.guard) == (False, Guardrail.INTENT)

    def test_an_unreadable_healer_is_denied_with_its_problem(self) -> None:
        verdict = explain(healer(problem="not readable; chmod it"), EMPTY, INTENT, NOW)
        assert (verdict.allow, verdict.reason) == (False, "not readable; chmod it")

    def test_a_legacy_scope_is_the_whole_intent(self) -> None:
        state = legacy(breakers=(breaker("flush queue=a", b"3 1763999999\n"),))
        assert explain(state, EMPTY, "flush queue=a", NOW).guard is Guardrail.CIRCUIT
        assert explain(state, EMPTY, "flush queue=b", NOW).allow

    def test_a_legacy_healer_reads_no_hold(self) -> None:
        assert explain(legacy(hold=Corrupt("hold", "empty")), EMPTY, "flush queue=a", NOW).allow


class TestMarkers:
    N = bucket_number(NOW, 300)

    def test_one_that_was_read(self) -> None:
        key = marker_key(INTENT, self.N)
        mark = MarkerRecord(key, int(NOW), INTENT, "restart_worker", 1, "success")
        state = healer(marker_keys=frozenset({key}), markers=(mark,))
        verdict = explain(state, EMPTY, INTENT, NOW + 20)
        assert verdict.reason == "acted on 20 s ago (success), not again for 280 s"
        assert denial(verdict, NOW + 20) == (
            "idempotency acted on 20 s ago (success) until 16:05:00, in 4m40s"
        )

    def test_a_corrupt_one(self) -> None:
        key = marker_key(INTENT, self.N)
        bad = Corrupt(f"keys/{key}", "does not match its format")
        state = healer(marker_keys=frozenset({key}), markers=(bad,))
        assert explain(state, EMPTY, INTENT, NOW).guard is Guardrail.IDEMPOTENCY

    def test_one_that_was_not_read_errs_on_the_safe_side(self) -> None:
        state = healer(marker_keys=frozenset({marker_key(INTENT, self.N - 1)}))
        assert explain(state, EMPTY, INTENT, NOW + 290).guard is Guardrail.IDEMPOTENCY
        known = healer(marker_keys=state.marker_keys, last=event("success", INTENT, NOW - 100))
        assert explain(known, EMPTY, INTENT, NOW + 199).guard is Guardrail.IDEMPOTENCY
        assert explain(known, EMPTY, INTENT, NOW + 200).allow

    def test_a_denial_is_no_act_and_tells_no_time(self) -> None:
        key = marker_key(INTENT, self.N)
        mark = MarkerRecord(key, int(NOW), INTENT, "restart_worker", 1, "success")
        denied = event("denied", INTENT, NOW + 15)
        state = healer(marker_keys=frozenset({key}), marked=(mark,), last=denied)
        verdict = explain(state, EMPTY, INTENT, NOW + 20)
        assert verdict.reason == "acted on 20 s ago (success), not again for 280 s"
        blind = healer(marker_keys=frozenset({key}), last=denied)
        assert "5 s ago" not in explain(blind, EMPTY, INTENT, NOW + 20).reason

    def test_a_rehearsal_decides_on_its_shadow(self) -> None:
        key = marker_key(INTENT, self.N)
        mark = MarkerRecord(key, int(NOW), INTENT, "restart_worker", 1, "dry-run")
        empty = bucket("restart_worker", b"1764000000 0.000000 0.016700 3\n", "dry/rate/x")
        shadow = Shadow((empty,), 1, frozenset({key}))
        state = healer(cycle=cycle(mode="dry-run"), shadow=shadow, marked=(mark,))
        verdict = explain(state, EMPTY, INTENT, NOW + 20)
        assert verdict.reason == "acted on 20 s ago (dry-run), not again for 280 s"
        assert verdict.steps[3].result is StepResult.DENY
        row = healer_row(state, NOW + 20)
        assert (row.markers_total, row.tokens_micro) == (1, 334_000)
        told = read_healer_line(healer_line(state, NOW + 20), "web-07")
        assert explain(told, EMPTY, INTENT, NOW + 20) == verdict
        live = healer(shadow=shadow, marked=(mark,))
        assert explain(live, EMPTY, INTENT, NOW + 20).allow
        assert healer_row(live, NOW + 20).markers_total == 0


class TestFleet:
    ENTRY = CatalogEntry("x", "/x", policy=Policy(fleet_lock="queue"))

    def test_a_lock_that_another_holds(self) -> None:
        lock = Lock("queue", "web-08/x/7/uuid", NOW + 30)
        snapshot = Snapshot(redis_health=LIVE, locks=(lock,))
        state = healer(catalog=self.ENTRY)
        verdict = explain(state, snapshot, INTENT, NOW)
        assert (verdict.guard, verdict.earliest) == (Guardrail.FLEET, NOW + 30)
        assert "held by web-08/x/7/uuid until 16:00:30, in 30s" in denial(verdict, NOW)
        assert explain(state, snapshot, INTENT, NOW + 30).allow

    @pytest.mark.parametrize(
        "state", [SourceState.UNKNOWN, SourceState.STARTING, SourceState.OFF, SourceState.MISSING]
    )
    def test_unknown_is_never_free(self, state: SourceState) -> None:
        snapshot = Snapshot(redis_health=SourceHealth(state, "connection refused"))
        verdict = explain(healer(catalog=self.ENTRY), snapshot, INTENT, NOW)
        assert verdict.guard is Guardrail.FLEET
        assert "Redis unknown" in verdict.reason

    def test_a_healer_without_a_fleet_does_not_care_for_redis(self) -> None:
        snapshot = Snapshot(redis_health=SourceHealth(SourceState.UNKNOWN, "refused"))
        assert explain(healer(), snapshot, INTENT, NOW).allow

    def test_a_halt_stops_the_healers_that_ask_for_it(self) -> None:
        snapshot = Snapshot(redis_health=LIVE, halt=HaltRecord(0, int(NOW) + 9, "ana", "deploy"))
        told = CatalogEntry("x", "/x", environment=(("HEAL_REDIS_URL", "redis://r"),))
        verdict = explain(healer(catalog=told), snapshot, INTENT, NOW)
        assert (verdict.guard, verdict.reason) == (Guardrail.HOLD, "fleet halted: deploy (ana)")
        assert verdict.steps[5] == replace(verdict.steps[1], guard=Guardrail.FLEET)
        held = healer(
            catalog=told, hold=OverrideRecord(on=True, since=int(NOW), until=0, operator="bo")
        )
        steps = explain(held, snapshot, INTENT, NOW).steps
        assert (steps[1].evidence, steps[5].evidence) == (
            "held by bo until released",
            "fleet halted: deploy (ana)",
        )
        assert explain(healer(catalog=told), snapshot, INTENT, NOW + 9).allow
        assert explain(healer(), snapshot, INTENT, NOW).allow

    def test_a_healer_that_the_fleet_denied_is_known_to_ask_it(self) -> None:
        record = VerdictRecord(allow=False, guard="fleet", reason="x", earliest=None)
        snapshot = Snapshot(redis_health=SourceHealth(SourceState.UNKNOWN, "refused"))
        verdict = explain(healer(cycle=cycle(verdict=record)), snapshot, INTENT, NOW)
        assert verdict.guard is Guardrail.FLEET
