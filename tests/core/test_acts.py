"""An operator's act does what its plan says, for our healers and for legacy ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healconsole.core.acts import (
    ActRefused,
    plan_dry_run,
    plan_release,
    plan_reset,
    plan_trip,
)
from healconsole.core.claim import parse_claim
from healconsole.core.explain import explain
from healconsole.core.mode import mode_now
from healconsole.core.override import parse_override
from healconsole.core.records import (
    BreakerRecord,
    ClaimRecord,
    Corrupt,
    MarkerRecord,
    OverrideRecord,
)
from healconsole.core.snapshot import EMPTY, CatalogEntry, HealerState
from healconsole.core.verdict import Verdict
from healconsole.core.words import Circuit, Guardrail, Library
from tests.core.samples import (
    NOW,
    applied,
    breaker,
    bucket,
    cycle,
    event,
    healer,
    legacy,
)

OPEN = b"3 1763999852 3 600 open 1764000452\n"
INTENT = "restart_worker pid=1"


def asked(state: HealerState, now: float = NOW, intent: str = INTENT) -> Verdict:
    return explain(state, EMPTY, intent, now)


def legacy_denies(state: HealerState, scope: str, maximum: int, cooldown: int, now: float) -> bool:
    """What the legacy library reads: the first two fields, compared in whole seconds."""
    for found in state.breakers:
        if found.scope == scope and isinstance(found.record, BreakerRecord):
            record = found.record
            return record.failures >= maximum and int(now) - record.last_failure < cooldown
    return False


class TestTrip:
    def test_a_scope_until_reset(self) -> None:
        plan = plan_trip(healer(), "restart_worker", None, "ana", NOW)
        state = applied(healer(), plan)
        verdict = asked(state, NOW + 10**9)
        assert (verdict.guard, verdict.reason) == (Guardrail.CIRCUIT, "forced open until reset")
        assert plan.now_lines == ("circuit restart_worker: CLOSED, 0 of 3 failures",)
        assert plan.after_lines == ("circuit restart_worker: FORCED-OPEN until reset",)
        assert plan.next_lines == (
            "Nothing of restart_worker acts until somebody resets it.",
            "Its other scopes go on: none yet.",
        )
        assert (plan.before, plan.after) == (
            "restart_worker closed 0/3",
            "restart_worker forced-open until reset",
        )
        assert not plan.destructive

    def test_a_scope_for_a_time_is_half_open_after_it(self) -> None:
        plan = plan_trip(healer(), "restart_worker", 600, "ana", NOW)
        state = applied(healer(), plan)
        assert asked(state, NOW + 599).earliest == NOW + 600
        assert asked(state, NOW + 600).probe
        assert plan.after_lines == (
            "circuit restart_worker: FORCED-OPEN until 16:10:00 UTC, in 10m00s",
        )

    def test_the_whole_healer_is_held_in_every_scope(self) -> None:
        state = healer(
            breakers=(breaker("a", OPEN), breaker("b", b"junk")),
            buckets=(bucket("c", b"1764000000 1.000000 0.016700 3\n"),),
        )
        plan = plan_trip(state, None, None, "ana", NOW)
        assert [change.path for change in plan.changes] == ["hold", "cb/a", "cb/b", "cb/c"]
        after = applied(state, plan)
        assert asked(after, intent="never_seen x=1").guard is Guardrail.HOLD
        assert mode_now(after, NOW) == "HELD"
        assert all(isinstance(found.record, BreakerRecord) for found in after.breakers)
        assert plan.destructive

    def test_a_scope_that_was_never_seen_is_tripped_and_doubted(self) -> None:
        plan = plan_trip(healer(), "tpyo x/y", None, "ana", NOW)
        assert plan.changes[0].path == "cb/tpyo%20x%2Fy"
        assert "never seen" in plan.warnings[0]
        assert asked(applied(healer(), plan), intent=INTENT).allow

    def test_a_leftover_under_a_legacy_name_does_not_stand_in_for_ours(self) -> None:
        state = healer(breakers=(breaker("a b", b"0 0\n", file="cb/a b"),))
        plan = plan_trip(state, "a b", None, "ana", NOW)
        assert [change.path for change in plan.changes] == ["cb/a b", "cb/a%20b"]

    @given(st.integers(1, 20), st.integers(0, 100_000), st.integers(0, 10**9), st.integers(0, 30))
    def test_until_reset_holds_any_legacy_healer_in_its_known_scopes(
        self, maximum: int, cooldown: int, later: int, failures: int
    ) -> None:
        state = legacy(
            breakers=(breaker("flush queue=a", b"%d 1763999990\n" % failures),),
            intents=("flush queue=b", "flush queue=a", "bad\x1bintent", "a/b"),
        )
        plan = plan_trip(state, None, None, "ana", NOW)
        after = applied(state, plan)
        assert {change.path for change in plan.changes} == {
            "hold",
            "cb/flush queue=a",
            "cb/flush queue=b",
        }
        for scope in ("flush queue=a", "flush queue=b"):
            if cooldown:
                assert legacy_denies(after, scope, maximum, cooldown, NOW + later)

    @given(st.integers(1, 86_400), st.integers(0, 599))
    def test_a_timed_trip_ends_for_a_legacy_healer_when_it_says(
        self, for_s: int, sooner: int
    ) -> None:
        plan = plan_trip(legacy(), "flush queue=a", for_s, "ana", NOW)
        after = applied(legacy(), plan)
        end = NOW + for_s
        assert legacy_denies(after, "flush queue=a", 3, 600, end - 1)
        assert legacy_denies(after, "flush queue=a", 3, 600, max(NOW, end - 1 - sooner))
        assert not legacy_denies(after, "flush queue=a", 3, 600, end)
        assert any("cooldown is assumed" in warning for warning in plan.warnings)

    def test_what_a_legacy_healer_cannot_be_held_from_is_said(self) -> None:
        entry = CatalogEntry("legacy-mailq", "/etc/x", unit="mailq.service")
        plan = plan_trip(legacy(catalog=entry), None, None, "ana", NOW)
        assert "never seen before cannot be held" in plan.warnings[0]
        assert "systemctl stop mailq.service" in plan.warnings[0]
        assert plan.after_lines[0] == "HELD by ana until reset, which it does not read"
        assert mode_now(applied(legacy(), plan), NOW) == "LIVE"

    def test_the_flat_legacy_layout_is_changed_where_it_is(self) -> None:
        state = legacy(
            breakers=(breaker("flush a", b"0 0\n", file="cb-flush a"),),
            buckets=(bucket("drain", b"1763999000 1.5\n", file="rate-drain"),),
        )
        plan = plan_trip(state, None, None, "ana", NOW)
        assert [change.path for change in plan.changes] == ["hold", "cb-flush a", "cb-drain"]

    @pytest.mark.parametrize("scope", ["a/b", ".", "..", "x" * 253])
    def test_a_legacy_scope_that_is_no_file_name_is_refused(self, scope: str) -> None:
        with pytest.raises(ActRefused, match="no file name"):
            plan_trip(legacy(), scope, None, "ana", NOW)

    @pytest.mark.parametrize("for_s", [0, -1, float("nan"), float("inf"), 1e12])
    def test_a_span_that_is_none_is_refused(self, for_s: float) -> None:
        with pytest.raises(ActRefused, match="span"):
            plan_trip(healer(), "restart_worker", for_s, "ana", NOW)

    @pytest.mark.parametrize("scope", ["", "a\nb", " a", "\udc80"])
    def test_a_text_that_is_no_scope_is_refused(self, scope: str) -> None:
        with pytest.raises(ActRefused, match="not a scope"):
            plan_trip(healer(), scope, None, "ana", NOW)

    def test_what_is_tripped_already_is_not_tripped_again(self) -> None:
        state = applied(healer(), plan_trip(healer(), None, None, "ana", NOW))
        with pytest.raises(ActRefused, match="tripped until reset already"):
            plan_trip(state, None, None, "bo", NOW + 5)
        assert plan_trip(state, None, 60, "bo", NOW + 5).changes

    def test_an_action_in_flight_is_not_stopped_and_that_is_said(self) -> None:
        claim = ClaimRecord(
            0, 99, 1, "abcd0123", int(NOW) - 12, "k", "restart_worker",
            probe=False, last_refill=0, tokens_micro=0, intent=INTENT, alive=True,
        )  # fmt: skip
        plan = plan_trip(healer(claims=(claim,)), None, None, "ana", NOW)
        assert any("pid 99, for 12s. It is not stopped" in line for line in plan.warnings)

    def test_a_name_that_fits_no_override_is_refused(self) -> None:
        with pytest.raises(ActRefused, match="name of an operator"):
            plan_trip(healer(), None, None, "ana b", NOW)


class TestReset:
    def test_into_half_open_as_the_dialog_shows_it(self) -> None:
        state = healer(breakers=(breaker("restart_worker", OPEN),))
        plan = plan_reset(state, "restart_worker", "half-open", NOW)
        assert plan.now_lines == (
            (
                "circuit restart_worker: OPEN, 3 of 3 failures, "
                "half-open by itself at 16:07:32 UTC, in 7m32s"
            ),
        )
        assert plan.after_lines == ("circuit restart_worker: half-open",)
        assert " ".join(plan.next_lines) == (
            "half-open: the next cycle, in 41s, may act once. If that fails: open again for "
            "600 s. Tokens 2.0 of 3. It is LIVE."
        )
        assert plan.before == "restart_worker open 3/3 until 1764000452"
        assert asked(applied(state, plan)).probe
        assert plan.destructive

    def test_to_closed(self) -> None:
        state = healer(breakers=(breaker("restart_worker", OPEN),))
        plan = plan_reset(state, "restart_worker", "closed", NOW)
        verdict = asked(applied(state, plan))
        assert verdict.allow
        assert not verdict.probe
        assert plan.next_lines[1] == "After 3 failures it opens for 600 s."

    def test_the_whole_healer_with_its_hold(self) -> None:
        state = applied(healer(), plan_trip(healer(), None, None, "ana", NOW - 60))
        plan = plan_reset(state, None, "half-open", NOW)
        after = applied(state, plan)
        assert after.hold is None
        assert asked(after).probe
        assert plan.next_lines[-1] == "The hold ends: every scope that is not open may act again."
        assert plan.now_lines == (
            "circuit restart_worker: FORCED-OPEN until reset",
            "HELD by ana for 1m until released",
        )

    def test_a_circuit_that_is_closed_is_not_made_half_open(self) -> None:
        state = healer(
            breakers=(
                breaker("a", OPEN),
                breaker("b", b"1 1763999990 3 600 closed 0\n"),
                breaker("c", b"0 0 3 600 closed 0\n"),
            )
        )
        assert len(plan_reset(state, None, "half-open", NOW).changes) == 1
        assert len(plan_reset(state, None, "closed", NOW).changes) == 2

    def test_corrupt_files_are_mended_and_let_one_act(self) -> None:
        claim = parse_claim(b"junk", 0)
        assert isinstance(claim, Corrupt)
        state = healer(
            breakers=(breaker("restart_worker", b"nan"),),
            buckets=(bucket("restart_worker", b"\0\0"),),
            claims=(claim,),
            hold=Corrupt("hold", "empty"),
        )
        assert not asked(state).allow
        plan = plan_reset(state, None, "half-open", NOW)
        after = applied(state, plan)
        assert asked(after).probe
        assert [str(step.evidence) for step in asked(after).steps if step.guard == "rate"] == [
            "1.0 of 3 tokens"
        ]
        assert "Tokens 1.0 of 3." in plan.next_lines
        assert any("kept in aside/" in line for line in plan.warnings)
        assert any("cut off" in line for line in plan.warnings)

    def test_a_corrupt_claim_outlives_the_reset_of_a_scope_and_that_is_said(self) -> None:
        state = healer(
            breakers=(breaker("restart_worker", OPEN),), claims=(Corrupt("claims/0", "empty"),)
        )
        plan = plan_reset(state, "restart_worker", "half-open", NOW)
        assert any("reset the whole healer" in line for line in plan.warnings)
        assert asked(applied(state, plan)).guard is Guardrail.IDEMPOTENCY

    def test_a_probe_that_is_out_is_said(self) -> None:
        raw = b"3 1763999000 3 600 half-open 1764000100\n"
        state = healer(breakers=(breaker("restart_worker", raw),))
        plan = plan_reset(state, "restart_worker", "half-open", NOW)
        assert any("A probe of restart_worker is out" in line for line in plan.warnings)

    def test_a_held_or_dry_healer_says_so(self) -> None:
        state = healer(
            breakers=(breaker("restart_worker", OPEN),),
            hold=parse_override(b"on 1763999000 0 ana\n", "hold"),
        )
        plan = plan_reset(state, "restart_worker", "half-open", NOW)
        assert plan.next_lines[-1] == "It is HELD by ana: nothing acts until it is released."

    def test_the_failures_that_opened_it_come_with_it(self) -> None:
        lines = tuple(
            event("verify-failed", INTENT, NOW - 300 + n, healer="worker-queue-healer",
                  scope="restart_worker", fact=f"queue_depth={n}")
            for n in (1, 2, 3)
        )  # fmt: skip
        state = healer(breakers=(breaker("restart_worker", OPEN),))
        plan = plan_reset(state, "restart_worker", "half-open", NOW, lines)
        assert plan.failures == lines
        assert plan.trend.startswith("queue_depth grew")

    @pytest.mark.parametrize(
        ("state", "scope", "to", "why"),
        [
            (healer(), None, "half-open", "nothing to reset: no circuit is open"),
            (
                healer(cycle=Corrupt("cycle.json", "empty")),
                None,
                "half-open",
                "it is not held; cycle.json is corrupt, and the next cycle writes it anew",
            ),
            (
                healer(problem="cb: cannot be read", unread=frozenset({"cb"})),
                None,
                "half-open",
                "cannot be read whole: cb: cannot be read",
            ),
            (healer(), "restart_worker", "half-open", "it is CLOSED, 0 of 3"),
            (healer(), "x", "half-open", "no scope 'x'; its scopes: restart_worker"),
            (healer(breakers=()), "restart_worker", "closed", "never opened"),
            (healer(), None, "open", "not to 'open'"),
            (healer(name="..", problem="bad name"), None, "closed", "not the name of a healer"),
            (
                HealerState("gone", "/x", problem="the directory is gone"),
                None,
                "closed",
                "cannot be read: the directory is gone",
            ),
        ],
    )
    def test_what_is_refused(
        self, state: HealerState, scope: str | None, to: str, why: str
    ) -> None:
        with pytest.raises(ActRefused, match=why):
            plan_reset(state, scope, to, NOW)

    @given(st.sampled_from([None, "flush queue=a"]), st.sampled_from(["half-open", "closed"]))
    def test_a_tripped_legacy_healer_goes_on_after_a_reset(
        self, scope: str | None, to: str
    ) -> None:
        state = applied(legacy(), plan_trip(legacy(), scope, None, "ana", NOW))
        after = applied(state, plan_reset(state, scope, to, NOW))
        assert not legacy_denies(after, "flush queue=a", 3, 600, NOW)

    def test_a_legacy_healer_knows_no_half_open_and_that_is_said(self) -> None:
        state = legacy(breakers=(breaker("flush queue=a", b"3 1763999999\n"),))
        plan = plan_reset(state, None, "half-open", NOW)
        assert plan.next_lines[0].startswith("It knows no half-open: the next cycle may act")
        assert any("maximum of failures is assumed" in line for line in plan.warnings)

    def test_next_cycle_that_is_overdue(self) -> None:
        state = healer(breakers=(breaker("restart_worker", OPEN),), cycle=cycle(next_due=NOW - 180))
        plan = plan_reset(state, None, "half-open", NOW)
        assert "the next cycle (it was due 3m ago) may act once" in plan.next_lines[0]


class TestDryRun:
    def test_on_and_off(self) -> None:
        plan = plan_dry_run(healer(), True, "ana", NOW)  # noqa: FBT003
        assert plan.changes[0].after == b"on 1764000000 0 ana\n"
        assert (plan.now_lines, plan.destructive) == (("LIVE",), False)
        dry = applied(healer(), plan)
        assert asked(dry).dry_run
        back = plan_dry_run(dry, False, "ana", NOW + 1)  # noqa: FBT003
        assert back.now_lines == ("DRY-RUN: set by ana",)
        assert back.destructive
        assert not asked(applied(dry, back)).dry_run

    def test_a_legacy_healer_is_told_how(self) -> None:
        with pytest.raises(ActRefused, match="set DRY_RUN=true in its unit file or crontab"):
            plan_dry_run(legacy(), True, "ana", NOW)  # noqa: FBT003

    @pytest.mark.parametrize(
        ("state", "on", "why"),
        [
            (healer(dry_run=OverrideRecord(True, 0, 0, "bo")), True, "on already, set by bo"),  # noqa: FBT003
            (healer(), False, "live already"),
        ],
    )
    def test_what_would_change_nothing_is_refused(
        self, state: HealerState, on: bool, why: str
    ) -> None:
        with pytest.raises(ActRefused, match=why):
            plan_dry_run(state, on, "ana", NOW)

    def test_a_corrupt_file_is_mended(self) -> None:
        state = healer(dry_run=Corrupt("dry-run", "empty"))
        assert asked(state).dry_run
        plan = plan_dry_run(state, False, "ana", NOW)  # noqa: FBT003
        assert not asked(applied(state, plan)).dry_run


class TestRelease:
    def test_circuits_that_were_forced_stay_and_that_is_said(self) -> None:
        state = applied(healer(), plan_trip(healer(), None, None, "ana", NOW))
        plan = plan_release(state, NOW)
        after = applied(state, plan)
        assert plan.after_lines[1].startswith("circuit restart_worker stays forced open")
        assert asked(after).guard is Guardrail.CIRCUIT

    def test_a_corrupt_hold_is_released_too(self) -> None:
        state = healer(hold=Corrupt("hold", "empty"))
        assert asked(applied(state, plan_release(state, NOW))).allow

    def test_what_is_not_held_is_refused(self) -> None:
        with pytest.raises(ActRefused, match="not held"):
            plan_release(healer(), NOW)


RAW_BREAKERS = st.sampled_from(
    [OPEN, b"junk", b"", b"0 0\n", b"3 1763999999\n", b"2 1763999000 3 600 half-open 0\n",
     b"3 32503680000 3 600 forced-open 0\n", b"999999 99999999999 1 999999999 open 99999999999\n"]
)  # fmt: skip


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b c", "d/e"]), RAW_BREAKERS), max_size=3),
    st.sampled_from(list(Library)),
    st.booleans(),
)
def test_trip_then_reset_of_anything_lets_it_act_again(
    found: list[tuple[str, bytes]], library: Library, held: bool
) -> None:
    breakers = {
        scope: breaker(scope, raw, f"cb/{scope.replace('/', '%2F')}") for scope, raw in found
    }
    hold = OverrideRecord(True, int(NOW), 0, "x") if held else None  # noqa: FBT003
    state = healer(library=library, cycle=None, breakers=tuple(breakers.values()), hold=hold)
    # For a moment longer than any trip that was there, so that there is something to change.
    tripped = applied(state, plan_trip(state, None, 77, "ana", NOW))
    for found_breaker in tripped.breakers:
        record = found_breaker.record
        assert isinstance(record, BreakerRecord)
        assert record.state is Circuit.FORCED_OPEN
    reset = applied(tripped, plan_reset(tripped, None, "closed", NOW))
    for scope in breakers:
        assert explain(reset, EMPTY, scope, NOW).allow
    assert not any(isinstance(marker, MarkerRecord) for marker in reset.markers or ())
