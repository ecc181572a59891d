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
from healconsole.core.explain import explain
from healconsole.core.records import (
    BreakerRecord,
    Corrupt,
    MarkerRecord,
    OverrideRecord,
)
from healconsole.core.snapshot import EMPTY, HealerState
from healconsole.core.words import Circuit, Guardrail, Library
from tests.core.samples import (
    NOW,
    OPEN,
    applied,
    asked,
    breaker,
    healer,
    legacy,
)


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

    @pytest.mark.parametrize(
        ("raw", "stays"),
        [
            (b"3 32503680000 3 600 forced-open 0\n", "FORCED-OPEN until reset"),
            (OPEN, "OPEN, 3 of 3 failures, half-open by itself at 16:07:32 UTC, in 7m32s"),
        ],
    )
    def test_off_lets_nothing_act_where_the_circuit_denies(self, raw: bytes, stays: str) -> None:
        state = healer(
            dry_run=OverrideRecord(True, 0, 0, "bo"),  # noqa: FBT003
            breakers=(breaker("restart_worker", raw), breaker("flush", b"0 0 3 600 closed 0\n")),
        )
        first, circuit, held = plan_dry_run(state, False, "ana", NOW).next_lines  # noqa: FBT003
        assert "may act for real where its circuit lets it" in first
        assert circuit == f"Circuit restart_worker stays {stays}: it does not act there."
        assert held == "It is not held."

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
