"""Text from outside is shown and never obeyed, on every screen."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace

import pytest

from healconsole.core.auditline import UnparsableLine
from healconsole.core.records import Corrupt
from healconsole.core.snapshot import CatalogEntry, HealerState, Lock, Snapshot, SourceHealth
from healconsole.core.words import Circuit, SourceState
from tests.tui import sceneparts, scenes
from tests.tui.conftest import Recording

pytestmark = pytest.mark.asyncio

EVIL = (
    "\x1b]0;owned\x07\x1b[2J\x9b31m[@click=app.quit]go[/] [bold]x[/bold] [/] \\[ "
    "\u202egnp.exe\u200b\u2066 \ud800 a\u0301\u0301\u0301\u0301\u0301\u0301 \r\n\t\x00\x7f"
)


def poisoned() -> Snapshot:
    """A site in which every text attacks."""
    base = scenes.one_open()
    first = base.healers[0]
    sick = HealerState(
        name=f"evil-{EVIL}",
        path=EVIL,
        problem=EVIL,
        catalog=CatalogEntry(EVIL, EVIL, description=EVIL, owner=EVIL, runbook=EVIL, problem=EVIL),
        hold=Corrupt(EVIL, EVIL, EVIL.encode("utf-8", "surrogatepass")),
        last=replace(sceneparts.event(5, "x", "x", "x"), healer=EVIL, outcome=EVIL, reason=EVIL),
        intents=(EVIL,),
    )
    named = replace(
        first,
        breakers=(
            *first.breakers,
            sceneparts.breaker(EVIL, Circuit.CLOSED),
        ),
        markers=(replace(sceneparts.markers(10)[0], intent=EVIL, outcome=EVIL),),
        catalog=sick.catalog,
    )
    event = replace(
        sceneparts.event(3, "evil", "verify-failed", "evil"),
        healer=EVIL,
        intent=EVIL,
        reason=EVIL,
        fact=EVIL,
        scope=EVIL,
        incident=EVIL,
        operator={"user": EVIL, EVIL: EVIL},
        raw=EVIL.encode("utf-8", "surrogatepass"),
    )
    bad = UnparsableLine(1, 2, EVIL.encode("utf-8", "surrogatepass"), EVIL)
    return replace(
        base,
        host=EVIL,
        healers=(named, *base.healers[1:], sick),
        locks=(Lock(EVIL, EVIL, None), Lock(EVIL, f"{EVIL}/x/1/y", sceneparts.NOW + 5)),
        audit=replace(base.audit, path=EVIL, gap=EVIL, lines=(*base.audit.lines, bad, event)),
        redis_health=SourceHealth(SourceState.UNKNOWN, EVIL),
        state_health=SourceHealth(SourceState.MISSING, EVIL),
        anomalies=(EVIL,),
    )


def harmful(text: str) -> set[str]:
    """Characters that a terminal could obey, reorder or hide."""
    return {
        char
        for char in text.replace("\n", "")
        if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    }


@pytest.mark.parametrize(
    "press",
    [
        (), ("end",), ("enter",), ("end", "enter"), ("a",), ("a", "enter"), ("a", "up", "enter"),
        ("l",), ("e",), ("end", "e"), ("question_mark",), ("t",), ("r",), ("x",), ("a", "c"),
    ],
    ids=lambda press: "-".join(press) or "home",
)  # fmt: skip
async def test_nothing_harmful_reaches_the_terminal(
    press: tuple[str, ...],
) -> None:
    recording = Recording(poisoned(), operator=EVIL, incident=EVIL)
    async with recording.app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        for key in press:
            await pilot.press(key)
            await pilot.pause()
        recording.app.say(EVIL)
        await pilot.pause()
        for strip in recording.app.screen._compositor.render_strips():
            assert not harmful(strip.text)
            for segment in strip:
                clicks = segment.style and segment.style.meta.get("@click")
                assert not clicks
                assert not (segment.style and segment.style.link)
        assert recording.app._exception is None


async def test_markup_is_shown_as_it_is_written() -> None:
    recording = Recording(poisoned())
    async with recording.app.run_test(size=(200, 50)) as pilot:
        await pilot.pause()
        await pilot.press("a", "enter")
        await pilot.pause()
        assert "[@click=app.quit]go[/] [bold]x[/bold]" in recording.text()


async def test_the_last_filter_takes_away_what_somebody_forgot() -> None:
    from textual.widgets import Static

    recording = Recording(scenes.healthy())
    async with recording.app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await recording.app.screen.mount(Static("careless \x9b31m\u202ewidget", markup=False))
        await pilot.pause()
        assert not harmful(recording.text())
        assert re.search("careless .*widget", recording.text())
