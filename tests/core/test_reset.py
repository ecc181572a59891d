"""A reset does what its plan says, for our healers and for legacy ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healconsole.core.acts import (
    ActRefused,
    plan_reset,
    plan_trip,
)
from healconsole.core.claim import parse_claim
from healconsole.core.override import parse_override
from healconsole.core.records import (
    Corrupt,
)
from healconsole.core.snapshot import HealerState
from healconsole.core.told import next_cycle
from healconsole.core.words import Guardrail
from tests.core.samples import (
    INTENT,
    NOW,
    OPEN,
    applied,
    asked,
    breaker,
    bucket,
    cycle,
    event,
    healer,
    legacy,
    legacy_denies,
)


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
                "^worker-queue-healer: cb: cannot be read$",
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
                "^gone cannot be read: the directory is gone$",
            ),
            (
                HealerState("shut", "/x", problem="cannot be read (permission denied); mend it"),
                None,
                "closed",
                r"^shut cannot be read \(permission denied\); mend it$",
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

    def test_next_cycle_that_is_due(self) -> None:
        assert next_cycle(healer(cycle=cycle(next_due=NOW)), NOW) == "the next cycle (it is due)"
