"""The dialogs of the acts, on real state directories and a real audit log."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
from textual.widgets import Button, Input

from healconsole.core.claim import format_claim
from healconsole.core.cycle import format_cycle
from healconsole.core.records import ClaimRecord
from healconsole.stores.processes import own_identity
from healconsole.stores.statedir import read_healer
from healconsole.tui.dialogs.base import ActDialog
from healconsole.tui.dialogs.choice import Choice
from healconsole.tui.dialogs.session import Done
from healconsole.tui.dialogs.undo import UndoDialog
from healconsole.tui.widgets.cells import Line
from tests.core.samples import cycle
from tests.tui.site import (
    HEALER,
    breaker,
    console,
    events,
    facts,
    hint,
    in_dialog,
    make_site,
    press_button,
    settled,
    shown,
    type_into,
)  # fmt: skip

FIELDS = ("reason", "incident", "name")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """One healer whose breaker is open, one that is well."""
    make_site(tmp_path)
    return tmp_path


@pytest.mark.asyncio
async def test_reset_needs_reason_and_name_then_opens_a_probe_and_is_undone(site: Path) -> None:
    app = console(site)
    before = breaker(site)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.press("r")
        assert in_dialog(app)
        button = app.screen.query_one("#act", Button)
        assert not button.has_class("-ready")
        assert "reason" in hint(app)
        for _ in range(6):
            await pilot.press("enter")
        await settled(pilot)
        assert breaker(site) == before
        assert events(site) == []
        await type_into(pilot, "reason", "rolled back deploy 5121")
        assert not button.has_class("-ready")
        assert HEALER in hint(app)
        await type_into(pilot, "incident", "INC-4711")
        await type_into(pilot, "name", HEALER)
        assert button.has_class("-ready")
        button.focus()
        await pilot.press("enter")
        await settled(pilot)
        assert not in_dialog(app)
        assert breaker(site)[4] == "half-open"
        event = events(site)[-2]
        assert event["outcome"] == "operator-reset"
        assert event["reason"] == "rolled back deploy 5121"
        assert event["incident"] == "INC-4711"
        await pilot.press("u")
        assert isinstance(app.screen, UndoDialog)
        assert app.screen.query_one("#incident", Input).value == "INC-4711"
        await type_into(pilot, "reason", "too early")
        await press_button(pilot)
        assert breaker(site) == before
        assert events(site)[-2]["outcome"] == "operator-undo"


@pytest.mark.asyncio
@pytest.mark.parametrize("several", [True, False], ids=["two", "one"])
async def test_a_span_that_cannot_be_read_is_said_once_and_beside_its_field(
    site: Path, several: bool
) -> None:
    app = console(site)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.press(*(("space", "space") if several else ()), "t")
        await type_into(pilot, "reason", "not while we look")
        await type_into(pilot, "for", "soon")
        drawn = [strip.text for strip in app.screen._compositor.render_strips()]
        said = [line for line in drawn if "'soon' is not a span" in line]
        assert len(said) == 1
        assert "for " in drawn[drawn.index(said[0]) - 1]
        text = "\n".join(drawn)
        assert "left out" not in text
        assert HEALER in text
        assert not app.screen.query_one("#act", Button).has_class("-ready")
        await type_into(pilot, "for", "10m")
        assert "soon" not in "\n".join(s.text for s in app.screen._compositor.render_strips())
        assert "type " in hint(app)


@pytest.mark.asyncio
async def test_the_first_lines_of_a_dialog_are_as_wide_as_those_that_stay(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    widths: list[int] = []
    whole = ActDialog.fact_lines

    def noted(self: ActDialog, width: int) -> list[Line]:
        widths.append(width)
        return whole(self, width)

    monkeypatch.setattr(ActDialog, "fact_lines", noted)
    app = console(site)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.press("t")
        await pilot.pause()
        await pilot.press("escape")
        await pilot.resize_terminal(130, 40)
        await pilot.press("t")
        await pilot.pause()
    assert set(widths) == {74, 104}


@pytest.mark.asyncio
@pytest.mark.parametrize("opened", [True, False], ids=["while it is open", "before it opens"])
async def test_an_act_that_something_else_overtook_is_not_taken_back_and_the_dialog_says_what_is(
    site: Path, opened: bool
) -> None:
    app = console(site)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        healer = read_healer(site / "state", HEALER, with_markers=False)
        assert app.acts is not None
        applied = app.acts.apply(app.acts.plan_reset(healer, "restart_worker"), reason="mended")
        app.session.done.append(Done("reset", HEALER, "", applied.undo))
        probed = f"0 {int(time.time())} 3 600 closed 0"
        if opened:
            await pilot.press("u")
            await pilot.pause()
            assert "half-open" in shown(app)
            await type_into(pilot, "reason", "too early")
        (site / f"state/{HEALER}/cb/restart_worker").write_text(f"{probed}\n")
        if opened:
            await press_button(pilot)
        else:
            await pilot.press("u")
            await pilot.pause()
        assert "now       cb/restart_worker: closed, 0 of 3 failures" in shown(app)
        assert "it left   cb/restart_worker: half-open, 2 of 3 failures, the last at" in shown(app)
        assert hint(app) == "it can no longer be taken back, and stays as it is; esc: close"
        assert not app.screen.query_one("#act", Button).has_class("-ready")
        assert " ".join(breaker(site)) == probed


@pytest.mark.asyncio
async def test_the_next_cycle_is_that_of_the_healer_as_it_is_by_now(site: Path) -> None:
    file = site / "state" / HEALER / "cycle.json"
    record = cycle(at=time.time() - 81, next_due=time.time() - 21)
    file.write_bytes(format_cycle(record))
    app = console(site)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.press("r")
        assert in_dialog(app)
        await type_into(pilot, "reason", "why")
        assert "it was due" in facts(app)
        file.write_bytes(format_cycle(replace(record, at=time.time(), next_due=time.time() + 60)))
        app.poke()
        await pilot.pause()
        assert isinstance(app.screen, ActDialog)
        app.screen.tick(time.time())  # as the clock does each second
        await pilot.pause()
        assert "it was due" not in facts(app)
        assert "the next cycle, in " in facts(app)
        assert hint(app) == f"type {HEALER} to confirm"


@pytest.mark.asyncio
async def test_keys_typed_ahead_go_where_they_were_meant(site: Path) -> None:
    app = console(site)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.press("r")
        await pilot.press(*"why", "enter", *"INC-1", "enter", *HEALER, "enter")
        await pilot.pause()
        typed = {name: app.screen.query_one(f"#{name}", Input).value for name in FIELDS}
        assert typed == {"reason": "why", "incident": "INC-1", "name": HEALER}
        assert app.screen.query_one("#act", Button).has_focus
        assert "enter: reset" in hint(app)


@pytest.mark.asyncio
async def test_state_that_changed_underneath_is_not_overwritten(site: Path) -> None:
    app = console(site)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        await pilot.press("r")
        await type_into(pilot, "reason", "looks fine")
        await type_into(pilot, "name", HEALER)
        now = int(time.time())
        changed = f"4 {now} 3 600 open {now + 600}\n"
        (site / "state" / HEALER / "cb" / "restart_worker").write_text(changed)
        await press_button(pilot)
        assert in_dialog(app)
        assert "changed underneath you" in hint(app)
        assert " ".join(breaker(site)) == changed.strip()


@pytest.mark.asyncio
async def test_trip_of_the_whole_healer_holds_it(site: Path) -> None:
    app = console(site)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.press("t")
        await type_into(pilot, "for", "soon")
        await type_into(pilot, "reason", "investigating")
        assert not app.screen.query_one("#act", Button).has_class("-ready")
        await type_into(pilot, "for", "10m")
        await type_into(pilot, "name", HEALER)
        await press_button(pilot)
    assert breaker(site)[4] == "forced-open"
    assert (site / "state" / HEALER / "hold").read_text().startswith("on ")
    assert events(site)[-2]["outcome"] == "operator-trip"


@pytest.mark.asyncio
async def test_an_unwritable_audit_log_means_that_nothing_happens(site: Path) -> None:
    (site / "audit.jsonl").mkdir()
    app = console(site)
    before = breaker(site)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.press("r")
        await type_into(pilot, "reason", "looks fine")
        await type_into(pilot, "name", HEALER)
        await press_button(pilot)
        assert in_dialog(app)
        assert "audit.jsonl" in hint(app)
    assert breaker(site) == before


@pytest.mark.asyncio
async def test_escape_changes_nothing(site: Path) -> None:
    app = console(site)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        for key in ("t", "r"):
            await pilot.press(key)
            assert in_dialog(app)
            await pilot.press("escape")
            assert not in_dialog(app)
    assert not (site / "audit.jsonl").exists()


@pytest.mark.asyncio
async def test_what_is_now_is_that_of_the_scope_that_is_chosen_whatever_the_span(
    site: Path,
) -> None:
    (site / f"state/{HEALER}/cb/flush_cache").write_text(f"1 {int(time.time())} 3 600 closed 0\n")
    app = console(site)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.press("t")
        await type_into(pilot, "for", "10 bananas")
        scope = app.screen.query_one("#scope", Choice)
        scope.focus()
        for wanted, other in (("flush_cache", "restart_worker"), ("restart_worker", "flush_cache")):
            await pilot.press("right")
            await pilot.pause()
            assert scope.value == wanted
            assert f"now       circuit {wanted}: " in facts(app)
            assert other not in facts(app)
            assert "after" not in facts(app)
            assert not app.screen.query_one("#name-row").display


@pytest.mark.asyncio
async def test_an_action_that_has_ended_is_in_flight_no_more(site: Path) -> None:
    pid, start, boot = own_identity()
    claim = ClaimRecord(
        slot=0, pid=pid, start=start, boot=boot, at=int(time.time()) - 300, key="0" * 64,
        scope_file="restart_worker", probe=False, last_refill=0, tokens_micro=0,
        intent="restart_worker pid=1",
    )  # fmt: skip
    slot = site / f"state/{HEALER}/claims/0"
    slot.write_bytes(format_claim(claim))
    app = console(site)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        await pilot.press("r")
        await pilot.pause()
        assert "An action is in flight: restart_worker pid=1" in facts(app)
        slot.write_bytes(b"")
        app.poke()
        await pilot.pause()
        app._tick()
        await pilot.pause()
        assert "in flight" not in facts(app)
        assert "circuit restart_worker: OPEN" in facts(app)


@pytest.mark.asyncio
async def test_enter_stays_at_what_is_missing_and_says_so(site: Path) -> None:
    app = console(site)
    async with app.run_test(size=(80, 24)) as pilot:

        def at() -> str | None:
            return app.focused.id if app.focused else None

        await pilot.pause()
        await pilot.press("t")
        await pilot.press("enter", "enter")
        assert (at(), "reason" in hint(app)) == ("reason", True)
        await pilot.press(*"disk", "enter", "enter")
        assert at() == "name"
        await pilot.press("enter", "w", "enter")
        assert (at(), hint(app)) == ("name", f"type {HEALER} to confirm")
        app.screen.query_one("#act", Button).focus()
        await pilot.press("enter", *HEALER[1:], "shift+tab")
        assert at() == "incident"
        await type_into(pilot, "name", HEALER)
        await type_into(pilot, "for", "5x")
        await pilot.press("enter", "enter")
        assert (at(), hint(app)) == ("for", "mend the field that cannot be read")
        await pilot.press("5", "m", "tab", "tab", "tab", "enter")
        assert at() == "act"
        assert hint(app).startswith("enter: trip")
        assert events(site) == []
