"""A row says at one look whether a healer stopped, and why; the worst stands first."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healconsole.core.intent import bucket_number, marker_key
from healconsole.core.limits import ALL_LIMITS, limits_of
from healconsole.core.mode import dry_now, environment_of, mode_now
from healconsole.core.override import parse_override
from healconsole.core.records import (
    BreakerRecord,
    BucketRecord,
    ClaimRecord,
    Corrupt,
    MarkerRecord,
    OverrideRecord,
    Policy,
)
from healconsole.core.snapshot import (
    CatalogEntry,
    HealerState,
    Heartbeat,
    ScopedBreaker,
    ScopedBucket,
    Snapshot,
)
from healconsole.core.view import Thresholds, counts, healer_row, rows
from healconsole.core.words import Circuit, Library, Outcome
from tests.core.samples import NOW, breaker, bucket, cycle, event, healer, legacy

OPEN = b"3 1763999852 3 600 open 1764000452\n"
FORCED = b"3 32503680000 3 600 forced-open 0\n"
HALF = b"2 1763999852 3 600 half-open 0\n"
HELD = parse_override(b"on 1763999000 0 ana\n", "hold")
FAILED = event("timed-out", "x", NOW - 5)
DEAD = ClaimRecord(0, 9, 1, "abcd0123", 1, "k", "x", False, 0, 0, "x y=1")  # noqa: FBT003


class TestRow:
    def test_a_healthy_one(self) -> None:
        row = healer_row(healer(), NOW)
        assert (row.severity, row.glyph, row.word, row.problem) == (0, "✔", "ok", "")
        assert (row.circuit, row.circuit_scope) == (Circuit.CLOSED, "restart_worker")
        assert (row.tokens_micro, row.burst, row.tokens_corrupt) == (2_000_000, 3, False)
        assert row.next_token_s == pytest.approx(1 / 0.0167, abs=0.001)
        assert (row.beat_age, row.beat_stale, row.mode) == (19, False, "LIVE")
        assert (row.last_outcome, row.last_age) == ("success", 120)
        assert not row.assumed

    @pytest.mark.parametrize(
        ("given_", "severity", "word", "problem"),
        [
            ({"breakers": (breaker("x", OPEN),)}, 3, "open", "circuit x open: 3 failures"),
            ({"breakers": (breaker("x", FORCED),)}, 3, "forced-open", "forced open by an operator"),
            ({"breakers": (breaker("x", b"nan"),)}, 3, "corrupt", "cb/x is corrupt: does not"),
            ({"buckets": (bucket("x", b""),)}, 3, "corrupt", "rate/x is corrupt: empty"),
            ({"claims": (Corrupt("claims/0", "empty"),)}, 3, "corrupt", "claims/0 is corrupt"),
            ({"hold": Corrupt("hold", "empty")}, 3, "corrupt", "hold is corrupt"),
            ({"problem": "not readable"}, 3, "unreadable", "not readable"),
            ({"breakers": (breaker("x", HALF),)}, 2, "half-open", "one probe may go"),
            ({"hold": HELD}, 2, "held", "held by ana for 16m"),
            ({"heartbeat": Heartbeat(NOW - 360, "textfile")}, 2, "stale", "no heartbeat for 6m"),
            ({"heartbeat": Heartbeat(NOW + 60, "textfile")}, 2, "stale", "1m ahead of the clock"),
            ({"last": event("verify-failed", "x", NOW - 5)}, 2, "failing", "verify-failed"),
            ({"claims": (DEAD,)}, 2, "failing", "x y=1 was interrupted: pid 9 is gone"),
            ({"breakers": (breaker("x", OPEN),), "last": FAILED}, 3, "open", "last timed-out"),
            ({"breakers": (breaker("x", FORCED),), "hold": HELD}, 3, "forced-open", "by ana"),
            ({"cycle": Corrupt("cycle.json", "empty")}, 2, "failing", "cycle.json is corrupt"),
            ({"dry_run": OverrideRecord(True, 0, 0, "bo")}, 1, "ok", ""),  # noqa: FBT003
            ({"last": event("denied", "x", NOW - 5)}, 0, "ok", ""),
        ],
    )
    def test_what_is_the_matter(
        self, given_: dict[str, Any], severity: int, word: str, problem: str
    ) -> None:
        row = healer_row(healer(**given_), NOW)
        assert (row.severity, row.word) == (severity, word)
        assert problem in row.problem
        assert row.glyph == {3: "✖", 2: "!", 1: "◌", 0: "✔"}[severity]

    @pytest.mark.parametrize(
        "outcome", ["verify-failed", "action-failed", "interrupted", "timed-out"]
    )
    def test_a_failed_last_outcome_asks_for_attention(self, outcome: str) -> None:
        assert Outcome(outcome)
        assert healer_row(healer(last=event(outcome, "x", NOW)), NOW).severity == 2

    def test_a_circuit_shows_what_is_true_now_and_not_what_was_written(self) -> None:
        state = healer(breakers=(breaker("x", OPEN),))
        assert healer_row(state, NOW).circuit_remaining == 452
        assert healer_row(state, NOW + 451.5).circuit_remaining == 0.5
        row = healer_row(state, NOW + 452)
        assert (row.circuit, row.circuit_remaining) == (Circuit.HALF_OPEN, None)

    def test_the_worst_of_several_circuits_is_shown_and_the_bad_are_counted(self) -> None:
        row = healer_row(
            healer(breakers=(breaker("a", HALF), breaker("b", OPEN), breaker("c", b"0 0\n"))), NOW
        )
        assert (row.circuit, row.circuit_scope, row.circuits_bad) == (Circuit.OPEN, "b", 2)

    def test_the_poorest_bucket_is_shown(self) -> None:
        row = healer_row(
            healer(
                buckets=(
                    bucket("a", b"1764000000 2.5 0.016700 3\n"),
                    bucket("b", b"1764000000 0.5 0.016700 3\n"),
                )
            ),
            NOW + 10,
        )
        assert row.tokens_micro == 500_000 + 10 * 16_700

    def test_no_bucket_is_a_full_one(self) -> None:
        row = healer_row(healer(buckets=()), NOW)
        assert (row.tokens_micro, row.next_token_s) == (3_000_000, None)

    def test_a_legacy_healer_without_a_heartbeat_has_none_and_is_no_alarm(self) -> None:
        row = healer_row(legacy(), NOW)
        assert (row.beat_age, row.beat_stale, row.severity, row.word) == (None, False, 1, "ok")
        assert row.assumed

    def test_nothing_known_is_not_ok(self) -> None:
        row = healer_row(legacy(last=None), NOW)
        assert (row.word, row.glyph, row.mode) == ("unknown", "·", "UNKNOWN")

    def test_a_probe_that_is_out(self) -> None:
        raw = b"2 1763999852 3 600 half-open 1764000100\n"
        row = healer_row(healer(breakers=(breaker("x", raw),)), NOW)
        assert row.probe_out
        assert row.circuit_remaining == 100
        assert "its probe is out" in row.problem


class TestHeartbeat:
    @pytest.mark.parametrize(
        ("interval", "age", "stale"),
        [(2, 8, False), (2, 10, True), (600, 1800, False), (600, 1804, True), (0, 179, False),
         (0, 181, True)],
    )  # fmt: skip
    def test_stale_goes_by_the_interval_where_it_is_known(
        self, interval: float, age: float, stale: bool
    ) -> None:
        record = cycle(interval=float(interval), next_due=0.0, at=NOW - age)
        state = healer(cycle=record, heartbeat=Heartbeat(NOW - age, "cycle.json"))
        assert healer_row(state, NOW).beat_stale is stale

    def test_the_catalog_may_know_the_interval(self) -> None:
        entry = CatalogEntry("x", "/x", interval=600)
        state = legacy(catalog=entry, heartbeat=Heartbeat(NOW - 1000, "textfile"))
        assert not healer_row(state, NOW).beat_stale
        assert healer_row(replace(state, catalog=None), NOW).beat_stale

    def test_the_next_cycle_tells_the_interval_too(self) -> None:
        record = cycle(interval=0.0, at=NOW - 400, next_due=NOW)
        state = healer(cycle=record, heartbeat=Heartbeat(NOW - 400, "cycle.json"))
        assert not healer_row(state, NOW).beat_stale

    def test_a_corrupt_one_is_none_and_said(self) -> None:
        row = healer_row(healer(heartbeat=Corrupt("heal.prom", "not a number")), NOW)
        assert (row.beat_age, row.beat_stale, row.word) == (None, False, "failing")


class TestMarkers:
    def test_none_kept(self) -> None:
        assert healer_row(healer(), NOW).markers_active == 0

    def test_unread_markers_are_told_by_the_hash_of_known_intents(self) -> None:
        n = bucket_number(NOW, 300)
        keys = {marker_key("a", n), marker_key("b", n), marker_key("c", n - 1), "x" * 64}
        state = healer(
            markers_total=4, marker_keys=frozenset(keys), intents=("a", "b", "\udcff", "c")
        )
        assert healer_row(state, NOW).markers_active == 2
        since = replace(state, last=event("success", "c", NOW - 60))
        assert healer_row(since, NOW + 30).markers_active == 3
        assert healer_row(since, NOW + 240).markers_active == 2

    def test_without_intents_it_is_not_known(self) -> None:
        state = healer(markers_total=1, marker_keys=frozenset({"x"}), intents=())
        assert healer_row(state, NOW).markers_active is None

    def test_read_markers_are_counted_exactly(self) -> None:
        marks = (
            MarkerRecord("a", int(NOW) - 299),
            MarkerRecord("b", int(NOW) - 300),
            Corrupt("keys/c", "empty"),
        )
        assert healer_row(healer(markers_total=3, markers=marks), NOW).markers_active == 1

    def test_an_action_across_an_edge_leaves_two_markers_and_counts_once(self) -> None:
        n = bucket_number(NOW, 300)
        marks = tuple(
            MarkerRecord(marker_key("a", window), int(NOW) + 5, "a", "a", 1, "success")
            for window in (n, n - 1)
        )
        assert healer_row(healer(markers_total=2, markers=marks), NOW + 9).markers_active == 1

    def test_a_marker_of_a_clock_that_was_ahead_does_not_count_for_ever(self) -> None:
        ahead = MarkerRecord("x", int(NOW) + 86_400, "a", "a", 1, "success")
        assert healer_row(healer(markers_total=1, markers=(ahead,)), NOW).markers_active == 0


class TestOrder:
    def test_the_worst_first_then_by_name(self) -> None:
        states = (
            healer("held", hold=HELD),
            healer("stale", heartbeat=Heartbeat(0, "textfile")),
            healer("b-ok"),
            healer("a-dry", cycle=cycle(mode="dry-run")),
            healer("forced", breakers=(breaker("x", FORCED),)),
            healer("open", breakers=(breaker("x", OPEN),)),
            healer("half", breakers=(breaker("x", HALF),)),
        )
        made = rows(Snapshot(healers=states), NOW)
        assert [row.name for row in made] == [
            *("open", "forced", "stale", "half", "held", "a-dry", "b-ok")
        ]
        assert list(counts(made).items()) == [
            *(("open", 1), ("forced-open", 1), ("stale", 1), ("half-open", 1), ("held", 1)),
            ("ok", 2),
        ]

    def test_the_order_does_not_move_with_the_seconds(self) -> None:
        states = tuple(healer(f"h{n}", breakers=(breaker("x", OPEN),)) for n in range(9))
        snapshot = Snapshot(healers=states)
        for later in range(0, 400, 7):
            assert [row.name for row in rows(snapshot, NOW + later)] == [s.name for s in states]


class TestMode:
    @pytest.mark.parametrize(
        ("state", "mode"),
        [
            (healer(), "LIVE"),
            (healer(cycle=cycle(mode="dry-run")), "DRY-RUN"),
            (healer(dry_run=OverrideRecord(True, 0, 0, "x")), "DRY-RUN"),  # noqa: FBT003
            (healer(dry_run=OverrideRecord(True, 0, 5, "x")), "LIVE"),  # noqa: FBT003
            (healer(dry_run=Corrupt("dry-run", "empty")), "DRY-RUN"),
            (healer(cycle=cycle(mode="dry-run"), dry_run=OverrideRecord(False, 0, 0, "x")), "LIVE"),  # noqa: FBT003
            (healer(hold=HELD), "HELD"),
            (healer(hold=Corrupt("hold", "empty")), "HELD"),
            (healer(hold=OverrideRecord(True, 0, 5, "x")), "LIVE"),  # noqa: FBT003
            (healer(problem="gone"), "UNKNOWN"),
            (legacy(hold=HELD), "LIVE"),
            (legacy(last=event("dry-run", "x", NOW)), "DRY-RUN"),
            (legacy(last=event("denied", "x", NOW)), "UNKNOWN"),
            (legacy(last=None), "UNKNOWN"),
            (legacy(dry_run=OverrideRecord(True, 0, 0, "x")), "LIVE"),  # noqa: FBT003
        ],
    )
    def test_modes(self, state: HealerState, mode: str) -> None:
        assert mode_now(state, NOW) == mode

    def test_a_cycle_that_an_operator_made_dry_says_nothing_of_the_environment(self) -> None:
        on = OverrideRecord(True, 0, int(NOW) + 5, "x")  # noqa: FBT003
        state = healer(cycle=cycle(mode="dry-run"), dry_run=on)
        assert environment_of(state) is None
        assert dry_now(state, NOW).dry
        assert not dry_now(state, NOW + 5).dry


class TestLimits:
    def test_its_own_cycle_knows_best(self) -> None:
        declared = Policy(burst=9, fleet_lock="q")
        state = healer(catalog=CatalogEntry("x", "/x", policy=declared))
        found = limits_of(state)
        assert (found.policy.burst, found.policy.fleet_lock, found.assumed) == (3, "q", frozenset())

    def test_files_come_before_the_catalog(self) -> None:
        state = healer(
            cycle=None,
            breakers=(breaker("a", b"0 0 5 60 closed 0\n"), breaker("b", b"0 0 6 70 closed 0\n")),
            buckets=(bucket("a", b"1764000000 1.0 0.5 7\n"),),
            catalog=CatalogEntry("x", "/x", policy=Policy(burst=9, max_failures=9, bucket=30)),
        )
        found = limits_of(state, "b")
        assert (found.policy.max_failures, found.policy.burst, found.policy.bucket) == (6, 9, 30)
        assert not found.assumed
        assert limits_of(state).policy.burst == 7

    def test_what_nobody_says_is_assumed_and_marked(self) -> None:
        state = healer(cycle=None, buckets=(), breakers=(breaker("a", b"0 0 5 60 closed 0\n"),))
        found = limits_of(state)
        assert (found.policy.max_failures, found.policy.burst) == (5, 3)
        assert (found.rate_assumed, found.breaker_assumed) == (True, False)
        assert limits_of(state, "other").breaker_assumed

    def test_what_an_operator_wrote_into_a_legacy_file_declares_nothing(self) -> None:
        assert limits_of(legacy(breakers=(breaker("a", FORCED),))).assumed == ALL_LIMITS

    def test_a_catalog_entry_that_cannot_be_trusted_declares_nothing(self) -> None:
        entry = CatalogEntry("x", "/x", policy=Policy(burst=9), problem="writable by others")
        assert limits_of(legacy(catalog=entry)).policy.burst == 3


@given(
    st.builds(
        BreakerRecord,
        st.integers(0, 999_999), st.integers(0, 10**11), st.just(3), st.just(600),
        st.sampled_from([None, *list(Circuit)[:4]]), st.integers(0, 10**11),
    ) | st.just(Corrupt("cb/x", "empty")),
    st.builds(BucketRecord, st.integers(0, 10**11), st.integers(0, 10**12))
    | st.just(Corrupt("rate/x", "empty")),
    st.none() | st.builds(Heartbeat, st.floats(0, 1e11), st.just("textfile")),
    st.sampled_from(list(Library)),
    st.floats(0, 1e11),
)  # fmt: skip
def test_any_state_at_any_time_has_a_row(
    found: BreakerRecord | Corrupt,
    tokens: BucketRecord | Corrupt,
    beat: Heartbeat | None,
    library: Library,
    now: float,
) -> None:
    state = healer(
        library=library,
        breakers=(ScopedBreaker("x", found, "cb/x"),),
        buckets=(ScopedBucket("x", tokens, "rate/x"),),
        heartbeat=beat,
    )
    row = healer_row(state, now)
    assert 0 <= row.tokens_micro <= row.burst * 1_000_000
    assert row.circuit_remaining is None or row.circuit_remaining > 0
    assert (row.severity >= 2) == (row.problem != "")
    assert row.severity == 3 or not isinstance(found, Corrupt)


def test_a_thousand_rows_cost_little_of_a_second() -> None:
    states = tuple(
        healer(
            f"h{n}",
            markers_total=14,
            marker_keys=frozenset({f"{n}"}),
            intents=tuple(f"do n={n} k={k}" for k in range(50)),
        )
        for n in range(1000)
    )
    snapshot = Snapshot(healers=states)
    rows(snapshot, NOW)
    began = time.process_time()
    for second in range(5):
        rows(snapshot, NOW + second, Thresholds())
    assert (time.process_time() - began) / 5 < 0.1
