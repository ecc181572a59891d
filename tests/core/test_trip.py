"""A trip does what its plan says, for our healers and for legacy ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healconsole.core.acts import (
    ActRefused,
    plan_trip,
)
from healconsole.core.mode import mode_now
from healconsole.core.records import (
    BreakerRecord,
    ClaimRecord,
)
from healconsole.core.snapshot import CatalogEntry
from healconsole.core.words import Guardrail
from tests.core.samples import (
    INTENT,
    NOW,
    OPEN,
    applied,
    asked,
    breaker,
    bucket,
    healer,
    legacy,
    legacy_denies,
)


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
