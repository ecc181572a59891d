"""An operator's acts, from the plan to the file, the event, and back."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from healconsole.core.plan import ActRefused
from healconsole.engine.operators import Operator, OperatorDesk, identify
from healconsole.stores.apply import ChangedUnderneath
from healconsole.stores.auditlog import AuditUnwritable
from tests.engine.sites import NOON, Site

ADA = Operator("ada", 0, 1000, "cli", "10.0.0.7 pts/3")


@pytest.fixture
def desk(site: Site) -> OperatorDesk:
    """A desk on a site whose healer has acted once."""
    assert site.guard().run("fix pid=1", site.act).succeeded
    return OperatorDesk(site.root, site.audit, ADA, lambda: site.now, "web1")


def test_who_it_is() -> None:
    own = pwd.getpwuid(os.getuid()).pw_name
    environ = {"SSH_CONNECTION": "10.0.0.7 5000 10.0.0.1 22", "SUDO_USER": "grace"}
    found = identify(environ, via="cli")
    assert found.uid == os.getuid()
    assert found.user in {own, "grace"} or found.login_uid is not None
    assert found.origin.startswith("10.0.0.7")
    assert identify({}, via="tui", named="war-room").user == "war-room"
    assert found.record().keys() == {"user", "uid", "login_uid", "via", "from", "claimed"}
    claimed = found.record()["claimed"]
    assert claimed["SUDO_USER"] == "grace"
    assert claimed["SSH_CONNECTION"] == "10.0.0.7 5000 10.0.0.1 22"


@pytest.mark.parametrize(
    ("user", "word"),
    [("ada", "ada"), ("Ada L.\n", "Ada-L.-"), ("", "unknown"), ("x" * 99, "x" * 64), ("é", "-")],
)
def test_a_name_fits_an_override_file(user: str, word: str) -> None:
    assert Operator(user, 0, None, "cli", "").word == word


def test_a_trip_stops_the_healer_and_says_who_and_why(site: Site, desk: OperatorDesk) -> None:
    plan = desk.plan_trip(desk.read("h"), None, 600)
    assert site.events()[-1]["outcome"] == "success"  # planning writes nothing
    desk.apply(plan, reason=" bad deploy ", incident="INC-1")
    event, result = site.events()[-2:]
    assert result["outcome"] == "operator-done"
    assert event["outcome"] == "operator-trip"
    assert (event["reason"], event["incident"]) == ("bad deploy", "INC-1")
    assert event["operator"] == ADA.record()
    assert event["before"]
    assert event["after"]
    assert site.at(NOON + 599).guard().run("fix pid=2", site.act).outcome == "denied"
    assert site.at(NOON + 600).guard().run("fix pid=2", site.act).succeeded


def test_a_reset_lets_one_probe_go(site: Site, desk: OperatorDesk) -> None:
    (site.state / "cb" / "fix").write_text(f"3 {NOON:.0f} 3 600 open {NOON + 600:.0f}\n")
    desk.apply(desk.plan_reset(desk.read("h"), "fix"), reason="fixed by hand")
    result = site.guard().run("fix pid=3", site.act)
    assert result.succeeded
    assert result.verdict.probe


def test_an_act_is_undone(site: Site, desk: OperatorDesk) -> None:
    before = site.content()
    applied = desk.apply(desk.plan_dry_run(desk.read("h"), on=True), reason="careful")
    assert site.guard().is_dry()
    desk.undo(applied.undo, reason="not needed")
    assert not site.guard().is_dry()
    after = site.content()
    assert {name: content[0] for name, content in after.items()} == {
        name: content[0] for name, content in before.items()
    }
    assert [event["outcome"] for event in site.events()[-4::2]] == [
        "operator-dry-run",
        "operator-undo",
    ]


def test_what_changed_underneath_is_left_alone(site: Site, desk: OperatorDesk) -> None:
    breaker = site.state / "cb" / "fix"
    breaker.write_text(f"3 {NOON:.0f} 3 600 open {NOON + 600:.0f}\n")
    plan = desk.plan_reset(desk.read("h"), "fix", "closed")
    breaker.write_text(f"4 {NOON:.0f} 3 600 open {NOON + 600:.0f}\n")
    with pytest.raises(ChangedUnderneath):
        desk.apply(plan, reason="fixed")
    assert breaker.read_text().startswith("4 ")
    assert site.events("operator-reset") == []


@pytest.mark.parametrize("reason", ["", " ", "\t\n"])
def test_an_act_without_a_reason_is_refused(site: Site, desk: OperatorDesk, reason: str) -> None:
    before = site.content()
    with pytest.raises(ActRefused, match="a reason is needed"):
        desk.apply(desk.plan_trip(desk.read("h"), "fix"), reason=reason)
    assert site.content() == before


def test_an_act_that_cannot_be_audited_is_not_done(site: Site, desk: OperatorDesk) -> None:
    plan = desk.plan_trip(desk.read("h"), "fix")
    site.audit.rename(site.root / "away")
    site.audit.mkdir()
    before = site.content()
    with pytest.raises(AuditUnwritable):
        desk.apply(plan, reason="x")
    assert {n: c[0] for n, c in site.content().items()} == {n: c[0] for n, c in before.items()}


def test_a_release_takes_a_hold_back(site: Site, desk: OperatorDesk) -> None:
    desk.apply(desk.plan_trip(desk.read("h")), reason="stop")
    assert site.guard().run("other", site.act).verdict.guard == "hold"
    desk.apply(desk.plan_release(desk.read("h")), reason="go on")
    assert site.guard().run("other", site.act).succeeded
    assert Path(site.audit).exists()
