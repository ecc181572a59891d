"""Two operators, two consoles, one real site: what one asks for, the other approves, or not."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from textual._time import get_time
from textual.pilot import Pilot
from textual.widgets import Button, Input, Static
from textual.worker import WorkerCancelled

from healconsole.core.snapshot import Snapshot
from healconsole.engine.operators import Operator, OperatorDesk
from healconsole.stores.config import load_config
from healconsole.stores.feed import Feed
from healconsole.tui.app import ConsoleApp
from healconsole.tui.dialogs.approve import ApproveDialog
from healconsole.tui.dialogs.asking import AskingDialog
from healconsole.tui.dialogs.base import ActDialog
from healconsole.tui.dialogs.undo import UndoDialog
from healconsole.tui.ports import Guarded, View

ANA = Operator("ana", 0, 1000, "tui", "pts/7")
BO = Operator("bo", 0, 1001, "tui", "pts/8")
HEALER = "worker-queue-healer"
ASKS = frozenset({"reset", "undo"})


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """One healer whose breaker is open."""
    now = int(time.time())
    for folder in ("keys", "rate", "cb", "claims"):
        (tmp_path / "state" / HEALER / folder).mkdir(parents=True)
    (tmp_path / "state" / HEALER / "cb" / "fix").write_text(f"3 {now} 3 600 open {now + 600}\n")
    return tmp_path


def circuit(site: Path) -> str:
    """The state of the breaker, as its file has it."""
    return (site / "state" / HEALER / "cb" / "fix").read_text().split()[4]


def events(site: Path) -> list[dict[str, object]]:
    """The audit log."""
    return [orjson.loads(line) for line in (site / "audit.jsonl").read_bytes().splitlines()]


class Console:
    """The console of one operator, with the real feed, in a terminal of 80 by 24."""

    def __init__(self, site: Path, operator: Operator, *, read_only: bool = False) -> None:
        config = load_config(
            {"state_root": str(site / "state"), "audit": str(site / "audit.jsonl")}, {}, ()
        )
        desk = OperatorDesk(
            config.state_root, config.audit, operator, time.time, "web-07", ASKS, 300.0
        )

        def feed(on_snapshot: Callable[[Snapshot], None]) -> Feed:
            return Feed(config, time.time, on_snapshot)

        self.app = ConsoleApp(
            View(host="web-07", operator=operator.user, read_only=read_only),
            feed, time.time, acts=None if read_only else desk,
        )  # fmt: skip
        self.pilot: Pilot[int]

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Console]:
        """Run it, until the healer is on the screen."""
        async with self.app.run_test(size=(80, 24)) as self.pilot:
            await self.until(HEALER)
            yield self

    def text(self) -> str:
        """What the screen shows."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in strips)

    async def until(self, wanted: str, *, gone: bool = False) -> None:
        """Wait until ``wanted`` is on the screen, or no more; at most ten seconds."""
        await self.holds(lambda: (wanted in self.text()) is not gone, wanted)

    async def holds(self, condition: Callable[[], bool], what: str = "") -> None:
        """Wait until a condition holds, at most ten seconds."""
        deadline = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < deadline, f"never: {what!r}\n{self.text()}"
            await self.pilot.pause(0.02)

    async def hinted(self, wanted: str) -> None:
        """Wait until the sentence above the buttons says so."""
        await self.holds(lambda: wanted in self.hint(), wanted)

    async def press(self, key: str, dialog: type[AskingDialog]) -> None:
        """Press a key, and wait for its dialog."""
        await self.pilot.press(key)
        await self.holds(lambda: isinstance(self.app.screen, dialog), key)

    async def fill(self, **fields: str) -> None:
        """Type into the fields of the dialog."""
        for name, text in fields.items():
            self.app.screen.query_one(f"#{name}", Input).value = text
        await self.pilot.pause()

    @property
    def button(self) -> Button:
        """The button of the dialog."""
        return self.app.screen.query_one("#act", Button)

    async def press_button(self) -> None:
        """Press enter on it, once it is painted, and up again after it was pressed before."""
        dialog, button = self.app.screen, self.button
        assert isinstance(dialog, Guarded)
        button.focus()
        await self.holds(lambda: button.has_focus and dialog.was_seen_at(get_time()))
        await self.holds(lambda: not button.has_class("-active"))
        await self.pilot.press("enter")
        await self.pilot.pause()
        with suppress(WorkerCancelled):  # a dialog that is done goes before its worker has ended
            await self.app.workers.wait_for_complete()
        await self.pilot.pause()

    def asks(self, dialog: type[ActDialog | ApproveDialog]) -> bool:
        """Whether a dialog of that kind is open."""
        return isinstance(self.app.screen, dialog)

    def hint(self) -> str:
        """The sentence above the buttons."""
        return str(self.app.screen.query_one("#hint", Static).content)


async def ask(console: Console, reason: str = "rolled back") -> None:
    """Ask for the reset of everything that is stopped."""
    await console.press("r", ActDialog)
    await console.fill(reason=reason, incident="INC-1", name=HEALER)
    await console.press_button()


@pytest.mark.asyncio
async def test_another_login_sees_the_request_and_approves_it(site: Path) -> None:
    async with Console(site, ANA).open() as ana, Console(site, BO).open() as bo:
        assert "approve" not in bo.text()
        await ana.press("r", ActDialog)
        await ana.until("it becomes a request")
        assert str(ana.button.label) == "Ask"
        await ana.pilot.press("escape")
        await ana.holds(lambda: not ana.asks(ActDialog))
        await ask(ana)
        await ana.holds(lambda: not ana.asks(ActDialog))
        assert circuit(site) == "open"
        await bo.until("1 request waits: reset worker-queue-healer / fix by ana")
        await bo.until("p approve")
        await bo.press("p", ApproveDialog)
        for says in ("ana (login uid 1000", "rolled back (incident INC-1)", "half-open", "next"):
            await bo.until(says)
        await bo.until("time left")
        await bo.hinted("reason")
        await bo.press_button()
        assert circuit(site) == "open"
        await bo.fill(reason="seen the deploy")
        await bo.press_button()
        await bo.holds(lambda: circuit(site) == "half-open")
        await bo.holds(lambda: not bo.asks(ApproveDialog))
        assert bo.app.session.done == [], "what took two is not taken back by one with `u`"
        for console in (ana, bo):
            await console.until("request waits", gone=True)
    assert [event["outcome"] for event in events(site)] == [
        "operator-request", "operator-reset", "operator-done",
    ]  # fmt: skip
    assert events(site)[1]["operator"] == {**ANA.record(), "approved_by": BO.record()}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("who", "says"),
    [
        (ANA, "yourself (login uid 1000)"),
        (replace(ANA, user="grace", uid=1007), "yourself (login uid 1000)"),
        (replace(BO, login_uid=None), "no login uid of you"),
    ],
    ids=["the-same", "another-name", "no-login"],
)
async def test_one_person_is_not_two(site: Path, who: Operator, says: str) -> None:
    desk = OperatorDesk(site / "state", site / "audit.jsonl", ANA, time.time, "web-07", ASKS)
    with pytest.raises(ValueError, match="wants a second person"):
        desk.apply(desk.plan_reset(desk.read(HEALER)), reason="rolled back")
    async with Console(site, who).open() as console:
        await console.until("request waits")
        await console.press("p", ApproveDialog)
        await console.fill(reason="it is fine")
        await console.hinted(says)
        assert not console.button.has_class("-ready")
        await console.press_button()
        assert console.asks(ApproveDialog)
        await console.pilot.press("escape")
        await console.until("request waits")
    assert circuit(site) == "open"
    assert [event["outcome"] for event in events(site)] == ["operator-request"]


@pytest.mark.asyncio
async def test_what_changed_since_it_was_asked_is_left_alone(site: Path) -> None:
    async with Console(site, ANA).open() as ana, Console(site, BO).open() as bo:
        await ask(ana)
        await bo.until("request waits")
        await bo.press("p", ApproveDialog)
        await bo.fill(reason="seen")
        now = int(time.time())
        changed = f"4 {now} 3 600 open {now + 600}\n"
        (site / "state" / HEALER / "cb" / "fix").write_text(changed)
        await bo.press_button()
        await bo.hinted("changed underneath you")
        assert (site / "state" / HEALER / "cb" / "fix").read_text() == changed


@pytest.mark.asyncio
async def test_who_is_slower_is_told(site: Path) -> None:
    async with Console(site, ANA).open() as ana, Console(site, BO).open() as bo:
        await ask(ana)
        await bo.until("request waits")
        await bo.press("p", ApproveDialog)
        await bo.fill(reason="seen")
        desk = OperatorDesk(
            site / "state", site / "audit.jsonl", replace(BO, login_uid=1002), time.time
        )
        desk.approve(desk.waiting()[0].id, reason="I was faster")
        await bo.until("approved or declined meanwhile")
        await bo.press_button()
        assert bo.asks(ApproveDialog)
    assert [event["outcome"] for event in events(site)].count("operator-reset") == 1


@pytest.mark.asyncio
async def test_going_alone_is_loud_before_it_is_done(site: Path) -> None:
    async with Console(site, ANA).open() as ana:
        await ana.press("r", ActDialog)
        await ana.fill(reason="Break-glass:", name=HEALER)
        await ana.hinted("say why")
        assert not ana.button.has_class("-ready")
        await ana.fill(reason="Break-glass: nobody answers")
        await ana.until("BREAK-GLASS: done at once, without a second person")
        await ana.until("Reset alone")
        await ana.press_button()
        await ana.holds(lambda: circuit(site) == "half-open")
        assert events(site)[0]["reason"] == "BREAK-GLASS, no second person: nobody answers"
        await ana.press("u", UndoDialog)
        await ana.fill(reason="too early")
        await ana.hinted("cannot be asked for")
        await ana.press_button()
        await ana.holds(lambda: circuit(site) == "half-open")
        await ana.fill(reason="break-glass: too early")
        await ana.press_button()
        await ana.holds(lambda: circuit(site) == "open")


@pytest.mark.asyncio
async def test_a_read_only_console_shows_who_waits_and_approves_nothing(site: Path) -> None:
    desk = OperatorDesk(site / "state", site / "audit.jsonl", ANA, time.time, "web-07", ASKS)
    with pytest.raises(ValueError, match="wants a second person"):
        desk.apply(desk.plan_reset(desk.read(HEALER)), reason="rolled back")
    async with Console(site, BO, read_only=True).open() as console:
        await console.until("request waits")
        await console.until("healconsole approve")
        await console.pilot.press("p")
        await console.until("READ-ONLY")
        assert not console.asks(ApproveDialog)
