"""What a console remembers of its acts, for ``u``."""

from __future__ import annotations

from healconsole.stores.apply import UndoRecord
from healconsole.stores.changes import Done as Step
from healconsole.tui.dialogs.session import ActSession, Done


def act(healer: str, name: str, *steps: Step) -> Done:
    """An act; without steps it was done elsewhere."""
    return Done("trip", healer, "", UndoRecord(healer, "trip", None, steps, "", "", name))


def test_of_each_healer_elsewhere_the_last_act_is_taken_back() -> None:
    """Its host keeps no other: an older one would be refused, in front of all before it."""
    session = ActSession()
    first, other, last = act("far/one", "000001"), act("far/two", "2"), act("far/one", "000003")
    for each in (first, other, last):
        session.add(each)
    assert session.done == [other, last]
    session.forget(last)
    assert session.done == [other]
    session.overtaken("far/two")
    assert session.done == []


def test_of_a_healer_here_every_act_is_taken_back() -> None:
    session = ActSession()
    acts = [act("one", name, Step("hold", None, b"on")) for name in ("000001", "000002")]
    for each in acts:
        session.add(each)
    assert session.done == acts
    session.forget(acts[1])
    assert session.done == acts[:1]


def test_an_act_that_its_host_did_not_take_back_is_asked_for_after_all_others() -> None:
    session = ActSession()
    acts = [act("far/one", "000001"), act("far/two", "000002")]
    for each in acts:
        session.add(each)
    session.postpone(acts[1])
    assert session.done == [acts[1], acts[0]]
    session.forget(acts[1])
    session.postpone(acts[1])
    assert session.done == [acts[0]]
