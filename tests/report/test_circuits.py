"""When a breaker was open, and why, as the log tells it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from healconsole.core.auditline import AuditEvent
from healconsole.core.breaker import (
    breaker_now,
    record_failure,
    record_success,
    take_probe,
)
from healconsole.core.records import BreakerRecord, Policy
from healconsole.core.report.circuits import Circuits, CircuitTally
from healconsole.core.words import Circuit
from healconsole.report.telling import resets_line, undone_because
from tests.report.events import NOW, event, legacy

POLICY = Policy()


def circuits(*events: AuditEvent, end: float = NOW) -> Circuits:
    made = CircuitTally(POLICY)
    for it in events:
        assert it.ts is not None
        made.add(it, it.ts)
    return made.result(end)


def fails(at: float, **given: object) -> tuple[AuditEvent, AuditEvent]:
    return event(at, "started", **given), event(at + 20, "verify-failed", **given)


def opened(at: float) -> list[AuditEvent]:
    """Three failures; the breaker opens 20 seconds after ``at``."""
    reasons = ("one", "two", "three")
    return [
        it
        for number, reason in enumerate(reasons)
        for it in fails(at - 800 + 400 * number, reason=reason)
    ]


@given(st.lists(st.tuples(st.integers(1, 900), st.booleans()), max_size=40))
def test_the_breaker_played_again_is_the_breaker(tries: list[tuple[int, bool]]) -> None:
    """Acts on a real breaker, which says no where it is open; the log has only what was tried."""
    record: BreakerRecord | None = None
    log: list[AuditEvent] = []
    at, openings, open_s, since = 1_763_000_000, 0, 0.0, None
    for wait, good in tries:
        at += wait
        now = breaker_now(record, POLICY.max_failures, POLICY.cooldown, at)
        if now.state is Circuit.OPEN:
            continue
        if since is not None:
            open_s, since = open_s + POLICY.cooldown, None
        if now.state is Circuit.HALF_OPEN and record is not None:
            record = take_probe(record, POLICY, at)
        log.append(event(at, "started"))
        began, at = at, at + 2
        if good:
            record = record_success(record, POLICY, at, began) or record
        else:
            was = now.state
            record = record_failure(record, POLICY, at)
            after = breaker_now(record, POLICY.max_failures, POLICY.cooldown, at).state
            if after is Circuit.OPEN:
                since = at
                openings += was is Circuit.CLOSED
        log.append(event(at, "success" if good else "action-failed"))
    end = at + 10_000.0
    found = circuits(*log, end=end)
    if since is not None:
        open_s += POLICY.cooldown
    assert found.opened == openings
    assert abs(found.open_s - open_s) < 1e-6
    last = breaker_now(record, POLICY.max_failures, POLICY.cooldown, end).state
    lasting = [it for it in found.episodes if it.ended is None]
    assert bool(lasting) is (last is not Circuit.CLOSED)


def test_an_opening_says_why_and_what_ended_it() -> None:
    at = NOW - 5000
    found = circuits(
        *opened(at), *fails(at + 700), event(at + 1400, "started"), event(at + 1430, "success")
    )
    (it,) = found.episodes
    assert (it.opened, it.why) == (at + 20, "3 of 3 failed")
    assert it.reasons == ("verify-failed: one", "verify-failed: two", "verify-failed: three")
    assert (it.probes_failed, it.ended, it.ended_by) == (1, at + 1430, "a probe succeeded")
    assert it.denying_s == found.open_s == 1200


def test_a_denial_teaches_the_limits() -> None:
    at = NOW - 5000
    denied = event(at, "denied", guard="circuit", reason="5 of 5 failed, open for 90 s more")
    found = circuits(
        denied, *(it for n in range(4) for it in fails(at + 1000 + n * 100, scope="b"))
    )
    assert found.opened == 1, "four of five failures open nothing"
    assert found.open_s == 90


def test_a_denial_in_the_midst_of_an_opening_opens_no_second() -> None:
    at = NOW - 5000
    denied = event(at + 100, "denied", guard="circuit", reason="3 of 3 failed, open for 520 s more")
    ended = event(
        at + 900, "denied", guard="circuit", reason="3 of 3 failed, open for 9 s more", count=40
    )
    found = circuits(*opened(at), denied, ended)
    assert (found.opened, found.open_s) == (1, 600)


def test_an_operators_trip_and_reset() -> None:
    ana = {"user": "ana"}
    found = circuits(
        event(NOW - 900, "operator-trip", operator=ana, reason="deploy", incident="INC-1",
              after="restart_worker forced-open until reset"),
        event(NOW - 300, "operator-reset", operator=ana, reason="deploy done", incident="INC-1"),
    )  # fmt: skip
    (it,) = found.episodes
    assert (it.by, it.why, it.incident, it.denying_s) == ("ana", "deploy", "INC-1", 600)
    assert it.ended_by == "reset by ana: deploy done"
    (reset,) = found.resets
    assert (reset.by, reset.reason, found.resets_counted) == ("ana", "deploy done", 1)


def test_a_reset_that_was_taken_back_ended_nothing() -> None:
    ana, words = {"user": "ana"}, ("a: 3 failed, open", "a: half-open")
    again = dict(zip(("before", "after"), words, strict=True))
    back = dict(zip(("after", "before"), words, strict=True))
    log = [
        *opened(NOW - 500),
        event(NOW - 380, "operator-reset", operator=ana, reason="mended", **again),
        event(NOW - 340, "operator-undo", operator=ana, cause="operator", **back),
    ]
    found = circuits(*log)
    (it,) = found.episodes
    assert (found.opened, it.ended, it.denying_s, found.open_s) == (1, None, 440, 440)
    (reset,) = found.resets
    assert (found.resets_counted, found.resets_undone) == (1, 1)
    assert (reset.undone, reset.undone_by) == (NOW - 340, "ana")
    assert resets_line(found) == "Reset 1 time, 1 of them taken back"
    assert undone_because(reset, 0).endswith("15:54:20, by ana")
    # The next reset ends it, and stays.
    ended = circuits(*log, event(NOW - 300, "operator-reset", operator=ana, **again))
    assert (ended.resets_counted, ended.resets_undone, ended.episodes[0].denying_s) == (2, 1, 140)
    assert ended.episodes[0].ended == NOW - 300
    # An undo of something else takes no reset back.
    other = circuits(*log[:-1], event(NOW - 340, "operator-undo", before="dry-run", after="live"))
    assert other.resets_undone == 0


def test_a_reset_that_could_not_be_asked_for_closes_no_tripped_breaker() -> None:
    log = (
        event(NOW - 900, "operator-trip", before="closed", after="forced-open until reset"),
        event(NOW - 500, "operator-request", before="forced-open until reset", after="half-open"),
        event(
            NOW - 500, "operator-undo", cause="failure",
            before="half-open", after="forced-open until reset",
        ),
    )  # fmt: skip
    (it,) = circuits(*log).episodes
    assert (it.ended, it.denying_s) == (None, 900)


def test_a_reset_that_could_not_be_asked_for_takes_none_back_that_was_done_before() -> None:
    held, probe = "forced-open until reset", "half-open"
    found = circuits(
        event(NOW - 900, "operator-trip", before="closed", after=held),
        event(NOW - 800, "operator-reset", before=held, after=probe),
        event(NOW - 700, "operator-trip", before=probe, after=held),
        event(NOW - 500, "operator-request", before=held, after=probe),
        event(NOW - 500, "operator-undo", cause="failure", before=probe, after=held),
    )
    assert found.resets_undone == 0
    assert [it.ended for it in found.episodes] == [NOW - 800, None]


def test_an_undo_that_failed_leaves_the_reset_as_it_was() -> None:
    again = {"before": "open until 99", "after": "half-open"}
    back = {"before": "half-open", "after": "open until 99"}
    log = (
        *opened(NOW - 500),
        event(NOW - 380, "operator-reset", **again),
        event(NOW - 340, "operator-undo", cause="operator", **back),
        event(NOW - 340, "operator-undo", cause="failure", **again),
    )
    found = circuits(*log)
    (it,) = found.episodes
    assert (it.ended, it.denying_s, found.open_s, found.opened) == (NOW - 380, 100, 100, 1)
    assert (found.resets_counted, found.resets_undone) == (1, 0)
    assert found.resets[0].undone is None
    # And it can be taken back once more.
    later = circuits(*log, event(NOW - 300, "operator-undo", cause="operator", **back))
    assert (later.resets_undone, later.episodes[0].ended) == (1, None)
    assert later.open_s == 100 + 300


def test_resets_of_two_scopes_are_each_taken_back() -> None:
    again = {"before": "open until 99", "after": "half-open"}
    back = {"before": "half-open", "after": "open until 99"}
    log = [it for scope in ("a", "b") for n in range(3) for it in fails(NOW - 900 + n, scope=scope)]
    log.sort(key=lambda it: it.ts or 0)
    for at, outcome, states in ((400, "operator-reset", again), (300, "operator-undo", back)):
        log += [event(NOW - at + n, outcome, scope="ab"[n], **states) for n in range(2)]
    found = circuits(*log)
    assert (found.opened, found.resets_undone) == (2, 2)
    assert [it.ended for it in found.episodes] == [None, None]


def test_the_undo_of_a_rehearsal_lets_no_tripped_healer_go() -> None:
    tripped = event(NOW - 900, "operator-trip", scope="", after="held until reset")
    words = ("live", "dry-run on")
    log = (
        tripped,
        event(NOW - 800, "operator-dry-run", scope="", before=words[0], after=words[1]),
        event(NOW - 700, "operator-undo", scope="", cause="operator", before=words[1],
              after=words[0]),
    )  # fmt: skip
    (it,) = circuits(*log).episodes
    assert (it.ended, it.denying_s) == (None, 900)


def test_the_undo_of_a_release_holds_again() -> None:
    states = {"before": "held until reset", "after": "not held"}
    found = circuits(
        event(NOW - 900, "operator-hold", scope="", after="held until reset"),
        event(NOW - 800, "operator-release", scope="", **states),
        event(NOW - 700, "operator-undo", scope="", cause="operator", before="not held",
              after="held until reset"),
    )  # fmt: skip
    (it,) = found.episodes
    assert (it.ended, it.denying_s) == (None, 800)


def test_a_trip_for_a_time_ends_by_itself() -> None:
    after = f"held until {int(NOW) - 400}; restart_worker forced-open until {int(NOW) - 400}"
    found = circuits(event(NOW - 900, "operator-trip", scope="", after=after))
    (it,) = found.episodes
    assert (it.scope, it.ended, it.denying_s) == ("", None, 500)


def test_a_hold_ends_with_its_release_and_a_trip_with_its_undo() -> None:
    found = circuits(
        event(NOW - 900, "operator-trip", scope="", after="held until reset"),
        event(NOW - 800, "operator-release", scope=""),
        event(NOW - 700, "operator-trip", after="restart_worker forced-open until reset"),
        event(NOW - 650, "operator-undo"),
    )
    assert [it.denying_s for it in found.episodes] == [100, 50]


def test_the_older_librarys_scope_is_the_intent() -> None:
    tries = [legacy(NOW - 5000 + n * 100, "action-failed") for n in range(3)]
    found = circuits(*tries, legacy(NOW - 4000, "success"))
    (it,) = found.episodes
    assert (it.scope, it.host, it.denying_s) == ("flush_queue q=1", "mx-1", 600)


def test_an_act_that_succeeded_before_it_died_is_no_failure() -> None:
    why = "pid 7 ended before it recorded its success"
    assert not circuits(*(event(NOW - 90 + n, "interrupted", reason=why) for n in range(9))).opened


def test_hosts_have_their_own_breakers() -> None:
    found = circuits(*(it for n in range(6) for it in fails(NOW - 900 + n * 50, host=f"h{n % 3}")))
    assert found.opened == 0
