"""An act that wants a second person: asked for, approved by another login, within its time."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from healconsole.core.plan import ActRefused
from healconsole.core.requestdoc import published, read_request, seal
from healconsole.engine import secondperson
from healconsole.engine.operators import Operator, OperatorDesk
from healconsole.engine.reasons import BREAK_GLASS
from healconsole.engine.secondperson import SecondPersonNeeded
from healconsole.stores.apply import ChangedUnderneath
from healconsole.stores.auditlog import AuditUnwritable
from healconsole.stores.requestfiles import FOLDER
from tests.engine.sites import NOON, Site

ADA = Operator("ada", 0, 1000, "cli", "10.0.0.7 pts/3")
GRACE = Operator("grace", 0, 1001, "tui", "10.0.0.8 pts/4")
OPEN = f"3 {NOON:.0f} 3 600 open {NOON + 600:.0f}\n"


@pytest.fixture
def desk(site: Site) -> OperatorDesk:
    """Ada's desk, where a reset wants a second person; its breaker is open."""
    site.guard()
    (site.state / "cb" / "fix").write_text(OPEN)
    return OperatorDesk(
        site.root, site.audit, ADA, lambda: site.now, "web1", frozenset({"reset", "undo"})
    )


def asked(desk: OperatorDesk, reason: str = "repaired") -> str:
    """Ask for the reset; the id of the request."""
    with pytest.raises(SecondPersonNeeded, match="wants a second person"):
        desk.apply(desk.plan_reset(desk.read("h"), "fix"), reason=reason, incident="INC-1")
    return desk.waiting()[-1].id


def test_another_login_approves_what_was_asked(site: Site, desk: OperatorDesk) -> None:
    wanted = asked(desk)
    assert (site.state / "cb" / "fix").read_text() == OPEN
    request, applied = replace(desk, operator=GRACE).approve(wanted, reason="seen")
    assert (site.state / "cb" / "fix").read_text().split()[4] == "half-open"
    assert (request.scope, applied.problem) == ("fix", "")
    request_event, event, done = site.events()
    assert [e["outcome"] for e in (request_event, event, done)] == [
        "operator-request", "operator-reset", "operator-done",
    ]  # fmt: skip
    assert request_event["operator"] == ADA.record()
    assert event["operator"] == {**ADA.record(), "approved_by": GRACE.record()}
    assert event["reason"] == f"repaired (request {wanted}, approved: seen)"
    assert event["incident"] == "INC-1"
    assert desk.waiting() == ()
    with pytest.raises(ActRefused, match="no request"):
        replace(desk, operator=GRACE).approve(wanted, reason="again")


@pytest.mark.parametrize(
    ("operator", "why"),
    [
        (replace(GRACE, login_uid=1000), "yourself"),
        (replace(GRACE, login_uid=None), "no login uid of you"),
    ],
    ids=["the-same-login", "no-login"],
)
def test_one_person_is_not_two(
    site: Site, desk: OperatorDesk, operator: Operator, why: str
) -> None:
    """Whatever name they go by: the login uid counts, which sudo does not change."""
    wanted = asked(desk)
    with pytest.raises(ActRefused, match=why):
        replace(desk, operator=operator).approve(wanted, reason="seen")
    assert (site.state / "cb" / "fix").read_text() == OPEN


def test_who_asked_without_a_login_cannot_be_approved(desk: OperatorDesk) -> None:
    wanted = asked(replace(desk, operator=replace(ADA, login_uid=None)))
    with pytest.raises(ActRefused, match="no login uid of who asked"):
        replace(desk, operator=GRACE).approve(wanted, reason="seen")


def test_its_time_is_over(site: Site, desk: OperatorDesk) -> None:
    wanted = asked(desk)
    later = replace(desk, operator=GRACE, clock=lambda: site.now + 901)
    with pytest.raises(ActRefused, match="its time is over"):
        later.approve(wanted, reason="seen")


def test_those_whose_time_is_over_are_not_in_the_way_of_those_that_wait(
    site: Site, desk: OperatorDesk
) -> None:
    for passed, waiting in ((0, 1), (1, 2), (899, 3), (900, 3)):
        later = replace(
            desk, four_eyes=frozenset({"trip"}), clock=partial(float, site.now + passed)
        )
        with pytest.raises(SecondPersonNeeded):
            later.apply(later.plan_trip(later.read("h"), "fix"), reason="stop")
        kept = {path.name for path in (site.root / FOLDER).iterdir()}
        assert kept == {request.id for request in later.waiting()}
        assert len(kept) == waiting


def test_what_changed_since_it_was_asked_is_left_alone(site: Site, desk: OperatorDesk) -> None:
    wanted = asked(desk)
    (site.state / "cb" / "fix").write_text(OPEN.replace("3 ", "4 ", 1))
    with pytest.raises(ChangedUnderneath, match="when it was asked for"):
        replace(desk, operator=GRACE).approve(wanted, reason="seen")
    assert (site.state / "cb" / "fix").read_text().startswith("4 ")


def test_break_glass_is_loud_and_wants_a_reason(site: Site, desk: OperatorDesk) -> None:
    plan = desk.plan_reset(desk.read("h"), "fix")
    with pytest.raises(ActRefused, match="reason is needed"):
        desk.apply(plan, reason=f"{BREAK_GLASS}  ")
    desk.apply(plan, reason=f"{BREAK_GLASS} nobody answers")
    assert site.events()[0]["reason"] == "BREAK-GLASS, no second person: nobody answers"
    assert (site.state / "cb" / "fix").read_text().split()[4] == "half-open"


def test_a_request_is_declined_by_anybody_and_then_approved_by_nobody(
    site: Site, desk: OperatorDesk
) -> None:
    wanted = asked(desk)
    with pytest.raises(ActRefused, match="reason is needed"):
        desk.decline(wanted, reason=" ")
    desk.decline(wanted, reason="not yet")
    assert desk.waiting() == ()
    assert (site.state / "cb" / "fix").read_text() == OPEN
    assert [event["outcome"] for event in site.events()] == [
        "operator-request", "operator-decline", "operator-done",
    ]  # fmt: skip
    event = site.events()[1]
    assert event["reason"] == f"request {wanted}, reset asked by ada: not yet"
    assert (event["operator"], event["incident"]) == (ADA.record(), "INC-1")
    for act in (replace(desk, operator=GRACE).approve, desk.decline):
        with pytest.raises(ActRefused, match="no request"):
            act(wanted, reason="seen")


def test_a_decline_that_cannot_be_audited_leaves_the_request(
    site: Site, desk: OperatorDesk
) -> None:
    wanted = asked(desk)
    unwritable = replace(desk, audit=site.root)
    with pytest.raises(AuditUnwritable):
        unwritable.decline(wanted, reason="not yet")
    assert [request.id for request in desk.waiting()] == [wanted]


def test_who_is_slower_than_an_approval_is_told_and_the_log_says_so(
    site: Site, desk: OperatorDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = asked(desk)
    stale = desk.waiting()
    replace(desk, operator=GRACE).approve(wanted, reason="seen")
    monkeypatch.setattr(secondperson, "waiting", lambda _: stale)
    with pytest.raises(ActRefused, match="declined meanwhile"):
        desk.decline(wanted, reason="not yet")
    assert [event["outcome"] for event in site.events()][-2:] == [
        "operator-decline", "operator-undo",
    ]  # fmt: skip


def test_what_was_not_shown_is_neither_approved_nor_declined(
    site: Site, desk: OperatorDesk
) -> None:
    """The fleet shows what stands in Redis; what is done is what stands on the host."""
    wanted = asked(desk)
    (request,) = desk.waiting()
    shown = read_request(published(request), "web1")
    forged = replace(shown, after="something harmless")
    for act in (replace(desk, operator=GRACE).approve, desk.decline):
        with pytest.raises(ActRefused, match="not what you were shown"):
            act(wanted, reason="seen", as_shown=seal(forged))
    replace(desk, operator=GRACE).approve(wanted, reason="seen", as_shown=seal(shown))
    assert (site.state / "cb" / "fix").read_text().split()[4] == "half-open"


def test_an_undo_cannot_go_round_it(desk: OperatorDesk) -> None:
    applied = desk.apply(desk.plan_reset(desk.read("h"), "fix"), reason=f"{BREAK_GLASS} alone")
    with pytest.raises(ActRefused, match="wants a second person"):
        desk.undo(applied.undo, reason="oops")
    desk.undo(applied.undo, reason=f"{BREAK_GLASS} oops")


def test_the_trip_of_another_is_not_taken_back_by_one_person(
    site: Site, desk: OperatorDesk
) -> None:
    """With the reset it is the same act by another name."""
    before = (site.state / "cb" / "fix").read_text()
    only_reset = replace(desk, four_eyes=frozenset({"reset"}))
    only_reset.apply(only_reset.plan_trip(desk.read("h"), "fix"), reason="stop")
    for other in (GRACE, replace(GRACE, login_uid=None)):
        with pytest.raises(ActRefused, match="not your own login's"):
            replace(only_reset, operator=other).last_act("h", reason="go on")
    nobody = replace(only_reset, operator=replace(ADA, login_uid=None))
    with pytest.raises(ActRefused, match="not your own login's"):
        nobody.last_act("h", reason="go on")
    replace(only_reset, operator=GRACE, four_eyes=frozenset()).last_act("h", reason="go on")
    only_reset.undo(only_reset.last_act("h", reason="too early"), reason="too early")
    assert (site.state / "cb" / "fix").read_text() == before
    assert site.events()[-2]["reason"] == "too early"


def test_taking_another_s_act_back_alone_is_loud(site: Site, desk: OperatorDesk) -> None:
    """Also where ``undo`` is not named: that it is another's is why it wants a second person."""
    only_reset = replace(desk, four_eyes=frozenset({"reset"}))
    only_reset.apply(only_reset.plan_trip(desk.read("h"), "fix"), reason="stop")
    grace, alone = replace(only_reset, operator=GRACE), f"{BREAK_GLASS} nobody is there"
    grace.undo(grace.last_act("h", reason=alone), reason=alone)
    assert site.events()[-2]["reason"] == "BREAK-GLASS, no second person: nobody is there"


def test_what_took_two_persons_is_taken_back_by_neither_alone(
    site: Site, desk: OperatorDesk
) -> None:
    ada = replace(desk, four_eyes=frozenset({"reset"}))
    grace = replace(ada, operator=GRACE)
    grace.approve(asked(ada), reason="seen")
    for either in (ada, grace):
        with pytest.raises(ActRefused, match="not your own login's alone"):
            either.last_act("h", reason="changed my mind")
    alone = f"{BREAK_GLASS} nobody is there"
    grace.undo(grace.last_act("h", reason=alone), reason=alone)
    assert (site.state / "cb" / "fix").read_text() == OPEN


def test_what_wants_no_second_person_is_done_at_once(site: Site, desk: OperatorDesk) -> None:
    desk.apply(desk.plan_trip(desk.read("h"), "fix"), reason="stop")
    assert site.events()[-1]["outcome"] == "operator-done"


def test_a_request_that_cannot_be_audited_is_not_made(site: Site, desk: OperatorDesk) -> None:
    site.audit.unlink(missing_ok=True)
    site.audit.mkdir()
    with pytest.raises((ActRefused, AuditUnwritable)):
        desk.apply(desk.plan_reset(desk.read("h"), "fix"), reason="repaired")
    assert desk.waiting() == ()


@pytest.mark.parametrize(
    "change",
    [
        {"until": "tomorrow"}, {"verb": "format"}, {"healer": "../etc"}, {"operator": "ada"},
        {"files": [{"path": "../x", "found": "absent", "after": None}]}, {"reason": None},
        {"files": [{"path": "x", "found": "absent", "after": "no base64"}]}, {"now_lines": 3},
    ],
    ids="-".join,
)  # fmt: skip
def test_what_is_no_request_is_none(
    site: Site, desk: OperatorDesk, change: dict[str, object]
) -> None:
    file = site.root / FOLDER / asked(desk)
    assert desk.waiting()[0].next_lines
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    assert desk.waiting() == ()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_requests_that_a_healer_could_have_written_are_not_believed(
    site: Site, desk: OperatorDesk
) -> None:
    wanted = asked(desk)
    folder: Path = site.root / FOLDER
    assert folder.stat().st_mode & 0o777 == 0o700
    os.chown(folder / wanted, 65_534, 65_534)
    assert desk.waiting() == ()
    os.chown(folder, 65_534, 65_534)
    with pytest.raises(ActRefused, match="belongs to uid 65534"):
        replace(desk, operator=GRACE).approve(wanted, reason="seen")


def test_a_scope_that_is_not_utf8_is_asked_for_approved_and_taken_back(
    site: Site, desk: OperatorDesk
) -> None:
    """Scopes of legacy healers are names of files, which are bytes."""
    file = site.state / "cb" / os.fsdecode(b"caf\xe9")
    (site.state / "cb" / "fix").rename(file)
    with pytest.raises(SecondPersonNeeded):
        desk.apply(desk.plan_reset(desk.read("h")), reason="repaired")
    (request,) = desk.waiting()
    assert request.files[0].path == "cb/caf\udce9"
    shown = seal(read_request(published(request), "web1"))
    replace(desk, operator=GRACE).approve(request.id, reason="seen", as_shown=shown)
    assert file.read_text().split()[4] == "half-open"
    alone = f"{BREAK_GLASS} nobody is there"
    desk.undo(desk.last_act("h", reason=alone), reason=alone)
    assert file.read_text() == OPEN


def test_a_request_that_cannot_be_kept_is_none_and_the_log_says_so(
    site: Site, desk: OperatorDesk
) -> None:
    (site.root / FOLDER).touch()
    with pytest.raises(ActRefused, match="cannot be asked"):
        desk.apply(desk.plan_reset(desk.read("h"), "fix"), reason="repaired")
    told, correction = site.events()
    assert told["outcome"] == "operator-request"
    assert correction["reason"].startswith("the act was not asked for: ")


def test_a_request_that_would_be_too_large_to_read_is_not_asked_for(
    site: Site, desk: OperatorDesk
) -> None:
    for number in range(800):
        (site.state / "cb" / f"fix{number}").write_text(OPEN)
    with pytest.raises(ActRefused, match="ask for less at once"):
        desk.apply(desk.plan_reset(desk.read("h")), reason="repaired")
    assert not site.audit.exists()
