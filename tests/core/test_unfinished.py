"""Acts of operators that were announced, and of which no result is told."""

from __future__ import annotations

from typing import Any

import pytest

from healconsole.core.auditline import AuditEvent, UnparsableLine
from healconsole.core.unfinished import (
    ANNOUNCED,
    BY_HAND,
    FAILURE,
    KEPT,
    WITHIN_S,
    Unfinished,
    is_unfinished,
    unfinished_words,
)

LATE = 1000.0 + WITHIN_S + 1


def event(outcome: str, at: float = 1000.0, **fields: Any) -> AuditEvent:  # noqa: ANN401
    said = {"host": "web-07", "healer": "h", "scope": "fix", "pid": 7, **fields}
    return AuditEvent(0, 1, at, ts_text=f"at {at:g}", outcome=f"operator-{outcome}", **said)


DONE = event("done")
FAILED = event("undo", reason="the act could not be written", cause=FAILURE)


def found(*events: AuditEvent, until: float = LATE) -> list[str]:
    acts: Unfinished[int] = Unfinished()
    for place, each in enumerate(events):
        acts.take(each, place)
    walked = [place for place, _ in acts.found(until)]
    looked = [place for place in range(len(events)) if is_unfinished(events, place, until)]
    assert looked == walked, "the walk and the look agree"
    return [events[place].outcome.removeprefix("operator-") for place in walked]


@pytest.mark.parametrize("outcome", sorted(ANNOUNCED))
def test_an_act_without_a_result_is_named_once_its_time_is_over(outcome: str) -> None:
    announced = event(outcome.removeprefix("operator-"))
    assert found(announced) == [outcome.removeprefix("operator-")]
    assert found(announced, until=1000.0 + WITHIN_S) == []
    assert is_unfinished([announced], 0, 1001.0) is None
    assert found(announced, DONE) == []
    assert found(announced, FAILED) == []


def test_what_is_no_act_or_of_another_is_no_result() -> None:
    reset = event("reset")
    for other in (
        event("done", pid=8),
        event("done", scope="other"),
        event("done", host="db-03"),
        event("request"),
        event("run"),
    ):
        assert found(reset, other) == ["reset"]
    assert found(event("request"), event("run")) == []
    assert found(DONE, FAILED) == []


def test_the_next_act_of_the_same_process_does_not_hide_one_that_was_cut_off() -> None:
    assert found(event("trip"), event("reset"), DONE) == ["trip"]
    assert found(event("trip"), DONE, event("undo", reason="too early"), DONE) == []
    assert found(event("trip"), DONE, event("undo", reason="too early")) == ["undo"]


@pytest.mark.parametrize(
    "reason", ["the act was too early", "the act was not done: it waits no more", "the act "]
)
def test_what_a_person_says_of_their_undo_makes_no_result_of_it(reason: str) -> None:
    taken_back = event("undo", reason=reason, cause=BY_HAND)
    assert found(taken_back) == ["undo"]
    assert found(event("reset"), taken_back) == ["reset", "undo"]
    assert found(event("reset"), taken_back, DONE) == ["reset"]


def test_a_log_from_before_there_was_a_cause_is_read_by_what_was_written_then() -> None:
    for words in (
        "was not done: it waits no more",
        "was not done: it is not as it was any more",
        "was not done: the request cannot be removed (permission denied)",
        "could not be written (no space left on device); nothing was changed",
        "could not be written (disk full); what was done could not all be taken back: look at cb/a",
        "may not have been done: Redis at 127.0.0.1 does not answer",
    ):
        assert found(event("trip"), event("undo", reason=f"the act {words}")) == []
    for words in ("was too early", "was not done: I think", "could not be written; nothing"):
        said = event("undo", reason=f"the act {words}")
        assert found(event("trip"), said) == ["trip", "undo"]


def test_a_line_that_does_not_parse_and_one_that_is_late_end_nothing_early() -> None:
    bad = UnparsableLine(0, 1, b"{", "no JSON")
    later = event("done", at=LATE, pid=8)
    assert is_unfinished([event("trip"), bad, DONE], 0, LATE) is False
    assert is_unfinished([event("trip"), bad, later], 0, 1001.0) is True


def test_memory_is_bounded() -> None:
    acts: Unfinished[int] = Unfinished()
    for number in range(4 * KEPT):
        acts.take(event("trip", scope=str(number)), number)
    assert len(acts.found(LATE)) <= 2 * KEPT + 1
    assert acts.more == 4 * KEPT - len(acts.found(LATE))


def test_it_is_said_what_is_to_be_looked_at() -> None:
    says = unfinished_words(event("trip", operator={"user": "ana"}, before="closed", after="open"))
    assert says == (
        "trip of h / fix by ana was announced at at 1000, and no result followed: look whether "
        "it is closed or open"
    )
